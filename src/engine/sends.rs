//! What of a voice goes to its sampler's effects.
//!
//! The level of a send is the note's own (or else its sampler's) plus its channel's controller as a part of 127; times the
//! voice's gain it runs in a straight line through each segment, as the gain itself does. A voice that sends nothing
//! pays for looking at one flag.

use super::bus::Bus;
use super::channel::Heard;
use super::effects::Effects;
use super::note::{Note, SENDS};
use crate::dsp::interpolate::Kernel;
use crate::units::Frames;

/// For each send and side, the gain at the first frame of a segment, and its slope.
#[derive(Clone, Copy, Debug, Default)]
pub struct SendLines {
    gain: [[f32; 2]; SENDS],
    slope: [[f32; 2]; SENDS],
}

/// The sends of one voice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sends {
    on: bool,
    /// Behind the segment at hand.
    levels: [f32; SENDS],
    end: [[f32; 2]; SENDS],
    lines: SendLines,
}

/// Levels of a note's sends at a frame.
pub fn levels(note: &Note, frame: Frames, heard: Heard) -> [f32; SENDS] {
    std::array::from_fn(|send| {
        note.send_at(send, frame).unwrap_or_else(|| heard.send_level_at(send, frame))
            + heard.send_at(send, frame)
    })
}

impl Sends {
    /// What the voice sends, if it sends anything.
    pub fn lines(&self) -> Option<&SendLines> {
        self.on.then_some(&self.lines)
    }

    /// Levels behind the segment that is being planned.
    pub fn turn(&mut self, levels: [f32; SENDS]) {
        self.levels = levels;
        self.on = levels != [0.0; SENDS] || self.lines.gain != [[0.0; 2]; SENDS];
    }

    /// Plans a segment of so many frames, behind which the voice has this gain.
    pub fn aim(&mut self, gain: [f32; 2], over: f32) {
        if !self.on {
            return;
        }
        self.end = self.levels.map(|level| gain.map(|side| side * level));
        for ((slope, from), to) in self.lines.slope.iter_mut().zip(&self.lines.gain).zip(&self.end) {
            for ((slope, from), to) in slope.iter_mut().zip(from).zip(to) {
                *slope = (to - from) * over;
            }
        }
    }

    /// The segment ends where it was aimed at.
    pub fn reach(&mut self) {
        self.lines.gain = self.end;
    }

    /// The voice begins, or begins another stage of its envelope, with this gain.
    pub fn jump(&mut self, gain: [f32; 2]) {
        self.lines.gain = self.levels.map(|level| gain.map(|side| side * level));
    }

    /// The segment ends early, so many frames in.
    pub fn cut(&mut self, at: u32) {
        let SendLines { gain, slope } = &mut self.lines;
        for (gain, slope) in gain.iter_mut().flatten().zip(slope.iter_mut().flatten()) {
            *gain += *slope * at as f32;
            *slope = 0.0;
        }
    }
}

impl SendLines {
    /// Adds one side of a stretch to the buses, from frame `at` of the chunk and `first` of the segment on.
    pub fn add(
        &self,
        kernel: &Kernel,
        effects: &mut Effects,
        side: usize,
        (at, first): (usize, u32),
        values: &[f32],
    ) {
        for (send, (gain, slope)) in self.gain.iter().zip(&self.slope).enumerate() {
            let (Some(gain), Some(slope)) = (gain.get(side), slope.get(side)) else { continue };
            if *gain == 0.0 && *slope == 0.0 {
                continue;
            }
            let bus: Option<&mut Bus> = effects.bus(send);
            if let Some(out) =
                bus.and_then(|bus| bus.get_mut(side)).and_then(|out| out.get_mut(at..at + values.len()))
            {
                kernel.add_line(out, values, *gain, *slope, first);
            }
        }
    }
}
