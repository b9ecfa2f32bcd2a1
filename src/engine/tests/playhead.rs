//! The playhead against sounds that are unrolled by hand: each loop walked frame by frame into one long recording, which
//! is then read with nothing but a kernel. Bits, not tolerances, but where a line of gain is drawn.

use super::super::playhead::{Playhead, Span};
use super::*;
use crate::dsp::interpolate::{ONE_FRAME, Step};
use crate::instrument::{GUARD_FRAMES, LoopMode, LoopSettings, Playback, SampleLoop};
use proptest::prelude::*;

fn noise(frames: usize, channels: u8, seed: u32) -> Arc<Sample> {
    let scramble =
        |n: u32| (n ^ seed).wrapping_mul(2_654_435_761).rotate_left(15).wrapping_mul(2_246_822_519);
    let values = (0..frames as u32 * u32::from(channels)).map(|n| scramble(n) as i32 as f32 * 2f32.powi(-31));
    Arc::new(Sample::new(values.collect(), channels, RATE).unwrap().0)
}

fn region(sample: &Arc<Sample>, settings: Option<LoopSettings>) -> Region {
    let playback = settings.map_or(Playback::Once, |settings| {
        Playback::Loop(Arc::new(SampleLoop::new(sample, &settings).unwrap()))
    });
    Region { playback, ..Region::of(sample.clone()) }
}

/// A frame of the recording, or one of the loop's with its crossfade.
#[derive(Clone, Copy, PartialEq)]
enum Frame {
    Recorded(i64),
    Faded(i64),
}

/// What is heard, frame by frame in the order of playing, when the loop is gone round `times` times more than the
/// recording itself goes through it. It begins with the recording's first frame, or backwards with its last.
fn walk(frames: i64, settings: &LoopSettings, reverse: bool, times: usize) -> Vec<Frame> {
    let (start, end) = (i64::from(settings.start), i64::from(settings.end));
    let looped: Vec<i64> = (start..end).collect();
    let inner: Vec<i64> = looped.iter().copied().skip(1).take(looped.len().saturating_sub(2)).collect();
    let crossfade = !settings.alternate && settings.crossfade_frames.min(settings.start) > 0;
    let before: Vec<Frame> = (0..start).map(Frame::Recorded).collect();
    let behind: Vec<Frame> = (end..frames).map(Frame::Recorded).collect();
    let plain: Vec<Frame> = looped.iter().map(|frame| Frame::Recorded(*frame)).collect();
    let faded: Vec<Frame> = looped.iter().map(|frame| Frame::Faded(*frame)).collect();
    // Once round, from one time at the end to the next.
    let round: Vec<Frame> = match (settings.alternate, crossfade) {
        (true, _) => inner.iter().rev().chain(&looped[..]).map(|f| Frame::Recorded(*f)).collect(),
        (_, true) => faded,
        _ => plain.clone(),
    };
    // A loop of one frame has no way back.
    let round = if looped.len() == 1 { plain.clone() } else { round };
    // A crossfade leads to the loop's start, so the recording itself is on the other side of it.
    let rounds = || round.iter().copied().cycle().take(round.len() * times);
    let sound: Vec<Frame> = if crossfade {
        before.iter().copied().chain(rounds()).chain(plain).chain(behind).collect()
    } else {
        before.iter().copied().chain(plain).chain(rounds()).chain(behind).collect()
    };
    if reverse { sound.into_iter().rev().collect() } else { sound }
}

/// That sound as memory, in the order of the recording, with silence around it.
fn memory(region: &Region, walked: &[Frame], reverse: bool) -> Vec<f32> {
    let sample = &region.sample;
    let channels = sample.channels();
    let silence = vec![0.0; GUARD_FRAMES * usize::from(channels)];
    let values = walked.iter().map(|frame| -> Vec<f32> {
        (0..channels)
            .map(|channel| match *frame {
                Frame::Recorded(frame) => sample.value(frame, channel),
                Frame::Faded(frame) => {
                    let round = region.sample_loop().unwrap();
                    let cycle = round.cycle(sample);
                    let at = frame - i64::from(round.start()) - cycle.first;
                    cycle.values[at as usize * usize::from(channels) + usize::from(channel)]
                }
            })
            .collect()
    });
    let mut values: Vec<Vec<f32>> = values.collect();
    if reverse {
        values.reverse();
    }
    [silence.clone(), values.concat(), silence].concat()
}

