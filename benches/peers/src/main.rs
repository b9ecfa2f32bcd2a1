//! ictus beside other samplers in one run: `cargo run --release --manifest-path benches/peers/Cargo.toml`.
//!
//! The same second of noise, mono, looped, as a SoundFont made in memory, and the same notes held: 16 keys, from a fifth
//! down to a fifth up, on one channel or on four. 48 kHz, 128 frames a call, no reverb, no chorus. Rounds are taken by
//! turns, medians compared; "×" says how many times what ictus takes with an interpolation of the same kind. Their
//! voices have a low-pass filter, which ours have not here: each is measured as the format's defaults leave it
//! and with a cutoff beyond Nyquist ("open"), where rustysynth leaves it out and the others do not.

mod fluid;
mod sf2;

use std::hint::black_box;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Instant;

use ictus::dsp::interpolate::Interpolation;
use ictus::engine::event::{Event, Late, encode};
use ictus::engine::instruments::Installed;
use ictus::engine::message::Command;
use ictus::engine::{Engine, EngineConfig, EngineEnds, Sampler, Stealing};
use ictus::instrument::{Instrument, LoopMode, LoopSettings, Playback, Region, Sample, SampleLoop};
use oxisynth::{InterpolationMethod, MidiEvent, SoundFont, Synth, SynthDescriptor};
use rustysynth::{Synthesizer, SynthesizerSettings};

const RATE: u32 = 48_000;
const BLOCK: usize = 128;
const ROUNDS: usize = 101;
const VELOCITY: u8 = 20;

/// Channel and key of a voice.
fn note(voice: usize) -> (u8, u8) {
    ((voice / 16) as u8, (52 + voice % 16) as u8)
}

/// Something that plays: renders one block, left and right.
trait Player {
    fn render(&mut self, left: &mut [f32], right: &mut [f32]);
}

struct Ours {
    engine: Engine,
    _ends: EngineEnds,
    out: Vec<f32>,
}

impl Ours {
    fn new(values: &[i16], interpolation: Interpolation, voices: usize) -> Self {
        let config =
            EngineConfig { sample_rate: RATE, channels: 2, polyphony: voices, interpolation, limiter: None };
        let (mut engine, mut ends) = Engine::new(config);
        let sample = values.iter().map(|value| f32::from(*value) / 32_768.0).collect();
        let sample = Arc::new(Sample::new(sample, 1, RATE).expect("a sample").0);
        let (start, end) = (sample.frames() / 8, sample.frames() / 8 * 7);
        let settings = LoopSettings::forward(start, end, LoopMode::Continuous);
        let round = SampleLoop::new(&sample, &settings).expect("a loop");
        let region = Region { playback: Playback::Loop(Arc::new(round)), ..Region::of(sample) };
        let sampler = Sampler::new(voices, Stealing::Quietest, 1.0);
        assert!(ends.lane.send(Command::AddSampler(0, Box::new(sampler))).is_ok());
        let instrument = Arc::new(Instrument::new(vec![region]));
        assert!(ends.lane.send(Command::SetInstrument(0, 0, Installed::new(instrument))).is_ok());
        let mut out = vec![0.0; 2 * BLOCK];
        let assign = (0..4).map(|channel| Event::Assign { sampler: 0, channel, instrument: Some(0) });
        let notes = (0..voices).map(|voice| {
            let (channel, key) = note(voice);
            let (key, velocity) = (f32::from(key), f32::from(VELOCITY));
            Event::NoteOn { sampler: 0, channel, late: Late::Play, note: voice as u32 + 1, key, velocity, instrument: None }
        });
        for event in assign.chain(notes) {
            assert!(ends.lane.memory().push(&encode(event, None), 0));
            engine.process(&mut out);
        }
        assert_eq!(ends.counters.voices.load() as usize, voices);
        Self { engine, _ends: ends, out }
    }
}

impl Player for Ours {
    fn render(&mut self, left: &mut [f32], _right: &mut [f32]) {
        self.engine.process(&mut self.out);
        left[0] = self.out[0];
    }
}

impl Player for Synthesizer {
    fn render(&mut self, left: &mut [f32], right: &mut [f32]) {
        Synthesizer::render(self, left, right);
    }
}

impl Player for Synth {
    fn render(&mut self, left: &mut [f32], right: &mut [f32]) {
        self.write((left, right));
    }
}

impl Player for fluid::Fluid {
    fn render(&mut self, left: &mut [f32], right: &mut [f32]) {
        fluid::Fluid::render(self, left, right);
    }
}

