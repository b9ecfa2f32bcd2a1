//! Events: what can happen to sound, and the plain record that carries it.
//!
//! An [`Event`] is `Copy` and owns nothing, so that dropping one on the audio thread frees nothing (RT-3). Records come
//! from memory that JavaScript writes: every number is checked here, and what makes no sense is refused, never obeyed.

use super::note::SENDS;
use super::trigger::Waiting;
use crate::dsp::effects::Kind;
use crate::rt::lane::Record;
use crate::units::{Frames, seconds_to_frames};

/// Which sampler, by its place in the engine.
pub type SamplerIndex = u16;
/// Which instrument, by its place in the engine's table.
pub type InstrumentIndex = u16;
/// One sounding note, unique in its sampler; never 0.
pub type NoteId = u32;

/// MIDI channels of a sampler.
pub const CHANNELS: usize = 16;

/// What becomes of a note whose time has passed when it arrives. It is counted whichever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Late {
    /// It sounds at once.
    #[default]
    Play,
    /// It does not sound.
    Drop,
    /// It starts as far into the sample as it is late, so that the groove holds.
    Skip,
}

impl Late {
    /// All, by the number they have in a record.
    pub const ALL: [Self; 3] = [Self::Play, Self::Drop, Self::Skip];
}

/// What of one note can be set. Names, units and ranges are [`PARAMS`]'.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum NoteParam {
    Gain,
    Pan,
    Detune,
    Rate,
    Cutoff,
    Resonance,
    Pressure,
    Brightness,
    HighCutoff,
    HighResonance,
    BandCutoff,
    BandResonance,
    Reverb,
    Delay,
    Chorus,
    Attack,
    Decay,
    Sustain,
    Release,
    Wait,
    Portamento,
    Begin,
    End,
    Speed,
    Cut,
}

/// Lowest and highest cutoff that a note may ask for, Hz. What a filter can do at the engine's rate is less.
pub const CUTOFF_HZ: (f64, f64) = (1.0, 400_000.0);
/// Highest resonance, dB over the flat response.
pub const MAX_RESONANCE_DB: f64 = 40.0;
/// Longest stage of an envelope, s: an hour.
const MAX_STAGE_S: f64 = 3600.0;

/// One parameter: its name in JavaScript, its range, and whether it can be turned while the note sounds (others count
/// as long as the note has not been heard).
#[derive(Clone, Copy, Debug)]
pub struct ParamInfo {
    /// Which.
    pub param: NoteParam,
    /// As in `NoteParams` and `NoteOptions` of index.d.ts, which say the units.
    pub name: &'static str,
    /// Lowest value.
    pub low: f64,
    /// Highest value.
    pub high: f64,
    /// Glides while the note sounds.
    pub glides: bool,
}

const fn glides(param: NoteParam, name: &'static str, low: f64, high: f64) -> ParamInfo {
    ParamInfo { param, name, low, high, glides: true }
}

const fn starts(param: NoteParam, name: &'static str, low: f64, high: f64) -> ParamInfo {
    ParamInfo { param, name, low, high, glides: false }
}

