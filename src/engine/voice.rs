//! A voice: one region being played.
//!
//! What changes slowly (envelopes, LFOs, pitch, filters) is computed once per *segment*, at most [`SEGMENT_FRAMES`]
//! frames, or [`STILL_FRAMES`] while none of it changes. Within a segment gain and cutoff run in a straight line and
//! pitch stands at what it is in the middle, so that a glide's phase is right to the second order. Segments are counted
//! from the voice's own start and cut wherever an event or a stage of an envelope falls, so that a note has the same
//! bits wherever it starts and however the render is cut into blocks (RT-6).
//!
//! A voice starts in two steps: an event makes it, and the first frame that is rendered begins it. What else happens to
//! its note on that frame (its own gain, its release when it is very late) belongs to the start.

use super::MAX_CHUNK;
use super::channel::{Heard, cc};
use super::event::{NoteId, NoteParam, SamplerIndex};
use super::message::Generation;
use super::modulators::{Modulators, Moment, Sums};
use super::note::Note;
use super::onset::Onset;
use super::playhead::{Playhead, Span};
use super::sends::{self, SendLines, Sends};
use super::tone::Tone;
use crate::dsp::envelope::Envelope;
use crate::dsp::fast::cents_to_ratio;
use crate::dsp::interpolate::Kernel;
use crate::dsp::pan;
use crate::instrument::{Manner, Off, Playback, Region};
use crate::units::Frames;

/// Longest stretch in which gain runs straight and pitch stands still while something glides or swings: 0.67 ms at
/// 48 kHz, a 300th of a period at 5 Hz.
const SEGMENT_FRAMES: u32 = 32;

/// Shortest one, however steep an envelope is: 0.17 ms.
const STEEP_FRAMES: u32 = 8;

/// The same while nothing but the envelope changes, as far as its curve is straight (`Envelope::straight_for`): a voice
/// that is held, or rings on slowly, costs no more than its kernel.
const STILL_FRAMES: u32 = MAX_CHUNK as u32;

/// What a soft pedal takes from a note's level: 3 dB, and, from its brightness, 16 of 127.
const SOFT_GAIN: f64 = 0.707_945_784;

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
    /// How much later than it was meant to it starts from its beginning, frames: its end is moved by as much.
    pub delayed: Frames,
    /// Key of the channel's note before it.
    pub last_key: Option<f32>,
    /// Cents from its key from which its channel wants it to glide, and for how long, s.
    pub glide: Option<(f32, f32)>,
    /// What of the engine it needs to know, Hz.
    pub sample_rate: u32,
    /// What is decided as it starts.
    pub onset: Onset,
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

    /// Gain of a side at a frame of the segment.
    fn gain_at(&self, side: usize, frame: u32) -> f32 {
        match (self.gain.get(side), self.slope.get(side)) {
            (Some(gain), Some(slope)) => gain + slope * frame as f32,
            _ => 0.0,
        }
    }
}

/// A stretch that a voice has read and that is now to be put somewhere: frames `at..at + count` of the chunk.
pub struct Stretch<'a> {
    pub at: usize,
    pub left: &'a mut [f32],
    pub right: &'a mut [f32],
    pub stereo: bool,
    /// Gain of each side at the segment's first frame, and its slope.
    pub gain: [f32; 2],
    pub slope: [f32; 2],
    /// Which frame of its segment the stretch begins with.
    pub first: u32,
    /// What goes to effects.
    pub sends: Option<&'a SendLines>,
}

