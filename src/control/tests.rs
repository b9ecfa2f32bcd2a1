//! Control's tests: what a user's handles do to an engine. Offline, so that every step is seen; with a real thread
//! where threads are the point.

use std::sync::Arc;

use super::*;
use crate::engine::{MAX_INSTRUMENTS, MAX_SAMPLERS};
use crate::instrument::{Region, Sample};

const CENTRE: f32 = std::f32::consts::FRAC_1_SQRT_2;

fn offline() -> Engine {
    Engine::open(EngineOptions { backend: Some("offline"), ..EngineOptions::default() }).unwrap()
}

fn sampler_on(port: &Arc<Port>) -> Sampler {
    Sampler::new(port, SamplerOptions::read(&Value::Undefined, true).unwrap()).unwrap()
}

fn constant(value: f32, frames: usize) -> Region {
    Region::of(Arc::new(Sample::new(vec![value; frames], 1, 48_000).unwrap().0))
}

fn instrument(value: f32, frames: usize) -> Arc<Instrument> {
    let instrument = Instrument::new("test", None);
    instrument.add_regions(vec![constant(value, frames)], vec![]).unwrap();
    instrument
}

fn left(engine: &Engine, frames: usize) -> Vec<f32> {
    let mut out = vec![0.0; frames * 2];
    engine.render(frames, &mut out).unwrap();
    engine.take_in();
    out.chunks(2).map(|frame| frame[0]).collect()
}

#[test]
fn a_note_sounds_through_a_port() {
    let engine = offline();
    let port = Port::open(&engine).unwrap();
    let sampler = sampler_on(&port);
    sampler.assign(0, Some(instrument(1.0, 1000)), None).unwrap();
    let note = sampler.note_on(60.0, 127.0, Some(10.0 / 48_000.0), 0).unwrap();
    assert_eq!(note, 1);
    let out = left(&engine, 20);
    assert_eq!((out[9], out[10]), (0.0, CENTRE));
    sampler.release(note, None).unwrap();
    assert!(left(&engine, 8000)[7999] == 0.0);
}

#[test]
fn an_instrument_that_grows_is_heard_by_the_next_note() {
    let engine = offline();
    let port = Port::open(&engine).unwrap();
    let sampler = sampler_on(&port);
    let growing = Instrument::new("growing", None);
    sampler.assign(0, Some(growing.clone()), None).unwrap();
    sampler.note_on(60.0, 127.0, None, 0).unwrap();
    growing.add_regions(vec![constant(0.5, 48_000)], vec!["a warning".into()]).unwrap();
    sampler.note_on(60.0, 127.0, None, 0).unwrap();
    assert_eq!(left(&engine, 1)[0], 0.5 * CENTRE, "the first note came before the sample");
    growing.add_regions(vec![constant(0.25, 48_000)], vec![]).unwrap();
    sampler.note_on(60.0, 127.0, None, 0).unwrap();
    assert_eq!(left(&engine, 1)[0], 1.25 * CENTRE);
    let info = growing.info();
    assert_eq!((info.regions, info.samples, info.warnings.len()), (2, 2, 1));
}

#[test]
fn thousands_of_changes_to_one_instrument_find_places() {
    let engine = offline();
    let port = Port::open(&engine).unwrap();
    let sampler = sampler_on(&port);
    let growing = Instrument::new("growing", None);
    sampler.assign(0, Some(growing.clone()), None).unwrap();
    for _ in 0..3000 {
        growing.set_envelope(growing.envelope()).unwrap();
    }
    growing.add_regions(vec![constant(0.5, 100)], vec![]).unwrap();
    sampler.note_on(60.0, 127.0, None, 0).unwrap();
    assert_eq!(left(&engine, 1)[0], 0.5 * CENTRE);
}

#[test]
fn places_of_instruments_and_samplers_come_back() {
    let engine = offline();
    let port = Port::open(&engine).unwrap();
    for _ in 0..3 {
        let samplers: Vec<_> = (0..MAX_SAMPLERS).map(|_| sampler_on(&port)).collect();
        let one_more = Sampler::new(&port, SamplerOptions::read(&Value::Undefined, true).unwrap());
        assert!(matches!(one_more.err(), Some(Error::Limit(_))));
        drop(samplers);
        left(&engine, 1);
    }
    let sampler = sampler_on(&port);
    for _ in 0..3 {
        let many: Vec<_> = (0..MAX_INSTRUMENTS).map(|_| instrument(1.0, 1)).collect();
        for instrument in &many {
            sampler.assign(0, Some(instrument.clone()), None).unwrap();
        }
        assert!(matches!(sampler.assign(0, Some(instrument(1.0, 1)), None), Err(Error::Limit(_))));
        drop(many);
        sampler.assign(0, None, None).unwrap();
        left(&engine, 1);
    }
}

