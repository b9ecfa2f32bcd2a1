//! Between what is rendered and what a device takes: another sample rate, more channels.
//!
//! A device that runs at the renderer's rate with the renderer's channels gets the blocks as they are, bit
//! for bit; this is for all others. Rates are converted by rubato's windowed sinc with a fixed ratio, which
//! neither allocates nor frees once it is made (RT-1; the test below counts). It works in pieces of
//! [`PIECE`] frames, so that the work per block is even whatever the device asks for, and the delay is half
//! of the filter and no more than a piece besides.

use rubato::{
    Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction,
    audioadapter_buffers::direct::InterleavedSlice,
};

/// Frames of the device that are converted at a time: 1.3 ms at 48 kHz.
const PIECE: usize = 64;
/// Frames that the filter spans, at the lower of both rates: its passband ends at 20.3 kHz of 44.1 kHz and
/// the stopband is 100 dB down, and 64 frames of it are delay.
const TAPS: usize = 128;
/// Filters between two frames; the cubic between them is what 256 of them leave below −120 dB.
const OVERSAMPLING: usize = 256;
/// Frames that are spread over more channels at a time.
const SPREAD: usize = 1024;

/// Converts rates. Made off the audio thread, used on it.
struct Converter {
    inner: Async<f32>,
    channels: usize,
    /// Interleaved, what was rendered.
    input: Vec<f32>,
    /// Interleaved, what the device gets; `at..have` is still to be given.
    output: Vec<f32>,
    at: usize,
    have: usize,
    /// Frames of the renderer to one of the device.
    step: f64,
    delay: usize,
}

impl Converter {
    /// Errors: what rubato says, for rates that no device has.
    fn new(from: u32, to: u32, channels: usize) -> Result<Self, String> {
        let parameters = SincInterpolationParameters::new(TAPS, WindowFunction::BlackmanHarris2)
            .oversampling_factor(OVERSAMPLING)
            .interpolation(SincInterpolationType::Cubic);
        let ratio = f64::from(to) / f64::from(from);
        let inner = Async::new_sinc(ratio, 1.0, &parameters, PIECE, channels, FixedAsync::Output)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            channels,
            input: vec![0.0; inner.input_frames_max() * channels],
            output: vec![0.0; inner.output_frames_max() * channels],
            at: 0,
            have: 0,
            step: f64::from(from) / f64::from(to),
            delay: inner.output_delay(),
            inner,
        })
    }

    /// Fills `out`, whole frames at the device's rate.
    fn fill(&mut self, mut out: &mut [f32], mut render: impl FnMut(&mut [f32])) {
        while !out.is_empty() {
            if self.at == self.have && !self.convert(&mut render) {
                out.fill(0.0);
                return;
            }
            let n = (self.have - self.at).min(out.len());
            let (now, rest) = out.split_at_mut(n);
            now.copy_from_slice(&self.output[self.at..self.at + n]);
            self.at += n;
            out = rest;
        }
    }

    /// The next piece; false if rubato refuses, which it has no reason to.
    fn convert(&mut self, render: &mut impl FnMut(&mut [f32])) -> bool {
        let (needed, frames) = (self.inner.input_frames_next(), self.inner.output_frames_next());
        let Some(input) = self.input.get_mut(..needed * self.channels) else { return false };
        render(input);
        let Ok(input) = InterleavedSlice::new(input, self.channels, needed) else { return false };
        let Ok(mut output) = InterleavedSlice::new_mut(&mut self.output, self.channels, frames) else {
            return false;
        };
        let Ok((_, made)) = self.inner.process_into_buffer(&input, &mut output, None) else { return false };
        (self.at, self.have) = (0, made * self.channels);
        made > 0
    }

    /// Frames at the renderer's rate that were rendered and are still in here, on average and at this moment.
    fn backlog(&self) -> f64 {
        ((self.have - self.at) / self.channels) as f64 * self.step
    }
}

/// Renders for a device of another rate, or with more channels.
pub(crate) struct Adapter {
    converter: Option<Converter>,
    /// Channels that are rendered, and that the device has.
    channels: (usize, usize),
    scratch: Vec<f32>,
}

/// What is rendered and what a device takes, as far as they may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Hz.
    pub rate: u32,
    /// Interleaved.
    pub channels: u16,
}

