//! PulseAudio, and PipeWire by its PulseAudio face: spoken by protocol, over its socket, with nothing linked.
//!
//! Why not through cpal, whose host does the same: there the callback runs on a client library's thread, which
//! clears a megabyte at every wake-up, takes locks and allocates around it, and never ends once it is not
//! needed; its streams are nailed to the sink that was the default when they were opened; and it refuses to
//! speak without a cookie file, which a server that sees our user id does not ask for.
//!
//! Here one thread, `ictus-pulse`, sleeps in `read`, renders what the server asks for, and writes it. A stream
//! that names no sink is the server's to route: it follows the default, and is told about it.

mod wire;

use std::{
    io,
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{
    Backend, DeviceError, DeviceInfo,
    callback::{Callback, Drive},
    choose::{self, Named},
};
use wire::{FLOAT32, HEAD, Packet, Spec, VERSION, Values, Wire, op};

/// How long the server may take to answer while it is being asked.
const ANSWER: Duration = Duration::from_secs(4);
/// How long the audio thread sleeps at most before it looks at its clock.
const NAP: Duration = Duration::from_millis(250);
/// How long the server may leave sound lying in a full socket.
const STUCK: Duration = Duration::from_secs(2);
/// How often the latency is asked for.
const LATENCY_EVERY: Duration = Duration::from_millis(500);
/// Longest that closing waits for what was rendered to be heard.
const LONGEST_TAIL: Duration = Duration::from_millis(300);
/// Frames rendered at a time.
const PIECE: usize = 2048;
/// "No index".
const NONE: u32 = u32::MAX;
/// 0 dB.
const FULL_VOLUME: u32 = 0x10000;
/// Bytes of a cookie. A server that knows us by our user id takes any.
const COOKIE: usize = 256;
/// The sink that servers make up when there is none.
const DUMMY: &str = "auto_null";
/// As many as the protocol takes.
pub const MAX_CHANNELS: u16 = 32;

/// An output of the server.
#[derive(Debug, Clone)]
struct Sink {
    name: String,
    description: String,
    spec: Spec,
}

/// What went wrong while a server was spoken to.
#[derive(Debug)]
enum Failure {
    Io(io::Error),
    /// The server's number for it.
    Refused(u32),
    Malformed,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<wire::Malformed> for Failure {
    fn from(_: wire::Malformed) -> Self {
        Self::Malformed
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Refused(code) => match code {
                1 => f.write_str("access denied"),
                3 => f.write_str("invalid argument"),
                5 => f.write_str("no such thing"),
                18 => f.write_str("too large"),
                code => write!(f, "error {code} of its protocol"),
            },
            Self::Malformed => f.write_str("it answered in words that its protocol does not have"),
        }
    }
}

/// Where the server's socket may be, by what libpulse looks at.
fn sockets() -> Vec<PathBuf> {
    let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    if let Some(servers) = variable("PULSE_SERVER") {
        // Several, with spaces between; each may begin with the machine it is meant for, in braces.
        return servers
            .split_whitespace()
            .map(|server| server.rsplit_once('}').map_or(server, |(_, rest)| rest))
            .filter_map(|server| server.strip_prefix("unix:").or(server.starts_with('/').then_some(server)))
            .map(PathBuf::from)
            .collect();
    }
    let runtime = variable("PULSE_RUNTIME_PATH").map(|path| PathBuf::from(path).join("native"));
    let session = variable("XDG_RUNTIME_DIR").map(|path| PathBuf::from(path).join("pulse/native"));
    runtime.into_iter().chain(session).chain([PathBuf::from("/run/pulse/native")]).collect()
}

/// The cookie by which a server may know us; zeros where there is none.
fn cookie() -> [u8; COOKIE] {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let in_home = |path: &str| home.as_ref().map(|home| home.join(path));
    let found = std::env::var_os("PULSE_COOKIE")
        .map(PathBuf::from)
        .into_iter()
        .chain(in_home(".config/pulse/cookie"))
        .chain(in_home(".pulse-cookie"))
        .find_map(|path| std::fs::read(path).ok()?.try_into().ok());
    found.unwrap_or([0; COOKIE])
}

/// A connection over which questions are asked and answered, one at a time.
struct Client {
    wire: Wire,
    packet: Packet,
    tag: u32,
    answer: Vec<u8>,
}

impl Client {
    /// Errors: `NoDevice` where no server answers, `Refused` where one does not want us.
    fn connect() -> Result<Self, DeviceError> {
        let sockets = sockets();
        let mut why = "PULSE_SERVER names no socket of this machine".to_owned();
        for path in &sockets {
            match UnixStream::connect(path) {
                Ok(socket) => return Self::introduce(socket),
                Err(error) => why = format!("{}: {error}", path.display()),
            }
        }
        Err(DeviceError::NoDevice(format!(
            "no PulseAudio server answers ({why}). Start one (`systemctl --user start pipewire-pulse`, or \
             `pulseaudio --start`), check PULSE_SERVER and XDG_RUNTIME_DIR, or use backend 'alsa', 'jack' or \
             'clock'"
        )))
    }

    fn introduce(socket: UnixStream) -> Result<Self, DeviceError> {
        let failed = |failure: Failure| match failure {
            Failure::Refused(1 | 9) => DeviceError::Refused(
                "the PulseAudio server does not know this user: run the program as the user who runs the \
                 server, or give it the server's cookie (PULSE_COOKIE=FILE, usually ~/.config/pulse/cookie)"
                    .to_owned(),
            ),
            failure => {
                DeviceError::Refused(format!("the PulseAudio server refused the connection: {failure}"))
            }
        };
        let timeouts =
            socket.set_read_timeout(Some(ANSWER)).and_then(|()| socket.set_write_timeout(Some(STUCK)));
        timeouts.map_err(|error| failed(error.into()))?;
        let mut client =
            Self { wire: Wire::new(socket), packet: Packet::with_room(4096), tag: 0, answer: Vec::new() };
        client
            .ask(op::AUTH, |packet| {
                packet.u32(VERSION).bytes(&cookie());
            })
            .and_then(|mut values| match values.u32()? & 0xffff {
                version if version >= VERSION => Ok(()),
                _ => Err(Failure::Malformed),
            })
            .map_err(failed)?;
        let process = std::process::id().to_string();
        let properties = [
            ("application.name", "ictus"),
            ("application.process.id", process.as_str()),
            ("media.role", "production"),
        ];
        client
            .ask(op::SET_CLIENT_NAME, |packet| {
                packet.properties(&properties);
            })
            .map_err(failed)?;
        Ok(client)
    }

    /// Sends a command and waits for its answer.
    fn ask(&mut self, command: u32, fill: impl FnOnce(&mut Packet)) -> Result<Values<'_>, Failure> {
        self.tag += 1;
        let tag = self.tag;
        fill(self.packet.command(command, tag));
        self.wire.send(&mut self.packet)?;
        // What is received on the way to the answer is about streams that do not run yet.
        self.answer = loop {
            let Some(mut values) = self.wire.receive()? else {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            };
            match (values.u32()?, values.u32()?) {
                (op::REPLY, answered) if answered == tag => break values.rest().to_vec(),
                (op::ERROR, answered) if answered == tag => return Err(Failure::Refused(values.u32()?)),
                _ => {}
            }
        };
        Ok(Values::new(&self.answer))
    }

    /// The name of the sink that streams go to which name none, if there is any.
    fn default_sink(&mut self) -> Result<Option<String>, Failure> {
        let mut values = self.ask(op::GET_SERVER_INFO, |_| ())?;
        for _ in 0..4 {
            values.string()?; // the server's name, its version, its user, its host
        }
        values.spec()?;
        Ok(values.string()?)
    }

    fn sinks(&mut self) -> Result<Vec<Sink>, Failure> {
        let mut values = self.ask(op::GET_SINK_INFO_LIST, |_| ())?;
        let mut sinks = Vec::new();
        while !values.is_empty() {
            sinks.push(sink(&mut values)?);
        }
        Ok(sinks)
    }

    fn sink(&mut self, name: &str) -> Result<Sink, Failure> {
        let mut values = self.ask(op::GET_SINK_INFO, |packet| {
            packet.u32(NONE).string(Some(name));
        })?;
        Ok(sink(&mut values)?)
    }
}

