//! Devices that go and come back: the clock goes on, what is rendered is the same renderer, and nothing is left
//! behind, a hundred times over.

#![cfg(all(feature = "device", target_os = "linux"))]

mod device_common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use device_common::{Jackd, Told, alone, comes_back, has, is_child, not_run, threads, turn, twice, wait_for};
use ictus::device::{Backend, DeviceEvent, Effort, Renderer, Request, Stream, monotonic_ns, open};

/// Runs a test alone, which starts and ends a JACK server of this name by itself.
fn with_jack_name(test: &str) {
    let _turn = turn();
    if !has("jackd") {
        return not_run("jackd is not installed");
    }
    let name = format!("ictus-{}-{test}", std::process::id()).chars().take(60).collect::<String>();
    alone(test, &[], &[("JACK_DEFAULT_SERVER", &name), ("JACK_NO_START_SERVER", "1")]);
}

fn server(rate: u32, period: u32) -> Jackd {
    Jackd::named(std::env::var("JACK_DEFAULT_SERVER").unwrap(), true, rate, period)
}

/// Counts frames, and remembers the largest step between two values of a ramp that it renders for ever.
struct Counts(Arc<AtomicU64>);

impl Renderer for Counts {
    fn render(&mut self, out: &mut [f32]) {
        self.0.fetch_add(out.len() as u64 / 2, Ordering::Relaxed);
        out.fill(0.25);
    }

    fn frame(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed))
    }

    fn ease(&mut self, _: Effort, _: f64) {}
}

fn counting(request: &Request, told: &Told) -> (Stream, Arc<AtomicU64>) {
    let frames = Arc::new(AtomicU64::new(0));
    let theirs = frames.clone();
    let stream = open(request, |_| Box::new(Counts(theirs)), told.events()).expect("the server runs");
    (stream, frames)
}

fn jack() -> Request {
    Request { backend: Backend::Jack, ..Request::default() }
}

fn lost(event: &DeviceEvent) -> bool {
    matches!(event, DeviceEvent::Lost { .. })
}

fn restored(event: &DeviceEvent) -> bool {
    matches!(event, DeviceEvent::Restored { .. })
}

#[test]
fn the_clock_goes_on_without_the_device_and_the_device_comes_back() {
    const NAME: &str = "the_clock_goes_on_without_the_device_and_the_device_comes_back";
    if !is_child() {
        return with_jack_name(NAME);
    }
    twice(|| {
        let first = server(48_000, 256);
        let told = Told::default();
        let (stream, frames) = counting(&jack(), &told);
        let now = || (Instant::now(), frames.load(Ordering::Relaxed));
        std::thread::sleep(Duration::from_millis(300));
        let (start, before) = now();
        first.kill();
        told.wait(lost);
        std::thread::sleep(Duration::from_millis(700));
        let missed = frames.load(Ordering::Relaxed) - before;
        let ratio = missed as f64 / (start.elapsed().as_secs_f64() * 48_000.0);
        assert_eq!(stream.output_latency(), 0.0, "there is no loudspeaker");
        assert_eq!(stream.device().device, "JACK Output", "what is missing has a name");
        // A server at another rate: the renderer's stays.
        let second = server(44_100, 512);
        let event = told.wait(restored);
        let DeviceEvent::Restored { format } = event else { unreachable!() };
        assert_eq!((format.sample_rate, format.device_rate, format.channels), (48_000, 44_100, 2));
        assert_eq!(stream.device(), format);
        assert!(stream.realtime().thread_id > 0);
        let (again, at) = now();
        std::thread::sleep(Duration::from_millis(500));
        let after = (frames.load(Ordering::Relaxed) - at) as f64 / (again.elapsed().as_secs_f64() * 48_000.0);
        let events = told.seen();
        comes_back("close()", move || stream.close());
        drop(second);
        assert_eq!(events.iter().filter(|e| lost(e)).count(), 1, "{events:?}");
        assert_eq!(events.iter().filter(|e| restored(e)).count(), 1, "{events:?}");
        if (0.95..1.05).contains(&ratio) && (0.9..1.1).contains(&after) {
            Ok(())
        } else {
            Err(format!("{ratio} of the wall clock without the device, {after} with it again"))
        }
    });
}

#[test]
fn closing_while_the_device_is_lost_leaves_nothing() {
    const NAME: &str = "closing_while_the_device_is_lost_leaves_nothing";
    if !is_child() {
        return with_jack_name(NAME);
    }
    let first = server(48_000, 256);
    let before = threads();
    let told = Told::default();
    let (stream, frames) = counting(&jack(), &told);
    first.kill();
    told.wait(lost);
    comes_back("close()", move || stream.close());
    let rendered = frames.load(Ordering::Relaxed);
    assert_eq!(Arc::strong_count(&frames), 1, "the renderer has been dropped");
    wait_for("the threads to be gone", || threads() <= before);
    // Nothing takes hold of a server that comes later.
    let second = server(48_000, 256);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(frames.load(Ordering::Relaxed), rendered);
    assert!(!told.seen().iter().any(restored));
    drop(second);
}

