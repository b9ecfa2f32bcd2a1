//! What the device tests share: running one test in a process of its own, and JACK servers.
//!
//! Environment (JACK_DEFAULT_SERVER, ALSA_CONFIG_PATH), privileges and thread counts belong to a process, so
//! a test that depends on one starts the test program again for itself alone.

#![allow(dead_code)]

use std::{
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use ictus::device::{DeviceEvent, Events, RealtimeStatus};

const CHILD: &str = "ICTUS_TEST_CHILD";

/// Whether this process was started by [`alone`].
pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs the named test again, alone in a process, under `wrapper` and with `env`; panics with its output
/// when it fails or writes anything to stderr.
pub fn alone(test: &str, wrapper: &[&str], env: &[(&str, &str)]) {
    let output = run(test, wrapper, env);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{test} failed in its own process\n{out}\n{err}");
    assert!(err.is_empty(), "{test}: stderr must be empty, it has\n{err}");
    for line in out.lines() {
        if let Some(at) = line.find("note:") {
            println!("{}", &line[at..]);
        }
    }
}

fn run(test: &str, wrapper: &[&str], env: &[(&str, &str)]) -> Output {
    let program = std::env::current_exe().expect("the test knows its program");
    let mut words: Vec<String> = wrapper.iter().map(ToString::to_string).collect();
    words.push(program.to_string_lossy().into_owned());
    words.extend([test, "--exact", "--nocapture", "--test-threads=1"].map(str::to_owned));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env(CHILD, "1").envs(env.iter().copied());
    command.output().expect("the test program starts")
}

/// Tests that need a machine to themselves (two cores, threads with real-time priority) take turns.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Events that were told, for looking at.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<Vec<DeviceEvent>>>);

impl Told {
    pub fn events(&self) -> Events {
        let ours = self.0.clone();
        Arc::new(move |event| ours.lock().unwrap().push(event))
    }

    pub fn seen(&self) -> Vec<DeviceEvent> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until an event is there; the limit only bounds a failure.
    pub fn wait(&self, is_it: impl Fn(&DeviceEvent) -> bool) -> DeviceEvent {
        let mut found = None;
        wait_for("an event", || {
            found = self.seen().into_iter().find(&is_it);
            found.is_some()
        });
        found.expect("wait_for returned")
    }
}

/// Waits until something holds; the limit of 20 s only bounds a failure.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs something that must come back; the limit of 30 s only bounds a failure.
pub fn comes_back<T: Send + 'static>(what: &str, job: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || send.send(job()));
    receive.recv_timeout(Duration::from_secs(30)).unwrap_or_else(|_| panic!("{what} does not come back"))
}

/// Once more when it fails: virtual machines stall for milliseconds now and then.
pub fn twice(attempt: impl Fn() -> Result<(), String>) {
    if let Err(first) = attempt() {
        println!("note: tried again after: {first}");
        if let Err(second) = attempt() {
            panic!("{second} (and before that: {first})");
        }
    }
}

/// Scheduling policy and real-time priority of a thread of this process, from /proc (fields 41 and 40 of
/// proc_pid_stat(5)): another way to the truth than the one under test.
pub fn kernel_says(thread_id: u64) -> (u32, u32) {
    let stat =
        std::fs::read_to_string(format!("/proc/self/task/{thread_id}/stat")).expect("the thread lives");
    let after_name = stat.rsplit_once(')').expect("proc_pid_stat has a name in brackets").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect(); // fields[0] is field 3
    (fields[41 - 3].parse().unwrap(), fields[40 - 3].parse().unwrap())
}

/// The status must be what /proc says.
pub fn assert_kernel_agrees(status: &RealtimeStatus) {
    let (policy, priority) = kernel_says(status.thread_id);
    let name = ["SCHED_OTHER", "SCHED_FIFO", "SCHED_RR"][policy as usize];
    assert_eq!((status.policy, status.priority), (name, priority as i32));
}

/// Threads of this process.
pub fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("Linux").count()
}

/// Prints why a test has nothing to look at on this machine, whatever is installed.
pub fn does_not_apply(why: &str) {
    println!("note: not run: {why}");
}

/// Prints which program a test lacks, or fails where they are required (`ICTUS_REQUIRE_SERVERS=1`).
pub fn not_run(why: &str) {
    assert!(std::env::var_os("ICTUS_REQUIRE_SERVERS").is_none(), "not run: {why}");
    println!("note: not run: {why}");
}