/// One entry of a list of sinks, version 14.
fn sink(values: &mut Values<'_>) -> Result<Sink, wire::Malformed> {
    values.u32()?; // its index
    let name = values.string()?.unwrap_or_default();
    let description = values.string()?.unwrap_or_else(|| name.clone());
    let spec = values.spec()?;
    values.skip_channel_map()?;
    values.u32()?; // the module that owns it
    values.skip_volume()?;
    values.bool()?; // muted
    values.u32()?; // its monitor, by index and name
    values.string()?;
    values.micros()?; // latency
    values.string()?; // driver
    values.u32()?; // flags
    values.skip_properties()?;
    values.micros()?; // latency that was asked for
    Ok(Sink { name, description, spec })
}

/// PulseAudio's default map for so many channels; beyond eight nobody agrees on one.
fn channel_map(channels: u8) -> Vec<u8> {
    const CENTRE: u8 = 3;
    const LFE: u8 = 7;
    const AUX: u8 = 12;
    let map: &[u8] = match channels {
        1 => &[0],
        2 => &[1, 2],
        3 => &[1, 2, CENTRE],
        4 => &[1, 2, 5, 6],
        5 => &[1, 2, CENTRE, 5, 6],
        6 => &[1, 2, CENTRE, LFE, 5, 6],
        7 => &[1, 2, CENTRE, LFE, 5, 6, 4],
        8 => &[1, 2, CENTRE, LFE, 5, 6, 10, 11],
        _ => return (AUX..AUX + channels).collect(),
    };
    map.to_vec()
}

