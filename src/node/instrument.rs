//! An instrument's handle, and the promises that load it.

use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;

use super::error::throw;
use super::value;
use crate::control::{
    self, Cancel, Instrument, Loading, Metadata, PresetWish, SampleSource, Source, make_region,
    read_envelope, read_metadata, read_modulation,
};

#[napi(object, object_from_js = false)]
pub struct Keyswitch {
    pub key: u32,
    pub label: String,
}

#[napi(object, object_from_js = false)]
pub struct InstrumentInfo {
    pub regions: u32,
    pub samples: u32,
    pub memory: f64,
    pub key_range: Vec<u32>,
    pub keyswitches: Vec<Keyswitch>,
    pub warnings: Vec<String>,
}

/// A path; notes and paths; names of sounds and lists of paths; mono values; a file's bytes.
type LoadSource =
    Either5<String, Vec<(String, String)>, Vec<(String, Vec<String>)>, Float32Array, Uint8Array>;

/// What is said beside the source.
#[napi(object, object_to_js = false)]
pub struct LoadWishes {
    pub base: Option<String>,
    pub preset: Option<Either<u32, String>>,
    pub bank: Option<u32>,
    pub interpolation: Option<String>,
}

#[napi(object, object_from_js = false)]
pub struct Preset {
    pub bank: u32,
    pub program: u32,
    pub name: String,
}

#[napi]
pub struct InstrumentHandle {
    instrument: Arc<Instrument>,
}

impl InstrumentHandle {
    pub(super) fn instrument(&self) -> &Arc<Instrument> {
        &self.instrument
    }
}

#[napi]
impl InstrumentHandle {
    #[napi(constructor, catch_unwind)]
    pub fn new(name: String, interpolation: Option<String>) -> Self {
        let interpolation = interpolation.as_deref().and_then(control::interpolation);
        Self { instrument: Instrument::new(&name, interpolation) }
    }

    #[napi(catch_unwind)]
    pub fn name(&self) -> String {
        self.instrument.name().into()
    }

    #[napi(catch_unwind)]
    pub fn presets(&self) -> Vec<Preset> {
        let preset = |preset: &control::Preset| Preset {
            bank: preset.bank.into(),
            program: preset.program.into(),
            name: preset.name.clone(),
        };
        self.instrument.presets().iter().map(preset).collect()
    }

    #[napi(catch_unwind)]
    pub fn info(&self) -> InstrumentInfo {
        let info = self.instrument.info();
        InstrumentInfo {
            regions: info.regions as u32,
            samples: info.samples as u32,
            memory: info.memory as f64,
            key_range: info.key_range.map_or(vec![], |(low, high)| vec![low.into(), high.into()]),
            keyswitches: info
                .keyswitches
                .into_iter()
                .map(|(key, label)| Keyswitch { key: key.into(), label })
                .collect(),
            warnings: info.warnings,
        }
    }

    /// Adds a sample: a path, or values, which are copied before this returns.
    #[napi(catch_unwind)]
    pub fn add_sample(
        &self,
        env: Env,
        data: Either3<String, Float32Array, Vec<Float32Array>>,
        metadata: Unknown,
        engine_rate: u32,
    ) -> Result<AsyncTask<AddSample>> {
        let metadata =
            value::read(metadata).map(|value| read_metadata(&value))?.map_err(|error| throw(&env, &error))?;
        let source = match data {
            Either3::A(path) => SampleSource::Path(path),
            Either3::B(values) => SampleSource::Interleaved(values.to_vec()),
            Either3::C(channels) => {
                SampleSource::Planar(channels.iter().map(|values| values.to_vec()).collect())
            }
        };
        let (instrument, turn) = (self.instrument.clone(), self.instrument.turn());
        Ok(AsyncTask::new(AddSample { instrument, turn, source: Some(source), metadata, engine_rate }))
    }

    #[napi(catch_unwind)]
    pub fn set_modulation(&self, env: Env, modulation: Unknown) -> Result<()> {
        read_modulation(&value::read(modulation)?)
            .and_then(|modulation| self.instrument.set_modulation(modulation))
            .map_err(|error| throw(&env, &error))
    }

