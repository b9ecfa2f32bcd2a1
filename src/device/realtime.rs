//! Real-time priority: asked for once by the audio thread itself, and read back from the kernel (RT-12).
//!
//! Best effort: where the kernel says no the stream runs all the same, and [`RealtimeStatus::reason`] says
//! why and what helps. What is reported is never what was asked for: `sched_getscheduler` and
//! `sched_getparam` are called after the asking (glibc's pthread functions cache, so they are not used to
//! read). The asking thread is the audio thread, so everything it leaves is an integer in an atomic; the
//! sentences are made by whoever reads the status.
//!
//! What the audio thread cannot do itself, since it means talking to somebody, whoever opens the stream does
//! for it: [`Settlement::ask_rtkit`], where the kernel has refused.
//!
//! Not here: locking of memory (`memory.rs`).

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering},
};

use super::remedy::Distribution;

/// A scheduling policy that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// SCHED_FIFO: runs until it sleeps.
    Fifo,
    /// SCHED_RR: as FIFO, in turns with others of the same priority.
    Rr,
    /// SCHED_OTHER: as any other thread.
    Other,
}

impl Policy {
    /// The name in the public API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Policy::Fifo => "fifo",
            Policy::Rr => "rr",
            Policy::Other => "other",
        }
    }

    /// The policy with that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Policy::Fifo, Policy::Rr, Policy::Other].into_iter().find(|policy| policy.as_str() == name)
    }

    const fn sched_name(self) -> &'static str {
        match self {
            Policy::Fifo => "SCHED_FIFO",
            Policy::Rr => "SCHED_RR",
            Policy::Other => "SCHED_OTHER",
        }
    }
}

/// What to ask the kernel for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RealtimeRequest {
    /// Default: FIFO.
    pub policy: Policy,
    /// 1..=99, default 70: above the kernel's interrupt threads (50), below its watchdogs (99).
    pub priority: u8,
    /// Denied: `true` makes `open` fail, `false` carries on and reports it.
    pub required: bool,
    /// Core to keep the thread on. `None`: wherever the kernel likes.
    pub cpu: Option<u32>,
}

impl Default for RealtimeRequest {
    fn default() -> Self {
        Self { policy: Policy::Fifo, priority: 70, required: false, cpu: None }
    }
}

/// How the audio thread is scheduled, read back from the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealtimeStatus {
    /// `SCHED_FIFO`, `SCHED_RR`, `SCHED_OTHER`, or `unknown` where it cannot be read.
    pub policy: &'static str,
    /// 1..=99 under FIFO and RR, else 0.
    pub priority: i32,
    /// Whether the thread has real-time priority now.
    pub granted: bool,
    /// Who gave the priority: `direct` (the kernel, asked by us), `rtkit`, `server` (the audio server, whose
    /// thread it is) or `none`.
    pub via: &'static str,
    /// Why not, or not quite, and what to do about it.
    pub reason: Option<String>,
    /// The kernel's id of the audio thread (Linux: as in `ps -L` and `chrt -p`); 0 if unknown.
    pub thread_id: u64,
    /// The core that the thread is kept on, if it is one only.
    pub cpu: Option<u32>,
}

/// Integers of the policies. Linux's own, and −1 for unknown.
const OTHER: i32 = 0;
const FIFO: i32 = 1;
const RR: i32 = 2;
const UNKNOWN: i32 = -1;

/// What the audio thread found out about itself. Written by it, read by anybody.
#[derive(Debug, Default)]
pub(crate) struct Settlement {
    settled: AtomicBool,
    policy: AtomicI32,
    priority: AtomicI32,
    thread_id: AtomicU64,
    by_server: AtomicBool,
    by_rtkit: AtomicBool,
    /// What rtkit said where it did not help.
    rtkit_said: OnceLock<String>,
    /// The errno of the refusal, 0 for none.
    errno: AtomicI32,
    /// The errno of pinning to a core, 0 for none.
    cpu_errno: AtomicI32,
    /// RLIMIT_RTPRIO at that moment.
    limit: AtomicU64,
    /// Soft RLIMIT_RTTIME, µs; 0: not settled yet.
    rttime_us: AtomicU64,
    /// Priority that was asked for when a lower one was given, else 0.
    lowered_from: AtomicI32,
    /// Per cent of a core that led to the demotion, 0 for none.
    demoted_at: AtomicU32,
}

