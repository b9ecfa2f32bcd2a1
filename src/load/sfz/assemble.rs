//! Statements → regions as text: which opcodes are in force for each.
//!
//! `<global>`, `<master>` and `<group>` hand their opcodes down; what stands lower, or later, wins. Nothing is copied:
//! a region keeps the four levels that it stands under. Keys are shifted (`note_offset`) and paths prefixed
//! (`default_path`) where they stand, since both may change in the middle of a file.

use std::sync::Arc;

use super::curves::Curves;
use super::op::{End, Op};
use super::opcodes::{Kind, Name, Names, Part, Status, nearest};
use super::reader::{Statement, shortened};
use super::table;
use super::value::{self, Value};
use super::warnings::{Place, Warnings};

/// Most regions of a file: the largest published instruments have a fifth of it.
pub(super) const MAX_REGIONS: usize = 1 << 18;
/// Most opcodes of one header.
const MAX_OPCODES: usize = 4096;
/// Different unknown names whose right spelling is looked for.
const MAX_GUESSES: usize = 100;

/// An opcode that was set.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Set {
    pub(super) op: Op,
    pub(super) name: Name,
    pub(super) value: Value,
    pub(super) place: Place,
}

impl Set {
    /// The first and second number in its name.
    pub(super) fn holes(&self) -> [u16; 2] {
        self.name.holes
    }
}

/// Opcodes under one header, shared by all regions under it.
type Sets = Arc<Vec<Set>>;

/// A region: what its levels say, outermost first.
#[derive(Clone, Debug)]
pub(super) struct RegionText {
    levels: [Sets; 4],
    pub(super) place: Place,
}

impl RegionText {
    /// All opcodes in force, in the order in which they are to be applied.
    pub(super) fn sets(&self) -> impl Iterator<Item = &Set> {
        self.levels.iter().flat_map(|level| level.iter())
    }
}

/// What of a file is not in its regions.
#[derive(Debug, Default)]
pub(super) struct Assembled {
    pub(super) regions: Vec<RegionText>,
    pub(super) curves: Curves,
    /// Controllers at the start, 0..=1, in the order in which they were set.
    pub(super) controllers: Vec<(u16, f64)>,
}

/// Where opcodes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    /// Before the first.
    None,
    Control,
    Global,
    Master,
    Group,
    Region,
    Curve,
    /// One that has no effect.
    Other,
}

/// Takes statements in.
#[derive(Debug)]
pub(super) struct Assembler {
    header: Header,
    /// `<global>`, `<master>`, `<group>` and `<region>` at hand.
    levels: [Sets; 4],
    region_place: Place,
    default_path: Arc<str>,
    note_offset: f64,
    switch_offset: f64,
    octave_offsets: [f64; 2],
    names: Names,
    guesses: usize,
    done: Assembled,
}

impl Default for Assembler {
    fn default() -> Self {
        Self {
            header: Header::None,
            levels: Default::default(),
            region_place: Place::default(),
            default_path: "".into(),
            note_offset: 0.0,
            switch_offset: 0.0,
            octave_offsets: [0.0; 2],
            names: Names::default(),
            guesses: 0,
            done: Assembled::default(),
        }
    }
}

impl Assembler {
    /// The next statement. Err: a limit, in words.
    pub(super) fn take(
        &mut self,
        place: Place,
        statement: Statement,
        warnings: &mut Warnings,
    ) -> Result<(), String> {
        match statement {
            Statement::Header(name) => self.begin(place, &name, warnings),
            Statement::Opcode(name, text) => self.set(place, &name, &text, warnings),
        }
    }

    /// The end of the text.
    pub(super) fn finish(mut self) -> Result<Assembled, String> {
        self.end_region()?;
        self.done.curves.end();
        Ok(self.done)
    }

