//! A stream of statements: includes opened, variables replaced.
//!
//! `#include` pastes a file in where it stands, as often as asked for: with other `#define`s before it, the same file
//! means something else. A file that includes itself, directly or not, is told and skipped. Variables are replaced in
//! names, values and paths by the longest defined name that fits; they hold what they were given, with the variables in
//! it already replaced. Everything is bounded: see the constants.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lex::{self, Cursor, Kind, is_name};
use super::source::{self, Folder};
use super::warnings::{Place, Warnings};

/// Files within files.
const MAX_DEPTH: usize = 32;
/// Includes in all.
const MAX_INCLUDES: usize = 20_000;
/// Text in all, a file counted as often as it is included, bytes.
pub(super) const MAX_TEXT_BYTES: usize = 64 << 20;
/// Variables at a time, bytes of a name, and bytes of what one holds.
const MAX_DEFINES: usize = 20_000;
const MAX_DEFINE_NAME: usize = 64;
const MAX_DEFINE_VALUE: usize = 4096;
/// Bytes of a name or value with its variables replaced.
const MAX_EXPANDED: usize = 16 << 10;

/// A header or an opcode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    Header(String),
    Opcode(String, String),
}

struct Open {
    file: u32,
    text: Arc<str>,
    cursor: Cursor,
}

/// Reads an instrument's text, file by file.
pub(super) struct Reader<'a> {
    folder: &'a mut Folder,
    /// Innermost last.
    open: Vec<Open>,
    /// Files by their real path, so that each is read once.
    known: HashMap<PathBuf, (u32, Arc<str>)>,
    defines: BTreeMap<String, String>,
    includes: usize,
    bytes: usize,
    /// Statements of a variable that holds a whole opcode.
    waiting: Option<(Place, Statement)>,
}

impl<'a> Reader<'a> {
    /// Begins with the instrument's own text; `path` is its own, against a file that includes it.
    pub(super) fn new(text: String, path: &Path, folder: &'a mut Folder, warnings: &mut Warnings) -> Self {
        let file = warnings.file(&path.file_name().unwrap_or_default().to_string_lossy());
        let text: Arc<str> = text.into();
        let bytes = text.len();
        let mut known = HashMap::new();
        if let Ok(real) = path.canonicalize() {
            known.insert(real, (file, text.clone()));
        }
        let open = vec![Open { file, text, cursor: Cursor::default() }];
        Self { folder, open, known, defines: BTreeMap::new(), includes: 0, bytes, waiting: None }
    }

    /// The next statement and its place; `None` at the end. Err: a limit, in words.
    pub(super) fn next(&mut self, warnings: &mut Warnings) -> Result<Option<(Place, Statement)>, String> {
        loop {
            if let Some(statement) = self.waiting.take() {
                return Ok(Some(statement));
            }
            let Some(top) = self.open.last_mut() else { return Ok(None) };
            let (file, text) = (top.file, top.text.clone());
            let Some(token) = lex::next(&text, &mut top.cursor) else {
                self.open.pop();
                continue;
            };
            let place = Place { file, line: token.line };
            match token.kind {
                Kind::Header(name) => {
                    return Ok(Some((place, Statement::Header(name.to_ascii_lowercase()))));
                }
                Kind::Opcode(name, value) => {
                    let statement = Statement::Opcode(self.expand(name)?, self.expand(value)?);
                    return Ok(Some((place, statement)));
                }
                Kind::Define(name, value) => self.define(place, name, value, warnings)?,
                Kind::Include(path) => {
                    let path = self.expand(path)?;
                    self.include(place, &path, warnings)?;
                }
                Kind::Stray(word) if word.contains('$') => match self.expand(word)?.split_once('=') {
                    Some((name, value)) => {
                        self.waiting = Some((place, Statement::Opcode(name.into(), value.trim().into())));
                    }
                    None => warnings.stray(place, word),
                },
                Kind::Stray(word) => warnings.stray(place, word),
                Kind::Unclosed => {
                    warnings
                        .tell(place, "a comment begins with /* and nothing ends it: the rest is left out");
                }
            }
        }
    }

