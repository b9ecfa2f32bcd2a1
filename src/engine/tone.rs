//! A voice's filters: those of its region, and those that its note or its channel's controllers bring in.
//!
//! Here is decided where each filter stands; what it does to values is computed for many voices at once (`filtered`).
//! Cutoffs move in octaves, as they are heard: the ends of a segment are exact, and between them the kernel's
//! coefficients run straight.

use super::channel::cc;
use super::modulators::{Moment, Sums};
use super::note::{NoteFilterKind, OPEN_LOW};
use crate::dsp::fast::exp2;
use crate::dsp::filter::{Coefficients, FilterSettings, Kind, State};
use crate::instrument::{MAX_FILTERS, Region, RegionFilter};
use crate::units::Frames;

/// Filters that one voice has at most: its region's, a high- and a band-pass of its note's.
pub const FILTERS: usize = MAX_FILTERS + 2;

/// What brightness moves the first filter by from the middle to either end, octaves. MIDI leaves the amount of CC 74 to
/// the instrument; four octaves close a filter that stood open to 1.2 kHz.
const BRIGHTNESS_OCTAVES: f32 = 4.0;
/// What CC 71 moves its resonance by from the middle to either end, dB.
const RESONANCE_DB: f32 = 20.0;
/// What the soft pedal takes from its brightness, of 127.
const SOFT_BRIGHTNESS: f32 = 16.0;

/// Whose a filter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Region(u8),
    Note(NoteFilterKind),
}

/// One filter of a voice.
#[derive(Clone, Copy, Debug)]
struct Filter {
    part: Part,
    settings: FilterSettings,
    /// Where it stands without modulation, octaves above 1 Hz.
    octaves: f32,
    from: Coefficients,
    to: Coefficients,
}

/// All filters of a voice, in the order in which they follow each other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tone {
    filters: [Option<Filter>; FILTERS],
    count: usize,
    /// One for each filter and channel.
    pub states: [[State; 2]; FILTERS],
    /// Brightness that the soft pedal took, of 127.
    soft: f32,
    /// Controllers 71 and 74 mean nothing of their own.
    plain: bool,
    sample_rate: f32,
    /// Frames of the segment at hand.
    length: u32,
}

/// How one filter runs over a segment.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub from: Coefficients,
    pub to: Coefficients,
    /// Frames of the segment.
    pub length: u32,
}

impl Tone {
    /// The filters of a voice that starts.
    pub fn start(region: &Region, key: f32, velocity: f32, soft: bool, sample_rate: u32) -> Self {
        let plain = region.manner.plain_controllers;
        let mut tone = Self { plain, sample_rate: sample_rate as f32, ..Self::default() };
        if soft {
            tone.soft = SOFT_BRIGHTNESS;
        }
        for (number, filter) in (0u8..).zip(region.modulation.filters.iter().take(MAX_FILTERS)) {
            let RegionFilter { settings, key_track_cents, key_centre, velocity_track_cents } = filter;
            let cents = key_track_cents * (key - key_centre) + velocity_track_cents * velocity / 127.0;
            let octaves = settings.cutoff_hz.clamp(1.0, 1e6).log2() + cents / 1200.0;
            tone.add(Part::Region(number), *settings, octaves);
        }
        tone
    }

    /// Whether there is anything to filter.
    pub fn is_on(&self) -> bool {
        self.count > 0
    }

    /// How many filters follow each other.
    pub fn count(&self) -> usize {
        self.count
    }

    fn add(&mut self, part: Part, settings: FilterSettings, octaves: f32) {
        if let Some(place) = self.filters.get_mut(self.count) {
            *place =
                Some(Filter { part, settings, octaves, from: Coefficients::OPEN, to: Coefficients::OPEN });
            self.count += 1;
        }
    }

    fn has(&self, part: Part) -> bool {
        self.filters.iter().flatten().any(|filter| filter.part == part)
    }