#[test]
fn an_instrument_lives_as_long_as_a_channel_plays_it() {
    let engine = offline();
    let port = Port::open(&engine).unwrap();
    let sampler = sampler_on(&port);
    sampler.assign(0, Some(instrument(1.0, 100)), None).unwrap(); // nobody else holds it
    left(&engine, 10);
    sampler.note_on(60.0, 127.0, None, 0).unwrap();
    assert_eq!(left(&engine, 1)[0], CENTRE);
    assert!(sampler.instrument(0).is_some());
}

#[test]
fn an_instrument_replaced_at_a_time_plays_until_then() {
    let engine = offline();
    let port = Port::open(&engine).unwrap();
    let sampler = sampler_on(&port);
    // Together below the limiter's ceiling.
    sampler.assign(0, Some(instrument(0.5, 10)), None).unwrap();
    sampler.assign(0, Some(instrument(0.25, 10)), Some(0.1)).unwrap();
    for frame in [100, 4799, 4800] {
        sampler.note_on(60.0, 127.0, Some(f64::from(frame) / 48_000.0), 0).unwrap();
    }
    let out = left(&engine, 4801);
    assert_eq!((out[100], out[4799], out[4800]), (0.5 * CENTRE, 0.5 * CENTRE, 0.75 * CENTRE));
}

#[test]
fn an_assignment_that_waits_is_kept_though_another_came_after_it() {
    let engine = offline();
    let port = Port::open(&engine).unwrap();
    let sampler = sampler_on(&port);
    sampler.assign(0, Some(instrument(0.5, 10)), Some(0.05)).unwrap();
    sampler.assign(0, Some(instrument(0.25, 10)), None).unwrap();
    sampler.note_on(60.0, 127.0, Some(0.1), 0).unwrap();
    assert_eq!(left(&engine, 4801)[4800], 0.5 * CENTRE);
}

#[test]
fn hundreds_of_instruments_that_go_with_their_sampler_block_nothing() {
    let engine = offline();
    let port = Port::open(&engine).unwrap();
    let sampler = sampler_on(&port);
    for n in 0..400 {
        sampler.assign(0, Some(instrument(1.0, 1)), Some(1.0 + f64::from(n) / 1000.0)).unwrap();
    }
    sampler.close();
    drop(sampler);
    assert!(left(&engine, 10).iter().all(|value| *value == 0.0));
    left(&engine, 1);
    // All places are free again.
    let sampler = sampler_on(&port);
    let many: Vec<_> = (0..MAX_INSTRUMENTS).map(|_| instrument(1.0, 1)).collect();
    for instrument in &many {
        sampler.assign(0, Some(instrument.clone()), None).unwrap();
    }
}

#[test]
fn a_sampler_let_go_of_plays_what_was_scheduled_with_its_instruments() {
    let engine = offline();
    let port = Port::open(&engine).unwrap();
    let sampler = sampler_on(&port);
    let weak = {
        let instrument = instrument(1.0, 100);
        sampler.assign(0, Some(instrument.clone()), None).unwrap();
        Arc::downgrade(&instrument)
    };
    sampler.note_on(60.0, 127.0, Some(0.1), 0).unwrap();
    drop(sampler);
    left(&engine, 4000);
    assert!(weak.upgrade().is_some());
    assert_eq!(left(&engine, 801)[800], CENTRE);
    left(&engine, 1000);
    assert!(weak.upgrade().is_none(), "and then everything is freed");
}

