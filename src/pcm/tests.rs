//! Streams as sources: frames in a ring, frames on the buses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::ring::Ring;
use super::{Stream, StreamShared, StreamSpec};
use crate::rt::guard::Guard;
use crate::rt::source::{Bus, Buses, CHUNK, Source};

struct Rig {
    ring: Arc<Ring>,
    shared: Arc<StreamShared>,
    stream: Stream,
    frame: u64,
    replaced: u64,
}

fn rig_at(size: usize, channels: usize, rate: u32, outputs: usize) -> Rig {
    let (ring, shared) = (Arc::new(Ring::new(size, channels)), Arc::new(StreamShared::default()));
    let spec = StreamSpec { ring: ring.clone(), shared: shared.clone(), rate, engine_rate: 48_000, outputs };
    Rig { ring, shared, stream: Stream::new(spec), frame: 0, replaced: 0 }
}

fn rig(size: usize, channels: usize) -> Rig {
    rig_at(size, channels, 48_000, 2)
}

impl Rig {
    fn write(&self, values: &[f32]) {
        self.ring.write(values.len() / self.ring.stride(), |a, b| {
            for (place, value) in a.iter().chain(b).zip(values) {
                AtomicU32::store(place, value.to_bits(), Ordering::Relaxed);
            }
        });
    }

    /// What both sides get, in blocks of these sizes, under the allocation guard.
    fn hear(&mut self, blocks: &[usize]) -> [Vec<f32>; 2] {
        let mut heard = [Vec::new(), Vec::new()];
        for mut left in blocks.iter().copied() {
            while left > 0 {
                let frames = left.min(CHUNK);
                let mut main: Bus = [[0.0; CHUNK]; 2];
                let guard = Guard::enter();
                self.replaced +=
                    self.stream.render(self.frame, frames, &mut Buses { main: &mut main, beyond: &mut [] });
                drop(guard);
                self.frame += frames as u64;
                left -= frames;
                for (all, side) in heard.iter_mut().zip(main) {
                    all.extend(&side[..frames]);
                }
            }
        }
        heard
    }
}

fn ramp(from: usize, count: usize) -> Vec<f32> {
    (from..from + count).map(|n| n as f32 / 65_536.0).collect()
}

