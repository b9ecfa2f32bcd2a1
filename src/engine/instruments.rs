//! The instruments an engine holds: numbers that stay, versions that come and go.
//!
//! Voices refer to a version by its place and are counted there; a version that was replaced leaves by the collector
//! when its last voice has ended (RT-3).

use std::sync::Arc;

use super::event::InstrumentIndex;
use super::message::{Generation, Outgoing};
use super::storage::Storage;
use crate::instrument::Instrument;
use crate::rt::collector::Outbox;

/// Instruments one engine can hold at a time.
pub const MAX_INSTRUMENTS: usize = 1024;
/// Versions of them: one current for each, and as many that still ring.
pub const MAX_GENERATIONS: usize = 2 * MAX_INSTRUMENTS;

/// A version of an instrument, with what one engine counts for it.
pub struct Installed {
    instrument: Arc<Instrument>,
    /// For each region that takes turns, how many notes have come in its round. Of the engine, not of the instrument:
    /// two engines that share one play the same.
    turns: Box<[u8]>,
}

impl Installed {
    /// Ready for an engine. Thread: any but the audio thread.
    pub fn new(instrument: Arc<Instrument>) -> Self {
        let turns = if instrument.has_sequences() { instrument.regions().len() } else { 0 };
        Self { instrument, turns: vec![0; turns].into() }
    }
}

struct Version {
    installed: Installed,
    voices: u32,
    retired: bool,
}

/// The table.
pub struct Instruments {
    current: Vec<Option<Generation>>,
    versions: Vec<Option<Version>>,
    retired: usize,
}

impl Instruments {
    /// Room for all, and nothing in it.
    #[allow(clippy::new_without_default)] // 60 KB are nobody's default
    pub fn new() -> Self {
        Self {
            current: vec![None; MAX_INSTRUMENTS],
            versions: (0..MAX_GENERATIONS).map(|_| None).collect(),
            retired: 0,
        }
    }

    /// Where the table lies in memory.
    pub fn storage(&self) -> [Storage; 2] {
        [Storage::of_vec(&self.current), Storage::of_vec(&self.versions)]
    }

    /// Puts a version in its place; gives it back when the place is taken or there is none.
    pub fn set(
        &mut self,
        index: InstrumentIndex,
        generation: Generation,
        installed: Installed,
    ) -> Result<(), Installed> {
        let free = self.versions.get_mut(usize::from(generation)).filter(|place| place.is_none());
        let (Some(place), Some(current)) = (free, self.current.get_mut(usize::from(index))) else {
            return Err(installed);
        };
        *place = Some(Version { installed, voices: 0, retired: false });
        if let Some(old) = current.replace(generation) {
            self.retire(old);
        }
        Ok(())
    }

    /// Takes the current version out of use.
    pub fn remove(&mut self, index: InstrumentIndex) {
        if let Some(old) = self.current.get_mut(usize::from(index)).and_then(Option::take) {
            self.retire(old);
        }
    }

    /// The version that new notes play.
    pub fn current(&self, index: InstrumentIndex) -> Option<(Generation, &Instrument)> {
        let generation = (*self.current.get(usize::from(index))?)?;
        Some((generation, self.version(generation)?))
    }

    /// The same, with the turns that its regions take.
    pub fn current_and_turns(
        &mut self,
        index: InstrumentIndex,
    ) -> Option<(Generation, &Instrument, &mut [u8])> {
        let generation = (*self.current.get(usize::from(index))?)?;
        let Installed { instrument, turns } =
            &mut self.versions.get_mut(usize::from(generation))?.as_mut()?.installed;
        Some((generation, instrument, turns))
    }

    /// A version that a voice plays.
    pub fn version(&self, generation: Generation) -> Option<&Instrument> {
        self.versions.get(usize::from(generation))?.as_ref().map(|version| &*version.installed.instrument)
    }

    /// One more voice plays it.
    pub fn hold(&mut self, generation: Generation) {
        if let Some(Some(version)) = self.versions.get_mut(usize::from(generation)) {
            version.voices += 1;
        }
    }

    /// One voice less.
    pub fn let_go(&mut self, generation: Generation) {
        if let Some(Some(version)) = self.versions.get_mut(usize::from(generation)) {
            version.voices = version.voices.saturating_sub(1);
        }
    }

    /// Sends out retired versions that nobody plays; what does not fit stays for the next block.
    pub fn dispose(&mut self, outbox: &mut Outbox<Outgoing>) {
        if self.retired == 0 {
            return;
        }
        for (generation, place) in (0..).zip(self.versions.iter_mut()) {
            if place.as_ref().is_none_or(|version| !version.retired || version.voices > 0) {
                continue;
            }
            if !outbox.has_room() {
                return;
            }
            if let Some(version) = place.take() {
                // There is room, so nothing comes back to be dropped here.
                let _ = outbox.discard(Outgoing::Instrument(generation, version.installed));
                self.retired -= 1;
            }
        }
    }

    fn retire(&mut self, generation: Generation) {
        if let Some(Some(version)) = self.versions.get_mut(usize::from(generation)) {
            version.retired = true;
            self.retired += 1;
        }
    }
}
