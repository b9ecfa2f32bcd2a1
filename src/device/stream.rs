//! Opening a stream, asking it things, closing it.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use cpal::traits::StreamTrait;

use super::{
    Backend, DeviceCounters, DeviceError, Events, Format, Policy, RealtimeRequest, RealtimeStatus, Render,
    Request,
    callback::{Callback, Shared},
    clock::{self, Clock},
    event::{Questions, Reporter},
    hosts::{self, Connected},
    quiet, realtime,
};

/// As many as cpal's JACK host registers.
pub(crate) const MAX_CHANNELS: u16 = 64;
/// Hz. The lower bound is there for arithmetic, the upper for memory.
const RATE_RANGE: (u32, u32) = (1_000, 768_000);
/// Frames per callback where nobody asks: 2.7 ms at 48 kHz for a thread with real-time priority, 10.7 ms
/// for one that the kernel wakes up to 3 ms late (figures in testing-without-hardware.md).
const DEFAULT_BUFFER: (u32, u32) = (128, 512);
/// How long the first callback may take to come.
const FIRST_CALLBACK: Duration = Duration::from_secs(2);
/// How long `close` waits for the audio thread to leave the render closure, and then for the host.
const CLOSE: Duration = Duration::from_secs(2);
/// Seconds without a block (or blocks, where they are longer) after which a stream is lost. PulseAudio's
/// null sink pauses for two at its start; a bluetooth device may for longer.
const PATIENCE: u32 = 5;

enum Driver {
    Clock(Clock),
    Cpal(cpal::Stream),
}

/// A running stream. Dropping it closes it.
pub struct Stream {
    format: Format,
    shared: Arc<Shared>,
    realtime: Option<RealtimeRequest>,
    /// In a mutex only to make the stream `Sync`: it is touched once, when it closes.
    driver: Mutex<Option<Driver>>,
    reporter: Option<Reporter>,
}

/// Opens a device and starts it. When this returns the first block has been rendered and the scheduling
/// policy is known.
///
/// `make` gets what was agreed with the device and returns the closure that fills the blocks; it is called
/// once, on the calling thread, and not at all if no device could be opened. `events` is called on a thread
/// of the stream's own, one event at a time, until the stream is closed.
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
    let (format, connected) = connect(request, &shared)?;
    shared.set_render(make(&format));
    let driver = match connected {
        Some(stream) => {
            stream.play().map_err(|error| {
                DeviceError::Refused(format!("device '{}' does not start: {error}", format.device))
            })?;
            Driver::Cpal(stream)
        }
        None => {
            let callback = Callback::new(shared.clone(), format.sample_rate, request.realtime, false);
            let clock = Clock::start(
                callback,
                shared.clone(),
                format.sample_rate,
                format.channels,
                format.buffer_size,
            );
            Driver::Clock(clock.map_err(no_thread)?)
        }
    };
    // From here on every way out closes the stream.
    let mut stream = Stream {
        format,
        shared,
        realtime: request.realtime,
        driver: Mutex::new(Some(driver)),
        reporter: None,
    };
    stream.await_first_callback()?;
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
    let (demotion, progress) = (stream.shared.clone(), stream.shared.clone());
    let block_s = f64::from(stream.format.buffer_size) / f64::from(stream.format.sample_rate);
    let questions = Questions {
        demotion: Box::new(move || demotion.realtime.demotion()),
        progress: Box::new(move || progress.finished()),
        tick: Duration::from_secs_f64(block_s.max(1.0)),
        patience: PATIENCE,
    };
    let reporter = Reporter::start(stream.shared.signals.clone(), events, questions);
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

/// Agrees on a format with a host (then the stream is in the result) or with the clock.
fn connect(request: &Request, shared: &Arc<Shared>) -> Result<(Format, Option<cpal::Stream>), DeviceError> {
    let buffer = request.buffer_size.unwrap_or_else(|| {
        if realtime::probe(request.realtime) { DEFAULT_BUFFER.0 } else { DEFAULT_BUFFER.1 }
    });
    let with = |connected: Connected| (connected.format, Some(connected.stream));
    match request.backend {
        Backend::Clock => {
            let format = Format {
                backend: Backend::Clock,
                device: Backend::Clock.as_str().to_owned(),
                sample_rate: request.sample_rate.unwrap_or(clock::DEFAULT_RATE),
                buffer_size: clock::clamp_buffer(buffer),
                channels: request.channels,
            };
            Ok((format, None))
        }
        Backend::Auto => auto(request, buffer, shared).map(with),
        backend => hosts::connect(backend, request, buffer, shared).map(with),
    }
}