/// A stream on the server that does not run yet.
pub(crate) struct Waiting {
    client: Client,
    callback: Callback,
    drive: Arc<Drive>,
    stream: Playback,
}

/// The server's side of the stream.
#[derive(Debug, Clone, Copy)]
struct Playback {
    channel: u32,
    /// Bytes that the server wants at once.
    requested: u32,
    channels: usize,
    rate: u32,
}

/// What a sink is to be used for.
pub(crate) struct Wanted<'a> {
    /// Id, name or part of a name; `None`: wherever the server routes it.
    pub device: Option<&'a str>,
    pub channels: u16,
    /// Frames per request, of the device.
    pub buffer: u32,
    /// A server that has nothing to play on is no device.
    pub real: bool,
}

/// What was found: the name for users, the rate, and frames per request as the server settled on.
pub(crate) struct Found {
    pub device: String,
    pub rate: u32,
    pub buffer: u32,
}

/// Makes a stream at the sink's own rate. `callback` is made for that rate once it is known.
///
/// Errors: no server, no such sink, the server says no.
pub(crate) fn connect(
    wanted: &Wanted<'_>,
    drive: &Arc<Drive>,
    callback: impl FnOnce(u32) -> Result<Callback, DeviceError>,
) -> Result<(Waiting, Found), DeviceError> {
    let mut client = Client::connect()?;
    let refused =
        |failure: Failure| DeviceError::Refused(format!("the PulseAudio server refused to play: {failure}"));
    let sink = match wanted.device {
        Some(device) => {
            let mut sinks = client.sinks().map_err(refused)?;
            let names: Vec<_> = sinks.iter().map(named).collect();
            let index = choose::pick(&names, device, false).map_err(DeviceError::NoDevice)?;
            sinks.swap_remove(index)
        }
        None => {
            let default = client.default_sink().map_err(refused)?;
            let nothing = || {
                DeviceError::NoDevice(
                    "the PulseAudio server has nothing to play on: `pactl list short sinks` shows what it \
                     has; or use backend 'alsa', 'jack' or 'clock'"
                        .to_owned(),
                )
            };
            let name = default.filter(|name| !(wanted.real && name == DUMMY)).ok_or_else(nothing)?;
            client.sink(&name).map_err(|_| nothing())?
        }
    };
    let callback = callback(sink.spec.rate)?;
    let spec = Spec { format: FLOAT32, channels: wanted.channels as u8, rate: sink.spec.rate };
    let block = wanted.buffer * u32::from(wanted.channels) * 4;
    let name = wanted.device.map(|_| sink.name.as_str());
    let mut values = client
        .ask(op::CREATE_PLAYBACK_STREAM, |packet| {
            packet.spec(spec).channel_map(&channel_map(spec.channels));
            packet.u32(NONE).string(name);
            packet.u32(NONE); // most that it may hold: whatever the server allows
            packet.bool(true); // it starts when it is told to
            packet.u32(2 * block); // one block is played while the next is made
            packet.u32(0); // a clock does not wait for the buffer to be full again
            packet.u32(block);
            packet.u32(0); // synchronous with no other stream
            packet.volume(spec.channels, FULL_VOLUME);
            for flag in [false; 7] {
                packet.bool(flag); // remapping, remixing, moving: as the server likes; the format is ours
            }
            packet.bool(false); // muted
            packet.bool(true); // the server's own latency may be lowered for us
            packet.properties(&[("media.name", "ictus")]);
            packet.bool(false); // the volume is not ours to set: the server remembers the user's
            packet.bool(false);
        })
        .map_err(refused)?;
    let (stream, buffer) = created(&mut values, spec).map_err(|failure| refused(failure.into()))?;
    let found = Found { device: sink.description, rate: spec.rate, buffer };
    Ok((Waiting { client, callback, drive: drive.clone(), stream }, found))
}