fn largest_step(values: &[f32]) -> f32 {
    values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

#[test]
fn what_is_written_is_heard_bit_for_bit_in_any_blocks() {
    let written = ramp(1, 2000);
    for blocks in [vec![1000], vec![1; 1000], vec![7; 143], vec![128, 64, 511, 297]] {
        let mut rig = rig(1000, 2);
        rig.write(&written);
        let [left, right] = rig.hear(&blocks);
        for n in 0..1000 {
            assert_eq!([left[n], right[n]], [written[2 * n], written[2 * n + 1]], "frame {n}");
        }
        assert_eq!(rig.shared.frames.get(), 1000);
    }
}

#[test]
fn a_mono_stream_is_heard_on_both_sides() {
    let mut rig = rig(100, 1);
    rig.write(&ramp(1, 100));
    let [left, right] = rig.hear(&[100]);
    assert_eq!((&left, &right), (&ramp(1, 100), &ramp(1, 100)));
}

#[test]
fn a_dry_ring_fades_is_counted_once_and_rises_again() {
    let mut rig = rig(1000, 1);
    rig.write(&[0.5; 300]);
    let [mut heard, _] = rig.hear(&[128; 8]);
    assert_eq!(rig.shared.underruns.get(), 1, "however long it is dry");
    assert!(!rig.shared.is_sounding());
    assert_eq!(heard[600..], [0.0; 424], "silence is exact, and nothing is repeated");
    rig.write(&[0.5; 1000]);
    heard.extend(&rig.hear(&[900])[0]);
    assert_eq!(heard[1024 + 240..], [0.5; 660]);
    // 5 ms are 240 frames.
    assert!(largest_step(&heard) <= 0.5 / 240.0 + 1e-6, "{}", largest_step(&heard));
    assert_eq!(rig.shared.underruns.get(), 1);
}

#[test]
fn an_end_is_no_underrun_and_tells_when_it_was_over() {
    let mut rig = rig(1000, 1);
    rig.write(&[0.0, 0.25, 0.5, 0.25, 0.0]);
    rig.shared.end();
    let [heard, _] = rig.hear(&[64, 64]);
    assert_eq!(heard[..5], [0.0, 0.25, 0.5, 0.25, 0.0]);
    assert_eq!(heard[5..], [0.0; 123]);
    assert!(rig.stream.is_over() && !rig.stream.sounds());
    assert_eq!((rig.shared.finished(), rig.shared.underruns.get()), (Some(64), 0));
}

#[test]
fn an_end_on_the_edge_of_a_block_or_of_nothing_is_an_end() {
    for frames in [0, 64, 128] {
        let mut rig = rig(1000, 1);
        rig.write(&vec![0.5; frames]);
        rig.shared.end();
        rig.hear(&[64; 10]);
        assert!(rig.stream.is_over(), "{frames} frames");
        assert_eq!((rig.shared.underruns.get(), rig.shared.frames.get()), (0, frames as u64));
    }
}

#[test]
fn a_stop_is_a_fade_and_the_rest_is_not_heard() {
    let mut rig = rig(48_000, 1);
    rig.write(&[1.0; 48_000]);
    let [mut heard, _] = rig.hear(&[100]);
    rig.shared.stop();
    heard.extend(&rig.hear(&[400])[0]);
    assert!(largest_step(&heard) <= 1.0 / 240.0 + 1e-6);
    assert_eq!(heard[100 + 240..], [0.0; 160]);
    assert!(rig.stream.is_over());
    assert_eq!(rig.shared.frames.get(), 100);
}

#[test]
fn memory_that_is_taken_away_ends_the_stream_without_a_step() {
    let mut rig = rig(48_000, 1);
    rig.write(&[1.0; 1000]);
    let [mut heard, _] = rig.hear(&[100]);
    rig.ring.revoke();
    heard.extend(&rig.hear(&[400])[0]);
    assert!(largest_step(&heard) <= 1.0 / 240.0 + 1e-6);
    assert!(rig.stream.is_over());
}

#[test]
fn clearing_forgets_what_was_written_before_and_nothing_else() {
    let mut rig = rig(48_000, 1);
    rig.write(&[1.0; 5000]);
    let [mut heard, _] = rig.hear(&[100]);
    rig.shared.clear(5000);
    rig.write(&[-1.0; 1000]);
    heard.extend(&rig.hear(&[900])[0]);
    assert_eq!(heard[340..1000], [-1.0; 660]);
    assert!(largest_step(&heard) <= 2.0 / 240.0 + 1e-6, "one falls while the other rises");
    assert_eq!(rig.shared.underruns.get(), 0);
    // A stale index forgets nothing.
    rig.shared.clear(200);
    assert_eq!(rig.hear(&[50])[0], [-1.0; 50]);
}

#[test]
fn it_begins_when_enough_is_there_or_has_waited_for_as_long() {
    let mut rig = rig(1000, 1);
    rig.shared.set_threshold(200);
    rig.write(&[0.5; 150]);
    assert_eq!(rig.hear(&[64])[0], [0.0; 64]);
    assert!(rig.stream.sounds(), "what waits will be heard");
    rig.write(&[0.5; 50]);
    assert_eq!(rig.hear(&[64])[0], [0.5; 64]);
    let mut rig = self::rig(1000, 1);
    rig.shared.set_threshold(200);
    rig.write(&[0.5; 150]);
    // 64 · 4 frames are more than it may wait.
    let [heard, _] = rig.hear(&[64; 5]);
    assert_eq!((heard[255], heard[256]), (0.0, 0.5));
    let mut rig = self::rig(1000, 1);
    rig.shared.set_threshold(200);
    rig.write(&[0.5; 10]);
    rig.shared.end();
    assert_eq!(rig.hear(&[64])[0][..10], [0.5; 10], "what is complete does not wait");
}

#[test]
fn what_is_not_finite_is_silence_and_counted() {
    let mut rig = rig(1000, 1);
    rig.write(&[0.5, f32::NAN, f32::INFINITY, -0.5, f32::NEG_INFINITY, f32::MAX]);
    rig.shared.end();
    let [heard, _] = rig.hear(&[64]);
    assert_eq!(heard[..6], [0.5, 0.0, 0.0, -0.5, 0.0, 1e6]);
    assert_eq!((rig.replaced, rig.shared.non_finite.get()), (3, 3));
}

#[test]
fn gain_glides() {
    let mut rig = rig(2000, 1);
    rig.write(&[1.0; 2000]);
    let [mut heard, _] = rig.hear(&[100]);
    rig.shared.set_gain(0.25);
    heard.extend(&rig.hear(&[900])[0]);
    assert_eq!((heard[99], heard[100 + 240]), (1.0, 0.25));
    assert!(largest_step(&heard) <= 0.75 / 240.0 + 1e-6);
}

#[test]
fn another_rate_is_converted_and_drained_to_the_last_frame() {
    let mut rig = rig_at(44_100, 1, 44_100, 2);
    rig.write(&vec![0.5; 44_100]);
    rig.shared.end();
    let [heard, _] = rig.hear(&[128; 400]);
    assert!(rig.stream.is_over());
    // One second is 48000 frames; a rectangle keeps its area. The fade at the end adds half of 5 ms.
    let sum: f64 = heard.iter().map(|value| f64::from(*value)).sum();
    assert!((sum - 0.5 * (48_000.0 + 120.0)).abs() < 2.0, "{sum}");
    assert_eq!(rig.shared.frames.get(), 44_100);
    assert_eq!(heard.last(), Some(&0.0));
}

#[test]
fn a_converted_stream_sounds_the_same_in_any_blocks() {
    let run = |blocks: &[usize]| {
        let mut rig = rig_at(20_000, 2, 44_100, 2);
        rig.write(&ramp(1, 40_000));
        rig.hear(blocks)[0].iter().map(|value| value.to_bits()).collect::<Vec<_>>()
    };
    assert_eq!(run(&[1000]), run(&[1, 7, 64, 511, 417]));
}

#[test]
fn random_lives_stay_finite_and_without_steps() {
    // Writes, gaps, clears, gains and blocks in any order: no step beyond what two fades and a glide make.
    let mut seed = 1u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for _ in 0..if cfg!(miri) { 2 } else { 100 } {
        let mut rig = rig(2000, 1);
        let mut heard = Vec::new();
        let mut written = 0usize;
        for _ in 0..50 {
            let frames = random(600).min(rig.ring.space());
            rig.write(&vec![1.0; frames]);
            written += frames;
            if random(9) == 0 {
                rig.shared.clear((written % rig.ring.size()) as i32);
            }
            heard.extend(&rig.hear(&[1 + random(300)])[0]);
        }
        // The first frames come as they are.
        let start = heard.iter().position(|value| *value == 1.0).unwrap_or(0);
        assert!(largest_step(&heard[start..]) <= 3.0 / 240.0, "{}", largest_step(&heard[start..]));
    }
}
