//! A sampler as its users hold it: a place in an engine, and what its channels play.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::calls::check_call;
use super::effects::Chain;
use super::engine::Engine;
use super::error::{Error, Result};
use super::instrument::Instrument;
use super::lock;
use super::options::SamplerOptions;
use super::port::Port;
use super::presets::{Presets, Wait};
use super::value::Value;
use crate::engine::Sampler as Core;
use crate::engine::event::{CHANNELS, Event, InstrumentIndex, NoteId, SamplerIndex};
use crate::engine::message::Command;
use crate::units::{Frames, seconds_to_frames};

#[derive(Default)]
struct Assigned {
    /// What was assigned last, and the frame from which it plays.
    channels: [Option<(Frames, Arc<Instrument>)>; CHANNELS],
    /// Replaced, but not needed any more only from this frame on.
    leaving: Vec<(Frames, Arc<Instrument>)>,
}

/// A sound that notes can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedSound {
    /// By which it is played.
    pub name: String,
    /// Samples of a list; 0 of an instrument with keys.
    pub count: usize,
    /// Instruments of 128 samples each; of one with keys, one.
    pub places: Vec<InstrumentIndex>,
}

/// An instrument that notes name by its place.
struct Named {
    name: String,
    place: InstrumentIndex,
    instrument: Arc<Instrument>,
}

#[derive(Default)]
struct AllNamed {
    known: Vec<Named>,
    /// Others have their names since then.
    leaving: Vec<(Instant, Arc<Instrument>)>,
}

/// How long what was replaced stays for notes that are scheduled.
const NAMED_PATIENCE: Duration = Duration::from_secs(60);

/// A sampler.
pub struct Sampler {
    /// Its part of the engine, which goes later than this.
    #[cfg(feature = "device")]
    _locked: Option<crate::device::Locked>,
    pub(super) port: Arc<Port>,
    index: SamplerIndex,
    serial: u32,
    assigned: Mutex<Assigned>,
    presets: Mutex<Presets>,
    /// What notes name themselves, whatever their channel plays.
    named: Mutex<AllNamed>,
    closed: AtomicBool,
    next_note: AtomicU32,
    pub(super) effects: Mutex<Chain>,
}

impl Sampler {
    /// A sampler on the engine that a port leads to. Errors: `Closed`, `Limit`.
    pub fn new(port: &Arc<Port>, options: SamplerOptions) -> Result<Self> {
        let engine = port.engine();
        engine.shared().check_open()?;
        // Places come back through the engine; an offline one moves only when it is asked to.
        engine.take_in();
        let (index, serial) = lock(&engine.shared().places).sampler()?;
        let mut core = Core::new(options.polyphony as usize, options.stealing, options.gain as f32);
        core.key_polyphony = options.note_polyphony.unwrap_or(u32::MAX);
        core.velocity_curve = options.velocity_curve as f32;
        let core = Box::new(core);
        #[cfg(feature = "device")]
        let _locked = super::residence::lock_object(&*core);
        port.post(Command::AddSampler(index, core));
        Ok(Self {
            #[cfg(feature = "device")]
            _locked,
            port: port.clone(),
            index,
            serial,
            assigned: Mutex::default(),
            presets: Mutex::default(),
            named: Mutex::default(),
            closed: AtomicBool::new(false),
            next_note: AtomicU32::new(1),
            effects: Mutex::default(),
        })
    }

    /// Its engine.
    pub fn engine(&self) -> Engine {
        self.port.engine()
    }

    /// Its place, as records name it.
    pub fn index(&self) -> SamplerIndex {
        self.index
    }