impl Adapter {
    /// `None` where there is nothing to adapt. Errors: rates that cannot be converted.
    pub fn new(rendered: Shape, device: Shape) -> Result<Option<Self>, String> {
        if rendered == device {
            return Ok(None);
        }
        let channels = (usize::from(rendered.channels), usize::from(device.channels));
        let converter = (rendered.rate != device.rate)
            .then(|| Converter::new(rendered.rate, device.rate, channels.0))
            .transpose()?;
        let scratch = if channels.0 == channels.1 { 0 } else { SPREAD * channels.0 };
        Ok(Some(Self { converter, channels, scratch: vec![0.0; scratch] }))
    }

    /// Fills `out`, whole frames of the device. `render` fills interleaved frames of the renderer, any number.
    pub fn fill(&mut self, out: &mut [f32], mut render: impl FnMut(&mut [f32])) {
        let (from, to) = self.channels;
        if from == to {
            return match &mut self.converter {
                Some(converter) => converter.fill(out, render),
                None => render(out),
            };
        }
        for piece in out.chunks_mut(SPREAD * to) {
            let frames = piece.len() / to;
            let scratch = &mut self.scratch[..frames * from];
            match &mut self.converter {
                Some(converter) => converter.fill(scratch, &mut render),
                None => render(scratch),
            }
            for (out, frame) in piece.chunks_mut(to).zip(scratch.chunks(from)) {
                out.fill(0.0);
                let n = from.min(out.len());
                out[..n].copy_from_slice(&frame[..n]);
                // A mono signal on a stereo device belongs in the middle.
                if let ([only], [_, right, ..]) = (frame, &mut *out) {
                    *right = *only;
                }
            }
        }
    }

    /// Seconds by which it delays, at the device's rate `rate`.
    pub fn latency_s(&self, rate: u32) -> f64 {
        self.converter
            .as_ref()
            .map_or(0.0, |converter| (converter.delay + PIECE / 2) as f64 / f64::from(rate))
    }

