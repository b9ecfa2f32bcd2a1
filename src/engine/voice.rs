//! A voice: one region being played.
//!
//! What changes slowly (envelope, pitch) is computed once per *segment*, at most [`SEGMENT_FRAMES`] frames, or
//! [`STILL_FRAMES`] while neither changes, and runs in a straight line within it. Segments are counted from the voice's
//! own start and cut wherever an event or a stage of the envelope falls, so that a note has the same bits wherever it
//! starts and however the render is cut into blocks (RT-6).

use super::MAX_CHUNK;
use super::bus::Bus;
use super::event::{NoteId, NoteParam, SamplerIndex};
use super::message::Generation;
use super::playhead::{Playhead, Span};
use super::sampler::Channel;
use crate::dsp::envelope::Envelope;
use crate::dsp::interpolate::Kernel;
use crate::dsp::pan;
use crate::dsp::ramp::Ramp;
use crate::instrument::{Playback, Region};
use crate::units::{Frames, cents_to_ratio, velocity_to_gain};

/// Longest stretch in which gain runs straight and pitch stands still: 0.67 ms at 48 kHz. The chord of an exponential
/// release of 100 ms over it is off by (32·k/4800)²/8 = 0.05 % at most.
const SEGMENT_FRAMES: u32 = 32;

/// The same while gain and pitch stand still: a voice that is held costs no more than its kernel. A line without slope
/// has the same bits however it is cut, and what changes it, an event, cuts the segment.
const STILL_FRAMES: u32 = MAX_CHUNK as u32;

/// What voices read recordings with.
pub struct Reader {
    /// For new voices whose instrument has none of its own.
    pub kernel: Kernel,
    /// Planar, one segment.
    scratch: [[f32; STILL_FRAMES as usize]; 2],
}

impl Reader {
    pub fn new(kernel: Kernel) -> Self {
        Self { kernel, scratch: [[0.0; STILL_FRAMES as usize]; 2] }
    }
}

/// What starts a voice.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub sampler: SamplerIndex,
    pub channel: u8,
    pub note: NoteId,
    pub key: f32,
    pub velocity: f32,
    pub generation: Generation,
    pub region: u32,
    /// What it reads with, to its end.
    pub kernel: Kernel,
    /// How far into its sound it starts, frames on the engine clock.
    pub skipped: Frames,
}

/// Parameters of one note, gliding.
#[derive(Clone, Copy, Debug)]
struct Turned {
    gain: f32,
    pan: f32,
    sides: [Ramp; 2],
    cents: Ramp,
}

impl Default for Turned {
    fn default() -> Self {
        Self { gain: 1.0, pan: 0.0, sides: [Ramp::at_rest(1.0); 2], cents: Ramp::at_rest(0.0) }
    }
}

impl Turned {
    fn moves_at(&self, frame: Frames) -> bool {
        self.cents.moves_at(frame) || self.sides.iter().any(|side| side.moves_at(frame))
    }
}

/// A fade to zero in a straight line.
#[derive(Clone, Copy, Debug)]
struct Fade {
    left: u32,
    length: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Segment {
    length: u32,
    at: u32,
    gain: [f32; 2],
    slope: [f32; 2],
    /// Gain behind its last frame.
    end: [f32; 2],
}

impl Segment {
    fn left(&self) -> u32 {
        self.length - self.at
    }