/// The answer to CREATE_PLAYBACK_STREAM, version 14; and frames per request.
fn created(values: &mut Values<'_>, spec: Spec) -> Result<(Playback, u32), wire::Malformed> {
    let channel = values.u32()?;
    values.u32()?; // the sink input
    let requested = values.u32()?;
    let [_longest, _target, _before, least] = [values.u32()?, values.u32()?, values.u32()?, values.u32()?];
    let stream = Playback { channel, requested, channels: usize::from(spec.channels), rate: spec.rate };
    Ok((stream, least / 4 / u32::from(spec.channels).max(1)))
}

fn named(sink: &Sink) -> Named {
    Named { id: sink.name.clone(), name: sink.description.clone() }
}

/// Every sink of the server, if one answers.
pub(crate) fn list(found: &mut Vec<DeviceInfo>) {
    let Ok(mut client) = Client::connect() else { return };
    let default = client.default_sink().ok().flatten();
    for sink in client.sinks().unwrap_or_default() {
        found.push(DeviceInfo {
            backend: Backend::PulseAudio,
            is_default: default.as_ref() == Some(&sink.name),
            id: sink.name,
            name: sink.description,
            channels: u16::from(sink.spec.channels),
            sample_rates: vec![sink.spec.rate],
            buffer_sizes: None,
        });
    }
}

impl Waiting {
    /// Starts the audio thread. Errors: the system has none to spare, or the server is gone.
    pub fn start(self) -> io::Result<Pulse> {
        let socket = self.client.wire.socket().try_clone()?;
        socket.set_read_timeout(Some(NAP))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, drive) = (stop.clone(), self.drive.clone());
        let player = Player::new(self);
        let thread =
            std::thread::Builder::new().name("ictus-pulse".to_owned()).spawn(move || player.run(&stopped))?;
        Ok(Pulse { stop, socket, drive, thread: Some(thread) })
    }
}

/// The running thread. Dropping it stops and joins, after what was rendered has been heard.
pub(crate) struct Pulse {
    stop: Arc<AtomicBool>,
    /// The thread's own socket, to end its sleep by.
    socket: UnixStream,
    drive: Arc<Drive>,
    thread: Option<JoinHandle<()>>,
}

