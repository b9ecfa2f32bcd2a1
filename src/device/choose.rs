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
/// the first. Errors: the message for `NoDevice`, with what there is and the nearest name.
pub(crate) fn pick(devices: &[Named], wanted: &str) -> Result<usize, String> {
    if let Some(index) = devices.iter().position(|device| device.id == wanted) {
        return Ok(index);
    }
    let lower = wanted.to_lowercase();
    let exact = |device: &Named| device.name.to_lowercase() == lower || device.id.to_lowercase() == lower;
    let part = |device: &Named| {
        device.name.to_lowercase().contains(&lower) || device.id.to_lowercase().contains(&lower)
    };
    for matches in [&exact as &dyn Fn(&Named) -> bool, &part] {
        // ALSA lists one card under many ids with the same name: the one that converts rate and channels
        // is the one that opens.
        let best = devices
            .iter()
            .enumerate()
            .filter(|(_, device)| matches(device))
            .min_by_key(|(index, device)| (rank(&device.id), *index));
        if let Some((index, _)) = best
            && !lower.is_empty()
        {
            return Ok(index);
        }
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

/// Chooses among what a device offers. `rate`: `None` for the device's own: 48000 where it can, else 44100,
/// else its highest.
pub(crate) fn config(
    ranges: &[SupportedStreamConfigRange],
    channels: u16,
    rate: Option<u32>,
) -> Result<Chosen, DeviceError> {
    let writable: Vec<_> = ranges.iter().filter(|r| FORMATS.contains(&r.sample_format())).collect();
    let with_channels: Vec<_> = writable.iter().filter(|r| r.channels() == channels).collect();
    if with_channels.is_empty() {
        let mut counts: Vec<u16> = writable.iter().map(|r| r.channels()).collect();
        counts.sort_unstable();
        counts.dedup();
        let counts: Vec<String> = counts.iter().map(u16::to_string).collect();
        return Err(DeviceError::InvalidFormat(format!(
            "the device has no {channels} output channels; it offers {}",
            if counts.is_empty() { "nothing that can be written".to_owned() } else { counts.join(", ") }
        )));
    }
    let takes = |rate: u32| with_channels.iter().any(|r| r.contains_rate(rate));
    let highest = with_channels.iter().map(|r| r.max_sample_rate()).max().unwrap_or(48_000);
    let rate = match rate {
        Some(rate) if takes(rate) => rate,
        Some(rate) => {
            let mut offered: Vec<(u32, u32)> =
                with_channels.iter().map(|r| (r.min_sample_rate(), r.max_sample_rate())).collect();
            offered.sort_unstable();
            offered.dedup();
            let one =
                |(min, max): &(u32, u32)| if min == max { min.to_string() } else { format!("{min}–{max}") };
            let offered: Vec<String> = offered.iter().map(one).collect();
            return Err(DeviceError::InvalidFormat(format!(
                "the device cannot run at {rate} Hz; it offers {} Hz. Leave sampleRate out to take its own",
                offered.join(", ")
            )));
        }
        None => [48_000, 44_100].into_iter().find(|rate| takes(*rate)).unwrap_or(highest),
    };
    let best = with_channels
        .iter()
        .filter(|r| r.contains_rate(rate))
        .min_by_key(|r| FORMATS.iter().position(|format| *format == r.sample_format()))
        .ok_or_else(|| DeviceError::InvalidFormat(format!("the device cannot run at {rate} Hz")))?;
    let buffer_range = match best.buffer_size() {
        SupportedBufferSize::Range { min, max } => Some((*min, *max)),
        SupportedBufferSize::Unknown => None,
    };
    Ok(Chosen { sample_rate: rate, sample_format: best.sample_format(), buffer_range })
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
            ("scarlett", 3),
            ("DEFAULT", 0),
        ] {
            assert_eq!(pick(&devices, wanted), Ok(index), "{wanted}");
        }
    }

    #[test]
    fn an_unknown_device_is_met_with_the_nearest_and_the_list() {
        let message = pick(&card(), "Scarlet 2i4 USB").unwrap_err();
        assert!(message.contains("'Scarlet 2i4 USB'"), "{message}");
        assert!(message.contains("Did you mean 'Scarlett 2i2 USB'?"), "{message}");
        assert!(message.contains("'default' (Default Audio Device)"), "{message}");
        assert_eq!(pick(&[], "x").unwrap_err(), "there is no output device 'x'. Found: none");
        assert!(pick(&card(), "").is_err());
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
            sample_format: format,
            buffer_range: Some((32, 4096)),
        };
        assert_eq!(config(&ranges, 2, None), Ok(expect(48_000, SampleFormat::F32)));
        assert_eq!(config(&ranges, 2, Some(192_000)), Ok(expect(192_000, SampleFormat::I16)));
        assert_eq!(config(&ranges, 1, None), Ok(expect(8_000, SampleFormat::F32)));
    }

    #[test]
    fn a_refused_format_says_what_there_is() {
        let ranges =
            [range(2, (44_100, 44_100), SampleFormat::F32), range(2, (48_000, 96_000), SampleFormat::F32)];
        let DeviceError::InvalidFormat(message) = config(&ranges, 2, Some(22_050)).unwrap_err() else {
            panic!("not InvalidFormat")
        };
        assert!(message.contains("22050 Hz") && message.contains("44100, 48000–96000 Hz"), "{message}");
        let DeviceError::InvalidFormat(message) = config(&ranges, 6, None).unwrap_err() else {
            panic!("not InvalidFormat")
        };
        assert!(message.contains("no 6 output channels") && message.contains("offers 2"), "{message}");
        assert!(config(&[range(2, (48_000, 48_000), SampleFormat::DsdU8)], 2, None).is_err());
    }

    #[test]
    fn a_buffer_is_clamped_and_then_doubled() {
        assert_eq!(buffers(128, Some((32, 1024))), vec![128, 256, 512, 1024]);
        assert_eq!(buffers(8, Some((32, 64))), vec![32, 64]);
        assert_eq!(buffers(512, Some((64, 256))), vec![256]);
        assert_eq!(buffers(4096, None), vec![4096, 8192, 16384]);
    }
}
