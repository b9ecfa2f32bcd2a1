//! Real servers: `jackd -d dummy` under names of its own, and ALSA devices that need no card. JACK is the
//! truth here: its callbacks are exactly the period, its threads have SCHED_FIFO by themselves, and killing
//! it is how a device is lost.

#![cfg(all(feature = "device", target_os = "linux"))]

mod device_common;

use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use device_common::{
    Jackd, Pulse, TempFile, Told, alone, assert_kernel_agrees, comes_back, does_not_apply, has, is_child,
    kernel_says, not_run, threads, turn, twice, wait_for,
};
use ictus::device::{Backend, DeviceError, DeviceEvent, Request, Stream, list, open};

fn on(backend: Backend) -> Request {
    Request { backend, ..Request::default() }
}

fn silent(request: &Request) -> Result<Stream, DeviceError> {
    open(request, |_| Box::new(|out: &mut [f32]| out.fill(0.0)), Arc::new(|_| {}))
}

/// Runs a test alone against a JACK server of its own.
fn with_jackd(test: &str, realtime: bool, rate: u32, period: u32) {
    let _turn = turn();
    if let Some(server) = Jackd::start(realtime, rate, period) {
        let pid = server.pid().to_string();
        alone(test, &[], &[("JACK_DEFAULT_SERVER", &server.name), ("JACKD_PID", &pid)]);
    }
}

/// Runs a test alone with an ALSA configuration of its own after the system's, and no JACK server but
/// `server`.
fn with_alsa(test: &str, text: &str, server: Option<&Jackd>) {
    let file = TempFile::new(&format!("{test}.conf"), text);
    let path = format!("/usr/share/alsa/alsa.conf:{}", file.0.display());
    let name = server.map_or("ictus-nobody", |server| &server.name);
    let pid = server.map_or(0, Jackd::pid).to_string();
    let env = [("ALSA_CONFIG_PATH", path.as_str()), ("JACK_DEFAULT_SERVER", name), ("JACKD_PID", &pid)];
    alone(test, &[], &env);
}

/// Runs a test alone with ALSA devices that play into a JACK server of their own.
fn with_alsa_over_jack(test: &str) {
    let plugin = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"]
        .iter()
        .any(|dir| Path::new(dir).join("alsa-lib/libasound_module_pcm_jack.so").exists());
    if !plugin {
        return not_run("libasound2-plugins is not installed");
    }
    let _turn = turn();
    let Some(server) = Jackd::start(true, 48_000, 128) else { return };
    let text = "pcm.ictus { type jack name ictus playback_ports { 0 system:playback_1 1 system:playback_2 }\n\
                hint { show on description \"Ictus test\" } }\n\
                pcm.integers { type lfloat slave { pcm \"ictus\" format FLOAT }\n\
                hint { show on description \"Ictus without floats\" } }\n\
                pcm.!default { type plug slave { pcm \"ictus\" } }\n";
    with_alsa(test, text, Some(&server));
}

/// A default device that no machine has.
const NO_CARD: &str = "pcm.!default { type hw card 31 }\nctl.!default { type hw card 31 }\n";