    /// Itself with the filters that have been asked for since, if there are any.
    pub fn with_all(&self, moment: Moment, sums: &Sums) -> Option<Self> {
        let Moment { heard, note, .. } = moment;
        // Where it is going, not where it is: what glides away from the middle has not got anywhere yet.
        let neutral = |target: f32| target == 64.0;
        let asked = |which| note.filter(which).cutoff.is_some() && !self.has(Part::Note(which));
        let low = self.count == 0
            && (note.filter(NoteFilterKind::Low).cutoff.is_some()
                || self.soft > 0.0
                || !(self.plain || neutral(heard.controller_at(cc::BRIGHTNESS, Frames::MAX)))
                || !neutral(note.brightness_at(Frames::MAX)));
        let (high, band) = (asked(NoteFilterKind::High), asked(NoteFilterKind::Band));
        if !(low || high || band) {
            return None;
        }
        let mut tone = *self;
        for (wanted, which, kind) in [
            (low, NoteFilterKind::Low, Kind::LowPass),
            (high, NoteFilterKind::High, Kind::HighPass),
            (band, NoteFilterKind::Band, Kind::BandPass),
        ] {
            if wanted {
                let settings = FilterSettings { kind, ..FilterSettings::default() };
                tone.add(Part::Note(which), settings, OPEN_LOW);
            }
        }
        for at in self.count..tone.count {
            let place = tone.place(at, moment, sums);
            if let (Some(Some(filter)), Some(place)) = (tone.filters.get_mut(at), place) {
                (filter.from, filter.to) = (place, place);
            }
        }
        Some(tone)
    }

    /// Where a filter stands at a moment.
    fn place(&self, at: usize, moment: Moment, sums: &Sums) -> Option<Coefficients> {
        let filter = self.filters.get(at).copied().flatten()?;
        let Moment { frame, heard, note, .. } = moment;
        let mut settings = filter.settings;
        let mut octaves = filter.octaves;
        let note_filter = match filter.part {
            Part::Note(kind) => Some(note.filter(kind)),
            Part::Region(0) => Some(note.filter(NoteFilterKind::Low)),
            Part::Region(_) => None,
        };
        if let Some(own) = note_filter {
            octaves = own.cutoff.map_or(octaves, |ramp| ramp.at(frame));
            settings.resonance_db = own.resonance_db.map_or(settings.resonance_db, |ramp| ramp.at(frame));
        }
        if let Part::Region(number) = filter.part {
            let of = |values: &[f32; MAX_FILTERS]| values.get(usize::from(number)).copied().unwrap_or(0.0);
            octaves += of(&sums.cutoff_cents) / 1200.0;
            settings.resonance_db += of(&sums.resonance_db);
            settings.gain_db += of(&sums.filter_gain_db);
        }
        if at == 0 && !matches!(filter.part, Part::Note(NoteFilterKind::High | NoteFilterKind::Band)) {
            let offset = |value: f32| (value - 64.0) / 64.0;
            let of_channel = |number| if self.plain { 64.0 } else { heard.controller_at(number, frame) };
            let brightness = of_channel(cc::BRIGHTNESS) + note.brightness_at(frame) - 64.0 - self.soft;
            octaves += offset(brightness) * BRIGHTNESS_OCTAVES;
            settings.resonance_db += offset(of_channel(cc::RESONANCE)) * RESONANCE_DB;
        }
        let hz = exp2(f64::from(octaves.clamp(-10.0, 20.0))) as f32;
        Some(settings.character().at(hz, self.sample_rate))
    }

    /// Plans a segment of `length` frames: every filter runs from where it is to where it belongs at its end, or stays.
    pub fn aim(&mut self, length: u32, targets: Option<&[Option<Coefficients>; FILTERS]>) {
        self.length = length;
        let Some(targets) = targets else { return };
        for (filter, target) in self.filters.iter_mut().zip(targets) {
            if let (Some(filter), Some(target)) = (filter, target) {
                filter.to = *target;
            }
        }
    }

    /// Where all filters stand at a moment.
    pub fn places(&self, moment: Moment, sums: &Sums) -> [Option<Coefficients>; FILTERS] {
        std::array::from_fn(|at| self.place(at, moment, sums))
    }

    /// The segment is over: its end is the next one's beginning.
    pub fn reach(&mut self) {
        for filter in self.filters.iter_mut().flatten() {
            filter.from = filter.to;
        }
    }

    /// The segment is cut short after `at` of its frames.
    pub fn cut(&mut self, at: u32) {
        let length = self.length.max(1);
        for filter in self.filters.iter_mut().flatten() {
            filter.from = filter.from.towards(&filter.to, at, length);
            filter.to = filter.from;
        }
    }

    /// How a filter runs over the segment at hand.
    pub fn line(&self, at: usize) -> Option<Line> {
        let filter = self.filters.get(at).copied().flatten()?;
        Some(Line { from: filter.from, to: filter.to, length: self.length })
    }
}
