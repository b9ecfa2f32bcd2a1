//! rtkit: the daemon of desktop distributions that gives real-time priority to whom the kernel refuses it.
//!
//! It promotes any thread of the calling user to SCHED_RR with RESET_ON_FORK, up to its own maximum (20 unless
//! configured), but only in a process that could not take the machine away: RLIMIT_RTTIME, the CPU time that
//! a real-time thread may use without sleeping, must be set, to 200 ms at most. That limit belongs to the
//! whole process, is inherited by programs it starts, and an ordinary user cannot raise the hard limit again,
//! so it is only touched when rtkit is really asked: when the kernel itself has refused. Threads without
//! real-time priority never notice it.
//!
//! At the soft limit the kernel sends SIGXCPU, whose default is to end the process; at the hard limit,
//! SIGKILL. Neither may happen to a host program because an audio device spins. So:
//! - the watchdog's window is shortened to a third of the soft limit (`watchdog.rs`): it demotes first;
//! - the soft limit is three quarters of the hard one, and if nobody else handles SIGXCPU our handler does:
//!   it takes every thread that rtkit promoted for us off real-time priority (one system call each, which a
//!   handler may make), so that the count stops before the hard limit. That covers a render closure that
//!   never returns, which the watchdog, living in the same thread, cannot see.
//!
//! A handler that the program has installed itself is left alone, and then hears the signal.
//!
//! Thread: whoever opens a stream; never the audio thread. Source: rtkit's README and org.freedesktop.
//! RealtimeKit1.xml; getrlimit(2).

use std::sync::atomic::{AtomicI32, Ordering};

use super::dbus::{Arg, CallError, Connection};

const NAME: &str = "org.freedesktop.RealtimeKit1";
const PATH: &str = "/org/freedesktop/RealtimeKit1";

/// What rtkit says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtkitInfo {
    /// The highest priority that it gives.
    pub max_priority: i32,
    /// The RLIMIT_RTTIME that it insists on, µs.
    pub max_rttime_us: u64,
}

/// Asks what rtkit would give, without asking for it. Starts the daemon where the bus can. Errors: in words.
pub fn rtkit_info() -> Result<RtkitInfo, String> {
    info(&mut Connection::system().map_err(no_bus)?)
}

fn no_bus(error: CallError) -> String {
    format!("there is no system bus to reach rtkit on ({error})")
}

fn info(bus: &mut Connection) -> Result<RtkitInfo, String> {
    let mut property = |name: &str| -> Result<i64, String> {
        let arguments = [Arg::Text(NAME.to_owned()), Arg::Text(name.to_owned())];
        let answer = bus.call(NAME, PATH, "org.freedesktop.DBus.Properties", "Get", &arguments);
        match answer.map_err(|error| words(&error))?.first() {
            Some(Arg::I32(value)) => Ok(i64::from(*value)),
            Some(Arg::U32(value)) => Ok(i64::from(*value)),
            Some(Arg::I64(value)) => Ok(*value),
            Some(Arg::U64(value)) => Ok(i64::try_from(*value).unwrap_or(i64::MAX)),
            other => Err(format!("rtkit says {other:?} of its {name}")),
        }
    };
    let max_priority = property("MaxRealtimePriority")?.clamp(0, 99) as i32;
    let max_rttime_us = property("RTTimeUSecMax")?.max(0) as u64;
    Ok(RtkitInfo { max_priority, max_rttime_us })
}

/// What an error of rtkit means.
fn words(error: &CallError) -> String {
    match error {
        CallError::Refused { name, .. } if name.ends_with(".ServiceUnknown") => {
            "rtkit is not installed".to_owned()
        }
        CallError::Refused { name, .. }
            if name.ends_with(".AccessDenied") || name.ends_with(".AuthFailed") =>
        {
            "rtkit refused it: polkit does not allow org.freedesktop.RealtimeKit1.acquire-real-time to this \
             user, which it does only to those logged in at the machine"
                .to_owned()
        }
        CallError::Refused { name, message } if name.contains(".Spawn") => {
            format!("rtkit is installed but does not start: {message}")
        }
        error => format!("rtkit refused it: {error}"),
    }
}

/// Has rtkit promote a thread of this process; at most at `priority`. Gives the soft RLIMIT_RTTIME that is
/// now in force, µs. Errors: in words.
pub(crate) fn promote(thread_id: u64, priority: i32) -> Result<u64, String> {
    let mut bus = Connection::system().map_err(no_bus)?;
    let info = info(&mut bus)?;
    if info.max_priority < 1 {
        return Err("rtkit is configured to give no real-time priority".to_owned());
    }
    let soft = limit_rttime(info.max_rttime_us)?;
    demote_on_sigxcpu(thread_id);
    let priority = priority.min(info.max_priority) as u32;
    let arguments = [Arg::U64(thread_id), Arg::U32(priority)];
    match bus.call(NAME, PATH, NAME, "MakeThreadRealtime", &arguments) {
        Ok(_) => Ok(soft),
        Err(error) => {
            forget(thread_id);
            Err(words(&error))
        }
    }
}

