//! Pure maths on slices and numbers: interpolation kernels, filters, envelopes, LFOs, pan, ramps.
//!
//! No files, threads, clocks or `Arc`. Everything is a closed form of a frame count, so that the same frame gets the
//! same bits however a render is cut into blocks (RT-6).

pub mod effects;
pub mod envelope;
pub mod fast;
pub mod filter;
pub mod interpolate;
pub mod lfo;
pub mod limiter;
pub mod pan;
pub mod ramp;
pub mod variant;
