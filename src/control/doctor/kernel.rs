//! The kernel: how soon it lets an audio thread run, and for how long.

use super::tree::Tree;
use super::{CheckStatus, Finding, Fix, Live};

pub(super) fn version(tree: &Tree) -> Finding {
    const WANTED: &str = "5.14 or newer: from then on memory can be made ready without writing to it";
    let release = tree.read("proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers =
        release.split(|c: char| !c.is_ascii_digit()).map(|word| word.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let status = match version {
        (0, _) => CheckStatus::Unknown,
        version if version >= (5, 14) => CheckStatus::Ok,
        _ => CheckStatus::Warn,
    };
    let found = if release.is_empty() { "unknown".to_owned() } else { format!("Linux {release}") };
    Finding::new("kernel", status, found, WANTED).fix(Fix::new(
        "sudo apt update && sudo apt full-upgrade   # and restart",
        "sudo pacman -Syu   # and restart",
        "sudo dnf upgrade   # and restart",
        "boot.kernelPackages = pkgs.linuxPackages_latest;",
    ))
}

/// Whether it is a PREEMPT_RT kernel.
fn is_rt(tree: &Tree) -> bool {
    let version = tree.read("proc/sys/kernel/version").unwrap_or_default();
    tree.number("sys/kernel/realtime") == Some(1)
        || version.contains("PREEMPT_RT")
        || version.contains("PREEMPT RT")
}

/// How a PREEMPT_DYNAMIC kernel preempts: debugfs says it (to root), else how it was started, else how it was built.
fn dynamic_mode(tree: &Tree) -> Option<String> {
    if let Some(modes) = tree.read("sys/kernel/debug/sched/preempt") {
        let chosen = modes.split_whitespace().find(|mode| mode.starts_with('('))?;
        return Some(chosen.trim_matches(['(', ')']).to_owned());
    }
    if let Some(mode) = tree.kernel_parameter("preempt") {
        return Some(mode);
    }
    let release = tree.read("proc/sys/kernel/osrelease")?;
    let config = tree
        .read(&format!("boot/config-{release}"))
        .or_else(|| tree.read(&format!("lib/modules/{release}/config")))?;
    let has = |option: &str| config.lines().any(|line| line == format!("{option}=y"));
    let built = [
        ("CONFIG_PREEMPT", "full"),
        ("CONFIG_PREEMPT_LAZY", "lazy"),
        ("CONFIG_PREEMPT_VOLUNTARY", "voluntary"),
        ("CONFIG_PREEMPT_NONE", "none"),
    ];
    built.into_iter().find(|(option, _)| has(option)).map(|(_, mode)| mode.to_owned())
}

pub(super) fn preemption(tree: &Tree) -> Finding {
    const WANTED: &str = "PREEMPT_RT, or preemption 'full' or 'lazy': the kernel lets go of what it does when an audio \
                          thread is due";
    let finding = |status, found: String| {
        Finding::new("preemption", status, found, WANTED).fix(Fix::kernel_parameter("preempt=full"))
    };
    if is_rt(tree) {
        return finding(CheckStatus::Ok, "PREEMPT_RT".to_owned());
    }
    let Some(version) = tree.read("proc/sys/kernel/version") else {
        return finding(CheckStatus::Unknown, "unknown".to_owned());
    };
    if version.contains("PREEMPT_DYNAMIC") {
        let Some(mode) = dynamic_mode(tree) else {
            let found = "PREEMPT_DYNAMIC, in which mode only root can read (/sys/kernel/debug/sched/preempt)";
            return finding(CheckStatus::Unknown, found.to_owned());
        };
        let good = matches!(mode.as_str(), "full" | "lazy");
        let status = if good { CheckStatus::Ok } else { CheckStatus::Warn };
        return finding(status, format!("PREEMPT_DYNAMIC, mode {mode}"));
    }
    if version.contains("PREEMPT_LAZY") || version.split_whitespace().any(|word| word == "PREEMPT") {
        return finding(CheckStatus::Ok, "PREEMPT".to_owned());
    }
    finding(CheckStatus::Warn, "none: work inside the kernel is finished first".to_owned())
}

pub(super) fn scheduler(tree: &Tree) -> Finding {
    const WANTED: &str = "any: SCHED_FIFO threads go before whatever it schedules (BORE helps the other programs of a \
                          live set, not the audio thread)";
    let found = match tree.number("proc/sys/kernel/sched_bore") {
        Some(1) => "BORE, on".to_owned(),
        Some(_) => "BORE, switched off (kernel.sched_bore = 0)".to_owned(),
        None => {
            let sched_ext = tree.read("sys/kernel/sched_ext/state").filter(|state| state == "enabled");
            match sched_ext {
                Some(_) => "sched_ext".to_owned(),
                None => "the kernel's own (EEVDF, before 6.6 CFS)".to_owned(),
            }
        }
    };
    Finding::new("scheduler", CheckStatus::Ok, found, WANTED)
}

pub(super) fn throttling(tree: &Tree) -> Finding {
    const WANTED: &str =
        "95 %: all that audio needs, and a thread that runs wild leaves room for the shell that ends it";
    let finding = |status, found: String| {
        Finding::new("throttling", status, found, WANTED)
            .fix(Fix::sysctl("kernel.sched_rt_runtime_us", 950_000))
    };
    let runtime = tree.number("proc/sys/kernel/sched_rt_runtime_us");
    let period = tree.number("proc/sys/kernel/sched_rt_period_us").unwrap_or(1_000_000).max(1);
    match runtime {
        None => finding(CheckStatus::Unknown, "unknown".to_owned()),
        Some(-1) => finding(CheckStatus::Warn, "off: a real-time thread may take a core for good".to_owned()),
        Some(0) => finding(CheckStatus::Fail, "0 %: real-time threads never run".to_owned()),
        Some(runtime) => {
            let share = runtime * 100 / period;
            let status = if share >= 90 { CheckStatus::Ok } else { CheckStatus::Warn };
            finding(status, format!("{share} % of each core ({runtime} of {period} µs)"))
        }
    }
}

/// CONFIG_RT_GROUP_SCHED with version 1 control groups: a group whose budget is 0 may have no real-time threads at all,
/// whatever limits and capabilities say.
pub(super) fn control_group(tree: &Tree) -> Finding {
    const WANTED: &str = "a control group with a real-time budget, or none that limits it";
    let groups = tree.read("proc/self/cgroup").unwrap_or_default();
    let group = groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (controllers, path) = (parts.nth(1)?, parts.next()?);
        controllers
            .split(',')
            .any(|controller| controller == "cpu")
            .then(|| path.trim_start_matches('/').to_owned())
    });
    let budget = group.as_ref().and_then(|group| {
        ["sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"].into_iter().find_map(|mount| {
            let folder = if group.is_empty() { mount.to_owned() } else { format!("{mount}/{group}") };
            tree.number(&format!("{folder}/cpu.rt_runtime_us"))
        })
    });
    let finding = |status, found: String| {
        let group = group.clone().unwrap_or_default();
        Finding::new("cgroup", status, found, WANTED).fix(Fix::same(
            format!("echo 950000 | sudo tee /sys/fs/cgroup/cpu/{group}/cpu.rt_runtime_us"),
            "boot.kernelParams = [ \"systemd.unified_cgroup_hierarchy=1\" ];",
        ))
    };
    match budget {
        None => finding(CheckStatus::Ok, "no real-time budget to run out of".to_owned()),
        Some(0) => {
            finding(CheckStatus::Fail, "cpu.rt_runtime_us is 0: no real-time thread may run".to_owned())
        }
        Some(budget) => finding(CheckStatus::Ok, format!("{budget} µs of real time in each period")),
    }
}