/// Lowers RLIMIT_RTTIME so that rtkit agrees; limits that are tighter already are kept. Gives the soft limit.
#[allow(clippy::unnecessary_cast)] // rlim_t has 32 bits on some targets
fn limit_rttime(max_us: u64) -> Result<u64, String> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a live, writable rlimit.
    unsafe { libc::getrlimit(libc::RLIMIT_RTTIME, &mut limit) };
    let (soft, hard) = rttime(limit.rlim_cur as u64, limit.rlim_max as u64, max_us);
    if (soft, hard) == (limit.rlim_cur as u64, limit.rlim_max as u64) {
        return Ok(soft);
    }
    let wanted = libc::rlimit { rlim_cur: soft as libc::rlim_t, rlim_max: hard as libc::rlim_t };
    // SAFETY: `wanted` is a valid rlimit that the call only reads.
    if unsafe { libc::setrlimit(libc::RLIMIT_RTTIME, &wanted) } != 0 {
        return Err(format!(
            "RLIMIT_RTTIME, which rtkit insists on, cannot be set: {}",
            std::io::Error::last_os_error()
        ));
    }
    Ok(soft)
}

/// Soft and hard limit that satisfy rtkit, given those in force.
fn rttime(soft: u64, hard: u64, max_us: u64) -> (u64, u64) {
    let hard = hard.min(max_us);
    (soft.min(hard / 4 * 3), hard)
}

/// Threads that rtkit promoted, for the signal handler. More than anybody has engines.
static PROMOTED: [AtomicI32; 64] = [const { AtomicI32::new(0) }; 64];

fn demote_on_sigxcpu(thread_id: u64) {
    let id = thread_id as i32;
    let known = PROMOTED.iter().any(|place| place.load(Ordering::Relaxed) == id);
    let takes = |place: &&AtomicI32| {
        let old = place.load(Ordering::Relaxed);
        // Places of threads that have ended are free again.
        // SAFETY: a signal of number 0 is never sent, only looked up.
        (old == 0 || unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), old, 0) } != 0)
            && place.compare_exchange(old, id, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    };
    if !known {
        let _ = PROMOTED.iter().find(takes);
    }
    // SAFETY: all-zero bytes are a valid sigaction (no handler, empty mask, no flags), the pointers are live,
    // and the handler below makes only async-signal-safe calls.
    unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGXCPU, std::ptr::null(), &mut old) == 0
            && old.sa_sigaction == libc::SIG_DFL
        {
            let mut new: libc::sigaction = std::mem::zeroed();
            new.sa_sigaction = on_sigxcpu as extern "C" fn(libc::c_int) as usize;
            // Programs' interrupted system calls go on, and an alternate stack is used where there is one.
            new.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
            libc::sigaction(libc::SIGXCPU, &new, std::ptr::null_mut());
        }
    }
}

fn forget(thread_id: u64) {
    for place in &PROMOTED {
        let _ = place.compare_exchange(thread_id as i32, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
}

extern "C" fn on_sigxcpu(_: libc::c_int) {
    let param = libc::sched_param { sched_priority: 0 };
    for place in &PROMOTED {
        let id = place.load(Ordering::Relaxed);
        if id != 0 {
            // SAFETY: `param` is valid and only read. Raw, since the handler must not meet errno or a cancel
            // point of libc more than it has to; a thread that has ended is an error without effect.
            unsafe {
                let errno = *libc::__errno_location();
                libc::syscall(
                    libc::SYS_sched_setscheduler,
                    id,
                    libc::SCHED_OTHER | libc::SCHED_RESET_ON_FORK,
                    &param,
                );
                *libc::__errno_location() = errno;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_satisfy_rtkit_and_leave_room_between_warning_and_end() {
        const NONE: u64 = libc::RLIM_INFINITY;
        assert_eq!(rttime(NONE, NONE, 200_000), (150_000, 200_000));
        assert_eq!(rttime(NONE, 100_000, 200_000), (75_000, 100_000), "a tighter limit is kept");
        assert_eq!(rttime(10_000, 100_000, 200_000), (10_000, 100_000));
        assert_eq!(rttime(150_000, 200_000, 200_000), (150_000, 200_000), "twice is as once");
    }

    #[test]
    fn errors_of_rtkit_are_told_in_our_words() {
        let refused = |name: &str| {
            words(&CallError::Refused {
                name: format!("org.freedesktop.DBus.Error.{name}"),
                message: "said".into(),
            })
        };
        assert_eq!(refused("ServiceUnknown"), "rtkit is not installed");
        assert!(refused("AccessDenied").contains("polkit"));
        assert!(refused("Spawn.ExecFailed").contains("does not start: said"));
        assert!(refused("Other").contains("said (org.freedesktop.DBus.Error.Other)"));
    }
}
