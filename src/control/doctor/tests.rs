//! Trees of machines: files as they stand in /proc, /sys and /etc there, and what the checks must say of them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A folder of files that goes with its owner.
struct Machine(PathBuf);

impl Machine {
    /// An Arch machine set up for audio: files as recorded from one, shortened to the lines that matter.
    fn studio() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("ictus-doctor-{}-{number}", std::process::id()));
        let machine = Self(root);
        machine.with(&[
            ("etc/os-release", "NAME=\"Arch Linux\"\nID=arch\n"),
            ("etc/group", "root:x:0:\naudio:x:996:ada\nrealtime:x:960:ada\nada:x:1000:\n"),
            ("proc/cmdline", "BOOT_IMAGE=/vmlinuz-linux-rt root=UUID=1 rw threadirqs quiet"),
            ("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme de pse tsc msr\n"),
            ("proc/sys/kernel/osrelease", "6.12.8-rt9-1-rt\n"),
            ("proc/sys/kernel/version", "#1 SMP PREEMPT_RT Thu, 23 Jan 2025 10:00:00 +0000\n"),
            ("proc/sys/kernel/sched_rt_runtime_us", "950000\n"),
            ("proc/sys/kernel/sched_rt_period_us", "1000000\n"),
            ("sys/kernel/realtime", "1\n"),
            (
                "proc/self/limits",
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max locked memory         unlimited            unlimited            bytes     \n\
                 Max realtime priority     98                   98                   \n\
                 Max realtime timeout      unlimited            unlimited            us        \n",
            ),
            ("proc/self/status", "Name:\tnode\nUid:\t1000\t1000\nGroups:\t960 996 1000 \nCapEff:\t0000000000000000\n"),
            ("proc/self/cgroup", "0::/user.slice/user-1000.slice/session-2.scope\n"),
            ("proc/asound/cards", " 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n                      HDA Intel PCH at 0x1 irq 1\n"),
            ("proc/812/comm", "pipewire\n"),
            ("proc/820/comm", "wireplumber\n"),
            ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
            ("sys/devices/system/cpu/isolated", "\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"),
            ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n"),
            ("sys/devices/system/cpu/cpu0/cpuidle/state0/name", "POLL\n"),
            ("sys/devices/system/cpu/cpu0/cpuidle/state0/latency", "0\n"),
            ("sys/devices/system/cpu/cpu0/cpuidle/state1/name", "C1\n"),
            ("sys/devices/system/cpu/cpu0/cpuidle/state1/latency", "2\n"),
            ("usr/share/dbus-1/system-services/org.freedesktop.RealtimeKit1.service", "[D-BUS Service]\n"),
            ("usr/lib/libasound.so.2", ""),
            ("usr/lib/libjack.so.0", ""),
            ("usr/lib/libpipewire-0.3.so.0", ""),
        ])
    }

    /// The same with other files.
    fn with(self, files: &[(&str, &str)]) -> Self {
        for (path, text) in files {
            let path = self.0.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        self
    }

    /// The same without some.
    fn without(self, files: &[&str]) -> Self {
        for path in files {
            let path = self.0.join(path);
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap()
            } else {
                std::fs::remove_file(path).unwrap()
            }
        }
        self
    }

    fn examine(&self) -> Vec<Check> {
        let live = Live { rtkit: None, pipewire: None, resolution_ns: Some(1) };
        examine(&self.0, live)
    }

    /// Status, finding and fix of one check.
    fn check(&self, id: &str) -> (CheckStatus, String, String) {
        let check = self.examine().into_iter().find(|check| check.id == id).expect("there is such a check");
        (check.status, check.found, check.fix.unwrap_or_default())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const LIMITS_OF_ANYBODY: &str = "Max locked memory         8388608              8388608              bytes     \n\
                                 Max realtime priority     0                    0                    \n";

#[test]
fn a_machine_set_up_for_audio_has_nothing_to_mend() {
    let checks = Machine::studio().examine();
    for check in &checks {
        assert_eq!((check.status, &check.fix), (CheckStatus::Ok, &None), "{}: {}", check.id, check.found);
        assert!(!check.found.is_empty() && !check.wanted.is_empty(), "{}", check.id);
    }
    let found = |id: &str| checks.iter().find(|check| check.id == id).unwrap().found.clone();
    assert_eq!(found("kernel"), "Linux 6.12.8-rt9-1-rt");
    assert_eq!(found("preemption"), "PREEMPT_RT");
    assert_eq!(found("rtprio"), "limit 98");
    assert_eq!(found("groups"), "audio, realtime, ada");
    assert_eq!(found("audio"), "PipeWire; HDA-Intel - HDA Intel PCH");
    assert_eq!(found("libraries"), "libasound, libjack, libpipewire");
    let mut ids: Vec<_> = checks.iter().map(|check| check.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), checks.len(), "each check has an id of its own");
}

