//! The tables of a SoundFont: the RIFF walk, and the records of its "hydra" as they stand in the file.
//!
//! Nothing is believed: sizes are held against the file, indices against the tables they point into. Real banks break
//! the rules (odd chunks without padding, lists that claim too much, tables with a piece of a record at their end):
//! what can be understood is, and what was wrong is a warning. Sample data is left where it is.
//! Source: SoundFont Technical Specification 2.04 (E-mu, 2006), sections 4 to 7.

use std::io::{self, Read, Seek, SeekFrom};

use super::super::error::Fault;

/// Most bytes of one table: 65536 generators are 256 KiB, and modulators 640 KiB; banks beyond the rules go on.
const MAX_TABLE_BYTES: u64 = 64 << 20;
/// Most chunks in a list: a bank has a dozen.
const MAX_CHUNKS: usize = 1024;

/// Where a chunk's body is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Place {
    pub(super) at: u64,
    pub(super) bytes: u64,
}

/// A preset's header.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PresetHeader {
    pub(super) name: String,
    pub(super) program: u16,
    pub(super) bank: u16,
    pub(super) bag: u16,
}

/// An instrument's header.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct InstrumentHeader {
    pub(super) name: String,
    pub(super) bag: u16,
}

/// A zone: where its generators and modulators begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bag {
    pub(super) generator: u16,
    pub(super) modulator: u16,
}

/// A generator and its value, as in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct GeneratorRecord {
    pub(super) operator: u16,
    pub(super) amount: u16,
}

/// A modulator, as in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ModulatorRecord {
    pub(super) source: u16,
    pub(super) destination: u16,
    pub(super) amount: i16,
    pub(super) amount_source: u16,
    pub(super) transform: u16,
}

/// A sample's header. Frames are counted from the start of the `smpl` chunk; of a compressed one, start and end are bytes
/// from there, and the loop is counted from its first frame.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SampleHeader {
    pub(super) name: String,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) loop_start: u32,
    pub(super) loop_end: u32,
    pub(super) rate: u32,
    pub(super) key: u8,
    pub(super) correction_cents: i8,
    pub(super) kind: u16,
}

/// Everything but the sound.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) name: String,
    pub(super) presets: Vec<PresetHeader>,
    pub(super) preset_bags: Vec<Bag>,
    pub(super) preset_generators: Vec<GeneratorRecord>,
    pub(super) preset_modulators: Vec<ModulatorRecord>,
    pub(super) instruments: Vec<InstrumentHeader>,
    pub(super) instrument_bags: Vec<Bag>,
    pub(super) instrument_generators: Vec<GeneratorRecord>,
    pub(super) instrument_modulators: Vec<ModulatorRecord>,
    pub(super) samples: Vec<SampleHeader>,
    /// 16 bits, or Ogg Vorbis streams.
    pub(super) smpl: Place,
    /// The lower 8 of 24 bits.
    pub(super) sm24: Place,
    pub(super) warnings: Vec<String>,
}

