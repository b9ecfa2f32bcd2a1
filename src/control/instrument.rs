//! An instrument as its users hold it: it grows, is installed in engines, and leaves them.
//!
//! The model (`crate::instrument`) never changes; each change here makes a new one and sends it to every engine that
//! has the old. What sounds ends on what it started with.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use super::engine::{Engine, Shared};
use super::error::{Error, Result};
use super::lock;
use super::port::Port;
use crate::dsp::envelope::EnvelopeTimes;
use crate::dsp::interpolate::{Interpolation, Kernel};
use crate::engine::event::InstrumentIndex;
use crate::engine::instruments::Installed;
use crate::engine::message::{Command, Generation};
use crate::instrument::{
    Instrument as Model, LoopMode, LoopSettings, MAX_REGIONS, Modulation, Play, Playback, Region, SampleLoop,
};
use crate::load::sf2::{Preset, SoundFont};

/// What is known of an instrument.
#[derive(Clone, Debug, PartialEq)]
pub struct InstrumentInfo {
    /// Regions.
    pub regions: usize,
    /// Distinct samples.
    pub samples: usize,
    /// Bytes of sample memory.
    pub memory: usize,
    /// Lowest and highest key; `None` without regions.
    pub key_range: Option<(u8, u8)>,
    /// Keys that choose what others play, and what they are called.
    pub keyswitches: Vec<(u8, String)>,
    /// What could not be done while loading.
    pub warnings: Vec<String>,
}

/// Where it is installed. Weak: an engine keeps instruments alive that its samplers play, not the other way round.
struct Install {
    engine: Weak<Shared>,
    port: Weak<Port>,
    index: InstrumentIndex,
    generation: Generation,
}

impl Install {
    /// Sends to the engine, in order with the notes of the port that it came by, as long as there is one.
    fn post(&self, engine: &Shared, command: Command) {
        match self.port.upgrade() {
            Some(port) => port.post(command),
            None => engine.post(command),
        }
    }
}

struct State {
    kernel: Option<Kernel>,
    model: Arc<Model>,
    /// For each region of the model, which call added it: layers start in the order of the calls, whichever file was
    /// read first.
    turns: Vec<u64>,
    envelope: Option<EnvelopeTimes>,
    modulation: Option<Arc<Modulation>>,
    warnings: Vec<String>,
    installs: Vec<Install>,
    unloaded: bool,
    play: Play,
}

/// The SoundFont that an instrument is a preset of.
#[derive(Clone)]
pub struct Bank {
    /// All presets.
    pub soundfont: Arc<SoundFont>,
    /// Which of them the instrument is.
    pub preset: usize,
    /// Another that was loaded along with it: the percussion of General MIDI.
    pub drums: Option<(usize, Arc<Instrument>)>,
}

impl Bank {
    /// What is loaded of it; `instrument` is the one that has this.
    pub fn loaded(&self, instrument: &Arc<Instrument>) -> Vec<(usize, Arc<Instrument>)> {
        let own = (self.preset, instrument.clone());
        self.drums.clone().into_iter().chain([own]).collect()
    }
}

/// A sound of a bank, as `play` finds it.
pub struct Sound {
    /// By which it is played.
    pub name: String,
    /// Samples of a list; 0 of one by note.
    pub count: usize,
    /// 128 samples each, one on each key; by note, one.
    pub parts: Vec<Arc<Instrument>>,
}

/// An instrument.
pub struct Instrument {
    name: String,
    bank: OnceLock<Bank>,
    sounds: OnceLock<Vec<Sound>>,
    state: Mutex<State>,
    interpolation: Option<Interpolation>,
    next_turn: AtomicU64,
}

/// How long a change waits for the engine to give back a version that has faded away.
const VERSION_PATIENCE: Duration = Duration::from_secs(2);

