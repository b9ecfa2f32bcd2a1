//! The chunk walk: where in a WAV file the format and the data are, and whether the file tells the truth about it.
//!
//! It comes before the decoder, so that a truncated or lying file gets a message with the byte and the figures, and
//! so that no size is used for anything before it has been held against the file's real length. It reads headers and
//! the fmt chunk only and leaves the reader on the first byte of data; what follows the data is never looked at.
//! Source: "Multimedia Programming Interface and Data Specifications 1.0" (IBM, Microsoft 1991), chapter 3.

use std::io::{BufReader, Read, Seek};

use super::error::Fault;
use super::sniff;
use super::wave_format::{LONGEST, WaveFormat};

/// Most chunks before the data: files have a handful, and a walk needs a bound.
const MAX_CHUNKS: usize = 4096;

/// What the walk found.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) format: WaveFormat,
    /// Bytes of whole frames, all of them in the file; at least one frame.
    pub(super) data_bytes: u64,
    /// The last byte may be padding: the data goes on to the end of the file, and a frame is one byte.
    pub(super) may_end_in_padding: bool,
    /// Sentences without the file's name.
    pub(super) warnings: Vec<String>,
}

/// A chunk's header.
struct Chunk {
    id: [u8; 4],
    size: u32,
    /// Its first byte.
    at: u64,
}

impl Chunk {
    fn name(&self) -> String {
        self.id.escape_ascii().to_string().trim_end().to_string()
    }

    /// First byte of the body.
    fn body(&self) -> u64 {
        self.at + 8
    }
}

/// Walks the chunks up to the data.
///
/// - `reader`: at the file's first byte; afterwards at the first byte of data.   - `len`: bytes in the file.
pub(super) fn walk<R: Read + Seek>(reader: &mut BufReader<R>, len: u64) -> Result<Layout, Fault> {
    let riff_size = riff_header(reader, len)?;
    let mut walk = Walk { reader, len, pos: 12 };
    let mut format = None;
    let mut early_data: Option<u64> = None;
    for _ in 0..MAX_CHUNKS {
        let Some(chunk) = walk.header()? else {
            return Err(Fault::Corrupt(match (format, early_data) {
                (_, Some(at)) => format!("the data chunk at byte {at} has no fmt chunk before it"),
                (None, None) => format!("there is no fmt chunk in its {len} bytes"),
                (Some(_), None) => format!("there is no data chunk in its {len} bytes"),
            }));
        };
        let left = len - chunk.body();
        match &chunk.id {
            b"data" => match format {
                Some(format) => return data(&chunk, format, riff_size, len),
                None => early_data = early_data.or(Some(chunk.at)),
            },
            b"fmt " if early_data.is_some() => {
                let data_at = early_data.unwrap_or_default();
                return Err(Fault::Corrupt(format!(
                    "the data chunk at byte {data_at} comes before the fmt chunk at byte {}",
                    chunk.at
                )));
            }
            _ => {}
        }
        if u64::from(chunk.size) > left {
            return Err(Fault::Corrupt(match early_data {
                Some(at) => format!("the data chunk at byte {at} has no fmt chunk before it"),
                None => too_short(&chunk, left),
            }));
        }
        if &chunk.id == b"fmt " && format.is_none() {
            let mut body = [0; LONGEST];
            let body = &mut body[..LONGEST.min(chunk.size as usize)];
            walk.reader.read_exact(body)?;
            walk.pos += body.len() as u64;
            format = Some(WaveFormat::parse(body, chunk.size, chunk.at)?);
        }
        walk.skip_to(chunk.body() + u64::from(chunk.size))?;
        if chunk.size % 2 == 1 {
            walk.skip_padding()?;
        }
    }
    Err(Fault::Limit(format!("there are more than {MAX_CHUNKS} chunks before the data")))
}

fn too_short(chunk: &Chunk, left: u64) -> String {
    format!("the {} chunk at byte {} says {} bytes, the file has {left}", chunk.name(), chunk.at, chunk.size)
}

