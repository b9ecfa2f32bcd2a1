//! The chunk walk: where in a WAV file the format and the data are, and whether the file tells the truth about it.
//!
//! It comes before the decoder, so that a truncated or lying file gets a message with the byte and the figures, and
//! so that no size is used for anything before it has been held against the file's real length. It reads headers, the
//! fmt chunk and what says where to loop, and leaves the reader on the first byte of data; what follows the data is looked
//! at when that has been read.
//! Sources: "Multimedia Programming Interface and Data Specifications 1.0" (IBM, Microsoft 1991), chapter 3: RIFF and,
//! big-endian, RIFX; EBU Tech 3306 (RF64) and ITU-R BS.2088 (BW64): sizes of 64 bits.

use std::io::{BufReader, Read, Seek};

use super::error::Fault;
use super::hints::{Hints, MAX_LOOPS};
use super::wave_format::{LONGEST, WaveFormat};

/// Most chunks of a file: files have a handful, and a walk needs a bound.
const MAX_CHUNKS: usize = 4096;
/// Bytes of a `smpl` chunk that are read.
const MAX_SMPL_BYTES: u64 = 36 + 24 * MAX_LOOPS as u64;

/// What the walk found.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) format: WaveFormat,
    /// Bytes of whole frames, all of them in the file; at least one frame.
    pub(super) data_bytes: u64,
    /// The last byte may be padding: the data goes on to the end of the file, and a frame is one byte.
    pub(super) may_end_in_padding: bool,
    /// Root and loops, as far as they stand before the data; loops may lie outside it.
    pub(super) hints: Hints,
    /// What may follow the data.
    pub(super) rest: Rest,
    /// Sentences without the file's name.
    pub(super) warnings: Vec<String>,
}

/// What follows the data: where, if that can be known.
#[derive(Debug)]
pub(super) struct Rest {
    data: Option<Chunk>,
    big_endian: bool,
}

impl Rest {
    /// Looks for root and loops behind the data. What makes no sense there ends the search.
    ///
    /// - `reader`: `read` bytes into the data.   - `len`: bytes in the file.
    pub(super) fn read_hints<R: Read + Seek>(
        self,
        reader: &mut BufReader<R>,
        read: u64,
        len: u64,
        hints: &mut Hints,
    ) -> Result<(), Fault> {
        let Some(data) = self.data else { return Ok(()) };
        let mut walk = Walk { reader, len, pos: data.body() + read, big_endian: self.big_endian };
        walk.skip_chunk(&data)?;
        for _ in 0..MAX_CHUNKS {
            let Some(chunk) = walk.header()? else { break };
            if chunk.size > len - chunk.body() {
                break;
            }
            walk.hint(&chunk, hints)?;
            walk.skip_chunk(&chunk)?;
        }
        Ok(())
    }
}

/// A chunk's header.
#[derive(Debug)]
struct Chunk {
    id: [u8; 4],
    size: u64,
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

/// The three kinds of file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Riff,
    /// Everything big-endian.
    Rifx,
    /// RF64 and BW64: sizes that 32 bits do not hold stand in a ds64 chunk.
    Wide,
}