impl Instrument {
    /// One without samples, read with an interpolation of its own or, `None`, the engine's.
    pub fn new(name: &str, interpolation: Option<Interpolation>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            bank: OnceLock::new(),
            sounds: OnceLock::new(),
            interpolation,
            state: Mutex::new(State {
                kernel: interpolation.map(Kernel::new),
                model: Arc::default(),
                turns: Vec::new(),
                envelope: None,
                modulation: None,
                warnings: Vec::new(),
                installs: Vec::new(),
                unloaded: false,
                play: Play::default(),
            }),
            next_turn: AtomicU64::new(0),
        })
    }

    /// Says which preset of which SoundFont it is. Only the first word counts.
    pub fn set_bank(&self, bank: Bank) {
        let _ = self.bank.set(bank);
    }

    /// The SoundFont that it is a preset of.
    pub fn bank(&self) -> Option<&Bank> {
        self.bank.get()
    }

    /// All presets of its SoundFont, in order of bank and program; none when it comes from elsewhere.
    pub fn presets(&self) -> &[Preset] {
        self.bank.get().map_or(&[], |bank| bank.soundfont.presets())
    }

    /// Says which sounds it has by name. Only the first word counts.
    pub fn set_sounds(&self, sounds: Vec<Sound>) {
        let _ = self.sounds.set(sounds);
    }

    /// The sounds that it has by name; none unless it is a bank.
    pub fn sounds(&self) -> &[Sound] {
        self.sounds.get().map_or(&[], Vec::as_slice)
    }

    /// One of its regions, the first on a key, going round from `start` to `end`, 0..=1 of its sample, as an instrument.
    ///
    /// Errors: `InvalidArgument` when nothing is on that key, or nothing between the two; `Limit`.
    pub fn looped(&self, key: u8, start: f64, end: f64) -> Result<Arc<Self>> {
        let region = {
            let state = lock(&self.state);
            let number = state.model.matching(f32::from(key), 127.0).next();
            number.and_then(|number| state.model.region(number)).cloned()
        };
        let looped = region.and_then(|region| {
            let frames = f64::from(region.sample.frames());
            let [start, end] = [start, end].map(|place| (place * frames).round() as u32);
            let settings = LoopSettings::forward(start, end, LoopMode::Continuous);
            let round = SampleLoop::new(&region.sample, &settings)?;
            Some(Region { playback: Playback::Loop(Arc::new(round)), ..region })
        });
        let region = looped.ok_or_else(|| {
            Error::InvalidArgument(format!(
                "loop must have a start before its end, both from 0 to 1 of a sample that is there, got {start} to {end}"
            ))
        })?;
        let instrument = Self::new(&self.name, None);
        instrument.add_regions(vec![region], Vec::new())?;
        Ok(instrument)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its notes are read with, whatever the engine's is.
    pub fn interpolation(&self) -> Option<Interpolation> {
        self.interpolation
    }

    /// What is known of it.
    pub fn info(&self) -> InstrumentInfo {
        let state = lock(&self.state);
        let key_range = state.model.key_range();
        let keyswitches = state.model.play().switches.clone();
        let warnings = state.warnings.clone();
        if self.sounds().is_empty() {
            let model = &state.model;
            let (regions, samples, memory) = (model.regions().len(), model.samples(), model.bytes());
            return InstrumentInfo { regions, samples, memory, key_range, keyswitches, warnings };
        }
        // Of a bank: what its sounds have, which it shares on the keyboard.
        let parts = self.sounds().iter().flat_map(|sound| &sound.parts).map(|part| part.info());
        let none = InstrumentInfo { regions: 0, samples: 0, memory: 0, key_range, keyswitches, warnings };
        parts.fold(none, |sum, part| InstrumentInfo {
            regions: sum.regions + part.regions,
            samples: sum.samples + part.samples,
            memory: sum.memory + part.memory,
            ..sum
        })
    }

    /// A place in the order of regions, taken when a call is made, for [`Self::add_regions_in_turn`] when it is done.
    pub fn turn(&self) -> u64 {
        self.next_turn.fetch_add(1, Ordering::Relaxed)
    }

    /// Adds regions behind all others. New notes find them as soon as this returns.
    ///
    /// Thread: any that may wait. Errors: `Closed`, `Limit`.
    pub fn add_regions(&self, regions: Vec<Region>, warnings: Vec<String>) -> Result<()> {
        self.add_regions_in_turn(self.turn(), regions, warnings)
    }

    /// Adds regions where their turn is.
    ///
    /// Thread: any that may wait. Errors: `Closed`, `Limit`.
    pub fn add_regions_in_turn(&self, turn: u64, regions: Vec<Region>, warnings: Vec<String>) -> Result<()> {
        #[cfg(feature = "device")]
        super::residence::lock_samples(&regions);
        let mut state = lock(&self.state);
        let count = state.model.regions().len() + regions.len();
        if count > MAX_REGIONS {
            return Err(Error::Limit(format!(
                "an instrument has at most {MAX_REGIONS} regions, not {count}"
            )));
        }
        let mut all = state.model.regions().to_vec();
        let at = state.turns.partition_point(|other| *other <= turn);
        let mut turns = state.turns.clone();
        turns.splice(at..at, regions.iter().map(|_| turn));
        all.splice(at..at, regions);
        if let Some(envelope) = state.envelope {
            all.iter_mut().for_each(|region| region.envelope = envelope);
        }
        if let Some(modulation) = &state.modulation {
            all.iter_mut().for_each(|region| region.modulation = modulation.clone());
        }
        state.publish(all)?;
        state.turns = turns;
        state.warnings.extend(warnings);
        Ok(())
    }

    /// Keyswitches, and where controllers stand when it is assigned.
    ///
    /// Errors: `Closed`, `Limit`.
    pub fn set_play(&self, play: Play) -> Result<()> {
        let mut state = lock(&self.state);
        state.play = play;
        let regions = state.model.regions().to_vec();
        state.publish(regions)
    }

    /// Gives all regions, present and future, this envelope. Notes that sound keep theirs.
    ///
    /// Errors: `Closed`, `Limit`.
    pub fn set_envelope(&self, envelope: EnvelopeTimes) -> Result<()> {
        let mut state = lock(&self.state);
        state.envelope = Some(envelope);
        let mut all = state.model.regions().to_vec();
        all.iter_mut().for_each(|region| region.envelope = envelope);
        state.publish(all)
    }

    /// Gives all regions, present and future, these filters, LFOs, envelopes and routes. Notes that sound keep theirs.
    ///
    /// Errors: `Closed`, `Limit`.
    pub fn set_modulation(&self, modulation: Modulation) -> Result<()> {
        let modulation = Arc::new(modulation);
        let mut state = lock(&self.state);
        state.modulation = Some(modulation.clone());
        let mut all = state.model.regions().to_vec();
        all.iter_mut().for_each(|region| region.modulation = modulation.clone());
        state.publish(all)
    }

    /// The envelope that was set last, or the default.
    pub fn envelope(&self) -> EnvelopeTimes {
        lock(&self.state).envelope.unwrap_or_default()
    }

    /// Its number in the engine that a port leads to; installs it there when it is new.
    ///
    /// Errors: `Closed`, `Limit`.
    pub fn install(&self, port: &Arc<Port>) -> Result<InstrumentIndex> {
        let mut state = lock(&self.state);
        state.check()?;
        let engine = port.engine();
        let same = |install: &&Install| std::ptr::eq(install.engine.as_ptr(), Arc::as_ptr(engine.shared()));
        if let Some(install) = state.installs.iter().find(same) {
            return Ok(install.index);
        }
        let generation = generation(&engine)?;
        let index = lock(&engine.shared().places).instrument()?;
        port.post(Command::SetInstrument(index, generation, Installed::new(state.model.clone())));
        let (engine, port) = (Arc::downgrade(engine.shared()), Arc::downgrade(port));
        state.installs.push(Install { engine, port, index, generation });
        Ok(index)
    }

    /// Takes it out of all engines. What sounds ends by itself. The second call does nothing.
    pub fn unload(&self) {
        self.sounds().iter().flat_map(|sound| &sound.parts).for_each(|part| part.unload());
        self.leave(Command::RemoveInstrument);
    }

    fn leave(&self, command: fn(InstrumentIndex) -> Command) {
        let mut state = lock(&self.state);
        state.unloaded = true;
        state.model = Arc::default();
        state.turns.clear();
        for install in std::mem::take(&mut state.installs) {
            let Some(engine) = install.engine.upgrade().filter(|engine| !engine.is_closed()) else {
                continue;
            };
            lock(&engine.places).retire(install.index, install.generation);
            install.post(&engine, command(install.index));
        }
    }
}

