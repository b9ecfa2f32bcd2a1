//! Effects that samplers send to: reverb, delay, chorus. What goes in is a copy of the sound, what comes out is the wet
//! sound alone.
//!
//! An effect allocates when it is made, on the control thread, and never again. Its parameters glide (RT-11), as closed
//! forms of the engine's frame, and so do its modulations: the bits are the same however a render is cut (RT-6). What
//! goes round in it is led to exact zeros below [`SILENCE`], so that a tail ends and an effect that is silent costs
//! nothing. Whatever goes in, what comes out is finite (RT-8): inputs are limited, and what is fed back is always less
//! than what was there.

mod chorus;
mod delay;
mod glide;
mod line;
mod reverb;

#[cfg(test)]
mod tests;

use chorus::Chorus;
use delay::Delay;
use reverb::Reverb;

use super::ramp::Ramp;
use crate::units::Frames;

/// Most frames that are processed at a time.
pub const MAX_FRAMES: usize = 128;

/// Left and right, planar; the frames at hand may be fewer.
pub type Sides = [[f32; MAX_FRAMES]; 2];

/// −180 dB: what is fed back and below it becomes zero.
pub const SILENCE: f32 = 1e-9;

/// Loudest input, +180 dB; louder is limited, and what is no number is silence.
const LOUDEST: f32 = 1e9;

/// Levels, gains and coefficients reach a new value in this time, s.
const GLIDE_S: f64 = 0.05;

/// Which effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A hall, or a room.
    Reverb,
    /// Echoes.
    Delay,
    /// Several detuned copies.
    Chorus,
}

impl Kind {
    /// All, by the number that their send has.
    pub const ALL: [Self; 3] = [Self::Reverb, Self::Delay, Self::Chorus];

    /// Its name in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reverb => "reverb",
            Self::Delay => "delay",
            Self::Chorus => "chorus",
        }
    }

    /// Its parameters, by their number.
    pub fn params(self) -> &'static [Param] {
        match self {
            Self::Reverb => &reverb::PARAMS,
            Self::Delay => &delay::PARAMS,
            Self::Chorus => &chorus::PARAMS,
        }
    }
}

/// Most parameters that an effect has.
pub const MAX_PARAMS: usize = 8;

/// One parameter of an effect. The first one of each is its level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Param {
    /// As in JavaScript.
    pub name: &'static str,
    /// Lowest value.
    pub low: f64,
    /// Highest value.
    pub high: f64,
    /// Until it is set.
    pub default: f64,
    /// Unit and meaning as they stand behind the range in a message.
    pub unit: &'static str,
}

const fn param(name: &'static str, low: f64, high: f64, default: f64, unit: &'static str) -> Param {
    Param { name, low, high, default, unit }
}

const LEVEL: Param = param("level", 0.0, 4.0, 1.0, " (linear; of what comes back)");

/// Values of an effect's parameters, by number.
pub type Values = [f32; MAX_PARAMS];

/// What an effect has until it is told otherwise.
pub fn defaults(kind: Kind) -> Values {
    let mut values = [0.0; MAX_PARAMS];
    for (value, param) in values.iter_mut().zip(kind.params()) {
        *value = param.default as f32;
    }
    values
}

/// One running effect.
#[derive(Debug)]
pub struct Effect {
    running: Running,
    values: Values,
    level: Ramp,
    sample_rate: u32,
}

#[derive(Debug)]
enum Running {
    Reverb(Box<Reverb>),
    Delay(Delay),
    Chorus(Chorus),
}

impl Effect {
    /// Makes one with all the memory that it will need, parameters in range.
    ///
    /// Thread: control. Allocates.
    pub fn new(kind: Kind, sample_rate: u32, values: &Values) -> Self {
        let running = match kind {
            Kind::Reverb => Running::Reverb(Box::new(Reverb::new(sample_rate, values))),
            Kind::Delay => Running::Delay(Delay::new(sample_rate, values)),
            Kind::Chorus => Running::Chorus(Chorus::new(sample_rate, values)),
        };
        Self { running, values: *values, level: Ramp::at_rest(values[0]), sample_rate }
    }