/// Checks the first twelve bytes and returns the RIFF size.
fn riff_header<R: Read + Seek>(reader: &mut BufReader<R>, len: u64) -> Result<u32, Fault> {
    if len == 0 {
        return Err(Fault::Corrupt("the file is empty".into()));
    }
    let mut head = Vec::with_capacity(sniff::HEAD_BYTES);
    reader.by_ref().take(sniff::HEAD_BYTES as u64).read_to_end(&mut head)?;
    if let Some(name) = sniff::name_of(&head) {
        return Err(Fault::Unsupported(format!("is {name}; this version reads WAV")));
    }
    let whole = head.get(..12).and_then(|head| head.first_chunk::<12>());
    match whole {
        Some(&[b'R', b'I', b'F', b'F', a, b, c, d, b'W', b'A', b'V', b'E']) => {
            reader.seek_relative(12 - head.len() as i64)?;
            Ok(u32::from_le_bytes([a, b, c, d]))
        }
        None if b"RIFF".starts_with(&head[..head.len().min(4)]) => {
            Err(Fault::Corrupt(format!("the file ends after {len} bytes, within its 12-byte RIFF header")))
        }
        _ => {
            let first = &head[..head.len().min(4)];
            let hex: Vec<String> = first.iter().map(|byte| format!("{byte:02x}")).collect();
            Err(Fault::NotWav(format!("is not a WAV file: it begins with the bytes {}", hex.join(" "))))
        }
    }
}

/// Decides how much of the data chunk to read.
fn data(chunk: &Chunk, format: WaveFormat, riff_size: u32, len: u64) -> Result<Layout, Fault> {
    let left = len - chunk.body();
    let mut warnings = Vec::new();
    let mut bytes = u64::from(chunk.size);
    // Behind a data chunk of size 0 there may be other chunks (then there is no sound), or all the sound, from a
    // writer that could not go back: then the RIFF size is unset too.
    let unset = if chunk.size == 0 {
        left > 0 && (u64::from(riff_size) + 8 <= chunk.body() || is_placeholder(riff_size))
    } else {
        is_placeholder(chunk.size) && bytes > left
    };
    if unset {
        bytes = left;
        warnings.push(format!(
            "the data chunk at byte {} gives no length ({}), as streaming writers do; the {left} bytes to the end of \
             the file are read",
            chunk.at, chunk.size
        ));
    } else if bytes > left {
        return Err(Fault::Corrupt(too_short(chunk, left)));
    } else if riff_lies(riff_size, chunk.body() + bytes, len) {
        warnings.push(format!(
            "the RIFF size at byte 4 is {riff_size}, the file has {} bytes after it; the data is complete and is read",
            len - 8
        ));
    }
    if bytes == 0 {
        return Err(Fault::Corrupt(format!("the data chunk at byte {} is empty (0 frames)", chunk.at)));
    }
    let frame = u64::from(format.frame_bytes());
    let rest = bytes % frame;
    if rest == bytes {
        return Err(Fault::Corrupt(format!(
            "the data chunk at byte {} has {bytes} bytes, less than one frame ({frame})",
            chunk.at
        )));
    }
    // A streaming writer pads an odd chunk too; where frames are longer than the padding, it shows as a rest.
    let padded = unset && bytes.is_multiple_of(2);
    if rest > 0 && !(padded && rest == 1) {
        warnings.push(format!("the data ends within a frame; its last {rest} bytes are left out"));
    }
    Ok(Layout { format, data_bytes: bytes - rest, may_end_in_padding: padded && frame == 1, warnings })
}

/// Sizes that writers leave behind when they cannot know: ffmpeg 0xFFFFFFFF, SoX 0x7FFFF000 rounded down to a frame,
/// arecord 0x80000000.
fn is_placeholder(size: u32) -> bool {
    (0x7FFF_0000..=0x8000_0000).contains(&size) || size >= 0xFFFF_0000
}

/// Whether the RIFF size leaves out data, or counts more than the file has. A padding byte may be counted or not,
/// and what follows the RIFF chunk is nobody's business.
fn riff_lies(riff_size: u32, data_end: u64, len: u64) -> bool {
    let end = u64::from(riff_size) + 8;
    end < data_end || end > len + 1
}

/// A reader that knows where it is and where the file ends.
struct Walk<'a, R> {
    reader: &'a mut BufReader<R>,
    len: u64,
    pos: u64,
}