/// One region being played.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    pub sampler: SamplerIndex,
    pub channel: u8,
    pub note: NoteId,
    pub key: f32,
    pub generation: Generation,
    start: Start,
    /// What was asked of its note.
    pub own: Note,
    playhead: Playhead,
    /// Speed without bend or anything else that moves, frames per frame.
    ratio: f64,
    one_shot: bool,
    manner: Manner,
    /// Groups: its region's, and the one that ends it; 0 for none.
    pub group: u32,
    choked_by: u32,
    /// Its key is up, but a pedal holds it.
    sustained: bool,
    /// The sostenuto pedal has caught it.
    caught: bool,
    envelope: Envelope,
    modulators: Modulators,
    /// Filters, if it has any.
    pub tone: Tone,
    /// Velocity, region gain and pan together.
    level: [f32; 2],
    /// All gains but envelope and fade, behind the segment at hand.
    steady: [f32; 2],
    /// Something besides envelope and fade moves in the segment at hand.
    moves: bool,
    segment: Segment,
    sends: Sends,
    /// Modulations at the beginning of the segment, and behind its end.
    now: Sums,
    then: Sums,
    fade: Option<Fade>,
    /// Output of the last frame rendered, before the sampler's bus.
    last: [f32; 2],
    begun: bool,
    /// Let go before it began, so many frames ago.
    let_go: Option<Frames>,
    released: bool,
    /// It started in the middle of its sound: its first segment rises from nothing.
    comes_in: bool,
    /// By another group.
    turned_off: bool,
    /// An event has changed what the segment was planned for.
    stale: bool,
    ended: bool,
    /// Still counts towards polyphony.
    counted: bool,
}

impl Voice {
    /// A voice that begins with the next frame.
    pub fn start(start: Start, region: &Region, now: Frames) -> Self {
        Self {
            sampler: start.sampler,
            channel: start.channel,
            note: start.note,
            key: start.key,
            generation: start.generation,
            start,
            own: Note::default(),
            playhead: Playhead::start(region, Span::of(region)),
            ratio: 1.0,
            one_shot: matches!(region.playback, Playback::OneShot),
            manner: region.manner,
            group: region.group,
            choked_by: region.choked_by,
            sustained: false,
            caught: false,
            envelope: Envelope::start(&region.envelope, start.sample_rate),
            modulators: Modulators::start(
                &region.modulation,
                start.key,
                start.velocity,
                start.note ^ start.region.rotate_left(16),
                now,
                start.sample_rate,
                &start.onset,
            ),
            tone: Tone::default(),
            level: [0.0; 2],
            steady: [0.0; 2],
            moves: false,
            segment: Segment::default(),
            sends: Sends::default(),
            now: Sums::default(),
            then: Sums::default(),
            fade: None,
            last: [0.0; 2],
            begun: false,
            let_go: None,
            released: false,
            comes_in: false,
            turned_off: false,
            stale: false,
            ended: false,
            counted: true,
        }
    }

    /// Computes what its start decides, with everything that was asked of its note on this frame.
    fn begin(&mut self, region: &Region, now: Frames, heard: Heard) {
        let Start { key, velocity, skipped, last_key, glide, sample_rate, onset, .. } = self.start;
        let sample = &region.sample;
        self.begun = true;
        let cents = (f64::from(key) - region.root_key) * 100.0 + region.tune_cents;
        self.ratio =
            cents_to_ratio(cents) * f64::from(self.own.speed).abs() * f64::from(sample.sample_rate())
                / f64::from(sample_rate);
        let [begin, end] = self.own.span.map(f64::from);
        let mut whole = Span::of(region);
        let longest = (whole.end_frames - whole.begin_frames).max(0.0);
        whole.begin_frames += f64::from(onset.offset).clamp(-whole.begin_frames, longest);
        let mut span = whole.part(begin, end);
        if self.own.speed < 0.0 {
            span = span.reversed();
        }
        self.playhead = Playhead::start(region, span);
        let plain = region.manner.plain_controllers;
        let soft = heard.pedal(cc::SOFT) && !plain;
        let mut velocities = f64::from(onset.velocity_track);
        if velocities != 0.0 {
            velocities = (region.velocity.track + velocities).clamp(-1.0, 1.0);
        } else {
            velocities = region.velocity.track;
        }
        let gain = region.gain
            * f64::from(onset.gain)
            * region.velocity.gain_tracking(f64::from(velocity), velocities)
            * if soft { SOFT_GAIN } else { 1.0 };
        let pan = if sample.channels() == 1 { pan::mono(region.pan) } else { pan::stereo(region.pan) };
        self.level = pan.map(|side| (f64::from(side) * gain) as f32);
        let own_glide = |time_s: f32| last_key.map(|last| ((last - key) * 100.0, time_s));
        if let Some((cents, time_s)) = self.own.portamento_s().map_or(glide, own_glide) {
            self.own.glide_from(cents, time_s, now, sample_rate);
        }
        let mut times = self.own.envelope(&onset.amplitude(&region.envelope));
        if region.manner.decay_to_zero {
            times = times.decaying_to_zero();
        }
        if !plain {
            times.attack_s = stage(times.attack_s, heard.controller_at(cc::ATTACK, now));
            times.decay_s = stage(times.decay_s, heard.controller_at(cc::DECAY, now));
            times.release_s = stage(times.release_s, heard.controller_at(cc::RELEASE, now));
        }
        self.envelope = Envelope::start(&times, sample_rate);
        self.now = self.modulators.sums(&region.modulation, self.moment(0, now, heard), &Sums::default());
        self.then = self.now;
        self.comes_in = skipped > 0;
        if skipped > 0 {
            self.set_step(now, heard);
            self.skip(skipped, region);
            self.modulators.catch_up(&self.now);
            self.now = self.modulators.sums(&region.modulation, self.moment(0, now, heard), &self.now);
        } else if self.let_go.is_some() {
            self.release(region);
        }
        self.tone = Tone::start(region, key, velocity, soft, sample_rate);
        if skipped == 0 {
            // Else it comes in with a ramp over its first segment: in the middle of a sample there is no silence to
            // start from (RT-11).
            self.steady = self.steady_at(now, heard, &self.now);
            self.segment.gain = self.gain_after(0);
            self.sends.turn(sends::levels(&self.own, now, heard));
            self.sends.jump(self.segment.gain);
        }
        let places = self.tone.places(self.moment(0, now, heard), &self.now);
        self.tone.aim(0, Some(&places));
        self.tone.reach();
    }

