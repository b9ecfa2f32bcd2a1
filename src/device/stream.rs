//! Opening a stream, asking it things, closing it. What happens to it in between is `supervise.rs`'s.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use cpal::traits::StreamTrait;

#[cfg(target_os = "linux")]
use super::pulse::Pulse;
use super::{
    Backend, DeviceCounters, DeviceError, Events, Format, Policy, RealtimeRequest, RealtimeStatus, Render,
    Request,
    adapt::Shape,
    callback::{Callback, Drive, FIRST, Shared, Terms},
    clock::{self, Clock},
    event::{Questions, Reporter},
    hosts::{self, Built, Connected},
    quiet, realtime,
    supervise::Supervised,
    time,
};

/// As many as cpal's JACK host registers.
pub(crate) const MAX_CHANNELS: u16 = 64;
/// Hz. The lower bound is there for arithmetic, the upper for memory.
const RATE_RANGE: (u32, u32) = (1_000, 768_000);
/// Frames per callback where nobody asks: 2.7 ms at 48 kHz for a thread with real-time priority, 10.7 ms
/// for one that the kernel wakes up to 3 ms late.
const DEFAULT_BUFFER: (u32, u32) = (128, 512);
/// The same through PulseAudio, whose server copies and mixes at ordinary priority on many machines.
const PULSE_BUFFER: (u32, u32) = (512, 1024);
/// How long the first callback may take to come.
const FIRST_CALLBACK: Duration = Duration::from_secs(2);
/// How long `close` waits for the audio thread to leave the renderer, and then for the host.
pub(crate) const CLOSE: Duration = Duration::from_secs(2);
/// Seconds without a block (or blocks, where they are longer) after which a stream is lost. PulseAudio's
/// null sink pauses for two at its start; a bluetooth device may for longer.
const PATIENCE: u32 = 5;

/// A stream of cpal's.
pub(crate) struct Hosted {
    stream: cpal::Stream,
    drive: Arc<Drive>,
    jack: bool,
}

/// How long a thread of libjack's is given to leave our code, and how long one that comes by regularly is waited for.
const LEAVE: Duration = Duration::from_millis(100);