impl Settlement {
    /// Audio thread, once, in the first callback: system calls, but no allocation. `servers_thread`: the
    /// host owns this thread, so that a priority it already has is the server's doing and is kept.
    pub fn settle(&self, request: Option<RealtimeRequest>, servers_thread: bool) {
        sys::prefault_stack();
        self.thread_id.store(sys::thread_id(), Ordering::Relaxed);
        self.rttime_us.store(sys::rttime_limit_us(), Ordering::Relaxed);
        if let Some(cpu) = request.and_then(|request| request.cpu) {
            self.cpu_errno.store(sys::pin(cpu).err().unwrap_or(0), Ordering::Relaxed);
        }
        let before = sys::read_back(0);
        if servers_thread && is_realtime(before.0) {
            self.by_server.store(true, Ordering::Relaxed);
        } else if let Some(request) = request
            && request.policy != Policy::Other
        {
            let limit = sys::rtprio_limit();
            let asked = i32::from(request.priority);
            let mut refusal = sys::ask(request.policy, asked).err();
            // An ordinary user may have a limit below what was asked for: some priority beats none.
            if refusal == Some(sys::EPERM) && limit >= 1 && limit < asked as u64 {
                refusal = sys::ask(request.policy, limit as i32).err();
                if refusal.is_none() {
                    self.lowered_from.store(asked, Ordering::Relaxed);
                }
            }
            self.errno.store(refusal.unwrap_or(0), Ordering::Relaxed);
            self.limit.store(limit, Ordering::Relaxed);
        }
        self.read_back(0);
        self.settled.store(true, Ordering::Release);
    }

    /// Whoever opens the stream, after [`Settlement::settle`]: where the kernel has refused the audio thread,
    /// rtkit is asked for it. Blocks for some ms, for 3 s at most when the daemon hangs.
    pub fn ask_rtkit(&self, request: Option<RealtimeRequest>) {
        let refused = self.is_settled() && self.errno.load(Ordering::Relaxed) == sys::EPERM;
        let Some(request) = request.filter(|_| refused && !self.has_priority()) else { return };
        let thread = self.thread_id.load(Ordering::Relaxed);
        match sys::ask_rtkit(thread, i32::from(request.priority)) {
            Ok(rttime_us) => {
                self.rttime_us.store(rttime_us, Ordering::Relaxed);
                self.by_rtkit.store(true, Ordering::Relaxed);
                self.read_back(thread);
                if self.priority.load(Ordering::Relaxed) < i32::from(request.priority) {
                    self.lowered_from.store(i32::from(request.priority), Ordering::Relaxed);
                }
            }
            Err(words) => drop(self.rtkit_said.set(words)),
        }
    }

    /// How long the watchdog may look on, ns: a thread that spins must be demoted well before the kernel
    /// sends SIGXCPU.
    pub fn patience_ns(&self) -> u64 {
        match self.rttime_us.load(Ordering::Relaxed) {
            0 => u64::MAX,
            limit_us => (limit_us / 3).saturating_mul(1_000).max(1_000_000),
        }
    }

    fn has_priority(&self) -> bool {
        is_realtime(self.policy.load(Ordering::Relaxed))
    }

    /// Audio thread: back to SCHED_OTHER, because it used `share` of a core. False if it had no real-time
    /// priority to lose.
    pub fn demote(&self, share: f64) -> bool {
        if !self.has_priority() {
            return false;
        }
        // First, so that nobody sees a policy change without its reason.
        self.demoted_at.store((share * 100.0).round() as u32, Ordering::Relaxed);
        sys::demote();
        self.read_back(0);
        true
    }

    /// `thread`: 0 for the calling one.
    fn read_back(&self, thread: u64) {
        let (policy, priority) = sys::read_back(thread);
        self.policy.store(policy, Ordering::Relaxed);
        self.priority.store(priority, Ordering::Relaxed);
    }

    /// Whether [`Settlement::settle`] has run.
    pub fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// Whether the calling thread is the audio thread.
    pub fn is_current_thread(&self) -> bool {
        self.is_settled() && sys::thread_id() == self.thread_id.load(Ordering::Relaxed)
    }