/// All parameters, by the number they have in a record.
pub const PARAMS: [ParamInfo; 25] = [
    glides(NoteParam::Gain, "gain", 0.0, MAX_GAIN),
    glides(NoteParam::Pan, "pan", -1.0, 1.0),
    glides(NoteParam::Detune, "detune", -12_000.0, 12_000.0),
    glides(NoteParam::Rate, "rate", 1.0 / 64.0, 64.0),
    glides(NoteParam::Cutoff, "cutoff", CUTOFF_HZ.0, CUTOFF_HZ.1),
    glides(NoteParam::Resonance, "resonance", 0.0, MAX_RESONANCE_DB),
    glides(NoteParam::Pressure, "pressure", 0.0, 127.0),
    glides(NoteParam::Brightness, "brightness", 0.0, 127.0),
    glides(NoteParam::HighCutoff, "hcutoff", CUTOFF_HZ.0, CUTOFF_HZ.1),
    glides(NoteParam::HighResonance, "hresonance", 0.0, MAX_RESONANCE_DB),
    glides(NoteParam::BandCutoff, "bandf", CUTOFF_HZ.0, CUTOFF_HZ.1),
    glides(NoteParam::BandResonance, "bandq", 0.0, MAX_RESONANCE_DB),
    glides(NoteParam::Reverb, "send.reverb", 0.0, MAX_GAIN),
    glides(NoteParam::Delay, "send.delay", 0.0, MAX_GAIN),
    glides(NoteParam::Chorus, "send.chorus", 0.0, MAX_GAIN),
    starts(NoteParam::Attack, "attack", 0.0, MAX_STAGE_S),
    starts(NoteParam::Decay, "decay", 0.0, MAX_STAGE_S),
    starts(NoteParam::Sustain, "sustain", 0.0, 1.0),
    starts(NoteParam::Release, "release", 0.0, MAX_STAGE_S),
    starts(NoteParam::Wait, "delay", 0.0, MAX_STAGE_S),
    starts(NoteParam::Portamento, "portamento", 0.0, MAX_STAGE_S),
    starts(NoteParam::Begin, "begin", 0.0, 1.0),
    starts(NoteParam::End, "end", 0.0, 1.0),
    starts(NoteParam::Speed, "speed", -64.0, 64.0),
    starts(NoteParam::Cut, "cut", 0.0, 16_777_215.0),
];

impl NoteParam {
    /// The parameter with this number in a record.
    pub fn numbered(number: u32) -> Option<Self> {
        PARAMS.get(number as usize).map(|info| info.param)
    }

    /// Lowest and highest value.
    pub fn range(self) -> (f64, f64) {
        PARAMS.get(self as usize).map_or((0.0, 0.0), |info| (info.low, info.high))
    }
}

/// What happens, apart from when. Fields have the meaning and range of [`decode`]'s record.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A note starts. Velocity 0 is a note-off (MIDI 1.0).
    ///
    /// `instrument`: what it plays, whatever its channel does.
    NoteOn {
        sampler: SamplerIndex,
        channel: u8,
        late: Late,
        note: NoteId,
        key: f32,
        velocity: f32,
        instrument: Option<InstrumentIndex>,
    },
    /// Notes on this key are let go.
    NoteOff { sampler: SamplerIndex, channel: u8, key: f32 },
    /// One note is let go; one that has not started yet never will. `timed`: its own duration is over, so a note that
    /// started late is let go as much later.
    Release { sampler: SamplerIndex, note: NoteId, timed: bool },
    /// A region of a note, or of none, whose delay has passed. Only the engine makes these.
    Layer { sampler: SamplerIndex, channel: u8, waiting: Waiting },
    /// One note is turned: to `value`, reached `over` seconds later.
    Turn { sampler: SamplerIndex, note: NoteId, param: NoteParam, value: f32, over_s: f32 },
    /// One scheduled note, or all of the sampler, are forgotten if they have not started; what sounds goes on.
    Cancel { sampler: SamplerIndex, note: Option<NoteId> },
    /// A MIDI controller, 0..=127, turned to 0..=127.
    Control { sampler: SamplerIndex, channel: u8, controller: u8, value: f32 },
    /// −8192..=8191; ±2 semitones unless RPN 0 says otherwise.
    PitchBend { sampler: SamplerIndex, channel: u8, value: f32 },
    /// 0..=127, of a whole channel.
    ChannelPressure { sampler: SamplerIndex, channel: u8, value: f32 },
    /// 0..=127, of the notes on one key.
    PolyPressure { sampler: SamplerIndex, channel: u8, key: f32, value: f32 },
    /// New notes of the channel play this program, of this bank or of the one selected by CC 0 and 32.
    Program { sampler: SamplerIndex, channel: u8, program: u8, bank: Option<u16> },
    /// Every note of a channel, or of all, is let go.
    AllNotesOff { sampler: SamplerIndex, channel: Option<u8> },
    /// Every voice of a channel, or of all, fades at once.
    AllSoundOff { sampler: SamplerIndex, channel: Option<u8> },
    /// New notes of the channel play this instrument.
    Assign { sampler: SamplerIndex, channel: u8, instrument: Option<InstrumentIndex> },
    /// Linear amplitude of the sampler.
    SamplerGain { sampler: SamplerIndex, gain: f32 },
    /// −1..=1.
    SamplerPan { sampler: SamplerIndex, pan: f32 },
    /// Silent, but running.
    SamplerMute { sampler: SamplerIndex, muted: bool },
    /// Level of a send, by number, of notes that have none of their own.
    SamplerSend { sampler: SamplerIndex, send: u8, level: f32 },
    /// A parameter of the effect behind a send, both by number.
    EffectParam { sampler: SamplerIndex, send: u8, param: u8, value: f32 },
    /// Linear amplitude of the whole engine.
    MasterGain { gain: f32 },
    /// Silence now: all voices fade, all scheduled events are dropped.
    Panic,
    /// The clock stops after a fade.
    Suspend,
    /// It goes on.
    Resume,
}

