use super::*;

const RATE: u32 = 48_000;
const SECOND: usize = RATE as usize;

fn noise(count: usize) -> impl Iterator<Item = f32> {
    let mut state = 12_345u32;
    (0..count).map(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as i32 as f32 * 2f32.powi(-31)
    })
}

/// An effect with these parameters by name.
fn with(kind: Kind, params: &[(&str, f32)]) -> Effect {
    let mut values = defaults(kind);
    for (name, value) in params {
        values[number(kind, name)] = *value;
    }
    Effect::new(kind, RATE, &values)
}

fn number(kind: Kind, name: &str) -> usize {
    kind.params().iter().position(|param| param.name == name).unwrap()
}

/// What comes out for what goes in, both sides, from frame 0 on; `turn` is asked before each block of 128.
fn run(
    effect: &mut Effect,
    left: &[f32],
    right: &[f32],
    mut turn: impl FnMut(&mut Effect, u64),
) -> [Vec<f32>; 2] {
    let (mut l, mut r) = (left.to_vec(), right.to_vec());
    for (at, (l, r)) in l.chunks_mut(MAX_FRAMES).zip(r.chunks_mut(MAX_FRAMES)).enumerate() {
        let frame = (at * MAX_FRAMES) as u64;
        turn(effect, frame);
        effect.process(frame, l, r);
    }
    [l, r]
}

fn impulse(frames: usize) -> Vec<f32> {
    let mut values = vec![0.0; frames];
    values[0] = 1.0;
    values
}

fn response(effect: &mut Effect, frames: usize) -> [Vec<f32>; 2] {
    run(effect, &impulse(frames), &vec![0.0; frames], |_, _| {})
}

fn energy(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value).powi(2)).sum()
}

