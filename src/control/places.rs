//! Bookkeeping of the places in an engine: samplers, instruments and their versions, lanes.
//!
//! A place is given out here, filled by a message, and free again only when the engine has sent its content back: so
//! the engine never has to search for room, and never finds a place taken.

use std::sync::Arc;

use super::error::{Error, Result};
use super::instrument::Instrument;
use crate::engine::event::{InstrumentIndex, SamplerIndex};
use crate::engine::message::Generation;
use crate::engine::{MAX_GENERATIONS, MAX_INSTRUMENTS, MAX_LANES, MAX_SAMPLERS, MAX_SOURCES};

/// The free places of one engine, and what must live as long as a taken one.
pub struct Places {
    samplers: Vec<SamplerIndex>,
    instruments: Vec<InstrumentIndex>,
    generations: Vec<Generation>,
    lanes: usize,
    sources: usize,
    /// For each version, the instrument number that is free when it comes back.
    frees: Vec<Option<InstrumentIndex>>,
    /// Who has, or had last, each place for samplers; numbers are not used again, places are.
    serials: Vec<u32>,
    next_serial: u32,
    /// Instruments of samplers that were let go of but still play.
    keepsakes: Vec<Vec<Arc<Instrument>>>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            samplers: (0..MAX_SAMPLERS as SamplerIndex).rev().collect(),
            instruments: (0..MAX_INSTRUMENTS as InstrumentIndex).rev().collect(),
            generations: (0..MAX_GENERATIONS as Generation).rev().collect(),
            // The engine's own lane is there from the start.
            lanes: MAX_LANES - 1,
            sources: MAX_SOURCES,
            frees: vec![None; MAX_GENERATIONS],
            serials: vec![0; MAX_SAMPLERS],
            next_serial: 1,
            keepsakes: vec![Vec::new(); MAX_SAMPLERS],
        }
    }
}

impl Places {
    /// A place for a sampler, and the number by which notices name it.
    pub fn sampler(&mut self) -> Result<(SamplerIndex, u32)> {
        let index = self.samplers.pop().ok_or_else(|| {
            Error::Limit(format!(
                "an engine holds {MAX_SAMPLERS} samplers at a time; close() those no longer needed"
            ))
        })?;
        let serial = self.next_serial;
        self.next_serial += 1;
        if let Some(place) = self.serials.get_mut(usize::from(index)) {
            *place = serial;
        }
        Ok((index, serial))
    }

    /// Who has a sampler's place. What the engine tells of a sampler comes before the sampler itself comes back, so
    /// this is still who is meant.
    pub fn serial(&self, index: SamplerIndex) -> u32 {
        self.serials.get(usize::from(index)).copied().unwrap_or(0)
    }

    /// A number for an instrument.
    pub fn instrument(&mut self) -> Result<InstrumentIndex> {
        self.instruments.pop().ok_or_else(|| {
            Error::Limit(format!(
                "an engine holds {MAX_INSTRUMENTS} instruments at a time; unload() those no longer needed"
            ))
        })
    }

    /// A place for a version of an instrument, or `None` while all are taken by versions that still ring or whose
    /// return has not been seen yet.
    pub fn generation(&mut self) -> Option<Generation> {
        self.generations.pop()
    }

    /// Room for another producer.
    pub fn lane(&mut self) -> Result<()> {
        self.lanes = self.lanes.checked_sub(1).ok_or_else(|| {
            Error::Limit(format!(
                "an engine takes events from {} JavaScript handles at a time; share one Engine object per thread",
                MAX_LANES - 1
            ))
        })?;
        Ok(())
    }

    /// Room for another source.
    pub fn source(&mut self) -> Result<()> {
        self.sources = self.sources.checked_sub(1).ok_or_else(|| {
            Error::Limit(format!(
                "an engine plays {MAX_SOURCES} PCM streams at a time; close() those no longer needed"
            ))
        })?;
        Ok(())
    }

    /// From now on the instrument's number is free when this version comes back.
    pub fn retire(&mut self, index: InstrumentIndex, generation: Generation) {
        if let Some(place) = self.frees.get_mut(usize::from(generation)) {
            *place = Some(index);
        }
    }

    /// Keeps instruments alive until the sampler comes back. What is given back is to be dropped without a lock held:
    /// an instrument that goes takes this one.
    #[must_use]
    pub fn keep(&mut self, sampler: SamplerIndex, instruments: Vec<Arc<Instrument>>) -> Vec<Arc<Instrument>> {
        match self.keepsakes.get_mut(usize::from(sampler)) {
            Some(place) => std::mem::replace(place, instruments),
            None => instruments,
        }
    }

    /// A version came back.
    pub fn generation_is_free(&mut self, generation: Generation) {
        if let Some(index) = self.frees.get_mut(usize::from(generation)).and_then(Option::take) {
            self.instruments.push(index);
        }
        self.generations.push(generation);
    }

    /// A sampler came back; returns what was kept for it, to be dropped without a lock held.
    #[must_use]
    pub fn sampler_is_free(&mut self, index: SamplerIndex) -> Vec<Arc<Instrument>> {
        self.samplers.push(index);
        self.keepsakes.get_mut(usize::from(index)).map(std::mem::take).unwrap_or_default()
    }

    /// The engine is gone: nothing comes back any more. To be dropped without a lock held.
    #[must_use]
    pub fn give_up_keepsakes(&mut self) -> Vec<Arc<Instrument>> {
        self.keepsakes.iter_mut().flat_map(std::mem::take).collect()
    }

    /// A source came back.
    pub fn source_is_free(&mut self) {
        self.sources += 1;
    }

    /// A lane came back.
    pub fn lane_is_free(&mut self) {
        self.lanes += 1;
    }
}