impl Event {
    /// The sampler it is for, or `None` when it is for the engine.
    pub fn sampler(&self) -> Option<SamplerIndex> {
        match *self {
            Event::NoteOn { sampler, .. }
            | Event::NoteOff { sampler, .. }
            | Event::Release { sampler, .. }
            | Event::PitchBend { sampler, .. }
            | Event::ChannelPressure { sampler, .. }
            | Event::PolyPressure { sampler, .. }
            | Event::Program { sampler, .. }
            | Event::Cancel { sampler, .. }
            | Event::Layer { sampler, .. }
            | Event::Turn { sampler, .. }
            | Event::Control { sampler, .. }
            | Event::AllNotesOff { sampler, .. }
            | Event::AllSoundOff { sampler, .. }
            | Event::Assign { sampler, .. }
            | Event::SamplerGain { sampler, .. }
            | Event::SamplerPan { sampler, .. }
            | Event::SamplerMute { sampler, .. }
            | Event::SamplerSend { sampler, .. }
            | Event::EffectParam { sampler, .. } => Some(sampler),
            Event::MasterGain { .. } | Event::Panic | Event::Suspend | Event::Resume => None,
        }
    }

    /// Whether losing it leaves less sound, not more: a lost note-on is a missing note, a lost note-off one that
    /// never ends. Queues keep room for the latter.
    pub fn is_note_on(&self) -> bool {
        matches!(self, Event::NoteOn { velocity, .. } if *velocity > 0.0)
    }
}

// RT-3: what is queued on the audio thread owns nothing and fits a cache line with its frame and order.
const _: () = {
    const fn owns_nothing<T: Copy>() {}
    owns_nothing::<Event>();
    assert!(size_of::<Event>() <= 24 && !std::mem::needs_drop::<Event>());
};

/// Numbers of the operations in records; `lib/lane.cjs` has the same table, and a test compares them.
pub mod op {
    #![allow(missing_docs)]
    pub const NOTE_ON: u32 = 1;
    pub const NOTE_OFF: u32 = 2;
    pub const RELEASE: u32 = 3;
    pub const PITCH_BEND: u32 = 4;
    pub const ALL_NOTES_OFF: u32 = 5;
    pub const ALL_SOUND_OFF: u32 = 6;
    pub const ASSIGN: u32 = 7;
    pub const SAMPLER_GAIN: u32 = 8;
    pub const SAMPLER_PAN: u32 = 9;
    pub const SAMPLER_MUTE: u32 = 10;
    pub const MASTER_GAIN: u32 = 11;
    pub const PANIC: u32 = 12;
    pub const SUSPEND: u32 = 13;
    pub const RESUME: u32 = 14;
    pub const CANCEL: u32 = 15;
    pub const CONTROL: u32 = 16;
    pub const TURN: u32 = 17;
    pub const CHANNEL_PRESSURE: u32 = 18;
    pub const POLY_PRESSURE: u32 = 19;
    pub const PROGRAM: u32 = 20;
    pub const SAMPLER_SEND: u32 = 21;
    pub const EFFECT_PARAM: u32 = 22;
}