    /// Which it is.
    pub fn kind(&self) -> Kind {
        match self.running {
            Running::Reverb(_) => Kind::Reverb,
            Running::Delay(_) => Kind::Delay,
            Running::Chorus(_) => Kind::Chorus,
        }
    }

    /// Where the memory of its lines lies, and how many bytes it has.
    pub fn storage(&self) -> Vec<(*const u8, usize)> {
        let lines = match &self.running {
            Running::Reverb(reverb) => reverb.lines(),
            Running::Delay(delay) => delay.lines(),
            Running::Chorus(chorus) => chorus.lines(),
        };
        lines.into_iter().map(line::Line::storage).collect()
    }

    /// Turns a parameter by its number; it glides from `now` on. What is not there or out of range changes nothing.
    ///
    /// Thread: audio. No allocation.
    pub fn set(&mut self, number: usize, value: f32, now: Frames) {
        let Some(param) = self.kind().params().get(number) else { return };
        let Some(place) = self.values.get_mut(number) else { return };
        if !(value >= param.low as f32 && value <= param.high as f32) {
            return;
        }
        *place = value;
        if number == 0 {
            self.level.glide(value, now, (GLIDE_S * f64::from(self.sample_rate)) as u32);
            return;
        }
        match &mut self.running {
            Running::Reverb(reverb) => reverb.set(&self.values, now),
            Running::Delay(delay) => delay.set(&self.values, now),
            Running::Chorus(chorus) => chorus.set(&self.values, now),
        }
    }

    /// Whether it is silent and stays so as long as nothing goes in.
    pub fn is_silent(&self) -> bool {
        match &self.running {
            Running::Reverb(reverb) => reverb.is_silent(),
            Running::Delay(delay) => delay.is_silent(),
            Running::Chorus(chorus) => chorus.is_silent(),
        }
    }

    /// Forgets everything that went in before this frame, which is the next one to be processed.
    pub fn forget(&mut self, frame: Frames) {
        match &mut self.running {
            Running::Reverb(reverb) => reverb.forget(frame),
            Running::Delay(delay) => delay.forget(frame),
            Running::Chorus(chorus) => chorus.forget(frame),
        }
    }

    /// Makes wet sound of both sides in place, at most [`MAX_FRAMES`], the first of them at `frame` on the engine clock.
    /// Frames are processed without a gap, but for those in which it is silent and nothing goes in.
    ///
    /// Thread: audio. No allocation, no panic.
    pub fn process(&mut self, frame: Frames, left: &mut [f32], right: &mut [f32]) {
        for value in left.iter_mut().chain(right.iter_mut()) {
            *value = limited(*value);
        }
        match &mut self.running {
            Running::Reverb(reverb) => reverb.process(frame, left, right),
            Running::Delay(delay) => delay.process(frame, left, right),
            Running::Chorus(chorus) => chorus.process(frame, left, right),
        }
        for side in [left, right] {
            // Makes +0 of −0, which is what comes out of an effect that is silent.
            side.iter_mut().for_each(|value| *value += 0.0);
            self.level.apply(frame, side);
        }
    }
}

/// What may go in.
fn limited(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(-LOUDEST, LOUDEST) }
}

/// Zero when nobody hears it.
#[inline(always)]
fn flushed(value: f32) -> f32 {
    if value.abs() < SILENCE { 0.0 } else { value }
}

/// A slow oscillation as a closed form of the frame: a triangle bent to the shape of a sine, ±1, that starts `offset` of
/// a turn in. Both are parts of 2³².
#[inline(always)]
fn sway(frame: Frames, step: u32, offset: u32) -> f32 {
    let turn = (frame as u32).wrapping_mul(step).wrapping_add(offset);
    let triangle = 1.0 - (turn as i32 as f32 * 2f32.powi(-31)).abs() * 2.0;
    // Off from the sine by 0.02 at most, and as smooth at its crests.
    triangle * (1.5 - 0.5 * triangle * triangle)
}

/// How far [`sway`] turns in a frame.
fn turns_per_frame(hz: f64, sample_rate: u32) -> u32 {
    (hz / f64::from(sample_rate) * 4_294_967_296.0) as u32
}