/// The first `count` frames of a sound read by a kernel alone, from its first frame on, or backwards from its last.
fn by_kernel(
    kernel: &Kernel,
    memory: &[f32],
    channels: u8,
    from: f64,
    step: Step,
    count: usize,
) -> [Vec<f32>; 2] {
    let frames = memory.len() as i64 / i64::from(channels) - 2 * GUARD_FRAMES as i64;
    let from = (from * ONE_FRAME as f64 + 0.5) as i64;
    let first = if step < 0 { (frames - 1) * ONE_FRAME as i64 - from } else { from };
    let position = (first + GUARD_FRAMES as i64 * ONE_FRAME as i64) as u64;
    let (mut left, mut right) = (vec![0.0; count], vec![0.0; count]);
    if channels == 2 {
        kernel.read_stereo(memory, position, step, &mut left, &mut right);
    } else {
        kernel.read_mono(memory, position, step, &mut left);
    }
    [left, right]
}

/// What a playhead reads in parts of these sizes, the key let go before frame `release`.
fn played(
    region: &Region,
    kernel: &Kernel,
    span: Span,
    ratio: f64,
    count: usize,
    parts: &[usize],
    release: usize,
) -> [Vec<f32>; 2] {
    let mut head = Playhead::start(region, span);
    head.set_step(ratio);
    let (mut left, mut right) = (vec![0.0; count], vec![0.0; count]);
    let (mut done, mut parts) = (0, parts.iter().cycle());
    while done < count && !head.has_ended() {
        if done == release {
            head.release(region);
        }
        let until = if done < release { count.min(release) } else { count };
        let wanted = (*parts.next().unwrap()).min(until - done);
        let (l, r) = (&mut left[done..done + wanted], &mut right[done..done + wanted]);
        let read = head.read(region, kernel, l, r);
        assert!(read == wanted || head.has_ended());
        done += read;
    }
    left.truncate(done);
    right.truncate(if region.sample.channels() == 2 { done } else { 0 });
    [left, right]
}

fn equal(a: &[Vec<f32>; 2], b: &[Vec<f32>; 2], count: usize, channels: u8) -> bool {
    (0..usize::from(channels)).all(|side| bits(&a[side][..count]) == bits(&b[side][..count]))
}

fn any_ratio() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-6f64..6.0).prop_map(f64::exp2),
        1 => prop::sample::select(vec![1.0 / 64.0, 0.5, 1.0, 2.0, 64.0, 5000.0]),
    ]
}