#[test]
fn an_ordinary_user_is_told_about_limits_and_groups() {
    let machine = Machine::studio().with(&[
        ("etc/os-release", "ID=debian\n"),
        ("proc/self/limits", LIMITS_OF_ANYBODY),
        ("proc/self/status", "Groups:\t1000 \nCapEff:\t0000000000000000\n"),
    ]);
    let (status, found, fix) = machine.check("rtprio");
    assert_eq!((status, found.as_str()), (CheckStatus::Warn, "limit 0: the kernel grants none"));
    assert_eq!(
        fix,
        "echo '@audio - rtprio 95' | sudo tee -a /etc/security/limits.d/audio.conf && sudo usermod -aG audio $USER   \
         # and log in again"
    );
    let (status, found, fix) = machine.check("groups");
    assert_eq!((status, found.as_str()), (CheckStatus::Warn, "ada"));
    assert!(fix.starts_with("sudo usermod -aG audio $USER"));
    let (status, found, fix) = machine.check("memlock");
    assert_eq!((status, found.as_str()), (CheckStatus::Warn, "8 MiB"));
    assert!(fix.contains("@audio - memlock unlimited"));
    assert_eq!(machine.check("capabilities").0, CheckStatus::Warn);
    assert_eq!(machine.check("rtkit").0, CheckStatus::Ok, "which is how such a user gets it");
    let machine = machine.without(&["usr/share/dbus-1/system-services/org.freedesktop.RealtimeKit1.service"]);
    let (status, found, fix) = machine.check("rtkit");
    assert_eq!(
        (status, found.as_str(), fix.as_str()),
        (CheckStatus::Warn, "not installed", "sudo apt install rtkit")
    );
}

#[test]
fn capabilities_make_up_for_limits() {
    let machine = Machine::studio().with(&[
        ("proc/self/limits", LIMITS_OF_ANYBODY),
        ("proc/self/status", "Groups:\t1000 \nCapEff:\t0000000000804000\n"), // bits 14 and 23
    ]);
    for id in ["rtprio", "memlock", "groups", "capabilities", "rtkit"] {
        assert_eq!(machine.check(id).0, CheckStatus::Ok, "{id}");
    }
    assert!(machine.check("capabilities").1.starts_with("CAP_SYS_NICE, CAP_IPC_LOCK ("));
    // One without the other.
    let machine = machine.with(&[("proc/self/status", "Groups:\t\nCapEff:\t0000000000004000\n")]);
    assert_eq!(machine.check("rtprio").0, CheckStatus::Warn);
    assert_eq!(machine.check("memlock").0, CheckStatus::Ok);
}

#[test]
fn what_rtkit_says_is_told() {
    let machine = Machine::studio().with(&[
        ("proc/self/limits", LIMITS_OF_ANYBODY),
        ("proc/self/status", "Groups:\t1000 \nCapEff:\t0\n"),
    ]);
    let say = |rtkit| {
        let live = Live { rtkit: Some(rtkit), ..Live::default() };
        let check = examine(&machine.0, live).into_iter().find(|check| check.id == "rtkit").unwrap();
        (check.status, check.found)
    };
    assert_eq!(say(Ok("priority up to 20".to_owned())), (CheckStatus::Ok, "priority up to 20".to_owned()));
    let (status, found) = say(Err("there is no system bus".to_owned()));
    assert_eq!((status, found.as_str()), (CheckStatus::Warn, "installed, but: there is no system bus"));
}