/// What a process holds: threads, open files, resident pages.
fn held() -> (usize, usize, usize) {
    let files = std::fs::read_dir("/proc/self/fd").expect("proc is there").count();
    let memory = std::fs::read_to_string("/proc/self/statm").expect("proc is there");
    let pages =
        memory.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("the second is resident");
    (threads(), files, pages)
}

/// A hundred in CI, fewer where somebody waits.
fn cycles() -> usize {
    if std::env::var("CI").is_ok_and(|ci| ci == "true") { 100 } else { 15 }
}

#[test]
fn a_hundred_losses_leave_no_thread_no_file_and_no_memory() {
    const NAME: &str = "a_hundred_losses_leave_no_thread_no_file_and_no_memory";
    if !is_child() {
        return with_jack_name(NAME);
    }
    let told = Told::default();
    let mut running = server(48_000, 256);
    let (stream, frames) = counting(&jack(), &told);
    let count = |is: fn(&DeviceEvent) -> bool| told.seen().iter().filter(|event| is(event)).count();
    // The first rounds load libraries and warm the allocator.
    let warm = 5;
    let mut before = (0, 0, 0);
    for n in 1..=warm + cycles() {
        running.kill();
        wait_for("the loss", || count(lost) == n);
        running = server(48_000, if n % 2 == 0 { 256 } else { 128 });
        wait_for("the device", || count(restored) == n);
        let at = frames.load(Ordering::Relaxed);
        wait_for("the next blocks", || frames.load(Ordering::Relaxed) > at + 512);
        if n == warm {
            wait_for("the threads of the dead", || threads() <= before_threads(&stream));
            before = held();
        }
    }
    wait_for("the threads of the dead", || threads() <= before.0);
    let after = held();
    println!("note: threads, files, pages {before:?} before {} losses, {after:?} after", cycles());
    comes_back("close()", move || stream.close());
    drop(running);
    assert!(after.0 <= before.0, "threads");
    assert!(after.1 <= before.1 + 2, "files: {before:?}, {after:?}");
    // 4 KiB each: what a leaked stream, thread or converter would add a hundred times over is far more.
    assert!(after.2 <= before.2 + 16 * cycles(), "pages: {before:?}, {after:?}");
}

/// Main thread, test thread, reporter, and JACK's own two or three: more is somebody dead.
fn before_threads(_: &Stream) -> usize {
    6
}

#[test]
fn a_device_named_auto_waits_for_its_server_first() {
    const NAME: &str = "a_device_named_auto_waits_for_its_server_first";
    if !is_child() {
        return with_jack_name(NAME);
    }
    let first = server(48_000, 256);
    let told = Told::default();
    let (stream, _) = counting(&Request::default(), &told);
    assert_eq!(stream.format().backend, Backend::Jack);
    first.kill();
    told.wait(lost);
    let second = server(48_000, 256);
    let DeviceEvent::Restored { format } = told.wait(restored) else { unreachable!() };
    assert_eq!(format.backend, Backend::Jack);
    comes_back("close()", move || stream.close());
    drop(second);
}

#[test]
fn the_map_of_times_follows_jack_and_the_clock() {
    const NAME: &str = "the_map_of_times_follows_jack_and_the_clock";
    if !is_child() {
        return with_jack_name(NAME);
    }
    let server = server(48_000, 512);
    for backend in [Backend::Jack, Backend::Clock] {
        twice(|| {
            let told = Told::default();
            let (stream, frames) = counting(&Request { backend, ..Request::default() }, &told);
            std::thread::sleep(Duration::from_millis(1_500));
            let mut worst = 0.0f64;
            for _ in 0..200 {
                let now = monotonic_ns() as f64;
                let mapped = stream.frame_at(now).expect("it has a clock");
                let rendered = frames.load(Ordering::Relaxed) as f64;
                // What is asked for now lies in the block that was rendered last, or is just to be.
                worst = worst.max((mapped - rendered + 256.0).abs());
                let later = stream.frame_at(now + 1e9).expect("it has a clock");
                assert!(((later - mapped) / 48_000.0 - 1.0).abs() < 0.01, "{backend}: {later} {mapped}");
                std::thread::sleep(Duration::from_millis(2));
            }
            println!("note: {backend}: at most {worst} frames from the middle of a block");
            stream.close();
            // Half a block, and what a busy machine adds to the time between two lines of this test.
            if worst < 512.0 { Ok(()) } else { Err(format!("{backend}: {worst} frames")) }
        });
    }
    drop(server);
}