fn any_loop() -> impl Strategy<Value = (u32, LoopSettings)> {
    let length = prop_oneof![1u32..20, 20u32..300, 300u32..2000];
    let around = prop_oneof![Just(0u32), 1u32..80, 80u32..1500];
    (length, around.clone(), around, any::<bool>(), prop_oneof![Just(0u32), 1u32..2000], any::<bool>())
        .prop_map(|(length, start, behind, alternate, crossfade_frames, sustain)| {
            let mode = if sustain { LoopMode::Sustain } else { LoopMode::Continuous };
            let end = start + length;
            (end + behind, LoopSettings { start, end, mode, alternate, crossfade_frames })
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 300 }, ..ProptestConfig::default() })]

    #[test]
    fn a_loop_is_the_sound_unrolled_for_ever_in_both_directions(
        (frames, settings) in any_loop(),
        channels in 1u8..3,
        ratio in any_ratio(),
        kernel in 0usize..5,
        reverse in any::<bool>(),
        seed in any::<u32>(),
        parts in prop::collection::vec(1usize..300, 1..6),
        count in 1usize..1500,
    ) {
        let sample = noise(frames as usize, channels, seed);
        let region = region(&sample, Some(settings));
        let kernel = Kernel::new(Interpolation::ALL[kernel]);
        let span = Span { reverse, ..Span::of(&region) };
        let heard = played(&region, &kernel, span, ratio, count, &parts, usize::MAX);
        prop_assert_eq!(heard[0].len(), count, "a loop does not end");
        let step = (ratio.min(1024.0) * ONE_FRAME as f64 + 0.5) as Step;
        // So many times round that the last is never reached.
        let way = (count as f64 * ratio.min(1024.0)) as usize + 400;
        let walked = walk(frames.into(), &settings, reverse, way / (settings.end - settings.start) as usize + 2);
        let memory = memory(&region, &walked, reverse);
        let expected = by_kernel(&kernel, &memory, channels, 0.0, if reverse { -step } else { step }, count);
        prop_assert!(equal(&heard, &expected, count, channels), "{:?}", first_difference(&heard, &expected));
    }

    #[test]
    fn a_sustain_loop_that_is_let_go_is_left_after_whole_rounds_and_soon(
        (frames, settings) in any_loop(),
        channels in 1u8..3,
        ratio in any_ratio(),
        kernel in 0usize..5,
        reverse in any::<bool>(),
        seed in any::<u32>(),
        parts in prop::collection::vec(1usize..300, 1..6),
        release in 0usize..600,
    ) {
        let settings = LoopSettings { mode: LoopMode::Sustain, ..settings };
        let sample = noise(frames as usize, channels, seed);
        let region = region(&sample, Some(settings));
        let kernel = Kernel::new(Interpolation::ALL[kernel]);
        let span = Span { reverse, ..Span::of(&region) };
        let ratio = ratio.min(1024.0);
        let step = (ratio * ONE_FRAME as f64 + 0.5) as Step;
        let cycle = region.sample_loop().unwrap().cycle_frames() as usize;
        let heard = played(&region, &kernel, span, ratio, 20_000, &parts, release);
        let count = heard[0].len();
        prop_assume!(count < 20_000);
        // Once out of the way of a joint, then to the exit, and, crossfaded, through the recording's own.
        let soon = release as f64 * ratio + (frames as usize + 3 * cycle + 400) as f64;
        prop_assert!((count as f64 - 1.0) * ratio <= soon, "{} frames at {}", count, ratio);
        let length = i64::from(settings.end - settings.start);
        let round = if settings.alternate { (2 * (length - 1)).max(1) } else { length };
        // How often is known from how long it was; where a step is longer than a round, up to a few.
        let ring = (kernel.taps(step) / 2 - 1) as f64;
        let frames_played = |times: i64| (i64::from(frames) + times * round) as f64 + ring;
        let long_enough = |times: &i64| {
            (frames_played(*times) * ONE_FRAME as f64 / step as f64).ceil() as usize == count
        };
        let mut candidates = (0..1_000_000).skip_while(|times| !long_enough(times)).take_while(long_enough).take(1100);
        let found = candidates.any(|times| {
            let walked = walk(frames.into(), &settings, reverse, times as usize);
            let memory = memory(&region, &walked, reverse);
            let expected = by_kernel(&kernel, &memory, channels, 0.0, if reverse { -step } else { step }, count);
            equal(&heard, &expected, count, channels)
        });
        prop_assert!(found, "{} frames", count);
    }

    #[test]
    fn a_span_is_its_part_of_the_recording_and_its_cuts_are_lines(
        frames in 1u32..3000,
        channels in 1u8..3,
        ends in (0f64..1.2, 0f64..1.2),
        whole in (any::<bool>(), any::<bool>()),
        ratio in any_ratio(),
        kernel in 0usize..5,
        reverse in any::<bool>(),
        parts in prop::collection::vec(1usize..300, 1..6),
    ) {
        let length = f64::from(frames);
        let begin = if whole.0 { 0.0 } else { ends.0.min(ends.1) * length };
        let end = if whole.1 { length } else { ends.0.max(ends.1) * length };
        let sample = noise(frames as usize, channels, 5);
        let region = region(&sample, None);
        let kernel = Kernel::new(Interpolation::ALL[kernel]);
        let ratio = ratio.min(1024.0);
        let step = (ratio * ONE_FRAME as f64 + 0.5) as Step;
        let exact = step as f64 / ONE_FRAME as f64;
        let heard = played(&region, &kernel, Span { begin_frames: begin, end_frames: end, reverse }, ratio, 300_000, &parts, usize::MAX);
        prop_assume!(heard[0].len() < 300_000);
        let (begin, end) = (begin.min(length), end.min(length));
        let cut = if reverse { (end < length, begin > 0.0) } else { (begin > 0.0, end < length) };
        let ring = if cut.1 { 0.0 } else { (kernel.taps(step) / 2 - 1) as f64 };
        let expected = if begin < end { ((end - begin + ring) / exact).ceil() } else { 0.0 };
        // The ends are rounded to 2⁻³² frames.
        prop_assert!((heard[0].len() as f64 - expected).abs() <= 1.0, "{} not {}", heard[0].len(), expected);
        let count = heard[0].len();
        let all: Vec<Frame> = (0..i64::from(frames)).map(Frame::Recorded).collect();
        let memory = memory(&region, &all, false);
        let from = if reverse { length - end } else { begin };
        let plain = by_kernel(&kernel, &memory, channels, from, if reverse { -step } else { step }, count);
        let edge = 48f64.max(16.0 * exact).min((end - begin) / 2.0);
        for side in 0..usize::from(channels) {
            for n in 0..count {
                let way = n as f64 * exact;
                let rise = if cut.0 { (way / edge).min(1.0) } else { 1.0 };
                let fall = if cut.1 { ((end - begin - way) / edge).min(1.0) } else { 1.0 };
                let expected = f64::from(plain[side][n]) * rise.min(fall);
                let value = f64::from(heard[side][n]);
                // A short line is steep: 2⁻³¹ frames of it.
                prop_assert!((value - expected).abs() <= 1e-6 + 1e-9 / edge, "frame {}: {} not {}", n, value, expected);
                if rise == 1.0 && fall == 1.0 {
                    prop_assert_eq!(value, f64::from(plain[side][n]));
                }
            }
        }
    }
}

