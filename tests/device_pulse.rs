//! A real PulseAudio with a null sink, spoken to by its protocol.

#![cfg(all(feature = "device", target_os = "linux"))]

mod device_common;

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use device_common::{
    Pulse, Told, alone, assert_kernel_agrees, comes_back, has, is_child, not_run, threads, turn, twice,
    wait_for,
};
use ictus::device::{Backend, DeviceError, DeviceEvent, Request, Stream, list, open};

fn pulse() -> Request {
    Request { backend: Backend::PulseAudio, ..Request::default() }
}

fn silent(request: &Request) -> Result<Stream, DeviceError> {
    open(request, |_| Box::new(|out: &mut [f32]| out.fill(0.0)), Arc::new(|_| {}))
}

/// Runs a test alone with a PulseAudio of its own.
fn with_pulse(test: &str, auth: &str) {
    let _turn = turn();
    let folder = std::env::temp_dir().join(format!("ictus-{}-{test}", std::process::id()));
    if let Some(server) = Pulse::start_in(folder.to_string_lossy().into_owned(), auth) {
        let pid = server.pid().to_string();
        let env = [
            ("PULSE_SERVER", server.address.as_str()),
            ("PULSE_PID", &pid),
            ("PULSE_FOLDER", &server.folder),
            ("XDG_RUNTIME_DIR", &server.folder),
            ("HOME", &server.folder),
            ("JACK_DEFAULT_SERVER", "ictus-nobody"),
            ("JACK_NO_START_SERVER", "1"),
        ];
        alone(test, &[], &env);
    }
}

const ANONYMOUS: &str = "auth-anonymous=1";

#[test]
fn pulseaudio_is_paced_listed_and_found_by_name() {
    const NAME: &str = "pulseaudio_is_paced_listed_and_found_by_name";
    if !is_child() {
        return with_pulse(NAME, ANONYMOUS);
    }
    let sinks: Vec<_> = list().into_iter().filter(|d| d.backend == Backend::PulseAudio).collect();
    assert_eq!(sinks.len(), 1, "{sinks:?}");
    assert_eq!((sinks[0].id.as_str(), sinks[0].is_default, sinks[0].channels), ("ictus", true, 2));
    assert_eq!(sinks[0].sample_rates, [48_000]);
    // Root, as whom tests run in a container, is known by its user id; nobody has a cookie here.
    for (device, rate, channels) in
        [(None, None, 2), (Some("ictus"), Some(44_100), 6), (Some(sinks[0].name.as_str()), Some(48_000), 1)]
    {
        twice(|| {
            let frames = Arc::new(AtomicU64::new(0));
            let theirs = frames.clone();
            let request =
                Request { device: device.map(str::to_owned), sample_rate: rate, channels, ..pulse() };
            let stream = open(
                &request,
                |format| {
                    assert_eq!(
                        (format.backend, format.sample_rate, format.device_rate, format.channels),
                        (Backend::PulseAudio, rate.unwrap_or(48_000), 48_000, channels)
                    );
                    Box::new(move |out: &mut [f32]| {
                        theirs.fetch_add(out.len() as u64 / u64::from(channels), Ordering::Relaxed);
                        out.fill(0.0);
                    })
                },
                Arc::new(|_| {}),
            )
            .expect("the server runs");
            println!("note: {:?} {:?}", stream.format(), stream.realtime());
            assert_kernel_agrees(&stream.realtime());
            // The null sink begins with two seconds of its own.
            wait_for("the server to ask again", || stream.counters().callbacks.get() > 20);
            let (start, before) = (Instant::now(), frames.load(Ordering::Relaxed));
            std::thread::sleep(Duration::from_secs(1));
            let rendered = frames.load(Ordering::Relaxed) - before;
            let wanted = f64::from(stream.format().sample_rate) * start.elapsed().as_secs_f64();
            assert!(stream.output_latency() > 0.001, "{} s", stream.output_latency());
            comes_back("close()", move || stream.close());
            let ratio = rendered as f64 / wanted;
            if (0.85..1.15).contains(&ratio) { Ok(()) } else { Err(format!("{ratio} of the wall clock")) }
        });
    }
}

/// A ramp of whole numbers below 2²⁴ is exact in f32, and so is what arrives.
#[test]
fn what_is_rendered_arrives_bit_for_bit() {
    const NAME: &str = "what_is_rendered_arrives_bit_for_bit";
    if !is_child() {
        if !has("parec") {
            return not_run("pulseaudio-utils is not installed");
        }
        return with_pulse(NAME, ANONYMOUS);
    }
    twice(|| {
        let mut next = 0u32;
        let stream = open(
            &pulse(),
            |_| {
                Box::new(move |out: &mut [f32]| {
                    for frame in out.chunks_mut(2) {
                        next = (next + 1) % (1 << 20);
                        frame[0] = (next as f32 - 524_288.0) / 1_048_576.0;
                        frame[1] = -frame[0];
                    }
                })
            },
            Arc::new(|_| {}),
        )
        .expect("the server runs");
        let recorded = Command::new("timeout")
            .args(["3", "parec", "-d", "ictus.monitor", "--format=float32le", "--rate=48000"])
            .args(["--channels=2", "--raw", "--latency-msec=20"])
            .output()
            .expect("parec starts");
        stream.close();
        let values: Vec<f32> = recorded
            .stdout
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four")))
            .collect();
        let frames: Vec<(f32, f32)> = values.chunks_exact(2).map(|frame| (frame[0], frame[1])).collect();
        let frames = frames.split(|frame| *frame == (0.0, 0.0)).max_by_key(|run| run.len()).unwrap_or(&[]);
        assert!(frames.iter().all(|(left, right)| *left == -*right), "both sides");
        let step = 1.0 / 1_048_576.0;
        let kept = frames.windows(2).filter(|two| two[1].0 - two[0].0 == step).count();
        println!("note: {kept} of {} frames follow the one before", frames.len());
        if frames.len() > 48_000 && kept + 1 == frames.len() {
            Ok(())
        } else {
            Err(format!("{} frames arrived, {kept} in order", frames.len()))
        }
    });
}