fn rusty(font: &[u8], program: u8, voices: usize) -> Synthesizer {
    let font = rustysynth::SoundFont::new(&mut Cursor::new(font)).expect("rustysynth reads the font");
    let mut settings = SynthesizerSettings::new(RATE as i32);
    settings.maximum_polyphony = 256; // its limit
    settings.enable_reverb_and_chorus = false;
    let mut synth = Synthesizer::new(&Arc::new(font), &settings).expect("its settings are in range");
    for voice in 0..voices {
        let (channel, key) = note(voice);
        synth.process_midi_message(channel.into(), 0xC0, program.into(), 0);
        synth.note_on(channel.into(), key.into(), VELOCITY.into());
    }
    synth
}

fn oxi(font: &[u8], interpolation: InterpolationMethod, program: u8, voices: usize) -> Synth {
    let mut synth = Synth::new(SynthDescriptor {
        reverb_active: false,
        chorus_active: false,
        interpolation,
        polyphony: 256,
        sample_rate: RATE as f32,
        ..SynthDescriptor::default()
    })
    .expect("its settings are in range");
    synth.add_font(SoundFont::load(&mut Cursor::new(font)).expect("oxisynth reads the font"), true);
    for voice in 0..voices {
        let (channel, key) = note(voice);
        for event in [
            MidiEvent::ProgramChange { channel, program_id: program },
            MidiEvent::NoteOn { channel, key, vel: VELOCITY },
        ] {
            synth.send_event(event).expect("a valid event");
        }
    }
    synth
}

fn fluid(font: &[u8], interpolation: i32, program: u8, voices: usize) -> Result<fluid::Fluid, String> {
    let mut synth = fluid::Fluid::new(font, interpolation, program.into())?;
    for voice in 0..voices {
        let (channel, key) = note(voice);
        synth.note_on(channel.into(), key.into(), VELOCITY.into());
    }
    let mut out = [[0.0; BLOCK]; 2];
    let [left, right] = &mut out;
    synth.render(left, right);
    assert_eq!(synth.voices(), voices);
    Ok(synth)
}

struct Row {
    name: String,
    /// Row of ours that it stands beside.
    beside: usize,
    player: Box<dyn Player>,
    times: Vec<f64>,
}

fn main() {
    let noise: Vec<i16> = (0..RATE)
        .map(|n| (n.wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(40_503) >> 16) as i16 / 2)
        .collect();
    let font = sf2::file(&noise, RATE);
    println!(
        "ns per voice and frame, one mono sample (× what ictus takes with the same kind of interpolation)"
    );
    for voices in [16, 64] {
        let mut rows: Vec<Row> = Vec::new();
        let mut add = |name: String, beside: usize, player: Box<dyn Player>| {
            rows.push(Row { name, beside, player, times: Vec::new() });
        };
        let ours = |interpolation| Box::new(Ours::new(&noise, interpolation, voices));
        add("ictus, linear".into(), 0, ours(Interpolation::Linear));
        add("ictus, cubic".into(), 1, ours(Interpolation::Cubic));
        add("ictus, sinc8".into(), 2, ours(Interpolation::Sinc8));
        let mut missing = None;
        for (program, filter) in [(0, ""), (1, ", open")] {
            add(format!("rustysynth, linear{filter}"), 0, Box::new(rusty(&font, program, voices)));
            for (kind, name, beside, number) in [
                (InterpolationMethod::Linear, "linear", 0, 1),
                (InterpolationMethod::FourthOrder, "4th order", 1, 4),
                (InterpolationMethod::SeventhOrder, "7th order", 2, 7),
            ] {
                add(format!("oxisynth, {name}{filter}"), beside, Box::new(oxi(&font, kind, program, voices)));
                match fluid(&font, number, program, voices) {
                    Ok(synth) => {
                        add(
                            format!("fluidsynth {}, {name}{filter}", synth.version()),
                            beside,
                            Box::new(synth),
                        );
                    }
                    Err(reason) => missing = Some(reason),
                }
            }
        }
        let mut out = [[0.0f32; BLOCK]; 2];
        let [left, right] = &mut out;
        let blocks = 2048 / voices;
        for _ in 0..ROUNDS {
            for row in &mut rows {
                row.player.render(left, right);
                let started = Instant::now();
                for _ in 0..blocks {
                    row.player.render(black_box(left), black_box(right));
                }
                row.times.push(started.elapsed().as_secs_f64() * 1e9 / (blocks * BLOCK * voices) as f64);
                // Silence would be cheap.
                assert!(left.iter().any(|value| *value != 0.0), "{} plays nothing", row.name);
            }
        }
        println!("\n{voices} voices");
        let medians: Vec<f64> = rows
            .iter_mut()
            .map(|row| {
                row.times.sort_by(f64::total_cmp);
                row.times[ROUNDS / 2]
            })
            .collect();
        for (row, ns) in rows.iter().zip(&medians) {
            println!("  {:<36}{:>8.2} ({:>5.2}×)", row.name, ns, ns / medians[row.beside]);
        }
        if let Some(reason) = missing {
            println!("  fluidsynth: not run, {reason}");
        }
    }
}
