//! Which channel of a stream goes to which output, and how loud.
//!
//! One channel goes to both sides. As many channels as there are outputs, or fewer, keep their places. Four, six and eight
//! channels (quad, 5.1, 7.1 in the order L R C LFE …) go to stereo as the Web Audio API mixes them down ("Up-mixing and
//! down-mixing", speakers); of 7.1, which it leaves out, both pairs behind count as surround. Of any other number, those
//! that find no output are added to the outputs from the first on, 3 dB down, so that nothing is lost.

use crate::rt::source::Buses;

/// −3 dB.
const SURROUND: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// From one channel to one output.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Route {
    from: usize,
    to: usize,
    gain: f32,
}

/// All ways of one stream.
#[derive(Clone, Debug)]
pub struct Routes {
    channels: usize,
    routes: Vec<Route>,
}

impl Routes {
    /// From `channels` to `outputs`. The engine's master bus has two sides even where the device has one channel.
    pub fn new(channels: usize, outputs: usize) -> Self {
        let outputs = outputs.max(2);
        let route = |from, to, gain| Route { from, to, gain };
        let sides = |from: usize, gain| [route(from, 0, gain), route(from, 1, gain)];
        let pair = |from: usize, gain| [route(from, 0, gain), route(from + 1, 1, gain)];
        let routes = match (channels, outputs) {
            (1, _) => sides(0, 1.0).to_vec(),
            (4, 2) => [pair(0, 0.5), pair(2, 0.5)].concat(),
            (6, 2) => [pair(0, 1.0), sides(2, SURROUND), pair(4, SURROUND)].concat(),
            (8, 2) => [pair(0, 1.0), sides(2, SURROUND), pair(4, SURROUND), pair(6, SURROUND)].concat(),
            _ => (0..channels)
                .map(|from| route(from, from % outputs, if from < outputs { 1.0 } else { SURROUND }))
                .collect(),
        };
        Self { channels, routes }
    }

    /// Adds interleaved frames to the buses; `gain` is that of the n-th of them.
    pub fn mix(&self, frames: &[f32], buses: &mut Buses<'_>, gain: impl Fn(usize) -> f32) {
        for route in &self.routes {
            let Some(bus) = buses.channel(route.to) else { continue };
            for (n, (out, frame)) in bus.iter_mut().zip(frames.chunks_exact(self.channels)).enumerate() {
                if let Some(value) = frame.get(route.from) {
                    *out += value * (route.gain * gain(n));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::source::{Bus, CHUNK};

    /// What each output gets of channel values 1, 2, 4, 8 …
    fn outputs(channels: usize, outputs: usize) -> Vec<f32> {
        let routes = Routes::new(channels, outputs);
        let mut main: Bus = [[0.0; CHUNK]; 2];
        let mut beyond = vec![[[0.0; CHUNK]; 2]; outputs.saturating_sub(1) / 2];
        let frame: Vec<f32> = (0..channels).map(|n| (1u32 << n) as f32).collect();
        routes.mix(&frame, &mut Buses { main: &mut main, beyond: &mut beyond }, |_| 1.0);
        let all: Vec<_> = main.iter().chain(beyond.iter().flatten()).map(|side| side[0]).collect();
        all[..outputs.max(2)].to_vec()
    }

    #[test]
    fn channels_go_where_the_rules_say() {
        let s = SURROUND;
        assert_eq!(outputs(1, 2), [1.0, 1.0]);
        assert_eq!(outputs(1, 1), [1.0, 1.0]);
        assert_eq!(outputs(2, 2), [1.0, 2.0]);
        assert_eq!(outputs(2, 6), [1.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(outputs(4, 2), [2.5, 5.0]);
        assert_eq!(outputs(4, 4), [1.0, 2.0, 4.0, 8.0]);
        assert_eq!(outputs(6, 2), [1.0 + 4.0 * s + 16.0 * s, 2.0 + 4.0 * s + 32.0 * s]);
        assert_eq!(outputs(3, 2), [1.0 + 4.0 * s, 2.0]);
        assert_eq!(outputs(5, 3), [1.0 + 8.0 * s, 2.0 + 16.0 * s, 4.0]);
        assert_eq!(outputs(8, 8), (0..8).map(|n| (1 << n) as f32).collect::<Vec<_>>());
    }
}
