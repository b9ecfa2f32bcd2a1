//! Is this machine ready for real-time audio? Looks at everything that matters, says what was found, what is wanted and
//! what to type, and measures what comes of it.
//!
//! What is looked at is files (/proc, /sys, /etc): every check is a function of a [`Tree`] with a root of its own, so
//! that tests feed trees recorded on other machines. Only what no file tells (whether the kernel really grants
//! priority, what rtkit and PipeWire say) is asked for live, and only on the running machine.
//!
//! Nothing here changes anything, nor prints: the commands are for people to read. Linux only; elsewhere the report has
//! one check that says so.
//!
//! Thread: any that may wait; `measure` seconds and up to three more where a daemon hangs.

mod audio;
mod fix;
mod kernel;
mod machine;
mod permission;
mod tree;

#[cfg(test)]
mod tests;

use std::path::Path;

use super::error::Result;
use super::value::{Options, Value};
use crate::device::{Distribution, RealtimeRequest, measure_wakeups};
use crate::rt::counters;
use fix::Fix;
use tree::Tree;

/// How it stands with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// It works, and could be better.
    Warn,
    /// Real-time audio will not work.
    Fail,
    /// It could not be found out.
    Unknown,
}

impl CheckStatus {
    /// As in index.d.ts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// A word that never changes its meaning.
    pub id: &'static str,
    /// How it stands.
    pub status: CheckStatus,
    /// What there is.
    pub found: String,
    /// What there should be, and why.
    pub wanted: &'static str,
    /// What to type, on this distribution; on an unknown one, for all that are known.
    pub fix: Option<String>,
}

/// What a check hands to [`examine`]: the fix is only shown where something is amiss.
struct Finding {
    id: &'static str,
    status: CheckStatus,
    found: String,
    wanted: &'static str,
    fix: Option<Fix>,
}

impl Finding {
    fn new(id: &'static str, status: CheckStatus, found: impl Into<String>, wanted: &'static str) -> Self {
        Self { id, status, found: found.into(), wanted, fix: None }
    }

    fn fix(self, fix: Fix) -> Self {
        Self { fix: Some(fix), ..self }
    }

    fn into_check(self, distribution: Distribution) -> Check {
        let amiss = matches!(self.status, CheckStatus::Warn | CheckStatus::Fail);
        let fix = self.fix.filter(|_| amiss).map(|fix| fix.on(distribution));
        Check { id: self.id, status: self.status, found: self.found, wanted: self.wanted, fix }
    }
}

/// What was found out.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// No check failed.
    pub ok: bool,
    /// In the order in which they are worth reading.
    pub checks: Vec<Check>,
    /// µs by which an audio thread was woken late: with real-time priority if it was granted. `None` when nothing was
    /// measured.
    pub jitter: Option<counters::Distribution>,
    /// The same without real-time priority; `None` where it was not granted, since `jitter` is that then.
    pub jitter_without: Option<counters::Distribution>,
}

/// What can be asked of [`doctor`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DoctorOptions {
    /// Seconds of measuring; 0: none.
    pub measure_s: f64,
}

/// Names of the options.
pub const DOCTOR_OPTIONS: [&str; 1] = ["measure"];

impl DoctorOptions {
    /// Reads and checks an options object.
    pub fn read(value: &Value) -> Result<Self> {
        let options = Options::read("doctor options", value, &DOCTOR_OPTIONS)?;
        Ok(Self { measure_s: options.number("measure", 0.0, 600.0, " s")?.unwrap_or(2.0) })
    }
}

/// Examines the running machine.
pub fn doctor(options: DoctorOptions) -> Report {
    let root = Path::new("/");
    if cfg!(not(target_os = "linux")) {
        let found =
            "this system schedules audio threads by itself; there is nothing to set up and nothing to read";
        let check =
            Finding::new("system", CheckStatus::Unknown, found, "Linux").into_check(Distribution::Other);
        return Report { ok: true, checks: vec![check], jitter: None, jitter_without: None };
    }
    let mut checks = examine(root, Live::ask());
    let wakeups = measure_wakeups(options.measure_s, RealtimeRequest::default()).ok();
    let distribution = Distribution::of(root);
    if let Some(wakeups) = &wakeups {
        checks.insert(0, permission::granted(&wakeups.status).into_check(distribution));
        if wakeups.ordinary.count > 0 {
            let late = wakeups.realtime.as_ref().unwrap_or(&wakeups.ordinary);
            checks.push(machine::lateness(late).into_check(distribution));
        }
    }
    let ok = checks.iter().all(|check| check.status != CheckStatus::Fail);
    let (jitter, jitter_without) = match wakeups {
        Some(found) if found.ordinary.count > 0 => match found.realtime {
            Some(realtime) => (Some(realtime), Some(found.ordinary)),
            None => (Some(found.ordinary), None),
        },
        _ => (None, None),
    };
    Report { ok, checks, jitter, jitter_without }
}

/// What no file tells.
#[derive(Clone, Debug, Default)]
struct Live {
    /// What rtkit says of itself, in words, or why it says nothing; `None`: not asked.
    rtkit: Option<std::result::Result<String, String>>,
    /// `pw-metadata -n settings`, whatever it printed.
    pipewire: Option<String>,
    /// Resolution of the monotonic clock's timers, ns.
    resolution_ns: Option<u64>,
}

impl Live {
    #[cfg(target_os = "linux")]
    fn ask() -> Self {
        let rtkit = crate::device::rtkit_info().map(|info| {
            format!(
                "priority up to {}, for threads that sleep every {} ms",
                info.max_priority,
                info.max_rttime_us / 1000
            )
        });
        Self {
            rtkit: Some(rtkit),
            pipewire: audio::ask_pipewire(),
            resolution_ns: Some(crate::device::timer_resolution_ns()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn ask() -> Self {
        Self::default()
    }
}

/// All checks that need no measuring, on a machine whose files are under `root`.
fn examine(root: &Path, live: Live) -> Vec<Check> {
    let tree = Tree::new(root);
    let distribution = Distribution::of(root);
    let findings = [
        permission::rtprio(&tree),
        permission::capabilities(&tree),
        permission::rtkit(&tree, &live),
        permission::groups(&tree),
        permission::memlock(&tree),
        kernel::version(&tree),
        kernel::preemption(&tree),
        kernel::scheduler(&tree),
        kernel::throttling(&tree),
        kernel::control_group(&tree),
        kernel::threaded_irqs(&tree),
        kernel::timers(&tree, &live),
        machine::clock_source(&tree),
        machine::governor(&tree),
        machine::idle_states(&tree),
        machine::isolation(&tree),
        machine::virtual_machine(&tree),
        audio::servers(&tree, &live),
        audio::libraries(&tree),
    ];
    findings.into_iter().map(|finding| finding.into_check(distribution)).collect()
}