#[test]
fn jack_calls_back_with_exactly_its_period_on_its_own_fifo_thread() {
    const NAME: &str = "jack_calls_back_with_exactly_its_period_on_its_own_fifo_thread";
    if !is_child() {
        return with_jackd(NAME, true, 48_000, 64);
    }
    twice(|| {
        let told = Told::default();
        let sizes = [(); 2].map(|()| Arc::new(AtomicU64::new(64)));
        let [smallest, largest] = sizes.clone();
        let stream = open(
            &on(Backend::Jack),
            |format| {
                assert_eq!((format.sample_rate, format.buffer_size, format.channels), (48_000, 64, 2));
                assert_eq!((format.backend, format.device.as_str()), (Backend::Jack, "JACK Output"));
                Box::new(move |out: &mut [f32]| {
                    let frames = out.len() as u64 / 2;
                    smallest.fetch_min(frames, Ordering::Relaxed);
                    largest.fetch_max(frames, Ordering::Relaxed);
                    out.fill(0.0);
                })
            },
            told.events(),
        )
        .expect("the server runs");
        let status = stream.realtime();
        println!("note: {status:?}, latency {} s", stream.output_latency());
        assert_kernel_agrees(&status);
        // The server has real-time priority only where the kernel grants it.
        let server: u32 = std::env::var("JACKD_PID").unwrap().parse().unwrap();
        if Command::new("sh")
            .arg("-c")
            .arg(format!("ps -L -o cls= -p {server} | grep -q FF"))
            .status()
            .unwrap()
            .success()
        {
            assert_eq!((status.policy, status.via, status.granted), ("SCHED_FIFO", "server", true));
            assert_eq!(status.reason, None);
        } else {
            does_not_apply("jackd has no real-time thread here");
        }
        let (start, before) = (Instant::now(), stream.counters().frames.get());
        std::thread::sleep(Duration::from_millis(500));
        let rendered = stream.counters().frames.get() - before;
        let ratio = rendered as f64 / (start.elapsed().as_secs_f64() * 48_000.0);
        let jitter = stream.counters().jitter_us.snapshot();
        println!(
            "note: {ratio:.4} of the wall clock, jitter p50 {} p99 {} µs, load {:.4}, {} xruns",
            jitter.p50,
            jitter.p99,
            stream.counters().load.load(),
            stream.counters().xruns.get()
        );
        stream.close();
        let seen = sizes.map(|size| size.load(Ordering::Relaxed));
        assert_eq!(seen, [64, 64], "smallest and largest callback");
        if (0.9..1.1).contains(&ratio) { Ok(()) } else { Err(format!("ratio {ratio}")) }
    });
}

#[test]
fn a_server_without_real_time_gets_our_own() {
    const NAME: &str = "a_server_without_real_time_gets_our_own";
    if !is_child() {
        return with_jackd(NAME, false, 48_000, 256);
    }
    let stream = silent(&on(Backend::Jack)).expect("the server runs");
    let status = stream.realtime();
    assert_kernel_agrees(&status);
    println!("note: {status:?}");
    assert!(if status.granted { ["direct", "rtkit"].contains(&status.via) } else { status.via == "none" });
}

#[test]
fn a_rate_that_the_server_does_not_run_at_is_converted() {
    const NAME: &str = "a_rate_that_the_server_does_not_run_at_is_converted";
    if !is_child() {
        return with_jackd(NAME, true, 96_000, 256);
    }
    twice(|| {
        let frames = Arc::new(AtomicU64::new(0));
        let theirs = frames.clone();
        let stream = open(
            &Request { sample_rate: Some(44_100), ..on(Backend::Jack) },
            |format| {
                assert_eq!((format.sample_rate, format.device_rate, format.channels), (44_100, 96_000, 2));
                assert_eq!(format.buffer_size, 118, "256 frames of 96 kHz");
                Box::new(move |out: &mut [f32]| {
                    theirs.fetch_add(out.len() as u64 / 2, Ordering::Relaxed);
                    out.fill(0.0);
                })
            },
            Arc::new(|_| {}),
        )
        .expect("the server runs");
        let (start, before) = (Instant::now(), frames.load(Ordering::Relaxed));
        std::thread::sleep(Duration::from_millis(500));
        let rendered = frames.load(Ordering::Relaxed) - before;
        let ratio = rendered as f64 / (start.elapsed().as_secs_f64() * 44_100.0);
        // jackd's dummy has no latency of its own to tell but its periods; the filter's is some 1.5 ms.
        assert!(stream.output_latency() > 0.001, "{}", stream.output_latency());
        if (0.9..1.1).contains(&ratio) { Ok(()) } else { Err(format!("ratio {ratio}")) }
    });
    // A buffer size is the server's, too, and is told.
    let stream = silent(&Request { buffer_size: Some(64), ..on(Backend::Jack) }).expect("the server runs");
    assert_eq!((stream.format().sample_rate, stream.format().buffer_size), (96_000, 256));
}