    fn define(
        &mut self,
        place: Place,
        name: &str,
        value: &str,
        warnings: &mut Warnings,
    ) -> Result<(), String> {
        let value = self.expand(value)?;
        if name.len() > MAX_DEFINE_NAME || value.len() > MAX_DEFINE_VALUE {
            warnings.tell(
                place,
                &format!(
                    "#define is left out: a name has at most {MAX_DEFINE_NAME} characters and what it stands for {MAX_DEFINE_VALUE}"
                ),
            );
            return Ok(());
        }
        self.defines.insert(name.into(), value);
        if self.defines.len() > MAX_DEFINES {
            return Err(format!("has more than {MAX_DEFINES} variables (#define)"));
        }
        Ok(())
    }

    /// The text with its variables replaced. Unknown ones stay as they are, as in other players.
    fn expand(&self, text: &str) -> Result<String, String> {
        if !text.contains('$') {
            return Ok(text.into());
        }
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            expanded.push_str(before);
            let names = from.bytes().skip(1).take(MAX_DEFINE_NAME).take_while(|byte| is_name(*byte)).count();
            let longest = (1..=names).rev().find_map(|length| {
                let name = from.get(1..=length)?;
                Some((1 + length, self.defines.get(name)?))
            });
            match longest {
                Some((length, value)) => {
                    expanded.push_str(value);
                    rest = from.get(length..).unwrap_or("");
                }
                None => {
                    expanded.push('$');
                    rest = from.get(1..).unwrap_or("");
                }
            }
            if expanded.len() > MAX_EXPANDED {
                return Err(format!(
                    "has a text of more than {MAX_EXPANDED} bytes once its variables are replaced"
                ));
            }
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn include(&mut self, place: Place, path: &str, warnings: &mut Warnings) -> Result<(), String> {
        self.includes += 1;
        if self.includes > MAX_INCLUDES {
            return Err(format!("has more than {MAX_INCLUDES} #include lines in all"));
        }
        // Relative to the instrument, not to the file that includes.
        let Some((found, other_case)) = self.folder.find(path) else {
            warnings.tell(place, &format!("there is no file \"{path}\" to include; it is left out"));
            return Ok(());
        };
        if other_case {
            warnings.other_case(place, path, &found);
        }
        let real = found.canonicalize().unwrap_or(found);
        let (file, text) = match self.known.get(&real) {
            Some((file, text)) => (*file, text.clone()),
            None => match source::read(&real) {
                Ok(text) => {
                    let known = (warnings.file(&source::with_slashes(path)), Arc::<str>::from(text));
                    self.known.insert(real, known.clone());
                    known
                }
                Err(error) => {
                    warnings.tell(place, &format!("cannot include \"{path}\": {error}"));
                    return Ok(());
                }
            },
        };
        if self.open.iter().any(|open| open.file == file) {
            warnings.tell(place, &format!("\"{path}\" includes itself; this one is left out"));
            return Ok(());
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("includes files within files more than {MAX_DEPTH} deep"));
        }
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > MAX_TEXT_BYTES {
            return Err(format!("has more than {MAX_TEXT_BYTES} bytes of text with everything it includes"));
        }
        self.open.push(Open { file, text, cursor: Cursor::default() });
        Ok(())
    }
}