    /// Plans the segment that begins with the next frame, if one does: filters that are asked for are there afterwards.
    pub fn prepare(&mut self, region: &Region, frame: Frames, heard: Heard) {
        if self.segment.left() == 0 && !self.ended {
            self.begin_segment(region, frame, heard);
        }
    }

    fn moment<'a>(&'a self, ahead: u32, border: Frames, heard: Heard<'a>) -> Moment<'a> {
        Moment { ahead, frame: border + Frames::from(ahead), heard, note: &self.own }
    }

    /// Moves on without a sound, as if it had started that much earlier, and had been let go when it was.
    fn skip(&mut self, frames: Frames, region: &Region) {
        self.playhead.skip(frames);
        match self.let_go {
            Some(ago) if !self.one_shot => {
                let ago = ago.min(frames);
                self.pass_over(frames - ago);
                self.release(region);
                self.pass_over(ago);
            }
            _ => self.pass_over(frames),
        }
        self.ended |= self.envelope.is_done();
    }

    fn pass_over(&mut self, frames: Frames) {
        let frames = u32::try_from(frames).unwrap_or(u32::MAX);
        self.envelope.pass_over(frames);
        self.modulators.advance(frames);
    }

    /// Number of its region in the instrument.
    pub fn region(&self) -> u32 {
        self.start.region
    }

    /// Frames by which its note started later than it was meant to.
    pub fn delayed(&self) -> Frames {
        self.start.delayed
    }

    /// Asks the processor for what its next `frames` are read from.
    pub fn prefetch(&self, region: &Region, frames: usize) {
        self.playhead.prefetch(region, frames);
    }

    /// Whether it is over.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether it is being faded out: it no longer counts towards polyphony.
    pub fn is_fading(&self) -> bool {
        self.fade.is_some()
    }

    /// Whether it has been turned off in one way or another.
    pub fn is_off(&self) -> bool {
        self.is_fading() || (self.released && self.manner.off == Off::Normal && self.turned_off)
    }

    /// Takes it out of the count of sounding voices when it fades or has ended; true the first time.
    pub fn discount(&mut self) -> bool {
        let now = self.counted && (self.is_fading() || self.ended);
        self.counted &= !now;
        now
    }

    /// Whether its key has been let go.
    pub fn is_released(&self) -> bool {
        self.released
    }

    /// Frames until its fade ends, for choosing whom to cut.
    pub fn fade_left(&self) -> u32 {
        self.fade.map_or(u32::MAX, |fade| fade.left)
    }

    /// The last frame it put out.
    pub fn last_output(&self) -> [f32; 2] {
        self.last
    }

