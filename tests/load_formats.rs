//! Real files of each format, made by other people's encoders from one known sound, and read back.
//!
//! What sox, flac, oggenc and lame write is not what our own tests write: headers of other kinds, other chunk orders,
//! other padding. Each part runs where its encoder is installed (`apt-get install sox flac vorbis-tools lame`); that at
//! least one did is said by the last line.

use ictus::load::audio;
use std::path::{Path, PathBuf};
use std::process::Command;

const FRAMES: usize = 10_007; // no multiple of any block

/// A folder that goes when the test does.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// 16-bit values that no two channels or frames share for long.
fn value(frame: usize, channel: usize) -> i16 {
    (12_000.0 * (frame as f64 * 0.05 * (channel + 1) as f64).sin()) as i16 + (frame % 7) as i16
}

fn source(folder: &Path, channels: u16) -> PathBuf {
    let path = folder.join(format!("source{channels}.wav"));
    let spec = hound::WavSpec {
        channels,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for frame in 0..FRAMES {
        for channel in 0..usize::from(channels) {
            writer.write_sample(value(frame, channel)).unwrap();
        }
    }
    writer.finalize().unwrap();
    path
}

/// Runs `program … ` with `IN` and `OUT` replaced; whether there is such a program.
fn encode(command: &str, from: &Path, to: &Path) -> bool {
    let words = command.split(' ').map(|word| match word {
        "IN" => from.as_os_str(),
        "OUT" => to.as_os_str(),
        word => word.as_ref(),
    });
    let words: Vec<_> = words.collect();
    match Command::new(words[0]).args(&words[1..]).output() {
        Ok(output) => {
            assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
            true
        }
        Err(_) => false,
    }
}

#[test]
fn files_of_other_encoders_have_the_frames_and_values_that_went_in() {
    let folder = std::env::temp_dir().join(format!("ictus-formats-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let folder = Folder(folder);
    // Command, extension, largest difference in units of 16 bits; 0 is bit for bit.
    let kinds: &[(&str, &str, f64)] = &[
        ("sox IN -b 8 -D OUT", "u8.wav", 128.5),
        ("sox IN -b 16 OUT", "16.wav", 0.0),
        ("sox IN -b 24 OUT", "24.wav", 0.0),
        ("sox IN -b 32 OUT", "32.wav", 0.0),
        ("sox IN -e float -b 32 OUT", "f32.wav", 0.0),
        ("sox IN -e float -b 64 OUT", "f64.wav", 0.0),
        ("sox IN -B -b 16 OUT", "rifx16.wav", 0.0),
        ("sox IN -B -b 24 OUT", "rifx24.wav", 0.0),
        ("sox IN -B -e float -b 32 OUT", "rifxf.wav", 0.0),
        // A step of µ-law and A-law at this level is 512 and 512 of 16 bits; half of that is the error.
        ("sox IN -e mu-law OUT", "mu.wav", 520.0),
        ("sox IN -e a-law OUT", "a.wav", 520.0),
        ("sox IN -b 16 OUT", "16.aiff", 0.0),
        ("sox IN -b 24 OUT", "24.aiff", 0.0),
        ("sox IN -b 8 -D OUT", "8.aiff", 128.5),
        ("sox IN -b 16 OUT", "16.aifc", 0.0),
        ("sox IN -e float -b 32 OUT", "f32.aifc", 0.0),
        ("sox IN -e mu-law OUT", "mu.aifc", 520.0),
        ("flac -s -8 -o OUT IN", "8.flac", 0.0),
        ("flac -s -0 --blocksize=192 -o OUT IN", "0.flac", 0.0),
        ("oggenc -Q -q 9 -o OUT IN", "q9.ogg", 500.0),
        ("oggenc -Q -q 1 -o OUT IN", "q1.ogg", 3_000.0),
        ("lame --quiet --scale 1 -b 320 IN OUT", "320.mp3", 1_200.0),
        ("lame --quiet --scale 1 -V 2 IN OUT", "v2.mp3", 4_000.0),
    ];
    let mut read = 0;
    for channels in [1u16, 2] {
        let from = source(&folder.0, channels);
        for (command, extension, allowed) in kinds {
            let to = folder.0.join(format!("{channels}-{extension}"));
            if !encode(command, &from, &to) {
                continue;
            }
            let found = audio::read(&to).unwrap_or_else(|error| panic!("{extension}: {error}"));
            assert_eq!((found.channels, found.sample_rate), (channels as u8, 44_100), "{extension}");
            assert_eq!(found.interleaved.len(), FRAMES * usize::from(channels), "{extension}");
            assert_eq!(found.warnings, Vec::<String>::new(), "{extension}");
            let mut worst = 0.0f64;
            for (at, found) in found.interleaved.iter().enumerate() {
                let (frame, channel) = (at / usize::from(channels), at % usize::from(channels));
                let difference = f64::from(*found) * 32_768.0 - f64::from(value(frame, channel));
                worst = worst.max(difference.abs());
            }
            assert!(worst <= *allowed, "{extension}: off by {worst}");
            read += 1;
        }
    }
    println!("{read} files were read back");
}
