//! An engine as its users hold it: opened with options, asked for its state, closed once.
//!
//! The engine proper lives in the audio thread's render closure, or, offline, here behind a lock. Everything else
//! about it is shared by all handles.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use super::error::{Error, Result};
use super::options::{DEFAULT_POLYPHONY, DEFAULT_SAMPLE_RATE, EngineOptions};
use super::places::Places;
use super::port::{Mailbox, Port};
use super::stats::{RealtimeInfo, Stats};
use super::stream::{Clock, Stream};
use super::{lock, notifier};
use crate::dsp::interpolate::Interpolation;
use crate::dsp::limiter::LimiterSettings;
use crate::engine::event::{Event, Late, NoteId, encode};
use crate::engine::message::{Command, Fact, Outgoing};
use crate::engine::{Engine as Core, EngineConfig, EngineCounters, EngineEnds, Reading};
use crate::rt::collector::Collector;
use crate::rt::lane::LaneMemory;

/// What an engine turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineInfo {
    /// The backend that answered.
    pub backend: &'static str,
    /// Name of the device; empty when there is none.
    pub device: String,
    /// Hz.
    pub sample_rate: u32,
    /// Frames a callback, as asked for or as the device says; actual callbacks may differ.
    pub buffer_size: u32,
    /// Output channels.
    pub channels: u32,
    /// What becomes of late notes that don't say.
    pub late: Late,
}

/// Something that happened and may interest a user.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// The last voice of a note of the sampler with this serial number has ended.
    NoteEnded(u32, NoteId),
    /// A voice of this note was taken for another.
    Stolen(u32, NoteId),
    /// This note of a sampler came so many seconds after its time.
    Late(u32, NoteId, f64),
    /// So many notes have come late since the last of these notices, the worst of them by so many seconds.
    LateNotes(u32, f64),
    /// The device was not served in time.
    Xrun {
        /// overload, scheduling, disk or device.
        cause: &'static str,
        /// Frames missed, as far as that is known.
        frames: u64,
    },
    /// The device is gone; the clock goes on without it, and it is looked for.
    DeviceLost(String),
    /// A device is there again: the engine's [`Engine::device_info`].
    DeviceRestored {
        /// The backend that has it.
        backend: &'static str,
        /// Its name.
        device: String,
    },
    /// The system routed the stream to another device.
    DeviceChanged(String),
    /// There is too much to render, and less is done: 1, new voices with a cheaper interpolation; 2, the quietest
    /// voices fade. 0: all of it again.
    Degraded(u8),
    /// Something that must not go unheard: the renderer stopped, the thread lost its priority.
    Error {
        /// As in [`Error::code`].
        code: &'static str,
        /// What and why.
        message: String,
    },
}

impl Notice {
    fn is_of_note(&self) -> bool {
        matches!(self, Self::NoteEnded(..) | Self::Stolen(..) | Self::Late(..))
    }
}

#[derive(Clone)]
struct Listener {
    id: u64,
    /// Whether it hears of notes, too: thousands a second, perhaps.
    notes: bool,
    call: Call,
}

type Call = Arc<dyn Fn(&[Notice]) + Send + Sync>;

enum Output {
    Offline(Box<Core>),
    #[cfg(feature = "device")]
    Stream(Box<crate::device::Stream>),
    Closed,
}

/// Everything that handles of one engine share.
pub struct Shared {
    /// What is locked of the engine's memory, before the output, so that it goes before the engine does.
    #[cfg(feature = "device")]
    residence: Mutex<Option<super::residence::Residence>>,
    pub(super) info: EngineInfo,
    /// Options as they turned out, for comparing.
    settled: EngineOptions,
    /// Of new notes, since it was opened or last set.
    interpolation: Mutex<Interpolation>,
    pub(super) places: Mutex<Places>,
    pub(super) counters: Arc<EngineCounters>,
    mailbox: Mutex<Mailbox>,
    collector: Mutex<Collector<Outgoing>>,
    ports: Mutex<Vec<Weak<Port>>>,
    streams: Mutex<Vec<Weak<Stream>>>,
    output: Mutex<Output>,
    offline: bool,
    closed: AtomicBool,
    listeners: Mutex<Vec<Listener>>,
    /// Notices from other threads than the helper.
    pending: Arc<Mutex<Vec<Notice>>>,
    #[cfg(feature = "device")]
    device: Option<Arc<crate::device::DeviceCounters>>,
    /// What a closed engine still answers.
    last_realtime: Mutex<Option<RealtimeInfo>>,
}

