//! Audio threads: cpal's hosts and the clock.