    /// Gain of each side, `frames` after the segment's current frame.
    fn gain_at(&self, side: usize, frame: u32) -> f32 {
        match (self.gain.get(side), self.slope.get(side)) {
            (Some(gain), Some(slope)) => gain + slope * frame as f32,
            _ => 0.0,
        }
    }
}

/// One region being played.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    pub sampler: SamplerIndex,
    pub channel: u8,
    pub note: NoteId,
    pub key: f32,
    pub generation: Generation,
    region: u32,
    kernel: Kernel,
    playhead: Playhead,
    /// Step at zero bend, frames per frame.
    ratio: f64,
    one_shot: bool,
    /// Group that ends it; 0 for none.
    choked_by: u32,
    /// What was turned of this note: gain and pan as left and right, and pitch in cents.
    turned: Turned,
    /// Its key is up, but a pedal holds it.
    sustained: bool,
    /// The sostenuto pedal has caught it.
    caught: bool,
    envelope: Envelope,
    /// Velocity, region gain and pan together.
    level: [f32; 2],
    segment: Segment,
    fade: Option<Fade>,
    /// Output of the last frame rendered, before the sampler's bus.
    last: [f32; 2],
    sounded: bool,
    /// It starts in the middle of its sample, so its first segment rises from nothing.
    comes_in: bool,
    ended: bool,
    /// Still counts towards polyphony.
    counted: bool,
}

impl Voice {
    /// A voice at its first frame.
    pub fn start(start: Start, region: &Region, channel: &Channel, now: Frames, sample_rate: u32) -> Self {
        let sample = &region.sample;
        let cents = (f64::from(start.key) - region.root_key) * 100.0 + region.tune_cents;
        let ratio = cents_to_ratio(cents) * f64::from(sample.sample_rate()) / f64::from(sample_rate);
        let gain = region.gain * velocity_to_gain(f64::from(start.velocity));
        let pan = if sample.channels() == 1 { pan::mono(region.pan) } else { pan::stereo(region.pan) };
        let mut voice = Self {
            sampler: start.sampler,
            channel: start.channel,
            note: start.note,
            key: start.key,
            generation: start.generation,
            region: start.region,
            kernel: start.kernel,
            playhead: Playhead::start(region, Span::of(region)),
            ratio,
            one_shot: matches!(region.playback, Playback::OneShot),
            choked_by: region.choked_by,
            turned: Turned::default(),
            sustained: false,
            caught: false,
            envelope: Envelope::start(&region.envelope, sample_rate),
            level: pan.map(|side| (f64::from(side) * gain) as f32),
            segment: Segment::default(),
            fade: None,
            last: [0.0; 2],
            sounded: false,
            comes_in: false,
            ended: false,
            counted: true,
        };
        if start.skipped > 0 {
            // It comes in with a ramp over its first segment: in the middle of a sample there is no silence to start
            // from (RT-11).
            voice.comes_in = true;
            voice.skip(start.skipped, now, channel);
        } else {
            voice.segment.gain = voice.gain_after(0, now, channel);
        }
        voice
    }

    /// Moves on without a sound, as if it had started that much earlier.
    fn skip(&mut self, frames: Frames, now: Frames, channel: &Channel) {
        self.set_step(now, channel);
        self.playhead.skip(frames);
        let mut left = u32::try_from(frames).unwrap_or(u32::MAX);
        while left > 0 && !self.envelope.is_done() {
            let stage = self.envelope.frames_left().min(left);
            self.envelope.advance(stage);
            left -= stage;
            if self.envelope.frames_left() == u32::MAX {
                break;
            }
        }
        self.ended |= self.envelope.is_done();
    }

    /// Number of its region in the instrument.
    pub fn region(&self) -> u32 {
        self.region
    }

    /// Whether it is over.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether it is being faded out: it no longer counts towards polyphony.
    pub fn is_fading(&self) -> bool {
        self.fade.is_some()
    }

    /// Takes it out of the count of sounding voices when it fades or has ended; true the first time.
    pub fn discount(&mut self) -> bool {
        let now = self.counted && (self.is_fading() || self.ended);
        self.counted &= !now;
        now
    }

    /// Whether its key has been let go.
    pub fn is_released(&self) -> bool {
        self.envelope.is_released()
    }

    /// Frames until its fade ends, for choosing whom to cut.
    pub fn fade_left(&self) -> u32 {
        self.fade.map_or(u32::MAX, |fade| fade.left)
    }

    /// The last frame it put out.
    pub fn last_output(&self) -> [f32; 2] {
        self.last
    }