/// Whether a program is in PATH.
pub fn has(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// A jackd with the dummy driver under a name of its own. Killed when dropped.
pub struct Jackd {
    pub name: String,
    child: Child,
}

impl Jackd {
    /// `None`, with the reason printed, where jackd is not installed.
    pub fn start(realtime: bool, rate: u32, period: u32) -> Option<Self> {
        if !has("jackd") {
            not_run("jackd is not installed");
            return None;
        }
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ictus-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Some(Self::named(name, realtime, rate, period))
    }

    /// One with this name, which must not be running: to start again what was ended.
    pub fn named(name: String, realtime: bool, rate: u32, period: u32) -> Self {
        let mut command = Command::new("jackd");
        command.args(["-n", &name]);
        command.args(if realtime { ["-R", "-P70"].as_slice() } else { ["-r"].as_slice() });
        command.args(["-d", "dummy", "-r", &rate.to_string(), "-p", &period.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("jackd starts");
        let server = Self { name, child };
        wait_for("jackd", || {
            // A client that opens while another does may hang for ever: then once more.
            let mut asks = Command::new("timeout");
            asks.args(["-s", "KILL", "2", "jack_lsp"])
                .env("JACK_DEFAULT_SERVER", &server.name)
                .env("JACK_NO_START_SERVER", "1");
            let output = asks.output();
            output.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains("system:playback_1"))
        });
        server
    }

    /// Ends it on the spot, without cleaning up: another of the same name is to follow.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        std::mem::forget(self);
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Jackd {
    /// JACK has eight places for servers on a machine, and one that was killed keeps its place until another
    /// of the same name has come and gone: so one is started, and ended as it should be.
    fn drop(&mut self) {
        let killed = self.child.try_wait().is_ok_and(|status| status.is_some_and(|s| s.signal() == Some(9)));
        end(&mut self.child);
        if killed {
            let mut command = Command::new("jackd");
            command.args(["-n", &self.name, "-r", "-d", "dummy"]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if let Ok(mut child) = command.spawn() {
                std::thread::sleep(Duration::from_millis(500));
                end(&mut child);
            }
        }
        // What clients of a dead server leave.
        for file in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            if name.starts_with("jack_sem.") && name.contains(&format!("_{}_", self.name)) {
                let _ = std::fs::remove_file(file.path());
            }
        }
    }
}

/// The tidy way first: it removes the server's shared memory.
fn end(child: &mut Child) {
    let _ = Command::new("kill").arg(child.id().to_string()).status();
    let start = Instant::now();
    while matches!(child.try_wait(), Ok(None)) && start.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// A PulseAudio with a null sink, in a folder of its own. Killed when dropped.
pub struct Pulse {
    pub folder: String,
    pub address: String,
    child: Child,
}

impl Pulse {
    /// `None`, with the reason printed, where it does not come up.
    pub fn start() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("ictus-{}-{n}-pulse", std::process::id()));
        Self::start_in(folder.to_string_lossy().into_owned(), "auth-anonymous=1")
    }

    /// The same in a folder that one was killed in, perhaps; `auth`: how it knows its clients.
    pub fn start_in(folder: String, auth: &str) -> Option<Self> {
        if !has("pulseaudio") {
            not_run("pulseaudio is not installed");
            return None;
        }
        std::fs::create_dir_all(&folder).expect("the temporary folder takes a folder");
        let socket = PathBuf::from(&folder).join("socket");
        let _ = std::fs::remove_file(&socket);
        let protocol = format!("module-native-protocol-unix {auth} socket={}", socket.display());
        let mut command = Command::new("pulseaudio");
        command.args(["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "-L", &protocol]);
        command.args(["-L", "module-null-sink sink_name=ictus rate=48000 channels=2 format=float32le"]);
        command.env("XDG_RUNTIME_DIR", &folder).env("HOME", &folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("pulseaudio starts");
        let server = Self { folder, address: format!("unix:{}", socket.display()), child };
        let start = Instant::now();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            if start.elapsed() > Duration::from_secs(5) {
                not_run("pulseaudio does not come up here");
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(server)
    }

    /// Ends it on the spot; another is to follow in its folder.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        std::mem::forget(self);
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        end(&mut self.child);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A file in a temporary folder of its own, both removed when dropped.
pub struct TempFile(pub PathBuf);

impl TempFile {
    pub fn new(name: &str, text: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ictus-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder takes a folder");
        let path = folder.join(name);
        std::fs::write(&path, text).expect("the temporary folder takes a file");
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if let Some(folder) = self.0.parent() {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