/// Stands for "every channel" and "no instrument" in a record.
const NONE: f64 = -1.0;

/// When an event is to happen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// At the next block's first frame.
    Now,
    /// On this frame; past means now, and late.
    At(Frames),
}

/// An event as a record: `[op, sampler, channel, note, a, b, seconds (NaN = now), late policy]`.
pub fn encode(event: Event, seconds: Option<f64>) -> Record {
    let time = seconds.unwrap_or(f64::NAN);
    let row = |op: u32, sampler: SamplerIndex, channel: f64, note: NoteId, a: f64, b: f64| {
        [f64::from(op), f64::from(sampler), channel, f64::from(note), a, b, time, 0.0]
    };
    let which = |channel: Option<u8>| channel.map_or(NONE, f64::from);
    match event {
        Event::NoteOn { sampler, channel, late, note, key, velocity, instrument } => {
            // Sixteen channels, and behind them the sixteen of each instrument.
            let own = instrument.map_or(0.0, |index| (f64::from(index) + 1.0) * CHANNELS as f64);
            let channel = f64::from(channel) + own;
            let mut record = row(op::NOTE_ON, sampler, channel, note, key.into(), velocity.into());
            record[7] = f64::from(late as u8);
            record
        }
        Event::NoteOff { sampler, channel, key } => {
            row(op::NOTE_OFF, sampler, channel.into(), 0, key.into(), 0.0)
        }
        Event::Release { sampler, note, timed } => {
            row(op::RELEASE, sampler, 0.0, note, f64::from(u8::from(timed)), 0.0)
        }
        // Never sent: as a record it is one that no reader takes.
        Event::Layer { sampler, .. } => row(0, sampler, 0.0, 0, 0.0, 0.0),
        Event::Cancel { sampler, note } => row(op::CANCEL, sampler, 0.0, note.unwrap_or(0), 0.0, 0.0),
        Event::Turn { sampler, note, param, value, over_s } => {
            let mut record = row(op::TURN, sampler, 0.0, note, f64::from(param as u8), value.into());
            record[7] = over_s.into();
            record
        }
        Event::Control { sampler, channel, controller, value } => {
            row(op::CONTROL, sampler, channel.into(), 0, controller.into(), value.into())
        }
        Event::PitchBend { sampler, channel, value } => {
            row(op::PITCH_BEND, sampler, channel.into(), 0, value.into(), 0.0)
        }
        Event::ChannelPressure { sampler, channel, value } => {
            row(op::CHANNEL_PRESSURE, sampler, channel.into(), 0, value.into(), 0.0)
        }
        Event::PolyPressure { sampler, channel, key, value } => {
            row(op::POLY_PRESSURE, sampler, channel.into(), 0, key.into(), value.into())
        }
        Event::Program { sampler, channel, program, bank } => {
            row(op::PROGRAM, sampler, channel.into(), 0, program.into(), bank.map_or(NONE, f64::from))
        }
        Event::AllNotesOff { sampler, channel } => {
            row(op::ALL_NOTES_OFF, sampler, which(channel), 0, 0.0, 0.0)
        }
        Event::AllSoundOff { sampler, channel } => {
            row(op::ALL_SOUND_OFF, sampler, which(channel), 0, 0.0, 0.0)
        }
        Event::Assign { sampler, channel, instrument } => {
            row(op::ASSIGN, sampler, channel.into(), 0, instrument.map_or(NONE, f64::from), 0.0)
        }
        Event::SamplerGain { sampler, gain } => row(op::SAMPLER_GAIN, sampler, 0.0, 0, gain.into(), 0.0),
        Event::SamplerPan { sampler, pan } => row(op::SAMPLER_PAN, sampler, 0.0, 0, pan.into(), 0.0),
        Event::SamplerMute { sampler, muted } => {
            row(op::SAMPLER_MUTE, sampler, 0.0, 0, f64::from(u8::from(muted)), 0.0)
        }
        Event::SamplerSend { sampler, send, level } => {
            row(op::SAMPLER_SEND, sampler, 0.0, 0, send.into(), level.into())
        }
        Event::EffectParam { sampler, send, param, value } => {
            row(op::EFFECT_PARAM, sampler, send.into(), 0, param.into(), value.into())
        }
        Event::MasterGain { gain } => row(op::MASTER_GAIN, 0, 0.0, 0, gain.into(), 0.0),
        Event::Panic => row(op::PANIC, 0, 0.0, 0, 0.0, 0.0),
        Event::Suspend => row(op::SUSPEND, 0, 0.0, 0, 0.0, 0.0),
        Event::Resume => row(op::RESUME, 0, 0.0, 0, 0.0, 0.0),
    }
}

