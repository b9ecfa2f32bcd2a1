//! An engine's handle: state, figures, rendering, and the memory of its lane.

use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;

use super::error::throw;
use super::value;
use crate::control::{
    self, Engine, EngineOptions, LATE_POLICIES, MAX_GAIN, NOTE_PARAMS, NOTE_RESERVE, Notice, PARAMS, Port,
    SENDS, op,
};

#[napi(object, object_from_js = false)]
pub struct Info {
    pub backend: &'static str,
    pub device: String,
    pub sample_rate: u32,
    pub buffer_size: u32,
    pub channels: u32,
    pub late: u32,
}

#[napi(object, object_from_js = false)]
pub struct RealtimeStatus {
    pub policy: &'static str,
    pub priority: i32,
    pub granted: bool,
    pub via: &'static str,
    pub reason: Option<String>,
    pub thread_id: f64,
    pub cpu: Either<u32, Null>,
    pub memory_locked: f64,
}

#[napi(object, object_from_js = false)]
pub struct Bucket {
    pub up_to: f64,
    pub count: f64,
}

#[napi(object, object_from_js = false)]
pub struct Distribution {
    pub count: f64,
    pub mean: f64,
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
    pub histogram: Vec<Bucket>,
}

#[napi(object, object_from_js = false)]
pub struct XrunsBy {
    pub overload: f64,
    pub scheduling: f64,
    pub disk: f64,
    pub device: f64,
}

#[napi(object, object_from_js = false)]
pub struct Stats {
    pub frames: f64,
    pub callbacks: f64,
    pub xruns: f64,
    pub xruns_by: XrunsBy,
    pub degraded: f64,
    pub late_events: f64,
    pub dropped_events: f64,
    pub silent_notes: f64,
    pub malformed_records: f64,
    pub queue_high_water: f64,
    pub voices: f64,
    pub voices_peak: f64,
    pub voices_stolen: f64,
    pub lost_notices: f64,
    pub non_finite_samples: f64,
    pub load: f64,
    pub load_peak: f64,
    pub callback: Distribution,
    pub lateness: Distribution,
    pub jitter: Distribution,
}

#[napi(object, object_from_js = false)]
pub struct NoticeObject {
    pub kind: &'static str,
    pub sampler: Option<u32>,
    pub note: Option<u32>,
    pub code: Option<&'static str>,
    pub message: Option<String>,
    pub cause: Option<&'static str>,
    pub frames: Option<f64>,
    pub level: Option<u32>,
    pub backend: Option<&'static str>,
    pub device: Option<String>,
    pub late: Option<f64>,
}

/// A parameter of one note, with its number in a record.
#[napi(object, object_from_js = false)]
pub struct NoteParamObject {
    pub index: u32,
    pub name: &'static str,
    pub low: f64,
    pub high: f64,
    /// `set()` turns it while the note sounds.
    pub turns: bool,
}

/// One MIDI message as a record's operation, channel and two numbers; null for what no sampler follows.
#[napi(catch_unwind)]
pub fn midi_message(env: Env, bytes: Uint8Array) -> Result<Option<Vec<f64>>> {
    let record = control::message_record(&bytes).map_err(|error| throw(&env, &error))?;
    Ok(record.map(|[op, _, channel, _, a, b, ..]| vec![op, channel, a, b]))
}

/// What `lib/lane.cjs` has to know to write records: one table, here.
#[napi(object, object_from_js = false)]
pub struct LaneLayout {
    pub note_on: u32,
    pub note_off: u32,
    pub release: u32,
    pub pitch_bend: u32,
    pub all_notes_off: u32,
    pub all_sound_off: u32,
    pub sampler_gain: u32,
    pub sampler_pan: u32,
    pub sampler_mute: u32,
    pub master_gain: u32,
    pub panic: u32,
    pub suspend: u32,
    pub resume: u32,
    pub cancel: u32,
    pub control: u32,
    pub turn: u32,
    pub channel_pressure: u32,
    pub poly_pressure: u32,
    pub program: u32,
    pub note_params: Vec<NoteParamObject>,
    pub sends: Vec<&'static str>,
    pub late_policies: Vec<&'static str>,
    pub note_reserve: u32,
    pub max_gain: f64,
}

