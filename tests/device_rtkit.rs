//! rtkit with its real daemon: on a system bus of this test's own, with the real polkit to agree or not. Where root
//! has no CAP_SYS_NICE the kernel refuses it like anybody else, and polkit allows root everything: so what is granted
//! here comes from rtkit.

#![cfg(all(feature = "device", target_os = "linux"))]

mod device_common;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use device_common::{Told, alone, assert_kernel_agrees, has, is_child, not_run, turn, wait_for};
use ictus::device::{Backend, DeviceEvent, RealtimeRequest, Request, Stream, open, rtkit_info};

const WITHOUT_SYS_NICE: [&str; 3] = ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"];

fn first_of(paths: &[&str]) -> Option<PathBuf> {
    paths.iter().map(PathBuf::from).find(|path| path.is_file())
}

/// A system bus in a folder of its own, rtkit on it, and polkit where it is wanted. Stopped when dropped.
struct Rtkit {
    folder: PathBuf,
    children: Vec<Child>,
}

impl Rtkit {
    fn start(with_polkit: bool) -> Option<Self> {
        let rtkit =
            first_of(&["/usr/libexec/rtkit-daemon", "/usr/lib/rtkit-daemon", "/usr/lib/rtkit/rtkit-daemon"]);
        let polkit = first_of(&["/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd"]);
        let (Some(rtkit), Some(polkit)) = (rtkit, polkit) else {
            not_run("rtkit or polkit is not installed");
            return None;
        };
        if !has("dbus-daemon") || !has("setpriv") {
            not_run("dbus-daemon or setpriv is not installed");
            return None;
        }
        // SAFETY: takes nothing and cannot fail.
        if unsafe { libc::geteuid() } != 0 {
            device_common::does_not_apply("only root can start rtkit");
            return None;
        }
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("ictus-{}-rtkit-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder takes a folder");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&folder, open).expect("it is ours");
        let mut server = Self { folder, children: Vec::new() };
        let config = server.folder.join("bus.conf");
        // All may own and send all: it is nobody's bus but this test's.
        let text = format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>{}</listen><auth>EXTERNAL</auth><policy context="default"><allow user="*"/>
<allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/><allow send_requested_reply="true"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/>
<allow receive_type="signal"/></policy></busconfig>"#,
            server.address()
        );
        std::fs::write(&config, text).expect("the temporary folder takes a file");
        let config = format!("--config-file={}", config.display());
        server.spawn(Path::new("dbus-daemon"), &[&config, "--nofork", "--nopidfile"]);
        wait_for("the bus", || server.folder.join("bus").exists());
        if with_polkit {
            server.spawn(&polkit, &["--no-debug"]);
            server.wait_for_name("org.freedesktop.PolicyKit1");
        }
        // Its canary would call a loaded test machine starved, and then refuse everybody for minutes.
        server.spawn(&rtkit, &["--no-canary"]);
        server.wait_for_name("org.freedesktop.RealtimeKit1");
        Some(server)
    }

    fn address(&self) -> String {
        format!("unix:path={}", self.folder.join("bus").display())
    }

    fn spawn(&mut self, program: &Path, arguments: &[&str]) {
        let mut command = Command::new(program);
        command.args(arguments).env("DBUS_SYSTEM_BUS_ADDRESS", self.address());
        // Never a file: rtkit allows itself files of no bytes, and dies at the first.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.children.push(command.spawn().expect("it is installed"));
    }

    fn wait_for_name(&self, name: &str) {
        wait_for(name, || {
            let mut asks = Command::new("dbus-send");
            asks.env("DBUS_SYSTEM_BUS_ADDRESS", self.address());
            asks.args(["--system", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"]);
            asks.args(["org.freedesktop.DBus.NameHasOwner", &format!("string:{name}")]);
            asks.output().is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("boolean true"))
        });
    }
}

