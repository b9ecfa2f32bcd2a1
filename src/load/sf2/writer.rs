//! SoundFonts written by hand, for tests: tables in, bytes out.

/// Generators of a zone, in order, and modulators as five words.
#[derive(Clone, Debug, Default)]
pub struct Zone {
    pub generators: Vec<(u16, i32)>,
    pub modulators: Vec<[u16; 5]>,
}

impl Zone {
    pub fn of(generators: &[(u16, i32)]) -> Self {
        Self { generators: generators.to_vec(), modulators: Vec::new() }
    }

    pub fn with(mut self, modulator: [u16; 5]) -> Self {
        self.modulators.push(modulator);
        self
    }
}

/// A sample's frames and header: key, correction, rate, loop, kind.
#[derive(Clone, Debug)]
pub struct Sound {
    pub data: Vec<u8>,
    /// Frames, or bytes where it is compressed.
    pub length: u32,
    pub low: Vec<u8>,
    pub key: u8,
    pub correction: i8,
    pub rate: u32,
    pub looped: (u32, u32),
    pub kind: u16,
}

impl Sound {
    pub fn of(values: &[i16]) -> Self {
        Self {
            data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            length: values.len() as u32,
            low: Vec::new(),
            key: 60,
            correction: 0,
            rate: 48_000,
            looped: (0, 0),
            kind: 1,
        }
    }
}

/// A whole bank.
#[derive(Clone, Debug, Default)]
pub struct Bank {
    /// Bank, program, zones.
    pub presets: Vec<(u16, u16, Vec<Zone>)>,
    pub instruments: Vec<Vec<Zone>>,
    pub sounds: Vec<Sound>,
}

fn name(text: &str) -> [u8; 20] {
    let mut name = [0; 20];
    name[..text.len()].copy_from_slice(text.as_bytes());
    name
}

pub fn chunk(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = [&id[..], &(body.len() as u32).to_le_bytes(), body].concat();
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

/// Bags, generators and modulators of lists of zones; the number of each list's first bag.
fn tables(lists: &[&Vec<Zone>]) -> (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u16>) {
    let (mut bags, mut generators, mut modulators, mut firsts) = (vec![], vec![], vec![], vec![]);
    let bag = |bags: &mut Vec<u8>, generators: &Vec<u8>, modulators: &Vec<u8>| {
        bags.extend(((generators.len() / 4) as u16).to_le_bytes());
        bags.extend(((modulators.len() / 10) as u16).to_le_bytes());
    };
    for list in lists {
        firsts.push((bags.len() / 4) as u16);
        for zone in list.iter() {
            bag(&mut bags, &generators, &modulators);
            for (operator, amount) in &zone.generators {
                generators.extend(operator.to_le_bytes());
                generators.extend((*amount as u16).to_le_bytes());
            }
            zone.modulators.iter().flatten().for_each(|word| modulators.extend(word.to_le_bytes()));
        }
    }
    firsts.push((bags.len() / 4) as u16);
    bag(&mut bags, &generators, &modulators);
    generators.extend([0; 4]);
    modulators.extend([0; 10]);
    (bags, generators, modulators, firsts)
}

impl Bank {
    /// One preset (bank 0, program 0), one instrument, one sample over all keys, with these generators.
    pub fn simple(sound: Sound, generators: &[(u16, i32)]) -> Self {
        let zone = Zone::of(&[generators, &[(53, 0)]].concat());
        Self {
            presets: vec![(0, 0, vec![Zone::of(&[(41, 0)])])],
            instruments: vec![vec![zone]],
            sounds: vec![sound],
        }
    }

    /// The bodies of the nine tables, in order.
    pub fn hydra(&self) -> Vec<(&'static [u8; 4], Vec<u8>)> {
        let (pbag, pgen, pmod, firsts) =
            tables(&self.presets.iter().map(|(.., zones)| zones).collect::<Vec<_>>());
        let mut phdr = Vec::new();
        let end = (255, 255, vec![]);
        for (number, (bank, program, _)) in self.presets.iter().chain([&end]).enumerate() {
            phdr.extend(name(&format!("Preset {number}")));
            [*program, *bank, firsts[number]].iter().for_each(|word| phdr.extend(word.to_le_bytes()));
            phdr.extend([0; 12]);
        }
        let (ibag, igen, imod, firsts) = tables(&self.instruments.iter().collect::<Vec<_>>());
        let mut inst = Vec::new();
        for (number, first) in firsts.iter().enumerate() {
            inst.extend(name(&format!("Instrument {number}")));
            inst.extend(first.to_le_bytes());
        }
        let (mut shdr, mut at) = (Vec::new(), 0u32);
        for (number, sound) in self.sounds.iter().enumerate() {
            shdr.extend(name(&format!("Sample {number}")));
            let base = if sound.kind & 0x10 != 0 { 0 } else { at };
            let words = [at, at + sound.length, base + sound.looped.0, base + sound.looped.1, sound.rate];
            words.iter().for_each(|word| shdr.extend(word.to_le_bytes()));
            shdr.extend([sound.key, sound.correction as u8, 0, 0]);
            shdr.extend(sound.kind.to_le_bytes());
            at += sound.length;
        }
        shdr.extend([0; 46]);
        vec![
            (b"phdr", phdr),
            (b"pbag", pbag),
            (b"pmod", pmod),
            (b"pgen", pgen),
            (b"inst", inst),
            (b"ibag", ibag),
            (b"imod", imod),
            (b"igen", igen),
            (b"shdr", shdr),
        ]
    }

    pub fn bytes(&self) -> Vec<u8> {
        let list = |kind: &[u8; 4], chunks: Vec<u8>| chunk(b"LIST", &[&kind[..], &chunks].concat());
        let smpl: Vec<u8> = self.sounds.iter().flat_map(|sound| sound.data.clone()).collect();
        let low: Vec<u8> = self.sounds.iter().flat_map(|sound| sound.low.clone()).collect();
        let sm24 = if low.is_empty() { vec![] } else { chunk(b"sm24", &low) };
        let hydra = self.hydra().iter().flat_map(|(id, body)| chunk(id, body)).collect();
        let info = list(b"INFO", [chunk(b"ifil", &[2, 0, 4, 0]), chunk(b"INAM", b"Test bank\0")].concat());
        let body = [
            b"sfbk".to_vec(),
            info,
            list(b"sdta", [chunk(b"smpl", &smpl), sm24].concat()),
            list(b"pdta", hydra),
        ];
        chunk(b"RIFF", &body.concat())
    }
}
