//! A sampler's handle: its place, and what its channels play.

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::engine::EngineHandle;
use super::error::throw;
use super::instrument::InstrumentHandle;
use super::value;
use crate::control::{Sampler, SamplerOptions};

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