/// Reads the tables of a file of `len` bytes.
pub(super) fn read<R: Read + Seek>(reader: &mut R, len: u64) -> Result<Tables, Fault> {
    let mut tables = Tables::default();
    let mut found: Vec<([u8; 4], Place)> = Vec::new();
    let mut head = [0; 12];
    reader.seek(SeekFrom::Start(0))?;
    reader.read_exact(&mut head).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Fault::Corrupt(format!("the file ends after {len} bytes")),
        _ => Fault::Io(error),
    })?;
    let mut walk = Walk { reader, end: len, pos: 12, chunks: 0 };
    while let Some((id, place)) = walk.next(&mut tables.warnings)? {
        if &id != b"LIST" || place.bytes < 4 {
            continue;
        }
        let end = place.at + place.bytes;
        let mut inner = Walk { reader: &mut *walk.reader, end, pos: place.at + 4, chunks: 0 };
        while let Some(chunk) = inner.next(&mut tables.warnings)? {
            found.push(chunk);
        }
        // Padding is looked for where the next chunk is read.
        walk.pos = end;
    }
    let place = |id: &[u8; 4]| found.iter().find(|(found, _)| found == id).map(|(_, place)| *place);
    tables.smpl = place(b"smpl").unwrap_or_default();
    tables.sm24 = place(b"sm24").unwrap_or_default();
    if let Some(name) = place(b"INAM") {
        tables.name = text(&body(walk.reader, Place { bytes: name.bytes.min(256), ..name })?);
    }
    let warnings = &mut tables.warnings;
    let mut table = |id: &[u8; 4], record: usize| -> Result<Vec<u8>, Fault> {
        let name = id.escape_ascii();
        let Some(place) = place(id) else {
            return Err(Fault::Corrupt(format!("there is no {name} chunk in its {len} bytes")));
        };
        if place.bytes > MAX_TABLE_BYTES {
            let what =
                format!("its {name} chunk has {} bytes; at most {MAX_TABLE_BYTES} are read", place.bytes);
            return Err(Fault::Limit(what));
        }
        let rest = place.bytes % record as u64;
        if rest != 0 {
            warnings.push(format!(
                "the {name} chunk at byte {} has {} bytes, no multiple of {record}; the last {rest} are left out",
                place.at - 8,
                place.bytes
            ));
        }
        body(walk.reader, place)
    };
    let presets = table(b"phdr", 38)?;
    let header = |r: &[u8]| PresetHeader {
        name: text(&r[..20]),
        program: half(r, 20),
        bank: half(r, 22),
        bag: half(r, 24),
    };
    tables.presets = presets.chunks_exact(38).map(header).collect();
    let bag = |r: &[u8]| Bag { generator: half(r, 0), modulator: half(r, 2) };
    let generator = |r: &[u8]| GeneratorRecord { operator: half(r, 0), amount: half(r, 2) };
    let modulator = |r: &[u8]| ModulatorRecord {
        source: half(r, 0),
        destination: half(r, 2),
        amount: half(r, 4) as i16,
        amount_source: half(r, 6),
        transform: half(r, 8),
    };
    tables.preset_bags = table(b"pbag", 4)?.chunks_exact(4).map(bag).collect();
    tables.preset_generators = table(b"pgen", 4)?.chunks_exact(4).map(generator).collect();
    tables.preset_modulators = table(b"pmod", 10)?.chunks_exact(10).map(modulator).collect();
    let instrument = |r: &[u8]| InstrumentHeader { name: text(&r[..20]), bag: half(r, 20) };
    tables.instruments = table(b"inst", 22)?.chunks_exact(22).map(instrument).collect();
    tables.instrument_bags = table(b"ibag", 4)?.chunks_exact(4).map(bag).collect();
    tables.instrument_generators = table(b"igen", 4)?.chunks_exact(4).map(generator).collect();
    tables.instrument_modulators = table(b"imod", 10)?.chunks_exact(10).map(modulator).collect();
    let sample = |r: &[u8]| SampleHeader {
        name: text(&r[..20]),
        start: word(r, 20),
        end: word(r, 24),
        loop_start: word(r, 28),
        loop_end: word(r, 32),
        rate: word(r, 36),
        key: r[40],
        correction_cents: r[41] as i8,
        kind: half(r, 44),
    };
    tables.samples = table(b"shdr", 46)?.chunks_exact(46).map(sample).collect();
    // The last record of each is there to say where the one before it ends.
    tables.samples.pop();
    Ok(tables)
}

fn half(record: &[u8], at: usize) -> u16 {
    record.get(at..at + 2).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_le_bytes(*b))
}

fn word(record: &[u8], at: usize) -> u32 {
    record.get(at..at + 4).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b))
}

/// A name: up to its first NUL, UTF-8 or else Latin-1.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let bytes = &bytes[..end];
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_string(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    text.trim().to_string()
}

fn body<R: Read + Seek>(reader: &mut R, place: Place) -> Result<Vec<u8>, Fault> {
    reader.seek(SeekFrom::Start(place.at))?;
    // The walk has held the size against the file's.
    let mut body = vec![0; place.bytes as usize];
    reader.read_exact(&mut body)?;
    Ok(body)
}

/// Goes through the chunks of a list.
struct Walk<'a, R> {
    reader: &'a mut R,
    /// Of the list.
    end: u64,
    pos: u64,
    chunks: usize,
}

impl<R: Read + Seek> Walk<'_, R> {
    /// The next chunk; one that reaches beyond the list is cut, with a warning.
    fn next(&mut self, warnings: &mut Vec<String>) -> Result<Option<([u8; 4], Place)>, Fault> {
        if self.end.saturating_sub(self.pos) < 8 || self.chunks == MAX_CHUNKS {
            return Ok(None);
        }
        self.chunks += 1;
        let mut header = [0; 8];
        self.reader.seek(SeekFrom::Start(self.pos))?;
        self.reader.read_exact(&mut header)?;
        // Behind a chunk of odd size there is a byte of padding, unless its writer forgot it: one too far, and the
        // name begins with the second letter, and the size's first byte is its fifth.
        if self.pos > 0 && !is_name(&header[..4]) && is_name(&header[1..5]) && self.end - self.pos > 8 {
            self.pos += 1;
            self.reader.seek(SeekFrom::Start(self.pos))?;
            self.reader.read_exact(&mut header)?;
        }
        let [a, b, c, d, size @ ..] = header;
        let (id, size) = ([a, b, c, d], u64::from(u32::from_le_bytes(size)));
        let at = self.pos + 8;
        let bytes = size.min(self.end - at);
        if bytes < size {
            warnings.push(format!(
                "the {} chunk at byte {} says {size} bytes, there are {bytes}",
                id.escape_ascii(),
                self.pos
            ));
        }
        // Padding is looked for where the next chunk is read.
        self.pos = at + bytes;
        Ok(Some((id, Place { at, bytes })))
    }
}

fn is_name(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b' ')
}
