//! The generators of SoundFont 2.04, section 8.1.3: one row each, with the range and default that the specification gives.

/// How a generator may stand in a preset's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// In instruments, and in presets, where it is added.
    Both,
    /// In instruments only; in a preset it is ignored.
    Instrument,
    /// No number that is heard: a range, an index, or unused.
    Special,
}

/// A row.
pub(super) struct Info {
    pub(super) number: u16,
    pub(super) name: &'static str,
    pub(super) low: i32,
    pub(super) high: i32,
    pub(super) default: i32,
    pub(super) scope: Scope,
}

const fn row(number: u16, name: &'static str, low: i32, high: i32, default: i32, scope: Scope) -> Info {
    Info { number, name, low, high, default, scope }
}

macro_rules! generators {
    ($($constant:ident = $number:literal, $name:literal, $low:expr, $high:expr, $default:expr, $scope:ident;)*) => {
        $(pub(super) const $constant: u16 = $number;)*
        /// All that are heard or select something.
        pub(super) const TABLE: &[Info] = &[$(row($number, $name, $low, $high, $default, Scope::$scope),)*];
    };
}

generators! {
    // Frames, and 32768 frames.
    START = 0, "startAddrsOffset", -32768, 32767, 0, Instrument;
    END = 1, "endAddrsOffset", -32768, 32767, 0, Instrument;
    LOOP_START = 2, "startloopAddrsOffset", -32768, 32767, 0, Instrument;
    LOOP_END = 3, "endloopAddrsOffset", -32768, 32767, 0, Instrument;
    START_COARSE = 4, "startAddrsCoarseOffset", -32768, 32767, 0, Instrument;
    // Cents.
    MOD_LFO_TO_PITCH = 5, "modLfoToPitch", -12000, 12000, 0, Both;
    VIB_LFO_TO_PITCH = 6, "vibLfoToPitch", -12000, 12000, 0, Both;
    MOD_ENV_TO_PITCH = 7, "modEnvToPitch", -12000, 12000, 0, Both;
    // Cents above 8.176 Hz; cB.
    FILTER_CUTOFF = 8, "initialFilterFc", 1500, 13500, 13500, Both;
    FILTER_Q = 9, "initialFilterQ", 0, 960, 0, Both;
    MOD_LFO_TO_CUTOFF = 10, "modLfoToFilterFc", -12000, 12000, 0, Both;
    MOD_ENV_TO_CUTOFF = 11, "modEnvToFilterFc", -12000, 12000, 0, Both;
    END_COARSE = 12, "endAddrsCoarseOffset", -32768, 32767, 0, Instrument;
    // cB.
    MOD_LFO_TO_VOLUME = 13, "modLfoToVolume", -960, 960, 0, Both;
    // 0.1 %.
    CHORUS_SEND = 15, "chorusEffectsSend", 0, 1000, 0, Both;
    REVERB_SEND = 16, "reverbEffectsSend", 0, 1000, 0, Both;
    PAN = 17, "pan", -500, 500, 0, Both;
    // Timecents; cents above 8.176 Hz.
    MOD_LFO_DELAY = 21, "delayModLFO", -12000, 5000, -12000, Both;
    MOD_LFO_RATE = 22, "freqModLFO", -16000, 4500, 0, Both;
    VIB_LFO_DELAY = 23, "delayVibLFO", -12000, 5000, -12000, Both;
    VIB_LFO_RATE = 24, "freqVibLFO", -16000, 4500, 0, Both;
    // Timecents; sustain in 0.1 % below full; key in timecents a key.
    MOD_ENV_DELAY = 25, "delayModEnv", -12000, 5000, -12000, Both;
    MOD_ENV_ATTACK = 26, "attackModEnv", -12000, 8000, -12000, Both;
    MOD_ENV_HOLD = 27, "holdModEnv", -12000, 5000, -12000, Both;
    MOD_ENV_DECAY = 28, "decayModEnv", -12000, 8000, -12000, Both;
    MOD_ENV_SUSTAIN = 29, "sustainModEnv", 0, 1000, 0, Both;
    MOD_ENV_RELEASE = 30, "releaseModEnv", -12000, 8000, -12000, Both;
    KEY_TO_MOD_ENV_HOLD = 31, "keynumToModEnvHold", -1200, 1200, 0, Both;
    KEY_TO_MOD_ENV_DECAY = 32, "keynumToModEnvDecay", -1200, 1200, 0, Both;
    // The same; sustain in cB below full.
    VOL_ENV_DELAY = 33, "delayVolEnv", -12000, 5000, -12000, Both;
    VOL_ENV_ATTACK = 34, "attackVolEnv", -12000, 8000, -12000, Both;
    VOL_ENV_HOLD = 35, "holdVolEnv", -12000, 5000, -12000, Both;
    VOL_ENV_DECAY = 36, "decayVolEnv", -12000, 8000, -12000, Both;
    VOL_ENV_SUSTAIN = 37, "sustainVolEnv", 0, 1440, 0, Both;
    VOL_ENV_RELEASE = 38, "releaseVolEnv", -12000, 8000, -12000, Both;
    KEY_TO_VOL_ENV_HOLD = 39, "keynumToVolEnvHold", -1200, 1200, 0, Both;
    KEY_TO_VOL_ENV_DECAY = 40, "keynumToVolEnvDecay", -1200, 1200, 0, Both;
    INSTRUMENT = 41, "instrument", 0, 65535, 0, Special;
    KEY_RANGE = 43, "keyRange", 0, 127, 0, Special;
    VELOCITY_RANGE = 44, "velRange", 0, 127, 0, Special;
    LOOP_START_COARSE = 45, "startloopAddrsCoarseOffset", -32768, 32767, 0, Instrument;
    KEY = 46, "keynum", -1, 127, -1, Instrument;
    VELOCITY = 47, "velocity", -1, 127, -1, Instrument;
    // cB.
    ATTENUATION = 48, "initialAttenuation", 0, 1440, 0, Both;
    LOOP_END_COARSE = 50, "endloopAddrsCoarseOffset", -32768, 32767, 0, Instrument;
    // Semitones; cents.
    COARSE_TUNE = 51, "coarseTune", -120, 120, 0, Both;
    FINE_TUNE = 52, "fineTune", -99, 99, 0, Both;
    SAMPLE = 53, "sampleID", 0, 65535, 0, Special;
    SAMPLE_MODES = 54, "sampleModes", 0, 3, 0, Instrument;
    // Cents a key.
    SCALE_TUNING = 56, "scaleTuning", 0, 1200, 100, Both;
    EXCLUSIVE_CLASS = 57, "exclusiveClass", 0, 127, 0, Instrument;
    ROOT_KEY = 58, "overridingRootKey", -1, 127, -1, Instrument;
}

