//! What is heard where a stream runs dry and where it goes on: never a step, never something heard before.
//!
//! When the frames end, the last of them is led to zero along a straight line; nothing is repeated and nothing has to be
//! known beforehand, so that no latency is paid for it. When frames come again they rise from zero in the same time, beside
//! what is left of the line. The first frames of a stream are left alone: they are heard bit for bit.
//!
//! A step is never larger than 1/[`FADE_S`] of the last value a second, and those that the frames themselves have.

use super::MAX_CHANNELS;

/// From full level to silence or back: 5 ms is short for the ear and 240 frames at 48 kHz.
pub const FADE_S: f64 = 0.005;

/// Works on interleaved frames.
pub struct Fade {
    channels: usize,
    /// Frames from silence to full level.
    length: u32,
    /// Frames since the rise began; `length` when it is over.
    risen: u32,
    /// What is led to zero …
    tail: [f32; MAX_CHANNELS],
    /// … and how many frames of it are left.
    tail_left: u32,
    /// What was heard last.
    last: [f32; MAX_CHANNELS],
}

impl Fade {
    /// At full level, for frames of this many values (at most [`MAX_CHANNELS`]) at this rate in Hz.
    pub fn new(channels: usize, rate: u32) -> Self {
        let length = ((FADE_S * f64::from(rate)) as u32).max(1);
        Self {
            channels,
            length,
            risen: length,
            tail: [0.0; MAX_CHANNELS],
            tail_left: 0,
            last: [0.0; MAX_CHANNELS],
        }
    }

    /// Frames that sound.
    pub fn sound(&mut self, frames: &mut [f32]) {
        for frame in frames.chunks_exact_mut(self.channels) {
            if self.risen == self.length && self.tail_left == 0 {
                break;
            }
            let gain = self.risen as f32 / self.length as f32;
            self.risen = (self.risen + 1).min(self.length);
            for value in frame.iter_mut() {
                *value *= gain;
            }
            self.add_tail(frame);
        }
        if let Some(last) = frames.chunks_exact(self.channels).next_back() {
            for (place, value) in self.last.iter_mut().zip(last) {
                *place = *value;
            }
        }
    }

    /// Frames for which there is nothing: overwritten with what is left of the last one.
    pub fn silence(&mut self, frames: &mut [f32]) {
        frames.fill(0.0);
        for frame in frames.chunks_exact_mut(self.channels) {
            if self.tail_left == 0 {
                break;
            }
            self.add_tail(frame);
        }
    }

    /// The frames end here; those that come next rise from zero.
    pub fn cut(&mut self) {
        if self.last == [0.0; MAX_CHANNELS] && self.tail_left == 0 {
            self.risen = 0;
            return;
        }
        // What was heard last holds whatever was left of an earlier line.
        self.tail = self.last;
        self.last = [0.0; MAX_CHANNELS];
        self.tail_left = self.length;
        self.risen = 0;
    }

    /// Whether silence is exactly silent now.
    pub fn is_silent(&self) -> bool {
        self.tail_left == 0
    }

    fn add_tail(&mut self, frame: &mut [f32]) {
        if self.tail_left == 0 {
            return;
        }
        self.tail_left -= 1;
        let gain = self.tail_left as f32 / self.length as f32;
        for (value, tail) in frame.iter_mut().zip(&self.tail) {
            *value += tail * gain;
        }
        for (place, value) in self.last.iter_mut().zip(&*frame) {
            *place = *value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn largest_step(values: &[f32]) -> f32 {
        values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn the_first_frames_are_left_alone() {
        let mut fade = Fade::new(2, 48_000);
        let mut frames = [0.5, -0.25, 1.0, 2.0];
        fade.sound(&mut frames);
        assert_eq!(frames, [0.5, -0.25, 1.0, 2.0]);
    }

    #[test]
    fn a_cut_is_a_straight_line_to_exact_silence_and_a_return_a_rise() {
        let mut fade = Fade::new(1, 48_000);
        let mut heard = vec![0.8; 10];
        fade.sound(&mut heard);
        fade.cut();
        let mut line = vec![9.0; 300];
        fade.silence(&mut line);
        assert!(fade.is_silent() && line[239..].iter().all(|value| *value == 0.0));
        let mut again = vec![0.8; 300];
        fade.sound(&mut again);
        assert_eq!(again[240..], [0.8; 60]);
        heard.extend(line);
        heard.extend(again);
        // 1/240 of the level, and rounding.
        assert!(largest_step(&heard) <= 0.8 / 240.0 + 1e-6, "{}", largest_step(&heard));
    }

    #[test]
    fn a_cut_in_the_middle_of_a_rise_or_of_a_line_makes_no_step() {
        for gap in 1..400 {
            let mut fade = Fade::new(1, 48_000);
            let mut heard = Vec::new();
            for round in 0..6 {
                let mut sound = vec![if round % 2 == 0 { 1.0 } else { -1.0 }; gap + 3];
                fade.sound(&mut sound);
                heard.extend(sound);
                fade.cut();
                let mut silence = vec![0.0; gap];
                fade.silence(&mut silence);
                heard.extend(silence);
            }
            // A line and a rise at once: 2/240, and lines that start at up to 2.
            assert!(largest_step(&heard) <= 4.0 / 240.0, "gap {gap}: {}", largest_step(&heard));
        }
    }

    #[test]
    fn pieces_give_the_same_bits() {
        let run = |pieces: &[usize]| {
            let mut fade = Fade::new(2, 48_000);
            let mut heard = vec![0.3; 8];
            fade.sound(&mut heard);
            fade.cut();
            for (n, piece) in pieces.iter().enumerate() {
                let mut part = vec![0.7; 2 * piece];
                if n < pieces.len() / 2 {
                    fade.silence(&mut part)
                } else {
                    fade.sound(&mut part)
                }
                heard.extend(part);
            }
            heard
        };
        assert_eq!(run(&[100, 200]), run(&[1, 99, 60, 140]));
    }
}