#[test]
fn auto_takes_a_running_jack_server_and_lists_it() {
    const NAME: &str = "auto_takes_a_running_jack_server_and_lists_it";
    if !is_child() {
        return with_jackd(NAME, true, 44_100, 128);
    }
    let stream = silent(&on(Backend::Auto)).expect("the server runs");
    assert_eq!((stream.format().backend, stream.format().sample_rate), (Backend::Jack, 44_100));
    stream.close();
    let jack: Vec<_> = list().into_iter().filter(|device| device.backend == Backend::Jack).collect();
    assert_eq!(jack.len(), 1, "{jack:?}");
    assert_eq!((jack[0].name.as_str(), jack[0].is_default), ("JACK Output", true));
    assert_eq!(
        (jack[0].sample_rates.as_slice(), jack[0].buffer_sizes),
        ([44_100].as_slice(), Some((128, 128)))
    );
}

#[test]
fn a_killed_server_is_a_lost_device_once_and_close_comes_back() {
    const NAME: &str = "a_killed_server_is_a_lost_device_once_and_close_comes_back";
    if !is_child() {
        return with_jackd(NAME, true, 48_000, 64);
    }
    let told = Told::default();
    let owned = Arc::new(());
    let theirs = owned.clone();
    let stream = open(
        &on(Backend::Jack),
        |_| {
            Box::new(move |out: &mut [f32]| {
                let _ = &theirs;
                out.fill(0.0);
            })
        },
        told.events(),
    )
    .expect("the server runs");
    let server = std::env::var("JACKD_PID").unwrap();
    assert!(Command::new("kill").args(["-9", &server]).status().unwrap().success());
    let event = told.wait(|event| matches!(event, DeviceEvent::Lost { .. }));
    println!("note: {event:?}");
    let start = Instant::now();
    comes_back("close()", move || stream.close());
    println!("note: close() came back after {:?}", start.elapsed());
    assert_eq!(Arc::strong_count(&owned), 1, "the closure has been dropped");
    assert_eq!(told.seen().iter().filter(|e| matches!(e, DeviceEvent::Lost { .. })).count(), 1);
    // And the next one says what is missing.
    match comes_back("open()", || silent(&on(Backend::Jack))) {
        Err(DeviceError::NoDevice(message)) => {
            assert!(message.contains("no JACK server is running"), "{message}")
        }
        other => panic!("{:?}", other.err()),
    }
}

#[test]
fn closing_on_a_server_that_hangs_comes_back() {
    const NAME: &str = "closing_on_a_server_that_hangs_comes_back";
    if !is_child() {
        return with_jackd(NAME, true, 48_000, 64);
    }
    let owned = Arc::new(());
    let theirs = owned.clone();
    let stream = open(
        &on(Backend::Jack),
        |_| {
            Box::new(move |out: &mut [f32]| {
                let _ = &theirs;
                out.fill(0.0);
            })
        },
        Arc::new(|_| {}),
    )
    .expect("the server runs");
    let server = std::env::var("JACKD_PID").unwrap();
    let signal = |name: &str| assert!(Command::new("kill").args([name, &server]).status().unwrap().success());
    signal("-STOP");
    let start = Instant::now();
    comes_back("close()", move || stream.close());
    println!("note: close() came back after {:?}", start.elapsed());
    let dropped = Arc::strong_count(&owned) == 1;
    signal("-CONT");
    assert!(dropped, "the closure has been dropped");
}

#[test]
fn thirty_jack_streams_leak_no_thread() {
    const NAME: &str = "thirty_jack_streams_leak_no_thread";
    if !is_child() {
        return with_jackd(NAME, true, 48_000, 128);
    }
    drop(silent(&on(Backend::Jack)).expect("the server runs"));
    let before = threads();
    for _ in 0..30 {
        silent(&on(Backend::Jack)).expect("the server runs").close();
    }
    wait_for("the last thread to be gone", || threads() <= before);
}