    /// What a demotion is reported as.
    pub fn demotion(&self) -> String {
        format!(
            "the audio thread was taken off real-time priority: it used {} % of a core, so it does not \
             sleep between blocks, and would freeze the machine. Either the device is not paced (ALSA's \
             'null' and 'file', pipewire-alsa): use another device, or backend 'jack' or 'clock'; or the \
             render load is too high: use fewer voices or a larger bufferSize",
            self.demoted_at.load(Ordering::Relaxed)
        )
    }

    /// The status as the kernel tells it now, or told it last if the thread has ended. Allocates: not for the
    /// audio thread.
    pub fn status(&self, request: Option<RealtimeRequest>) -> RealtimeStatus {
        let thread_id = self.thread_id.load(Ordering::Relaxed);
        let settled = (self.policy.load(Ordering::Relaxed), self.priority.load(Ordering::Relaxed));
        let now = if self.is_settled() { sys::read_back(thread_id) } else { settled };
        let (policy, priority) = if now.0 == UNKNOWN { settled } else { now };
        let granted = is_realtime(policy);
        let mut reason = self.reason(request, granted, is_realtime(settled.0));
        let cpu_errno = self.cpu_errno.load(Ordering::Relaxed);
        if let Some(cpu) = request.and_then(|request| request.cpu).filter(|_| cpu_errno != 0) {
            let error = std::io::Error::from_raw_os_error(cpu_errno);
            let words = format!("the audio thread cannot be kept on core {cpu}: {error}");
            reason = Some(reason.map_or_else(|| words.clone(), |reason| format!("{reason}; {words}")));
        }
        RealtimeStatus {
            policy: match policy {
                FIFO => "SCHED_FIFO",
                RR => "SCHED_RR",
                OTHER => "SCHED_OTHER",
                _ => "unknown",
            },
            priority,
            granted,
            via: if !granted {
                "none"
            } else if self.by_server.load(Ordering::Relaxed) {
                "server"
            } else if self.by_rtkit.load(Ordering::Relaxed) {
                "rtkit"
            } else {
                "direct"
            },
            reason,
            thread_id,
            cpu: sys::only_cpu(thread_id),
        }
    }

    fn reason(&self, request: Option<RealtimeRequest>, granted: bool, was_granted: bool) -> Option<String> {
        if self.demoted_at.load(Ordering::Relaxed) > 0 {
            return Some(self.demotion());
        }
        let lowered_from = self.lowered_from.load(Ordering::Relaxed);
        if granted && lowered_from > 0 {
            let got = self.priority.load(Ordering::Relaxed);
            let by = if self.by_rtkit.load(Ordering::Relaxed) {
                "rtkit gives no higher one (and SCHED_RR)".to_owned()
            } else {
                format!("RLIMIT_RTPRIO is {got}")
            };
            return Some(format!("priority {got} instead of {lowered_from}: {by}"));
        }
        if granted {
            return None;
        }
        let Some(request) = request else { return Some("not asked for (realtime: false)".to_owned()) };
        if request.policy == Policy::Other {
            return Some("not asked for (policy 'other')".to_owned());
        }
        if was_granted {
            return Some(
                "the priority was granted and has been taken away since: by another program (chrt), or \
                 because the thread ran for longer than RLIMIT_RTTIME without sleeping"
                    .to_owned(),
            );
        }
        let errno = self.errno.load(Ordering::Relaxed);
        let distribution = Distribution::here();
        let refusal = refusal(request, errno, self.limit.load(Ordering::Relaxed), distribution);
        Some(match self.rtkit_said.get() {
            Some(said) => format!("{refusal}. {said}"),
            None => refusal,
        })
    }
}

const fn is_realtime(policy: i32) -> bool {
    matches!(policy, FIFO | RR)
}

/// Refuses a core that this process may not use. Control thread.
pub(crate) fn check_cpu(request: Option<RealtimeRequest>) -> Result<(), String> {
    let Some(cpu) = request.and_then(|request| request.cpu) else { return Ok(()) };
    match sys::usable_cpus() {
        Some(usable) if !usable.contains(&cpu) => {
            let list: Vec<String> = usable.iter().map(u32::to_string).collect();
            Err(format!(
                "realtime.cpu must be a core that this process may use ({}), got {cpu}",
                list.join(", ")
            ))
        }
        _ => Ok(()),
    }
}

