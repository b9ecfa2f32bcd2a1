//! The clock device and everything that needs no server: pacing, closing, priority granted and denied,
//! panics, stalls, threads.

#![cfg(all(feature = "device", target_os = "linux"))]

mod device_common;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use device_common::{
    Told, alone, assert_kernel_agrees, does_not_apply, has, is_child, not_run, threads, turn, twice, wait_for,
};
use ictus::device::{
    Backend, DeviceError, DeviceEvent, Policy, RealtimeRequest, Request, Stream, XrunCause, open,
};

fn clock() -> Request {
    Request { backend: Backend::Clock, ..Request::default() }
}

fn silent(request: &Request) -> Result<Stream, DeviceError> {
    open(request, |_| Box::new(|out: &mut [f32]| out.fill(0.0)), Arc::new(|_| {}))
}

#[test]
fn the_clock_renders_as_many_frames_as_the_wall_clock_says() {
    let _turn = turn();
    for (rate, buffer) in [(48_000, 128), (44_100, 441), (96_000, 1024)] {
        twice(|| {
            let frames = Arc::new(AtomicU64::new(0));
            let theirs = frames.clone();
            let request =
                Request { sample_rate: Some(rate), buffer_size: Some(buffer), channels: 3, ..clock() };
            let _stream = open(
                &request,
                |format| {
                    assert_eq!((format.sample_rate, format.buffer_size, format.channels), (rate, buffer, 3));
                    Box::new(move |out: &mut [f32]| {
                        theirs.fetch_add(out.len() as u64 / 3, Ordering::Relaxed);
                        out.fill(0.0);
                    })
                },
                Arc::new(|_| {}),
            )
            .expect("the clock always opens");
            let (start, before) = (Instant::now(), frames.load(Ordering::Relaxed));
            std::thread::sleep(Duration::from_millis(500));
            let rendered = frames.load(Ordering::Relaxed) - before;
            let ratio = rendered as f64 / (start.elapsed().as_secs_f64() * f64::from(rate));
            println!("note: {rate} Hz, {buffer} frames: {ratio:.4} of the wall clock");
            if (0.9..1.1).contains(&ratio) { Ok(()) } else { Err(format!("{rate} Hz: ratio {ratio}")) }
        });
    }
}

#[test]
fn close_joins_and_drops_the_closure() {
    let _turn = turn();
    let owned = Arc::new(());
    let theirs = owned.clone();
    let stream = open(
        &clock(),
        |_| {
            Box::new(move |out: &mut [f32]| {
                let _ = &theirs;
                out.fill(0.0);
            })
        },
        Arc::new(|_| {}),
    )
    .expect("the clock always opens");
    let counters = stream.counters().clone();
    assert!(counters.callbacks.get() >= 1, "the first callback has happened when open returns");
    assert_eq!(Arc::strong_count(&owned), 2);
    stream.close();
    assert_eq!(Arc::strong_count(&owned), 1);
    let callbacks = counters.callbacks.get();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(counters.callbacks.get(), callbacks);
}

#[test]
fn figures_are_collected_and_reset() {
    let _turn = turn();
    let stream = silent(&clock()).expect("the clock always opens");
    let counters = stream.counters();
    wait_for("20 callbacks", || counters.callbacks.get() >= 20);
    assert_eq!(stream.output_latency(), 0.0);
    let (callback, jitter) = (counters.callback_us.snapshot(), counters.jitter_us.snapshot());
    assert!(callback.count >= 19 && jitter.count >= 19, "{callback:?} {jitter:?}");
    assert!(counters.load.load() > 0.0 && counters.load_peak.load() >= counters.load.load());
    counters.reset();
    assert!(counters.callback_us.snapshot().count < callback.count);
}

#[test]
fn a_hundred_streams_leak_no_thread() {
    const NAME: &str = "a_hundred_streams_leak_no_thread";
    if !is_child() {
        let _turn = turn();
        return alone(NAME, &[], &[]);
    }
    drop(silent(&clock()).expect("the clock always opens"));
    let before = threads();
    for _ in 0..100 {
        silent(&clock()).expect("the clock always opens").close();
    }
    wait_for("the last thread to be gone", || threads() <= before);
}