    fn begin(&mut self, place: Place, name: &str, warnings: &mut Warnings) -> Result<(), String> {
        self.end_region()?;
        self.done.curves.end();
        // A level that begins leaves nothing of those below it.
        let fresh_from = match name {
            "control" => {
                self.header = Header::Control;
                4
            }
            "global" => {
                self.header = Header::Global;
                0
            }
            "master" => {
                self.header = Header::Master;
                1
            }
            "group" => {
                self.header = Header::Group;
                2
            }
            "region" => {
                self.header = Header::Region;
                self.region_place = place;
                3
            }
            "curve" => {
                self.header = Header::Curve;
                self.done.curves.begin();
                4
            }
            _ => {
                self.header = Header::Other;
                let why = match name {
                    "effect" | "midi" => "effects belong to the sampler, not to the instrument",
                    "sample" => "recordings inside of an SFZ file are not read",
                    _ => "no such header is known",
                };
                warnings.tell(place, &format!("<{}> is left out: {why}", shortened(name)));
                4
            }
        };
        for level in self.levels.iter_mut().skip(fresh_from) {
            *level = Sets::default();
        }
        Ok(())
    }

    fn end_region(&mut self) -> Result<(), String> {
        if self.header == Header::Region {
            if self.done.regions.len() >= MAX_REGIONS {
                return Err(format!("has more than {MAX_REGIONS} regions"));
            }
            self.done.regions.push(RegionText { levels: self.levels.clone(), place: self.region_place });
            self.header = Header::None;
        }
        Ok(())
    }

    fn set(&mut self, place: Place, name: &str, text: &str, warnings: &mut Warnings) -> Result<(), String> {
        if self.header == Header::Other {
            return Ok(());
        }
        let Some(found) = self.names.find(name) else {
            self.unknown(place, name, warnings);
            return Ok(());
        };
        let row = found.row();
        match row.status {
            Status::Full | Status::Partial(_) => {}
            Status::Silent(_) => return Ok(()),
            Status::Ignored(why) => {
                warnings.tell(place, &format!("{} is ignored: {why}", name.to_ascii_lowercase()));
                return Ok(());
            }
        }
        if found.part == Part::Smooth {
            return Ok(()); // the engine smooths every controller
        }
        let kind = match found.part {
            Part::Base => row.kind,
            Part::Curve => Kind::Integer(0, 255, ""),
            Part::Depth | Part::Step | Part::Smooth => Kind::Number(-1e9, 1e9, ""),
        };
        let value = match value::read(kind, text) {
            Ok((value, told)) => {
                if let Some(told) = told {
                    warnings.tell(place, &format!("{name}: {told}"));
                }
                value
            }
            Err(wrong) => {
                warnings.tell(place, &format!("{name}: {wrong}; it is left out"));
                return Ok(());
            }
        };
        if found.part == Part::Base
            && let Some(word) = left_out(row.op, &value)
        {
            warnings.tell(place, &format!("{name}={text}: {word}"));
        }
        self.put(Set { op: row.op, name: found, value, place }, warnings)
    }

    fn put(&mut self, mut set: Set, warnings: &mut Warnings) -> Result<(), String> {
        let number = set.value.number();
        match set.op {
            Op::DefaultPath => {
                if let Value::Text(path) = set.value {
                    self.default_path = path;
                }
                return Ok(());
            }
            Op::NoteOffset => self.note_offset = number,
            Op::SwitchNoteOffset => self.switch_offset = number,
            Op::OctaveOffset => self.octave_offsets[0] = 12.0 * number,
            Op::SwitchOctaveOffset => self.octave_offsets[1] = 12.0 * number,
            Op::SetController => self.done.set_controller(set.holes()[0], number / 127.0),
            Op::SetControllerHd => self.done.set_controller(set.holes()[0], number),
            Op::CurveIndex if self.header == Header::Curve => self.done.curves.number(number as u16),
            Op::CurvePoint if self.header == Header::Curve => self.done.curves.point(set.holes()[0], number),
            _ => {}
        }
        self.shift(&mut set);
        if let (Op::Sample, Value::Text(path)) = (set.op, &mut set.value)
            && !path.starts_with('*')
            && !self.default_path.is_empty()
        {
            *path = format!("{}{path}", self.default_path).into();
        }
        let level = match self.header {
            Header::Global => 0,
            Header::Master => 1,
            Header::Group => 2,
            Header::Region => 3,
            Header::Control | Header::Curve | Header::Other => return Ok(()),
            Header::None => {
                let told = "opcodes before the first header belong to nothing and are left out";
                warnings.tell(set.place, told);
                return Ok(());
            }
        };
        if let Some(sets) = self.levels.get_mut(level) {
            let sets = Arc::make_mut(sets);
            if sets.len() >= MAX_OPCODES {
                return Err(format!("has more than {MAX_OPCODES} opcodes under one header"));
            }
            sets.push(set);
        }
        Ok(())
    }