/// Walks the chunks up to the data.
///
/// - `reader`: at the file's first byte; afterwards at the first byte of data.   - `len`: bytes in the file.
pub(super) fn walk<R: Read + Seek>(reader: &mut BufReader<R>, len: u64) -> Result<Layout, Fault> {
    let (form, riff_size) = riff_header(reader, len)?;
    let mut walk = Walk { reader, len, pos: 12, big_endian: form == Form::Rifx };
    let mut format = None;
    let mut early_data: Option<u64> = None;
    let mut hints = Hints::default();
    let mut wide: Option<(u64, u64)> = None;
    for _ in 0..MAX_CHUNKS {
        let Some(mut chunk) = walk.header()? else {
            return Err(Fault::Corrupt(match (format, early_data) {
                (_, Some(at)) => format!("the data chunk at byte {at} has no fmt chunk before it"),
                (None, None) => format!("there is no fmt chunk in its {len} bytes"),
                (Some(_), None) => format!("there is no data chunk in its {len} bytes"),
            }));
        };
        let left = len - chunk.body();
        match &chunk.id {
            b"data" => match format {
                Some(format) => {
                    let (mut riff_size, mut complete) = (riff_size, chunk.size > 0);
                    if let Some((riff, data)) = wide.filter(|_| chunk.size == UNKNOWN) {
                        (riff_size, chunk.size, complete) = (riff, data, true);
                    }
                    let mut layout = data(&chunk, format, riff_size, len)?;
                    layout.hints = hints;
                    // Behind data of unknown length nothing can be found.
                    layout.rest.data = Some(chunk).filter(|chunk| complete && chunk.size <= left);
                    layout.rest.big_endian = walk.big_endian;
                    return Ok(layout);
                }
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
        if chunk.size > left {
            return Err(Fault::Corrupt(match early_data {
                Some(at) => format!("the data chunk at byte {at} has no fmt chunk before it"),
                None => too_short(&chunk, left),
            }));
        }
        if &chunk.id == b"fmt " && format.is_none() {
            let mut body = [0; LONGEST];
            let body = &mut body[..LONGEST.min(chunk.size as usize)];
            walk.read(body)?;
            format = Some(WaveFormat::parse(body, chunk.size as u32, chunk.at, walk.big_endian)?);
        } else if &chunk.id == b"ds64" && form == Form::Wide {
            let mut body = [0; 16];
            if chunk.size < 16 {
                let what = format!(
                    "the ds64 chunk at byte {} has {} bytes, it needs at least 16",
                    chunk.at, chunk.size
                );
                return Err(Fault::Corrupt(what));
            }
            walk.read(&mut body)?;
            let [riff, data] =
                [0, 8].map(|at| u64::from_le_bytes(std::array::from_fn(|byte| body[at + byte])));
            wide = Some((riff, data));
        } else {
            walk.hint(&chunk, &mut hints)?;
        }
        walk.skip_chunk(&chunk)?;
    }
    Err(Fault::Limit(format!("there are more than {MAX_CHUNKS} chunks before the data")))
}

/// "It did not fit": in RF64, the size is the one in the ds64 chunk.
const UNKNOWN: u64 = u32::MAX as u64;

fn too_short(chunk: &Chunk, left: u64) -> String {
    format!("the {} chunk at byte {} says {} bytes, the file has {left}", chunk.name(), chunk.at, chunk.size)
}

/// Checks the first twelve bytes and returns the kind and the RIFF size.
fn riff_header<R: Read + Seek>(reader: &mut BufReader<R>, len: u64) -> Result<(Form, u64), Fault> {
    let mut head = Vec::with_capacity(12);
    reader.by_ref().take(12).read_to_end(&mut head)?;
    let Some(&[a, b, c, d, size @ .., b'W', b'A', b'V', b'E']) = head.first_chunk::<12>() else {
        return Err(Fault::Corrupt(format!(
            "the file ends after {len} bytes, within its 12-byte RIFF header"
        )));
    };
    let form = match &[a, b, c, d] {
        b"RIFX" => Form::Rifx,
        b"RF64" | b"BW64" => Form::Wide,
        _ => Form::Riff,
    };
    let size = if form == Form::Rifx { u32::from_be_bytes(size) } else { u32::from_le_bytes(size) };
    Ok((form, size.into()))
}

/// Decides how much of the data chunk to read.
fn data(chunk: &Chunk, format: WaveFormat, riff_size: u64, len: u64) -> Result<Layout, Fault> {
    let left = len - chunk.body();
    let mut warnings = Vec::new();
    let mut bytes = chunk.size;
    // Behind a data chunk of size 0 there may be other chunks (then there is no sound), or all the sound, from a
    // writer that could not go back: then the RIFF size is unset too.
    let unset = if chunk.size == 0 {
        left > 0 && (riff_size.saturating_add(8) <= chunk.body() || is_placeholder(riff_size))
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
    let may_end_in_padding = padded && frame == 1;
    let data_bytes = bytes - rest;
    let rest = Rest { data: None, big_endian: false };
    Ok(Layout { format, data_bytes, may_end_in_padding, hints: Hints::default(), rest, warnings })
}

/// Sizes that writers leave behind when they cannot know: ffmpeg 0xFFFFFFFF, SoX 0x7FFFF000 rounded down to a frame,
/// arecord 0x80000000.
fn is_placeholder(size: u64) -> bool {
    (0x7FFF_0000..=0x8000_0000).contains(&size) || (0xFFFF_0000..=UNKNOWN).contains(&size)
}

/// Whether the RIFF size leaves out data, or counts more than the file has. A padding byte may be counted or not,
/// and what follows the RIFF chunk is nobody's business.
fn riff_lies(riff_size: u64, data_end: u64, len: u64) -> bool {
    let end = riff_size.saturating_add(8);
    end < data_end || end > len + 1
}

/// A reader that knows where it is and where the file ends.
struct Walk<'a, R> {
    reader: &'a mut BufReader<R>,
    len: u64,
    pos: u64,
    big_endian: bool,
}

impl<R: Read + Seek> Walk<'_, R> {
    /// The next chunk's header; `None` when less than a header is left.
    fn header(&mut self) -> Result<Option<Chunk>, Fault> {
        if self.len.saturating_sub(self.pos) < 8 {
            return Ok(None);
        }
        let mut header = [0; 8];
        let at = self.pos;
        self.read(&mut header)?;
        let [a, b, c, d, size @ ..] = header;
        let size = if self.big_endian { u32::from_be_bytes(size) } else { u32::from_le_bytes(size) };
        Ok(Some(Chunk { id: [a, b, c, d], size: size.into(), at }))
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), Fault> {
        self.reader.read_exact(into)?;
        self.pos += into.len() as u64;
        Ok(())
    }

    /// Reads what a chunk, which is all in the file, says of root and loops, if it does.
    fn hint(&mut self, chunk: &Chunk, hints: &mut Hints) -> Result<(), Fault> {
        let most = match &chunk.id {
            b"smpl" => MAX_SMPL_BYTES,
            b"inst" => 7,
            _ => return Ok(()),
        };
        let mut body = vec![0; most.min(chunk.size) as usize];
        self.read(&mut body)?;
        match &chunk.id {
            b"smpl" => hints.read_smpl(&body, self.big_endian),
            _ => hints.read_inst(&body),
        }
        Ok(())
    }

    /// Goes to the next chunk, from anywhere in this one, which is all in the file.
    fn skip_chunk(&mut self, chunk: &Chunk) -> Result<(), Fault> {
        self.skip_to(chunk.body() + chunk.size)?;
        if chunk.size % 2 == 1 {
            self.skip_padding()?;
        }
        Ok(())
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
            return self.skip_to(self.len);
        }
        let mut next = [0; 4];
        self.reader.read_exact(&mut next)?;
        let forgotten = [b"fmt ", b"data", b"fact", b"LIST", b"smpl", b"inst", b"cue "].contains(&&next);
        self.reader.seek_relative(if forgotten { -4 } else { -3 })?;
        self.pos += u64::from(!forgotten);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::encoding::{Encoding, Kind};
    use super::super::hints::FileLoop;
    use super::super::testing::{chunk, extensible, fmt, riff};
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
            Err(Fault::Unsupported(what)) => Err(format!("unsupported: {what}")),
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
        assert_eq!(
            layout.format,
            WaveFormat { encoding: Encoding::little(Kind::Signed, 3), channels: 2, sample_rate: 96_000 }
        );
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
            (
                [&b"RF64\xff\xff\xff\xffWAVE"[..], &chunk(b"ds64", &[0; 12])].concat(),
                "the ds64 chunk at byte 12 has 12 bytes, it needs at least 16",
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

    /// A `smpl` chunk's body with one loop.
    fn smpl(note: u32, start: u32, last: u32) -> Vec<u8> {
        let words = [0, 0, 0, note, 0, 0, 0, 1, 0, 0, 0, start, last, 0, 0];
        words.iter().flat_map(|word: &u32| word.to_le_bytes()).collect()
    }

    #[test]
    fn root_and_loops_are_found_before_and_behind_the_data() {
        let smpl = chunk(b"smpl", &smpl(62, 1, 2));
        let loops = [FileLoop { start: 1, end: 3, alternate: false }];
        let data = chunk(b"data", &[0; 8]);
        for chunks in [
            vec![mono16(), smpl.clone(), data.clone()],
            vec![mono16(), data.clone(), smpl.clone()],
            vec![mono16(), data.clone(), chunk(b"LIST", b"INFOx"), smpl.clone(), vec![b'x'; 11]],
        ] {
            let file = riff(&chunks);
            for buffer in [16, 4096] {
                let mut reader = BufReader::with_capacity(buffer, Cursor::new(&file));
                let Layout { mut hints, rest, .. } = walk(&mut reader, file.len() as u64).unwrap();
                reader.seek_relative(6).unwrap();
                rest.read_hints(&mut reader, 6, file.len() as u64, &mut hints).unwrap();
                assert_eq!((hints.root_key, &hints.loops[..]), (Some(62.0), &loops[..]));
            }
        }
        let file = riff(&[mono16(), chunk(b"inst", &[50, 0, 0, 0, 127, 1, 127]), data.clone()]);
        assert_eq!(
            walk(&mut BufReader::new(Cursor::new(&file)), file.len() as u64).unwrap().hints.root_key,
            Some(50.0)
        );
        let mut cut = riff(&[mono16(), data, smpl]);
        cut.truncate(cut.len() - 8);
        assert_eq!(walked(&cut).unwrap().0, 8, "a hint that is cut off costs no sound");
    }

    #[test]
    fn sizes_of_64_bits_stand_in_their_own_chunk() {
        let file = |data_size: u64, header: u32, name: &[u8; 4]| {
            let ds64 = [52u64.to_le_bytes(), data_size.to_le_bytes(), 4u64.to_le_bytes()].concat();
            let ds64 = chunk(b"ds64", &[ds64, vec![0; 4]].concat());
            let mut file = riff(&[ds64, mono16(), chunk(b"data", &[0; 8])]);
            file[..8].copy_from_slice(&[&name[..], &[0xFF; 4]].concat());
            let at = file.len() - 12;
            file[at..at + 4].copy_from_slice(&header.to_le_bytes());
            let riff_size = file.len() as u64 - 8;
            file[20..28].copy_from_slice(&riff_size.to_le_bytes());
            file
        };
        for name in [b"RF64", b"BW64"] {
            assert_eq!(walked(&file(8, u32::MAX, name)), Ok((8, vec![])));
            assert_eq!(
                walked(&file(1 << 40, u32::MAX, name)),
                Err("the data chunk at byte 72 says 1099511627776 bytes, the file has 8".into())
            );
            assert_eq!(walked(&file(8, 6, name)).unwrap().0, 6, "a size that fits is the chunk's own");
            assert!(walked(&file(u64::MAX, u32::MAX, name)).is_err());
        }
    }

    #[test]
    fn a_big_endian_file_is_walked_the_other_way_round() {
        let swapped =
            |id: &[u8; 4], body: &[u8]| [&id[..], &(body.len() as u32).to_be_bytes(), body].concat();
        let fmt = [0, 1, 0, 1, 0, 0, 0xAC, 0x44, 0, 1, 0x58, 0x88, 0, 2, 0, 16];
        let body = [b"WAVE".to_vec(), swapped(b"fmt ", &fmt), swapped(b"data", &[0; 8])].concat();
        let file = swapped(b"RIFX", &body);
        let layout = walk(&mut BufReader::new(Cursor::new(&file)), file.len() as u64).unwrap();
        assert_eq!((layout.data_bytes, layout.format.encoding), (8, Encoding::big(Kind::Signed, 2)));
        assert_eq!(layout.warnings, Vec::<String>::new());
    }
}