    /// The number by which notices of its engine name it; never used again.
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// Errors: `Closed`, when the sampler or its engine is.
    pub fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Closed("the sampler is closed; make a new one".into()));
        }
        self.port.engine().shared().check_open()
    }

    /// From `time` on, or at once, new notes of a channel play this instrument, or nothing.
    ///
    /// Errors: `InvalidArgument`, `Closed`, `Limit`.
    pub fn assign(&self, channel: u8, instrument: Option<Arc<Instrument>>, time: Option<f64>) -> Result<()> {
        let time_value = time.map_or(Value::Undefined, Value::Number);
        check_call("assign", &[Value::Number(channel.into()), Value::Null, time_value])?;
        self.check_open()?;
        let number = instrument.as_ref().map(|instrument| instrument.install(&self.port)).transpose()?;
        if !self.port.send(Event::Assign { sampler: self.index, channel, instrument: number }, time) {
            return Err(Error::Limit("assign() found the queue full; send fewer notes at once".into()));
        }
        let now = self.port.memory().frame();
        let rate = self.engine().info().sample_rate;
        let from = time.map_or(now, |seconds| seconds_to_frames(seconds, rate)).max(now);
        let gone = {
            let mut assigned = lock(&self.assigned);
            let mut gone = assigned.leaving.extract_if(.., |(frame, _)| *frame < now).collect::<Vec<_>>();
            let place = assigned.channels.get_mut(usize::from(channel));
            let before = place
                .and_then(|place| std::mem::replace(place, instrument.map(|instrument| (from, instrument))));
            if let Some((since, before)) = before {
                // Needed until the new one plays; and until its own time has come, or the engine would forget that
                // assignment with it.
                let until = from.max(since);
                if until > now { assigned.leaving.push((until, before)) } else { gone.push((until, before)) }
            }
            gone
        };
        drop(gone);
        Ok(())
    }

    /// From now on program changes select the presets of the bank that an instrument was loaded from; `fill`: channels
    /// that play nothing play the instrument, channel 9 the bank's percussion. Returns whether there is such a bank.
    ///
    /// Errors: `Closed`, `Limit`.
    pub fn add_bank(&self, instrument: &Arc<Instrument>, fill: bool) -> Result<bool> {
        let Some(bank) = instrument.bank() else { return Ok(false) };
        self.check_open()?;
        let defaults = {
            let mut presets = lock(&self.presets);
            presets.add(&bank.soundfont, &bank.loaded(instrument));
            presets.publish(&self.port, self.index)?;
            presets.defaults(instrument)
        };
        if fill {
            for (channel, instrument) in (0u8..).zip(defaults) {
                if instrument.is_some() && self.instrument(channel).is_none() {
                    self.assign(channel, instrument, None)?;
                }
            }
        }
        Ok(true)
    }

    /// Has what a program change leads to loaded, or loading; returns the bank (`None`: the one that the channel's
    /// controllers have selected) and program that its event is to name. To be called before the event is sent.
    ///
    /// Thread: the one that owns the port; waits for the disk only where the engine is offline.
    /// Errors: `Closed`, `Limit`.
    pub fn prepare(&self, program: u8, bank: Option<u16>, channel: u8) -> Result<(Option<u16>, u8)> {
        self.check_open()?;
        let wait = if self.engine().info().backend == "offline" { Wait::Yes } else { Wait::No };
        lock(&self.presets).prepare(&self.port, self.index, (program, bank, channel), wait)
    }

    /// Has the sounds of an instrument in the engine, so that notes can name them: those of a bank, or the instrument
    /// itself under its name; nothing when it has none, unless it is `wanted` by itself.
    ///
    /// They stay until the sampler closes, or others have the same names; then for another minute, since notes that are
    /// scheduled may need them. Errors: `Closed`, `Limit`.
    pub fn add_sounds(&self, instrument: &Arc<Instrument>, wanted: bool) -> Result<Vec<PlacedSound>> {
        self.check_open()?;
        let own = [(instrument.name(), 0, std::slice::from_ref(instrument))];
        let sounds: Vec<(&str, usize, &[Arc<Instrument>])> = match instrument.sounds() {
            [] if instrument.name().is_empty() && !wanted => return Ok(Vec::new()),
            [] => own.to_vec(),
            sounds => sounds.iter().map(|sound| (&*sound.name, sound.count, &*sound.parts)).collect(),
        };
        let mut named = lock(&self.named);
        let now = Instant::now();
        named.leaving.retain(|(since, _)| now.duration_since(*since) < NAMED_PATIENCE);
        let mut placed = Vec::new();
        for (name, count, parts) in sounds {
            let mut places = Vec::new();
            for part in parts {
                places.push(part.install(&self.port)?);
            }
            let replaced =
                |known: &mut Named| known.name == name && !name.is_empty() && !places.contains(&known.place);
            let gone: Vec<_> = named.known.extract_if(.., replaced).collect();
            named.leaving.extend(gone.into_iter().map(|gone| (now, gone.instrument)));
            for (place, part) in places.iter().zip(parts) {
                if !named.known.iter().any(|known| known.place == *place) {
                    named.known.push(Named { name: name.into(), place: *place, instrument: part.clone() });
                }
            }
            placed.push(PlacedSound { name: name.into(), count, places });
        }
        Ok(placed)
    }

    /// A sound that goes round between two places of its sample, 0..=1: an instrument of its own, on the same key.
    ///
    /// Errors: `InvalidArgument`, `Closed`, `Limit`.
    pub fn looped(&self, place: InstrumentIndex, key: u8, start: f64, end: f64) -> Result<InstrumentIndex> {
        self.check_open()?;
        let mut named = lock(&self.named);
        let known = named.known.iter().find(|known| known.place == place);
        let (name, instrument) =
            known.map(|known| (known.name.clone(), known.instrument.clone())).ok_or_else(|| {
                Error::InvalidArgument("there is no such sound any more; load() it again".into())
            })?;
        let instrument = instrument.looped(key, start, end)?;
        let place = instrument.install(&self.port)?;
        named.known.push(Named { name, place, instrument });
        Ok(place)
    }

    /// What a channel plays.
    pub fn instrument(&self, channel: u8) -> Option<Arc<Instrument>> {
        lock(&self.assigned)
            .channels
            .get(usize::from(channel))
            .cloned()
            .flatten()
            .map(|(_, instrument)| instrument)
    }

    /// Starts a note and returns its id, valid for [`Self::release`] at once; 0 when the lane was full, which
    /// `dropped_events` counts.
    ///
    /// - `key`: 0..=127; 60 is C4.   - `velocity`: 0..=127; 0 is a note-off.
    /// - `seconds` on the engine clock, or `None` for the next block.
    ///
    /// Thread: the one that owns the port. Wait-free, no allocation. Errors: `InvalidArgument`, `Closed`.
    /// Source: MIDI 1.0 Detailed Specification, "Note On".
    pub fn note_on(&self, key: f64, velocity: f64, seconds: Option<f64>, channel: u8) -> Result<NoteId> {
        let time = seconds.map_or(Value::Undefined, Value::Number);
        check_call(
            "noteOn",
            &[Value::Number(key), Value::Number(velocity), time, Value::Number(channel.into())],
        )?;
        self.check_open()?;
        let note = self.next_note.fetch_add(1, Ordering::Relaxed).max(1);
        let event = Event::NoteOn {
            sampler: self.index,
            channel,
            late: self.engine().info().late,
            note,
            key: key as f32,
            velocity: velocity as f32,
            instrument: None,
        };
        Ok(if self.port.send(event, seconds) { note } else { 0 })
    }

    /// Lets go of one note, whatever its key. Errors: `InvalidArgument`, `Closed`.
    pub fn release(&self, note: NoteId, seconds: Option<f64>) -> Result<()> {
        let time = seconds.map_or(Value::Undefined, Value::Number);
        check_call("release", &[Value::Number(note.into()), time])?;
        self.check_open()?;
        if note > 0 {
            self.port.send(Event::Release { sampler: self.index, note, timed: false }, seconds);
        }
        Ok(())
    }

    /// Ends it: scheduled notes are forgotten, sounding ones fade. The second call does nothing.
    pub fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            self.leave();
            self.port.post(Command::CloseSampler(self.index));
        }
    }

    /// Its instruments stay until the engine has sent it back: to be called before the engine is told, or it may be
    /// back already.
    fn leave(&self) {
        let assigned = std::mem::take(&mut *lock(&self.assigned));
        let instruments = assigned.channels.into_iter().flatten().map(|(_, instrument)| instrument);
        let presets = std::mem::take(&mut *lock(&self.presets)).into_instruments();
        let leaving = assigned.leaving.into_iter().map(|(_, instrument)| instrument);
        let named = std::mem::take(&mut *lock(&self.named));
        let gone = named.leaving.into_iter().map(|(_, instrument)| instrument);
        let named = named.known.into_iter().map(|known| known.instrument).chain(gone);
        let kept = instruments.chain(leaving).chain(presets).chain(named).collect();
        let engine = self.port.engine();
        if !engine.is_closed() {
            let before = lock(&engine.shared().places).keep(self.index, kept);
            drop(before);
        }
    }
}

impl Drop for Sampler {
    /// Nobody can send to it any more: what was scheduled still sounds, then it goes.
    fn drop(&mut self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            self.leave();
            self.port.post(Command::AbandonSampler(self.index));
        }
    }
}