    /// Keys move by `note_offset` and `octave_offset`, keyswitches by theirs. −1, no key, stays.
    fn shift(&self, set: &mut Set) {
        let [octaves, switch_octaves] = self.octave_offsets;
        let shift = match (set.op, set.name.row().kind) {
            (Op::SwitchVelocity | Op::SwitchLabel, _) => return,
            (
                Op::SwitchRange(_)
                | Op::SwitchLast
                | Op::SwitchLastRange(_)
                | Op::SwitchDown
                | Op::SwitchUp
                | Op::SwitchPrevious
                | Op::SwitchDefault,
                _,
            ) => self.switch_offset + switch_octaves,
            (_, Kind::Key | Kind::KeyOr(_)) => self.note_offset + octaves,
            _ => return,
        };
        if let Value::Number(key) = &mut set.value
            && *key >= 0.0
        {
            // What is shifted off the keyboard has no key any more; ranges end at its edge.
            *key = match set.op {
                Op::KeyRange(End::Low) | Op::KeyRange(End::High) => (*key + shift).clamp(0.0, 127.0),
                _ => *key + shift,
            };
        }
    }

    fn unknown(&mut self, place: Place, name: &str, warnings: &mut Warnings) {
        self.guesses += 1;
        let guess = if self.guesses <= MAX_GUESSES { nearest(&name.to_ascii_lowercase()) } else { None };
        let guess = guess.map_or_else(String::new, |guess| format!("; did you mean {guess}?"));
        warnings.tell(place, &format!("{} is no known opcode and is ignored{guess}", shortened(name)));
    }
}

/// What of a value is not followed, of an opcode that is followed in part.
fn left_out(op: Op, value: &Value) -> Option<&'static str> {
    let word = |words: &[&'static str]| match value {
        Value::Word(word) => words.get(usize::from(*word)).copied(),
        _ => None,
    };
    match op {
        Op::FilterType(_) => match word(table::FILTERS)? {
            "lpf_4p" | "lpf_6p" | "hpf_4p" | "hpf_6p" => Some("a filter of two poles is used"),
            "comb" | "pink" => Some("there is no such filter; it is left out"),
            _ => None,
        },
        Op::LoopType if word(table::LOOP_TYPES)? == "backward" => Some("the loop goes forward"),
        Op::Polyphony => match word(table::LEGATO)? {
            "legato_last" => None,
            _ => Some("the latest note sounds"),
        },
        Op::Count if value.number() > 1.0 => Some("it plays once"),
        Op::LfoWave if !matches!(value.number() as i64, -1..=7 | 12) => Some("a triangle is used"),
        _ => None,
    }
}