#[test]
fn the_status_is_what_the_kernel_says() {
    let _turn = turn();
    for policy in [Policy::Fifo, Policy::Rr, Policy::Other] {
        let realtime = Some(RealtimeRequest { policy, priority: 42, ..RealtimeRequest::default() });
        let stream = silent(&Request { realtime, ..clock() }).expect("the clock always opens");
        let status = stream.realtime();
        assert_kernel_agrees(&status);
        println!("note: {policy:?}: {status:?}");
        if policy == Policy::Other {
            assert_eq!(status.reason.as_deref(), Some("not asked for (policy 'other')"));
        }
        assert_eq!(status.granted, status.policy != "SCHED_OTHER");
        // On a desktop whose kernel refuses, rtkit may have given it, and another policy than was asked for.
        if status.via != "rtkit" {
            assert_eq!(status.via, if status.granted { "direct" } else { "none" });
            assert_eq!(status.reason.is_none(), status.granted);
        }
        if policy != Policy::Other {
            assert_eq!(stream.format().buffer_size, if status.granted { 128 } else { 512 });
        }
    }
    let stream = silent(&Request { realtime: None, ..clock() }).expect("the clock always opens");
    assert_eq!(stream.realtime().reason.as_deref(), Some("not asked for (realtime: false)"));
    assert_eq!(stream.format().buffer_size, 512);
}

/// Root without CAP_SYS_NICE, whose RLIMIT_RTPRIO is 0 unless the machine was set up for audio.
const WITHOUT_SYS_NICE: [&str; 3] = ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"];
/// What rtkit does is tested in device_rtkit.rs.
const NO_RTKIT: [(&str, &str); 1] = [("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere")];

#[test]
fn a_denied_priority_is_reported_with_its_remedy() {
    const NAME: &str = "a_denied_priority_is_reported_with_its_remedy";
    if !is_child() {
        let _turn = turn();
        if !has("setpriv") {
            return not_run("setpriv is not installed");
        }
        return alone(NAME, &WITHOUT_SYS_NICE, &NO_RTKIT);
    }
    let stream = silent(&clock()).expect("best effort: it runs all the same");
    let status = stream.realtime();
    if status.granted {
        return does_not_apply("RLIMIT_RTPRIO grants real-time priority here");
    }
    assert_kernel_agrees(&status);
    assert_eq!((status.policy, status.via), ("SCHED_OTHER", "none"));
    assert_eq!(stream.format().buffer_size, 512);
    let reason = status.reason.expect("a denial has a reason");
    println!("note: {reason}");
    for part in ["EPERM", "RLIMIT_RTPRIO is 0", "log in again", "no system bus", "ictus doctor"] {
        assert!(reason.contains(part), "{part} is not in: {reason}");
    }
}

#[test]
fn a_required_and_denied_priority_is_an_error_and_leaves_nothing_running() {
    const NAME: &str = "a_required_and_denied_priority_is_an_error_and_leaves_nothing_running";
    if !is_child() {
        let _turn = turn();
        if !has("setpriv") {
            return not_run("setpriv is not installed");
        }
        return alone(NAME, &WITHOUT_SYS_NICE, &NO_RTKIT);
    }
    let before = threads();
    let realtime = Some(RealtimeRequest { required: true, ..RealtimeRequest::default() });
    match silent(&Request { realtime, ..clock() }) {
        Err(DeviceError::RealtimeDenied(message)) => {
            assert!(message.contains("required") && message.contains("EPERM"), "{message}");
        }
        Err(error) => panic!("another error: {error}"),
        Ok(stream) if stream.realtime().granted => return does_not_apply("RLIMIT_RTPRIO grants it here"),
        Ok(_) => panic!("it was denied and did not fail"),
    }
    wait_for("the stream's threads to be gone", || threads() <= before);
}