    /// How loud it is, for stealing: its gain, or nothing as long as it has not been heard.
    pub fn loudness(&self) -> f32 {
        if !self.sounded {
            return 0.0;
        }
        self.segment.gain_at(0, self.segment.at).max(self.segment.gain_at(1, self.segment.at))
    }

    /// Turns a parameter of its note, reached `over` frames after `now`; at once as long as it has not been heard.
    pub fn turn(&mut self, param: NoteParam, value: f32, now: Frames, over: u32, channel: &Channel) {
        let over = if self.sounded { over } else { 0 };
        self.cut_segment();
        match param {
            NoteParam::Detune => return self.turned.cents.glide(value, now, over),
            NoteParam::Gain => self.turned.gain = value,
            NoteParam::Pan => self.turned.pan = value,
        }
        let sides = pan::stereo(f64::from(self.turned.pan)).map(|side| side * self.turned.gain);
        for (ramp, target) in self.turned.sides.iter_mut().zip(sides) {
            if over == 0 {
                *ramp = Ramp::at_rest(target);
            } else {
                ramp.glide(target, now, over);
            }
        }
        if over == 0 && !self.comes_in {
            // It has not been heard: it starts from here, not from what it would have been.
            self.segment.gain = self.gain_after(0, now, channel);
        }
    }

    /// Whether a note of this group ends it.
    pub fn is_choked_by(&self, group: u32) -> bool {
        self.choked_by != 0 && self.choked_by == group
    }

    /// The key is up: a pedal that is down holds the voice, and so does sostenuto if it has caught it.
    pub fn key_up(&mut self, channel: &Channel, region: Option<&Region>) {
        if channel.sustain || (self.caught && channel.sostenuto) {
            self.sustained = true;
        } else {
            self.release(region);
        }
    }

    /// Sostenuto went down: it catches what is held at that moment.
    pub fn catch(&mut self) {
        self.caught = !self.sustained && !self.is_released();
    }

    /// A pedal went up: lets go of what no other holds.
    pub fn pedal_up(&mut self, channel: &Channel, region: Option<&Region>) {
        self.caught &= channel.sostenuto;
        if self.sustained && !channel.sustain && !self.caught {
            self.sustained = false;
            self.release(region);
        }
    }

    /// The key is let go. A one-shot plays on.
    pub fn release(&mut self, region: Option<&Region>) {
        if self.one_shot || self.is_released() {
            return;
        }
        self.cut_segment();
        self.envelope.release();
        if let Some(region) = region {
            self.playhead.release(region);
        }
        self.ended |= self.envelope.is_done();
    }

    /// Fades to zero within `frames`, whatever else it is doing. A fade under way goes on.
    pub fn fade(&mut self, frames: u32) {
        if self.fade.is_some() {
            return;
        }
        if !self.sounded {
            self.ended = true;
            return;
        }
        self.cut_segment();
        self.fade = Some(Fade { left: frames, length: frames });
    }

    /// Ends at once: for a voice that has not been heard, or whose last output is caught elsewhere.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Begins a new segment on the next frame, since the pitch is about to change.
    pub fn cut_segment(&mut self) {
        let at = self.segment.at;
        let gain = [self.segment.gain_at(0, at), self.segment.gain_at(1, at)];
        self.pass(at);
        self.segment = Segment { gain, ..Segment::default() };
    }

    /// Gain of each side `frames` after the segment border at `border`.
    fn gain_after(&self, frames: u32, border: Frames, channel: &Channel) -> [f32; 2] {
        let fade = self.fade.map_or(1.0, |fade| fade.left.saturating_sub(frames) as f32 / fade.length as f32);
        let envelope = self.envelope.level_after(frames) * fade;
        let at = border + Frames::from(frames);
        let [left, right] = channel.gain.map(|ramp| ramp.at(at) * envelope);
        let [turned_left, turned_right] = self.turned.sides.map(|ramp| ramp.at(at));
        let [to_left, to_right] = self.level;
        [to_left * left * turned_left, to_right * right * turned_right]
    }

