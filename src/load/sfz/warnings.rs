//! What could not be done, told once each.
//!
//! An instrument has thousands of opcodes: one that is not understood is told once, with how often it occurs and where
//! first. So is every other kind of trouble with one text. The list is bounded.

use std::collections::HashMap;
use std::path::Path;

use super::reader::shortened;

/// Most sentences; what is beyond is counted.
const MAX_SENTENCES: usize = 1000;

/// A line of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// Number of the file.
    pub(super) file: u32,
    /// Counted from 1.
    pub(super) line: u32,
}

/// Sentences in the order in which their causes came up first.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    files: Vec<String>,
    /// Place, sentence, how often.
    told: Vec<(Option<Place>, String, usize)>,
    index: HashMap<String, usize>,
    beyond: usize,
    strays: usize,
}

impl Warnings {
    /// Number of a file that is called so in messages.
    pub(super) fn file(&mut self, name: &str) -> u32 {
        self.files.push(name.into());
        (self.files.len() - 1) as u32
    }

    /// `piano.sfz:41`.
    pub(super) fn show(&self, place: Place) -> String {
        let file = self.files.get(place.file as usize).map_or("", String::as_str);
        format!("{file}:{}", place.line)
    }

    /// Tells something of a place; the same sentence of another place is only counted.
    pub(super) fn tell(&mut self, place: Place, sentence: &str) {
        self.add(Some(place), sentence);
    }

    fn add(&mut self, place: Option<Place>, sentence: &str) {
        if let Some((_, _, count)) = self.index.get(sentence).and_then(|at| self.told.get_mut(*at)) {
            *count += 1;
        } else if self.told.len() >= MAX_SENTENCES {
            self.beyond += 1;
        } else {
            self.index.insert(sentence.into(), self.told.len());
            self.told.push((place, sentence.into(), 1));
        }
    }

    /// A word that is no opcode. Ten are named: a file that is no SFZ has nothing else.
    pub(super) fn stray(&mut self, place: Place, word: &str) {
        self.strays += 1;
        if self.strays <= 10 {
            let word = shortened(word);
            self.tell(place, &format!("\"{word}\" is no opcode (name=value), header or directive"));
        }
    }

    /// A file was found under a name in another case.
    pub(super) fn other_case(&mut self, place: Place, path: &str, found: &Path) {
        let name = found.file_name().unwrap_or_default().to_string_lossy();
        self.tell(place, &format!("\"{path}\" is written in another case than on the disk (\"{name}\")"));
    }

    /// All of them, as their users read them.
    pub(super) fn into_sentences(mut self) -> Vec<String> {
        if self.strays > 10 {
            let strays = self.strays - 10;
            self.add(None, &format!("{strays} more words that are no opcodes"));
        }
        let told = std::mem::take(&mut self.told);
        let show = |(place, sentence, count): (Option<Place>, String, usize)| {
            let times = if count > 1 { format!(" ({count} times)") } else { String::new() };
            match place {
                Some(place) => format!("{}: {sentence}{times}", self.show(place)),
                None => format!("{sentence}{times}"),
            }
        };
        let mut sentences: Vec<String> = told.into_iter().map(show).collect();
        if self.beyond > 0 {
            sentences.push(format!("{} more warnings", self.beyond));
        }
        sentences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_told_once_with_its_first_place_and_its_count() {
        let mut warnings = Warnings::default();
        let file = warnings.file("a.sfz");
        for line in [5, 7, 9] {
            warnings.tell(Place { file, line }, "x is ignored");
        }
        assert_eq!(warnings.into_sentences(), ["a.sfz:5: x is ignored (3 times)"]);
    }

    #[test]
    fn the_list_is_bounded() {
        let mut warnings = Warnings::default();
        for n in 0..5000 {
            warnings.tell(Place::default(), &n.to_string());
            warnings.stray(Place::default(), &n.to_string());
        }
        let sentences = warnings.into_sentences();
        assert!(sentences.len() <= MAX_SENTENCES + 2);
        assert_eq!(sentences.last().unwrap(), "4011 more warnings");
    }
}