#[test]
fn without_any_device_there_is_an_error_and_nothing_is_printed() {
    const NAME: &str = "without_any_device_there_is_an_error_and_nothing_is_printed";
    if !is_child() {
        let _turn = turn();
        return with_alsa(NAME, NO_CARD, None);
    }
    for backend in [Backend::Auto, Backend::Alsa, Backend::Jack] {
        match silent(&on(backend)) {
            Err(DeviceError::NoDevice(message)) => {
                println!("note: {backend}: {message}");
                assert!(message.contains("'clock'"), "{message}");
            }
            Err(DeviceError::HostMissing(message)) if backend == Backend::Jack => {
                assert!(message.contains("libjack"), "{message}");
            }
            other => panic!("{backend}: {:?}", other.err()),
        }
    }
    match silent(&Request { device: Some("nulll".to_owned()), ..on(Backend::Alsa) }) {
        Err(DeviceError::NoDevice(message)) => {
            assert!(message.contains("'nulll'") && message.contains("Did you mean 'null'?"), "{message}");
        }
        other => panic!("{:?}", other.err()),
    }
    for device in list() {
        println!("note: {device:?}");
    }
}

#[test]
fn without_libjack_the_host_is_missing_and_says_what_to_install() {
    const NAME: &str = "without_libjack_the_host_is_missing_and_says_what_to_install";
    if !is_child() {
        let _turn = turn();
        // An empty file in the way of the loader: a machine without the library.
        let file = TempFile::new("libjack.so.0", "");
        let folder = file.0.parent().expect("it has a folder").to_string_lossy().into_owned();
        return alone(NAME, &[], &[("LD_LIBRARY_PATH", &folder)]);
    }
    match silent(&on(Backend::Jack)) {
        Err(DeviceError::HostMissing(message)) => assert!(message.contains("libjack-jackd2-0"), "{message}"),
        other => panic!("{:?}", other.err()),
    }
    assert!(list().iter().all(|device| device.backend != Backend::Jack));
}

#[test]
fn an_unpaced_alsa_device_is_demoted_and_can_be_closed() {
    const NAME: &str = "an_unpaced_alsa_device_is_demoted_and_can_be_closed";
    if !is_child() {
        let _turn = turn();
        return with_alsa(NAME, NO_CARD, None);
    }
    let told = Told::default();
    let request = Request { device: Some("null".to_owned()), ..on(Backend::Alsa) };
    let stream = open(&request, |_| Box::new(|out: &mut [f32]| out.fill(0.0)), told.events())
        .expect("null opens anywhere");
    assert_eq!((stream.format().backend, stream.format().device.as_str()), (Backend::Alsa, "null"));
    if stream.realtime().reason.is_some_and(|reason| reason.contains("EPERM")) {
        return does_not_apply("real-time priority is denied here, so there is nothing to lose");
    }
    let event = told.wait(|event| matches!(event, DeviceEvent::Demoted { .. }));
    println!("note: {event:?}, {} callbacks", stream.counters().callbacks.get());
    let status = stream.realtime();
    assert_kernel_agrees(&status);
    assert_eq!((status.policy, status.granted, status.via), ("SCHED_OTHER", false, "none"));
    assert_eq!(kernel_says(status.thread_id), (0, 0));
    let before = stream.counters().callbacks.get();
    wait_for("the stream to go on", || stream.counters().callbacks.get() > before);
    comes_back("close()", move || stream.close());
}

