//! SFZ text → headers, opcodes, directives, one at a time.
//!
//! An opcode's value runs to the end of its line, or to the next `name=`, header, directive or comment; so values may
//! hold spaces, and many opcodes stand on a line. Nothing is understood here: names are not known, variables not
//! replaced, files not read. Work and memory are linear in the text, whatever it holds.
//! Source: sfzformat.com, "SFZ file structure", and the files that players read in practice.

/// Where reading goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Byte.
    at: usize,
    /// Lines before it.
    lines: u32,
}

/// A piece of text and the line on which it begins, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) line: u32,
    pub(super) kind: Kind<'a>,
}

/// What it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// `<region>`, without the brackets.
    Header(&'a str),
    /// `name=value`; the value without space around it.
    Opcode(&'a str, &'a str),
    /// `#define $NAME value`, the name without its sign.
    Define(&'a str, &'a str),
    /// `#include "path"`.
    Include(&'a str),
    /// A word that is none of these.
    Stray(&'a str),
    /// `/*` that nothing closes: the rest of the text is a comment.
    Unclosed,
}

/// The next token, or `None` at the end.
pub(super) fn next<'a>(text: &'a str, cursor: &mut Cursor) -> Option<Token<'a>> {
    loop {
        let rest = text.get(cursor.at..)?;
        let line = cursor.lines + 1;
        let first = rest.chars().next()?;
        if first.is_whitespace() {
            cursor.at += first.len_utf8();
            // CRLF counts once, and so does the CR of old Macintosh files.
            let next = rest.as_bytes().get(1);
            cursor.lines += u32::from(first == '\n' || (first == '\r' && next != Some(&b'\n')));
            continue;
        }
        if rest.starts_with("//") {
            cursor.at += line_end(rest);
            continue;
        }
        if let Some(comment) = rest.strip_prefix("/*") {
            let closed = comment.find("*/").map(|end| end + 4);
            let length = closed.unwrap_or(rest.len());
            cursor.lines += count_lines(rest.get(..length).unwrap_or(""));
            cursor.at += length;
            match closed {
                Some(_) => continue,
                None => return Some(Token { line, kind: Kind::Unclosed }),
            }
        }
        let (length, kind) = token_at(rest);
        // Progress, whatever the text: a token is never empty.
        cursor.at += length.max(first.len_utf8());
        return Some(Token { line, kind });
    }
}

/// The token at the beginning of `rest`, which is no space and no comment, and its length in bytes. All on one line;
/// and nothing looks for that line's end first, which would be quadratic in a text without any.
fn token_at(rest: &str) -> (usize, Kind<'_>) {
    if let Some(length) = header_length(rest) {
        return (length, Kind::Header(rest.get(1..length - 1).unwrap_or("")));
    }
    if let Some(after) = directive(rest, "#define") {
        let (name, after_name) = word(after);
        let (value, after_value) = word(after_name);
        return match name.strip_prefix('$') {
            Some(name) if name.bytes().all(is_name) && !name.is_empty() => {
                (rest.len() - after_value.len(), Kind::Define(name, value))
            }
            _ => (rest.len() - after_name.len(), Kind::Stray(name)),
        };
    }
    if let Some(after) = directive(rest, "#include") {
        let after = after.trim_start_matches(BLANK);
        if let Some(quoted) = after.strip_prefix('"')
            && let Some(end) = quoted.find(['"', '\n', '\r'])
            && quoted.as_bytes().get(end) == Some(&b'"')
        {
            let (path, behind) = quoted.split_at(end);
            return (rest.len() - behind.len() + 1, Kind::Include(path.trim()));
        }
        let (path, behind) = word(after);
        return (rest.len() - behind.len(), Kind::Include(path.trim_matches('"')));
    }
    let name_length = rest.bytes().take_while(|byte| is_name(*byte) || *byte == b'$').count();
    if name_length > 0 && rest.as_bytes().get(name_length) == Some(&b'=') {
        let name = rest.get(..name_length).unwrap_or("");
        let value = rest.get(name_length + 1..).unwrap_or("");
        let length = value_length(value);
        return (name_length + 1 + length, Kind::Opcode(name, value.get(..length).unwrap_or("").trim()));
    }
    let (stray, behind) = word(rest);
    (rest.len() - behind.len(), Kind::Stray(stray))
}

/// Space within a line.
const BLANK: [char; 2] = [' ', '\t'];

/// Length of `<name>`, if the text begins with a header.
fn header_length(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('<')?;
    let name = inside.bytes().take_while(|byte| is_name(*byte)).count();
    (name > 0 && inside.as_bytes().get(name) == Some(&b'>')).then_some(name + 2)
}

/// What follows a directive that the text begins with.
fn directive<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let after = text.strip_prefix(name)?;
    after.starts_with([' ', '\t', '"', '$']).then_some(after)
}

/// The first word, and what is behind it. A comment ends a word.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(BLANK);
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let end = text.get(..end).and_then(|word| word.find("//").filter(|at| *at > 0)).unwrap_or(end);
    text.split_at(end)
}

