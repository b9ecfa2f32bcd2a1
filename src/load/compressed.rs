//! FLAC, Ogg Vorbis and MP3 → interleaved `f32`, by symphonia.
//!
//! What it is given has been recognised by its first bytes, and each format goes to its own reader: nothing is probed
//! for. Exact frame counts: FLAC has them; Vorbis has them in its last page; MP3 where a LAME or Xing tag says how much
//! of the first and last frame is padding. FLAC of up to 24 bits survives unrounded. A tag in front (ID3v2) is skipped.
//!
//! A compressed file's size says nothing about the sound's: memory grows with what has been decoded, and within the
//! limit that holds for all files.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadBytes};
use symphonia::default::formats::{FlacReader, MpaReader, OggReader};
use symphonia::default::get_codecs;

use super::audio::{Decoded, MAX_VALUES, too_long};
use super::error::Fault;
use super::hints::Hints;
use super::sniff::Format;
use crate::units::{MAX_SAMPLE_RATE, MIN_SAMPLE_RATE};

/// Most metadata blocks of a FLAC file that are looked at.
const MAX_BLOCKS: usize = 1024;
/// Bytes of a `smpl` chunk within one that are read.
const MAX_SMPL_BYTES: usize = 1024;

/// Decodes a file of `len` bytes. The reader is at its start.
pub(super) fn decode<R: Read + Seek + Send + Sync>(
    reader: &mut BufReader<R>,
    len: u64,
    format: Format,
) -> Result<Decoded, Fault> {
    let start = skip_tag(reader, len)?;
    let mut head = [0; 4];
    let found = (&mut *reader).take(4).read(&mut head)?;
    reader.seek_relative(-(found as i64))?;
    let format = match (&head, format) {
        (b"fLaC", _) => Format::Flac,
        (_, Format::Flac) => return Err(Fault::Corrupt("the file ends within its first bytes".into())),
        (_, other) => other,
    };
    let mut hints = Hints::default();
    if format == Format::Flac {
        flac_hints(reader, len - start, &mut hints)?;
        reader.seek(SeekFrom::Start(start))?;
    }
    let window = Window { reader, start, len: len - start };
    // Symphonia means not to panic on any file; should it, on one, that file is corrupt, and the pool's thread goes on.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_window(window, format)));
    let mut decoded = decoded
        .unwrap_or_else(|_| Err(Fault::Corrupt(format!("its {} stream breaks the decoder", name(format)))))?;
    decoded.hints = hints;
    Ok(decoded)
}

fn name(format: Format) -> &'static str {
    match format {
        Format::Flac => "FLAC",
        Format::Ogg => "Ogg",
        _ => "MP3",
    }
}

fn decode_window<R: Read + Seek + Send + Sync>(
    window: Window<'_, R>,
    format: Format,
) -> Result<Decoded, Fault> {
    let stream = MediaSourceStream::new(Box::new(window), Default::default());
    let options = FormatOptions::default();
    let opened: Result<Box<dyn FormatReader + '_>, Error> = match format {
        Format::Flac => FlacReader::try_new(stream, options).map(|reader| Box::new(reader) as _),
        Format::Ogg => OggReader::try_new(stream, options).map(|reader| Box::new(reader) as _),
        _ => MpaReader::try_new(stream, options).map(|reader| Box::new(reader) as _),
    };
    let fault = |error: Error, at: Option<u64>| of_symphonia(error, format, at);
    let mut demuxer = opened.map_err(|error| fault(error, None))?;
    let Some(track) = demuxer.default_track(TrackType::Audio) else {
        return Err(Fault::Unsupported(format!(
            "is {} without Vorbis audio; this version reads Vorbis",
            name(format)
        )));
    };
    let Some(CodecParameters::Audio(params)) = &track.codec_params else {
        return Err(Fault::Corrupt(format!("its {} stream has no audio", name(format))));
    };
    let (track_id, expected) = (track.id, track.num_frames);
    let mut decoder = get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default())
        .map_err(|error| fault(error, None))?;
    let mut interleaved: Vec<f32> = Vec::new();
    let mut shape: Option<(u8, u32)> = None;
    let (mut warnings, mut unreadable) = (Vec::new(), 0u64);
    loop {
        let packet = match demuxer.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(Error::ResetRequired) => {
                warnings.push("it holds several streams, one behind the other; the first is read".into());
                break;
            }
            Err(Error::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => {
                let at = demuxer.into_inner().pos();
                return Err(fault(error, Some(at)));
            }
        };
        if packet.track_id != track_id {
            continue;
        }
        let buffer = match decoder.decode(&packet) {
            Ok(buffer) => buffer,
            // One packet is lost; the others are fine.
            Err(Error::DecodeError(_)) => {
                unreadable += 1;
                continue;
            }
            Err(Error::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                unreadable += 1;
                continue;
            }
            Err(error) => return Err(fault(error, None)),
        };
        let values = buffer.samples_interleaved();
        if values == 0 {
            continue;
        }
        let found = (buffer.spec().channels().count(), buffer.spec().rate());
        let (channels, _) = match shape {
            None => *shape.insert(checked_shape(found.0, found.1)?),
            Some(shape) if (usize::from(shape.0), shape.1) == found => shape,
            Some(_) => {
                return Err(Fault::Unsupported(
                    "changes its channels or sample rate on the way; this version reads files of one kind"
                        .into(),
                ));
            }
        };
        let at = interleaved.len();
        if (at + values) as u64 > MAX_VALUES {
            let frames = expected.unwrap_or(0).max((at + values) as u64 / u64::from(channels));
            return Err(too_long(frames, channels));
        }
        interleaved.try_reserve(values).map_err(|_| {
            Fault::Limit("there is no memory for its values; close something or load less".into())
        })?;
        interleaved.resize(at + values, 0.0);
        if let Some(room) = interleaved.get_mut(at..) {
            buffer.copy_to_slice_interleaved(room);
        }
    }
    let Some((channels, sample_rate)) = shape else {
        return Err(Fault::Corrupt(format!("its {} stream has no frame that can be decoded", name(format))));
    };
    let frames = interleaved.len() as u64 / u64::from(channels);
    if let Some(expected) = expected.filter(|expected| format == Format::Flac && *expected > frames) {
        return Err(Fault::Corrupt(format!(
            "its header says {expected} frames, {frames} can be read: it is cut off or damaged"
        )));
    }
    if unreadable > 0 {
        let packets = if unreadable == 1 { "1 packet is" } else { &format!("{unreadable} packets are") };
        warnings.push(format!("{packets} unreadable and left out"));
    }
    interleaved.shrink_to_fit();
    Ok(Decoded { interleaved, channels, sample_rate, hints: Hints::default(), warnings })
}