#[napi(catch_unwind)]
pub fn lane_layout() -> LaneLayout {
    LaneLayout {
        note_on: op::NOTE_ON,
        note_off: op::NOTE_OFF,
        release: op::RELEASE,
        pitch_bend: op::PITCH_BEND,
        all_notes_off: op::ALL_NOTES_OFF,
        all_sound_off: op::ALL_SOUND_OFF,
        sampler_gain: op::SAMPLER_GAIN,
        sampler_pan: op::SAMPLER_PAN,
        sampler_mute: op::SAMPLER_MUTE,
        master_gain: op::MASTER_GAIN,
        panic: op::PANIC,
        suspend: op::SUSPEND,
        resume: op::RESUME,
        cancel: op::CANCEL,
        control: op::CONTROL,
        turn: op::TURN,
        channel_pressure: op::CHANNEL_PRESSURE,
        poly_pressure: op::POLY_PRESSURE,
        program: op::PROGRAM,
        note_params: (0u32..)
            .zip(PARAMS)
            .map(|(index, info)| NoteParamObject {
                index,
                name: info.name,
                low: info.low,
                high: info.high,
                turns: NOTE_PARAMS.contains(&info.name),
            })
            .collect(),
        sends: SENDS.to_vec(),
        late_policies: LATE_POLICIES.to_vec(),
        note_reserve: NOTE_RESERVE,
        max_gain: MAX_GAIN,
    }
}

/// Throws when options contradict the default engine that is open.
#[napi(catch_unwind)]
pub fn check_default_options(env: Env, options: Unknown) -> Result<()> {
    let options = value::read(options)?;
    EngineOptions::read(&options)
        .and_then(|options| control::default_engine(options, 0))
        .map(drop)
        .map_err(|error| throw(&env, &error))
}

#[napi]
pub struct EngineHandle {
    engine: Engine,
    port: Arc<Port>,
    listeners: Vec<u64>,
}

impl Drop for EngineHandle {
    fn drop(&mut self) {
        for id in &self.listeners {
            self.engine.unlisten(*id);
        }
    }
}

impl EngineHandle {
    fn of(env: &Env, engine: control::Result<Engine>) -> Result<Self> {
        let opened = engine.and_then(|engine| Ok((Port::open(&engine)?, engine)));
        let (port, engine) = opened.map_err(|error| throw(env, &error))?;
        Ok(Self { engine, port, listeners: Vec::new() })
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn port(&self) -> &Arc<Port> {
        &self.port
    }
}

#[napi]
impl EngineHandle {
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, options: Unknown) -> Result<Self> {
        let options = value::read(options)?;
        Self::of(&env, EngineOptions::read(&options).and_then(Engine::open))
    }

    #[napi(factory, catch_unwind)]
    pub fn shared(env: Env, options: Unknown, voices: u32) -> Result<Self> {
        let options = value::read(options)?;
        let engine =
            EngineOptions::read(&options).and_then(|options| control::default_engine(options, voices));
        Self::of(&env, engine)
    }

    #[napi(catch_unwind)]
    pub fn info(&self) -> Info {
        let info = self.engine.device_info();
        Info {
            backend: info.backend,
            device: info.device,
            sample_rate: info.sample_rate,
            buffer_size: info.buffer_size,
            channels: info.channels,
            late: info.late as u32,
        }
    }