impl<R: Read + Seek> Walk<'_, R> {
    /// The next chunk's header; `None` when less than a header is left.
    fn header(&mut self) -> Result<Option<Chunk>, Fault> {
        if self.len.saturating_sub(self.pos) < 8 {
            return Ok(None);
        }
        let mut header = [0; 8];
        self.reader.read_exact(&mut header)?;
        let [a, b, c, d, size @ ..] = header;
        let chunk = Chunk { id: [a, b, c, d], size: u32::from_le_bytes(size), at: self.pos };
        self.pos += 8;
        Ok(Some(chunk))
    }

    /// Goes forward to a byte, which the caller knows to be in the file.
    fn skip_to(&mut self, to: u64) -> Result<(), Fault> {
        self.reader.seek_relative((to - self.pos) as i64)?;
        self.pos = to;
        Ok(())
    }

    /// Skips the byte that follows a chunk of odd size, unless its writer forgot it.
    fn skip_padding(&mut self) -> Result<(), Fault> {
        if self.len.saturating_sub(self.pos) < 4 {
            self.pos = self.len;
            return Ok(());
        }
        let mut next = [0; 4];
        self.reader.read_exact(&mut next)?;
        let forgotten = [b"fmt ", b"data", b"fact", b"LIST"].contains(&&next);
        self.reader.seek_relative(if forgotten { -4 } else { -3 })?;
        self.pos += u64::from(!forgotten);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{chunk, extensible, fmt, riff};
    use super::super::wave_format::Encoding;
    use super::*;
    use std::io::Cursor;

    /// Bytes of data and warnings, or the message; checks that the reader stands on the data.
    fn walked(file: &[u8]) -> Result<(u64, Vec<String>), String> {
        let mut reader = BufReader::with_capacity(16, Cursor::new(file));
        match walk(&mut reader, file.len() as u64) {
            Ok(layout) => {
                let at = reader.stream_position().unwrap() as usize;
                assert!(file[..at - 4].ends_with(b"data"));
                Ok((layout.data_bytes, layout.warnings))
            }
            Err(Fault::Corrupt(what)) => Err(what),
            Err(Fault::Unsupported(what) | Fault::NotWav(what)) => Err(format!("unsupported: {what}")),
            Err(Fault::Limit(what)) => Err(format!("limit: {what}")),
            Err(other) => Err(format!("{other:?}")),
        }
    }

    fn mono16() -> Vec<u8> {
        chunk(b"fmt ", &fmt(1, 1, 44_100, 2, 16))
    }

    /// The standard file of 44 header bytes and 8 bytes of data, with the data and RIFF sizes as given.
    fn with_sizes(riff_size: u32, data_size: u32) -> Vec<u8> {
        let mut file = riff(&[mono16(), chunk(b"data", &[0; 8])]);
        file[4..8].copy_from_slice(&riff_size.to_le_bytes());
        file[40..44].copy_from_slice(&data_size.to_le_bytes());
        file
    }

    #[test]
    fn the_plain_file_has_no_warnings() {
        assert_eq!(walked(&with_sizes(44, 8)), Ok((8, vec![])));
        let file = riff(&[chunk(b"fmt ", &extensible(&fmt(1, 2, 96_000, 6, 24))), chunk(b"data", &[0; 12])]);
        let layout = walk(&mut BufReader::new(Cursor::new(&file)), file.len() as u64).unwrap();
        assert_eq!(layout.format, WaveFormat { encoding: Encoding::Int24, channels: 2, sample_rate: 96_000 });
    }

    #[test]
    fn unknown_chunks_odd_sizes_and_trailing_junk_are_skipped() {
        let mut file = riff(&[
            chunk(b"JUNK", &[7; 27]),
            mono16(),
            chunk(b"fact", &[0; 4]),
            chunk(b"LIST", b"INFOx"),
            chunk(b"\0\xff\0 ", &[]),
            chunk(b"data", &[0; 8]),
            chunk(b"id3 ", &[1; 9]),
        ]);
        assert_eq!(walked(&file), Ok((8, vec![])));
        file.extend_from_slice(b"TAG and other junk behind the RIFF chunk");
        assert_eq!(walked(&file), Ok((8, vec![])));
    }

    #[test]
    fn a_forgotten_padding_byte_does_not_hide_the_data() {
        let mut file = riff(&[mono16(), chunk(b"LIST", b"INFOx"), chunk(b"data", &[0; 8])]);
        let pad = 36 + 8 + 5;
        assert_eq!(file.remove(pad), 0);
        file[4] -= 1;
        assert_eq!(walked(&file), Ok((8, vec![])));
    }

    #[test]
    fn a_padding_byte_counts_or_not_without_a_warning() {
        let mono8 = chunk(b"fmt ", &fmt(1, 1, 44_100, 1, 8));
        let padded = riff(&[mono8, chunk(b"data", &[128; 7])]);
        assert_eq!(padded.len(), 52);
        assert_eq!(walked(&padded), Ok((7, vec![])));
        assert_eq!(walked(&padded[..51]), Ok((7, vec![])), "counted, but not written");
        let mut uncounted = padded.clone();
        uncounted[4] -= 1;
        assert_eq!(walked(&uncounted), Ok((7, vec![])));
    }

    #[test]
    fn a_wrong_riff_size_around_complete_data_is_a_warning() {
        for size in [0, 4, 43, 46, 9999, 0x7FFF_F024, u32::MAX] {
            let text = format!(
                "the RIFF size at byte 4 is {size}, the file has 44 bytes after it; the data is complete and is read"
            );
            assert_eq!(walked(&with_sizes(size, 8)), Ok((8, vec![text])));
        }
    }

    #[test]
    fn streamed_files_are_read_to_their_end_with_a_warning() {
        for (riff_size, data_size) in [
            (u32::MAX, u32::MAX),
            (0, 0),
            (36, 0),
            (0x7FFF_F024, 0x7FFF_F000),
            (44, 0x8000_0000),
            (u32::MAX, 0),
        ] {
            let text = format!(
                "the data chunk at byte 36 gives no length ({data_size}), as streaming writers do; the 8 bytes to the \
                 end of the file are read"
            );
            assert_eq!(walked(&with_sizes(riff_size, data_size)), Ok((8, vec![text])));
        }
    }

    #[test]
    fn a_short_or_missing_part_is_named_with_its_byte() {
        let data = chunk(b"data", &[0; 8]);
        for (file, message) in [
            (with_sizes(44, 9000), "the data chunk at byte 36 says 9000 bytes, the file has 8"),
            (with_sizes(44, 0x7000_0000), "the data chunk at byte 36 says 1879048192 bytes, the file has 8"),
            (with_sizes(44, 0), "the data chunk at byte 36 is empty (0 frames)"),
            (with_sizes(44, 1), "the data chunk at byte 36 has 1 bytes, less than one frame (2)"),
            (with_sizes(u32::MAX, u32::MAX)[..44].to_vec(), "the data chunk at byte 36 is empty (0 frames)"),
            (riff(&[mono16()]), "there is no data chunk in its 36 bytes"),
            (with_sizes(44, 8)[..43].to_vec(), "there is no data chunk in its 43 bytes"),
            (riff(&[]), "there is no fmt chunk in its 12 bytes"),
            (riff(std::slice::from_ref(&data)), "the data chunk at byte 12 has no fmt chunk before it"),
            (
                riff(&[data.clone(), mono16()]),
                "the data chunk at byte 12 comes before the fmt chunk at byte 28",
            ),
            (with_sizes(44, 8)[..30].to_vec(), "the fmt chunk at byte 12 says 16 bytes, the file has 10"),
            (
                riff(&[chunk(b"fmt ", &[1; 14]), data.clone()]),
                "the fmt chunk at byte 12 has 14 bytes, it needs at least 16",
            ),
            (
                riff(&[chunk(b"LI\x07 ", &[1; 14])])[..30].to_vec(),
                "the LI\\x07 chunk at byte 12 says 14 bytes, the file has 10",
            ),
            (b"RIFF\x24\0".to_vec(), "the file ends after 6 bytes, within its 12-byte RIFF header"),
            (b"R".to_vec(), "the file ends after 1 bytes, within its 12-byte RIFF header"),
            (vec![], "the file is empty"),
            (b"hello".to_vec(), "unsupported: is not a WAV file: it begins with the bytes 68 65 6c 6c"),
            (
                b"RIFF\x04\0\0\0ACONanih".to_vec(),
                "unsupported: is not a WAV file: it begins with the bytes 52 49 46 46",
            ),
            (b"fLaC\0\0\0\x22".to_vec(), "unsupported: is FLAC audio; this version reads WAV"),
            (
                b"RIFX\0\0\0\x24WAVE".to_vec(),
                "unsupported: is a big-endian WAV file (RIFX); this version reads WAV",
            ),
            (
                b"RF64\xff\xff\xff\xffWAVE".to_vec(),
                "unsupported: is a 64-bit WAV file (RF64); this version reads WAV",
            ),
        ] {
            assert_eq!(walked(&file), Err(message.into()));
        }
    }

    #[test]
    fn data_that_ends_within_a_frame_loses_the_piece_with_a_warning() {
        let stereo = chunk(b"fmt ", &fmt(1, 2, 44_100, 4, 16));
        let file = riff(&[stereo, chunk(b"data", &[0; 10])]);
        let text = "the data ends within a frame; its last 2 bytes are left out".to_string();
        assert_eq!(walked(&file), Ok((8, vec![text])));
    }

    #[test]
    fn endless_small_chunks_end_the_walk() {
        let file = riff(&vec![chunk(b"JUNK", &[]); MAX_CHUNKS + 1]);
        assert_eq!(walked(&file), Err("limit: there are more than 4096 chunks before the data".into()));
    }
}