/// Longest glide of a note's parameter: an hour.
pub const MAX_GLIDE_S: f64 = 3600.0;

/// Highest gain a record may ask for: +80 dB. Beyond it is a slip, and sums could overflow (RT-8).
pub const MAX_GAIN: f64 = 10_000.0;

/// Highest bank: two controllers of 7 bits.
pub const MAX_BANK: u32 = 16_383;

/// A whole number within `0..=max`, or `None`.
fn whole(value: f64, max: u32) -> Option<u32> {
    (value >= 0.0 && value <= f64::from(max) && value.fract() == 0.0).then_some(value as u32)
}

/// A number within a range; NaN is not.
fn within(value: f64, low: f64, high: f64) -> Option<f32> {
    (value >= low && value <= high).then_some(value as f32)
}

/// Reads a record; `None` when any number in it makes no sense.
///
/// Thread: audio. No allocation, no panic, whatever the bits.
pub fn decode(record: &Record, sample_rate: u32) -> Option<(When, Event)> {
    let [op, sampler, channel, note, a, b, seconds, late] = *record;
    let when = if seconds.is_nan() { When::Now } else { When::At(seconds_to_frames(seconds, sample_rate)) };
    let op = whole(op, 255)?;
    let sampler = || whole(sampler, u32::from(u16::MAX)).map(|index| index as SamplerIndex);
    let one_channel = || whole(channel, CHANNELS as u32 - 1).map(|index| index as u8);
    let which = || if channel == NONE { Some(None) } else { one_channel().map(Some) };
    let note = || whole(note, u32::MAX);
    let one_note = || note().filter(|id| *id > 0);
    let key = || within(a, 0.0, 127.0);
    let event = match op {
        op::NOTE_ON => {
            let places = whole(channel, (CHANNELS as u32) * (u32::from(u16::MAX) + 2) - 1)?;
            Event::NoteOn {
                sampler: sampler()?,
                channel: (places % CHANNELS as u32) as u8,
                note: one_note()?,
                key: key()?,
                velocity: within(b, 0.0, 127.0)?,
                late: Late::ALL.get(whole(late, 2)? as usize).copied()?,
                instrument: (places / CHANNELS as u32).checked_sub(1).map(|index| index as u16),
            }
        }
        op::NOTE_OFF => Event::NoteOff { sampler: sampler()?, channel: one_channel()?, key: key()? },
        op::RELEASE => Event::Release { sampler: sampler()?, note: one_note()?, timed: whole(a, 1)? == 1 },
        op::CANCEL => {
            Event::Cancel { sampler: sampler()?, note: if note()? == 0 { None } else { Some(note()?) } }
        }
        op::TURN => {
            let param = NoteParam::numbered(whole(a, PARAMS.len() as u32)?)?;
            let (low, high) = param.range();
            let over_s = within(late, 0.0, MAX_GLIDE_S)?;
            Event::Turn {
                sampler: sampler()?,
                note: one_note()?,
                param,
                value: within(b, low, high)?,
                over_s,
            }
        }
        op::CONTROL => Event::Control {
            sampler: sampler()?,
            channel: one_channel()?,
            controller: whole(a, 127)? as u8,
            value: within(b, 0.0, 127.0)?,
        },
        op::PITCH_BEND => Event::PitchBend {
            sampler: sampler()?,
            channel: one_channel()?,
            value: within(a, -8192.0, 8191.0)?,
        },
        op::CHANNEL_PRESSURE => Event::ChannelPressure {
            sampler: sampler()?,
            channel: one_channel()?,
            value: within(a, 0.0, 127.0)?,
        },
        op::POLY_PRESSURE => Event::PolyPressure {
            sampler: sampler()?,
            channel: one_channel()?,
            key: key()?,
            value: within(b, 0.0, 127.0)?,
        },
        op::PROGRAM => Event::Program {
            sampler: sampler()?,
            channel: one_channel()?,
            program: whole(a, 127)? as u8,
            bank: if b == NONE { None } else { Some(whole(b, MAX_BANK)? as u16) },
        },
        op::ALL_NOTES_OFF => Event::AllNotesOff { sampler: sampler()?, channel: which()? },
        op::ALL_SOUND_OFF => Event::AllSoundOff { sampler: sampler()?, channel: which()? },
        op::ASSIGN => {
            let instrument = if a == NONE { None } else { Some(whole(a, u32::from(u16::MAX))? as u16) };
            Event::Assign { sampler: sampler()?, channel: one_channel()?, instrument }
        }
        op::SAMPLER_GAIN => Event::SamplerGain { sampler: sampler()?, gain: within(a, 0.0, MAX_GAIN)? },
        op::SAMPLER_PAN => Event::SamplerPan { sampler: sampler()?, pan: within(a, -1.0, 1.0)? },
        op::SAMPLER_MUTE => Event::SamplerMute { sampler: sampler()?, muted: whole(a, 1)? == 1 },
        op::SAMPLER_SEND => Event::SamplerSend {
            sampler: sampler()?,
            send: whole(a, SENDS as u32 - 1)? as u8,
            level: within(b, 0.0, MAX_GAIN)?,
        },
        op::EFFECT_PARAM => {
            let send = whole(channel, SENDS as u32 - 1)?;
            let number = whole(a, 255)?;
            let param = Kind::ALL.get(send as usize)?.params().get(number as usize)?;
            // As records hold them: 0.01 is a little less there.
            let [low, high] = [param.low, param.high].map(|end| f64::from(end as f32));
            let value = within(b, low, high)?;
            Event::EffectParam { sampler: sampler()?, send: send as u8, param: number as u8, value }
        }
        op::MASTER_GAIN => Event::MasterGain { gain: within(a, 0.0, MAX_GAIN)? },
        op::PANIC => Event::Panic,
        op::SUSPEND => Event::Suspend,
        op::RESUME => Event::Resume,
        _ => return None,
    };
    Some((when, event))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn samples_of_every_kind() -> Vec<Event> {
        use Event::NoteOn;
        let (sampler, channel, note) = (7, 15, 4_000_000_000);
        vec![
            NoteOn { sampler, channel, late: Late::Play, note, key: 60.5, velocity: 99.25, instrument: None },
            NoteOn {
                sampler,
                channel,
                late: Late::Skip,
                note,
                key: 60.5,
                velocity: 9.0,
                instrument: Some(0),
            },
            NoteOn {
                sampler,
                channel,
                late: Late::Drop,
                note,
                key: 0.0,
                velocity: 1.0,
                instrument: Some(u16::MAX),
            },
            Event::Turn { sampler, note, param: NoteParam::Detune, value: -700.5, over_s: 0.25 },
            Event::Cancel { sampler, note: None },
            Event::Cancel { sampler, note: Some(note) },
            Event::Control { sampler, channel, controller: 64, value: 127.0 },
            Event::NoteOff { sampler, channel, key: 0.0 },
            Event::Release { sampler, note, timed: false },
            Event::Release { sampler, note, timed: true },
            Event::PitchBend { sampler, channel, value: -8192.0 },
            Event::ChannelPressure { sampler, channel, value: 12.5 },
            Event::PolyPressure { sampler, channel, key: 61.0, value: 127.0 },
            Event::Program { sampler, channel, program: 127, bank: Some(16_383) },
            Event::Program { sampler, channel, program: 0, bank: None },
            Event::AllNotesOff { sampler, channel: None },
            Event::AllNotesOff { sampler, channel: Some(3) },
            Event::AllSoundOff { sampler, channel: Some(0) },
            Event::Assign { sampler, channel, instrument: Some(1023) },
            Event::Assign { sampler, channel, instrument: None },
            Event::SamplerGain { sampler, gain: 0.5 },
            Event::SamplerPan { sampler, pan: -1.0 },
            Event::SamplerMute { sampler, muted: true },
            Event::SamplerSend { sampler, send: 2, level: 0.5 },
            Event::EffectParam { sampler, send: 0, param: 1, value: 12.5 },
            Event::MasterGain { gain: 2.0 },
            Event::Panic,
            Event::Suspend,
            Event::Resume,
        ]
    }

    #[test]
    fn every_event_survives_its_record() {
        for event in samples_of_every_kind() {
            assert_eq!(decode(&encode(event, None), 48_000), Some((When::Now, event)));
            assert_eq!(decode(&encode(event, Some(0.5)), 48_000), Some((When::At(24_000), event)));
        }
    }

    #[test]
    fn every_parameter_has_its_own_number_and_survives_its_record_at_both_ends() {
        for (number, info) in (0u32..).zip(PARAMS) {
            assert_eq!((info.param as u32, NoteParam::numbered(number)), (number, Some(info.param)));
            for value in [info.low, info.high] {
                let turn =
                    Event::Turn { sampler: 0, note: 1, param: info.param, value: value as f32, over_s: 0.0 };
                assert_eq!(decode(&encode(turn, None), 48_000), Some((When::Now, turn)), "{}", info.name);
            }
        }
        assert_eq!(NoteParam::numbered(PARAMS.len() as u32), None);
    }

    #[test]
    fn numbers_out_of_range_are_refused_one_by_one() {
        let good = encode(
            Event::NoteOn {
                sampler: 0,
                channel: 0,
                late: Late::Play,
                note: 1,
                key: 60.0,
                velocity: 100.0,
                instrument: None,
            },
            None,
        );
        let broken = [
            (0, 0.0),
            (0, 255.0),
            (0, 1.5),
            (0, f64::NAN),
            (1, -1.0),
            (1, 65_536.0),
            (2, 1_048_592.0),
            (2, 15.5),
            (2, -1.0),
            (3, 0.0),
            (3, 4_294_967_296.0),
            (4, 127.5),
            (4, f64::NAN),
            (4, f64::INFINITY),
            (5, -0.1),
            (5, 128.0),
            (7, 3.0),
            (7, f64::NAN),
        ];
        assert!(decode(&good, 48_000).is_some());
        for (place, value) in broken {
            let mut record = good;
            record[place] = value;
            assert_eq!(decode(&record, 48_000), None, "[{place}] = {value}");
        }
    }

    proptest! {
        #[test]
        fn any_bits_decode_to_something_in_range_or_nothing(bits in any::<[u64; 8]>(), op in 0u32..24) {
            let mut record = bits.map(f64::from_bits);
            record[0] = f64::from(op);
            if let Some((_, Event::NoteOn { channel, note, key, velocity, .. })) = decode(&record, 48_000) {
                prop_assert!(channel < 16 && note > 0);
                prop_assert!((0.0..=127.0).contains(&key) && (0.0..=127.0).contains(&velocity));
            }
        }
    }
}
