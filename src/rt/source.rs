//! A source: anything but a voice that adds frames to the engine's buses. PCM streams are sources.
//!
//! The engine knows only this trait, and whoever implements it need not know the engine. A source is made on a control
//! thread, moved to the audio thread by a lane, and moved out again by the collector (RT-3).

/// Frames that are rendered at a time, at most.
pub const CHUNK: usize = 128;

/// Two sides of one chunk, planar; the chunk at hand may be shorter.
pub type Bus = [[f32; CHUNK]; 2];

/// Where a source adds its frames.
pub struct Buses<'a> {
    /// The master bus: output channels 1 and 2.
    pub main: &'a mut Bus,
    /// Output channels from the third on, in pairs.
    pub beyond: &'a mut [Bus],
}

impl Buses<'_> {
    /// One output channel, from 0; `None` where the device has fewer.
    pub fn channel(&mut self, at: usize) -> Option<&mut [f32; CHUNK]> {
        match at.checked_sub(2) {
            None => self.main.get_mut(at),
            Some(at) => self.beyond.get_mut(at / 2)?.get_mut(at % 2),
        }
    }
}

/// What the audio thread asks of a source. No call may allocate, free, lock, wait or panic (RT-1, RT-2, RT-5).
pub trait Source: Send {
    /// Adds the next `frames` (at most [`CHUNK`]), the first of which is `frame` on the engine clock. Returns how many
    /// of its values were not finite; it has put 0 in their place (RT-8).
    fn render(&mut self, frame: u64, frames: usize, buses: &mut Buses<'_>) -> u64;

    /// Whether anything of it is heard, or will be by itself.
    fn sounds(&self) -> bool;

    /// Whether it can go: nothing more will be heard of it.
    fn is_over(&self) -> bool;
}