impl Drop for Instrument {
    fn drop(&mut self) {
        self.leave(Command::DropInstrument);
    }
}

impl State {
    fn check(&self) -> Result<()> {
        if self.unloaded {
            return Err(Error::Closed("the instrument is unloaded; load it again".into()));
        }
        Ok(())
    }

    /// Makes these regions the instrument, here and in every engine that has it.
    fn publish(&mut self, regions: Vec<Region>) -> Result<()> {
        self.check()?;
        self.installs.retain(|install| install.engine.upgrade().is_some_and(|engine| !engine.is_closed()));
        let model = Arc::new(Model::new(regions).with_kernel(self.kernel).with_play(self.play.clone()));
        for install in &mut self.installs {
            let Some(engine) = install.engine.upgrade() else { continue };
            let generation = generation(&Engine::of(engine.clone()))?;
            install.post(
                &engine,
                Command::SetInstrument(install.index, generation, Installed::new(model.clone())),
            );
            install.generation = generation;
        }
        self.model = model;
        Ok(())
    }
}

/// A place for a version, waiting for one that has faded away if need be.
fn generation(engine: &Engine) -> Result<Generation> {
    engine.shared().check_open()?;
    let started = Instant::now();
    loop {
        if let Some(generation) = lock(&engine.shared().places).generation() {
            return Ok(generation);
        }
        if started.elapsed() > VERSION_PATIENCE {
            return Err(Error::Limit(
                "too many changes to instruments at once: the engine still plays the older versions; wait for the \
                 promises of addSample() before adding more"
                    .into(),
            ));
        }
        engine.take_in();
        std::thread::sleep(Duration::from_millis(1));
    }
}
