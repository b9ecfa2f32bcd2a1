//! What is written to a `Speaker`: bytes in any format and any pieces, into the ring of a [`Stream`], and when the next
//! may come.
//!
//! Bytes are converted straight into the ring: one copy. It holds more than is meant to wait in it; only what finds no room
//! even so (a whole song in one chunk) is copied aside and moved on by the helper thread. The next chunk is asked for when
//! no more than [`Writer::latency`] is left to be heard. That grows when JavaScript proves too slow for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::error::{Error, Result};
use super::lock;
use super::stream::{Holder, Stream};
use super::value::{Options, Value};
use crate::pcm::format::{Encoding, Endian, decode};
use crate::pcm::ring::Ring;
use crate::pcm::{MAX_CHANNELS, StreamShared};
use crate::units::{MAX_SAMPLE_RATE, MIN_SAMPLE_RATE};

/// What waits to be heard when nothing else is asked for, s: a fifth of the original's, and more than JavaScript usually
/// stands still.
pub const DEFAULT_LATENCY_S: f64 = 0.1;
/// What may be asked for, s.
pub const LATENCIES_S: (f64, f64) = (0.001, 2.0);
/// How far it grows by itself, s: as much as the original always has.
const MAX_GROWN_LATENCY_S: f64 = 0.5;
/// Room beyond the largest latency, s.
const HEADROOM_S: f64 = 0.25;
/// Data that comes back within so long after an underrun were late; after longer, the program had paused.
const PAUSE: Duration = Duration::from_secs(1);
/// The largest frame: 32 channels of 8 bytes.
const MAX_FRAME_BYTES: usize = MAX_CHANNELS * 8;

/// Names of the options that [`SpeakerOptions::read`] knows.
pub const SPEAKER_OPTIONS: [&str; 4] = ["channels", "sampleRate", "format", "latency"];

/// Formats by the numbers that mpg123 gave them, which are those of the npm package `speaker`.
/// Source: mpg123.h, `enum mpg123_enc_enum`.
pub const FORMATS: [(u32, Encoding); 10] = [
    (0x82, Encoding::S8),
    (0x01, Encoding::U8),
    (0xd0, Encoding::S16),
    (0x60, Encoding::U16),
    (0x5080, Encoding::S24),
    (0x6000, Encoding::U24),
    (0x1180, Encoding::S32),
    (0x2100, Encoding::U32),
    (0x200, Encoding::F32),
    (0x400, Encoding::F64),
];

/// What is written to a speaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpeakerOptions {
    /// 1 to [`MAX_CHANNELS`].
    pub channels: u32,
    /// Hz.
    pub rate: u32,
    /// How values are written, in this machine's byte order.
    pub encoding: Encoding,
    /// s.
    pub latency_s: f64,
}

impl SpeakerOptions {
    /// Reads and checks them; `format` is one of [`FORMATS`]. What is absent has the original's default.
    pub fn read(value: &Value) -> Result<Self> {
        let options = Options::read("Speaker options", value, &SPEAKER_OPTIONS)?;
        let code = options.integer("format", 0, u32::MAX, "")?.unwrap_or(0xd0);
        let encoding = FORMATS.iter().find(|(known, _)| *known == code).map(|(_, encoding)| *encoding);
        Ok(Self {
            channels: options.integer("channels", 1, MAX_CHANNELS as u32, "")?.unwrap_or(2),
            rate: options.integer("sampleRate", MIN_SAMPLE_RATE, MAX_SAMPLE_RATE, " Hz")?.unwrap_or(44_100),
            encoding: encoding
                .ok_or_else(|| Error::InvalidArgument(format!("format {code} is no PCM format")))?,
            latency_s: check_latency(options.get("latency").unwrap_or(&Value::Undefined))?,
        })
    }
}

/// Seconds that may wait to be heard; absent means [`DEFAULT_LATENCY_S`].
pub fn check_latency(value: &Value) -> Result<f64> {
    match value {
        Value::Undefined => Ok(DEFAULT_LATENCY_S),
        value => super::value::number("latency", value, LATENCIES_S.0, LATENCIES_S.1, " s"),
    }
}

/// Opens a stream for what is written to a speaker. Errors: `Closed`, `Limit`.
pub fn open_speaker(engine: &Engine, options: SpeakerOptions) -> Result<Arc<Holder>> {
    let SpeakerOptions { channels, rate, encoding, latency_s } = options;
    let largest = latency_s.max(MAX_GROWN_LATENCY_S) + HEADROOM_S;
    let ring = Ring::new((largest * f64::from(rate)) as usize + 1, channels as usize);
    let writer = Writer {
        encoding,
        frame_bytes: encoding.bytes() * channels as usize,
        rate,
        latency_s,
        // Offline the caller is the clock, and nobody is late.
        adapts: !engine.shared().is_offline(),
        backlog: Vec::new(),
        moved: 0,
        ending: false,
        wants_room: false,
        dry_since: None,
    };
    Stream::open(engine, ring, rate, Some(writer))
}