/// Why the kernel said no, and what helps.
fn refusal(request: RealtimeRequest, errno: i32, limit: u64, distribution: Distribution) -> String {
    let (policy, priority) = (request.policy.sched_name(), u64::from(request.priority));
    if cfg!(not(target_os = "linux")) {
        return format!(
            "the scheduling policy cannot be read back on this system, so {policy} is not claimed; the \
             system's own audio threads run with elevated priority"
        );
    }
    match errno {
        0 => format!("the kernel accepted {policy} and then reported another policy"),
        sys::EPERM if limit >= priority => format!(
            "the kernel refused {policy} {priority} (EPERM) although RLIMIT_RTPRIO is {limit}: a sandbox \
             or a control group without a real-time budget (cpu.rt_runtime_us) forbids it"
        ),
        sys::EPERM => format!(
            "the kernel refused {policy} {priority} (EPERM): RLIMIT_RTPRIO is {limit}. {}; `npx ictus doctor` \
             looks at the rest",
            distribution.grant_rtprio()
        ),
        errno => {
            format!("the kernel refused {policy} {priority}: {}", std::io::Error::from_raw_os_error(errno))
        }
    }
}

/// Whether an audio thread would be granted what is asked: tried by a thread of its own that ends at once.
pub(crate) fn probe(request: Option<RealtimeRequest>) -> bool {
    let thread = std::thread::Builder::new().name("ictus-probe".to_owned()).spawn(move || {
        let settlement = Settlement::default();
        // Its core is of no interest, and may be one that does not exist.
        let request = request.map(|request| RealtimeRequest { cpu: None, ..request });
        settlement.settle(request, false);
        settlement.ask_rtkit(request);
        settlement.has_priority()
    });
    thread.is_ok_and(|thread| thread.join().unwrap_or(false))
}

#[cfg(target_os = "linux")]
mod sys {
    use super::{OTHER, Policy, UNKNOWN};
    use thread_priority::{
        RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
        set_thread_priority_and_policy, thread_native_id,
    };

    pub const EPERM: i32 = libc::EPERM;

    /// Threads made by the calling thread, and programs it starts, get SCHED_OTHER again.
    const RESET_ON_FORK: i32 = libc::SCHED_RESET_ON_FORK;

    pub fn thread_id() -> u64 {
        // SAFETY: takes nothing and cannot fail.
        unsafe { libc::gettid() as u64 }
    }

    /// Soft RLIMIT_RTPRIO: the highest priority this process may take without CAP_SYS_NICE.
    #[allow(clippy::unnecessary_cast)] // rlim_t has 32 bits on some targets
    pub fn rtprio_limit() -> u64 {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `limit` is a live, writable rlimit.
        unsafe { libc::getrlimit(libc::RLIMIT_RTPRIO, &mut limit) };
        limit.rlim_cur as u64
    }

    /// Soft RLIMIT_RTTIME, µs: CPU time that a real-time thread may use without sleeping.
    #[allow(clippy::unnecessary_cast)] // as above
    pub fn rttime_limit_us() -> u64 {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `limit` is a live, writable rlimit.
        unsafe { libc::getrlimit(libc::RLIMIT_RTTIME, &mut limit) };
        if limit.rlim_cur == libc::RLIM_INFINITY { u64::MAX } else { limit.rlim_cur as u64 }
    }

    pub fn ask_rtkit(thread: u64, priority: i32) -> Result<u64, String> {
        crate::device::rtkit::promote(thread, priority)
    }

    /// Touches the next 128 KiB of the stack, so that no block pays for their first use. JACK's threads, the
    /// smallest, have 512 KiB, and render uses some tens.
    #[inline(never)]
    pub fn prefault_stack() {
        const BYTES: usize = 128 * 1024;
        let mut room = std::mem::MaybeUninit::<[u8; BYTES]>::uninit();
        let start = room.as_mut_ptr().cast::<u8>();
        for offset in (0..BYTES).step_by(4096) {
            // SAFETY: `offset < BYTES`, so the byte lies in `room`, which is live and ours to write.
            unsafe { start.add(offset).write_volatile(0) };
        }
    }