pub(super) fn threaded_irqs(tree: &Tree) -> Finding {
    const WANTED: &str = "threaded (PREEMPT_RT, or the kernel parameter threadirqs): then an audio thread goes before a \
                          busy network card";
    let finding = |status, found: &str| {
        Finding::new("irqs", status, found, WANTED).fix(Fix::kernel_parameter("threadirqs"))
    };
    if is_rt(tree) {
        finding(CheckStatus::Ok, "threaded, as in every PREEMPT_RT kernel")
    } else if tree.kernel_parameter("threadirqs").is_some() {
        finding(CheckStatus::Ok, "threaded (threadirqs)")
    } else {
        finding(CheckStatus::Warn, "not threaded")
    }
}

pub(super) fn timers(tree: &Tree, live: &Live) -> Finding {
    const WANTED: &str =
        "high-resolution timers: without them a thread is woken at the next tick, up to 10 ms late";
    let finding = |status, found: String| {
        Finding::new("timers", status, found, WANTED).fix(Fix::kernel_parameter("highres=on"))
    };
    if tree.kernel_parameter("highres").as_deref() == Some("off") {
        return finding(CheckStatus::Fail, "switched off (highres=off)".to_owned());
    }
    let listed = tree.read("proc/timer_list").and_then(|list| {
        let at = list.find(".resolution:")?;
        list.get(at..)?.split_whitespace().nth(1)?.parse().ok()
    });
    match live.resolution_ns.or(listed) {
        None => finding(CheckStatus::Unknown, "unknown".to_owned()),
        Some(ns) if ns <= 1_000 => finding(CheckStatus::Ok, format!("{ns} ns")),
        Some(ns) => finding(CheckStatus::Fail, format!("{} µs", ns / 1000)),
    }
}