#[test]
fn preemption_is_read_wherever_it_is_told() {
    let stock = Machine::studio()
        .with(&[
            ("proc/sys/kernel/osrelease", "6.8.0-50-generic"),
            ("proc/sys/kernel/version", "#51-Ubuntu SMP PREEMPT_DYNAMIC Sat Nov  9 17:58:29 UTC 2024"),
            ("etc/os-release", "ID=ubuntu\nID_LIKE=debian\n"),
        ])
        .without(&["sys/kernel/realtime"]);
    assert_eq!(stock.check("preemption").0, CheckStatus::Unknown);
    assert!(stock.check("preemption").1.contains("only root can read"));
    let stock = stock
        .with(&[("boot/config-6.8.0-50-generic", "CONFIG_PREEMPT_BUILD=y\nCONFIG_PREEMPT_VOLUNTARY=y\n")]);
    let (status, found, fix) = stock.check("preemption");
    assert_eq!((status, found.as_str()), (CheckStatus::Warn, "PREEMPT_DYNAMIC, mode voluntary"));
    assert!(fix.contains("preempt=full") && fix.contains("update-grub"), "{fix}");
    let stock = stock.with(&[("proc/cmdline", "quiet preempt=none preempt=full")]);
    assert_eq!(stock.check("preemption").1, "PREEMPT_DYNAMIC, mode full", "the last word counts");
    let stock = stock.with(&[("sys/kernel/debug/sched/preempt", "none voluntary full (lazy)\n")]);
    assert_eq!(
        stock.check("preemption"),
        (CheckStatus::Ok, "PREEMPT_DYNAMIC, mode lazy".into(), String::new())
    );
    for (version, status) in [
        ("#1 SMP PREEMPT Debian", CheckStatus::Ok),
        ("#1 SMP PREEMPT_RT Debian", CheckStatus::Ok),
        ("#1 SMP PREEMPT RT Thu", CheckStatus::Ok),
        ("#1 SMP Debian 5.10", CheckStatus::Warn),
    ] {
        let machine =
            Machine::studio().with(&[("proc/sys/kernel/version", version)]).without(&["sys/kernel/realtime"]);
        assert_eq!(machine.check("preemption").0, status, "{version}");
    }
}

#[test]
fn bore_is_seen_and_changes_nothing() {
    for (value, found) in [("1", "BORE, on"), ("0", "BORE, switched off (kernel.sched_bore = 0)")] {
        let machine = Machine::studio().with(&[("proc/sys/kernel/sched_bore", value)]);
        assert_eq!(machine.check("scheduler"), (CheckStatus::Ok, found.to_owned(), String::new()));
    }
    assert_eq!(Machine::studio().check("scheduler").1, "the kernel's own (EEVDF, before 6.6 CFS)");
}

#[test]
fn throttling_is_wanted_but_not_much_of_it() {
    for (runtime, status) in [
        ("950000", CheckStatus::Ok),
        ("1000000", CheckStatus::Ok),
        ("500000", CheckStatus::Warn),
        ("-1", CheckStatus::Warn),
        ("0", CheckStatus::Fail),
        ("?", CheckStatus::Unknown),
    ] {
        let machine = Machine::studio().with(&[("proc/sys/kernel/sched_rt_runtime_us", runtime)]);
        let (found, _, fix) = machine.check("throttling");
        assert_eq!(found, status, "{runtime}");
        let amiss = matches!(status, CheckStatus::Warn | CheckStatus::Fail);
        assert_eq!(fix.contains("kernel.sched_rt_runtime_us = 950000"), amiss, "{fix}");
    }
}

#[test]
fn a_control_group_without_a_budget_is_why_nothing_helps() {
    let group = "9:name=systemd:/\n2:cpu,cpuacct:/docker/abc\n0::/\n";
    let machine = Machine::studio()
        .with(&[("proc/self/cgroup", group), ("sys/fs/cgroup/cpu/docker/abc/cpu.rt_runtime_us", "0\n")]);
    let (status, _, fix) = machine.check("cgroup");
    assert_eq!(status, CheckStatus::Fail);
    assert_eq!(fix, "echo 950000 | sudo tee /sys/fs/cgroup/cpu/docker/abc/cpu.rt_runtime_us");
    let machine = machine.with(&[("sys/fs/cgroup/cpu/docker/abc/cpu.rt_runtime_us", "950000\n")]);
    assert_eq!(machine.check("cgroup").0, CheckStatus::Ok);
    let root = Machine::studio()
        .with(&[("proc/self/cgroup", "1:cpu:/\n"), ("sys/fs/cgroup/cpu/cpu.rt_runtime_us", "0\n")]);
    assert_eq!(root.check("cgroup").0, CheckStatus::Fail);
}