/// An engine. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// Frames that an offline engine renders at a time before it hears what ended in them.
const RENDER_PIECE: usize = 1024;

/// How long closing waits for the fade before it stops the device all the same.
const CLOSE_FADE_LIMIT: Duration = Duration::from_millis(100);

impl Engine {
    /// Opens an engine; when this returns, its stream is running.
    ///
    /// Errors: `NoDevice`, `Device`, `RealtimeDenied`, `InvalidArgument` (what the device does not offer).
    pub fn open(options: EngineOptions) -> Result<Self> {
        // Before the environment is asked: ICTUS_DEVICE is meant for the backends that have devices.
        if let (Some(backend @ ("clock" | "offline")), Some(device)) = (options.backend, &options.device) {
            return Err(Error::NoDevice(format!(
                "backend '{backend}' has no devices, so none is called \"{device}\"; leave device out"
            )));
        }
        let options = options.or_environment(|name| std::env::var(name).ok())?;
        let engine = match options.backend {
            Some("offline") => Self::open_offline(&options),
            _ => Self::open_device(&options)?,
        };
        notifier::watch(&engine);
        Ok(engine)
    }

    fn open_offline(options: &EngineOptions) -> Self {
        let info = EngineInfo {
            backend: "offline",
            device: String::new(),
            sample_rate: options.sample_rate.unwrap_or(DEFAULT_SAMPLE_RATE),
            buffer_size: options.buffer_size.unwrap_or(128),
            channels: options.channels.unwrap_or(2),
            late: options.late.unwrap_or_default(),
        };
        let (core, ends) = Core::new(config(options, &info));
        Self::assemble(options, info, ends, Output::Offline(Box::new(core)), Arc::default())
    }

    #[cfg(not(feature = "device"))]
    fn open_device(options: &EngineOptions) -> Result<Self> {
        Err(Error::NoDevice(format!(
            "backend '{}' is not in this build, which was made without the feature 'device'; use 'offline'",
            options.backend.unwrap_or("auto")
        )))
    }

    #[cfg(feature = "device")]
    fn open_device(options: &EngineOptions) -> Result<Self> {
        use super::options::{Policy, Realtime};
        use super::residence::{Residence, touch_engine};
        use crate::device::{self, Backend, RealtimeRequest, Request};

        let request = Request {
            backend: options.backend.and_then(Backend::parse).unwrap_or(Backend::Auto),
            device: options.device.clone(),
            sample_rate: options.sample_rate,
            buffer_size: options.buffer_size,
            channels: options.channels.unwrap_or(2) as u16,
            realtime: match options.realtime.unwrap_or_default() {
                Realtime::Off => None,
                Realtime::Ask { policy, priority, required, cpu, .. } => Some(RealtimeRequest {
                    policy: match policy {
                        Policy::Fifo => device::Policy::Fifo,
                        Policy::RoundRobin => device::Policy::Rr,
                        Policy::Other => device::Policy::Other,
                    },
                    priority: priority as u8,
                    required,
                    cpu,
                }),
            },
        };
        let lock_memory = options.realtime.unwrap_or_default().locks_memory();
        let pending: Arc<Mutex<Vec<Notice>>> = Arc::default();
        let inbox = pending.clone();
        let events = Arc::new(move |event| lock(&inbox).push(notice(event)));
        let mut made = None;
        let stream = device::open(
            &request,
            |format| {
                let info = EngineInfo {
                    backend: format.backend.as_str(),
                    device: format.device.clone(),
                    sample_rate: format.sample_rate,
                    buffer_size: format.buffer_size,
                    channels: u32::from(format.channels),
                    late: options.late.unwrap_or_default(),
                };
                let (core, ends) = Core::new(config(options, &info));
                // Where it stays from here on.
                let core = Box::new(core);
                let storage = core.storage();
                let residence = lock_memory.then(|| Residence::of_engine(&storage));
                if residence.is_none() {
                    touch_engine(&storage);
                }
                made = Some((info, ends, residence));
                Box::new(Playing(core))
            },
            events,
        )?;
        let (info, ends, residence) =
            made.ok_or_else(|| Error::Device("the device opened without a format".into()))?;
        let engine = Self::assemble(options, info, ends, Output::Stream(Box::new(stream)), pending);
        *lock(&engine.shared.residence) = residence;
        Ok(engine)
    }