    /// The lane's header and records, lent: Rust frees them when JavaScript has let go of both and the engine, too.
    #[napi(catch_unwind)]
    pub fn lane<'env>(&self, env: &'env Env) -> Result<Vec<ArrayBuffer<'env>>> {
        let memory = self.port.memory();
        [memory.header_bytes(), memory.record_bytes()]
            .into_iter()
            .map(|(bytes, length)| {
                let owner = memory.clone();
                // SAFETY: the bytes belong to `memory`; the clone given to the finalizer keeps them alive until the
                // buffer is collected. They are atomics on the Rust side, so foreign writes are no data race.
                let buffer = unsafe { ArrayBuffer::from_external(env, bytes, length, owner, |_, owner| drop(owner)) }?;
                if !std::ptr::eq(buffer.as_ptr(), bytes) {
                    return Err(Error::from_reason(
                        "this runtime copies external memory (Electron's sandbox does), so notes cannot reach the \
                         audio thread; use Node or Bun",
                    ));
                }
                Ok(buffer)
            })
            .collect()
    }

    #[napi(catch_unwind)]
    pub fn is_closed(&self) -> bool {
        self.engine.is_closed()
    }

    #[napi(catch_unwind)]
    pub fn take_in(&self) {
        self.engine.take_in();
    }

    /// Throws when the engine is closed.
    #[napi(catch_unwind)]
    pub fn check_open(&self, env: Env) -> Result<()> {
        self.engine.check_open().map_err(|error| throw(&env, &error))
    }

    /// Renders the next frames into the front of an array.
    #[napi(catch_unwind)]
    pub fn render(&self, env: Env, frames: u32, mut into: Float32Array) -> Result<()> {
        // SAFETY: nothing else looks at the array while this call runs: it is the caller's thread, and an array over
        // shared memory that another thread writes meanwhile gives that thread's bytes, as it does in JavaScript.
        let out = unsafe { into.as_mut() };
        self.engine.render(frames as usize, out).map_err(|error| throw(&env, &error))
    }

    #[napi(catch_unwind)]
    pub fn realtime(&self) -> RealtimeStatus {
        let status = self.engine.realtime();
        RealtimeStatus {
            policy: status.policy,
            priority: status.priority,
            granted: status.granted,
            via: status.via,
            reason: status.reason,
            thread_id: status.thread_id as f64,
            cpu: status.cpu.map_or(Either::B(Null), Either::A),
            memory_locked: status.memory_locked as f64,
        }
    }

    /// Seconds on the engine clock at so many ms on [`super::monotonic_now`].
    #[napi(catch_unwind)]
    pub fn time_at(&self, env: Env, ms: f64) -> Result<f64> {
        self.engine.time_at(ms * 1e6).map_err(|error| throw(&env, &error))
    }

    #[napi(catch_unwind)]
    pub fn interpolation(&self) -> &'static str {
        self.engine.interpolation().name()
    }

    #[napi(catch_unwind)]
    pub fn set_interpolation(&self, env: Env, value: Unknown) -> Result<()> {
        self.port.set_interpolation(&value::read(value)?).map_err(|error| throw(&env, &error))
    }

    #[napi(catch_unwind)]
    pub fn output_latency(&self) -> f64 {
        self.engine.output_latency()
    }

    #[napi(catch_unwind)]
    pub fn stats(&self) -> Stats {
        let stats = self.engine.stats();
        Stats {
            frames: stats.frames,
            callbacks: stats.callbacks,
            xruns: stats.xruns,
            xruns_by: XrunsBy {
                overload: stats.xruns_by.overload,
                scheduling: stats.xruns_by.scheduling,
                disk: stats.xruns_by.disk,
                device: stats.xruns_by.device,
            },
            degraded: stats.degraded,
            late_events: stats.late_events,
            dropped_events: stats.dropped_events,
            silent_notes: stats.silent_notes,
            malformed_records: stats.malformed_records,
            queue_high_water: stats.queue_high_water,
            voices: stats.voices,
            voices_peak: stats.voices_peak,
            voices_stolen: stats.voices_stolen,
            lost_notices: stats.lost_notices,
            non_finite_samples: stats.non_finite_samples,
            load: stats.load,
            load_peak: stats.load_peak,
            callback: distribution(stats.callback),
            lateness: distribution(stats.lateness),
            jitter: distribution(stats.jitter),
        }
    }

    /// `[peak left, peak right, rms left, rms right]` since the last call.
    #[napi(catch_unwind)]
    pub fn meter(&self) -> Vec<f64> {
        let reading = self.engine.meter();
        [reading.peak, reading.rms].concat()
    }

    #[napi(catch_unwind)]
    pub fn reset_stats(&self) {
        self.engine.reset_stats();
    }

    /// Calls `listener` with what happened to the engine, or to its notes, a hundred times a second at most. Keeps no
    /// process alive.
    #[napi(catch_unwind)]
    pub fn listen(&mut self, notes: bool, listener: Function<Vec<NoticeObject>, ()>) -> Result<()> {
        let call = listener
            .build_threadsafe_function::<Vec<NoticeObject>>()
            .weak::<true>()
            .max_queue_size::<64>()
            .build_callback(|context| Ok(context.value))?;
        let id = self.engine.listen(notes, move |notices| {
            // A JavaScript thread that is 64 batches behind is not listening: what it misses is counted in stats().
            let _ = call.call(notices.iter().map(object).collect(), ThreadsafeFunctionCallMode::NonBlocking);
        });
        self.listeners.push(id);
        Ok(())
    }

    #[napi(catch_unwind)]
    pub fn close(&self) -> AsyncTask<Close> {
        AsyncTask::new(Close { engine: self.engine.clone(), first: self.engine.begin_close() })
    }
}