impl Assembled {
    fn set_controller(&mut self, number: u16, value: f64) {
        self.controllers.retain(|(other, _)| *other != number);
        // Names hold 65 536 numbers; nobody has more than 512 controllers.
        if number < 512 {
            self.controllers.push((number, value.clamp(0.0, 1.0)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::TestDir;
    use super::super::reader::Reader;
    use super::super::source::Folder;
    use super::*;

    fn assemble(text: &str) -> (Result<Assembled, String>, Vec<String>) {
        let dir = TestDir::new();
        let (mut folder, mut warnings) = (Folder::new(dir.path()), Warnings::default());
        let mut reader = Reader::new(text.into(), &dir.path().join("a.sfz"), &mut folder, &mut warnings);
        let mut assembler = Assembler::default();
        while let Some((place, statement)) = reader.next(&mut warnings).unwrap() {
            if let Err(limit) = assembler.take(place, statement, &mut warnings) {
                return (Err(limit), warnings.into_sentences());
            }
        }
        (assembler.finish(), warnings.into_sentences())
    }

    /// `opcode=number` of each region, in force at its end.
    fn regions(text: &str) -> Vec<String> {
        let shown = |set: &Set| match &set.value {
            Value::Text(text) => format!("{}={text}", set.name.row().name),
            other => format!("{}={}", set.name.row().name, other.number()),
        };
        let (assembled, warnings) = assemble(text);
        assert_eq!(warnings, Vec::<String>::new());
        let regions = assembled.unwrap().regions;
        regions.iter().map(|region| region.sets().map(shown).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn levels_hand_down_and_a_new_one_forgets_those_below() {
        assert_eq!(
            regions(
                "<global> volume=1 <master> volume=2 <group> volume=3 <region> volume=4 <region>
                 <group> pan=5 <region> <master> pan=6 <region> <global> pan=7 <region>"
            ),
            [
                "volume=1 volume=2 volume=3 volume=4",
                "volume=1 volume=2 volume=3",
                "volume=1 volume=2 pan=5",
                "volume=1 pan=6",
                "pan=7",
            ]
        );
    }

    #[test]
    fn paths_are_prefixed_and_keys_shifted_from_where_they_were_told() {
        assert_eq!(
            regions(
                "<control> default_path=../a/x_ note_offset=12 sw_note_offset=-12
                 <region> sample=1.wav key=60 sw_last=24
                 <control> default_path= octave_offset=-1 note_offset=1
                 <region> sample=2.wav lokey=60 pitch_keycenter=c4 hikey=-1 sw_last=c1
                 <region> sample=*sine"
            ),
            [
                "sample=../a/x_1.wav key=72 sw_last=12",
                "sample=2.wav lokey=49 pitch_keycenter=49 hikey=-1 sw_last=12",
                "sample=*sine",
            ]
        );
    }

    #[test]
    fn what_is_not_understood_is_told_once_with_its_place() {
        let (assembled, warnings) = assemble(
            "lokey=1\n<region> sample=a.wav ampeg_relase=1 foo_bar_baz=2\n<region> ampeg_relase=2 output=3 lokey=x\n\
             <region> lovel=200 region_label=Hi output=1 trigger=sometimes\n<effect> type=com.x delay=9\n<effect> foo=1\n<blah>",
        );
        assert_eq!(assembled.unwrap().regions.len(), 3);
        assert_eq!(
            warnings,
            [
                "a.sfz:1: opcodes before the first header belong to nothing and are left out",
                "a.sfz:2: ampeg_relase is no known opcode and is ignored; did you mean ampeg_release? (2 times)",
                "a.sfz:2: foo_bar_baz is no known opcode and is ignored",
                "a.sfz:3: output is ignored: there is one output (2 times)",
                "a.sfz:3: lokey: \"x\" is no key: a number from 0 to 127, or a note such as c#4; it is left out",
                "a.sfz:4: lovel: 200 is outside 0..127; 127 is used",
                "a.sfz:4: trigger: \"sometimes\" is none of attack, release, first, legato, release_key; it is left out",
                "a.sfz:5: <effect> is left out: effects belong to the sampler, not to the instrument (2 times)",
                "a.sfz:7: <blah> is left out: no such header is known",
            ]
        );
    }

    #[test]
    fn controllers_have_a_value_from_the_start() {
        let (assembled, _) = assemble("<control> set_cc7=127 set_hdcc20=0.5 set_cc7=0 set_cc600=5");
        assert_eq!(assembled.unwrap().controllers, [(20, 0.5), (7, 0.0)]);
    }

    #[test]
    fn too_much_ends_at_a_limit() {
        let (assembled, _) = assemble(&"<region>".repeat(MAX_REGIONS + 1));
        assert_eq!(assembled.unwrap_err(), "has more than 262144 regions");
        let (assembled, _) = assemble(&format!("<region> {}", "volume=1 ".repeat(MAX_OPCODES + 1)));
        assert_eq!(assembled.unwrap_err(), "has more than 4096 opcodes under one header");
        // A million different unknown names are a bounded list of warnings.
        let text: String = (0..200_000).map(|n| format!("q{n:x}z=1 ")).collect();
        let (assembled, warnings) = assemble(&format!("<region> {text}"));
        assert!(assembled.is_ok() && warnings.len() <= 1002);
    }
}