/// The writing end of a speaker's stream.
pub struct Writer {
    encoding: Encoding,
    frame_bytes: usize,
    rate: u32,
    latency_s: f64,
    adapts: bool,
    /// Bytes that found no room, or are no whole frame yet; those before `moved` have gone.
    backlog: Vec<u8>,
    moved: usize,
    ending: bool,
    /// Somebody waits to write.
    wants_room: bool,
    dry_since: Option<Instant>,
}

impl Writer {
    /// Frames that may wait.
    fn target(&self) -> usize {
        (self.latency_s * f64::from(self.rate)) as usize
    }

    /// Frames that must be there before it begins.
    pub fn threshold(&self) -> u32 {
        if self.adapts { self.target() as u32 } else { 0 }
    }

    /// Whether whole frames wait outside the ring.
    pub fn holds_frames(&self) -> bool {
        self.held() >= self.frame_bytes
    }

    fn held(&self) -> usize {
        self.backlog.len() - self.moved
    }

    /// Takes all of the bytes; says whether the next may come at once. If not, [`Self::room`] will say when.
    fn write(&mut self, mut bytes: &[u8], ring: &Ring, shared: &StreamShared) -> bool {
        if let Some(since) = self.dry_since.take().filter(|_| self.adapts)
            && since.elapsed() < PAUSE
        {
            self.latency_s = (2.0 * self.latency_s).min(self.latency_s.max(MAX_GROWN_LATENCY_S));
            shared.set_threshold(self.threshold());
        }
        // A frame that was cut in two.
        let begun = self.held();
        if begun > 0 && begun < self.frame_bytes && ring.space() > 0 {
            let (rest, later) = bytes.split_at(bytes.len().min(self.frame_bytes - begun));
            let mut frame = [0; MAX_FRAME_BYTES];
            if let Some(place) = frame.get_mut(..begun) {
                place.copy_from_slice(&self.backlog[self.moved..]);
            }
            if let Some(place) = frame.get_mut(begun..begun + rest.len()) {
                place.copy_from_slice(rest);
            }
            if begun + rest.len() == self.frame_bytes {
                self.clear_backlog();
                self.put(&frame[..self.frame_bytes], ring);
                bytes = later;
            }
        }
        if self.held() == 0 {
            let put = self.put(bytes, ring);
            bytes = &bytes[put..];
        }
        if self.held() == 0 {
            self.clear_backlog();
        }
        self.backlog.extend_from_slice(bytes);
        self.wants_room = !self.has_room(ring);
        !self.wants_room
    }

    fn clear_backlog(&mut self) {
        self.backlog.clear();
        self.moved = 0;
        // A song that was once written in one chunk is not kept for ever.
        self.backlog.shrink_to(1 << 16);
    }

    /// Converts what fits into the ring; returns how many bytes went.
    fn put(&self, bytes: &[u8], ring: &Ring) -> usize {
        let frames = (bytes.len() / self.frame_bytes).min(ring.space());
        if frames == 0 {
            return 0;
        }
        let bytes = &bytes[..frames * self.frame_bytes];
        ring.write(frames, |first, second| {
            let (a, b) = bytes.split_at(first.len() * self.encoding.bytes());
            for (places, bytes) in [(first, a), (second, b)] {
                let mut places = places.iter();
                decode(self.encoding, Endian::NATIVE, bytes, |value| {
                    if let Some(place) = places.next() {
                        place.store(value.to_bits(), Ordering::Relaxed);
                    }
                });
            }
        });
        bytes.len()
    }

    /// Moves on what found no room, and announces the end behind it.
    pub fn pump(&mut self, ring: &Ring, shared: &StreamShared) {
        if self.holds_frames() {
            self.moved += self.put(&self.backlog[self.moved..], ring);
            if self.held() == 0 {
                self.clear_backlog();
            }
        }
        if self.ending && !self.holds_frames() {
            shared.end();
        }
    }

    /// No more bytes come. What is no whole frame is left out.
    pub fn end(&mut self, ring: &Ring, shared: &StreamShared) {
        self.ending = true;
        self.pump(ring, shared);
    }