#[test]
fn slow_cores_and_deep_sleep_are_told() {
    let machine = Machine::studio().with(&[
        ("etc/os-release", "ID=fedora\n"),
        ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n"),
        ("sys/devices/system/cpu/cpu0/cpuidle/state2/name", "C10\n"),
        ("sys/devices/system/cpu/cpu0/cpuidle/state2/latency", "890\n"),
    ]);
    let (status, found, fix) = machine.check("governor");
    assert_eq!((status, found.as_str()), (CheckStatus::Warn, "performance, powersave"));
    assert!(fix.starts_with("echo performance | sudo tee"));
    let (status, found, fix) = machine.check("idle");
    assert_eq!((status, found.as_str()), (CheckStatus::Warn, "the deepest, C10, takes 890 µs to leave"));
    assert!(fix.contains("dnf install kernel-tools") && fix.contains("idle-set -D 200"));
    let machine = machine.with(&[("sys/devices/system/cpu/cpu0/cpuidle/state2/disable", "1\n")]);
    assert_eq!(machine.check("idle").1, "the deepest, C1, takes 2 µs to leave");
    let none = Machine::studio()
        .without(&["sys/devices/system/cpu/cpu0/cpuidle", "sys/devices/system/cpu/cpu0/cpufreq"])
        .without(&["sys/devices/system/cpu/cpu1/cpufreq"]);
    assert_eq!(none.check("governor").1, "no frequency scaling here");
    assert_eq!(none.check("idle").1, "no idle states here");
}

#[test]
fn isolated_cores_are_listed_and_nobody_needs_them() {
    let machine = Machine::studio()
        .with(&[("sys/devices/system/cpu/isolated", "2-3\n"), ("sys/devices/system/cpu/nohz_full", "3\n")]);
    assert_eq!(
        machine.check("isolation"),
        (CheckStatus::Ok, "isolated: 2-3, nohz_full: 3".into(), String::new())
    );
}

#[test]
fn interrupts_timers_and_clocks() {
    let plain = Machine::studio()
        .with(&[
            ("proc/cmdline", "quiet"),
            ("proc/sys/kernel/version", "#1 SMP PREEMPT"),
            ("etc/os-release", "ID=nixos\n"),
        ])
        .without(&["sys/kernel/realtime"]);
    let (status, found, fix) = plain.check("irqs");
    assert_eq!((status, found.as_str()), (CheckStatus::Warn, "not threaded"));
    assert!(fix.starts_with("boot.kernelParams = [ \"threadirqs\" ];"), "{fix}");
    assert_eq!(plain.with(&[("proc/cmdline", "threadirqs")]).check("irqs").1, "threaded (threadirqs)");

    let off = Machine::studio().with(&[("proc/cmdline", "highres=off")]);
    assert_eq!(off.check("timers").0, CheckStatus::Fail);
    let ticks = |live: Option<u64>, list: &str| {
        let machine = Machine::studio().with(&[("proc/timer_list", list)]);
        let live = Live { resolution_ns: live, ..Live::default() };
        examine(&machine.0, live).into_iter().find(|check| check.id == "timers").unwrap().status
    };
    assert_eq!(ticks(Some(4_000_000), ""), CheckStatus::Fail);
    assert_eq!(ticks(None, " clock 0:\n  .resolution: 1 nsecs\n"), CheckStatus::Ok);
    assert_eq!(ticks(None, " clock 0:\n  .resolution: 4000000 nsecs\n"), CheckStatus::Fail);
    assert_eq!(ticks(None, ""), CheckStatus::Unknown);

    let slow = Machine::studio()
        .with(&[("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n")]);
    assert_eq!(slow.check("clocksource").0, CheckStatus::Warn);
}

