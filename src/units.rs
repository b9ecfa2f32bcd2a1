//! Units of music and time, and every conversion between them, once.
//!
//! Pure arithmetic in `f64`: callers narrow to `f32` where they store. Nothing here knows about engines or files.
//! Sources: MIDI 1.0 Detailed Specification (key numbers), MIDI Tuning Standard (A4 = key 69 = 440 Hz),
//! ISO 16:1975 (440 Hz).

/// A position or length on the engine clock, in frames since the engine started.
pub type Frames = u64;

/// Lowest sample rate an engine or a sample may have, in Hz: below it nothing musical is left.
pub const MIN_SAMPLE_RATE: u32 = 1_000;
/// Highest sample rate an engine or a sample may have, in Hz: twice what any converter on sale offers.
pub const MAX_SAMPLE_RATE: u32 = 768_000;

/// Seconds on the engine clock as a frame number, rounded to the nearest frame.
///
/// Negative times and NaN become frame 0 (long past); times beyond `u64` saturate.
pub fn seconds_to_frames(seconds: f64, sample_rate: u32) -> Frames {
    // `as` saturates and maps NaN to 0, which is what "past means the next block" needs.
    (seconds * f64::from(sample_rate)).round() as Frames
}

/// A frame number as seconds on the engine clock.
pub fn frames_to_seconds(frames: Frames, sample_rate: u32) -> f64 {
    frames as f64 / f64::from(sample_rate)
}

/// A pitch interval in cents as a frequency ratio: 1200 cents are an octave, 2.0.
pub fn cents_to_ratio(cents: f64) -> f64 {
    (cents / 1200.0).exp2()
}

/// Decibels as a linear amplitude: −6.02 dB is 0.5.
pub fn db_to_gain(db: f64) -> f64 {
    10f64.powf(db / 20.0)
}

/// Linear amplitude as decibels; 0 is −∞.
pub fn gain_to_db(gain: f64) -> f64 {
    20.0 * gain.log10()
}

/// MIDI velocity 0..=127 (fractions allowed) as linear amplitude: the square law of SF2 and SFZ
/// (`amp_veltrack=100`), 40·log10(v/127) dB.
pub fn velocity_to_gain(velocity: f64) -> f64 {
    let v = (velocity / 127.0).clamp(0.0, 1.0);
    v * v
}

/// The key number of a note name such as `C4` (60), `f#3`, `Bb-1`, `c##5`; `None` when it is not one.
///
/// Octaves are numbered so that C4 is key 60 (ISO 16, SFZ); results outside 0..=127 are `None`.
pub fn key_from_name(name: &str) -> Option<u8> {
    let mut chars = name.chars();
    let mut semitone: i32 = match chars.next()?.to_ascii_lowercase() {
        'c' => 0,
        'd' => 2,
        'e' => 4,
        'f' => 5,
        'g' => 7,
        'a' => 9,
        'b' => 11,
        _ => return None,
    };
    let mut rest = chars.as_str();
    loop {
        // 's' as in "Cs4": file names often cannot hold a '#'.
        if let Some(r) = rest.strip_prefix(['#', '♯', 's', 'S']) {
            semitone += 1;
            rest = r;
        } else if let Some(r) = rest.strip_prefix(['b', '♭']) {
            semitone -= 1;
            rest = r;
        } else {
            break;
        }
    }
    let digits = rest.strip_prefix('-').unwrap_or(rest);
    if digits.is_empty() || digits.len() > 2 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let octave: i32 = rest.parse().ok()?;
    u8::try_from((octave + 1) * 12 + semitone).ok().filter(|key| *key <= 127)
}

/// The name of a key with sharps: 60 is `C4`.
pub fn key_name(key: u8) -> String {
    const NAMES: [&str; 12] = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
    format!("{}{}", NAMES[usize::from(key % 12)], i32::from(key / 12) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_to_the_nearest_frame_and_never_wrap() {
        assert_eq!(seconds_to_frames(0.25, 48_000), 12_000);
        assert_eq!(seconds_to_frames(1.0 / 3.0, 44_100), 14_700);
        assert_eq!(seconds_to_frames(0.000_010_42, 48_000), 1); // 0.50016 of a frame rounds up
        assert_eq!(seconds_to_frames(-1.0, 48_000), 0);
        assert_eq!(seconds_to_frames(f64::NAN, 48_000), 0);
        assert_eq!(seconds_to_frames(f64::INFINITY, 48_000), u64::MAX);
    }

    #[test]
    fn every_frame_of_a_day_survives_the_way_to_seconds_and_back() {
        // f64 has 53 bits: 24 h at 768 kHz is 2^36, so the product's rounding error is far below half a frame.
        for rate in [8_000, 11_025, 44_100, 48_000, 96_000, 768_000] {
            for frame in (0..u64::from(rate) * 86_400).step_by(1_234_567) {
                assert_eq!(seconds_to_frames(frames_to_seconds(frame, rate), rate), frame);
            }
        }
    }

    #[test]
    fn intervals_and_levels_have_their_textbook_values() {
        assert_eq!(cents_to_ratio(1200.0), 2.0);
        assert_eq!(cents_to_ratio(-2400.0), 0.25);
        assert!((cents_to_ratio(700.0) - 1.498_307_076_876_681_5).abs() < 1e-15);
        assert!((db_to_gain(-20.0) - 0.1).abs() < 1e-16);
        assert_eq!(gain_to_db(0.0), f64::NEG_INFINITY);
        assert_eq!(velocity_to_gain(127.0), 1.0);
        assert_eq!(velocity_to_gain(63.5), 0.25);
    }

    #[test]
    fn note_names_are_read_in_every_common_spelling() {
        for (name, key) in [
            ("C4", 60),
            ("c4", 60),
            ("A4", 69),
            ("C-1", 0),
            ("G9", 127),
            ("F#3", 54),
            ("Gb3", 54),
            ("Fs3", 54),
            ("Cb4", 59),
            ("B#3", 60),
            ("bb3", 58),
        ] {
            assert_eq!(key_from_name(name), Some(key), "{name}");
        }
        for wrong in ["", "C", "H4", "C10", "G#9", "Cb-1", "C4x", "4", "C--1", "C+4", "C999"] {
            assert_eq!(key_from_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn key_names_read_back_as_themselves() {
        for key in 0..=127 {
            assert_eq!(key_from_name(&key_name(key)), Some(key));
        }
    }
}