    #[napi(catch_unwind)]
    pub fn set_envelope(&self, env: Env, envelope: Unknown) -> Result<()> {
        read_envelope(&value::read(envelope)?)
            .and_then(|envelope| self.instrument.set_envelope(envelope))
            .map_err(|error| throw(&env, &error))
    }

    #[napi(catch_unwind)]
    pub fn unload(&self) {
        self.instrument.unload();
    }
}

pub struct AddSample {
    instrument: Arc<Instrument>,
    turn: u64,
    source: Option<SampleSource>,
    metadata: Metadata,
    engine_rate: u32,
}

impl Task for AddSample {
    type Output = control::Result<()>;
    type JsValue = ();

    fn compute(&mut self) -> Result<Self::Output> {
        let Some(source) = self.source.take() else { return Ok(Ok(())) };
        Ok(make_region(source, &self.metadata, self.engine_rate).and_then(|(region, warnings)| {
            self.instrument.add_regions_in_turn(self.turn, vec![region], warnings)
        }))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> Result<()> {
        output.map_err(|error| throw(&env, &error))
    }
}

/// Stops a load.
#[napi]
#[derive(Default)]
pub struct CancelHandle {
    cancel: Cancel,
}

#[napi]
impl CancelHandle {
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Self::default()
    }

    #[napi(catch_unwind)]
    pub fn cancel(&self) {
        self.cancel.cancel();
    }
}

#[napi(object, object_from_js = false)]
pub struct Progress {
    pub loaded: u32,
    pub total: u32,
    pub bytes: f64,
    pub current: String,
}

/// Loads an instrument: from a path, `[name, path]` pairs with the folder they are relative to, mono values, or the
/// bytes of a file; values and bytes are copied before this returns.
#[napi(catch_unwind)]
pub fn load(
    source: LoadSource,
    wishes: LoadWishes,
    engine_rate: u32,
    on_progress: Option<Function<Progress, ()>>,
    cancel: &CancelHandle,
) -> Result<AsyncTask<Load>> {
    let LoadWishes { base, preset, bank, interpolation } = wishes;
    let source = match source {
        Either5::A(path) => Source::Path(path),
        Either5::B(entries) => Source::Map { entries, base: base.clone() },
        Either5::C(entries) => Source::Sounds { entries, base: base.clone() },
        Either5::D(values) => Source::Samples(values.to_vec()),
        Either5::E(bytes) => Source::Bytes(bytes.to_vec()),
    };
    let progress = on_progress
        .map(|listener| {
            let call = listener
                .build_threadsafe_function::<Progress>()
                .weak::<true>()
                .build_callback(|context| Ok(context.value))?;
            Ok::<_, Error>(Box::new(move |at: control::Progress| {
                let progress = Progress {
                    loaded: at.loaded as u32,
                    total: at.total as u32,
                    bytes: at.bytes as f64,
                    current: at.current,
                };
                let _ = call.call(progress, ThreadsafeFunctionCallMode::NonBlocking);
            }) as Box<dyn Fn(control::Progress) + Send>)
        })
        .transpose()?;
    let interpolation = interpolation.as_deref().and_then(control::interpolation);
    let mut wish = PresetWish { bank: bank.map(|bank| bank as u16), ..PresetWish::default() };
    match preset {
        Some(Either::A(program)) => wish.program = Some(program as u16),
        Some(Either::B(name)) => wish.name = Some(name),
        None => {}
    }
    let cancel = cancel.cancel.clone();
    let loading = Loading { source, engine_rate, base, preset: wish, interpolation, cancel };
    Ok(AsyncTask::new(Load { loading, progress }))
}

pub struct Load {
    loading: Loading,
    progress: Option<Box<dyn Fn(control::Progress) + Send>>,
}

impl Task for Load {
    type Output = control::Result<Arc<Instrument>>;
    type JsValue = InstrumentHandle;

    fn compute(&mut self) -> Result<Self::Output> {
        Ok(self.loading.run(|at| {
            if let Some(progress) = &self.progress {
                progress(at);
            }
        }))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> Result<InstrumentHandle> {
        output.map(|instrument| InstrumentHandle { instrument }).map_err(|error| throw(&env, &error))
    }
}