    /// What came out of its filters last, on one side.
    pub fn put_out(&mut self, side: usize, value: f32) {
        if let Some(last) = self.last.get_mut(side) {
            *last = value;
        }
    }

    /// What it reads with.
    pub fn kernel(&self) -> Kernel {
        self.start.kernel
    }

    /// How loud it is, for stealing: its gain, or nothing as long as it has not been heard.
    pub fn loudness(&self) -> f32 {
        if !self.begun {
            return 0.0;
        }
        self.segment.gain_at(0, self.segment.at).max(self.segment.gain_at(1, self.segment.at))
    }

    /// Turns a parameter of its note, reached `over` frames after `now`; at once as long as it has not been heard.
    pub fn turn(&mut self, param: NoteParam, value: f32, now: Frames, over: u32) {
        let over = if self.begun { over } else { 0 };
        self.cut_segment();
        self.own.turn(param, value, now, over, self.begun);
        if self.begun && param == NoteParam::Release {
            self.envelope.set_release(f64::from(value), self.start.sample_rate);
        }
    }

    /// Whether a note of this group ends it.
    pub fn is_choked_by(&self, group: u32) -> bool {
        self.choked_by != 0 && self.choked_by == group
    }

    /// The key is up, and has been for `ago` frames: a pedal that is down holds the voice, and so does sostenuto if it
    /// has caught it.
    pub fn key_up(&mut self, ago: Frames, heard: Heard, region: Option<&Region>) {
        if self.is_sustained(heard) || (self.caught && heard.pedal(cc::SOSTENUTO)) {
            self.sustained = true;
        } else {
            self.let_go(ago, region);
        }
    }

    fn is_sustained(&self, heard: Heard) -> bool {
        self.manner.sustain.is_some_and(|pedal| heard.pedal(pedal))
    }

    /// Sostenuto went down: it catches what is held at that moment.
    pub fn catch(&mut self) {
        self.caught = self.manner.sostenuto && !self.sustained && !self.is_released();
    }

    /// Velocity of its note.
    pub fn velocity(&self) -> f32 {
        self.start.velocity
    }

    /// What started it: its sampler, its channel and its note's key.
    pub fn place(&self) -> (SamplerIndex, u8, f32) {
        (self.sampler, self.channel, self.key)
    }

    /// Another group ends it, in the way that its region asks for.
    pub fn turn_off(&mut self, fast_frames: u32, region: Option<&Region>) {
        self.turned_off = true;
        match (self.manner.off, region) {
            (Off::Normal, Some(region)) if self.begun => {
                if !self.released {
                    self.cut_segment();
                    self.release(region);
                }
            }
            (Off::Time(seconds), _) => {
                self.fade(((seconds * self.start.sample_rate as f32) as u32).max(fast_frames.min(48)));
            }
            _ => self.fade(fast_frames),
        }
    }

    /// A pedal went up: lets go of what no other holds.
    pub fn pedal_up(&mut self, heard: Heard, region: Option<&Region>) {
        self.caught &= heard.pedal(cc::SOSTENUTO);
        if self.sustained && !self.is_sustained(heard) && !self.caught {
            self.sustained = false;
            self.let_go(0, region);
        }
    }

    /// The key is let go. A one-shot plays on.
    fn let_go(&mut self, ago: Frames, region: Option<&Region>) {
        if self.one_shot || self.released {
            return;
        }
        if !self.begun {
            self.released = true;
            self.let_go = Some(ago);
            return;
        }
        self.cut_segment();
        if let Some(region) = region {
            self.release(region);
        }
    }

    fn release(&mut self, region: &Region) {
        self.released = true;
        self.envelope.release();
        self.modulators.release(&self.now);
        self.playhead.release(region);
        self.ended |= self.envelope.is_done();
    }