#[test]
fn alsa_over_jack_is_paced_and_keeps_its_priority() {
    const NAME: &str = "alsa_over_jack_is_paced_and_keeps_its_priority";
    if !is_child() {
        return with_alsa_over_jack(NAME);
    }
    // The last one takes no f32: there the callback converts.
    for (device, id) in
        [(None, "default"), (Some("Ictus test"), "ictus"), (Some("without floats"), "integers")]
    {
        twice(|| {
            let request = Request { device: device.map(str::to_owned), ..on(Backend::Alsa) };
            let told = Told::default();
            let stream = open(&request, |_| Box::new(|out: &mut [f32]| out.fill(0.0)), told.events())
                .expect("it opens");
            let (status, format) = (stream.realtime(), stream.format().clone());
            assert_kernel_agrees(&status);
            assert_eq!((format.backend, format.sample_rate, format.channels), (Backend::Alsa, 48_000, 2));
            assert_eq!(format.device, id);
            let (start, before) = (Instant::now(), stream.counters().frames.get());
            std::thread::sleep(Duration::from_millis(700)); // more than two windows of the watchdog
            let rendered = stream.counters().frames.get() - before;
            let ratio = rendered as f64 / (start.elapsed().as_secs_f64() * 48_000.0);
            println!("note: {format:?} {status:?}");
            println!(
                "note: {ratio:.4} of the wall clock, {} xruns, latency {} s, {:?}",
                stream.counters().xruns.get(),
                stream.output_latency(),
                told.seen()
            );
            assert_eq!(stream.realtime(), status, "a thread that sleeps is not demoted");
            comes_back("close()", move || stream.close());
            if (0.8..1.2).contains(&ratio) { Ok(()) } else { Err(format!("ratio {ratio}")) }
        });
    }
}

/// The plugin reports nothing when its server dies: that no block comes is the only sign.
#[test]
fn a_device_that_falls_silent_is_lost() {
    const NAME: &str = "a_device_that_falls_silent_is_lost";
    if !is_child() {
        return with_alsa_over_jack(NAME);
    }
    let told = Told::default();
    let stream = open(&on(Backend::Alsa), |_| Box::new(|out: &mut [f32]| out.fill(0.0)), told.events())
        .expect("it opens");
    let server = std::env::var("JACKD_PID").unwrap();
    assert!(Command::new("kill").args(["-9", &server]).status().unwrap().success());
    let event = told.wait(|event| matches!(event, DeviceEvent::Lost { .. }));
    println!("note: {event:?}");
    comes_back("close()", move || stream.close());
}

#[test]
fn pulseaudio_through_alsa_gives_the_asked_size_and_its_end_is_a_lost_device() {
    const NAME: &str = "pulseaudio_through_alsa_gives_the_asked_size_and_its_end_is_a_lost_device";
    if !is_child() {
        if !has("pulseaudio") {
            return not_run("pulseaudio is not installed");
        }
        let _turn = turn();
        let Some(server) = Pulse::start() else { return };
        let text = "pcm.ictus { type pulse hint { show on description \"Ictus test\" } }\n";
        let file = TempFile::new("pulse.conf", text);
        let path = format!("/usr/share/alsa/alsa.conf:{}", file.0.display());
        let pid = server.pid().to_string();
        let env = [
            ("ALSA_CONFIG_PATH", path.as_str()),
            ("PULSE_SERVER", &server.address),
            ("PULSE_PID", &pid),
            ("XDG_RUNTIME_DIR", &server.folder),
            ("HOME", &server.folder),
        ];
        return alone(NAME, &[], &env);
    }
    let told = Told::default();
    let request = Request { device: Some("ictus".to_owned()), buffer_size: Some(256), ..on(Backend::Alsa) };
    let stream =
        open(&request, |_| Box::new(|out: &mut [f32]| out.fill(0.0)), told.events()).expect("it opens");
    println!("note: {:?} {:?}", stream.format(), stream.realtime());
    assert_eq!(stream.format().buffer_size, 256, "not two thirds of it");
    wait_for("100 callbacks", || stream.counters().callbacks.get() > 100);
    let server = std::env::var("PULSE_PID").unwrap();
    assert!(Command::new("kill").args(["-9", &server]).status().unwrap().success());
    let event = told.wait(|event| matches!(event, DeviceEvent::Lost { .. }));
    println!("note: {event:?}");
    comes_back("close()", move || stream.close());
}
