//! PulseAudio's native protocol as bytes: tagged values, packets, and the socket they go through.
//!
//! Version 14, which every PulseAudio since 2009 and pipewire-pulse speak: new enough for latency that the
//! server adjusts to, old enough that nothing here has to be negotiated. Layouts as in PulseAudio's
//! `src/pulsecore/tagstruct.c` and `protocol-native.c`. What comes from the server is not trusted: a value that
//! is not what was expected is an error, never a panic, and no length is believed beyond [`LARGEST`].

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
};

/// The version that is spoken.
pub const VERSION: u32 = 14;
/// Bytes of a packet's head: length, channel, offset (twice 32 bits), flags.
pub const HEAD: usize = 20;
/// Channel of commands; others carry sound.
const COMMANDS: u32 = u32::MAX;
/// More than any server's list of sinks takes, bytes.
const LARGEST: usize = 16 << 20;

/// Commands that are sent or understood.
pub mod op {
    pub const ERROR: u32 = 0;
    pub const REPLY: u32 = 2;
    pub const CREATE_PLAYBACK_STREAM: u32 = 3;
    pub const AUTH: u32 = 8;
    pub const SET_CLIENT_NAME: u32 = 9;
    pub const GET_PLAYBACK_LATENCY: u32 = 14;
    pub const GET_SERVER_INFO: u32 = 20;
    pub const GET_SINK_INFO: u32 = 21;
    pub const GET_SINK_INFO_LIST: u32 = 22;
    pub const CORK_PLAYBACK_STREAM: u32 = 41;
    pub const REQUEST: u32 = 61;
    pub const UNDERFLOW: u32 = 63;
    pub const PLAYBACK_STREAM_KILLED: u32 = 64;
    pub const PLAYBACK_STREAM_SUSPENDED: u32 = 76;
    pub const PLAYBACK_STREAM_MOVED: u32 = 78;
}

/// A command on its way: head and tagged values. Reused, so that sending allocates nothing.
#[derive(Debug)]
pub struct Packet(Vec<u8>);

impl Packet {
    pub fn with_room(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Starts a command anew. `tag`: what the answer will carry.
    pub fn command(&mut self, command: u32, tag: u32) -> &mut Self {
        self.0.clear();
        for word in [0, COMMANDS, 0, 0, 0] {
            self.0.extend(u32::to_be_bytes(word));
        }
        self.u32(command).u32(tag)
    }

    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.0.push(b'L');
        self.0.extend(value.to_be_bytes());
        self
    }

    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.0.push(if value { b'1' } else { b'0' });
        self
    }

    /// Zeros inside would end it early: they are left out.
    pub fn string(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            None => self.0.push(b'N'),
            Some(text) => {
                self.0.push(b't');
                self.0.extend(text.bytes().filter(|byte| *byte != 0));
                self.0.push(0);
            }
        }
        self
    }

    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.0.push(b'x');
        self.0.extend((value.len() as u32).to_be_bytes());
        self.0.extend(value);
        self
    }

    pub fn spec(&mut self, spec: Spec) -> &mut Self {
        self.0.extend([b'a', spec.format, spec.channels]);
        self.0.extend(spec.rate.to_be_bytes());
        self
    }

    pub fn channel_map(&mut self, positions: &[u8]) -> &mut Self {
        self.0.extend([b'm', positions.len() as u8]);
        self.0.extend(positions);
        self
    }

    /// The same for every channel.
    pub fn volume(&mut self, channels: u8, value: u32) -> &mut Self {
        self.0.extend([b'v', channels]);
        (0..channels).for_each(|_| self.0.extend(value.to_be_bytes()));
        self
    }

    pub fn time(&mut self, seconds: u32, micros: u32) -> &mut Self {
        self.0.push(b'T');
        self.0.extend(seconds.to_be_bytes());
        self.0.extend(micros.to_be_bytes());
        self
    }

    /// Texts by name.
    pub fn properties(&mut self, list: &[(&str, &str)]) -> &mut Self {
        self.0.push(b'P');
        for (name, text) in list {
            let text: Vec<u8> = text.bytes().filter(|byte| *byte != 0).chain([0]).collect();
            self.string(Some(name)).u32(text.len() as u32).bytes(&text);
        }
        self.string(None)
    }

    /// The whole packet.
    fn finished(&mut self) -> &[u8] {
        let length = (self.0.len() - HEAD) as u32;
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        &self.0
    }
}

