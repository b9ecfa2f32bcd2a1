//! SFZ as it sounds: texts over generated samples, an offline engine, and what the specification says comes out.
//!
//! Samples are constants, ramps and steps, so that answers are arithmetic. Where it matters which regions sound, region
//! n plays the constant 2^n: the output is a sum that names them all. Source: sfzformat.com.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ictus::dsp::interpolate::Interpolation;
use ictus::engine::event::{Event, Late, encode};
use ictus::engine::instruments::Installed;
use ictus::engine::message::Command;
use ictus::engine::{Engine, EngineConfig, EngineEnds, Sampler, Stealing};
use ictus::instrument::Instrument;
use ictus::load::{self, Loaded};

const RATE: u32 = 48_000;

/// A 32-bit float WAV file.
fn wav(values: &[f32], channels: u16) -> Vec<u8> {
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + data.len() as u32).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt ");
    bytes.extend_from_slice(&16u32.to_le_bytes());
    bytes.extend_from_slice(&3u16.to_le_bytes());
    bytes.extend_from_slice(&channels.to_le_bytes());
    bytes.extend_from_slice(&RATE.to_le_bytes());
    bytes.extend_from_slice(&(RATE * 4 * u32::from(channels)).to_le_bytes());
    bytes.extend_from_slice(&(4 * channels).to_le_bytes());
    bytes.extend_from_slice(&32u16.to_le_bytes());
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&(data.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&data);
    bytes
}

struct Folder(PathBuf);