    /// What has not been heard never will be.
    pub fn forget(&mut self) {
        self.clear_backlog();
        self.wants_room = false;
    }

    /// The ring ran dry.
    pub fn ran_dry(&mut self) {
        self.dry_since = Some(Instant::now());
    }

    fn has_room(&self, ring: &Ring) -> bool {
        !self.holds_frames() && ring.waiting() <= self.target()
    }

    /// When somebody who waits may write: `ZERO` is now, and is said once; `None` when nobody waits.
    pub fn room(&mut self, ring: &Ring) -> Option<Duration> {
        if !self.wants_room {
            return None;
        }
        if self.has_room(ring) {
            self.wants_room = false;
            return Some(Duration::ZERO);
        }
        let too_many = ring.waiting().saturating_sub(self.target());
        Some(Duration::from_secs_f64(too_many.max(1) as f64 / f64::from(self.rate)))
    }
}

/// What only streams with a [`Writer`] can do; on others these do nothing.
impl Stream {
    /// Takes all of the bytes, in any pieces; says whether the next may come at once. If not, the listener will hear
    /// [`super::stream::StreamEvent::Room`].
    ///
    /// Thread: one at a time. Errors: `Closed`.
    pub fn write(&self, bytes: &[u8]) -> Result<bool> {
        self.engine().check_open()?;
        let Some(writer) = &self.writer else { return Ok(true) };
        let room = lock(writer).write(bytes, &self.ring, &self.shared);
        self.touch();
        Ok(room)
    }

    /// No more bytes come: the listener will hear [`super::stream::StreamEvent::Drained`].
    pub fn end(&self) {
        if let Some(writer) = &self.writer {
            lock(writer).end(&self.ring, &self.shared);
            self.touch();
        }
    }

    /// Frames that wait to be heard.
    pub fn buffered(&self) -> usize {
        let held = self.writer.as_ref().map_or(0, |writer| {
            let writer = lock(writer);
            writer.held() / writer.frame_bytes
        });
        self.ring.waiting() + held
    }

    /// s that may wait to be heard before the next chunk is asked for; more than was asked for once JavaScript was too slow.
    pub fn latency(&self) -> f64 {
        self.writer.as_ref().map_or(0.0, |writer| lock(writer).latency_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(latency_s: f64) -> Writer {
        Writer {
            encoding: Encoding::S16,
            frame_bytes: 2,
            rate: 48_000,
            latency_s,
            adapts: true,
            backlog: Vec::new(),
            moved: 0,
            ending: false,
            wants_room: false,
            dry_since: None,
        }
    }

    #[test]
    fn latency_doubles_when_data_were_late_and_only_then() {
        let (ring, shared) = (Ring::new(48_000, 1), StreamShared::default());
        let mut writer = writer(0.1);
        writer.write(&[0; 20], &ring, &shared);
        assert_eq!(writer.latency_s, 0.1);
        for expected in [0.2, 0.4, 0.5, 0.5] {
            writer.ran_dry();
            writer.write(&[0; 20], &ring, &shared);
            assert_eq!(writer.latency_s, expected);
        }
        // The program had paused.
        let mut writer = self::writer(0.1);
        writer.dry_since = Instant::now().checked_sub(2 * PAUSE);
        writer.write(&[0; 20], &ring, &shared);
        assert_eq!(writer.latency_s, 0.1);
        // Nobody who asked for more gets less.
        let mut writer = self::writer(0.8);
        writer.ran_dry();
        writer.write(&[0; 20], &ring, &shared);
        assert_eq!(writer.latency_s, 0.8);
    }

    #[test]
    fn a_frame_cut_in_two_waits_for_its_rest_even_where_the_ring_is_full() {
        let shared = StreamShared::default();
        let ring = Ring::new(2, 1);
        let mut writer = writer(1.0);
        for byte in 0..9u8 {
            writer.write(&[byte], &ring, &shared);
        }
        assert_eq!((ring.waiting(), writer.held()), (2, 5));
        writer.end(&ring, &shared);
        assert!(writer.holds_frames());
        writer.forget();
        assert_eq!(writer.held(), 0);
    }

    #[test]
    fn formats_are_those_of_mpg123_and_nothing_else() {
        for (code, encoding) in FORMATS {
            let value = Value::Object(vec![("format".into(), Value::Number(code.into()))]);
            let read = SpeakerOptions::read(&value).unwrap();
            assert_eq!((read.encoding, read.channels, read.rate), (encoding, 2, 44_100));
        }
        let odd = Value::Object(vec![("format".into(), Value::Number(7.0))]);
        assert!(SpeakerOptions::read(&odd).is_err());
    }
}
