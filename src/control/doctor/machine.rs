//! The machine: its cores, how they sleep, and how late it is when it counts.

use super::tree::Tree;
use super::{CheckStatus, Finding, Fix};
use crate::rt::counters::Distribution;

const CPUS: &str = "sys/devices/system/cpu";

/// `cpu0`, `cpu1`, …
fn cpus(tree: &Tree) -> Vec<String> {
    let is_cpu = |name: &String| {
        name.strip_prefix("cpu").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    tree.list(CPUS).into_iter().filter(is_cpu).collect()
}

pub(super) fn clock_source(tree: &Tree) -> Finding {
    const WANTED: &str = "one that is read without a system call: tsc, kvm-clock, arch_sys_counter";
    let source = tree.read("sys/devices/system/clocksource/clocksource0/current_clocksource");
    let finding = |status, found: String| {
        Finding::new("clocksource", status, found, WANTED).fix(Fix::kernel_parameter("tsc=reliable"))
    };
    match source.as_deref() {
        None => finding(CheckStatus::Unknown, "unknown".to_owned()),
        Some("hpet" | "acpi_pm" | "jiffies" | "refined-jiffies") => {
            finding(CheckStatus::Warn, source.unwrap_or_default())
        }
        Some(source) => finding(CheckStatus::Ok, source.to_owned()),
    }
}

pub(super) fn governor(tree: &Tree) -> Finding {
    const WANTED: &str = "performance: a core that has slowed down between two blocks is late with the next";
    let mut governors: Vec<String> = cpus(tree)
        .iter()
        .filter_map(|cpu| tree.read(&format!("{CPUS}/{cpu}/cpufreq/scaling_governor")))
        .collect();
    governors.sort();
    governors.dedup();
    let (status, found) = if governors.is_empty() {
        (CheckStatus::Ok, "no frequency scaling here".to_owned())
    } else if governors == ["performance"] {
        (CheckStatus::Ok, "performance".to_owned())
    } else {
        (CheckStatus::Warn, governors.join(", "))
    };
    let set = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor   # until the next start";
    Finding::new("governor", status, found, WANTED)
        .fix(Fix::same(set, "powerManagement.cpuFreqGovernor = \"performance\";"))
}

/// Longer than this to wake up is a noticeable part of a block of 64 frames (1.3 ms).
const IDLE_LIMIT_US: i64 = 200;

pub(super) fn idle_states(tree: &Tree) -> Finding {
    const WANTED: &str = "none that takes longer than 200 µs to leave";
    let mut deepest: Option<(i64, String)> = None;
    let cpu = cpus(tree).into_iter().next().unwrap_or_else(|| "cpu0".to_owned());
    let folder = format!("{CPUS}/{cpu}/cpuidle");
    for state in tree.list(&folder) {
        let file = |name: &str| format!("{folder}/{state}/{name}");
        let Some(latency) = tree.number(&file("latency")) else { continue };
        if tree.number(&file("disable")).unwrap_or(0) == 0
            && deepest.as_ref().is_none_or(|(us, _)| latency > *us)
        {
            deepest = Some((latency, tree.read(&file("name")).unwrap_or(state)));
        }
    }
    let finding = |status, found: String| {
        let off = "sudo cpupower idle-set -D 200   # until the next start";
        let install = |manager: &str| format!("{manager} && {off}");
        Finding::new("idle", status, found, WANTED).fix(Fix::new(
            install("sudo apt install linux-cpupower"),
            install("sudo pacman -S --needed cpupower"),
            install("sudo dnf install kernel-tools"),
            "boot.kernelParams = [ \"intel_idle.max_cstate=1\" \"processor.max_cstate=1\" ];",
        ))
    };
    match deepest {
        None => finding(CheckStatus::Ok, "no idle states here".to_owned()),
        Some((latency, name)) if latency <= IDLE_LIMIT_US => {
            finding(CheckStatus::Ok, format!("the deepest, {name}, takes {latency} µs to leave"))
        }
        Some((latency, name)) => {
            finding(CheckStatus::Warn, format!("the deepest, {name}, takes {latency} µs to leave"))
        }
    }
}

pub(super) fn isolation(tree: &Tree) -> Finding {
    const WANTED: &str =
        "nothing; for the last microseconds a core of its own (isolcpus=3 and realtime: { cpu: 3 })";
    let list =
        |name: &str| tree.read(&format!("{CPUS}/{name}")).filter(|list| !list.is_empty() && list != "(null)");
    let found = match (list("isolated"), list("nohz_full")) {
        (None, None) => "no core is isolated".to_owned(),
        (isolated, full) => {
            let part = |what: &str, list: Option<String>| list.map(|list| format!("{what}: {list}"));
            let parts = [part("isolated", isolated), part("nohz_full", full)];
            parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
    };
    Finding::new("isolation", CheckStatus::Ok, found, WANTED)
}

pub(super) fn virtual_machine(tree: &Tree) -> Finding {
    const WANTED: &str =
        "a machine of its own: a host stops its guests for milliseconds, whatever priority they have";
    let flags = tree.field("proc/cpuinfo", "flags");
    let product = tree.read("sys/class/dmi/id/product_name");
    let guest =
        flags.as_deref().is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor"));
    let (status, found) = match (guest, product) {
        (true, Some(product)) => (CheckStatus::Warn, format!("a virtual machine ({product})")),
        (true, None) => (CheckStatus::Warn, "a virtual machine".to_owned()),
        (false, _) if flags.is_none() => (CheckStatus::Unknown, "unknown".to_owned()),
        (false, _) => (CheckStatus::Ok, "no virtual machine".to_owned()),
    };
    Finding::new("virtual", status, found, WANTED)
}

/// A block of 64 frames lasts 1333 µs; of 128, the default, 2667 µs.
const GOOD_US: f64 = 300.0;
const USABLE_US: f64 = 1500.0;

/// What came of it all.
pub(super) fn lateness(late: &Distribution) -> Finding {
    const WANTED: &str = "99 of 100 wake-ups less than 300 µs late: a fifth of a block of 64 frames";
    let status = match late.p99 {
        us if us <= GOOD_US => CheckStatus::Ok,
        us if us <= USABLE_US => CheckStatus::Warn,
        _ => CheckStatus::Fail,
    };
    let found = format!(
        "half of the wake-ups at most {:.0} µs late, 99 % {:.0} µs, all {:.0} µs",
        late.p50, late.p99, late.max
    );
    Finding::new("jitter", status, found, WANTED)
}