/// One more than the highest number.
const COUNT: usize = 59;

/// The row of a generator.
pub(super) fn info(number: u16) -> Option<&'static Info> {
    TABLE.iter().find(|info| info.number == number)
}

/// Values of generators, as far as they were said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Values {
    said: [Option<i16>; COUNT],
}

impl Default for Values {
    fn default() -> Self {
        Self { said: [None; COUNT] }
    }
}

impl Values {
    /// Says one; the last word counts.
    pub(super) fn set(&mut self, number: u16, amount: u16) {
        if let Some(place) = self.said.get_mut(usize::from(number)) {
            *place = Some(amount as i16);
        }
    }

    fn said(&self, number: u16) -> Option<i16> {
        self.said.get(usize::from(number)).copied().flatten()
    }

    /// What this says, else what `other` (a global zone) does.
    pub(super) fn over(&self, other: &Self) -> Self {
        let mut said = other.said;
        for (place, own) in said.iter_mut().zip(&self.said) {
            *place = own.or(*place);
        }
        Self { said }
    }

    /// Low and high of a range, whichever way round they stand; 0..=127 when there is none.
    pub(super) fn range(&self, number: u16) -> (u8, u8) {
        let [a, b] = self.said(number).map_or([0, 127], i16::to_le_bytes);
        (a.min(b).min(127), a.max(b).min(127))
    }
}

/// What an instrument's zone says, with what its preset's zone adds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Generators {
    instrument: Values,
    preset: Values,
}

impl Generators {
    pub(super) fn new(instrument: Values, preset: Values) -> Self {
        Self { instrument, preset }
    }

    /// The value of a generator, within its range.
    pub(super) fn get(&self, number: u16) -> i32 {
        self.with(number, 0.0).round() as i32
    }

    /// The value with something added by a modulator.
    pub(super) fn with(&self, number: u16, more: f64) -> f64 {
        let Some(info) = info(number) else { return 0.0 };
        let own = self.instrument.said(number).map_or(info.default, i32::from);
        let added = if info.scope == Scope::Both { self.preset.said(number).map_or(0, i32::from) } else { 0 };
        // A time of −32768 is none at all: −12000 timecents, 1 ms, are the least that counts.
        (f64::from(own + added) + more).clamp(f64::from(info.low), f64::from(info.high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_add_and_values_stay_in_their_ranges() {
        let (mut instrument, mut preset) = (Values::default(), Values::default());
        instrument.set(FILTER_CUTOFF, 6000);
        preset.set(FILTER_CUTOFF, (-500i16) as u16);
        preset.set(ROOT_KEY, 40);
        preset.set(ATTENUATION, (-100i16) as u16);
        let found = Generators::new(instrument, preset);
        assert_eq!(found.get(FILTER_CUTOFF), 5500);
        assert_eq!(found.get(ROOT_KEY), -1, "no generator of presets");
        assert_eq!(found.get(ATTENUATION), 0, "not below its range");
        assert_eq!((found.get(SCALE_TUNING), found.get(VOL_ENV_ATTACK)), (100, -12_000));
    }

    #[test]
    fn a_local_zone_speaks_before_the_global_one() {
        let (mut local, mut global) = (Values::default(), Values::default());
        global.set(PAN, 100);
        global.set(FINE_TUNE, 7);
        local.set(PAN, 200);
        let both = Generators::new(local.over(&global), Values::default());
        assert_eq!((both.get(PAN), both.get(FINE_TUNE)), (200, 7));
    }

    #[test]
    fn the_table_is_in_order_and_its_defaults_are_in_range() {
        assert!(TABLE.windows(2).all(|two| two[0].number < two[1].number));
        for info in TABLE {
            assert!((info.low..=info.high).contains(&info.default), "{}", info.name);
        }
    }
}