fn first_difference(a: &[Vec<f32>; 2], b: &[Vec<f32>; 2]) -> Option<usize> {
    (0..2).filter_map(|side| a[side].iter().zip(&b[side]).position(|(a, b)| a.to_bits() != b.to_bits())).min()
}

#[test]
fn backwards_at_its_own_speed_a_recording_is_its_mirror_image() {
    for channels in [1, 2] {
        let sample = noise(777, channels, 9);
        let region = region(&sample, None);
        for interpolation in Interpolation::ALL {
            let kernel = Kernel::new(interpolation);
            let heard = played(&region, &kernel, Span::of(&region).reversed(), 1.0, 2000, &[64], usize::MAX);
            for (side, heard) in heard.iter().enumerate().take(usize::from(channels)) {
                // What rings on has no weight on a frame.
                assert_eq!(heard.len(), 777 + kernel.taps(1 << 32) / 2 - 1);
                for (n, value) in heard.iter().enumerate() {
                    assert_eq!(
                        *value,
                        sample.value(776 - n as i64, side as u8),
                        "{interpolation:?}, frame {n}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_part_is_counted_from_the_regions_own_span() {
    let sample = noise(1000, 1, 1);
    let region = Region { offset_frames: 100.0, end_frame: Some(500), ..Region::of(sample) };
    let span = Span::of(&region);
    assert_eq!(span, Span { begin_frames: 100.0, end_frames: 500.0, reverse: false });
    let half = span.part(0.25, 0.75);
    assert_eq!((half.begin_frames, half.end_frames), (200.0, 400.0));
    assert_eq!(span.part(-1.0, 9.0), span);
    let beyond = Region { end_frame: Some(5000), ..region };
    assert_eq!(Span::of(&beyond).end_frames, 1000.0);
}

#[test]
fn what_is_no_part_of_the_recording_is_over_at_once() {
    let region = region(&noise(100, 1, 1), None);
    for (begin, end) in [(50.0, 50.0), (60.0, 50.0), (100.0, 200.0), (f64::NAN, f64::NAN), (-5.0, 0.0)] {
        for reverse in [false, true] {
            let head = Playhead::start(&region, Span { begin_frames: begin, end_frames: end, reverse });
            assert!(head.has_ended(), "{begin}..{end}");
        }
    }
}

#[test]
fn a_loop_outside_of_the_span_is_not_gone_round() {
    let settings = LoopSettings::forward(300, 900, LoopMode::Continuous);
    let region = region(&noise(2000, 1, 1), Some(settings));
    let kernel = Kernel::new(Interpolation::Linear);
    for (begin, end, reverse, ends) in [
        (0.0, 800.0, false, true),
        (900.0, 2000.0, false, true),
        (0.0, 900.0, false, false),
        (899.0, 2000.0, false, false),
        (400.0, 2000.0, true, true),
        (0.0, 300.0, true, true),
        (300.0, 2000.0, true, false),
        (0.0, 302.0, true, false),
    ] {
        let span = Span { begin_frames: begin, end_frames: end, reverse };
        let heard = played(&region, &kernel, span, 1.0, 5000, &[128], usize::MAX);
        assert_eq!(heard[0].len() < 5000, ends, "{span:?}");
    }
}

#[test]
fn skipping_is_reading_without_listening() {
    let settings = LoopSettings { alternate: true, ..LoopSettings::forward(300, 900, LoopMode::Continuous) };
    let region = region(&noise(2000, 1, 1), Some(settings));
    let kernel = Kernel::new(Interpolation::Cubic);
    for reverse in [false, true] {
        for skipped in [0, 1, 250, 1000, 7777] {
            let span = Span { begin_frames: 10.5, reverse, ..Span::of(&region) };
            let mut head = Playhead::start(&region, span);
            head.set_step(1.37);
            head.skip(skipped);
            let (mut left, mut right) = ([0.0; 500], [0.0; 500]);
            head.read(&region, &kernel, &mut left, &mut right);
            let whole = played(&region, &kernel, span, 1.37, skipped as usize + 500, &[128], usize::MAX);
            assert_eq!(bits(&left), bits(&whole[0][skipped as usize..]), "{skipped}");
        }
    }
}