impl Pulse {
    fn end(&self) {
        self.stop.store(true, Ordering::Release);
        // A thread that sleeps in `read` wakes up.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }

    /// Lets the thread run out by itself: for a renderer that never returns.
    pub fn abandon(mut self) {
        self.end();
        self.thread.take();
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if self.thread.is_some() && !self.drive.is_lost() && self.drive.is_active() {
            // The server forgets what it holds of a client that goes: the end of the fade, for instance.
            let tail = Duration::from_secs_f64(self.drive.shared.latency_s.load().clamp(0.0, 1.0));
            std::thread::sleep(tail.min(LONGEST_TAIL));
        }
        self.end();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

/// What the audio thread owns.
struct Player {
    wire: Wire,
    packet: Packet,
    callback: Callback,
    drive: Arc<Drive>,
    stream: Playback,
    values: Vec<f32>,
    /// A packet of sound.
    bytes: Vec<u8>,
    asked: Option<Instant>,
}

/// The tags of what the audio thread sends; what it waits for is the latency only.
const LATENCY_TAG: u32 = 1 << 30;
const OTHER_TAG: u32 = LATENCY_TAG + 1;

impl Player {
    fn new(waiting: Waiting) -> Self {
        let Waiting { client, callback, drive, stream } = waiting;
        Self {
            values: vec![0.0; PIECE * stream.channels],
            bytes: vec![0; HEAD + PIECE * stream.channels * 4],
            wire: client.wire,
            packet: client.packet,
            callback,
            drive,
            stream,
            asked: None,
        }
    }

    fn run(mut self, stop: &AtomicBool) {
        let ended = self.play(stop);
        if !stop.load(Ordering::Acquire)
            && let Err(failure) = ended
        {
            self.drive.lose(match failure {
                Failure::Io(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    "the PulseAudio server has closed the connection".to_owned()
                }
                failure => format!("the PulseAudio server is gone: {failure}"),
            });
        }
    }

    fn play(&mut self, stop: &AtomicBool) -> Result<(), Failure> {
        let channel = self.stream.channel;
        self.packet.command(op::CORK_PLAYBACK_STREAM, OTHER_TAG).u32(channel).bool(false);
        self.wire.send(&mut self.packet)?;
        while !stop.load(Ordering::Acquire) {
            self.serve()?;
            if self.asked.is_none_or(|asked| asked.elapsed() >= LATENCY_EVERY) {
                self.asked = Some(Instant::now());
                self.packet.command(op::GET_PLAYBACK_LATENCY, LATENCY_TAG).u32(channel).time(0, 0);
                self.wire.send(&mut self.packet)?;
            }
            self.hear()?;
        }
        Ok(())
    }

    /// Renders and sends what the server wants.
    fn serve(&mut self) -> Result<(), Failure> {
        let frame = 4 * self.stream.channels;
        loop {
            let frames = (self.stream.requested as usize / frame).min(PIECE);
            if frames == 0 {
                return Ok(());
            }
            let values = &mut self.values[..frames * self.stream.channels];
            self.callback.run(values, frames, None);
            let bytes = &mut self.bytes[..HEAD + frames * frame];
            let (head, sound) = bytes.split_at_mut(HEAD);
            head.copy_from_slice(&wire::sound_head(self.stream.channel, frames * frame));
            for (to, value) in sound.chunks_exact_mut(4).zip(values) {
                to.copy_from_slice(&value.to_ne_bytes());
            }
            self.wire.send_raw(bytes)?;
            self.stream.requested -= (frames * frame) as u32;
        }
    }

    /// Sleeps until the server says something, or for a nap.
    fn hear(&mut self) -> Result<(), Failure> {
        let Some(mut values) = self.wire.receive()? else { return Ok(()) };
        let (command, tag) = (values.u32()?, values.u32()?);
        let ours = self.stream.channel;
        match command {
            op::REPLY if tag == LATENCY_TAG => {
                let latency = latency(&mut values, self.stream)?;
                self.drive.set_latency(latency, self.callback.added_latency_s());
            }
            op::REQUEST if values.u32()? == ours => {
                self.stream.requested = self.stream.requested.saturating_add(values.u32()?);
            }
            op::UNDERFLOW if values.u32()? == ours => self.drive.xrun(self.stream.rate),
            op::PLAYBACK_STREAM_KILLED if values.u32()? == ours => {
                return Err(Failure::Io(io::Error::other("it has ended the stream, as its device is gone")));
            }
            op::PLAYBACK_STREAM_SUSPENDED if values.u32()? == ours && values.bool()? => {
                return Err(Failure::Io(io::Error::other("it has suspended the device")));
            }
            op::PLAYBACK_STREAM_MOVED if values.u32()? == ours => {
                values.u32()?;
                let to = values.string()?.unwrap_or_default();
                self.drive.shared.signals.changed(format!("the stream plays on '{to}' now"));
            }
            op::ERROR if tag != LATENCY_TAG => return Err(Failure::Refused(values.u32()?)),
            _ => {}
        }
        Ok(())
    }
}

/// The answer to GET_PLAYBACK_LATENCY, in s: what the sink holds, and what the server holds for it.
fn latency(values: &mut Values<'_>, stream: Playback) -> Result<f64, wire::Malformed> {
    let sink = values.micros()?;
    values.micros()?; // of a source
    values.bool()?;
    values.time()?;
    values.time()?;
    let (written, read) = (values.i64()?, values.i64()?);
    let held = written.saturating_sub(read).max(0) as f64 / (4 * stream.channels) as f64;
    Ok(sink as f64 * 1e-6 + held / f64::from(stream.rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_of_channels_has_a_map_of_distinct_positions() {
        for channels in 1..=MAX_CHANNELS as u8 {
            let mut map = channel_map(channels);
            assert_eq!(map.len(), usize::from(channels));
            map.sort_unstable();
            map.dedup();
            assert_eq!(map.len(), usize::from(channels), "{channels}");
            assert!(map.iter().all(|position| *position <= 43));
        }
    }

    #[test]
    fn latency_is_the_sinks_and_the_queues() {
        let mut packet = Packet::with_room(64);
        packet.command(op::REPLY, 1);
        let mut bytes = vec![b'U'];
        bytes.extend(20_000u64.to_be_bytes());
        bytes.push(b'U');
        bytes.extend(0u64.to_be_bytes());
        bytes.push(b'1');
        for _ in 0..2 {
            bytes.push(b'T');
            bytes.extend([0; 8]);
        }
        for index in [48_000i64 * 8, 47_520 * 8] {
            bytes.push(b'r');
            bytes.extend(index.to_be_bytes());
        }
        let stream = Playback { channel: 0, requested: 0, channels: 2, rate: 48_000 };
        assert_eq!(latency(&mut Values::new(&bytes), stream), Ok(0.03)); // 20 ms and 480 frames
        assert!(latency(&mut Values::new(&bytes[..30]), stream).is_err());
    }
}