#[test]
fn a_panic_in_the_closure_is_an_event_and_nothing_is_printed() {
    const NAME: &str = "a_panic_in_the_closure_is_an_event_and_nothing_is_printed";
    if !is_child() {
        let _turn = turn();
        return alone(NAME, &[], &[]);
    }
    let told = Told::default();
    let calls = Arc::new(AtomicU64::new(0));
    let theirs = calls.clone();
    let stream = open(
        &clock(),
        |_| {
            Box::new(move |_: &mut [f32]| {
                if theirs.fetch_add(1, Ordering::Relaxed) == 3 {
                    panic!("voice {} of 7", 8);
                }
            })
        },
        told.events(),
    )
    .expect("the clock always opens");
    let event = told.wait(|event| matches!(event, DeviceEvent::RenderPanicked { .. }));
    assert_eq!(event, DeviceEvent::RenderPanicked { message: "voice 8 of 7".to_owned() });
    let callbacks = stream.counters().callbacks.get();
    wait_for("the stream to go on in silence", || stream.counters().callbacks.get() > callbacks + 10);
    assert_eq!(calls.load(Ordering::Relaxed), 4, "the closure is not called again");
    stream.close();
    assert_eq!(told.seen().iter().filter(|e| matches!(e, DeviceEvent::RenderPanicked { .. })).count(), 1);
}

#[test]
fn a_stall_is_an_xrun_and_is_caught_up_with() {
    let _turn = turn();
    let told = Told::default();
    let stall = Arc::new(AtomicBool::new(false));
    let theirs = stall.clone();
    let stream = open(
        &Request { buffer_size: Some(64), ..clock() },
        |_| {
            Box::new(move |out: &mut [f32]| {
                if theirs.swap(false, Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(50)); // 37 blocks
                }
                out.fill(0.0);
            })
        },
        told.events(),
    )
    .expect("the clock always opens");
    let (xruns, overloads) = (stream.counters().xruns.get(), stream.counters().overloads.get());
    stall.store(true, Ordering::Relaxed);
    told.wait(
        |event| matches!(event, DeviceEvent::Xrun { cause: XrunCause::Overload, frames } if *frames > 0),
    );
    wait_for("the counters", || stream.counters().xruns.get() > xruns);
    assert!(stream.counters().overloads.get() > overloads, "it was rendering that took too long");
    assert!(stream.counters().load_peak.load() > 10.0);
}

/// The event closure runs on the stream's own reporter thread, which cannot join itself.
#[test]
fn a_stream_may_be_closed_from_its_own_event() {
    let _turn = turn();
    let kept: Arc<Mutex<Option<Stream>>> = Arc::default();
    let closed = Arc::new(AtomicBool::new(false));
    let (theirs, tells) = (kept.clone(), closed.clone());
    let mut calls = 0;
    let stream = open(
        &Request { buffer_size: Some(64), ..clock() },
        |_| {
            Box::new(move |out: &mut [f32]| {
                calls += 1;
                if calls % 20 == 0 {
                    std::thread::sleep(Duration::from_millis(20)); // 15 blocks: an xrun
                }
                out.fill(0.0);
            })
        },
        Arc::new(move |_| {
            if let Some(stream) = theirs.lock().unwrap().take() {
                stream.close();
                tells.store(true, Ordering::SeqCst);
            }
        }),
    )
    .expect("the clock always opens");
    let counters = stream.counters().clone();
    *kept.lock().unwrap() = Some(stream);
    wait_for("close() to return inside the event", || closed.load(Ordering::SeqCst));
    let callbacks = counters.callbacks.get();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(counters.callbacks.get(), callbacks);
}

#[test]
fn a_thread_that_never_sleeps_is_demoted() {
    let _turn = turn();
    let told = Told::default();
    let stream = open(
        &clock(),
        |format| {
            let block =
                Duration::from_secs_f64(f64::from(format.buffer_size) / f64::from(format.sample_rate));
            Box::new(move |out: &mut [f32]| {
                let start = Instant::now();
                while start.elapsed() < block.mul_f64(1.5) {
                    std::hint::spin_loop();
                }
                out.fill(0.0);
            })
        },
        told.events(),
    )
    .expect("the clock always opens");
    if !stream.realtime().granted && stream.realtime().reason.is_some_and(|r| r.contains("EPERM")) {
        return does_not_apply("real-time priority is denied here, so there is nothing to lose");
    }
    let event = told.wait(|event| matches!(event, DeviceEvent::Demoted { .. }));
    println!("note: {event:?}");
    let status = stream.realtime();
    assert_kernel_agrees(&status);
    assert_eq!((status.policy, status.granted, status.via), ("SCHED_OTHER", false, "none"));
    assert!(status.reason.expect("a demotion has a reason").contains("does not sleep"));
}