#[test]
fn a_closed_sampler_is_silent_and_says_so() {
    let engine = offline();
    let port = Port::open(&engine).unwrap();
    let sampler = sampler_on(&port);
    let weak = Arc::downgrade(&{
        let instrument = instrument(1.0, 48_000);
        sampler.assign(0, Some(instrument.clone()), None).unwrap();
        instrument
    });
    sampler.note_on(60.0, 127.0, None, 0).unwrap();
    left(&engine, 100);
    sampler.close();
    sampler.close();
    assert!(matches!(sampler.note_on(60.0, 127.0, None, 0), Err(Error::Closed(_))));
    assert!(matches!(sampler.assign(0, None, None), Err(Error::Closed(_))));
    assert_eq!(left(&engine, 1000)[999], 0.0);
    assert!(weak.upgrade().is_none());
}

#[test]
fn an_unloaded_instrument_rings_out_and_refuses_more() {
    let engine = offline();
    let port = Port::open(&engine).unwrap();
    let sampler = sampler_on(&port);
    let gone = instrument(1.0, 1000);
    sampler.assign(0, Some(gone.clone()), None).unwrap();
    sampler.note_on(60.0, 127.0, None, 0).unwrap();
    left(&engine, 10);
    gone.unload();
    gone.unload();
    sampler.note_on(60.0, 127.0, None, 0).unwrap();
    assert_eq!(left(&engine, 100)[50], CENTRE);
    assert!(matches!(gone.add_regions(vec![], vec![]), Err(Error::Closed(_))));
    assert!(matches!(sampler.assign(1, Some(gone), None), Err(Error::Closed(_))));
    assert_eq!(engine.stats().silent_notes, 1.0);
}

#[test]
fn one_instrument_plays_in_two_engines() {
    let (a, b) = (offline(), offline());
    let shared = instrument(1.0, 1000);
    for engine in [&a, &b] {
        let port = Port::open(engine).unwrap();
        let sampler = sampler_on(&port);
        sampler.assign(0, Some(shared.clone()), None).unwrap();
        sampler.note_on(60.0, 127.0, None, 0).unwrap();
        assert_eq!(left(engine, 1)[0], CENTRE);
    }
    a.close();
    shared.add_regions(vec![constant(1.0, 10)], vec![]).unwrap();
}

#[test]
fn a_closed_engine_says_so_everywhere_and_twice_is_fine() {
    let engine = offline();
    let port = Port::open(&engine).unwrap();
    let sampler = sampler_on(&port);
    engine.close();
    engine.close();
    assert!(engine.is_closed());
    assert!(matches!(engine.render(1, &mut [0.0; 2]), Err(Error::Closed(_))));
    assert!(matches!(Port::open(&engine).err(), Some(Error::Closed(_))));
    assert!(matches!(sampler.note_on(60.0, 100.0, None, 0), Err(Error::Closed(_))));
    assert!(matches!(sampler.assign(0, Some(instrument(1.0, 1)), None), Err(Error::Closed(_))));
    assert_eq!(engine.realtime().reason.as_deref(), Some("the engine is closed"));
}

#[test]
fn lanes_have_a_limit_and_come_back() {
    let engine = offline();
    let ports: Vec<_> = std::iter::from_fn(|| Port::open(&engine).ok()).collect();
    assert_eq!(ports.len(), crate::engine::MAX_LANES - 1);
    assert!(matches!(Port::open(&engine).err(), Some(Error::Limit(_))));
    left(&engine, 1);
    drop(ports);
    left(&engine, 1);
    assert!(Port::open(&engine).is_ok());
}

#[test]
fn a_port_that_opens_late_knows_the_time_at_once() {
    let engine = offline();
    left(&engine, 4800);
    assert_eq!(Port::open(&engine).unwrap().memory().frame(), 4800);
}

#[test]
fn a_backend_without_devices_says_so() {
    for backend in ["clock", "offline"] {
        let options =
            EngineOptions { backend: Some(backend), device: Some("hw:1".into()), ..EngineOptions::default() };
        let error = Engine::open(options).err().unwrap();
        assert_eq!(error.code(), "ERR_NO_DEVICE");
        assert!(error.to_string().contains(backend) && error.to_string().contains("hw:1"), "{error}");
    }
}

#[test]
fn rendering_needs_room_for_whole_frames() {
    let engine = offline();
    let error = engine.render(4, &mut [0.0; 7]).unwrap_err();
    assert_eq!(error.to_string(), "4 frames of 2 channels need room for 8 values, into has 7");
    let mut out = [9.0; 9];
    engine.render(4, &mut out).unwrap();
    assert_eq!((out[7], out[8]), (0.0, 9.0), "what is beyond is left alone");
}