    /// Frames that were rendered and that the device has not taken yet.
    pub fn backlog(&self) -> f64 {
        self.converter.as_ref().map_or(0.0, Converter::backlog)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn adapter(from: (u32, u16), to: (u32, u16)) -> Adapter {
        let shape = |(rate, channels)| Shape { rate, channels };
        Adapter::new(shape(from), shape(to)).unwrap().expect("they differ")
    }

    /// Renders a sine of `hz`, with the channel's number as its sign and size.
    fn sine(hz: f64, rate: u32, channels: usize) -> impl FnMut(&mut [f32]) {
        let mut n = 0u64;
        move |out| {
            for frame in out.chunks_mut(channels) {
                let value = (TAU * hz * n as f64 / f64::from(rate)).sin();
                for (channel, out) in frame.iter_mut().enumerate() {
                    *out = (value * if channel % 2 == 0 { 0.5 } else { -0.25 }) as f32;
                }
                n += 1;
            }
        }
    }

    #[test]
    fn equal_shapes_need_no_adapter() {
        let shape = Shape { rate: 48_000, channels: 2 };
        assert!(Adapter::new(shape, shape).unwrap().is_none());
    }

    /// The device's frame k is the sine at k ÷ rate, later by the delay that `latency_s` tells but for the
    /// half piece of buffering in it: amplitude and phase are fitted by least squares, what is left is noise.
    #[test]
    fn a_sine_at_another_rate_is_the_same_sine() {
        for (from, to) in [(44_100, 48_000), (48_000, 44_100), (96_000, 48_000), (22_050, 192_000)] {
            for hz in [100.0, 1_000.0, 8_000.0] {
                let mut adapter = adapter((from, 2), (to, 2));
                let mut render = sine(hz, from, 2);
                let mut out = vec![0.0f32; 2 * 20_000];
                // Callbacks of any size.
                let mut rest = &mut out[..];
                for size in [58, 91, 1, 480, 64, 333].into_iter().cycle() {
                    let n = (2 * size).min(rest.len());
                    let (block, later) = rest.split_at_mut(n);
                    adapter.fill(block, &mut render);
                    rest = later;
                    if rest.is_empty() {
                        break;
                    }
                }
                for (channel, level) in [(0, 0.5), (1, -0.25)] {
                    let values: Vec<f64> =
                        out.chunks(2).skip(4_000).map(|frame| f64::from(frame[channel])).collect();
                    let w = TAU * hz / f64::from(to);
                    let (mut a, mut b) = (0.0, 0.0);
                    for (k, value) in values.iter().enumerate() {
                        let angle = w * (k + 4_000) as f64;
                        a += value * angle.sin() * 2.0 / values.len() as f64;
                        b += value * angle.cos() * 2.0 / values.len() as f64;
                    }
                    let noise = values
                        .iter()
                        .enumerate()
                        .map(|(k, value)| {
                            let angle = w * (k + 4_000) as f64;
                            (value - a * angle.sin() - b * angle.cos()).abs()
                        })
                        .fold(0.0, f64::max);
                    // The fit of an incomplete period is off by up to 2 ÷ (w · n) of the level.
                    let fit = 2.0 / (w * values.len() as f64);
                    assert!(
                        (a.hypot(b) / f64::abs(level) - 1.0).abs() < 2e-4 + fit,
                        "{from}→{to} {hz} Hz: level {}",
                        a.hypot(b)
                    );
                    assert!(noise < 0.5 * (2e-4 + fit), "{from}→{to} {hz} Hz: noise {noise}");
                    if hz < 200.0 {
                        // Frames of the device, up to half periods.
                        let (late, half) = ((-b / a).atan() / w, TAU / 2.0 / w);
                        let told = adapter.latency_s(to) * f64::from(to) - (PIECE / 2) as f64;
                        let off = (late - told + half / 2.0).rem_euclid(half) - half / 2.0;
                        let frame = (f64::from(to) / f64::from(from)).max(1.0);
                        assert!(off.abs() < frame, "{from}→{to}: {late} frames late, told {told}");
                    }
                }
            }
        }
    }

    #[test]
    fn any_partition_gives_the_same_bits() {
        let whole = {
            let mut out = vec![0.0f32; 6_000];
            adapter((44_100, 2), (48_000, 2)).fill(&mut out, sine(440.0, 44_100, 2));
            out
        };
        for size in [1, 7, 64, 511] {
            let (mut adapter, mut render) = (adapter((44_100, 2), (48_000, 2)), sine(440.0, 44_100, 2));
            let mut out = vec![0.0f32; 6_000];
            out.chunks_mut(2 * size).for_each(|block| adapter.fill(block, &mut render));
            assert_eq!(out, whole, "blocks of {size}");
        }
    }

    #[test]
    fn frames_in_and_frames_out_agree_for_ever() {
        let mut adapter = adapter((44_100, 1), (48_000, 1));
        let mut rendered = 0u64;
        let mut out = vec![0.0f32; 480];
        for n in 1..=5_000u64 {
            adapter.fill(&mut out, |block| {
                rendered += block.len() as u64;
                block.fill(0.0);
            });
            let given = (n * 480) as f64 * 44_100.0 / 48_000.0 + adapter.backlog();
            // What the filter holds is constant; a frame of rounding.
            assert!((rendered as f64 - given - 64.0).abs() < 70.0, "{n}: {rendered} rendered, {given} given");
        }
    }

    #[test]
    fn more_channels_are_silent_and_mono_is_in_the_middle() {
        let mut out = [9.0f32; 12];
        let ones = |block: &mut [f32]| block.fill(1.0);
        adapter((48_000, 2), (48_000, 6)).fill(&mut out, ones);
        assert_eq!(out, [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        adapter((48_000, 1), (48_000, 3)).fill(&mut out, ones);
        assert_eq!(out[..6], [1.0, 1.0, 0.0, 1.0, 1.0, 0.0]);
        let mut long = vec![9.0f32; 4 * 5_000];
        adapter((48_000, 2), (48_000, 4)).fill(&mut long, ones);
        assert!(long.chunks(4).all(|frame| frame == [1.0, 1.0, 0.0, 0.0]), "in pieces, too");
    }

    /// RT-1, measured: the guard counts what this thread allocates and frees.
    #[test]
    fn converting_allocates_nothing() {
        let mut adapter = adapter((44_100, 2), (48_000, 6));
        let mut out = vec![0.0f32; 6 * 333];
        adapter.fill(&mut out, |block| block.fill(0.5));
        let guard = crate::rt::guard::Guard::enter();
        for _ in 0..500 {
            adapter.fill(&mut out, |block| block.fill(0.5));
        }
        drop(guard);
    }
}