    /// Fades to zero within `frames`, whatever else it is doing. A fade under way goes on.
    pub fn fade(&mut self, frames: u32) {
        if self.fade.is_some() {
            return;
        }
        if !self.begun {
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

    /// Begins a new segment on the next frame, since something that it follows is about to change.
    pub fn cut_segment(&mut self) {
        if !self.begun {
            return;
        }
        let at = self.segment.at;
        let gain = [self.segment.gain_at(0, at), self.segment.gain_at(1, at)];
        self.tone.cut(at);
        self.sends.cut(at);
        self.pass(at);
        self.segment = Segment { gain, ..Segment::default() };
        self.stale = true;
    }

    /// All gains but envelope and fade, at a frame.
    fn steady_at(&self, frame: Frames, heard: Heard, sums: &Sums) -> [f32; 2] {
        let [left, right] = heard.gain_at(frame);
        let [own_left, own_right] = self.own.sides_at(frame);
        let [moved_left, moved_right] = sums.sides();
        let [to_left, to_right] = self.level;
        [to_left * left * own_left * moved_left, to_right * right * own_right * moved_right]
    }

    /// How much of its own side, and of the other, each side has: 1 and 0 as recorded, and then `None`.
    ///
    /// Mid and side: w·side + mid, so that a width of 0 is the mean of both sides on both.
    fn mix(&self) -> Option<[f32; 2]> {
        let width = self.manner.width + self.now.width;
        (width != 1.0).then_some([0.5 * (1.0 + width), 0.5 * (1.0 - width)])
    }

    /// Gain of each side `frames` after the border of the segment.
    fn gain_after(&self, frames: u32) -> [f32; 2] {
        let fade = self.fade.map_or(1.0, |fade| fade.left.saturating_sub(frames) as f32 / fade.length as f32);
        let envelope = self.envelope.level_after(frames) * fade;
        self.steady.map(|side| side * envelope)
    }

    /// Moves envelopes, LFOs and fade on; whether another stage of the envelope has begun.
    fn pass(&mut self, frames: u32) -> bool {
        let another_stage = self.envelope.advance(frames);
        self.modulators.advance(frames);
        if let Some(fade) = &mut self.fade {
            fade.left = fade.left.saturating_sub(frames);
            self.ended |= fade.left == 0;
        }
        self.ended |= self.envelope.is_done();
        another_stage
    }

    /// Sets the speed to what it is at a frame, with modulations between `now` and `then`.
    fn set_step(&mut self, frame: Frames, heard: Heard) {
        let channel = if self.manner.own_bend { heard.tuning_at(frame) } else { heard.cents_at(frame) };
        let cents = channel + self.own.cents_at(frame) + 0.5 * (self.now.cents + self.then.cents);
        let bend = if cents == 0.0 { 1.0 } else { cents_to_ratio(f64::from(cents)) };
        self.playhead.set_step(self.ratio * bend);
    }

    fn begin_segment(&mut self, region: &Region, frame: Frames, heard: Heard) {
        // Without an event nothing begins to move.
        let mut fresh = std::mem::take(&mut self.stale);
        if !self.begun {
            self.begin(region, frame, heard);
            fresh = true;
        }
        let moved = std::mem::replace(&mut self.moves, false);
        if fresh || moved {
            self.modulators.catch_up(&self.now);
            self.now = match fresh {
                true => self.modulators.sums(&region.modulation, self.moment(0, frame, heard), &self.now),
                false => self.then,
            };
            self.then = self.now;
            if let Some(tone) = self.tone.with_all(self.moment(0, frame, heard), &self.now) {
                self.tone = tone;
            }
            self.moves = heard.moves_at(frame)
                || self.own.moves_at(frame)
                || self.modulators.moves(&region.modulation, self.moment(0, frame, heard));
            self.steady = self.steady_at(frame, heard, &self.now);
        }
        let still = !self.moves
            && self.fade.is_none()
            && self.envelope.is_flat()
            && self.segment.gain == self.gain_after(0);
        let longest = if self.moves || self.fade.is_some() { SEGMENT_FRAMES } else { STILL_FRAMES };
        let mut length = match std::mem::take(&mut self.comes_in) {
            // It has something to catch up with, however steep its envelope is.
            true => SEGMENT_FRAMES,
            false => longest.min(self.envelope.straight_for().max(STEEP_FRAMES)),
        };
        length = length.min(self.envelope.frames_left()).min(self.fade_left()).max(1);
        if self.moves {
            length = length.min(self.modulators.frames_left()).max(1);
            let end = self.moment(length, frame, heard);
            self.then = self.modulators.sums(&region.modulation, end, &self.now);
            self.steady = self.steady_at(frame + Frames::from(length), heard, &self.then);
        }
        if fresh || moved {
            let end = frame + Frames::from(if self.moves { length } else { 0 });
            self.sends.turn(sends::levels(&self.own, end, heard));
            self.set_step(frame + Frames::from(if self.moves { length / 2 } else { 0 }), heard);
        }
        let gain = self.segment.gain;
        let end = if still { gain } else { self.gain_after(length) };
        let over = 1.0 / length as f32;
        let slope = |side: usize| match (gain.get(side), end.get(side)) {
            (Some(gain), Some(end)) => (end - gain) * over,
            _ => 0.0,
        };
        self.segment = Segment { length, at: 0, gain, slope: [slope(0), slope(1)], end };
        self.sends.aim(end, over);
        if self.tone.is_on() {
            let places =
                (fresh || moved).then(|| self.tone.places(self.moment(length, frame, heard), &self.then));
            self.tone.aim(length, places.as_ref());
        }
    }

    /// Renders the next `frames`, the first of them at `frame` on the engine clock, and hands each stretch to `put`,
    /// which returns the output of the stretch's last frame if it is known yet.
    pub fn render(
        &mut self,
        region: &Region,
        (frame, frames): (Frames, usize),
        heard: Heard,
        scratch: &mut Scratch,
        mut put: impl FnMut(&Kernel, &Tone, Stretch) -> Option<[f32; 2]>,
    ) {
        let kernel = self.start.kernel;
        let stereo = region.sample.channels() == 2;
        let mut done = 0;
        while done < frames && !self.ended {
            if self.segment.left() == 0 {
                self.begin_segment(region, frame + done as u64, heard);
                if self.ended {
                    break;
                }
            }
            let wanted = (frames - done).min(self.segment.left() as usize);
            let [left, right] = scratch;
            let (Some(left), Some(right)) = (left.get_mut(..wanted), right.get_mut(..wanted)) else { break };
            let count = if self.playhead.has_ended() {
                // Filters ring on when their recording is over: they are given silence while the voice fades.
                left.fill(0.0);
                right.fill(0.0);
                wanted
            } else {
                self.playhead.read(region, &kernel, left, right)
            };
            if stereo && let Some(mix) = self.mix() {
                let both = left.iter_mut().zip(right.iter_mut()).take(count);
                for (left, right) in both {
                    let (own, other) = (*left, *right);
                    *left = own * mix[0] + other * mix[1];
                    *right = other * mix[0] + own * mix[1];
                }
            }
            let Segment { at: first, gain, slope, .. } = self.segment;
            if let (Some(left), Some(right)) = (left.get_mut(..count), right.get_mut(..count))
                && count > 0
            {
                let sends = self.sends.lines();
                let stretch = Stretch { at: done, left, right, stereo, gain, slope, first, sends };
                self.last = put(&kernel, &self.tone, stretch).unwrap_or(self.last);
            }
            self.segment.at += count as u32;
            done += count;
            if self.segment.left() == 0 {
                self.end_segment();
            }
            if self.playhead.has_ended() {
                if self.tone.is_on() {
                    self.fade((super::STEAL_FADE_S * f64::from(self.start.sample_rate)) as u32);
                } else {
                    self.ended = true;
                }
            }
        }
    }

    /// What was aimed at has been reached, to the bit; only another stage may begin elsewhere.
    fn end_segment(&mut self) {
        self.tone.reach();
        let gain = match self.pass(self.segment.length) {
            true => {
                let gain = self.gain_after(0);
                self.sends.jump(gain);
                gain
            }
            false => {
                self.sends.reach();
                self.segment.end
            }
        };
        self.segment = Segment { gain, ..Segment::default() };
    }
}

/// Planar, one chunk: where voices read to.
pub type Scratch = [[f32; MAX_CHUNK]; 2];

/// What a controller of 0..=127, 64 in the middle, does to a stage of an envelope: ±4 octaves of time. RP-021 leaves
/// the amount to the instrument.
fn stage(seconds: f64, controller: f32) -> f64 {
    if controller == 64.0 {
        return seconds;
    }
    // A stage of no length has nothing to be stretched: what makes it longer starts from 20 ms.
    let from = if controller > 64.0 { seconds.max(0.02) } else { seconds };
    from * ((f64::from(controller) - 64.0) / 16.0).exp2()
}