/// Closing waits for a fade: not on the JavaScript thread.
pub struct Close {
    engine: Engine,
    first: bool,
}

impl Task for Close {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> Result<()> {
        if self.first {
            self.engine.finish_close();
        }
        Ok(())
    }

    fn resolve(&mut self, _: Env, (): ()) -> Result<()> {
        Ok(())
    }
}

pub(super) fn distribution(from: control::Distribution) -> Distribution {
    Distribution {
        count: from.count as f64,
        mean: from.mean,
        p50: from.p50,
        p99: from.p99,
        p999: from.p999,
        max: from.max,
        histogram: from
            .histogram
            .into_iter()
            .map(|bucket| Bucket { up_to: bucket.up_to, count: bucket.count as f64 })
            .collect(),
    }
}

fn object(notice: &Notice) -> NoticeObject {
    let of = |kind| NoticeObject {
        kind,
        sampler: None,
        note: None,
        code: None,
        message: None,
        cause: None,
        frames: None,
        level: None,
        backend: None,
        device: None,
        late: None,
    };
    match notice {
        Notice::NoteEnded(sampler, note) => {
            NoticeObject { sampler: Some(*sampler), note: Some(*note), ..of("noteend") }
        }
        Notice::Stolen(sampler, note) => {
            NoticeObject { sampler: Some(*sampler), note: Some(*note), ..of("steal") }
        }
        Notice::Late(sampler, note, by) => {
            NoticeObject { sampler: Some(*sampler), note: Some(*note), late: Some(*by), ..of("late") }
        }
        Notice::LateNotes(count, worst) => {
            NoticeObject { frames: Some(f64::from(*count)), late: Some(*worst), ..of("late") }
        }
        Notice::Xrun { cause, frames } => {
            NoticeObject { cause: Some(cause), frames: Some(*frames as f64), ..of("xrun") }
        }
        Notice::DeviceLost(message) => NoticeObject { message: Some(message.clone()), ..of("devicelost") },
        Notice::DeviceRestored { backend, device } => {
            NoticeObject { backend: Some(backend), device: Some(device.clone()), ..of("devicerestored") }
        }
        Notice::DeviceChanged(message) => {
            NoticeObject { message: Some(message.clone()), ..of("devicechange") }
        }
        Notice::Degraded(level) => NoticeObject { level: Some(u32::from(*level)), ..of("degraded") },
        Notice::Error { code, message } => {
            NoticeObject { code: Some(code), message: Some(message.clone()), ..of("error") }
        }
    }
}