impl Folder {
    /// One with the samples of these tests: `1.wav`, `2.wav`, `4.wav` … constants on both sides, two seconds long;
    /// `mono.wav`, 1 on one channel; `ramp.wav`, frame n is n; `left.wav`, 1 on the left and 0 on the right; `nyquist.wav`, 1, −1, 1, ….
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("ictus-sfz-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, bytes: Vec<u8>| std::fs::write(folder.join(name), bytes).unwrap();
        let frames = 2 * RATE as usize;
        for bit in 0..6 {
            let value = (1 << bit) as f32;
            write(&format!("{value}.wav"), wav(&vec![value; 2 * frames], 2));
        }
        let both = |value: fn(usize) -> [f32; 2]| (0..frames).flat_map(value).collect::<Vec<_>>();
        write("ramp.wav", wav(&both(|n| [n as f32; 2]), 2));
        write("mono.wav", wav(&vec![1.0; frames], 1));
        write("left.wav", wav(&both(|_| [1.0, 0.0]), 2));
        write("nyquist.wav", wav(&both(|n| [if n % 2 == 0 { 1.0 } else { -1.0 }; 2]), 2));
        Self(folder)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn load_text(text: &str) -> Loaded {
    let folder = Folder::new();
    let path = folder.path().join("test.sfz");
    std::fs::write(&path, text).unwrap();
    load::load_sfz(&path, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// An offline engine that plays a text on channel 0.
struct Rig {
    engine: Engine,
    ends: EngineEnds,
    note: u32,
}

impl Rig {
    fn new(text: &str) -> Self {
        let loaded = load_text(text);
        assert_eq!(loaded.warnings, Vec::<String>::new(), "{text}");
        Self::playing(loaded)
    }

    fn playing(loaded: Loaded) -> Self {
        let (engine, ends) = Engine::new(EngineConfig {
            sample_rate: RATE,
            channels: 2,
            polyphony: 64,
            interpolation: Interpolation::Linear,
            limiter: None,
        });
        let mut rig = Self { engine, ends, note: 0 };
        let instrument = Arc::new(Instrument::new(loaded.regions).with_play(loaded.play));
        rig.command(Command::AddSampler(0, Box::new(Sampler::new(64, Stealing::Quietest, 1.0))));
        rig.command(Command::SetInstrument(0, 0, Installed::new(instrument)));
        rig.send(Event::Assign { sampler: 0, channel: 0, instrument: Some(0) });
        rig
    }

    fn command(&mut self, command: Command) {
        assert!(self.ends.lane.send(command).is_ok());
    }

    fn send(&mut self, event: Event) {
        assert!(self.ends.lane.memory().push(&encode(event, None), 0));
        self.engine.take_in();
    }

    fn on(&mut self, key: f32, velocity: f32) -> u32 {
        self.note += 1;
        let note = self.note;
        self.send(Event::NoteOn {
            sampler: 0,
            channel: 0,
            late: Late::Play,
            note,
            key,
            velocity,
            instrument: None,
        });
        note
    }

    fn off(&mut self, key: f32) {
        self.send(Event::NoteOff { sampler: 0, channel: 0, key });
    }

    fn cc(&mut self, controller: u8, value: f32) {
        self.send(Event::Control { sampler: 0, channel: 0, controller, value });
    }

    fn bend(&mut self, value: f32) {
        self.send(Event::PitchBend { sampler: 0, channel: 0, value });
    }

    /// Left and right, frame by frame.
    fn render(&mut self, frames: usize) -> Vec<[f32; 2]> {
        let mut out = vec![0.0; 2 * frames];
        self.engine.process(&mut out);
        while self.ends.collector.collect().is_some() {}
        out.chunks(2).map(|frame| [frame[0], frame[1]]).collect()
    }

    /// The left side after so many frames.
    fn left_after(&mut self, frames: usize) -> f32 {
        self.render(frames).last().unwrap()[0]
    }

    /// Waits until everything that fades has faded and everything that glides has arrived, 20 ms, and listens.
    fn level(&mut self) -> f32 {
        self.left_after(960)
    }
}

/// A region that plays the constant 2^n as loud as it is, whatever the velocity.
fn constant(n: u32, opcodes: &str) -> String {
    format!("<region> sample={}.wav amp_veltrack=0 {opcodes}\n", 1u32 << n)
}

/// Level of one note on key 60 at velocity 127.
fn level_of(opcodes: &str) -> f32 {
    level_at(opcodes, 60.0, 127.0, &[])
}

fn level_at(opcodes: &str, key: f32, velocity: f32, controllers: &[(u8, f32)]) -> f32 {
    let mut rig = Rig::new(&format!("<region> sample=1.wav {opcodes}"));
    for (controller, value) in controllers {
        rig.cc(*controller, *value);
    }
    rig.render(1);
    rig.on(key, velocity);
    rig.level()
}

fn db(db: f64) -> f32 {
    10f64.powf(db / 20.0) as f32
}

/// Equal to a millionth of the expected value, or of 1: a few roundings of f32.
#[track_caller]
fn near(found: f32, expected: f32) {
    assert!((found - expected).abs() <= 2e-6 * expected.abs().max(1.0), "{found} is not {expected}");
}

// ── which region sounds

#[test]
fn keys_and_velocities_choose() {
    let text = constant(0, "key=60")
        + &constant(1, "lokey=c4 hikey=62 hivel=63")
        + &constant(2, "lokey=61 lovel=64")
        + &constant(3, "lokey=-1 hikey=-1");
    for (key, velocity, sum) in
        [(60, 127, 1), (60, 63, 3), (61, 64, 4), (62, 1, 2), (63, 63, 0), (63, 64, 4), (59, 100, 0)]
    {
        let mut rig = Rig::new(&text);
        rig.on(key as f32, velocity as f32);
        assert_eq!(rig.level(), sum as f32, "key {key} velocity {velocity}");
    }
}

#[test]
fn controllers_bends_and_pressure_choose() {
    let text = constant(0, "locc4=64")
        + &constant(1, "hicc4=63")
        + &constant(2, "lobend=1000 bend_up=0 bend_down=0")
        + &constant(3, "lochanaft=10 hichanaft=20")
        + &constant(4, "lohdcc5=0.5 hihdcc5=0.5")
        + &constant(5, "lochan=2 hichan=3");
    let mut rig = Rig::new(&text);
    rig.on(60.0, 100.0);
    assert_eq!(rig.level(), 2.0);
    rig.off(60.0);
    rig.level();
    rig.cc(4, 64.0);
    rig.cc(5, 63.5);
    rig.bend(1000.0);
    rig.send(Event::ChannelPressure { sampler: 0, channel: 0, value: 20.0 });
    rig.on(60.0, 100.0);
    assert_eq!(rig.level(), 1.0 + 4.0 + 8.0 + 16.0);
}

#[test]
fn set_cc_stands_before_anybody_moves_a_controller() {
    let text = format!(
        "<control> set_cc4=64 set_hdcc5=1 {}{}",
        constant(0, "locc4=64 hicc4=64"),
        constant(1, "locc5=127")
    );
    let mut rig = Rig::new(&text);
    rig.on(60.0, 100.0);
    assert_eq!(rig.level(), 3.0);
}

#[test]
fn what_an_instrument_set_of_controllers_goes_back_with_it() {
    let other = load_text("<region> sample=1.wav");
    let mut rig = Rig::new(&format!("<control> set_cc7=64 set_cc20=127 {}", constant(0, "")));
    let plain =
        Arc::new(Instrument::new(vec![ictus::instrument::Region::of(other.regions[0].sample.clone())]));
    rig.command(Command::SetInstrument(1, 1, Installed::new(plain)));
    rig.on(60.0, 127.0);
    // General MIDI: 40·log10(64/127) dB.
    near(rig.level(), (64.0f32 / 127.0).powi(2));
    rig.off(60.0);
    rig.level();
    rig.send(Event::Assign { sampler: 0, channel: 0, instrument: Some(1) });
    rig.on(60.0, 127.0);
    // Neither softer nor, by controller 74, darker.
    near(rig.level(), 1.0);
}

#[test]
fn sequences_go_round_and_count_every_note_on_their_keys() {
    let text = (0..3)
        .map(|n| constant(n, &format!("key=60 seq_length=3 seq_position={}", n + 1)))
        .collect::<String>()
        + &constant(3, "key=60 seq_length=2 seq_position=2 lovel=64");
    let mut rig = Rig::new(&text);
    let mut heard = Vec::new();
    for velocity in [100.0, 100.0, 10.0, 100.0, 100.0] {
        rig.on(60.0, velocity);
        heard.push(rig.level());
        rig.off(60.0);
        rig.level();
    }
    assert_eq!(heard, [1.0, 2.0 + 8.0, 4.0, 1.0 + 8.0, 2.0]);
}

#[test]
fn random_ranges_share_one_number_a_note_and_each_is_met() {
    let text =
        constant(0, "hirand=0.25") + &constant(1, "lorand=0.25 hirand=0.5") + &constant(2, "lorand=0.5");
    let mut rig = Rig::new(&text);
    let mut counts = [0; 3];
    for _ in 0..400 {
        rig.on(60.0, 100.0);
        let heard = rig.left_after(64);
        let region = [1.0, 2.0, 4.0].iter().position(|value| *value == heard);
        counts[region.expect("exactly one sounds")] += 1;
        rig.off(60.0);
        rig.left_after(256);
    }
    // 400 draws: 100, 100, 200 within 4 sigma, √(400·p·(1 − p)) < 10.
    assert!((60..140).contains(&counts[0]) && (160..240).contains(&counts[2]), "{counts:?}");
}

#[test]
fn keyswitches_choose_until_the_next() {
    let text = "<global> sw_lokey=24 sw_hikey=27 sw_default=25\n".to_string()
        + &constant(0, "lokey=40 sw_last=24 sw_label=Sustain")
        + &constant(1, "lokey=40 sw_last=25 sw_label=Staccato")
        + &constant(2, "lokey=40 sw_lolast=24 sw_hilast=26")
        + &constant(3, "lokey=40 sw_down=30")
        + &constant(4, "lokey=40 sw_up=30");
    let mut rig = Rig::new(&text);
    let play = |rig: &mut Rig| {
        rig.on(60.0, 100.0);
        let heard = rig.level();
        rig.off(60.0);
        rig.level();
        heard
    };
    assert_eq!(play(&mut rig), 2.0 + 4.0 + 16.0);
    rig.on(24.0, 100.0);
    rig.off(24.0);
    assert_eq!(play(&mut rig), 1.0 + 4.0 + 16.0);
    rig.on(27.0, 100.0);
    assert_eq!(play(&mut rig), 16.0);
    rig.on(30.0, 100.0);
    assert_eq!(play(&mut rig), 8.0);
    rig.off(30.0);
    assert_eq!(play(&mut rig), 16.0);
    let keyswitches = load_text(&text).play.switches;
    assert_eq!(keyswitches, [(24, "Sustain".to_string()), (25, "Staccato".to_string())]);
}

#[test]
fn the_note_before_chooses() {
    let text = constant(0, "sw_previous=62")
        + &constant(1, "sw_vel=previous amp_veltrack=100")
        + &constant(2, "hitimer=0.5");
    let mut rig = Rig::new(&text);
    rig.on(62.0, 127.0);
    assert_eq!(rig.level(), 2.0);
    rig.off(62.0);
    rig.level();
    rig.on(60.0, 63.5);
    // The velocity of the note before, not its own.
    assert_eq!(rig.level(), 1.0 + 2.0 + 4.0);
    rig.off(60.0);
    rig.render(RATE as usize);
    rig.on(60.0, 127.0);
    near(rig.level(), 0.25 * 2.0);
}

#[test]
fn first_and_legato_look_at_the_other_keys() {
    let mut rig = Rig::new(&(constant(0, "trigger=first") + &constant(1, "trigger=legato")));
    rig.on(60.0, 100.0);
    assert_eq!(rig.level(), 1.0);
    rig.on(64.0, 100.0);
    assert_eq!(rig.level(), 3.0);
    rig.off(60.0);
    rig.off(64.0);
    rig.level();
    rig.on(60.0, 100.0);
    assert_eq!(rig.level(), 1.0);
}

#[test]
fn releases_wait_for_the_pedal_and_release_keys_do_not() {
    let text = constant(0, "ampeg_release=0.001")
        + &constant(1, "trigger=release end=4800")
        + &constant(2, "trigger=release_key end=4800");
    let mut rig = Rig::new(&text);
    rig.on(60.0, 100.0);
    assert_eq!(rig.level(), 1.0);
    rig.off(60.0);
    assert_eq!(rig.level(), 2.0 + 4.0);
    rig.render(9600);
    rig.cc(64, 127.0);
    rig.on(60.0, 100.0);
    rig.off(60.0);
    assert_eq!(rig.level(), 1.0 + 4.0);
    rig.render(9600);
    rig.cc(64, 0.0);
    assert_eq!(rig.level(), 2.0);
}

#[test]
fn a_release_asks_for_something_that_still_sounds_unless_it_is_dead() {
    // The attack has ended after 100 frames; releases play for 4800.
    for (opcodes, sum) in [("", 0.0), ("rt_dead=on", 2.0)] {
        let text = constant(0, "end=99") + &constant(1, &format!("trigger=release end=4800 {opcodes}"));
        let mut rig = Rig::new(&text);
        rig.on(60.0, 100.0);
        rig.level();
        rig.off(60.0);
        assert_eq!(rig.level(), sum, "{opcodes}");
    }
}

#[test]
fn a_release_is_softer_the_longer_its_key_was_held() {
    let text = constant(0, "") + &constant(1, "trigger=release rt_decay=6 loop_mode=one_shot");
    let mut rig = Rig::new(&text);
    rig.on(60.0, 100.0);
    rig.render(RATE as usize / 2);
    rig.off(60.0);
    near(rig.level(), 2.0 * db(-3.0));
}

#[test]
fn notes_that_are_let_go_by_their_number_release_too() {
    let mut rig = Rig::new(&(constant(0, "") + &constant(1, "trigger=release loop_mode=one_shot")));
    let note = rig.on(60.0, 100.0);
    rig.level();
    rig.send(Event::Release { sampler: 0, note, timed: false });
    assert_eq!(rig.level(), 2.0);
}

#[test]
fn a_controller_that_comes_into_a_range_starts_a_region_once() {
    let mut rig = Rig::new(&constant(0, "on_locc64=127 on_hicc64=127 end=2399 loop_mode=one_shot"));
    rig.on(60.0, 100.0);
    assert_eq!(rig.level(), 0.0, "keys do not");
    rig.cc(64, 126.0);
    assert_eq!(rig.level(), 0.0);
    rig.cc(64, 127.0);
    assert_eq!(rig.level(), 1.0);
    rig.cc(64, 127.0);
    assert_eq!(rig.level(), 1.0, "not again while it stays");
}

// ── who ends whom

#[test]
fn a_group_ends_another_in_the_way_that_it_asks_for() {
    let muted = |mode: &str| {
        let text = constant(0, &format!("key=60 group=1 off_by=2 {mode}")) + &constant(1, "key=62 group=2");
        let mut rig = Rig::new(&text);
        rig.on(60.0, 100.0);
        rig.level();
        rig.on(62.0, 100.0);
        // What is left of the first after 3, 7, 30 and 60 ms.
        let out = rig.render(2880);
        [143, 335, 1439, 2879].map(|frame: usize| out[frame][0] - 2.0)
    };
    let gone = |levels: [f32; 4]| levels.map(|level| level <= 0.0);
    assert_eq!(gone(muted("")), [false, true, true, true]);
    assert_eq!(gone(muted("off_mode=fast")), [false, true, true, true]);
    assert_eq!(gone(muted("off_mode=time off_time=0.05")), [false, false, false, true]);
    // A straight line of 2880 frames.
    near(muted("off_mode=time off_time=0.06")[2], 1.0 - 1439.0 / 2880.0);
    assert_eq!(gone(muted("off_mode=normal ampeg_release=0.02")), [false, false, true, true]);
    assert_eq!(gone(muted("off_time=0.05")), [false, false, false, true]);
}

#[test]
fn a_silent_region_ends_others() {
    let mut rig = Rig::new(&(constant(0, "key=60 group=1 off_by=2") + &constant(1, "key=62 group=2 end=-1")));
    rig.on(60.0, 100.0);
    assert_eq!(rig.level(), 1.0);
    rig.on(62.0, 100.0);
    assert_eq!(rig.level(), 0.0);
}

#[test]
fn note_polyphony_masks_what_is_not_louder() {
    for (opcodes, sum) in [("", 1.0 + 0.25), ("note_selfmask=off", 0.25)] {
        let text = format!("<region> sample=1.wav note_polyphony=1 {opcodes}");
        let mut rig = Rig::new(&text);
        rig.on(60.0, 127.0);
        rig.level();
        rig.on(60.0, 63.5);
        near(rig.level(), sum);
        rig.on(60.0, 127.0);
        near(rig.level(), 1.0);
        rig.on(61.0, 127.0);
        near(rig.level(), 2.0);
    }
}

#[test]
fn polyphony_counts_what_stands_under_its_header() {
    let text = format!("<group> polyphony=2 {}<group> {}", constant(0, "hikey=60"), constant(1, "lokey=70"));
    let mut rig = Rig::new(&text);
    for key in [50.0, 51.0, 52.0, 70.0, 71.0, 72.0] {
        rig.on(key, 100.0);
        rig.level();
    }
    assert_eq!(rig.level(), 2.0 + 6.0);
    let mut rig = Rig::new(&constant(0, "group=5 polyphony=legato_last"));
    rig.on(50.0, 100.0);
    rig.on(51.0, 100.0);
    assert_eq!(rig.level(), 1.0);
}

// ── how loud, and where

#[test]
fn levels_add_up_in_decibels_and_multiply_in_percent() {
    near(level_of("volume=-6"), db(-6.0));
    near(level_of("amplitude=25"), 0.25);
    near(level_of("volume=-6 amplitude=50"), 0.5 * db(-6.0));
    near(level_of("phase=invert"), -1.0);
    let text = "<global> global_volume=-1 global_amplitude=50 <master> master_volume=-2 <group> group_volume=-3 \
                group_amplitude=50 <region> sample=1.wav volume=-4";
    let mut rig = Rig::new(text);
    rig.on(60.0, 127.0);
    near(rig.level(), 0.25 * db(-10.0));
}

#[test]
fn amplitudes_of_controllers_multiply_and_volumes_add_up() {
    let at = |opcodes: &str, controllers: &[(u8, f32)]| level_at(opcodes, 60.0, 127.0, controllers);
    near(at("amplitude_oncc20=100", &[]), 0.0);
    near(at("amplitude_oncc20=100", &[(20, 63.5)]), 0.5);
    near(at("amplitude_oncc20=100 amplitude_oncc21=50", &[(20, 63.5), (21, 127.0)]), 0.25);
    near(at("volume_oncc20=-12 gain_cc21=-6", &[(20, 63.5), (21, 127.0)]), db(-12.0));
    // Curves: 2 is upside down, 4 the square; steps are cut off.
    near(at("amplitude_oncc20=100 amplitude_curvecc20=2", &[(20, 127.0 * 0.25)]), 0.75);
    near(at("amplitude_oncc20=100 amplitude_curvecc20=4", &[(20, 64.0)]), (64.0f32 / 127.0).powi(2));
    near(at("amplitude_oncc20=100 amplitude_stepcc20=25", &[(20, 90.0)]), 0.5);
}

#[test]
fn curves_of_the_file_are_used_wherever_they_stand() {
    let text = "<region> sample=1.wav amplitude_oncc20=100 amplitude_curvecc20=11 <curve> curve_index=11 v000=1 v064=0 v127=0.5";
    for (value, level) in [(0.0, 1.0), (32.0, 0.5), (64.0, 0.0), (127.0, 0.5)] {
        let mut rig = Rig::new(text);
        rig.cc(20, value);
        rig.render(1);
        rig.on(60.0, 127.0);
        near(rig.level(), level);
    }
}

#[test]
fn a_controller_moves_a_note_that_sounds() {
    let mut rig = Rig::new("<region> sample=1.wav amplitude_oncc20=100");
    rig.on(60.0, 127.0);
    near(rig.level(), 0.0);
    rig.cc(20, 127.0);
    near(rig.level(), 1.0);
}

#[test]
fn velocity_counts_as_far_as_it_is_asked_to() {
    let at = |opcodes: &str, velocity: f32| level_at(opcodes, 60.0, velocity, &[]);
    near(at("", 63.5), 0.25);
    near(at("amp_veltrack=0", 1.0), 1.0);
    near(at("amp_veltrack=-100", 127.0), 0.0);
    near(at("amp_veltrack=-100", 63.5), 0.75);
    near(at("amp_velcurve_1=0.5", 64.0), 0.5 + 0.5 * 63.0 / 126.0);
    near(at("amp_velcurve_64=1", 32.0), 0.5);
    near(level_at("amp_veltrack=0 amp_veltrack_oncc20=100", 60.0, 63.5, &[(20, 127.0)]), 0.25);
    near(level_at("amp_veltrack=0 amp_veltrack_oncc20=100", 60.0, 63.5, &[]), 1.0);
}

#[test]
fn keys_track_the_level() {
    near(level_at("amp_keytrack=-1 amp_keycenter=48", 60.0, 127.0, &[]), db(-12.0));
    near(level_at("amp_keytrack=0.5", 48.0, 127.0, &[]), db(-6.0));
}

#[test]
fn crossfades_by_key_velocity_and_controller() {
    let keys = "xfin_lokey=50 xfin_hikey=60 xfout_lokey=70 xfout_hikey=80";
    for (key, x) in
        [(40.0, 0.0f32), (50.0, 0.0), (55.0, 0.5), (60.0, 1.0), (70.0, 1.0), (75.0, 0.5), (80.0, 0.0)]
    {
        near(level_at(keys, key, 127.0, &[]), x.sqrt());
        near(level_at(&format!("{keys} xf_keycurve=gain"), key, 127.0, &[]), x);
    }
    let velocities = "amp_veltrack=0 xf_velcurve=gain xfin_lovel=20 xfin_hivel=40";
    near(level_at(velocities, 60.0, 30.0, &[]), 0.5);
    near(level_at(velocities, 60.0, 41.0, &[]), 1.0);
    let controllers = "xf_cccurve=gain xfout_locc1=20 xfout_hicc1=40";
    for (value, level) in [(0.0, 1.0), (20.0, 1.0), (25.0, 0.75), (40.0, 0.0), (127.0, 0.0)] {
        near(level_at(controllers, 60.0, 127.0, &[(1, value)]), level);
    }
}

#[test]
fn a_mono_sample_is_as_loud_as_a_stereo_one_with_the_same_on_both_sides() {
    let mut rig = Rig::new("<region> sample=mono.wav");
    rig.on(60.0, 127.0);
    near(rig.level(), 1.0);
    let mut rig = Rig::new("<region> sample=mono.wav pan=-100");
    rig.on(60.0, 127.0);
    near(rig.level(), 2f32.sqrt());
}

#[test]
fn pan_balances_and_width_mixes_both_sides() {
    let sides = |opcodes: &str, controllers: &[(u8, f32)]| {
        let mut rig = Rig::new(&format!("<region> sample=left.wav {opcodes}"));
        for (controller, value) in controllers {
            rig.cc(*controller, *value);
        }
        rig.render(1);
        rig.on(60.0, 127.0);
        rig.render(960)[959]
    };
    let check = |found: [f32; 2], left: f32, right: f32| {
        near(found[0], left);
        near(found[1], right);
    };
    check(sides("", &[]), 1.0, 0.0);
    check(sides("width=0", &[]), 0.5, 0.5);
    check(sides("width=-100", &[]), 0.0, 1.0);
    check(sides("width=50", &[]), 0.75, 0.25);
    check(sides("width=100 width_oncc20=-100", &[(20, 127.0)]), 0.5, 0.5);
    check(sides("pan=100", &[]), 0.0, 0.0);
    // √2·cos(3π/8) of a stereo sample's left side.
    let left = (2f64.sqrt() * (0.375 * std::f64::consts::PI).cos()) as f32;
    check(sides("pan=50", &[]), left, 0.0);
    check(sides("pan_oncc20=50", &[(20, 127.0)]), left, 0.0);
    check(sides("position=50", &[]), left, 0.0);
}

// ── when

#[test]
fn delays_and_envelopes_take_their_time() {
    let frames = |opcodes: &str, controllers: &[(u8, f32)], velocity: f32| {
        let mut rig = Rig::new(&format!("<region> sample=1.wav amp_veltrack=0 {opcodes}"));
        for (controller, value) in controllers {
            rig.cc(*controller, *value);
        }
        rig.render(1);
        rig.on(60.0, velocity);
        rig.render(9600).iter().map(|frame| frame[0]).collect::<Vec<_>>()
    };
    let first = |out: &[f32]| out.iter().position(|value| *value != 0.0);
    assert_eq!(first(&frames("", &[], 127.0)), Some(0));
    assert_eq!(first(&frames("delay=0.1", &[], 127.0)), Some(4800));
    assert_eq!(first(&frames("delay_samples=100", &[], 127.0)), Some(100));
    assert_eq!(first(&frames("delay_oncc20=0.1", &[(20, 63.5)], 127.0)), Some(2400));
    assert_eq!(first(&frames("ampeg_delay=0.05 ampeg_attack=0", &[], 127.0)), Some(2400));
    // An attack of 4800 frames is a straight line from 0 to 1.
    let attack = |out: Vec<f32>, length: usize| {
        near(out[length / 2], 0.5);
        near(out[length], 1.0);
    };
    attack(frames("ampeg_attack=0.1", &[], 127.0), 4800);
    attack(frames("ampeg_attack=0.05 ampeg_attack_oncc20=0.1", &[(20, 63.5)], 127.0), 4800);
    attack(frames("ampeg_attack=0.1 ampeg_vel2attack=-0.1", &[], 63.5), 2400);
    let sustained = frames("ampeg_hold=0.02 ampeg_decay=0.05 ampeg_sustain=40", &[], 127.0);
    near(sustained[960], 1.0);
    // The decay is measured to zero; shape −10.3616 gets to 0.4 after ln(1 + 0.6·(e^s − 1)) / s = 8.8 % of it.
    near(sustained[960 + 220], 0.4);
    near(
        frames("ampeg_decay=0.1 ampeg_sustain=40 ampeg_decay_zero=0 ampeg_decay_shape=0", &[], 127.0)[2400],
        0.7,
    );
    near(frames("ampeg_decay=0.1 ampeg_sustain=40 ampeg_decay_shape=0", &[], 127.0)[1440], 0.7);
    near(frames("ampeg_decay=0.05 ampeg_sustain_oncc20=-50", &[(20, 127.0)], 127.0)[2401], 0.5);
    near(frames("ampeg_attack=0.1 ampeg_start=50", &[], 127.0)[2400], 0.75);
}

#[test]
fn a_delayed_region_does_not_sound_when_its_key_has_gone_up() {
    for (opcodes, heard) in [("", 0.0), ("loop_mode=one_shot", 1.0)] {
        let mut rig = Rig::new(&constant(0, &format!("delay=0.1 {opcodes}")));
        rig.on(60.0, 100.0);
        rig.render(2400);
        rig.off(60.0);
        assert_eq!(rig.left_after(4800), heard, "{opcodes}");
    }
}

#[test]
fn releases_last_as_long_as_controllers_say() {
    for (value, frames) in [(0.0, 480), (127.0, 5280)] {
        let mut rig = Rig::new("<region> sample=1.wav ampeg_release=0.01 ampeg_release_oncc72=0.1");
        rig.cc(72, value);
        rig.on(60.0, 127.0);
        rig.render(960);
        rig.off(60.0);
        let out = rig.render(9600);
        assert_eq!(out.iter().position(|frame| frame[0] == 0.0), Some(frames), "cc 72 at {value}");
    }
}

#[test]
fn pedals_hold_what_they_are_allowed_to() {
    let text = constant(0, "") + &constant(1, "sustain_sw=off") + &constant(2, "sustain_cc=20");
    let mut rig = Rig::new(&text);
    rig.cc(64, 127.0);
    rig.on(60.0, 100.0);
    rig.off(60.0);
    assert_eq!(rig.level(), 1.0);
    rig.cc(64, 0.0);
    assert_eq!(rig.level(), 0.0);
    rig.cc(20, 127.0);
    rig.on(60.0, 100.0);
    rig.off(60.0);
    assert_eq!(rig.level(), 4.0);
    rig.cc(20, 0.0);
    assert_eq!(rig.level(), 0.0);
}

// ── which part of the sample, and how fast

/// The ramp's frame numbers as they are read.
fn read_frames(opcodes: &str, key: f32, controllers: &[(u8, f32)], frames: usize) -> Vec<f32> {
    let mut rig = Rig::new(&format!("<region> sample=ramp.wav amp_veltrack=0 {opcodes}"));
    for (controller, value) in controllers {
        rig.cc(*controller, *value);
    }
    rig.render(1);
    rig.on(key, 127.0);
    rig.render(frames).iter().map(|frame| frame[0]).collect()
}

#[test]
fn offsets_ends_and_directions_choose_the_part_that_is_read() {
    // In the middle of a recording it comes in within a few dozen frames.
    assert_eq!(read_frames("offset=100", 60.0, &[], 512)[500], 600.0);
    assert_eq!(read_frames("offset=100 offset_oncc20=1000", 60.0, &[(20, 127.0)], 512)[500], 1600.0);
    let ended = read_frames("end=999", 60.0, &[], 1100);
    assert_eq!(ended[900], 900.0);
    assert_eq!(ended[1000..], [0.0; 100]);
    let reversed = read_frames("direction=reverse end=999", 60.0, &[], 1000);
    assert_eq!(reversed[100], 899.0);
    // Somewhere within the range, and not at the same place twice.
    let mut rig = Rig::new("<region> sample=ramp.wav amp_veltrack=0 offset=1000 offset_random=500");
    let mut starts = Vec::new();
    for _ in 0..20 {
        rig.on(60.0, 127.0);
        starts.push(rig.left_after(512) - 511.0);
        rig.off(60.0);
        rig.render(960);
    }
    assert!(starts.iter().all(|start| (1000.0..=1500.0).contains(start)), "{starts:?}");
    assert!(starts.windows(2).any(|pair| pair[0] != pair[1]));
}

#[test]
fn loops_go_round_their_frames_inclusive_of_the_last() {
    let looped = read_frames("loop_mode=loop_continuous loop_start=1000 loop_end=1999", 60.0, &[], 4000);
    assert_eq!([looped[1999], looped[2000], looped[3100]], [1999.0, 1000.0, 1100.0]);
    let mut rig = Rig::new(
        "<region> sample=ramp.wav loop_mode=loop_sustain loop_start=100 loop_end=1099 ampeg_release=1",
    );
    rig.on(60.0, 127.0);
    rig.render(2000);
    rig.off(60.0);
    // Behind the loop the recording goes on: its numbers leave the loop's.
    let after = rig.render(4800);
    assert!(after.iter().any(|frame| frame[0] > 1200.0));
}

#[test]
fn a_one_shot_does_not_listen_to_its_key() {
    for (mode, heard) in [("one_shot", 1.0), ("no_loop", 0.0)] {
        let mut rig = Rig::new(&constant(0, &format!("loop_mode={mode}")));
        rig.on(60.0, 100.0);
        rig.off(60.0);
        assert_eq!(rig.level(), heard);
    }
}

/// Cents at which the ramp is read, measured over 2000 frames.
fn cents(opcodes: &str, key: f32, controllers: &[(u8, f32)]) -> f64 {
    let frames = read_frames(opcodes, key, controllers, 4001);
    // Differences of f32 near 10 000 are good to 2⁻¹⁰: over 2000 frames 0.001 cents.
    1200.0 * (f64::from(frames[4000] - frames[2000]) / 2000.0).log2()
}

#[track_caller]
fn in_tune(found: f64, expected: f64) {
    // Positions are 32.32 fixed point and routes f32: a hundredth of a cent.
    assert!((found - expected).abs() < 0.02, "{found} is not {expected} cents");
}

#[test]
fn keys_tunings_and_tracking_make_the_pitch() {
    in_tune(cents("", 67.0, &[]), 700.0);
    in_tune(cents("pitch_keycenter=48", 60.0, &[]), 1200.0);
    in_tune(cents("key=64", 64.0, &[]), 0.0);
    in_tune(cents("tune=-30 transpose=2", 60.0, &[]), 170.0);
    in_tune(cents("pitch_keytrack=0", 72.0, &[]), 0.0);
    in_tune(cents("pitch_keytrack=50 pitch_keycenter=48", 60.0, &[]), 600.0);
    in_tune(cents("pitch_keytrack=-100 pitch_keycenter=50", 60.0, &[]), -1000.0);
    in_tune(cents("tune_oncc20=400 pitch_oncc21=-100", 60.0, &[(20, 63.5), (21, 127.0)]), 100.0);
    in_tune(cents("tune_oncc20=100 tune_curvecc20=1", 60.0, &[(20, 0.0)]), -100.0);
    let mut rig = Rig::new("<region> sample=ramp.wav amp_veltrack=0 pitch_veltrack=1200");
    rig.on(60.0, 63.5);
    let out = rig.render(4001);
    in_tune(1200.0 * (f64::from(out[4000][0] - out[2000][0]) / 2000.0).log2(), 600.0);
    let text = "<global> global_tune=10 <master> master_tune=20 <group> group_tune=30 <region> sample=ramp.wav tune=40";
    let mut rig = Rig::new(text);
    rig.on(60.0, 127.0);
    let out = rig.render(4001);
    in_tune(1200.0 * (f64::from(out[4000][0] - out[2000][0]) / 2000.0).log2(), 100.0);
}

#[test]
fn bends_go_as_far_as_the_region_says() {
    let bent = |opcodes: &str, value: f32| {
        let mut rig = Rig::new(&format!("<region> sample=ramp.wav {opcodes}"));
        rig.bend(value);
        rig.render(960);
        rig.on(60.0, 127.0);
        let out = rig.render(4001);
        1200.0 * (f64::from(out[4000][0] - out[2000][0]) / 2000.0).log2()
    };
    in_tune(bent("", -8192.0), -200.0);
    in_tune(bent("bend_up=1200 bend_down=-100", -8192.0), -100.0);
    in_tune(bent("bend_up=1200 bend_down=-100", 4096.0), 600.0);
    in_tune(bent("bend_up=1200 bend_down=-100", 0.0), 0.0);
    in_tune(bent("bend_up=0 bend_down=0", 8191.0), 0.0);
}

#[test]
fn envelopes_and_lfos_move_the_pitch() {
    // It stands at its sustain level by the time that is measured.
    in_tune(
        cents("pitcheg_attack=0.001 pitcheg_decay=0.001 pitcheg_sustain=50 pitcheg_depth=400", 60.0, &[]),
        200.0,
    );
    let by_controller = "pitcheg_sustain=100 pitcheg_depth_oncc20=300";
    in_tune(cents(by_controller, 60.0, &[(20, 127.0)]), 300.0);
    in_tune(cents("eg1_level1=1 eg1_time1=0.001 eg1_sustain=1 eg1_pitch=250", 60.0, &[]), 250.0);
    in_tune(cents("eg1_level1=-0.5 eg1_time1=0.001 eg1_sustain=1 eg1_pitch=200", 60.0, &[]), -100.0);
    // A square wave is up for half of its turn: 4 s of 0.25 Hz up, half a turn later down.
    in_tune(cents("lfo1_wave=3 lfo1_freq=0.25 lfo1_pitch=100", 60.0, &[]), 100.0);
    in_tune(cents("lfo1_wave=3 lfo1_freq=0.25 lfo1_phase=0.5 lfo1_pitch=100", 60.0, &[]), -100.0);
    in_tune(cents("lfo1_wave=3 lfo1_freq=0.25 lfo1_pitch_oncc1=100", 60.0, &[(1, 63.5)]), 50.0);
    in_tune(cents("lfo1_wave=3 lfo1_freq=0.25 lfo1_delay=1 lfo1_pitch=100", 60.0, &[]), 0.0);
    in_tune(
        cents("lfo1_wave=3 lfo1_freq=0.25 lfo1_delay_oncc20=1 lfo1_pitch=100", 60.0, &[(20, 127.0)]),
        0.0,
    );
    // The sine of SFZ 1, a quarter of a turn later than its start, 1/4 s at 1 Hz, is at its height: measured about there.
    let mut rig = Rig::new("<region> sample=ramp.wav pitchlfo_freq=1 pitchlfo_depth=100");
    rig.on(60.0, 127.0);
    let out = rig.render(12_200);
    let found = 1200.0 * (f64::from(out[12_100][0] - out[11_900][0]) / 200.0).log2();
    assert!((found - 100.0).abs() < 0.2, "{found}");
}

#[test]
fn a_controller_sets_an_lfos_rate_in_hz() {
    // A saw that rises 100 cents in a turn: at 2 Hz it is at −100 + 200·t·2; the mean of 2000…4000 frames is at 3000.
    let expected = |hz: f64| -100.0 + 200.0 * hz * 3000.0 / 48_000.0;
    let opcodes = "lfo1_wave=6 lfo1_pitch=100";
    for (rate, controller, hz) in [
        ("lfo1_freq=2", 0.0, 2.0),
        ("lfo1_freq=2 lfo1_freq_oncc20=4", 63.5, 4.0),
        ("lfo1_freq_oncc20=4", 127.0, 4.0),
        ("lfo1_freq_oncc20=4", 63.5, 2.0),
    ] {
        let found = cents(&format!("{opcodes} {rate}"), 60.0, &[(20, controller)]);
        assert!((found - expected(hz)).abs() < 0.5, "{rate} at {controller}: {found}, not {}", expected(hz));
    }
}

#[test]
fn levels_follow_lfos_and_flexible_envelopes() {
    let at = |opcodes: &str| level_at(opcodes, 60.0, 127.0, &[]);
    near(at("lfo1_wave=3 lfo1_freq=0.25 lfo1_volume=6"), db(6.0));
    near(at("lfo1_wave=3 lfo1_freq=0.25 lfo1_amplitude=-25"), 0.75);
    near(at("amplfo_freq=0 amplfo_depth=6"), 1.0);
    near(at("eg1_time1=0 eg1_level1=1 eg1_sustain=1 eg1_volume=-6"), db(-6.0));
    near(at("eg1_time1=0.001 eg1_level1=0.5 eg1_sustain=1 eg1_amplitude=100"), 0.5);
    near(
        at(
            "eg1_time1=0.001 eg1_level1=1 eg1_time2=0.001 eg1_level2=0.25 eg1_sustain=2 eg1_time3=1 eg1_ampeg=1",
        ),
        0.25,
    );
}

// ── filters

#[test]
fn filters_pass_what_they_should() {
    // A constant is 0 Hz; 1, −1, 1, … is half of the rate.
    let constant = |opcodes: &str, controllers: &[(u8, f32)]| {
        let mut rig = Rig::new(&format!("<region> sample=1.wav {opcodes}"));
        for (controller, value) in controllers {
            rig.cc(*controller, *value);
        }
        rig.render(1);
        rig.on(60.0, 127.0);
        rig.left_after(RATE as usize)
    };
    let fast = |opcodes: &str, controllers: &[(u8, f32)]| {
        let mut rig = Rig::new(&format!("<region> sample=nyquist.wav {opcodes}"));
        for (controller, value) in controllers {
            rig.cc(*controller, *value);
        }
        rig.render(1);
        rig.on(60.0, 127.0);
        rig.left_after(RATE as usize).abs()
    };
    for kind in ["", "fil_type=lpf_1p", "fil_type=lpf_2p"] {
        near(constant(&format!("cutoff=500 {kind}"), &[]), 1.0);
        assert!(fast(&format!("cutoff=500 {kind}"), &[]) < 1e-3, "{kind}");
    }
    for kind in ["hpf_1p", "hpf_2p", "bpf_2p"] {
        assert!(constant(&format!("cutoff=500 fil_type={kind}"), &[]).abs() < 1e-3, "{kind}");
    }
    near(fast("cutoff=500 fil_type=hpf_2p", &[]), 1.0);
    near(constant("cutoff2=500 fil2_type=lpf_2p", &[]), 1.0);
    assert!(constant("cutoff=500 cutoff2=500 fil2_type=hpf_2p", &[]).abs() < 1e-3);
    near(constant("cutoff=500 fil_type=lsh fil_gain=6", &[]), db(6.0));
    near(constant("eq1_freq=100 eq1_type=lshelf eq1_gain=-6", &[]), db(-6.0));
    near(constant("eq1_freq=100 eq1_type=lshelf eq1_gain_oncc20=-6", &[(20, 127.0)]), db(-6.0));
    near(constant("eq1_freq=100 eq1_gain=-6", &[]), 1.0);
    // Nothing is left out without a cutoff.
    near(fast("fil_type=lpf_2p resonance=3", &[]), 1.0);
}

#[test]
fn a_cutoff_is_where_keys_velocities_controllers_and_envelopes_put_it() {
    // A one-pole low-pass at f has come to 1 − e^(−2π·f·t) of a step after t: its frequency can be told from that.
    let hz = |opcodes: &str, key: f32, velocity: f32, controllers: &[(u8, f32)]| {
        let text = format!(
            "<region> sample=1.wav amp_veltrack=0 pitch_keytrack=0 fil_type=lpf_1p cutoff=100 {opcodes}"
        );
        let mut rig = Rig::new(&text);
        for (controller, value) in controllers {
            rig.cc(*controller, *value);
        }
        rig.render(1);
        rig.on(key, velocity);
        let value = f64::from(rig.left_after(48));
        -(1.0 - value).ln() * 48_000.0 / 48.0 / std::f64::consts::TAU
    };
    let near = |found: f64, expected: f64| {
        // The trapezoidal rule starts a step half a frame early: 1 % of 48.
        assert!((found / expected - 1.0).abs() < 0.03, "{found} Hz is not {expected}");
    };
    near(hz("", 60.0, 127.0, &[]), 100.0);
    near(hz("fil_keytrack=100", 72.0, 127.0, &[]), 200.0);
    near(hz("fil_keytrack=100 fil_keycenter=72", 72.0, 127.0, &[]), 100.0);
    near(hz("fil_veltrack=1200", 60.0, 127.0, &[]), 200.0);
    near(hz("cutoff_oncc20=1200", 60.0, 127.0, &[(20, 127.0)]), 200.0);
    near(hz("cutoff_oncc74=1200", 60.0, 127.0, &[(74, 0.0)]), 100.0);
    near(hz("fileg_sustain=100 fileg_depth=1200", 60.0, 127.0, &[]), 200.0);
    near(hz("fileg_sustain=100 fileg_vel2depth=1200", 60.0, 127.0, &[]), 200.0);
    near(
        hz("fillfo_freq=0.1 fillfo_depth=0 lfo1_wave=3 lfo1_freq=0.1 lfo1_cutoff=1200", 60.0, 127.0, &[]),
        200.0,
    );
}

// ── generated samples

#[test]
fn generated_samples_sound_at_the_keys_own_pitch() {
    let turns = |opcodes: &str, key: f32| {
        let mut rig = Rig::new(&format!("<region> sample=*sine {opcodes}"));
        rig.on(key, 127.0);
        let out = rig.render(RATE as usize);
        out.windows(2).filter(|pair| pair[0][0] < 0.0 && pair[1][0] >= 0.0).count()
    };
    // A4 is 440 Hz: 439 or 440 whole turns begin within a second.
    assert!((439..=440).contains(&turns("", 69.0)));
    assert!((439..=440).contains(&turns("pitch_keycenter=30", 69.0)));
    assert!((219..=220).contains(&turns("key=69 transpose=-12", 69.0)));
    assert!((260..=262).contains(&turns("pitch_keytrack=0", 69.0)));
    for wave in ["*saw", "*square", "*triangle", "*noise"] {
        let mut rig = Rig::new(&format!("<region> sample={wave} amp_veltrack=0"));
        rig.on(30.0, 127.0);
        let peak = rig.render(9600).iter().fold(0f32, |peak, frame| peak.max(frame[0]));
        assert!(peak > 0.9 && peak < 1.25, "{wave}: {peak}"); // near 1, on both sides
    }
    let mut rig = Rig::new("<region> sample=*silence");
    rig.on(60.0, 127.0);
    assert!(rig.render(4800).iter().all(|frame| *frame == [0.0; 2]));
}

// ── what cannot be done

#[test]
fn absent_samples_are_told_with_their_place_and_the_rest_plays() {
    let loaded = load_text(
        "<region> key=1 sample=1.wav\n<region> key=2 sample=no.wav\n<region> key=3 sample=NO.wav\n<region> key=4 sample=no.wav\n\
         <region> key=5 sample=*nothing\n<region> key=6\n<region> key=7 sample=2.WAV",
    );
    let keys: Vec<u8> = loaded.regions.iter().map(|region| *region.keys.start()).collect();
    assert_eq!(keys, [1, 7]);
    let told = loaded.warnings.join("\n");
    for sentence in [
        "test.sfz:2: there is no file \"no.wav\"",
        "its 2 regions are left out",
        "test.sfz:5: there is no generated sample \"*nothing\"",
        "test.sfz:6: a region without sample is left out",
        "test.sfz:7: \"2.WAV\" is written in another case than on the disk (\"2.wav\")",
    ] {
        assert!(told.contains(sentence), "{sentence} is not in\n{told}");
    }
}

#[test]
fn an_instrument_without_any_sound_is_an_error() {
    let folder = Folder::new();
    for (text, message) in [
        ("", "it has no <region>"),
        ("<group> key=1", "it has no <region>"),
        ("<region> key=1", "no <region> of it has a sample"),
        ("<region> sample=absent.wav", "no sample can be read: there is no file \"absent.wav\""),
        ("<region> sample=../../../../../../../dev/zero", "no sample can be read: "),
    ] {
        let path = folder.path().join("empty.sfz");
        std::fs::write(&path, text).unwrap();
        let error = load::load_sfz(&path, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    let absent = load::load_sfz(&folder.path().join("none.sfz"), &mut |_| ControlFlow::Continue(()));
    assert!(absent.unwrap_err().to_string().contains("there is no file"));
}

#[test]
fn random_bytes_and_random_opcodes_never_panic() {
    let folder = Folder::new();
    let path = folder.path().join("fuzz.sfz");
    let mut state = 1u64;
    let mut next = |below: usize| {
        // Knuth's MMIX generator.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let names = [
        "sample",
        "key",
        "lokey",
        "hikey",
        "lovel",
        "loop_mode",
        "loop_start",
        "loop_end",
        "loop_crossfade",
        "loop_type",
        "offset",
        "end",
        "delay",
        "group",
        "off_by",
        "polyphony",
        "note_polyphony",
        "seq_length",
        "seq_position",
        "sw_last",
        "sw_lokey",
        "sw_default",
        "trigger",
        "on_locc64",
        "locc1",
        "xfin_locc1",
        "xfout_hivel",
        "amp_velcurve_63",
        "volume_oncc7",
        "amplitude_oncc300",
        "amplitude_curvecc7",
        "amplitude_stepcc7",
        "cutoff",
        "cutoff_oncc74",
        "eq1_gain",
        "eq65535_freq",
        "lfo1_freq",
        "lfo1_pitch",
        "lfo65535_wave",
        "lfo1_freq_oncc1",
        "eg1_time0",
        "eg1_level65535",
        "eg1_sustain",
        "eg1_pitch",
        "eg1_ampeg",
        "ampeg_attack",
        "ampeg_attack_oncc1",
        "fileg_depth",
        "fil_type",
        "pitch_keycenter",
        "note_offset",
        "octave_offset",
        "default_path",
        "set_cc1",
        "curve_index",
        "v064",
        "width",
        "bend_up",
        "pitch_keytrack",
        "amp_keytrack",
    ];
    let values = [
        "1.wav",
        "*sine",
        "*saw",
        "0",
        "1",
        "-1",
        "60",
        "127",
        "128",
        "1e30",
        "-1e30",
        "0.5",
        "c4",
        "loop_continuous",
        "loop_sustain",
        "one_shot",
        "alternate",
        "release",
        "legato",
        "normal",
        "hpf_2p",
        "$A",
        "99999999999",
        "nan",
        "",
    ];
    let headers = [
        "<control>",
        "<global>",
        "<master>",
        "<group>",
        "<region>",
        "<region>",
        "<region>",
        "<curve>",
        "<effect>",
    ];
    for round in 0..300 {
        let text: Vec<u8> = if round % 3 == 0 {
            (0..400).map(|_| next(256) as u8).collect()
        } else {
            let mut text = String::from("#define $A 60 ");
            for _ in 0..60 {
                match next(4) {
                    0 => text += headers[next(headers.len())],
                    _ => text += &format!(" {}={}", names[next(names.len())], values[next(values.len())]),
                }
            }
            text += "<region> sample=1.wav";
            text.into_bytes()
        };
        std::fs::write(&path, &text).unwrap();
        if let Ok(loaded) = load::load_sfz(&path, &mut |_| ControlFlow::Continue(())) {
            let mut rig = Rig::playing(loaded);
            for event in 0..12 {
                rig.on(next(128) as f32, 1.0 + next(127) as f32);
                rig.cc(next(120) as u8, next(128) as f32);
                let out = rig.render(64 + event);
                assert!(
                    out.iter().flatten().all(|value| value.is_finite()),
                    "{}",
                    String::from_utf8_lossy(&text)
                );
                rig.off(next(128) as f32);
            }
        }
    }
}

/// Same bits for any blocks (RT-6), with everything that this file brings into the engine.
#[test]
fn blocks_do_not_change_a_bit() {
    let text = "<region> sample=ramp.wav delay=0.003 seq_length=2 seq_position=1 lfo1_freq=3 lfo1_pitch=50 width=50 cutoff=900 \
                <region> sample=1.wav delay_random=0.01 seq_length=2 seq_position=2 amplitude_oncc1=100 pitch_random=100 \
                <region> sample=2.wav trigger=release rt_decay=6 pan_random=100";
    let play = |blocks: &[usize]| {
        let mut rig = Rig::new(text);
        rig.cc(1, 100.0);
        let mut out = Vec::new();
        for step in 0..8u32 {
            rig.on(60.0 + step as f32, 100.0);
            let mut left = 700;
            let mut sizes = blocks.iter().cycle();
            while left > 0 {
                let size = (*sizes.next().unwrap()).min(left);
                out.extend(rig.render(size));
                left -= size;
            }
            rig.off(60.0 + step as f32);
        }
        out
    };
    let whole = play(&[700]);
    assert!(whole.iter().any(|frame| frame[0] != 0.0));
    for blocks in [&[1][..], &[7], &[64], &[33, 128, 5]] {
        assert!(play(blocks) == whole, "{blocks:?}");
    }
}
