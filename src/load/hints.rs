//! What a sound file says of itself beside its sound: at which key it sounds as recorded, and where it loops.
//!
//! Hints, not orders: a loader that knows better (a note in the file's name, an opcode) goes by that. A chunk that
//! makes no sense gives no hint, never an error: the sound is there all the same.
//! Sources: "Multimedia Data Standards Update" (Microsoft, 1994: `smpl`, `inst`), AIFF 1.3 (`INST`, `MARK`).

/// Most loops that are read of a file: samplers use the first.
pub(super) const MAX_LOOPS: usize = 16;

/// Where a file wants to be looped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLoop {
    /// First frame.
    pub start: u32,
    /// Frame behind the last; within the file, greater than `start`.
    pub end: u32,
    /// Back and forth.
    pub alternate: bool,
}

/// What a file says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hints {
    /// Key at which it sounds as recorded, 0..=127 and fractions.
    pub root_key: Option<f64>,
    /// At most 16, in the file's order.
    pub loops: Vec<FileLoop>,
}

fn key(note: u32) -> Option<f64> {
    (note <= 127).then_some(f64::from(note))
}

impl Hints {
    /// Adds what a `smpl` chunk says; its words before those of others. `big_endian`: of a RIFX file.
    pub(super) fn read_smpl(&mut self, body: &[u8], big_endian: bool) {
        let word = |at: usize| {
            let bytes = body.get(at..at + 4)?.first_chunk::<4>()?;
            Some(if big_endian { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) })
        };
        let Some((note, fraction)) = word(12).zip(word(16)) else { return };
        // "The fraction of a semitone up from the specified note": 0x80000000 is 50 cents.
        let root = key(note).map(|key| key + f64::from(fraction) / (f64::from(u32::MAX) + 1.0));
        self.root_key = root.or(self.root_key);
        let count = word(28).unwrap_or(0).min(MAX_LOOPS as u32) as usize;
        self.loops.clear();
        for number in 0..count {
            let at = 36 + 24 * number;
            let (Some(kind), Some(start), Some(last)) = (word(at + 4), word(at + 8), word(at + 12)) else {
                break;
            };
            // Type 2, backwards, is as good as never written; round is nearer to it than silence.
            self.loops.push(FileLoop { start, end: last.saturating_add(1), alternate: kind == 1 });
        }
    }

    /// Adds what an `inst` chunk says, unless the root is known.
    pub(super) fn read_inst(&mut self, body: &[u8]) {
        if let [note, cents, ..] = *body {
            // By so many cents it is to be tuned: its own pitch lies the other way.
            let root = key(note.into()).map(|key| (key - f64::from(cents as i8) / 100.0).clamp(0.0, 127.0));
            self.root_key = self.root_key.or(root);
        }
    }

    /// Adds what an AIFF `INST` chunk says; `marker` gives the frame of a marker.
    pub(super) fn read_aiff_inst(&mut self, body: &[u8], marker: impl Fn(u16) -> Option<u32>) {
        self.read_inst(body); // the same two bytes
        let half = |at: usize| Some(u16::from_be_bytes(*body.get(at..at + 2)?.first_chunk()?));
        // The sustain loop, else the release loop.
        for at in [8, 14] {
            let (Some(mode @ 1..=2), Some(begin), Some(end)) = (half(at), half(at + 2), half(at + 4)) else {
                continue;
            };
            if let Some((start, end)) = marker(begin).zip(marker(end)) {
                self.loops.push(FileLoop { start, end, alternate: mode == 2 });
            }
        }
    }

    /// Leaves out loops that this many frames do not hold. Returns how many.
    pub(super) fn keep_within(&mut self, frames: usize) -> usize {
        let before = self.loops.len();
        // Writers are off by one here as often as not: a loop that ends one frame behind the sound ends with it.
        for round in &mut self.loops {
            if round.end as usize == frames + 1 {
                round.end -= 1;
            }
        }
        self.loops.retain(|round| round.start < round.end && round.end as usize <= frames);
        before - self.loops.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smpl(note: u32, fraction: u32, loops: &[[u32; 3]]) -> Vec<u32> {
        let mut words = vec![0, 0, 22_676, note, fraction, 0, 0, loops.len() as u32, 0];
        loops.iter().for_each(|[kind, start, last]| words.extend([0, *kind, *start, *last, 0, 0]));
        words
    }

    #[test]
    fn a_smpl_chunk_gives_root_and_loops_in_both_orders() {
        let words = smpl(69, 1 << 31, &[[0, 10, 19], [1, 0, 4], [2, 5, 5], [0, 8, 40], [0, 9, 8]]);
        let little: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let big: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        for (body, big_endian) in [(little, false), (big, true)] {
            let mut hints = Hints::default();
            hints.read_smpl(&body, big_endian);
            assert_eq!(hints.root_key, Some(69.5));
            assert_eq!(hints.keep_within(40), 1, "8..41 ends with the sound, 9..9 is none");
            let round = |start, end, alternate| FileLoop { start, end, alternate };
            assert_eq!(
                hints.loops,
                [round(10, 20, false), round(0, 5, true), round(5, 6, false), round(8, 40, false)]
            );
        }
    }

    #[test]
    fn lies_give_no_hint() {
        let mut hints = Hints::default();
        let mut words = smpl(128, 0, &[]);
        words[7] = u32::MAX;
        let body: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        for end in 0..body.len() {
            hints.read_smpl(&body[..end], false);
            hints.read_inst(&[]);
            hints.read_aiff_inst(&body[..end.min(1)], |_| None);
        }
        hints.read_smpl(&body, false);
        assert_eq!(hints.loops, []);
    }

    #[test]
    fn an_inst_chunk_is_heard_after_smpl() {
        let mut hints = Hints::default();
        hints.read_inst(&[62, 50, 0, 0, 127, 1, 127]);
        assert_eq!(hints.root_key, Some(61.5));
        let body: Vec<u8> = smpl(60, 0, &[]).iter().flat_map(|word| word.to_le_bytes()).collect();
        hints.read_smpl(&body, false);
        assert_eq!(hints.root_key, Some(60.0));
        hints.read_inst(&[62, 0]);
        assert_eq!(hints.root_key, Some(60.0));
    }

    #[test]
    fn aiff_loops_are_between_markers() {
        let mut hints = Hints::default();
        let marker =
            |id: u16| [(1u16, 100u32), (2, 200)].iter().find(|(known, _)| *known == id).map(|(_, at)| *at);
        let body = [57, 0xCE, 0, 127, 1, 127, 0, 0, 0, 2, 0, 1, 0, 2, 0, 1, 0, 1, 0, 9];
        hints.read_aiff_inst(&body, marker);
        assert_eq!(hints.root_key, Some(57.5));
        assert_eq!(hints.loops, [FileLoop { start: 100, end: 200, alternate: true }]);
    }
}