    /// Moves envelope and fade on; whether another stage of the envelope has begun.
    fn pass(&mut self, frames: u32) -> bool {
        let another_stage = self.envelope.advance(frames);
        if let Some(fade) = &mut self.fade {
            fade.left = fade.left.saturating_sub(frames);
            self.ended |= fade.left == 0;
        }
        self.ended |= self.envelope.is_done();
        another_stage
    }

    fn set_step(&mut self, frame: Frames, channel: &Channel) {
        let bend = f64::from(channel.bend_cents.at(frame)) + f64::from(self.turned.cents.at(frame));
        let bend = if bend == 0.0 { 1.0 } else { cents_to_ratio(bend) };
        self.playhead.set_step(self.ratio * bend);
    }

    fn begin_segment(&mut self, frame: Frames, channel: &Channel) {
        self.set_step(frame, channel);
        // Nothing moves and nothing is to be caught up with: a note that skipped comes in over a short segment.
        let still = self.fade.is_none()
            && self.envelope.is_flat()
            && !channel.moves_at(frame)
            && !self.turned.moves_at(frame)
            && self.segment.gain == self.gain_after(0, frame, channel);
        let longest = if still { STILL_FRAMES } else { SEGMENT_FRAMES };
        let length = longest.min(self.envelope.frames_left()).min(self.fade_left()).max(1);
        let gain = self.segment.gain;
        let end = self.gain_after(length, frame, channel);
        let slope = |side: usize| match (gain.get(side), end.get(side)) {
            (Some(gain), Some(end)) => (end - gain) / length as f32,
            _ => 0.0,
        };
        self.segment = Segment { length, at: 0, gain, slope: [slope(0), slope(1)], end };
    }

    /// Adds the next `frames` to the bus, the first of them at `frame` on the engine clock.
    pub fn render(
        &mut self,
        region: &Region,
        frame: Frames,
        frames: usize,
        channel: &Channel,
        reader: &mut Reader,
        bus: &mut Bus,
    ) {
        let mut done = 0;
        while done < frames && !self.ended {
            if self.segment.left() == 0 {
                self.begin_segment(frame + done as u64, channel);
            }
            let wanted = (frames - done).min(self.segment.left() as usize);
            let count = self.read(region, done, wanted, reader, bus);
            self.segment.at += count as u32;
            done += count;
            if self.segment.left() == 0 {
                // What was aimed at has been reached, to the bit; only another stage may begin elsewhere.
                let gain = match self.pass(self.segment.length) {
                    true => self.gain_after(0, frame + done as u64, channel),
                    false => self.segment.end,
                };
                self.segment = Segment { gain, ..Segment::default() };
            }
        }
    }

    /// Reads at most `wanted` frames of the segment, fewer only when the recording ends, and adds them to the bus from
    /// frame `at` on; returns how many.
    fn read(
        &mut self,
        region: &Region,
        at: usize,
        wanted: usize,
        reader: &mut Reader,
        bus: &mut Bus,
    ) -> usize {
        let Reader { scratch: [left, right], .. } = reader;
        let (Some(left), Some(right)) = (left.get_mut(..wanted), right.get_mut(..wanted)) else {
            self.ended = true;
            return 0;
        };
        let count = self.playhead.read(region, &self.kernel, left, right);
        self.ended |= self.playhead.has_ended();
        let Segment { at: first, gain, slope, .. } = self.segment;
        let sides = [&*left, if region.sample.channels() == 2 { &*right } else { &*left }];
        let lines = gain.into_iter().zip(slope);
        for (((bus, values), (gain, slope)), last) in bus.iter_mut().zip(sides).zip(lines).zip(&mut self.last)
        {
            if let Some(out) = bus.get_mut(at..at + count) {
                *last = self.kernel.add_line(out, values, gain, slope, first).unwrap_or(*last);
            }
        }
        self.sounded |= count > 0;
        count
    }
}
