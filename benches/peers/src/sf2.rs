//! The smallest SoundFont 2 file that plays: one mono 16-bit sample, looped, over all keys and velocities.
//!
//! Two presets, programs 0 and 1, which differ in the low-pass filter's cutoff alone: 0 leaves it where the format
//! puts it by default (13 500 cents, 19.9 kHz), 1 asks for 16 000 cents, beyond any Nyquist frequency, where players
//! that can leave the filter out do so. Source: SoundFont Technical Specification 2.04, sections 5 to 8.

/// The file's bytes. The loop runs from one eighth to seven eighths of the sample.
pub fn file(values: &[i16], sample_rate: u32) -> Vec<u8> {
    let frames = values.len() as u32;
    let info = list(
        b"INFO",
        &[chunk(b"ifil", &[2, 0, 4, 0]), chunk(b"isng", b"EMU8000\0"), chunk(b"INAM", b"noise\0")],
    );
    // 46 zeros follow each sample (7.10).
    let data: Vec<u8> = values.iter().copied().chain([0; 46]).flat_map(i16::to_le_bytes).collect();
    let sdta = list(b"sdta", &[chunk(b"smpl", &data)]);

    let preset = |text: &str, program: u16, bag: u16| {
        let mut record = name(text);
        words(&mut record, &[program, 0, bag, 0, 0, 0, 0, 0, 0]);
        record
    };
    let instrument = |text: &str, bag: u16| {
        let mut record = name(text);
        words(&mut record, &[bag]);
        record
    };
    let mut shdr = name("noise");
    for n in [0, frames, frames / 8, frames / 8 * 7, sample_rate] {
        shdr.extend(n.to_le_bytes());
    }
    shdr.extend([60, 0]); // original key, correction
    words(&mut shdr, &[0, 1]); // no link, mono
    let mut last = name("EOS");
    last.extend([0; 26]);

    // Generators (8.1.2): 8 initialFilterFc, 41 instrument, 53 sampleID, 54 sampleModes (1: loops).
    const FILTER: u16 = 8;
    const INSTRUMENT: u16 = 41;
    const SAMPLE: u16 = 53;
    const MODES: u16 = 54;
    let pdta = list(
        b"pdta",
        &[
            chunk(b"phdr", &[preset("default", 0, 0), preset("open", 1, 1), preset("EOP", 0, 2)].concat()),
            chunk(b"pbag", &pairs(&[[0, 0], [1, 0], [2, 0]])),
            chunk(b"pmod", &[0; 10]),
            chunk(b"pgen", &pairs(&[[INSTRUMENT, 0], [INSTRUMENT, 1], [0, 0]])),
            chunk(b"inst", &[instrument("default", 0), instrument("open", 1), instrument("EOI", 2)].concat()),
            chunk(b"ibag", &pairs(&[[0, 0], [2, 0], [5, 0]])),
            chunk(b"imod", &[0; 10]),
            chunk(
                b"igen",
                &pairs(&[[MODES, 1], [SAMPLE, 0], [FILTER, 16_000], [MODES, 1], [SAMPLE, 0], [0, 0]]),
            ),
            chunk(b"shdr", &[shdr, last].concat()),
        ],
    );
    let mut body = b"sfbk".to_vec();
    body.extend([info, sdta, pdta].concat());
    chunk(b"RIFF", &body)
}

fn chunk(id: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut out = id.to_vec();
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out.extend(&[0][..data.len() % 2]);
    out
}

fn list(id: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
    chunk(b"LIST", &[id.to_vec(), chunks.concat()].concat())
}

fn name(text: &str) -> Vec<u8> {
    let mut out = text.as_bytes().to_vec();
    out.resize(20, 0);
    out
}

fn words(out: &mut Vec<u8>, words: &[u16]) {
    words.iter().for_each(|word| out.extend(word.to_le_bytes()));
}

fn pairs(pairs: &[[u16; 2]]) -> Vec<u8> {
    let mut out = Vec::new();
    pairs.iter().for_each(|pair| words(&mut out, pair));
    out
}