impl Drop for Rtkit {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Runs this test again where only rtkit can give priority. True in the test itself.
fn with_rtkit(name: &str, with_polkit: bool, wrapper: &[&str]) -> bool {
    if is_child() {
        return true;
    }
    let _turn = turn();
    let Some(server) = Rtkit::start(with_polkit) else { return false };
    let wrapper = [&WITHOUT_SYS_NICE, wrapper].concat();
    alone(name, &wrapper, &[("DBUS_SYSTEM_BUS_ADDRESS", &server.address())]);
    false
}

fn clock(render: impl FnMut(&mut [f32]) + Send + 'static, told: &Told) -> Stream {
    let request = Request { backend: Backend::Clock, ..Request::default() };
    open(&request, |_| Box::new(render), told.events()).expect("the clock always opens")
}

/// (soft, hard), µs.
fn rttime() -> (u64, u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a live, writable rlimit.
    unsafe { libc::getrlimit(libc::RLIMIT_RTTIME, &mut limit) };
    (limit.rlim_cur, limit.rlim_max)
}

#[test]
fn what_the_kernel_refuses_rtkit_gives() {
    if !with_rtkit("what_the_kernel_refuses_rtkit_gives", true, &[]) {
        return;
    }
    assert_eq!(rttime().1, libc::RLIM_INFINITY, "nobody has been asked yet");
    let info = rtkit_info().expect("it runs");
    assert_eq!((info.max_priority, info.max_rttime_us), (20, 200_000)); // rtkit's defaults
    let stream = clock(|out| out.fill(0.0), &Told::default());
    let status = stream.realtime();
    assert_kernel_agrees(&status);
    assert_eq!((status.policy, status.priority, status.via), ("SCHED_RR", 20, "rtkit"));
    assert!(status.granted);
    assert!(status.reason.expect("70 was asked for").starts_with("priority 20 instead of 70: rtkit"));
    assert_eq!(rttime(), (150_000, 200_000));
    assert_eq!(stream.format().buffer_size, 128, "the buffer of a thread that is woken in time");
}

#[test]
fn a_priority_below_rtkits_own_is_given_as_asked() {
    if !with_rtkit("a_priority_below_rtkits_own_is_given_as_asked", true, &[]) {
        return;
    }
    let realtime = Some(RealtimeRequest { priority: 7, required: true, ..RealtimeRequest::default() });
    let request = Request { backend: Backend::Clock, realtime, ..Request::default() };
    let stream = open(&request, |_| Box::new(|out: &mut [f32]| out.fill(0.0)), Arc::new(|_| {}))
        .expect("it is granted");
    let status = stream.realtime();
    assert_kernel_agrees(&status);
    assert_eq!((status.priority, status.via, status.reason), (7, "rtkit", None));
}

/// Polkit gives it to those who are logged in at the machine, which nobody is here.
#[test]
fn what_polkit_does_not_allow_is_told() {
    let user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    // Not root any more: the test program must lie where that user can read it.
    const NAME: &str = "what_polkit_does_not_allow_is_told";
    if is_child() {
        let status = clock(|out| out.fill(0.0), &Told::default()).realtime();
        assert_eq!((status.via, status.policy), ("none", "SCHED_OTHER"));
        let reason = status.reason.expect("it is denied");
        assert!(reason.contains("polkit does not allow") && reason.contains("EPERM"), "{reason}");
        return;
    }
    let _turn = turn();
    let Some(server) = Rtkit::start(true) else { return };
    let copy = server.folder.join("test");
    std::fs::copy(std::env::current_exe().expect("the test knows its program"), &copy)
        .expect("there is room");
    let mut command = Command::new(WITHOUT_SYS_NICE[0]);
    command.args(&WITHOUT_SYS_NICE[1..]).args(user).arg(&copy).args([NAME, "--exact", "--nocapture"]);
    command.env("ICTUS_TEST_CHILD", "1").env("DBUS_SYSTEM_BUS_ADDRESS", server.address()).current_dir("/");
    let output = command.output().expect("setpriv starts");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_daemon_that_cannot_ask_polkit_says_so() {
    if !with_rtkit("a_daemon_that_cannot_ask_polkit_says_so", false, &[]) {
        return;
    }
    let reason = clock(|out| out.fill(0.0), &Told::default()).realtime().reason.expect("it is denied");
    assert!(reason.contains("EPERM") && reason.contains("rtkit refused it"), "{reason}");
}

/// A thread that works through every block and never sleeps: the watchdog is faster than RLIMIT_RTTIME.
#[test]
fn the_watchdog_demotes_before_the_kernel_ends_the_process() {
    if !with_rtkit("the_watchdog_demotes_before_the_kernel_ends_the_process", true, &[]) {
        return;
    }
    let told = Told::default();
    let spins = Arc::new(AtomicBool::new(false));
    let theirs = spins.clone();
    let stream = clock(
        move |out| {
            let start = Instant::now();
            // A block lasts 2.7 ms.
            while theirs.load(Ordering::Relaxed) && start.elapsed() < Duration::from_millis(5) {}
            out.fill(0.0);
        },
        &told,
    );
    assert_eq!(stream.realtime().via, "rtkit");
    spins.store(true, Ordering::Relaxed);
    let event = told.wait(|event| matches!(event, DeviceEvent::Demoted { .. }));
    spins.store(false, Ordering::Relaxed);
    assert!(format!("{event:?}").contains("% of a core"), "{event:?}");
    let status = stream.realtime();
    assert_kernel_agrees(&status);
    assert_eq!((status.policy, status.via), ("SCHED_OTHER", "none"));
}

/// A closure that does not come back: no watchdog in that thread can see it. The kernel does, and sends SIGXCPU, which
/// would end the process.
#[test]
fn a_render_that_never_returns_loses_its_priority_and_the_process_lives() {
    if !with_rtkit("a_render_that_never_returns_loses_its_priority_and_the_process_lives", true, &[]) {
        return;
    }
    let spins = Arc::new(AtomicBool::new(false));
    let theirs = spins.clone();
    let stream = clock(
        move |out| {
            while theirs.load(Ordering::Relaxed) {}
            out.fill(0.0);
        },
        &Told::default(),
    );
    assert_eq!(stream.realtime().via, "rtkit");
    spins.store(true, Ordering::Relaxed);
    wait_for("the demotion", || stream.realtime().policy == "SCHED_OTHER");
    // Well past the hard limit of 200 ms.
    std::thread::sleep(Duration::from_millis(500));
    let status = stream.realtime();
    spins.store(false, Ordering::Relaxed);
    assert!(status.reason.expect("it was taken away").contains("RLIMIT_RTTIME"));
}