    fn assemble(
        options: &EngineOptions,
        info: EngineInfo,
        ends: EngineEnds,
        output: Output,
        pending: Arc<Mutex<Vec<Notice>>>,
    ) -> Self {
        let settled = EngineOptions {
            backend: Some(info.backend),
            device: options.device.clone(),
            sample_rate: Some(info.sample_rate),
            buffer_size: options.buffer_size.or(Some(info.buffer_size)),
            channels: Some(info.channels),
            polyphony: Some(options.polyphony.unwrap_or(DEFAULT_POLYPHONY)),
            interpolation: Some(options.interpolation.unwrap_or_default()),
            late: Some(info.late),
            limiter: Some(options.limiter.unwrap_or(Some(LimiterSettings::default()))),
            realtime: Some(options.realtime.unwrap_or_default()),
        };
        #[cfg(feature = "device")]
        let device = match &output {
            Output::Stream(stream) => Some(stream.counters().clone()),
            _ => None,
        };
        let shared = Shared {
            #[cfg(feature = "device")]
            residence: Mutex::default(),
            info,
            interpolation: Mutex::new(options.interpolation.unwrap_or_default()),
            settled,
            places: Mutex::default(),
            counters: ends.counters,
            mailbox: Mutex::new(Mailbox::new(ends.lane)),
            collector: Mutex::new(ends.collector),
            ports: Mutex::default(),
            streams: Mutex::default(),
            offline: matches!(output, Output::Offline(_)),
            output: Mutex::new(output),
            closed: AtomicBool::new(false),
            listeners: Mutex::default(),
            pending,
            #[cfg(feature = "device")]
            device,
            last_realtime: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    pub(super) fn of(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// What it turned out to be when it was opened.
    pub fn info(&self) -> &EngineInfo {
        &self.shared.info
    }

    /// The same with the device as it is now: another one, perhaps, since the first was lost.
    pub fn device_info(&self) -> EngineInfo {
        let info = self.shared.info.clone();
        #[cfg(feature = "device")]
        if let Output::Stream(stream) = &*lock(&self.shared.output) {
            let format = stream.device();
            return EngineInfo {
                backend: format.backend.as_str(),
                device: format.device,
                buffer_size: format.buffer_size,
                ..info
            };
        }
        info
    }

    /// Seconds on the engine clock at `ns` on [`monotonic_ns`]: of the frame that the device asks for at that moment,
    /// with jitter filtered out and the drift between both clocks in it.
    ///
    /// Errors: `Closed`; `InvalidArgument` when the engine is offline, and so has no time of its own.
    pub fn time_at(&self, ns: f64) -> Result<f64> {
        self.shared.check_open()?;
        #[cfg(feature = "device")]
        if let Output::Stream(stream) = &*lock(&self.shared.output) {
            return Ok(stream.frame_at(ns).unwrap_or(0.0) / f64::from(self.shared.info.sample_rate));
        }
        Err(Error::InvalidArgument(format!(
            "timeAt() needs an engine whose clock runs by itself; this one's backend is '{}', whose clock goes on with \
             render(), so {ns} ns of the system's mean nothing to it",
            self.shared.info.backend
        )))
    }

    /// Whether it has been closed.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Errors: `Closed`, when it is.
    pub fn check_open(&self) -> Result<()> {
        self.shared.check_open()
    }

    /// Renders the next `frames` into the front of `out`, interleaved.
    ///
    /// Thread: the caller's is the audio thread meanwhile. Errors: `Closed`; `InvalidArgument` when the engine is not
    /// offline, or `out` too short.
    pub fn render(&self, frames: usize, out: &mut [f32]) -> Result<()> {
        self.shared.check_open()?;
        if !self.shared.offline {
            return Err(Error::InvalidArgument(format!(
                "render() needs an engine with backend 'offline'; this one's is '{}', which plays by itself",
                self.shared.info.backend
            )));
        }
        let channels = self.shared.info.channels as usize;
        let room = out.len();
        let Some(out) = out.get_mut(..frames.saturating_mul(channels)) else {
            return Err(Error::InvalidArgument(format!(
                "{frames} frames of {channels} channels need room for {} values, into has {room}",
                frames.saturating_mul(channels)
            )));
        };
        self.shared.take_in();
        // In pieces, since facts about notes have a bounded way out. The bits are the same (RT-6). What is collected is
        // dropped with no lock held: it may send messages of its own.
        for piece in out.chunks_mut(RENDER_PIECE * channels) {
            self.shared.streams().iter().for_each(|stream| stream.pump());
            if let Output::Offline(core) = &mut *lock(&self.shared.output) {
                core.process(piece);
            }
            self.shared.collect();
        }
        Ok(())
    }

    /// What new notes are read with whose instrument has nothing of its own.
    pub fn interpolation(&self) -> Interpolation {
        *self.shared.interpolation()
    }

    /// Options as they turned out and as they are now, for comparing.
    pub(super) fn settled(&self) -> EngineOptions {
        EngineOptions { interpolation: Some(self.interpolation()), ..self.shared.settled.clone() }
    }

    /// Takes in what has been sent, so that a full lane has room again. Offline only; elsewhere it does nothing.
    pub fn take_in(&self) {
        self.shared.take_in();
    }

    /// What the audio thread got from the kernel.
    pub fn realtime(&self) -> RealtimeInfo {
        match &*lock(&self.shared.output) {
            #[cfg(feature = "device")]
            Output::Stream(stream) => RealtimeInfo::of(stream.realtime()),
            Output::Closed => lock(&self.shared.last_realtime)
                .clone()
                .unwrap_or_else(|| RealtimeInfo::none("the engine is closed")),
            Output::Offline(_) => {
                RealtimeInfo::none("an offline engine has no audio thread: render() runs on the caller's")
            }
        }
    }

    /// Seconds from a block's rendering to the loudspeaker, as the device reports it; 0 where there is none.
    pub fn output_latency(&self) -> f64 {
        match &*lock(&self.shared.output) {
            #[cfg(feature = "device")]
            Output::Stream(stream) => stream.output_latency(),
            _ => 0.0,
        }
    }

    /// Peak and RMS of both sides since they were last asked for.
    pub fn meter(&self) -> Reading {
        self.shared.counters.meter.read()
    }

    /// Counters, now.
    pub fn stats(&self) -> Stats {
        let ports = lock(&self.shared.ports);
        let lost_in_lanes: u64 =
            ports.iter().filter_map(Weak::upgrade).map(|port| u64::from(port.memory().dropped())).sum();
        Stats::gather(
            &self.shared.counters,
            lost_in_lanes,
            #[cfg(feature = "device")]
            self.shared.device.as_deref(),
        )
    }

    /// Starts all counters anew, but for the clock and what is counted in lanes.
    pub fn reset_stats(&self) {
        self.shared.counters.reset();
        for port in lock(&self.shared.ports).iter().filter_map(Weak::upgrade) {
            port.memory().reset_dropped();
        }
        #[cfg(feature = "device")]
        if let Some(device) = &self.shared.device {
            device.reset();
        }
    }

    /// Hears of what happens to the engine, or to its notes, on the helper thread, until [`Self::unlisten`] with the
    /// same number.
    pub fn listen(&self, notes: bool, call: impl Fn(&[Notice]) + Send + Sync + 'static) -> u64 {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        lock(&self.shared.listeners).push(Listener { id, notes, call: Arc::new(call) });
        id
    }

    /// Ends a listener.
    pub fn unlisten(&self, id: u64) {
        let mut listeners = lock(&self.shared.listeners);
        let gone =
            listeners.iter().position(|listener| listener.id == id).map(|at| listeners.swap_remove(at));
        // What a listener holds may take locks of its runtime when it goes, which its runtime may hold while it waits
        // for ours: a worker that is terminated did.
        drop(listeners);
        drop(gone);
    }

    /// Fades out, stops the device, frees everything. Takes up to a tenth of a second; the second call returns at
    /// once.
    pub fn close(&self) {
        if self.begin_close() {
            self.finish_close();
        }
    }

    /// From here on nothing is taken in; true the first time, and then [`Self::finish_close`] is the caller's to call.
    pub fn begin_close(&self) -> bool {
        !self.shared.closed.swap(true, Ordering::AcqRel)
    }

    /// Waits for the fade, stops the device and frees everything.
    ///
    /// Thread: any that may wait a tenth of a second.
    pub fn finish_close(&self) {
        let shared = &self.shared;
        if !shared.offline {
            let memory = shared.own_memory();
            memory.push(&encode(Event::Suspend, None), 0);
            let started = Instant::now();
            // Two blocks at least: large ones take longer than any fade.
            let block = f64::from(shared.info.buffer_size) / f64::from(shared.info.sample_rate);
            let limit =
                CLOSE_FADE_LIMIT.max(Duration::from_secs_f64(2.0 * block).min(Duration::from_secs(5)));
            while !memory.is_stopped() && started.elapsed() < limit {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let mut last = self.realtime();
        last.reason = Some("the engine is closed".into());
        *lock(&shared.last_realtime) = Some(last);
        #[cfg(feature = "device")]
        drop(lock(&shared.residence).take());
        let output = std::mem::replace(&mut *lock(&shared.output), Output::Closed);
        match output {
            #[cfg(feature = "device")]
            Output::Stream(stream) => stream.close(),
            other => drop(other),
        }
        shared.tick();
        let keepsakes = lock(&shared.places).give_up_keepsakes();
        drop(keepsakes);
    }

    /// Whether nothing sounds and nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        let memory = self.shared.own_memory();
        if self.shared.offline || memory.is_stopped() {
            // Its clock stands, and nobody is left to move it.
            return true;
        }
        let ports = lock(&self.shared.ports);
        memory.is_quiet() && ports.iter().filter_map(Weak::upgrade).all(|port| port.memory().waiting() == 0)
    }

    /// Handles beside the caller's.
    pub(super) fn handles(&self) -> usize {
        Arc::strong_count(&self.shared) - 1
    }
}

/// Nanoseconds on the clock that [`Engine::time_at`] means: the system's monotonic one; 0 in a build without devices.
pub fn monotonic_ns() -> f64 {
    #[cfg(feature = "device")]
    return crate::device::monotonic_ns() as f64;
    #[cfg(not(feature = "device"))]
    0.0
}

/// The engine as a device drives it.
#[cfg(feature = "device")]
struct Playing(Box<Core>);

#[cfg(feature = "device")]
impl crate::device::Renderer for Playing {
    fn render(&mut self, out: &mut [f32]) {
        self.0.process(out);
    }

    fn frame(&self) -> Option<u64> {
        Some(self.0.frame())
    }

    fn ease(&mut self, effort: crate::device::Effort, load: f64) {
        use crate::device::Effort as Told;
        use crate::engine::{Effort, Share};
        self.0.set_effort(match effort {
            Told::Full => Effort::Full,
            Told::Cheaper => Effort::Cheaper,
            // Voices cost alike, more or less: so many that what is left takes three quarters of the time.
            Told::Fewer => Effort::Fewer(Share::new((1.0 - 0.75 / load).clamp(0.125, 0.75))),
        });
    }
}

fn config(options: &EngineOptions, info: &EngineInfo) -> EngineConfig {
    EngineConfig {
        sample_rate: info.sample_rate,
        channels: info.channels as usize,
        polyphony: options.polyphony.unwrap_or(DEFAULT_POLYPHONY) as usize,
        interpolation: options.interpolation.unwrap_or_default(),
        limiter: options.limiter.unwrap_or(Some(LimiterSettings::default())),
    }
}

impl Shared {
    pub(super) fn interpolation(&self) -> MutexGuard<'_, Interpolation> {
        lock(&self.interpolation)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn is_offline(&self) -> bool {
        self.offline
    }

    pub(super) fn check_open(&self) -> Result<()> {
        if self.is_closed() {
            return Err(Error::Closed("the engine is closed; make a new one".into()));
        }
        Ok(())
    }

    pub(super) fn add_port(&self, port: &Arc<Port>) {
        let mut ports = lock(&self.ports);
        ports.retain(|port| port.strong_count() > 0);
        ports.push(Arc::downgrade(port));
    }

    /// The memory of the engine's own lane.
    pub(super) fn own_memory(&self) -> Arc<LaneMemory> {
        lock(&self.mailbox).memory().clone()
    }

    /// Sends an owned message by the engine's own lane.
    pub(super) fn post(&self, command: Command) {
        lock(&self.mailbox).post(command);
    }

    pub(super) fn take_in(&self) {
        if !self.offline {
            return;
        }
        // Twice where something had to wait for room: what waited has gone in by then.
        loop {
            let all = self.flush();
            if let Output::Offline(core) = &mut *lock(&self.output) {
                core.take_in();
            }
            self.collect();
            if all || self.is_closed() {
                return;
            }
        }
    }

    /// Sends on what had to wait for room; whether all of it went.
    fn flush(&self) -> bool {
        let ports: Vec<_> = lock(&self.ports).iter().filter_map(Weak::upgrade).collect();
        let own = lock(&self.mailbox).flush();
        ports.iter().fold(own, |all, port| port.flush() && all)
    }

    pub(super) fn add_stream(&self, stream: &Arc<Stream>) {
        let mut streams = lock(&self.streams);
        streams.retain(|stream| stream.strong_count() > 0);
        streams.push(Arc::downgrade(stream));
    }

    /// Streams that somebody holds. To be dropped with no lock held.
    pub(super) fn streams(&self) -> Vec<Arc<Stream>> {
        lock(&self.streams).iter().filter_map(Weak::upgrade).collect()
    }

    /// Looks after the streams; returns when to do so again at the latest.
    fn tick_streams(&self) -> Duration {
        let streams = self.streams();
        if streams.is_empty() {
            return Duration::MAX;
        }
        let rate = self.info.sample_rate;
        let ahead = match self.settled.limiter {
            Some(Some(limiter)) => limiter.lookahead_s,
            _ => 0.0,
        };
        let device = match &*lock(&self.output) {
            #[cfg(feature = "device")]
            Output::Stream(stream) => stream.output_latency(),
            _ => 0.0,
        };
        let clock = Clock {
            frame: self.own_memory().frame(),
            rate,
            latency: ((ahead + device) * f64::from(rate)).ceil() as u64,
            is_closed: self.is_closed(),
        };
        streams.iter().map(|stream| stream.tick(&clock)).min().unwrap_or(Duration::MAX)
    }

    /// What the helper thread does some hundred times a second; returns when it must be done again, if sooner.
    pub(super) fn tick(&self) -> Duration {
        self.flush();
        self.collect();
        let notices = std::mem::take(&mut *lock(&self.pending));
        let again = self.tick_streams();
        self.tell(notices);
        again
    }

    fn tell(&self, notices: Vec<Notice>) {
        let (of_notes, of_engine): (Vec<_>, Vec<_>) = notices.into_iter().partition(Notice::is_of_note);
        if of_notes.is_empty() && of_engine.is_empty() {
            return;
        }
        let listeners = lock(&self.listeners).clone();
        for listener in listeners {
            let heard = if listener.notes { &of_notes } else { &of_engine };
            if !heard.is_empty() {
                (listener.call)(heard);
            }
        }
    }

    /// Frees what the engine sent out, and notes what it told, for the helper thread to pass on.
    fn collect(&self) {
        let mut notices = Vec::new();
        let mut late = (0, 0.0f64);
        // Dropped at the end, with no lock held: an instrument's end posts messages of its own.
        let mut garbage = Vec::new();
        let mut keepsakes = Vec::new();
        {
            let mut collector = lock(&self.collector);
            let mut places = lock(&self.places);
            while let Some(outgoing) = collector.collect() {
                match &outgoing {
                    Outgoing::Fact(Fact::NoteEnded(sampler, note)) => {
                        notices.push(Notice::NoteEnded(places.serial(*sampler), *note));
                    }
                    Outgoing::Fact(Fact::Stolen(sampler, note)) => {
                        notices.push(Notice::Stolen(places.serial(*sampler), *note));
                    }
                    Outgoing::Fact(Fact::Late(sampler, note, frames)) => {
                        let by = f64::from(*frames) / f64::from(self.info.sample_rate);
                        notices.push(Notice::Late(places.serial(*sampler), *note, by));
                        late = (late.0 + 1, late.1.max(by));
                    }
                    Outgoing::Instrument(generation, _) => places.generation_is_free(*generation),
                    Outgoing::Sampler(index, _) => keepsakes.extend(places.sampler_is_free(*index)),
                    Outgoing::Source(_) => places.source_is_free(),
                    Outgoing::Effect(_) => {}
                    Outgoing::Lane(_) => places.lane_is_free(),
                    Outgoing::Refused(_) => notices.push(Notice::Error {
                        code: "ERR_LIMIT",
                        message: "the engine had no place for something sent to it; please report this"
                            .into(),
                    }),
                }
                garbage.push(outgoing);
            }
        }
        if late.0 > 0 {
            notices.push(Notice::LateNotes(late.0, late.1));
        }
        lock(&self.pending).extend(notices);
        drop((garbage, keepsakes));
    }
}

#[cfg(feature = "device")]
fn notice(event: crate::device::DeviceEvent) -> Notice {
    use crate::device::DeviceEvent;
    match event {
        DeviceEvent::Xrun { cause, frames } => Notice::Xrun { cause: cause.as_str(), frames },
        DeviceEvent::Eased { effort } => Notice::Degraded(effort.level()),
        DeviceEvent::Restored { format } => {
            Notice::DeviceRestored { backend: format.backend.as_str(), device: format.device }
        }
        DeviceEvent::Lost { message } => Notice::DeviceLost(message),
        DeviceEvent::RenderPanicked { message } => Notice::Error {
            code: "ERR_DEVICE",
            message: format!(
                "rendering stopped, the engine is silent from now on: {message}; please report this"
            ),
        },
        DeviceEvent::Demoted { message } => Notice::Error { code: "ERR_REALTIME_DENIED", message },
        DeviceEvent::Changed { message } => Notice::DeviceChanged(message),
        DeviceEvent::Fault { message } => Notice::Error { code: "ERR_DEVICE", message },
    }
}