/// For messages: a text short enough to read.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(80) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or(""))),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::TestDir;
    use super::*;

    fn read(dir: &TestDir, text: &str) -> (Result<Vec<String>, String>, Vec<String>) {
        let path = dir.file("main.sfz", text.as_bytes());
        let (mut folder, mut warnings) = (Folder::new(dir.path()), Warnings::default());
        let mut reader = Reader::new(text.into(), &path, &mut folder, &mut warnings);
        let mut all = Vec::new();
        let result = loop {
            match reader.next(&mut warnings) {
                Ok(Some((place, Statement::Header(name)))) => {
                    all.push(format!("{}:{} <{name}>", place.file, place.line));
                }
                Ok(Some((place, Statement::Opcode(name, value)))) => {
                    all.push(format!("{}:{} {name}={value}", place.file, place.line));
                }
                Ok(None) => break Ok(all),
                Err(error) => break Err(error),
            }
        };
        (result, warnings.into_sentences())
    }

    #[test]
    fn includes_are_pasted_where_they_stand_and_found_from_the_instrument() {
        let dir = TestDir::new();
        dir.file("sub/a.sfz", b"a=1\n#include \"sub/b.sfz\"\na=2");
        dir.file("sub/b.sfz", b"b=1");
        let (read, warnings) = read(&dir, "x=0\n#include \"sub\\a.sfz\" x=1\n#include \"sub/b.sfz\"");
        assert_eq!(read.unwrap(), ["0:1 x=0", "1:1 a=1", "2:1 b=1", "1:3 a=2", "0:2 x=1", "2:1 b=1"]);
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn the_longest_variable_is_replaced_in_names_values_and_paths() {
        let dir = TestDir::new();
        dir.file("map.sfz", b"<region> locc$CC=$KEY sample=$KEY$EXT.$EXT\n$WHOLE");
        let (read, warnings) = read(
            &dir,
            "#define $KEY 36\n#define $KEY2 $KEY7 #define $EXT wav\n#define $CC 64 #define $WHOLE key=5\n\
             a=$KEY b=$KEY2 c=$KEYS d=$NONE e=$\n#include \"$MAP.sfz\"\n#define $MAP map\n#include \"$MAP.sfz\"",
        );
        assert_eq!(
            read.unwrap(),
            [
                "0:4 a=36",
                "0:4 b=367",
                "0:4 c=36S",
                "0:4 d=$NONE",
                "0:4 e=$",
                "1:1 <region>",
                "1:1 locc64=36",
                "1:1 sample=36wav.wav",
                "1:2 key=5",
            ]
        );
        assert_eq!(warnings, ["main.sfz:5: there is no file \"$MAP.sfz\" to include; it is left out"]);
    }

    #[test]
    fn a_file_may_be_included_twice_with_other_variables_but_never_within_itself() {
        let dir = TestDir::new();
        dir.file("b.sfz", b"k=$K");
        dir.file("loop.sfz", b"l=1\n#include \"loop.sfz\"\n#include \"main.sfz\"");
        let (read, warnings) = read(
            &dir,
            "#define $K 1\n#include \"b.sfz\"\n#define $K 2\n#include \"b.sfz\"\n#include \"loop.sfz\"",
        );
        assert_eq!(read.unwrap(), ["1:1 k=1", "1:1 k=2", "2:1 l=1"]);
        assert_eq!(
            warnings,
            [
                "loop.sfz:2: \"loop.sfz\" includes itself; this one is left out",
                "loop.sfz:3: \"main.sfz\" includes itself; this one is left out",
            ]
        );
    }

    #[test]
    fn bombs_end_at_a_limit() {
        let dir = TestDir::new();
        // 200 × 200 × 200 includes.
        dir.file("c.sfz", b"c=1");
        dir.file("b.sfz", "#include \"c.sfz\"\n".repeat(200).as_bytes());
        dir.file("a.sfz", "#include \"b.sfz\"\n".repeat(200).as_bytes());
        let (result, _) = read(&dir, &"#include \"a.sfz\"\n".repeat(200));
        assert_eq!(result.unwrap_err(), "has more than 20000 #include lines in all");
        // A chain of files.
        for n in 0..40 {
            dir.file(&format!("{n}.sfz"), format!("#include \"{}.sfz\"", n + 1).as_bytes());
        }
        let (result, _) = read(&dir, "#include \"0.sfz\"");
        assert_eq!(result.unwrap_err(), "includes files within files more than 32 deep");
        // A value that doubles forty times.
        let doubling = "#define $A $A$A\n".repeat(40);
        let (result, warnings) = read(&dir, &format!("#define $A xxxx\n{doubling}a=$A"));
        assert!(result.unwrap()[0].len() <= MAX_DEFINE_VALUE + 10);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        let (result, _) = read(&dir, &format!("#define $A {}\na={}", "x".repeat(4000), "$A".repeat(9)));
        assert!(result.unwrap_err().starts_with("has a text of more than 16384 bytes"));
        // Eight megabytes, eight times.
        dir.file("big.sfz", &vec![b' '; 12 << 20]);
        let (result, _) = read(&dir, &"#include \"big.sfz\"\n".repeat(8));
        assert!(result.unwrap_err().contains("67108864 bytes"));
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_not_included() {
        let (read, warnings) = read(&TestDir::new(), "#include \"/dev/zero\"\na=1");
        assert_eq!(read.unwrap(), ["0:2 a=1"]);
        assert_eq!(warnings, ["main.sfz:1: cannot include \"/dev/zero\": it is not a regular file"]);
    }
}