impl Hosted {
    /// Stops it. libjack ends its threads by cancelling them wherever they are, and a thread that is cancelled inside
    /// Rust code aborts the process. So it is done just behind a block, when the audio thread has gone back to sleep,
    /// or, when the server is dead, after the thread that told it has had time to return.
    fn stop(self) {
        if self.jack {
            let (start, blocks) = (Instant::now(), self.drive.finished());
            while start.elapsed() < LEAVE && (self.drive.is_lost() || self.drive.finished() == blocks) {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        drop(self.stream);
        hosts::jack_has_left(&self.drive);
    }
}

/// What calls back.
pub(crate) enum Driver {
    Clock(Clock),
    Cpal(Hosted),
    #[cfg(target_os = "linux")]
    Pulse(Pulse),
}

impl Driver {
    /// Starts what was built. Errors: `Refused`.
    pub fn start(connected: Connected, drive: &Arc<Drive>) -> Result<Self, DeviceError> {
        let jack = connected.format.backend == Backend::Jack;
        let device = connected.format.device;
        let refused = |error: &dyn std::fmt::Display| {
            DeviceError::Refused(format!("device '{device}' does not start: {error}"))
        };
        match connected.built {
            Built::Cpal(stream) => {
                stream.play().map_err(|error| refused(&error))?;
                Ok(Self::Cpal(Hosted { stream, drive: drive.clone(), jack }))
            }
            #[cfg(target_os = "linux")]
            Built::Pulse(waiting) => Ok(Self::Pulse(waiting.start().map_err(|error| refused(&error))?)),
        }
    }

    /// Stops. `free`: nobody is inside the renderer, so that its thread ends at once and can be joined.
    /// Waits for a host that does not let go for 2 s, if `wait` says so, and leaves it to a thread of its own.
    pub fn release(self, free: bool, wait: bool) {
        match self {
            Self::Clock(clock) if free => drop(clock),
            Self::Clock(clock) => clock.abandon(),
            Self::Cpal(hosted) => {
                if hosted.jack {
                    hosts::jack_leaves(&hosted.drive);
                }
                release(move || hosted.stop(), wait);
            }
            #[cfg(target_os = "linux")]
            Self::Pulse(pulse) => {
                if free {
                    release(move || drop(pulse), wait);
                } else {
                    pulse.abandon();
                }
            }
        }
    }
}

/// A running stream. Dropping it closes it.
pub struct Stream {
    inner: Arc<Supervised>,
    format: Format,
    reporter: Option<Reporter>,
}

/// Opens a device and starts it. When this returns the first block has been rendered and the scheduling
/// policy is known.
///
/// `make` gets what was agreed with the device and returns what fills the blocks; it is called once, on the
/// calling thread, and not at all if no device could be opened. `events` is called on a thread of the stream's
/// own, one event at a time, until the stream is closed.
///
/// Should the device go away afterwards, the clock goes on without it, and it is opened again when it is back
/// (`supervise.rs`).
///
/// Thread: control; blocks for some ms, and up to 8 s when a server hangs.
/// Errors: see [`DeviceError`]. There is no fallback to silence: without a device this fails.
pub fn open(
    request: &Request,
    make: impl FnOnce(&Format) -> Render,
    events: Events,
) -> Result<Stream, DeviceError> {
    check(request)?;
    quiet::panics();
    let shared = Arc::new(Shared::default());
    let drive = Drive::new(FIRST, shared.clone());
    shared.activate(&drive);
    let (driver, format) = if request.backend == Backend::Clock {
        let format = Format {
            backend: Backend::Clock,
            device: Backend::Clock.as_str().to_owned(),
            sample_rate: request.sample_rate.unwrap_or(clock::DEFAULT_RATE),
            device_rate: request.sample_rate.unwrap_or(clock::DEFAULT_RATE),
            buffer_size: clock::clamp_buffer(buffer_size(request, Backend::Clock)),
            channels: request.channels,
        };
        shared.set_render(make(&format));
        (start_clock(&drive, &format, request.realtime, None)?, format)
    } else {
        let connected = connect(request, &drive)?;
        let format = connected.format.clone();
        shared.set_render(make(&format));
        (Driver::start(connected, &drive)?, format)
    };
    // From here on every way out closes the stream.
    let inner = Supervised::new(request.clone(), driver, drive.clone(), format.clone());
    let mut stream = Stream { inner: Arc::new(inner), format, reporter: None };
    await_first_callback(&drive, &stream.format, request.realtime)?;
    if let Some(RealtimeRequest { required: true, policy: Policy::Fifo | Policy::Rr, .. }) = request.realtime
    {
        let status = stream.realtime();
        if !status.granted {
            return Err(DeviceError::RealtimeDenied(format!(
                "real-time priority is required and was denied: {}",
                status.reason.unwrap_or_default()
            )));
        }
    }
    // Last: a stream that could not be opened has no events. What happened meanwhile is told now.
    let (demotion, lost, stuck) = (stream.inner.clone(), stream.inner.clone(), stream.inner.clone());
    let block_s = f64::from(stream.format.buffer_size) / f64::from(stream.format.sample_rate);
    let questions = Questions {
        demotion: Box::new(move || demotion.drive().realtime.demotion()),
        lost: Box::new(move || lost.lose()),
        stuck: Box::new(move |seconds| {
            stuck.drive().lose(format!("no block has been rendered for {seconds} s"));
        }),
        slept: Box::new(time::slept_ns),
        progress: Box::new(move || shared.finished()),
        tick: Duration::from_secs_f64(block_s.max(1.0)),
        patience: PATIENCE,
    };
    let reporter = Reporter::start(stream.inner.shared().signals.clone(), events, questions);
    stream.reporter = Some(reporter.map_err(no_thread)?);
    Ok(stream)
}

fn no_thread(error: std::io::Error) -> DeviceError {
    DeviceError::Refused(format!("the system has no thread to spare: {error}"))
}

/// Refuses what no device could do.
fn check(request: &Request) -> Result<(), DeviceError> {
    let refuse = |message: String| Err(DeviceError::InvalidFormat(message));
    if !(1..=MAX_CHANNELS).contains(&request.channels) {
        return refuse(format!("channels must be 1 to {MAX_CHANNELS}, got {}", request.channels));
    }
    if let Some(rate) = request.sample_rate
        && !(RATE_RANGE.0..=RATE_RANGE.1).contains(&rate)
    {
        return refuse(format!("sampleRate must be {} to {} Hz, got {rate}", RATE_RANGE.0, RATE_RANGE.1));
    }
    if request.buffer_size == Some(0) {
        return refuse("bufferSize must be at least 1 frame, got 0".to_owned());
    }
    if let Some(realtime) = request.realtime
        && !(1..=99).contains(&realtime.priority)
    {
        return refuse(format!("realtime.priority must be 1 to 99, got {}", realtime.priority));
    }
    realtime::check_cpu(request.realtime).map_err(DeviceError::InvalidFormat)?;
    match request.backend.missing() {
        Some(message) => Err(DeviceError::HostMissing(message)),
        None => Ok(()),
    }
}

/// Frames per callback to ask a backend for.
fn buffer_size(request: &Request, backend: Backend) -> u32 {
    let (granted, denied) = if backend == Backend::PulseAudio { PULSE_BUFFER } else { DEFAULT_BUFFER };
    request.buffer_size.unwrap_or_else(|| if realtime::probe(request.realtime) { granted } else { denied })
}

/// Finds a device and agrees on a format with it; nothing runs yet.
pub(crate) fn connect(request: &Request, drive: &Arc<Drive>) -> Result<Connected, DeviceError> {
    match request.backend {
        Backend::Auto => auto(request, drive),
        backend => hosts::connect(backend, request, buffer_size(request, backend), drive),
    }
}

/// The hosts that have devices, best first: a running JACK server, since who runs one wants it, and it calls
/// back with exactly its period; a PulseAudio, which on most desktops is PipeWire and has the card already;
/// then the card itself.
pub(crate) const HOSTS: [Backend; 6] = [
    Backend::Jack,
    Backend::PipeWire,
    Backend::PulseAudio,
    Backend::Alsa,
    Backend::CoreAudio,
    Backend::Wasapi,
];

/// A host that is there and says no (its device is busy) lets the next one try; if none opens, the first real
/// refusal is the answer.
fn auto(request: &Request, drive: &Arc<Drive>) -> Result<Connected, DeviceError> {
    let mut refusal = None;
    let mut absent = Vec::new();
    for backend in HOSTS.into_iter().filter(|backend| backend.is_here()) {
        match hosts::connect(backend, request, buffer_size(request, backend), drive) {
            Ok(connected) => return Ok(connected),
            Err(DeviceError::NoDevice(message) | DeviceError::HostMissing(message)) => {
                absent.push(format!("{backend}: {message}"));
            }
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(refusal.unwrap_or_else(|| {
        DeviceError::NoDevice(if absent.is_empty() {
            "this system has no audio host that this build knows; use backend 'clock' or 'offline'".to_owned()
        } else {
            format!("there is no audio device. {}", absent.join(". "))
        })
    }))
}

/// Starts the clock, at `since` on the wall clock if that is not long ago.
pub(crate) fn start_clock(
    drive: &Arc<Drive>,
    format: &Format,
    realtime: Option<RealtimeRequest>,
    since: Option<u64>,
) -> Result<Driver, DeviceError> {
    let shape = Shape { rate: format.sample_rate, channels: format.channels };
    let terms = Terms { rendered: shape, device: shape, realtime, servers_thread: false };
    let callback = Callback::new(drive.clone(), terms).map_err(DeviceError::InvalidFormat)?;
    let clock = Clock::start(callback, drive.clone(), shape, format.buffer_size, since);
    Ok(Driver::Clock(clock.map_err(no_thread)?))
}

/// Waits until the device has asked for its first block. Errors: it does not, or it went away meanwhile.
///
/// What the kernel refused its thread is then asked of rtkit.
pub(crate) fn await_first_callback(
    drive: &Drive,
    format: &Format,
    realtime: Option<RealtimeRequest>,
) -> Result<(), DeviceError> {
    let start = Instant::now();
    while !drive.is_running() {
        let device = || format!("device '{}' of backend '{}'", format.device, format.backend);
        if drive.is_lost() {
            return Err(DeviceError::NoDevice(format!(
                "{} went away while it was opened: {}",
                device(),
                drive.last_words().unwrap_or_else(|| "no details".to_owned())
            )));
        }
        if start.elapsed() > FIRST_CALLBACK {
            let said = drive.shared.signals.last_words();
            return Err(DeviceError::TimedOut(format!(
                "{} was opened but asked for no audio within {} s{}; restart its server, or use another device",
                device(),
                FIRST_CALLBACK.as_secs(),
                said.map(|said| format!(" ({said})")).unwrap_or_default()
            )));
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    drive.realtime.ask_rtkit(realtime);
    Ok(())
}

impl Stream {
    /// What was opened. Rate and channels stay; the device may be another one later.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// The device as it is now, or, while it is lost, as it was. Any thread; allocates.
    pub fn device(&self) -> Format {
        self.inner.format()
    }

    /// How the audio thread is scheduled, as the kernel said when it was last asked: at the first callback
    /// and at a demotion. Any thread; allocates.
    pub fn realtime(&self) -> RealtimeStatus {
        self.inner.drive().realtime.status(self.inner.request().realtime)
    }

    /// The stream's figures; they outlive it.
    pub fn counters(&self) -> &Arc<DeviceCounters> {
        &self.inner.shared().counters
    }

    /// Seconds from a block's render to the loudspeaker, as the device reported it with the newest
    /// callback, the conversion of the sample rate included. 0 for the clock, and while the device is lost.
    pub fn output_latency(&self) -> f64 {
        self.inner.shared().latency_s.load()
    }

    /// Where the renderer's clock stands at `ns` on [`monotonic_ns`], in frames: that which the device asks for,
    /// or would, at that moment. Jitter is filtered out and the drift between both clocks is in it. `None`
    /// where the renderer has no clock.
    pub fn frame_at(&self, ns: f64) -> Option<f64> {
        let line = self.inner.shared().clock.line()?;
        Some(line.frame + (ns - line.at_ns) * line.frames_per_ns)
    }

    /// Stops and joins. After it returns the renderer has been dropped (here, on this thread), no callback
    /// runs, and no event comes.
    ///
    /// Bounded: a host that does not let go within 2 s (its server is dead) is left to a thread of its own,
    /// whose callbacks are silence. Only a renderer that never returns is left undropped, with the thread that
    /// is inside it.
    pub fn close(self) {
        drop(self);
    }
}

/// Nanoseconds on the clock that [`Stream::frame_at`] means: the system's monotonic one.
pub fn monotonic_ns() -> u64 {
    time::now_ns()
}

impl Drop for Stream {
    fn drop(&mut self) {
        let render = self.inner.shared().stop(CLOSE);
        if let Some(driver) = self.inner.take_driver() {
            driver.release(render.is_some(), true);
        }
        drop(render);
        self.reporter.take();
    }
}

/// Stops a host's stream on a thread of its own, so that a client library that waits for a dead server keeps
/// that thread and not ours.
fn release(stop: impl FnOnce() + Send + 'static, wait: bool) {
    let (send, receive) = mpsc::channel();
    let thread = std::thread::Builder::new().name("ictus-close".to_owned()).spawn(move || {
        stop();
        let _ = send.send(());
    });
    // Without a thread to spare the stream has been dropped here, with the closure that was to run.
    if let Ok(thread) = thread
        && wait
        && !matches!(receive.recv_timeout(CLOSE), Err(mpsc::RecvTimeoutError::Timeout))
    {
        let _ = thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(request: Request) -> String {
        let result = open(&request, |_| Box::new(|out: &mut [f32]| out.fill(0.0)), Arc::new(|_| {}));
        match result {
            Err(DeviceError::InvalidFormat(message) | DeviceError::HostMissing(message)) => message,
            Err(error) => panic!("another error: {error:?}"),
            Ok(_) => panic!("was opened"),
        }
    }

    #[test]
    fn what_no_device_could_do_is_refused_with_the_range() {
        let clock = Request { backend: Backend::Clock, ..Request::default() };
        for (request, expected) in [
            (Request { channels: 0, ..clock.clone() }, "channels must be 1 to 64, got 0"),
            (
                Request { sample_rate: Some(5), ..clock.clone() },
                "sampleRate must be 1000 to 768000 Hz, got 5",
            ),
            (Request { buffer_size: Some(0), ..clock.clone() }, "bufferSize must be at least 1 frame, got 0"),
            (
                Request {
                    realtime: Some(RealtimeRequest { priority: 100, ..RealtimeRequest::default() }),
                    ..clock
                },
                "realtime.priority must be 1 to 99, got 100",
            ),
        ] {
            assert_eq!(refused(request), expected);
        }
        let pipewire = Request { backend: Backend::PipeWire, ..Request::default() };
        assert!(refused(pipewire).starts_with("backend 'pipewire' cannot be opened here"));
    }

    #[test]
    fn a_stream_can_be_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Stream>();
    }
}