    /// Keeps the calling thread on one core. Errors: errno.
    pub fn pin(cpu: u32) -> Result<(), i32> {
        if cpu >= libc::CPU_SETSIZE as u32 {
            return Err(libc::EINVAL);
        }
        // SAFETY: all-zero bytes are an empty cpu_set_t, `cpu` is below CPU_SETSIZE, and 0 is the calling thread.
        let done = unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(cpu as usize, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set)
        };
        if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)) }
    }

    /// Cores that a thread may run on; 0: the calling one.
    fn cpus(thread: u64) -> Option<Vec<u32>> {
        // SAFETY: all-zero bytes are an empty cpu_set_t, live and writable, and its size is what is passed.
        let set = unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            let size = size_of::<libc::cpu_set_t>();
            (libc::sched_getaffinity(thread as libc::pid_t, size, &mut set) == 0).then_some(set)
        }?;
        // SAFETY: every index is below CPU_SETSIZE.
        Some(
            (0..libc::CPU_SETSIZE as u32)
                .filter(|cpu| unsafe { libc::CPU_ISSET(*cpu as usize, &set) })
                .collect(),
        )
    }

    pub fn usable_cpus() -> Option<Vec<u32>> {
        cpus(0)
    }

    pub fn only_cpu(thread: u64) -> Option<u32> {
        match cpus(thread)?.as_slice() {
            [cpu] if thread != 0 => Some(*cpu),
            _ => None,
        }
    }

    /// Policy and priority of a thread of this process, from the kernel; 0: the calling one.
    pub fn read_back(thread: u64) -> (i32, i32) {
        let thread = thread as libc::pid_t;
        let mut param = libc::sched_param { sched_priority: 0 };
        // SAFETY: `param` is a live, writable sched_param; a thread that has ended is an error.
        let policy = unsafe {
            libc::sched_getparam(thread, &mut param);
            libc::sched_getscheduler(thread)
        };
        if policy < 0 {
            return (UNKNOWN, 0);
        }
        let policy = policy & !RESET_ON_FORK;
        // SCHED_BATCH and SCHED_IDLE are ordinary scheduling with other words.
        let policy = if policy == super::FIFO || policy == super::RR { policy } else { OTHER };
        (policy, param.sched_priority)
    }

    /// Asks for a real-time policy for the calling thread. Errors: errno.
    pub fn ask(policy: Policy, priority: i32) -> Result<(), i32> {
        let realtime = match policy {
            Policy::Fifo => RealtimeThreadSchedulePolicy::Fifo,
            Policy::Rr => RealtimeThreadSchedulePolicy::RoundRobin,
            Policy::Other => return Ok(()),
        };
        let value = u8::try_from(priority)
            .ok()
            .and_then(|value| ThreadPriorityValue::try_from(value).ok())
            .ok_or(libc::EINVAL)?;
        set_thread_priority_and_policy(
            thread_native_id(),
            ThreadPriority::Crossplatform(value),
            ThreadSchedulePolicy::Realtime(realtime),
        )
        .map_err(|error| match error {
            thread_priority::Error::OS(errno) => errno,
            _ => libc::EINVAL,
        })?;
        // The crate has no way to say it. Where the kernel refuses this flag, the policy itself stands.
        set(if policy == Policy::Rr { libc::SCHED_RR } else { libc::SCHED_FIFO }, priority);
        Ok(())
    }

    /// Back to ordinary scheduling. Keeps RESET_ON_FORK: taking it away needs a privilege of its own.
    pub fn demote() {
        set(libc::SCHED_OTHER, 0);
    }

    fn set(policy: i32, priority: i32) {
        let param = libc::sched_param { sched_priority: priority };
        // SAFETY: 0 is the calling thread, `param` is a valid sched_param that the call only reads.
        let done = unsafe { libc::sched_setscheduler(0, policy | RESET_ON_FORK, &param) };
        if done != 0 && policy == libc::SCHED_OTHER {
            // SAFETY: as above. A kernel or sandbox that knows no flag must still take the demotion.
            unsafe { libc::sched_setscheduler(0, policy, &param) };
        }
    }
}

/// Elsewhere the hosts promote their own threads and the policy cannot be read back in these terms: nothing
/// is asked, nothing is claimed.
#[cfg(not(target_os = "linux"))]
mod sys {
    use super::{Policy, UNKNOWN};

    pub const EPERM: i32 = 1;

