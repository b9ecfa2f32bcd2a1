//! What a sampler's program changes select: the presets of the SoundFonts that were loaded into it.
//!
//! A preset is loaded when the first program change asks for it, on a thread of its own, while the engine already has its
//! place: notes that come before it is there are silent and counted; on an offline engine, where nobody waits for the
//! clock, the call waits instead. The channel of General MIDI's percussion, 9, takes its programs from bank 128.
//!
//! In the engine a bank is both its controllers, 128 × CC 0 + CC 32. A SoundFont's bank is CC 0 (as in Roland's GS), and its
//! bank 128 stands at CC 0 = 120, where General MIDI 2 has percussion.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::error::{Error, Result};
use super::instrument::Instrument;
use super::port::Port;
use crate::engine::Programs;
use crate::engine::event::{CHANNELS, SamplerIndex};
use crate::engine::message::Command;
use crate::load::sf2::{DRUM_BANK, SoundFont};

/// Channel of percussion, counted from 0. Source: General MIDI Level 1.
const DRUM_CHANNEL: u8 = 9;
/// Where the engine has percussion: CC 0 = 120. Source: General MIDI Level 2, section 3.3.
const DRUM_NUMBER: u16 = 120 << 7;

/// A SoundFont's bank as the engine counts.
fn number_of(bank: u16) -> u16 {
    match bank {
        DRUM_BANK => DRUM_NUMBER,
        0..DRUM_BANK => bank << 7,
        other => other.min(16_383),
    }
}

struct Row {
    bank: Arc<SoundFont>,
    preset: usize,
    /// Once somebody has asked for it.
    instrument: Option<Arc<Instrument>>,
}

/// Presets by bank and program, as the engine counts.
#[derive(Default)]
pub(super) struct Presets {
    rows: BTreeMap<(u16, u8), Row>,
}

/// How a preset that is not there yet gets there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// On a thread of its own.
    No,
    /// Before this returns.
    Yes,
}

impl Presets {
    /// Adds a bank: of two that have the same preset, the later counts. `loaded`: presets of it that are loaded.
    pub(super) fn add(&mut self, bank: &Arc<SoundFont>, loaded: &[(usize, Arc<Instrument>)]) {
        for (preset, row) in bank.presets().iter().enumerate() {
            let Ok(program @ 0..=127) = u8::try_from(row.program) else { continue };
            let at = (number_of(row.bank), program);
            let first = self.rows.get(&at).is_some_and(|row| Arc::ptr_eq(&row.bank, bank));
            let instrument =
                loaded.iter().find(|(known, _)| *known == preset).map(|(_, loaded)| loaded.clone());
            // The first of a place counts; and what is loaded of this bank already stays.
            match self.rows.get_mut(&at).filter(|_| first) {
                Some(known) if instrument.is_some() && known.preset == preset => {
                    known.instrument = instrument
                }
                Some(_) => {}
                None => {
                    self.rows.insert(at, Row { bank: bank.clone(), preset, instrument });
                }
            }
        }
    }

    /// Where a program change leads: the row for this bank, else for bank 0; on the percussion channel, or in its bank,
    /// another kit rather than a piano.
    fn resolve(&self, program: u8, bank: Option<u16>, channel: u8) -> Vec<(u16, u8)> {
        let has = |at: &(u16, u8)| self.rows.contains_key(at);
        let drums = bank.map_or(channel == DRUM_CHANNEL, |bank| bank == DRUM_BANK);
        match (bank, drums) {
            (_, true) => {
                [(DRUM_NUMBER, program), (DRUM_NUMBER, 0)].into_iter().find(has).into_iter().collect()
            }
            (Some(bank), false) => {
                [(number_of(bank), program), (0, program)].into_iter().find(has).into_iter().collect()
            }
            // The channel's controllers say which bank, and only the engine knows them: all that it can be.
            (None, false) => {
                self.rows.keys().filter(|at| at.1 == program && at.0 != DRUM_NUMBER).copied().collect()
            }
        }
    }

    /// Has the presets that a program change can lead to loaded or loading, in the engine and in its table of programs;
    /// returns which bank and program the event is to name, the bank `None` where the channel's controllers say it.
    ///
    /// Errors: `Limit`, `Closed`.
    pub(super) fn prepare(
        &mut self,
        port: &Arc<Port>,
        sampler: SamplerIndex,
        (program, bank, channel): (u8, Option<u16>, u8),
        wait: Wait,
    ) -> Result<(Option<u16>, u8)> {
        let found = self.resolve(program, bank, channel);
        let mut started = Vec::new();
        for at in &found {
            if let Some(row) = self.rows.get_mut(at).filter(|row| row.instrument.is_none()) {
                let name = row.bank.presets().get(row.preset).map_or("", |preset| &preset.name);
                let instrument = Instrument::new(name, None);
                started.push((row.bank.clone(), row.preset, instrument.clone()));
                row.instrument = Some(instrument);
            }
        }
        if !started.is_empty() {
            self.publish(port, sampler)?;
        }
        for (bank, preset, instrument) in started {
            start(bank, preset, instrument, wait)?;
        }
        Ok(match (found.as_slice(), bank, channel) {
            (&[(number, program)], Some(_), _) | (&[(number, program)], None, DRUM_CHANNEL) => {
                (Some(number), program)
            }
            // Nothing is there: the engine leaves the channel as it is.
            (_, bank, _) => (bank.map(number_of), program),
        })
    }

    /// Tells the engine what is there. Errors: `Limit`, `Closed`.
    pub(super) fn publish(&self, port: &Arc<Port>, sampler: SamplerIndex) -> Result<()> {
        let mut entries = Vec::new();
        for ((bank, program), row) in &self.rows {
            let Some(instrument) = &row.instrument else { continue };
            // One that was unloaded is no program any more.
            if let Ok(index) = instrument.install(port) {
                entries.push((*bank, *program, index));
            }
        }
        port.post(Command::SetPrograms(sampler, Box::new(Programs::new(entries))));
        Ok(())
    }

    /// What channels that play nothing play with a bank of General MIDI: the instrument, and percussion on channel 9.
    pub(super) fn defaults(&self, melodic: &Arc<Instrument>) -> [Option<Arc<Instrument>>; CHANNELS] {
        let drums = self.rows.get(&(DRUM_NUMBER, 0)).and_then(|row| row.instrument.clone());
        std::array::from_fn(|channel| match channel == usize::from(DRUM_CHANNEL) {
            true => drums.clone(),
            false => Some(melodic.clone()),
        })
    }

    /// All that is loaded, which the engine may still play.
    pub(super) fn into_instruments(self) -> impl Iterator<Item = Arc<Instrument>> {
        self.rows.into_values().filter_map(|row| row.instrument)
    }
}

/// Loads a preset into an instrument that is in the engine already. What goes wrong is in its warnings.
fn start(bank: Arc<SoundFont>, preset: usize, instrument: Arc<Instrument>, wait: Wait) -> Result<()> {
    let work = move || {
        let loaded = bank.load(preset, &mut |_| ControlFlow::Continue(()));
        let (regions, warnings) = match loaded {
            Ok(loaded) => (loaded.regions, loaded.warnings),
            Err(error) => (Vec::new(), vec![error.to_string()]),
        };
        // Unloaded meanwhile: then nobody wants it.
        let _ = instrument.add_regions(regions, warnings);
    };
    if wait == Wait::Yes {
        work();
        return Ok(());
    }
    let spawned = std::thread::Builder::new().name("ictus-load".into()).spawn(work);
    spawned
        .map(drop)
        .map_err(|error| Error::Limit(format!("the system gives no thread to load a preset with: {error}")))
}
