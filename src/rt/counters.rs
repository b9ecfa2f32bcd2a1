//! Counters and histograms that the audio thread writes and anybody reads.
