//! Which device and which configuration: pure functions over what a host lists, so that they are tested
//! without one.

use cpal::{SampleFormat, SupportedBufferSize, SupportedStreamConfigRange};

use super::DeviceError;

/// One output as a host lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub id: String,
    pub name: String,
}

/// Finds a device by id, by name, by part of a name or id, in this order and without regard to case but for
/// the first. Errors: the message for `NoDevice`: what there is and the nearest name, or which devices the part
/// is part of. `cards`: devices of the same name are one, as ALSA lists each card under many ids.
pub(crate) fn pick(devices: &[Named], wanted: &str, cards: bool) -> Result<usize, String> {
    if let Some(index) = devices.iter().position(|device| device.id == wanted) {
        return Ok(index);
    }
    let lower = wanted.to_lowercase();
    let exact = |device: &Named| device.name.to_lowercase() == lower || device.id.to_lowercase() == lower;
    let part = |device: &Named| {
        device.name.to_lowercase().contains(&lower) || device.id.to_lowercase().contains(&lower)
    };
    let one = |a: &Named, b: &Named| if cards { a.name == b.name } else { a.id == b.id };
    for matches in [&exact as &dyn Fn(&Named) -> bool, &part] {
        let mut found: Vec<_> =
            devices.iter().enumerate().filter(|(_, device)| !lower.is_empty() && matches(device)).collect();
        // Of a card's ids the one that converts rate and channels is the one that opens.
        found.sort_by_key(|(index, device)| (rank(&device.id), *index));
        let Some((index, first)) = found.first() else { continue };
        if found.iter().any(|(_, device)| !one(device, first)) {
            let mut several: Vec<Named> = Vec::new();
            for (_, device) in &found {
                if several.iter().all(|named| !one(named, device)) {
                    several.push((*device).clone());
                }
            }
            return Err(format!(
                "'{wanted}' is part of the names of several output devices: {}. Name one of them by its id",
                listing(&several)
            ));
        }
        return Ok(*index);
    }
    let nearest = devices
        .iter()
        .flat_map(|device| [&device.id, &device.name])
        .min_by_key(|name| distance(&lower, &name.to_lowercase()));
    let guess = nearest.map(|name| format!(" Did you mean '{name}'?")).unwrap_or_default();
    Err(format!("there is no output device '{wanted}'.{guess} Found: {}", listing(devices)))
}

/// Devices for a message.
pub(crate) fn listing(devices: &[Named]) -> String {
    if devices.is_empty() {
        return "none".to_owned();
    }
    let one =
        |d: &Named| if d.id == d.name { format!("'{}'", d.id) } else { format!("'{}' ({})", d.id, d.name) };
    devices.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Preference among ALSA ids that mean the same card.
fn rank(id: &str) -> usize {
    ["plughw:", "sysdefault:", "default", "front:", "hw:"]
        .iter()
        .position(|prefix| id.starts_with(prefix))
        .unwrap_or(5)
}

/// Levenshtein's distance: insertions, deletions and replacements from one to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(from != *to)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

/// What is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub sample_rate: u32,
    pub channels: u16,
    pub sample_format: SampleFormat,
    /// Frames, where the device says what it takes.
    pub buffer_range: Option<(u32, u32)>,
}

/// Formats by preference: ours first, then by precision. Others (DSD) are not written.
const FORMATS: [SampleFormat; 10] = [
    SampleFormat::F32,
    SampleFormat::I32,
    SampleFormat::I24,
    SampleFormat::F64,
    SampleFormat::I16,
    SampleFormat::U32,
    SampleFormat::U24,
    SampleFormat::U16,
    SampleFormat::I8,
    SampleFormat::U8,
];

/// Rates that devices have, Hz, for choosing one that is not the one asked for.
pub(crate) const RATES: [u32; 13] = [
    8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000, 352_800, 384_000,
];