#[test]
fn listeners_hear_of_notes_until_they_end() {
    let engine = offline();
    let port = Port::open(&engine).unwrap();
    let sampler = sampler_on(&port);
    let heard: Arc<Mutex<Vec<Notice>>> = Arc::default();
    let into = heard.clone();
    let id = engine.listen(true, move |notices| lock(&into).extend_from_slice(notices));
    sampler.note_on(60.0, 100.0, None, 0).unwrap();
    let mut out = [0.0; 2];
    engine.render(1, &mut out).unwrap();
    let patience = std::time::Instant::now();
    while lock(&heard).is_empty() && patience.elapsed().as_secs() < 10 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert_eq!(*lock(&heard), [Notice::NoteEnded(sampler.serial(), 1)]);
    engine.unlisten(id);
}

#[cfg(feature = "device")]
mod with_a_clock {
    use super::*;
    use std::time::{Duration, Instant};

    fn clock() -> EngineOptions {
        EngineOptions { backend: Some("clock"), ..EngineOptions::default() }
    }

    fn wait_until(mut done: impl FnMut() -> bool) -> bool {
        let started = Instant::now();
        while !done() {
            if started.elapsed() > Duration::from_secs(20) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }

    #[test]
    fn a_running_engine_plays_and_frees_what_it_no_longer_needs() {
        let engine = Engine::open(clock()).unwrap();
        let port = Port::open(&engine).unwrap();
        let sampler = sampler_on(&port);
        let weak = Arc::downgrade(&{
            let instrument = instrument(1.0, 2400);
            sampler.assign(0, Some(instrument.clone()), None).unwrap();
            instrument
        });
        sampler.note_on(60.0, 127.0, None, 0).unwrap();
        assert!(wait_until(|| engine.stats().voices_peak == 1.0), "the note was never heard");
        sampler.close();
        assert!(wait_until(|| weak.upgrade().is_none()), "the instrument was never freed");
        engine.close();
    }

    #[test]
    fn many_threads_play_on_one_engine_and_lose_nothing() {
        let engine = Engine::open(clock()).unwrap();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let engine = engine.clone();
                std::thread::spawn(move || {
                    let port = Port::open(&engine).unwrap();
                    let sampler = sampler_on(&port);
                    let mut sent = 0;
                    for n in 0..5000 {
                        sent += u64::from(sampler.note_on(60.0, 100.0, None, 0).unwrap() > 0);
                        if n % 500 == 0 {
                            std::thread::sleep(Duration::from_millis(3));
                        }
                    }
                    assert!(wait_until(|| port.memory().waiting() == 0));
                    sent
                })
            })
            .collect();
        let sent: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert!(wait_until(|| engine.stats().silent_notes as u64 >= sent));
        assert_eq!(
            engine.stats().silent_notes as u64,
            sent,
            "notes without an instrument are counted, each once"
        );
        engine.close();
    }

    #[test]
    fn an_engine_nobody_holds_closes_when_it_is_silent() {
        let engine = Engine::open(clock()).unwrap();
        let port = Port::open(&engine).unwrap();
        let sampler = sampler_on(&port);
        sampler.assign(0, Some(instrument(1.0, 4800)), None).unwrap();
        let soon = port.memory().frame() as f64 / 48_000.0 + 0.1;
        sampler.note_on(60.0, 127.0, Some(soon), 0).unwrap();
        let counters = engine.shared().counters.clone();
        let watch = Arc::downgrade(engine.shared());
        drop((engine, port, sampler));
        assert!(wait_until(|| watch.upgrade().is_none()), "it never went");
        assert_eq!(counters.voices_peak.get(), 1, "but what was scheduled sounded first");
    }

    #[test]
    fn the_default_engine_is_one_and_names_contradictions() {
        let first = default_engine(clock(), 0).unwrap();
        let second = default_engine(EngineOptions::default(), 0).unwrap();
        assert!(Arc::ptr_eq(first.shared(), second.shared()));
        let other = EngineOptions { sample_rate: Some(22_050), ..clock() };
        let error = default_engine(other, 0).err().unwrap().to_string();
        assert!(error.contains("sampleRate 48000, and 22050 was asked for"), "{error}");
        first.close();
        let third = default_engine(clock(), 0).unwrap();
        assert!(!Arc::ptr_eq(first.shared(), third.shared()));
        third.close();
    }
}
