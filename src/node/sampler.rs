//! A sampler's handle: its place, and what its channels play.

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::engine::EngineHandle;
use super::error::throw;
use super::instrument::InstrumentHandle;
use super::value;
use crate::control::{self, Sampler, SamplerOptions};

#[napi(object, object_from_js = false)]
pub struct PlacedSound {
    pub name: String,
    pub count: u32,
    pub places: Vec<u32>,
}

#[napi]
pub struct SamplerHandle {
    sampler: Sampler,
}

#[napi]
impl SamplerHandle {
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, engine: &EngineHandle, options: Unknown) -> Result<Self> {
        let options = value::read(options)?;
        let sampler = SamplerOptions::read(&options, false)
            .and_then(|options| Sampler::new(engine.port(), options))
            .map_err(|error| throw(&env, &error))?;
        Ok(Self { sampler })
    }

    #[napi(catch_unwind)]
    pub fn index(&self) -> u32 {
        u32::from(self.sampler.index())
    }

    #[napi(catch_unwind)]
    pub fn serial(&self) -> u32 {
        self.sampler.serial()
    }

    /// Throws when the sampler or its engine is closed.
    #[napi(catch_unwind)]
    pub fn check_open(&self, env: Env) -> Result<()> {
        self.sampler.check_open().map_err(|error| throw(&env, &error))
    }

    #[napi(catch_unwind)]
    pub fn assign(
        &self,
        env: Env,
        channel: u8,
        instrument: Option<&InstrumentHandle>,
        time: Option<f64>,
    ) -> Result<()> {
        let instrument = instrument.map(|handle| handle.instrument().clone());
        self.sampler.assign(channel, instrument, time).map_err(|error| throw(&env, &error))
    }

    /// Sounds that notes can name: of a bank, or the instrument itself.
    #[napi(catch_unwind)]
    pub fn add_sounds(
        &self,
        env: Env,
        instrument: &InstrumentHandle,
        wanted: bool,
    ) -> Result<Vec<PlacedSound>> {
        let placed =
            self.sampler.add_sounds(instrument.instrument(), wanted).map_err(|error| throw(&env, &error))?;
        let sound = |sound: control::PlacedSound| PlacedSound {
            name: sound.name,
            count: sound.count as u32,
            places: sound.places.into_iter().map(u32::from).collect(),
        };
        Ok(placed.into_iter().map(sound).collect())
    }

    /// A sound that goes round, as another place.
    #[napi(catch_unwind)]
    pub fn looped(&self, env: Env, place: u32, key: u32, start: f64, end: f64) -> Result<u32> {
        let looped = self.sampler.looped(place as u16, key.min(127) as u8, start, end);
        looped.map(u32::from).map_err(|error| throw(&env, &error))
    }

    /// Program changes select the presets of this instrument's bank; whether it has one.
    #[napi(catch_unwind)]
    pub fn add_bank(&self, env: Env, instrument: &InstrumentHandle, fill: bool) -> Result<bool> {
        self.sampler.add_bank(instrument.instrument(), fill).map_err(|error| throw(&env, &error))
    }

    /// What the event of a program change is to say: bank × 128 + program, the bank −1 for the one selected.
    #[napi(catch_unwind)]
    pub fn program(&self, env: Env, program: u8, bank: Option<u32>, channel: u8) -> Result<i32> {
        let bank = bank.map(|bank| bank.min(16_383) as u16);
        let (bank, program) =
            self.sampler.prepare(program, bank, channel).map_err(|error| throw(&env, &error))?;
        Ok(bank.map_or(-1, i32::from) * 128 + i32::from(program))
    }

    #[napi(catch_unwind)]
    pub fn set_effect(&self, env: Env, name: Unknown, params: Unknown) -> Result<()> {
        let (name, params) = (value::read(name)?, value::read(params)?);
        self.sampler.set_effect(&name, &params).map_err(|error| throw(&env, &error))
    }

    #[napi(catch_unwind)]
    pub fn send_effect(&self, env: Env, name: Unknown, level: Unknown) -> Result<()> {
        let (name, level) = (value::read(name)?, value::read(level)?);
        self.sampler.send_effect(&name, &level).map_err(|error| throw(&env, &error))
    }

    /// Something is about to be sent to an effect, by number.
    #[napi(catch_unwind)]
    pub fn use_effect(&self, send: u32) {
        self.sampler.use_effect(send as usize);
    }

    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.sampler.close();
    }
}