/// Chooses among what a device offers.
///
/// `channels`: or the fewest above it that the device has. `rate`: as it is where the device takes it, else the
/// nearest above that it takes, else its highest; `None` for `own`, or 48000 where it can, else 44100, else its
/// highest.
pub(crate) fn config(
    ranges: &[SupportedStreamConfigRange],
    channels: u16,
    rate: Option<u32>,
    own: Option<u32>,
) -> Result<Chosen, DeviceError> {
    let writable: Vec<_> = ranges.iter().filter(|r| FORMATS.contains(&r.sample_format())).collect();
    let Some(enough) = writable.iter().map(|r| r.channels()).filter(|n| *n >= channels).min() else {
        let most = writable.iter().map(|r| r.channels()).max();
        return Err(DeviceError::InvalidFormat(match most {
            Some(most) => format!("channels: the device has {most}, and {channels} were asked for"),
            None => "the device takes no format that can be written".to_owned(),
        }));
    };
    let ranges: Vec<_> = writable.into_iter().filter(|r| r.channels() == enough).collect();
    let takes = |rate: &u32| ranges.iter().any(|r| r.contains_rate(*rate));
    let ends = || ranges.iter().flat_map(|r| [r.min_sample_rate(), r.max_sample_rate()]);
    let highest = ends().max().unwrap_or(48_000);
    let rate = match rate {
        Some(rate) if takes(&rate) => rate,
        Some(rate) => RATES
            .into_iter()
            .filter(takes)
            .chain(ends())
            .filter(|offered| *offered > rate)
            .min()
            .unwrap_or(highest),
        None => own.into_iter().chain([48_000, 44_100]).find(takes).unwrap_or(highest),
    };
    let best = ranges
        .iter()
        .filter(|r| r.contains_rate(rate))
        .min_by_key(|r| FORMATS.iter().position(|format| *format == r.sample_format()))
        .ok_or_else(|| DeviceError::InvalidFormat(format!("the device cannot run at {rate} Hz")))?;
    let buffer_range = match best.buffer_size() {
        SupportedBufferSize::Range { min, max } => Some((*min, *max)),
        SupportedBufferSize::Unknown => None,
    };
    Ok(Chosen { sample_rate: rate, channels: enough, sample_format: best.sample_format(), buffer_range })
}