    pub fn thread_id() -> u64 {
        0
    }

    pub fn rtprio_limit() -> u64 {
        0
    }

    pub fn rttime_limit_us() -> u64 {
        u64::MAX
    }

    pub fn ask_rtkit(_: u64, _: i32) -> Result<u64, String> {
        Err(String::new())
    }

    pub fn prefault_stack() {}

    pub fn pin(_: u32) -> Result<(), i32> {
        Ok(())
    }

    pub fn usable_cpus() -> Option<Vec<u32>> {
        None
    }

    pub fn only_cpu(_: u64) -> Option<u32> {
        None
    }

    pub fn read_back(_: u64) -> (i32, i32) {
        (UNKNOWN, 0)
    }

    pub fn ask(_: Policy, _: i32) -> Result<(), i32> {
        Ok(())
    }

    pub fn demote() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: RealtimeRequest =
        RealtimeRequest { policy: Policy::Fifo, priority: 70, required: false, cpu: None };

    #[test]
    fn policies_parse_back() {
        for policy in [Policy::Fifo, Policy::Rr, Policy::Other] {
            assert_eq!(Policy::parse(policy.as_str()), Some(policy));
        }
        assert_eq!(Policy::parse("FIFO"), None);
    }

    #[test]
    fn a_refusal_names_the_limit_and_the_remedy() {
        let message = refusal(ASKED, sys::EPERM, 0, Distribution::Debian);
        for part in ["SCHED_FIFO 70", "EPERM", "RLIMIT_RTPRIO is 0", "@audio - rtprio 95", "usermod"] {
            assert!(message.contains(part), "{part} is not in {message}");
        }
        assert!(refusal(ASKED, sys::EPERM, 95, Distribution::Arch).contains("cpu.rt_runtime_us"));
    }

    #[test]
    fn what_was_not_asked_for_is_not_granted_and_says_so() {
        for (request, reason) in [
            (None, "not asked for (realtime: false)"),
            (Some(RealtimeRequest { policy: Policy::Other, ..ASKED }), "not asked for (policy 'other')"),
        ] {
            let settlement = Settlement::default();
            assert!(!settlement.is_settled());
            std::thread::scope(|scope| {
                scope.spawn(|| settlement.settle(request, false));
            });
            let status = settlement.status(request);
            assert!(settlement.is_settled());
            assert!(!status.granted);
            assert_eq!((status.via, status.priority), ("none", 0));
            assert_eq!(status.reason.as_deref(), Some(reason));
        }
    }

    /// Both answers are right on some machine: what is tested is that the status tells the kernel's.
    #[test]
    #[cfg(target_os = "linux")]
    fn the_status_is_what_the_kernel_says_and_demotion_ends_it() {
        let settlement = Settlement::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                settlement.settle(Some(ASKED), false);
                let status = settlement.status(Some(ASKED));
                assert_eq!(status.thread_id, sys::thread_id());
                if status.granted {
                    assert_eq!((status.policy, status.via), ("SCHED_FIFO", "direct"));
                    assert!((1..=70).contains(&status.priority));
                    // SAFETY: 0 is the calling thread.
                    assert_ne!(unsafe { libc::sched_getscheduler(0) } & libc::SCHED_RESET_ON_FORK, 0);
                    assert!(settlement.demote(0.987));
                    let status = settlement.status(Some(ASKED));
                    assert_eq!((status.policy, status.priority), ("SCHED_OTHER", 0));
                    assert_eq!((status.granted, status.via), (false, "none"));
                    assert!(status.reason.expect("a demotion has a reason").contains("99 %"));
                } else {
                    println!("not granted here: {:?}", status.reason);
                    assert_eq!(status.policy, "SCHED_OTHER");
                }
                assert!(!settlement.demote(1.0), "there is nothing left to lose");
            });
        });
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_servers_priority_is_kept() {
        let settlement = Settlement::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                if sys::ask(Policy::Rr, 12).is_err() {
                    println!("not run: this machine denies real-time priority");
                    return;
                }
                settlement.settle(Some(ASKED), true);
                let status = settlement.status(Some(ASKED));
                assert_eq!((status.policy, status.priority, status.via), ("SCHED_RR", 12, "server"));
                assert_eq!((status.granted, status.reason), (true, None));
            });
        });
    }
}