/// Head of a packet of sound for `channel`.
pub fn sound_head(channel: u32, bytes: usize) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&(bytes as u32).to_be_bytes());
    head[4..8].copy_from_slice(&channel.to_be_bytes());
    head
}

/// Format, channels, Hz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    pub format: u8,
    pub channels: u8,
    pub rate: u32,
}

/// PA_SAMPLE_FLOAT32NE.
pub const FLOAT32: u8 = if cfg!(target_endian = "little") { 5 } else { 6 };

/// Reads tagged values.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a>(&'a [u8]);

/// What was received is not what the protocol says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

type Result<T> = std::result::Result<T, Malformed>;

impl<'a> Values<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    fn tag(&mut self, expected: u8) -> Result<()> {
        if self.array::<1>()? == [expected] { Ok(()) } else { Err(Malformed) }
    }

    fn word(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32> {
        self.tag(b'L')?;
        self.word()
    }

    pub fn bool(&mut self) -> Result<bool> {
        match self.array()? {
            [b'1'] => Ok(true),
            [b'0'] => Ok(false),
            _ => Err(Malformed),
        }
    }

    pub fn string(&mut self) -> Result<Option<String>> {
        match self.array()? {
            [b'N'] => Ok(None),
            [b't'] => {
                let end = self.0.iter().position(|byte| *byte == 0).ok_or(Malformed)?;
                let text = String::from_utf8_lossy(self.take(end)?).into_owned();
                self.take(1)?;
                Ok(Some(text))
            }
            _ => Err(Malformed),
        }
    }

    pub fn spec(&mut self) -> Result<Spec> {
        self.tag(b'a')?;
        let [format, channels] = self.array()?;
        Ok(Spec { format, channels, rate: self.word()? })
    }

    pub fn micros(&mut self) -> Result<u64> {
        self.tag(b'U')?;
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub fn i64(&mut self) -> Result<i64> {
        self.tag(b'r')?;
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub fn time(&mut self) -> Result<(u32, u32)> {
        self.tag(b'T')?;
        Ok((self.word()?, self.word()?))
    }

    pub fn skip_channel_map(&mut self) -> Result<()> {
        self.tag(b'm')?;
        let [n] = self.array()?;
        self.take(usize::from(n)).map(drop)
    }

    pub fn skip_volume(&mut self) -> Result<()> {
        self.tag(b'v')?;
        let [n] = self.array()?;
        self.take(4 * usize::from(n)).map(drop)
    }

    pub fn skip_properties(&mut self) -> Result<()> {
        self.tag(b'P')?;
        while self.string()?.is_some() {
            self.u32()?;
            self.tag(b'x')?;
            let n = self.word()? as usize;
            self.take(n)?;
        }
        Ok(())
    }
}

/// The socket, and what was received and not yet looked at.
#[derive(Debug)]
pub struct Wire {
    socket: UnixStream,
    inbox: Vec<u8>,
    /// Of the inbox: what is still to be looked at.
    filled: std::ops::Range<usize>,
}

impl Wire {
    pub fn new(socket: UnixStream) -> Self {
        Self { socket, inbox: vec![0; 1 << 16], filled: 0..0 }
    }

    pub fn socket(&self) -> &UnixStream {
        &self.socket
    }

    pub fn send(&mut self, packet: &mut Packet) -> io::Result<()> {
        self.socket.write_all(packet.finished())
    }

    /// Sends bytes that are packets already.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }

    /// The next command that has been received, if one is whole: its values. Sound is passed over.
    ///
    /// Waits for the socket's read timeout at most, and then returns `None`. Allocates only for packets larger
    /// than any before. Errors: the server has closed the connection, or sends what is no packet.
    pub fn receive(&mut self) -> io::Result<Option<Values<'_>>> {
        loop {
            let waiting = &self.inbox[self.filled.clone()];
            if let Some(head) = waiting.first_chunk::<8>() {
                let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
                let channel = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
                if length > LARGEST {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a packet of absurd length"));
                }
                if waiting.len() >= HEAD + length {
                    let body = self.filled.start + HEAD..self.filled.start + HEAD + length;
                    self.filled.start = body.end;
                    if channel == COMMANDS {
                        return Ok(Some(Values(&self.inbox[body])));
                    }
                    continue;
                }
                self.make_room(HEAD + length);
            } else {
                self.make_room(HEAD);
            }
            match self.socket.read(&mut self.inbox[self.filled.end..]) {
                Ok(0) => return Err(io::ErrorKind::ConnectionReset.into()),
                Ok(n) => self.filled.end += n,
                Err(error) => {
                    return match error.kind() {
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(None),
                        io::ErrorKind::Interrupted => continue,
                        _ => Err(error),
                    };
                }
            }
        }
    }

    /// Makes room for a packet of this size, and for at least one byte more to be read.
    fn make_room(&mut self, bytes: usize) {
        if self.filled.start > 0 {
            self.inbox.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        if self.inbox.len() < bytes {
            self.inbox.resize(bytes, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut packet = Packet::with_room(64);
        let spec = Spec { format: FLOAT32, channels: 2, rate: 44_100 };
        packet
            .command(op::AUTH, 7)
            .bool(true)
            .string(Some("na\0me"))
            .string(None)
            .spec(spec)
            .channel_map(&[1, 2])
            .volume(2, 0x10000)
            .time(3, 4)
            .properties(&[("media.name", "ictus"), ("a", "")])
            .u32(99);
        let bytes = packet.finished();
        assert_eq!(u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize, bytes.len() - HEAD);
        let mut values = Values::new(&bytes[HEAD..]);
        assert_eq!((values.u32(), values.u32()), (Ok(op::AUTH), Ok(7)));
        assert_eq!(values.bool(), Ok(true));
        assert_eq!(values.string(), Ok(Some("name".to_owned())));
        assert_eq!(values.string(), Ok(None));
        assert_eq!(values.spec(), Ok(spec));
        assert_eq!(values.skip_channel_map(), Ok(()));
        assert_eq!(values.skip_volume(), Ok(()));
        assert_eq!(values.time(), Ok((3, 4)));
        assert_eq!(values.skip_properties(), Ok(()));
        assert_eq!(values.u32(), Ok(99));
        assert!(values.is_empty());
        assert_eq!(values.u32(), Err(Malformed));
    }

    /// Whatever bytes come, every reader ends with a value or an error.
    #[test]
    fn random_bytes_are_refused_and_never_a_panic() {
        let mut seed = 1u64;
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..(seed >> 59))
                .map(|_| {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    b"LtNxamvPTUr10\0\x01\xff"[(seed >> 60) as usize]
                })
                .collect();
            seed = seed.wrapping_add(1 << 59);
            for read in [
                |mut v: Values<'_>| v.u32().is_ok(),
                |mut v: Values<'_>| v.string().is_ok(),
                |mut v: Values<'_>| v.spec().is_ok(),
                |mut v: Values<'_>| v.skip_properties().is_ok(),
                |mut v: Values<'_>| v.skip_volume().is_ok(),
                |mut v: Values<'_>| v.skip_channel_map().is_ok(),
                |mut v: Values<'_>| v.micros().is_ok(),
                |mut v: Values<'_>| v.bool().is_ok(),
            ] {
                read(Values::new(&bytes));
            }
        }
    }

    #[test]
    fn packets_are_found_however_they_are_cut() {
        let (mut theirs, ours) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(std::time::Duration::from_millis(20))).unwrap();
        let mut wire = Wire::new(ours);
        let mut bytes = Vec::new();
        let mut packet = Packet::with_room(64);
        bytes.extend(packet.command(1, 10).finished());
        bytes.extend(sound_head(3, 5));
        bytes.extend([1, 2, 3, 4, 5]);
        bytes.extend(packet.command(2, 20).bytes(&vec![7; 100_000]).finished());
        let writer = std::thread::spawn(move || {
            for piece in bytes.chunks(1_777) {
                theirs.write_all(piece).unwrap();
            }
            theirs
        });
        let mut seen = Vec::new();
        while seen.len() < 2 {
            if let Some(mut values) = wire.receive().unwrap() {
                seen.push((values.u32().unwrap(), values.u32().unwrap()));
            }
        }
        assert_eq!(seen, [(1, 10), (2, 20)]);
        let mut theirs = writer.join().unwrap();
        assert!(wire.receive().unwrap().is_none(), "nothing more");
        theirs.write_all(&[0xff; HEAD]).unwrap();
        assert_eq!(wire.receive().unwrap_err().kind(), io::ErrorKind::InvalidData);
        let (theirs, ours) = UnixStream::pair().unwrap();
        drop(theirs);
        assert_eq!(Wire::new(ours).receive().unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
}
