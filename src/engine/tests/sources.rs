//! Sources beside the samplers: mixed, counted, sent out when they are over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::rt::source::{Buses, Source};

/// The same value on one channel, for so many frames.
struct Constant {
    channel: usize,
    value: f32,
    left: usize,
    over: Arc<AtomicBool>,
    dropped: Arc<AtomicUsize>,
}

impl Source for Constant {
    fn render(&mut self, _: u64, frames: usize, buses: &mut Buses<'_>) -> u64 {
        let frames = frames.min(self.left);
        self.left -= frames;
        for value in buses.channel(self.channel).into_iter().flat_map(|side| side.iter_mut().take(frames)) {
            *value += self.value;
        }
        u64::from(frames > 0)
    }

    fn sounds(&self) -> bool {
        self.left > 0
    }

    fn is_over(&self) -> bool {
        self.left == 0 && self.over.load(Ordering::Relaxed)
    }
}

impl Drop for Constant {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Ends {
    over: Arc<AtomicBool>,
    dropped: Arc<AtomicUsize>,
}

impl Ends {
    fn source(&self, channel: usize, value: f32, left: usize) -> Command {
        let (over, dropped) = (self.over.clone(), self.dropped.clone());
        Command::AddSource(Box::new(Constant { channel, value, left, over, dropped }))
    }
}

#[test]
fn sources_add_to_what_samplers_play() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 1000)]);
    let ends = Ends::default();
    rig.send(note_on(1, 60.0, 127.0));
    rig.command(ends.source(0, 2.0, 100));
    rig.command(ends.source(1, 4.0, 50));
    rig.command(ends.source(0, 8.0, 60));
    let out = rig.render_in(200, &[7, 128]);
    for (n, frame) in out.chunks(2).enumerate() {
        let left = if n < 60 {
            10.0
        } else if n < 100 {
            2.0
        } else {
            0.0
        };
        assert_eq!(frame, [CENTRE + left, CENTRE + if n < 50 { 4.0 } else { 0.0 }], "frame {n}");
    }
}

#[test]
fn sources_reach_every_channel_of_the_device_through_gain_and_gate() {
    for channels in [1, 2, 3, 5, 6, 32] {
        let mut rig = Rig::new(EngineConfig { channels, ..config() });
        let ends = Ends::default();
        for channel in 0..channels {
            rig.command(ends.source(channel, (channel + 1) as f32, 10_000));
        }
        rig.send(Event::MasterGain { gain: 0.5 });
        let out = rig.render(1000);
        let last = &out[999 * channels..];
        let expected: Vec<f32> = (0..channels).map(|n| 0.5 * (n + 1) as f32).collect();
        // One channel is the mean of both sides, and the source plays on the left only.
        assert_eq!(last, if channels == 1 { vec![0.25] } else { expected }, "{channels} channels");
        rig.send(Event::Suspend);
        let out = rig.render(1000);
        assert_eq!(out[999 * channels..], vec![0.0; channels], "{channels} channels");
    }
}

#[test]
fn channels_beyond_the_second_are_limited_too() {
    let limiter = Some(LimiterSettings { ceiling: 0.5, ..LimiterSettings::default() });
    let mut rig = Rig::new(EngineConfig { channels: 4, limiter, ..config() });
    let ends = Ends::default();
    rig.command(ends.source(2, 3.0, 1000));
    rig.command(ends.source(3, f32::NAN, 10));
    let out = rig.render(500);
    assert!(out.iter().all(|value| value.is_finite() && *value <= 0.5));
    assert_eq!(out[400 * 4..401 * 4], [0.0, 0.0, 0.5, 0.0]);
    // Ten that were NaN, and one for each block in which a source said so.
    assert_eq!(rig.ends.counters.non_finite.get(), 10 + 5);
}

#[test]
fn a_source_that_is_over_goes_out_and_is_freed_elsewhere() {
    let mut rig = Rig::new(config());
    let ends = Ends::default();
    for _ in 0..3 {
        rig.command(ends.source(0, 1.0, 100));
    }
    rig.render(200);
    assert!(rig.garbage.is_empty(), "they may still have something to say");
    ends.over.store(true, Ordering::Relaxed);
    rig.render(1);
    assert_eq!(rig.garbage.len(), 3);
    assert!(rig.garbage.iter().all(|outgoing| matches!(outgoing, Outgoing::Source(_))));
    assert_eq!(ends.dropped.load(Ordering::Relaxed), 0);
    rig.garbage.clear();
    assert_eq!(ends.dropped.load(Ordering::Relaxed), 3);
}

#[test]
fn a_source_without_a_place_comes_back() {
    let mut rig = Rig::new(config());
    let ends = Ends::default();
    for _ in 0..MAX_SOURCES + 2 {
        rig.command(ends.source(0, 1.0, 1));
        rig.engine.take_in();
    }
    rig.render(10);
    assert_eq!(rig.garbage.iter().filter(|out| matches!(out, Outgoing::Refused(_))).count(), 2);
}

#[test]
fn an_engine_with_a_sounding_source_is_not_quiet() {
    let mut rig = Rig::new(config());
    rig.command(Ends::default().source(0, 1.0, 100));
    rig.render(50);
    assert!(!rig.ends.lane.memory().is_quiet());
    rig.render(100);
    assert!(rig.ends.lane.memory().is_quiet());
}