#[test]
fn a_server_that_knows_only_its_own_user_knows_us() {
    const NAME: &str = "a_server_that_knows_only_its_own_user_knows_us";
    if !is_child() {
        return with_pulse(NAME, "");
    }
    assert!(silent(&pulse()).is_ok(), "there is no cookie file, and none is needed");
}

#[test]
fn auto_takes_pulseaudio_where_no_jack_runs() {
    const NAME: &str = "auto_takes_pulseaudio_where_no_jack_runs";
    if !is_child() {
        return with_pulse(NAME, ANONYMOUS);
    }
    let stream = silent(&Request::default()).expect("the server runs");
    assert_eq!(stream.format().backend, Backend::PulseAudio);
}

#[test]
fn what_is_missing_is_said_with_what_to_do() {
    const NAME: &str = "what_is_missing_is_said_with_what_to_do";
    if !is_child() {
        let _turn = turn();
        return alone(NAME, &[], &[("PULSE_SERVER", "unix:/nonexistent/socket")]);
    }
    let Err(DeviceError::NoDevice(message)) = silent(&pulse()) else { panic!("there is no server") };
    for part in ["/nonexistent/socket", "pipewire-pulse", "PULSE_SERVER", "'alsa'"] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
    let device = Some("nothing like it".to_owned());
    assert!(matches!(silent(&Request { device, ..pulse() }), Err(DeviceError::NoDevice(_))));
}

#[test]
fn thirty_streams_leave_no_thread_and_no_file() {
    const NAME: &str = "thirty_streams_leave_no_thread_and_no_file";
    if !is_child() {
        return with_pulse(NAME, ANONYMOUS);
    }
    let files = || std::fs::read_dir("/proc/self/fd").expect("proc is there").count();
    silent(&pulse()).expect("the server runs").close();
    list();
    let before = (threads(), files());
    for _ in 0..30 {
        silent(&pulse()).expect("the server runs").close();
        list();
    }
    wait_for("the last thread to be gone", || threads() <= before.0);
    assert!(files() <= before.1, "{} files, before {}", files(), before.1);
}

#[test]
fn a_killed_pulseaudio_is_lost_and_comes_back() {
    const NAME: &str = "a_killed_pulseaudio_is_lost_and_comes_back";
    if !is_child() {
        return with_pulse(NAME, ANONYMOUS);
    }
    let told = Told::default();
    let stream = open(&pulse(), |_| Box::new(|out: &mut [f32]| out.fill(0.0)), told.events())
        .expect("the server runs");
    let pid = std::env::var("PULSE_PID").unwrap();
    assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    println!("note: {:?}", told.wait(|event| matches!(event, DeviceEvent::Lost { .. })));
    let at = stream.counters().frames.get();
    wait_for("the clock to go on", || stream.counters().frames.get() > at + 4_800);
    let server =
        Pulse::start_in(std::env::var("PULSE_FOLDER").unwrap(), ANONYMOUS).expect("it has run before");
    told.wait(|event| matches!(event, DeviceEvent::Restored { .. }));
    let at = stream.counters().frames.get();
    wait_for("the server to ask", || stream.counters().frames.get() > at + 4_800);
    comes_back("close()", move || stream.close());
    assert_eq!(told.seen().iter().filter(|e| matches!(e, DeviceEvent::Lost { .. })).count(), 1);
    drop(server);
}

/// The default changes: the server takes the stream along, and it is told.
#[test]
fn a_stream_that_names_no_sink_follows_the_default() {
    const NAME: &str = "a_stream_that_names_no_sink_follows_the_default";
    if !is_child() {
        if !has("pactl") {
            return not_run("pulseaudio-utils is not installed");
        }
        return with_pulse(NAME, ANONYMOUS);
    }
    let pactl = |words: &[&str]| {
        let output = Command::new("pactl").args(words).output().expect("pactl starts");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let told = Told::default();
    let stream = open(&pulse(), |_| Box::new(|out: &mut [f32]| out.fill(0.0)), told.events())
        .expect("the server runs");
    pactl(&["load-module", "module-null-sink", "sink_name=headphones"]);
    pactl(&["set-default-sink", "headphones"]);
    let event = told.wait(|event| matches!(event, DeviceEvent::Changed { .. }));
    let DeviceEvent::Changed { message } = event else { unreachable!() };
    assert!(message.contains("'headphones'"), "{message}");
    let at = stream.counters().frames.get();
    wait_for("it to go on", || stream.counters().frames.get() > at + 4_800);
    assert!(!told.seen().iter().any(|e| matches!(e, DeviceEvent::Lost { .. })));
    comes_back("close()", move || stream.close());
}