/// Buffer sizes to try in turn: what was asked for inside the range, then doubled, since some devices have
/// a larger minimum at some rates than the one that they list.
pub(crate) fn buffers(asked: u32, range: Option<(u32, u32)>) -> Vec<u32> {
    let (min, max) = range.unwrap_or((1, 1 << 17));
    let first = asked.max(min).min(max.max(1));
    let mut sizes = vec![first];
    while let Some(next) = sizes.last().map(|size| size.saturating_mul(2))
        && next <= max.min(1 << 14)
    {
        sizes.push(next);
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str, name: &str) -> Named {
        Named { id: id.to_owned(), name: name.to_owned() }
    }

    fn card() -> Vec<Named> {
        vec![
            named("default", "Default Audio Device"),
            named("hw:CARD=PCH,DEV=0", "HDA Intel PCH, ALC257 Analog"),
            named("plughw:CARD=PCH,DEV=0", "HDA Intel PCH, ALC257 Analog"),
            named("hw:CARD=Scarlett,DEV=0", "Scarlett 2i2 USB"),
        ]
    }

    #[test]
    fn a_device_is_found_by_id_by_name_and_by_part_of_a_name() {
        let devices = card();
        for (wanted, index) in [
            ("hw:CARD=PCH,DEV=0", 1),
            ("HDA Intel PCH, ALC257 Analog", 2), // of the same name, the one that converts
            ("hda intel", 2),
            ("PCH,DEV=0", 2),
            ("scarlett", 3),
            ("DEFAULT", 0),
        ] {
            assert_eq!(pick(&devices, wanted, true), Ok(index), "{wanted}");
        }
    }

    #[test]
    fn an_unknown_device_is_met_with_the_nearest_and_the_list() {
        let message = pick(&card(), "Scarlet 2i4 USB", true).unwrap_err();
        assert!(message.contains("'Scarlet 2i4 USB'"), "{message}");
        assert!(message.contains("Did you mean 'Scarlett 2i2 USB'?"), "{message}");
        assert!(message.contains("'default' (Default Audio Device)"), "{message}");
        assert_eq!(pick(&[], "x", true).unwrap_err(), "there is no output device 'x'. Found: none");
        assert!(pick(&card(), "", true).is_err());
    }

    #[test]
    fn part_of_several_names_is_an_error_that_lists_them() {
        let message = pick(&card(), "CARD=", true).unwrap_err();
        for part in ["'CARD='", "several", "plughw:CARD=PCH,DEV=0", "(Scarlett 2i2 USB)", "Name one"] {
            assert!(message.contains(part), "{part} is not in {message}");
        }
        assert!(!message.contains("'hw:CARD=PCH"), "one id a card: {message}");
        let two = [named("a", "Speakers"), named("b", "Speakers (HDMI)")];
        assert_eq!(pick(&two, "speakers", false), Ok(0), "a whole name is no part");
        let twins = [named("null.1", "Null Output"), named("null.2", "Null Output")];
        assert_eq!(pick(&twins, "Null Output", true), Ok(0), "one card");
        assert!(pick(&twins, "Null Output", false).unwrap_err().contains("'null.2'"), "two sinks");
        assert_eq!(pick(&twins, "null.2", false), Ok(1));
    }

    #[test]
    fn distances_are_levenshteins() {
        for (a, b, expected) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("same", "same", 0)] {
            assert_eq!(distance(a, b), expected);
        }
    }

    fn range(channels: u16, rates: (u32, u32), format: SampleFormat) -> SupportedStreamConfigRange {
        let buffer = SupportedBufferSize::Range { min: 32, max: 4096 };
        SupportedStreamConfigRange::new(channels, rates.0, rates.1, buffer, format)
    }

    #[test]
    fn floats_come_first_and_48000_is_the_rate_of_choice() {
        let ranges = [
            range(2, (44_100, 192_000), SampleFormat::I16),
            range(2, (44_100, 96_000), SampleFormat::F32),
            range(1, (8_000, 8_000), SampleFormat::F32),
        ];
        let expect = |rate, format| Chosen {
            sample_rate: rate,
            channels: 2,
            sample_format: format,
            buffer_range: Some((32, 4096)),
        };
        assert_eq!(config(&ranges, 2, None, None), Ok(expect(48_000, SampleFormat::F32)));
        assert_eq!(config(&ranges, 2, Some(192_000), None), Ok(expect(192_000, SampleFormat::I16)));
        assert_eq!(config(&ranges, 2, None, Some(96_000)), Ok(expect(96_000, SampleFormat::F32)));
        let mono = config(&ranges, 1, None, Some(96_000)).unwrap();
        assert_eq!((mono.channels, mono.sample_rate), (1, 8_000));
    }

    #[test]
    fn a_rate_that_the_device_has_not_is_the_next_one_up() {
        let ranges =
            [range(2, (44_100, 44_100), SampleFormat::F32), range(2, (48_000, 96_000), SampleFormat::F32)];
        for (asked, found) in [(22_050, 44_100), (45_000, 48_000), (88_200, 88_200), (192_000, 96_000)] {
            assert_eq!(config(&ranges, 2, Some(asked), None).unwrap().sample_rate, found, "{asked}");
        }
        assert_eq!(
            config(&[range(2, (50_000, 50_000), SampleFormat::F32)], 2, Some(48_000), None)
                .unwrap()
                .sample_rate,
            50_000
        );
    }

    #[test]
    fn more_channels_than_asked_for_will_do_and_fewer_will_not() {
        let ranges =
            [range(18, (48_000, 48_000), SampleFormat::I32), range(8, (48_000, 48_000), SampleFormat::I32)];
        assert_eq!(config(&ranges, 2, None, None).unwrap().channels, 8);
        assert_eq!(config(&ranges, 9, None, None).unwrap().channels, 18);
        let DeviceError::InvalidFormat(message) = config(&ranges, 19, None, None).unwrap_err() else {
            panic!("not InvalidFormat")
        };
        assert_eq!(message, "channels: the device has 18, and 19 were asked for");
        assert!(config(&[range(2, (48_000, 48_000), SampleFormat::DsdU8)], 2, None, None).is_err());
    }

    #[test]
    fn a_buffer_is_clamped_and_then_doubled() {
        assert_eq!(buffers(128, Some((32, 1024))), vec![128, 256, 512, 1024]);
        assert_eq!(buffers(8, Some((32, 64))), vec![32, 64]);
        assert_eq!(buffers(512, Some((64, 256))), vec![256]);
        assert_eq!(buffers(4096, None), vec![4096, 8192, 16384]);
    }
}