#[test]
fn servers_cards_and_libraries() {
    let silent = Machine::studio().without(&["proc/812", "proc/asound/cards"]);
    let (status, found, fix) = silent.check("audio");
    assert_eq!((status, found.as_str()), (CheckStatus::Fail, "no sound card"));
    assert!(fix.starts_with("sudo pacman -S pipewire"), "{fix}");
    let jack = silent.with(&[
        ("proc/900/comm", "jackd\n"),
        ("proc/900/cmdline", "jackd\0-R\0-d\0alsa\0-r\x0044100\0-p\x0064\0"),
    ]);
    assert_eq!(
        jack.check("audio"),
        (CheckStatus::Ok, "JACK (44100 Hz, 64 frames); no sound card".into(), String::new())
    );
    let pulse = Machine::studio().with(&[("proc/812/comm", "pulseaudio\n")]);
    assert_eq!(pulse.check("audio").0, CheckStatus::Warn, "it adds what JACK and PipeWire do not");

    let bare = Machine::studio().without(&["usr/lib/libjack.so.0"]);
    let (status, _, fix) = bare.check("libraries");
    assert_eq!((status, fix.as_str()), (CheckStatus::Warn, "sudo pacman -S pipewire-jack"));
    let debian = bare.with(&[("usr/lib/x86_64-linux-gnu/pipewire-0.3/jack/libjack.so.0", "")]);
    assert_eq!(debian.check("libraries").0, CheckStatus::Ok);
}

#[test]
fn guests_and_old_kernels_are_told_what_they_are() {
    let guest = Machine::studio().with(&[("proc/cpuinfo", "flags\t\t: fpu hypervisor lahf_lm\n")]);
    assert_eq!(guest.check("virtual").0, CheckStatus::Warn);
    for (release, status) in [
        ("5.13.0", CheckStatus::Warn),
        ("5.14.0-1", CheckStatus::Ok),
        ("4.19.0-6-amd64", CheckStatus::Warn),
        ("6.1", CheckStatus::Ok),
        ("", CheckStatus::Unknown),
    ] {
        let machine = Machine::studio().with(&[("proc/sys/kernel/osrelease", release)]);
        assert_eq!(machine.check("kernel").0, status, "{release}");
    }
}

#[test]
fn an_unknown_distribution_gets_the_commands_of_all() {
    let machine = Machine::studio()
        .with(&[("etc/os-release", "ID=gentoo\n"), ("proc/sys/kernel/sched_rt_runtime_us", "-1")]);
    let fix = machine.check("throttling").2;
    for name in ["Debian, Ubuntu: ", "Arch: ", "Fedora: ", "NixOS: boot.kernel.sysctl"] {
        assert!(fix.contains(name), "{fix}");
    }
    assert_eq!(fix.lines().count(), 4);
}

#[test]
fn a_folder_without_any_file_is_unknown_and_no_failure_but_for_sound() {
    let machine = Machine::studio();
    std::fs::remove_dir_all(&machine.0).unwrap();
    let checks = examine(&machine.0, Live::default());
    for check in checks {
        assert!(check.status != CheckStatus::Fail || check.id == "audio", "{}: {}", check.id, check.found);
    }
}

#[test]
fn lateness_is_judged_by_its_99_per_cent() {
    let late = |p99| counters::Distribution { count: 100, p50: 5.0, p99, max: 9000.0, ..Default::default() };
    for (p99, status) in [(31.0, CheckStatus::Ok), (800.0, CheckStatus::Warn), (2800.0, CheckStatus::Fail)] {
        assert_eq!(machine::lateness(&late(p99)).status, status);
    }
}

#[test]
fn the_running_machine_can_be_examined() {
    let report = doctor(DoctorOptions { measure_s: 0.1 });
    assert_eq!(report.ok, report.checks.iter().all(|check| check.status != CheckStatus::Fail));
    let jitter = report.jitter.expect("it was measured");
    assert_eq!(jitter.count, 75); // 0.1 s ÷ (64 ÷ 48000)
    assert!(report.checks.iter().any(|check| check.id == "jitter"));
    let unmeasured = doctor(DoctorOptions { measure_s: 0.0 });
    assert_eq!((unmeasured.jitter, unmeasured.jitter_without), (None, None));
    assert!(unmeasured.checks.iter().all(|check| check.id != "jitter"));
    assert_eq!(unmeasured.checks.first().map(|check| check.id), Some("realtime"));
}