fn checked_shape(channels: usize, rate: u32) -> Result<(u8, u32), Fault> {
    if !(1..=2).contains(&channels) {
        return Err(Fault::Unsupported(format!(
            "has {channels} channels; this version reads mono and stereo"
        )));
    }
    if !(MIN_SAMPLE_RATE..=MAX_SAMPLE_RATE).contains(&rate) {
        return Err(Fault::Unsupported(format!(
            "has a sample rate of {rate} Hz; this version reads {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz"
        )));
    }
    Ok((channels as u8, rate))
}

fn of_symphonia(error: Error, format: Format, at: Option<u64>) -> Fault {
    let name = name(format);
    let place = at.map(|at| format!(" before byte {at}")).unwrap_or_default();
    match error {
        Error::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Fault::Corrupt(format!("its {name} stream ends too early"))
        }
        Error::IoError(error) if error.kind() == io::ErrorKind::Other && error.raw_os_error().is_none() => {
            Fault::Corrupt(format!("its {name} stream cannot be read{place}: {error}"))
        }
        Error::IoError(error) => Fault::Io(error),
        Error::Unsupported(what) if format == Format::Ogg => Fault::Unsupported(format!(
            "is Ogg audio, but not Vorbis ({what}); this version reads Ogg Vorbis"
        )),
        Error::Unsupported(what) => Fault::Unsupported(format!("is {name} of an unknown sort: {what}")),
        Error::LimitError(what) => Fault::Limit(format!("its {name} stream is out of bounds: {what}")),
        other => Fault::Corrupt(format!("its {name} stream cannot be read{place}: {other}")),
    }
}

/// Skips ID3v2 tags and returns where the reader is then. Source: ID3v2.4.0, section 3.1.
fn skip_tag<R: Read + Seek>(reader: &mut BufReader<R>, len: u64) -> Result<u64, Fault> {
    let mut start = 0;
    while len - start >= 10 {
        let mut head = [0; 10];
        reader.read_exact(&mut head)?;
        let [b'I', b'D', b'3', _, _, flags, size @ ..] = head else {
            reader.seek_relative(-10)?;
            break;
        };
        let body = size.iter().fold(0u64, |sum, byte| sum << 7 | u64::from(byte & 0x7F));
        let whole = 10 + body + if flags & 0x10 == 0 { 0 } else { 10 };
        if whole >= len - start {
            return Err(Fault::Corrupt(format!(
                "the ID3 tag at byte {start} says {whole} bytes, the file has {}, and no sound behind it",
                len - start
            )));
        }
        reader.seek_relative(whole as i64 - 10)?;
        start += whole;
    }
    Ok(start)
}

/// Reads the `smpl` and `inst` chunks that `flac --keep-foreign-metadata` keeps. Source: RFC 9639, section 8.4.
fn flac_hints<R: Read + Seek>(reader: &mut BufReader<R>, len: u64, hints: &mut Hints) -> Result<(), Fault> {
    reader.seek_relative(4)?;
    let mut pos = 4u64;
    for _ in 0..MAX_BLOCKS {
        if len - pos < 4 {
            break;
        }
        let mut head = [0; 4];
        reader.read_exact(&mut head)?;
        pos += 4;
        let [kind, a, b, c] = head;
        let size = u64::from(u32::from_be_bytes([0, a, b, c]));
        if size > len - pos {
            break;
        }
        let mut read = 0;
        if kind & 0x7F == 2 {
            let mut body = vec![0; (size as usize).min(12 + MAX_SMPL_BYTES)];
            reader.read_exact(&mut body)?;
            read = body.len() as u64;
            if let Some((b"riff", chunk)) = body.split_first_chunk::<4>() {
                match chunk.split_first_chunk::<8>() {
                    Some(([b's', b'm', b'p', b'l', ..], body)) => hints.read_smpl(body, false),
                    Some(([b'i', b'n', b's', b't', ..], body)) => hints.read_inst(body),
                    _ => {}
                }
            }
        }
        reader.seek_relative((size - read) as i64)?;
        pos += size;
        if kind & 0x80 != 0 {
            break;
        }
    }
    Ok(())
}

/// The part of a file behind its tag, as symphonia wants it.
struct Window<'a, R> {
    reader: &'a mut BufReader<R>,
    start: u64,
    len: u64,
}

impl<R: Read> Read for Window<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl<R: Seek> Seek for Window<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => SeekFrom::Start(self.start.saturating_add(at)),
            other => other,
        };
        Ok(self.reader.seek(to)?.saturating_sub(self.start))
    }
}

impl<R: Read + Seek + Send + Sync> MediaSource for Window<'_, R> {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len)
    }
}