fn largest_step(values: &[f32]) -> f32 {
    values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

/// A resonator of this bandwidth (Hz) around a frequency, twice: 12 dB an octave on both sides.
fn band(values: &[f32], hz: f64, width_hz: f64) -> Vec<f64> {
    let r = (-std::f64::consts::PI * width_hz / f64::from(RATE)).exp();
    let a = 2.0 * r * (std::f64::consts::TAU * hz / f64::from(RATE)).cos();
    let once = |values: Vec<f64>| -> Vec<f64> {
        let (mut y1, mut y2) = (0.0, 0.0);
        let out = values.into_iter().map(|x| {
            let y = x + a * y1 - r * r * y2;
            (y2, y1) = (y1, y);
            y
        });
        out.collect()
    };
    once(once(values.iter().map(|value| f64::from(*value)).collect()))
}

/// Seconds in which the energy still to come (Schroeder) falls by 60 dB, from where it is at −5 and −35 dB.
fn decay_s(values: &[f64]) -> f64 {
    let mut left: Vec<f64> = values.to_vec();
    let mut sum = 0.0;
    for value in left.iter_mut().rev() {
        sum += *value * *value;
        *value = sum;
    }
    let at = |db: f64| left.iter().position(|value| *value < left[0] * 10f64.powf(db / 10.0)).unwrap() as f64;
    2.0 * (at(-35.0) - at(-5.0)) / f64::from(RATE)
}

#[test]
fn every_parameter_has_a_default_within_its_range_and_a_place() {
    for kind in Kind::ALL {
        assert!(kind.params().len() <= MAX_PARAMS && kind.params()[0].name == "level");
        for param in kind.params() {
            assert!(param.low < param.high && (param.low..=param.high).contains(&param.default), "{param:?}");
        }
    }
}

#[test]
fn any_partition_gives_the_same_bits_while_everything_glides() {
    for kind in Kind::ALL {
        // Sound, a pause that outlasts the tail, and sound again.
        let mut input: Vec<f32> =
            noise(6000).chain(std::iter::repeat_n(0.0, 120_000)).chain(noise(4000)).collect();
        input.extend(vec![0.0; 4000]);
        let other: Vec<f32> = input.iter().map(|value| value * -0.3).collect();
        let short: &[(&str, f32)] = match kind {
            Kind::Reverb => &[("decay", 0.2)],
            Kind::Delay => &[("time", 0.05), ("feedback", 0.2)],
            Kind::Chorus => &[],
        };
        let render = |blocks: &[usize]| {
            let mut effect = with(kind, short);
            let (mut left, mut right) = (input.clone(), other.clone());
            let (mut done, mut blocks) = (0, blocks.iter().copied().cycle());
            while done < left.len() {
                // Each parameter is turned once, on frames that end blocks, as events do.
                let next = (done / 701 + 1) * 701;
                let end = (done + blocks.next().unwrap()).min(left.len()).min(next);
                if done % 701 == 0 {
                    let number = done / 701;
                    let early = number < 2 * kind.params().len();
                    if let Some(param) = kind.params().get(number / 2).filter(|_| early && number % 2 == 0) {
                        let name = param.name;
                        let to = if name == "decay" { 0.3 } else { 0.5 * (param.default + param.low) as f32 };
                        effect.set(number / 2, to, done as u64);
                    }
                }
                effect.process(done as u64, &mut left[done..end], &mut right[done..end]);
                done = end;
            }
            [left, right].map(|side| side.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        };
        let whole = render(&[128]);
        assert!(whole[0].iter().any(|bits| *bits != 0));
        for blocks in [&[1][..], &[7], &[64], &[127, 3, 100]] {
            let other = render(blocks);
            let off = (0..input.len()).find(|at| (0..2).any(|side| other[side][*at] != whole[side][*at]));
            assert_eq!(off, None, "{kind:?} in blocks of {blocks:?}");
        }
    }
}

#[test]
fn a_tail_ends_in_exact_zeros_and_then_it_is_silent() {
    // 180 dB are three times the decay; echoes of 0.4 fall by 180 dB in 23.
    let cases = [
        (Kind::Reverb, &[("decay", 1.0)][..], 3.0 + 1.5),
        (Kind::Delay, &[("time", 0.1)], 2.3 + 0.3),
        (Kind::Chorus, &[], 0.1),
    ];
    for (kind, params, seconds) in cases {
        let mut effect = with(kind, params);
        assert!(effect.is_silent());
        let frames = (seconds * f64::from(RATE)) as usize;
        let [left, right] = run(&mut effect, &impulse(frames), &impulse(frames), |effect, frame| {
            assert!(frame == 0 || frame > 480 || !effect.is_silent());
        });
        assert!(energy(&left) > 0.1 && energy(&right) > 0.1, "{kind:?}");
        assert!(effect.is_silent(), "{kind:?}");
        assert!(left[frames - 128..].iter().all(|value| value.to_bits() == 0));
    }
}

#[test]
fn what_is_forgotten_is_not_heard_again() {
    for kind in Kind::ALL {
        let mut effect = with(kind, &[]);
        let input: Vec<f32> = noise(SECOND / 2).collect();
        run(&mut effect, &input, &input, |_, _| {});
        let frame = input.len() as u64;
        effect.forget(frame);
        assert!(effect.is_silent());
        // The same as one that has never heard anything.
        let mut fresh = with(kind, &[]);
        let later = frame + 1000;
        for at in (0..SECOND as u64).step_by(128) {
            let mut sides = [[0.0f32; 128]; 4];
            sides.iter_mut().for_each(|side| side[0] = if at == 0 { 1.0 } else { 0.0 });
            let [a, b, c, d] = &mut sides;
            effect.process(later + at, a, b);
            fresh.process(later + at, c, d);
            assert!(a == c && b == d, "{kind:?} at {at}");
        }
    }
}

#[test]
fn whatever_goes_in_what_comes_out_is_finite_and_ends() {
    for kind in Kind::ALL {
        for extreme in 0..2 {
            let mut values = [0.0; MAX_PARAMS];
            for (value, param) in values.iter_mut().zip(kind.params()) {
                *value = if extreme == 0 { param.low } else { param.high } as f32;
            }
            let mut effect = Effect::new(kind, RATE, &values);
            let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -f32::MAX, 1e-40, -0.0];
            let input: Vec<f32> = odd.into_iter().cycle().take(20_000).collect();
            let out = run(&mut effect, &input, &input, |effect, frame| {
                // From one end of each range to the other, all the time.
                let (number, end) = ((frame / 128) as usize % kind.params().len(), frame / 1280 % 2);
                let param = kind.params()[number];
                effect.set(number, if end == 0 { param.high } else { param.low } as f32, frame);
            });
            assert!(out.iter().flatten().all(|value| value.is_finite()), "{kind:?}");
        }
    }
}

#[test]
fn what_is_out_of_range_changes_nothing() {
    for kind in Kind::ALL {
        let mut effect = with(kind, &[]);
        for (number, param) in kind.params().iter().enumerate() {
            let (low, high) = (param.low as f32, param.high as f32);
            for wrong in [low - 1.0, high * 1.01, f32::NAN, f32::INFINITY] {
                effect.set(number, wrong, 0);
            }
        }
        effect.set(MAX_PARAMS, 0.0, 0);
        assert_eq!(effect.values, defaults(kind));
    }
}

#[test]
fn the_level_glides() {
    let mut effect = with(Kind::Delay, &[("time", 0.01), ("feedback", 0.0)]);
    let ones = vec![1.0; SECOND / 2];
    let [left, _] = run(&mut effect, &ones, &ones, |effect, frame| {
        if frame == 9600 {
            effect.set(0, 0.25, frame);
        }
    });
    // From 1 to 0.25 in 2400 frames; 2⁻²² for rounding.
    assert!(largest_step(&left[600..]) <= 0.75 / 2400.0 + 2f32.powi(-22));
    assert_eq!((left[9600], left[12_000]), (1.0, 0.25));
}

// ── reverb

#[test]
fn a_tail_falls_by_60_db_in_the_decay_and_twice_as_fast_at_the_damping_frequency() {
    for (decay, size) in [(0.8, 0.4), (1.5, 1.0), (3.0, 2.0)] {
        let params = [("decay", decay), ("size", size), ("damping", 4000.0), ("modulation", 0.5)];
        let [left, _] = response(&mut with(Kind::Reverb, &params), (1.4 * decay * RATE as f32) as usize);
        let low = decay_s(&band(&left, 200.0, 60.0));
        let high = decay_s(&band(&left, 4000.0, 200.0));
        // A band of noise has bumps: 200 Hz × a second of tail are some 100 independent values, 5 % off in the slope.
        // High up, wandering lines lose 0.1 dB a pass to their cubic, too.
        let decay = f64::from(decay);
        assert!((low / decay - 1.0).abs() < 0.08, "size {size}: {low} s, not {decay}");
        assert!((high / (0.5 * decay) - 1.0).abs() < 0.1, "size {size}: {high} s, not half of {decay}");
    }
}

#[test]
fn an_impulse_has_the_same_energy_behind_a_reverb_whatever_decay_and_size() {
    for (decay, size) in [(0.5, 1.0), (2.0, 0.25), (2.0, 1.0), (2.0, 2.0), (8.0, 1.0)] {
        let params = [("decay", decay), ("size", size), ("damping", 24_000.0), ("modulation", 0.0)];
        let frames = (1.2 * decay * RATE as f32) as usize;
        let sides = response(&mut with(Kind::Reverb, &params), frames);
        // Where the low-passes take nothing yet.
        let low = |values: &[f32]| band(values, 500.0, 400.0).iter().map(|value| value * value).sum::<f64>();
        let db = 10.0 * ((low(&sides[0]) + low(&sides[1])) / low(&impulse(frames))).log10();
        assert!(db.abs() < 1.0, "decay {decay}, size {size}: {db} dB");
    }
}

#[test]
fn a_tail_is_as_dense_as_noise() {
    // Of noise, 31.7 % of the values are beyond one standard deviation (Abel, Huang, "A simple, robust measure of
    // reverberation echo density", AES 121, 2006). Single echoes are few: the share is lower.
    let sides = response(&mut with(Kind::Reverb, &[("damping", 24_000.0)]), SECOND);
    for side in sides {
        for window in side[SECOND / 8..SECOND / 2].chunks(2048) {
            let deviation = (energy(window) / window.len() as f64).sqrt();
            let beyond = window.iter().filter(|value| f64::from(value.abs()) > deviation).count();
            let share = beyond as f64 / window.len() as f64;
            // ±2 standard errors of 2048 values are ±0.02.
            assert!((0.28..0.36).contains(&share), "{share}");
        }
    }
}

#[test]
fn no_mode_rings_out_of_a_tail() {
    // A long tail, late: a mode that decays more slowly than its neighbours would stand out of the spectrum. The power
    // of noise in a bin is exponentially distributed: of 8192, the highest is ln(8192)/ln(2) = 13 times the median.
    let params = [("decay", 4.0), ("damping", 24_000.0)];
    let [left, _] = response(&mut with(Kind::Reverb, &params), 4 * SECOND);
    let late = &left[2 * SECOND..2 * SECOND + 16_384];
    let mut powers: Vec<f64> = spectrum(late).into_iter().take(8192).skip(32).collect();
    // From 100 Hz to 12 kHz in bands: the tail is not white.
    let mut worst = 0.0f64;
    for band in powers[..4096].chunks_mut(256) {
        band.sort_by(f64::total_cmp);
        worst = worst.max(band[255] / band[128]);
    }
    assert!(worst < 25.0, "a bin has {worst} times the median of its neighbours");
}

/// Powers of a Hann-windowed discrete Fourier transform, length a power of 2.
fn spectrum(values: &[f32]) -> Vec<f64> {
    let n = values.len();
    let turn = std::f64::consts::TAU / n as f64;
    let mut data: Vec<(f64, f64)> = (0..n)
        .map(|at| {
            let from = at.reverse_bits() >> (usize::BITS - n.trailing_zeros());
            (f64::from(values[from]) * (0.5 - 0.5 * (turn * from as f64).cos()), 0.0)
        })
        .collect();
    let mut half = 1;
    while half < n {
        for block in data.chunks_mut(2 * half) {
            let (upper, lower) = block.split_at_mut(half);
            for (k, (a, b)) in upper.iter_mut().zip(lower).enumerate() {
                let (sin, cos) = (-std::f64::consts::PI * k as f64 / half as f64).sin_cos();
                let turned = (b.0 * cos - b.1 * sin, b.0 * sin + b.1 * cos);
                (*a, *b) = ((a.0 + turned.0, a.1 + turned.1), (a.0 - turned.0, a.1 - turned.1));
            }
        }
        half *= 2;
    }
    data.into_iter().map(|(re, im)| re * re + im * im).collect()
}

#[test]
fn the_sides_of_a_reverb_have_nothing_in_common_until_width_joins_them() {
    let both = |width: f32| {
        let [left, right] = response(&mut with(Kind::Reverb, &[("width", width)]), SECOND);
        let cross: f64 = left.iter().zip(&right).map(|(l, r)| f64::from(*l) * f64::from(*r)).sum();
        cross / (energy(&left) * energy(&right)).sqrt()
    };
    assert!(both(1.0).abs() < 0.15, "{}", both(1.0));
    assert!((both(0.0) - 1.0).abs() < 1e-9);
}

// ── delay

#[test]
fn echoes_come_on_their_frame_with_the_feedback_of_the_one_before_through_the_filter() {
    let params = [("time", 0.01), ("feedback", 0.5), ("damping", 4000.0)];
    let [left, right] = response(&mut with(Kind::Delay, &params), 2000);
    let open = 1.0 - (-std::f64::consts::TAU * 4000.0 / f64::from(RATE)).exp();
    assert_eq!((left[479], left[480], left[481]), (0.0, 1.0, 0.0));
    // The second: half of the filter's response, open·(1 − open)ⁿ.
    for n in 0..100 {
        let expected = 0.5 * open * (1.0 - open).powi(n);
        assert!((f64::from(left[960 + n as usize]) - expected).abs() < 1e-6, "{n}");
    }
    assert!(right.iter().all(|value| *value == 0.0), "each side repeats itself");
}

#[test]
fn across_echoes_go_from_side_to_side_and_what_is_in_the_middle_starts_left() {
    let params = [("time", 0.01), ("feedback", 0.5), ("cross", 1.0), ("damping", 24_000.0)];
    let mut effect = with(Kind::Delay, &params);
    let [left, right] = run(&mut effect, &impulse(2000), &impulse(2000), |_, _| {});
    let heard = |side: &[f32], echo: usize| energy(&side[480 * echo - 10..480 * echo + 100]) > 1e-3;
    assert_eq!([1, 2, 3].map(|echo| heard(&left, echo)), [true, false, true]);
    assert_eq!([1, 2, 3].map(|echo| heard(&right, echo)), [false, true, false]);
    assert!((left[480] - 2f32.sqrt()).abs() < 1e-6);
}

#[test]
fn a_change_of_time_is_heard_as_a_tape_and_not_as_a_click() {
    let step = std::f32::consts::TAU * 200.0 / RATE as f32;
    let sine: Vec<f32> = (0..SECOND).map(|n| (step * n as f32).sin()).collect();
    let mut effect = with(Kind::Delay, &[("time", 0.1), ("feedback", 0.0)]);
    let [left, _] = run(&mut effect, &sine, &sine, |effect, frame| match frame {
        9600 => effect.set(1, 0.2, frame),
        12_800 => effect.set(1, 0.013, frame),
        _ => {}
    });
    // Read at up to 1.5 times its speed.
    assert!(largest_step(&left[4801..]) <= 1.5 * step * 1.01, "{} of {step}", largest_step(&left[4801..]));
    let late = &left[SECOND - 100..];
    for (n, value) in (SECOND - 100..).zip(late) {
        assert_eq!(*value, sine[n - 624], "it has arrived, on a whole frame");
    }
}

// ── chorus

#[test]
fn copies_without_depth_are_the_sound_a_little_later_with_the_power_of_their_number() {
    for voices in [1.0, 4.0] {
        let [left, right] =
            response(&mut with(Kind::Chorus, &[("depth", 0.0), ("delay", 0.01), ("voices", voices)]), 1000);
        assert!((left[480] - voices.sqrt()).abs() < 1e-6 && energy(&left[..480]) == 0.0);
        assert_eq!((energy(&left[481..]), energy(&right)), (0.0, 0.0));
    }
}

#[test]
fn a_copy_wanders_no_farther_in_pitch_than_depth_and_rate_say() {
    // A ramp through one copy: the slope of what comes out is the speed at which it is read.
    let (depth, rate) = (0.004, 1.5);
    let ramp: Vec<f32> = (0..2 * SECOND).map(|n| n as f32 / SECOND as f32).collect();
    let mut effect = with(Kind::Chorus, &[("depth", depth), ("rate", rate), ("voices", 1.0)]);
    let [left, _] = run(&mut effect, &ramp, &ramp, |_, _| {});
    let speeds: Vec<f32> =
        left[4800..].windows(481).map(|pair| (pair[480] - pair[0]) * (SECOND as f32 / 480.0)).collect();
    let (low, high) = speeds.iter().fold((f32::MAX, f32::MIN), |(low, high), s| (low.min(*s), high.max(*s)));
    let most = 3.0 * 2.0 * depth * rate;
    // The mean over 10 ms is 1 % below the peak; 2⁻²³·2·48 000/480 = 2·10⁻⁵ for rounding.
    assert!((0.95 * most..=1.001 * most + 1e-4).contains(&(high - 1.0)), "{high} of {most}");
    assert!((0.95 * most..=1.001 * most + 1e-4).contains(&(1.0 - low)), "{low} of {most}");
}

#[test]
fn a_change_of_rate_moves_no_copy() {
    let step = std::f32::consts::TAU * 200.0 / RATE as f32;
    let sine: Vec<f32> = (0..SECOND).map(|n| (step * n as f32).sin()).collect();
    let mut effect = with(Kind::Chorus, &[("voices", 1.0)]);
    let [left, _] = run(&mut effect, &sine, &sine, |effect, frame| match frame {
        9600 => effect.set(1, 3.0, frame),
        19_200 => effect.set(1, 0.05, frame),
        _ => {}
    });
    // Steepest: 1 + 6·depth·rate = 1.036.
    assert!(largest_step(&left[2000..]) <= 1.04 * step, "{} of {step}", largest_step(&left[2000..]));
}