/// How much of the text belongs to the value that begins it.
fn value_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = text.get(at..).unwrap_or("");
        match byte {
            b'\n' | b'\r' => break,
            b'/' if rest.starts_with("//") || rest.starts_with("/*") => break,
            b'<' if header_length(rest).is_some() => break,
            b' ' | b'\t' => {
                // A whole run of spaces at once, so that the look ahead stays linear.
                let run = rest.len() - rest.trim_start_matches(BLANK).len();
                let behind = rest.get(run..).unwrap_or("");
                if begins_opcode(behind) || begins_directive(behind) {
                    break;
                }
                at += run;
            }
            _ => at += 1,
        }
    }
    at
}

fn begins_opcode(text: &str) -> bool {
    let name = text.bytes().take_while(|byte| is_name(*byte) || *byte == b'$').count();
    name > 0 && text.as_bytes().get(name) == Some(&b'=')
}

fn begins_directive(text: &str) -> bool {
    directive(text, "#define").is_some() || directive(text, "#include").is_some()
}

/// What names of opcodes, headers and variables are made of.
pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn line_end(text: &str) -> usize {
    text.find(['\n', '\r']).unwrap_or(text.len())
}

fn count_lines(text: &str) -> u32 {
    let lines = text.matches('\n').count() + text.matches('\r').count() - text.matches("\r\n").count();
    u32::try_from(lines).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Kind::*;

    fn all(text: &str) -> Vec<(u32, Kind<'_>)> {
        let mut cursor = Cursor::default();
        std::iter::from_fn(|| next(text, &mut cursor)).map(|token| (token.line, token.kind)).collect()
    }

    #[test]
    fn several_opcodes_stand_on_a_line_and_values_hold_spaces() {
        assert_eq!(
            all("<region> sample=My Piano  C4.wav key=60 lovel=1\n sw_label=C2 Sustain  volume=-3"),
            [
                (1, Header("region")),
                (1, Opcode("sample", "My Piano  C4.wav")),
                (1, Opcode("key", "60")),
                (1, Opcode("lovel", "1")),
                (2, Opcode("sw_label", "C2 Sustain")),
                (2, Opcode("volume", "-3")),
            ]
        );
    }

    #[test]
    fn both_comments_end_values_and_lines_are_counted_through_them() {
        assert_eq!(
            all("key=1//a\n// <region>\n/* x=1\r\n y=2 */ key=2 /* z */ tune=3\rkey=4"),
            [
                (1, Opcode("key", "1")),
                (4, Opcode("key", "2")),
                (4, Opcode("tune", "3")),
                (5, Opcode("key", "4")),
            ]
        );
        assert_eq!(all("a=1 /* b=2"), [(1, Opcode("a", "1")), (1, Unclosed)]);
    }

    #[test]
    fn headers_and_directives_end_a_value() {
        assert_eq!(
            all("a=x <group>b=y<region>c=z #define $K 36 #define $EXT wav\n#include \"a b/c.sfz\" d=1"),
            [
                (1, Opcode("a", "x")),
                (1, Header("group")),
                (1, Opcode("b", "y")),
                (1, Header("region")),
                (1, Opcode("c", "z")),
                (1, Define("K", "36")),
                (1, Define("EXT", "wav")),
                (2, Include("a b/c.sfz")),
                (2, Opcode("d", "1")),
            ]
        );
    }

    #[test]
    fn signs_that_only_look_special_stay_in_values() {
        assert_eq!(
            all("sample=..\\Sus C#4 <1>x.wav lokey=c#4 locc$PEDAL=$A sample=*sine"),
            [
                (1, Opcode("sample", "..\\Sus C#4")),
                (1, Header("1")),
                (1, Stray("x.wav")),
                (1, Opcode("lokey", "c#4")),
                (1, Opcode("locc$PEDAL", "$A")),
                (1, Opcode("sample", "*sine")),
            ]
        );
    }

    #[test]
    fn what_is_nothing_is_given_back_as_it_is() {
        assert_eq!(
            all("hello = 5 <region key=2 #define X 1 é=3\n<> ="),
            [
                (1, Stray("hello")),
                (1, Stray("=")),
                (1, Stray("5")),
                (1, Stray("<region")),
                (1, Opcode("key", "2")),
                (1, Stray("X")),
                (1, Stray("1")),
                (1, Stray("é=3")),
                (2, Stray("<>")),
                (2, Stray("=")),
            ]
        );
        assert_eq!(all("  \n\r\n "), []);
        assert_eq!(all("key="), [(1, Opcode("key", ""))]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "[<>=#$/*\"a-c \\r\\né]{0,80}") {
            let mut cursor = Cursor::default();
            let mut tokens = 0;
            while next(&text, &mut cursor).is_some() {
                tokens += 1;
                assert!(tokens <= text.len());
            }
            assert_eq!(cursor.at, text.len());
            assert_eq!(cursor.lines, count_lines(&text));
        }
    }

    #[test]
    fn a_megabyte_on_one_line_is_read_in_linear_time() {
        // Quadratic, each would take minutes.
        assert_eq!(all(&"<a>".repeat(500_000)).len(), 500_000);
        assert_eq!(all(&"a=1 ".repeat(500_000)).len(), 500_000);
        assert!(!all(&"#include \"".repeat(100_000)).is_empty());
        let text = format!("a={}b", " x".repeat(500_000));
        assert_eq!(all(&text).len(), 1);
        assert_eq!(all(&format!("a=1{}", " ".repeat(1_000_000))), [(1, Opcode("a", "1"))]);
    }
}
