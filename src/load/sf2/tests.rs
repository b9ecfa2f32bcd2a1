//! Banks written by hand, and what their presets become, in closed form.

use super::super::testing::TestDir;
use super::writer::{Bank, Sound, Zone, chunk};
use super::*;
use crate::instrument::{LoopMode, Playback, Region, Source, Target};
use proptest::prelude::*;

fn open(bank: &Bank) -> Arc<SoundFont> {
    SoundFont::from_bytes(bank.bytes().into(), Path::new("bank.sf2")).unwrap()
}

fn go_on(_: &Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn load(bank: &Bank) -> Loaded {
    open(bank).load(0, &mut go_on).unwrap()
}

fn ramp(frames: i16) -> Sound {
    Sound::of(&(0..frames).map(|n| n * 10).collect::<Vec<_>>())
}

/// The only region of a bank with these generators, and the warnings.
fn one(generators: &[(u16, i32)]) -> (Region, Vec<String>) {
    let mut loaded = load(&Bank::simple(Sound { looped: (10, 90), ..ramp(100) }, generators));
    assert_eq!(loaded.regions.len(), 1, "{:?}", loaded.warnings);
    (loaded.regions.remove(0), loaded.warnings)
}

/// Cents above the recording at which a region plays a key.
fn cents(region: &Region, key: f64) -> f64 {
    let by_key: f64 = region
        .modulation
        .routes
        .iter()
        .filter(|route| route.from == Source::Key)
        .map(|route| {
            assert_eq!(route.to, Target::Pitch);
            f64::from(route.depth) * key / 127.0
        })
        .sum();
    (key - region.root_key) * 100.0 + region.tune_cents + by_key
}

#[test]
fn a_plain_zone_is_the_recording() {
    let (region, warnings) = one(&[]);
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!((region.keys.clone(), region.velocities.clone()), (0..=127, 1..=127));
    assert_eq!((region.root_key, region.tune_cents, region.gain, region.pan), (60.0, 0.0, 1.0, 0.0));
    assert_eq!(region.sample.sample_rate(), 48_000);
    assert_eq!(region.sample.value(7, 0), 70.0 / 32_768.0);
    assert!(matches!(region.playback, Playback::Once));
    assert_eq!(region.velocity.gain(63.5), 0.25);
    assert!(region.modulation.filters.is_empty(), "the default filter is open");
    // 1 ms, the least there is.
    assert_eq!((region.envelope.delay_s, region.envelope.attack_s), (0.0, (-10f64).exp2()));
}

#[test]
fn pitch_is_root_tuning_correction_and_scale() {
    let bank = |generators: &[(u16, i32)]| {
        let sound = Sound { key: 69, correction: -7, ..ramp(10) };
        load(&Bank::simple(sound, generators)).regions.remove(0)
    };
    for (generators, at_60, at_72) in [
        (&[][..], -907.0, 293.0),
        (&[(58, 60)], -7.0, 1193.0),
        (&[(51, 2), (52, 30)], -907.0 + 230.0, 293.0 + 230.0),
        (&[(56, 0)], -7.0, -7.0),
        (&[(56, 50), (58, 60)], -7.0, 593.0),
        (&[(46, 60)], -907.0, -907.0),
        (&[(46, 60), (56, 50)], -457.0, -457.0),
    ] {
        let region = bank(generators);
        // f32 holds a depth of 12700 cents to a 1000th.
        assert!((cents(&region, 60.0) - at_60).abs() < 2e-3, "{generators:?} {}", cents(&region, 60.0));
        assert!((cents(&region, 72.0) - at_72).abs() < 2e-3, "{generators:?} {}", cents(&region, 72.0));
    }
    let unpitched = load(&Bank::simple(Sound { key: 255, ..ramp(10) }, &[])).regions.remove(0);
    assert_eq!(unpitched.root_key, 60.0);
}

#[test]
fn attenuation_counts_four_tenths_and_resonance_half_of_itself() {
    let db = |generators: &[(u16, i32)]| 20.0 * one(generators).0.gain.log10();
    assert!((db(&[(48, 200)]) + 8.0).abs() < 1e-9);
    assert!((db(&[(9, 100)]) + 5.0).abs() < 1e-9);
    assert_eq!(db(&[(48, -50)]), 0.0, "no gain above full scale");
    let (region, _) = one(&[(8, 6900), (9, 100)]);
    let filter = region.modulation.filters[0].settings;
    assert!((filter.cutoff_hz - 440.0).abs() < 0.001 && (filter.resonance_db - 10.0).abs() < 1e-6);
    assert_eq!(one(&[(17, -250)]).0.pan, -0.5);
}

#[test]
fn times_are_powers_of_two_of_timecents() {
    let (region, _) = one(&[(33, 1200), (34, -1200), (35, 0), (36, 2400), (37, 250), (38, 1200)]);
    let times = region.envelope;
    assert_eq!((times.delay_s, times.attack_s, times.hold_s, times.release_s), (2.0, 0.5, 1.0, 2.0));
    // 25 dB of a fall that takes 4 s for 100.
    assert_eq!(times.decay_s, 1.0);
    assert!((times.sustain - 10f64.powf(-25.0 / 20.0)).abs() < 1e-12);
    // Half of the decay's time is half of its decibels.
    let mut envelope = crate::dsp::envelope::Envelope::start(&times, 1000);
    envelope.pass_over(2000 + 500 + 1000 + 500);
    assert!((20.0 * envelope.level().log10() + 12.5).abs() < 1e-3, "{}", 20.0 * envelope.level().log10());
    envelope.pass_over(600);
    envelope.release();
    envelope.pass_over(200);
    // A tenth of the release is 10 dB.
    assert!((20.0 * envelope.level().log10() + 35.0).abs() < 0.01, "{}", 20.0 * envelope.level().log10());
    assert_eq!(one(&[(37, 1000)]).0.envelope.sustain, 0.0);
}

#[test]
fn times_by_key_cut_a_zone_into_keys() {
    let regions =
        load(&Bank::simple(ramp(10), &[(43, 0x4836), (35, 0), (39, 100), (36, 1200), (37, 1000), (40, -50)]))
            .regions;
    assert_eq!(regions.len(), 19, "keys 54 to 72");
    for region in regions {
        assert_eq!(region.keys.start(), region.keys.end());
        let key = f64::from(*region.keys.start());
        assert!((region.envelope.hold_s - ((60.0 - key) * 100.0 / 1200.0).exp2()).abs() < 1e-9);
        assert!((region.envelope.decay_s - (1.0 + (60.0 - key) * -50.0 / 1200.0).exp2()).abs() < 1e-9);
    }
}

#[test]
fn velocity_may_move_the_attack() {
    // Falling linear velocity, 1280 timecents: 1280·(1 − v/128) more.
    let zone = Zone::of(&[(34, 0), (53, 0)]).with([0x0102, 34, 1280, 0, 0]);
    let mut bank = Bank::simple(ramp(10), &[]);
    bank.instruments = vec![vec![zone]];
    let loaded = load(&bank);
    assert_eq!(loaded.regions.len(), 32);
    let mut next = 1;
    for region in &loaded.regions {
        assert_eq!(*region.velocities.start(), next);
        next = region.velocities.end() + 1;
        let middle = f64::from(*region.velocities.start()).midpoint(f64::from(*region.velocities.end()));
        let timecents = 1280.0 * (1.0 - middle / 128.0);
        assert!((region.envelope.attack_s - (timecents / 1200.0).exp2()).abs() < 1e-9);
    }
    assert_eq!((next, loaded.warnings.len()), (128, 0));
}

#[test]
fn loops_and_offsets_are_counted_from_the_sample() {
    let round = |generators: &[(u16, i32)]| {
        let region = one(generators).0;
        region.sample_loop().map(|round| (round.start(), round.end(), round.mode()))
    };
    assert_eq!(round(&[(54, 1)]), Some((10, 90, LoopMode::Continuous)));
    assert_eq!(round(&[(54, 3), (2, 5), (3, -5)]), Some((15, 85, LoopMode::Sustain)));
    assert_eq!(round(&[(54, 2)]), None);
    let (region, _) = one(&[(0, 7), (1, -20)]);
    assert_eq!((region.offset_frames, region.end_frame), (7.0, Some(80)));
    assert_eq!(one(&[(54, 1), (3, 15)]).0.sample_loop().unwrap().end(), 100, "5 frames too far are forgiven");
    let (region, warnings) = one(&[(54, 1), (3, 400)]);
    assert!(region.sample_loop().is_none());
    assert_eq!(
        warnings,
        ["bank.sf2: sample \"Sample 0\" is played without its loop, 10 to 490: it has 100 frames"]
    );
    // The second sample of the chunk: its loop stands behind the first one's frames.
    let mut bank = Bank::simple(ramp(50), &[(54, 1)]);
    bank.sounds.push(Sound { looped: (5, 25), ..ramp(30) });
    bank.instruments = vec![vec![Zone::of(&[(54, 1), (53, 1)])]];
    let region = load(&bank).regions.remove(0);
    assert_eq!((region.sample.frames(), region.sample.value(3, 0)), (30, 30.0 / 32_768.0));
    assert_eq!(region.sample_loop().map(|round| (round.start(), round.end())), Some((5, 25)));
}

#[test]
fn lfos_and_envelopes_move_what_the_zone_says() {
    let (region, _) = one(&[
        (5, 50),
        (6, -30),
        (7, 1200),
        (10, 600),
        (11, -2400),
        (13, 60),
        (22, 1200),
        (21, 0),
        (25, 0),
        (29, 400),
        (28, 1200),
    ]);
    let routes = &region.modulation.routes;
    let depth = |from, to| {
        routes.iter().find(|r| r.from == from && r.via == Source::One && r.to == to).map(|r| r.depth)
    };
    assert_eq!(depth(Source::Lfo(0), Target::Pitch), Some(50.0));
    assert_eq!(depth(Source::Lfo(1), Target::Pitch), Some(-30.0));
    assert_eq!(depth(Source::Envelope(0), Target::Pitch), Some(1200.0));
    assert_eq!(depth(Source::Lfo(0), Target::Cutoff(0)), Some(600.0));
    assert_eq!(depth(Source::Envelope(0), Target::Cutoff(0)), Some(-2400.0));
    assert_eq!(depth(Source::Lfo(0), Target::Gain), Some(6.0));
    assert_eq!(region.modulation.filters.len(), 1, "moved, so there");
    let lfo = region.modulation.lfos[0];
    assert!((lfo.rate_hz - 2.0 * 8.175_8).abs() < 1e-3 && lfo.delay_s == 1.0);
    assert!((region.modulation.lfos[1].rate_hz - 8.175_8).abs() < 1e-3);
    let envelope = region.modulation.envelopes[0];
    assert!((envelope.sustain - 0.6).abs() < 1e-12 && (envelope.decay_s - 0.8).abs() < 1e-12);
    assert_eq!(envelope.delay_s, 1.0);
}

#[test]
fn zones_override_presets_add_and_ranges_meet() {
    let global = Zone::of(&[(17, 100), (48, 100)]);
    let low = Zone::of(&[(43, 0x3C00), (17, 200), (57, 3), (53, 0)]);
    let high = Zone::of(&[(43, 0x7F3D), (44, 0x7F40), (53, 1)]);
    let preset = Zone::of(&[(43, 0x4832), (48, 50), (54, 1), (41, 0)]);
    let bank = Bank {
        presets: vec![(0, 5, vec![Zone::of(&[(17, -50)]), preset])],
        instruments: vec![vec![global, low, high]],
        sounds: vec![ramp(10), ramp(20)],
    };
    let loaded = load(&bank);
    let found: Vec<_> = loaded
        .regions
        .iter()
        .map(|r| {
            (
                r.keys.clone(),
                r.velocities.clone(),
                r.sample.frames(),
                r.pan,
                (-2000.0 * r.gain.log10()).round() as i32,
            )
        })
        .collect();
    // In tenths of cB: 0.4 of 150 cB.
    assert_eq!(
        found,
        [(50..=60, 1..=127, 10, 150.0 / 500.0, 600), (61..=72, 64..=127, 20, 50.0 / 500.0, 600)]
    );
    assert!(
        loaded.regions.iter().all(|region| region.sample_loop().is_none()),
        "sampleModes is not for presets"
    );
    let (low, high) = (&loaded.regions[0], &loaded.regions[1]);
    assert!(low.group != 0 && low.group == low.choked_by && low.group & 0x7F == 3);
    assert_eq!((high.group, high.choked_by), (0, 0));
}

#[test]
fn samples_of_24_bits_have_all_of_them() {
    let sound = Sound { low: vec![1, 0xFF, 0x80], ..Sound::of(&[0, -1, 0x4000]) };
    let region = load(&Bank::simple(sound, &[])).regions.remove(0);
    let expected = [1.0, -1.0, (0x40_0080) as f32].map(|value| value / 8_388_608.0);
    assert_eq!([0, 1, 2].map(|frame| region.sample.value(frame, 0)), expected);
}

#[test]
fn compressed_samples_are_decoded() {
    let ogg = include_bytes!("../../../tests/audio/sine.ogg");
    let sound = Sound {
        data: ogg.to_vec(),
        length: ogg.len() as u32,
        rate: 44_100,
        looped: (100, 11_000),
        kind: 0x11,
        ..Sound::of(&[])
    };
    let mut bank = Bank::simple(sound, &[(54, 1)]);
    let region = load(&bank).regions.remove(0);
    assert_eq!((region.sample.frames(), region.sample.sample_rate()), (11_025, 44_100));
    assert_eq!(region.sample_loop().map(|round| (round.start(), round.end())), Some((100, 11_000)));
    bank.sounds[0].data[30] ^= 0xFF;
    let error = open(&bank).load(0, &mut go_on).unwrap_err();
    assert!(error.to_string().contains("nothing of preset \"Preset 0\" can sound"), "{error}");
}

#[test]
fn presets_are_found_by_bank_program_and_name_and_share_samples() {
    let zone = || vec![Zone::of(&[(41, 0)])];
    let mut bank = Bank::simple(ramp(10), &[]);
    bank.presets = vec![(128, 0, zone()), (0, 40, zone()), (0, 0, zone())];
    let font = open(&bank);
    let places: Vec<_> = font.presets().iter().map(|p| (p.bank, p.program, p.name.as_str())).collect();
    assert_eq!(places, [(0, 0, "Preset 2"), (0, 40, "Preset 1"), (128, 0, "Preset 0")]);
    let choose = |bank, program, name: Option<&str>| {
        font.choose(&PresetWish { bank, program, name: name.map(String::from) })
            .map_err(|error| error.to_string())
    };
    assert_eq!(choose(None, None, None), Ok(0));
    assert_eq!(choose(None, Some(40), None), Ok(1));
    assert_eq!(choose(Some(128), None, None), Ok(2));
    assert_eq!(choose(None, None, Some("preset 0")), Ok(2));
    assert_eq!(
        choose(Some(3), Some(7), None),
        Err("\"bank.sf2\" has no preset 7 in bank 3; it has 0:0 \"Preset 2\", 0:40 \"Preset 1\", 128:0 \"Preset 0\"".into())
    );
    let (a, b) = (font.load(0, &mut go_on).unwrap(), font.load(2, &mut go_on).unwrap());
    assert!(Arc::ptr_eq(&a.regions[0].sample, &b.regions[0].sample));
    assert_eq!((a.name.as_str(), b.name.as_str()), ("Preset 2", "Preset 0"));
}

#[test]
fn a_file_is_open_once() {
    let dir = TestDir::new();
    let path = dir.file("a.sf2", &Bank::simple(ramp(10), &[]).bytes());
    assert!(is_soundfont(&path) && !is_soundfont(dir.path()) && !is_soundfont(Path::new("/dev/zero")));
    let (a, b) = (SoundFont::open(&path).unwrap(), SoundFont::open(&path).unwrap());
    assert!(Arc::ptr_eq(&a, &b));
    assert_eq!(a.name(), "a");
    let sample = a.load(0, &mut go_on).unwrap().regions[0].sample.clone();
    assert!(Arc::ptr_eq(&sample, &b.load(0, &mut go_on).unwrap().regions[0].sample));
    dir.file("a.sf2", &Bank::simple(ramp(20), &[]).bytes());
    assert!(!Arc::ptr_eq(&a, &SoundFont::open(&path).unwrap()), "another size is another file");
}

#[test]
fn broken_banks_load_and_say_what_is_broken() {
    // Samples past the end of the chunk, ROM samples, ends before beginnings, instruments and samples that are not there.
    let mut bank = Bank::simple(ramp(100), &[]);
    bank.sounds.push(Sound { length: 5000, ..ramp(50) });
    bank.sounds.push(Sound { kind: 0x8001, ..ramp(10) });
    let zones = [0, 1, 2, 9].map(|sample| Zone::of(&[(53, sample)]));
    bank.instruments = vec![zones.to_vec(), vec![]];
    bank.presets[0].2.push(Zone::of(&[(41, 7)]));
    bank.presets[0].2.push(Zone::of(&[(41, 1)]));
    let loaded = load(&bank);
    assert_eq!(loaded.regions.len(), 2);
    let text = loaded.warnings.join("\n");
    for part in [
        "a zone asks for instrument 7, there are 2",
        "instrument 1 (\"Instrument 1\") has no sample",
        "sample 1 (\"Sample 1\") ends at frame 5100 of the smpl chunk, which has 160; it is cut there",
        "sample 2 (\"Sample 2\") is left out: it stands in the ROM of a sound card",
        "sample 9 (\"\") is left out: it does not exist: there are 3",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn odd_chunks_without_padding_and_cut_lists_are_read() {
    let bank = Bank::simple(ramp(10), &[]);
    let hydra: Vec<u8> = bank.hydra().iter().flat_map(|(id, body)| chunk(id, body)).collect();
    let smpl: Vec<u8> = bank.sounds[0].data.clone();
    let list = |kind: &[u8; 4], body: &[u8]| {
        // The size as it is, without padding.
        [b"LIST", &(body.len() as u32 + 4).to_le_bytes()[..], kind, body].concat()
    };
    let odd_name = [&b"INAM"[..], &5u32.to_le_bytes(), b"Odd\0\0"].concat();
    let info = list(b"INFO", &[odd_name, chunk(b"ICMT", b"hm")].concat());
    let body =
        [b"sfbk".to_vec(), info, list(b"sdta", &chunk(b"smpl", &smpl)), list(b"pdta", &hydra)].concat();
    let file = chunk(b"RIFF", &body);
    let font = SoundFont::from_bytes(file.clone().into(), Path::new("odd.sf2")).unwrap();
    assert_eq!(font.tables.name, "Odd");
    assert_eq!(font.load(0, &mut go_on).unwrap().regions.len(), 1);
    // A list that claims more than there is.
    let mut long = file.clone();
    let at = long.windows(4).position(|id| id == b"pdta").unwrap() - 4;
    long[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let font = SoundFont::from_bytes(long.into(), Path::new("long.sf2")).unwrap();
    assert!(font.load(0, &mut go_on).unwrap().warnings[0].contains("says 4294967295 bytes"));
    let error = SoundFont::from_bytes(file[..200].into(), Path::new("cut.sf2")).unwrap_err();
    assert!(error.to_string().contains("chunk in its 200 bytes"), "{error}");
}

#[test]
fn a_preset_that_multiplies_is_a_limit_not_a_flood() {
    // 400 zones of 400 zones.
    let mut bank = Bank::simple(ramp(10), &[]);
    bank.instruments = vec![vec![Zone::of(&[(53, 0)]); 400]];
    bank.presets[0].2 = vec![Zone::of(&[(41, 0)]); 400];
    let error = open(&bank).load(0, &mut go_on).unwrap_err();
    assert_eq!(error.to_string(), "cannot read \"bank.sf2\": a preset has more than 65536 zones");
}

#[test]
fn a_break_ends_loading() {
    let error = open(&Bank::simple(ramp(10), &[])).load(0, &mut |_| ControlFlow::Break(())).unwrap_err();
    assert!(matches!(error, LoadError::Aborted { .. }));
}

/// Every preset of whatever opens; nothing panics.
fn survives(bytes: &[u8]) {
    if let Ok(font) = SoundFont::from_bytes(bytes.into(), Path::new("x")) {
        for preset in 0..font.presets().len().min(8) {
            let _ = font.load(preset, &mut go_on);
        }
    }
}

fn busy() -> Vec<u8> {
    let zone = Zone::of(&[(43, 0x4030), (5, 50), (7, 100), (39, 10), (54, 1), (53, 0)])
        .with([0x0081, 8, 100, 0x0002, 0]);
    let mut bank = Bank::simple(Sound { looped: (1, 9), ..ramp(10) }, &[]);
    bank.instruments = vec![vec![Zone::of(&[(17, 5)]), zone]];
    bank.bytes()
}

#[test]
fn every_truncation_and_every_flipped_byte_is_survived() {
    let file = busy();
    for end in 0..file.len() {
        survives(&file[..end]);
        for byte in [0, 0x7F, 0x80, 0xFF, !file[end]] {
            let mut broken = file.clone();
            broken[end] = byte;
            survives(&broken);
        }
    }
}

proptest! {
    #[test]
    fn any_mutations_are_survived(mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
        let mut file = busy();
        for (at, byte) in mutations {
            let at = at.index(file.len());
            file[at] = byte;
        }
        survives(&file);
    }
}