/// A running JACK server first, then the system's own host. A host that is there and says no (a rate that
/// its server does not run at) lets the next one try; if none opens, the first real refusal is the answer.
fn auto(request: &Request, buffer: u32, shared: &Arc<Shared>) -> Result<Connected, DeviceError> {
    let mut refusal = None;
    let mut absent = Vec::new();
    for backend in [Backend::Jack, Backend::Alsa, Backend::CoreAudio, Backend::Wasapi] {
        if !backend.is_here() {
            continue;
        }
        match hosts::connect(backend, request, buffer, shared) {
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

impl Stream {
    /// What was opened.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// How the audio thread is scheduled, as the kernel said when it was last asked: at the first callback
    /// and at a demotion. Any thread; allocates.
    pub fn realtime(&self) -> RealtimeStatus {
        self.shared.realtime.status(self.realtime)
    }

    /// The stream's figures; they outlive it.
    pub fn counters(&self) -> &Arc<DeviceCounters> {
        &self.shared.counters
    }

    /// Seconds from a block's render to the loudspeaker, as the device reported it with the newest
    /// callback. 0 for the clock.
    pub fn output_latency(&self) -> f64 {
        self.shared.latency_s.load()
    }

    /// Stops and joins. After it returns the render closure has been dropped (here, on this thread), no
    /// callback runs, and no event comes.
    ///
    /// Bounded: a host that does not let go within 2 s (its server is dead) is left to a thread of its own,
    /// whose callbacks are silence. Only a render closure that never returns is left undropped, with the
    /// thread that is inside it.
    pub fn close(self) {
        drop(self);
    }

    fn await_first_callback(&self) -> Result<(), DeviceError> {
        let start = Instant::now();
        while !self.shared.is_running() {
            if self.shared.signals.is_lost() || start.elapsed() > FIRST_CALLBACK {
                let said = self.shared.signals.last_words();
                let device = format!("device '{}' of backend '{}'", self.format.device, self.format.backend);
                return Err(match said {
                    Some(said) if self.shared.signals.is_lost() => {
                        DeviceError::NoDevice(format!("{device} went away while it was opened: {said}"))
                    }
                    said => DeviceError::TimedOut(format!(
                        "{device} was opened but asked for no audio within {} s{}; restart its server, or use \
                         another device",
                        FIRST_CALLBACK.as_secs(),
                        said.map(|said| format!(" ({said})")).unwrap_or_default()
                    )),
                });
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        self.shared.realtime.ask_rtkit(self.realtime);
        Ok(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let driver = self.driver.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let render = self.shared.stop(CLOSE);
        match driver {
            // Nobody is inside the closure: the thread ends within one nap.
            Some(Driver::Clock(clock)) if render.is_some() => drop(clock),
            Some(Driver::Clock(clock)) => clock.abandon(),
            Some(Driver::Cpal(stream)) => release(stream),
            None => {}
        }
        drop(render);
        self.reporter.take();
    }
}

/// Drops a cpal stream on a thread of its own, so that a client library that waits for a dead server keeps
/// that thread and not ours.
fn release(stream: cpal::Stream) {
    let (send, receive) = mpsc::channel();
    let thread = std::thread::Builder::new().name("ictus-close".to_owned()).spawn(move || {
        drop(stream);
        let _ = send.send(());
    });
    // Without a thread to spare the stream has been dropped here, with the closure that was to run.
    if let Ok(thread) = thread
        && !matches!(receive.recv_timeout(CLOSE), Err(mpsc::RecvTimeoutError::Timeout))
    {
        let _ = thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(request: Request) -> String {
        let result = open(&request, |_| Box::new(|out| out.fill(0.0)), Arc::new(|_| {}));
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
