//! What this process may do: priority, locked memory, and the three ways there (limits, capabilities, rtkit).

use super::tree::{IPC_LOCK, SYS_NICE, Tree};
use super::{CheckStatus, Finding, Fix, Live};
use crate::device::RealtimeStatus;

/// What audio threads take by default.
const WANTED_RTPRIO: u64 = 70;
/// An engine, its lanes, and the heads of some hundred samples.
const WANTED_MEMLOCK: u64 = 64 << 20;

const MIB: u64 = 1 << 20;

fn limits_fix(item: &str, value: &str) -> Fix {
    let group = |group: &str| {
        format!(
            "echo '@{group} - {item} {value}' | sudo tee -a /etc/security/limits.d/audio.conf && \
             sudo usermod -aG {group} $USER   # and log in again"
        )
    };
    Fix::new(
        group("audio"),
        "sudo pacman -S realtime-privileges && sudo usermod -aG realtime $USER   # and log in again",
        group("audio"),
        &format!(
            "security.pam.loginLimits = [ {{ domain = \"@audio\"; type = \"-\"; item = \"{item}\"; value = \"{value}\"; \
             }} ]; users.users.<you>.extraGroups = [ \"audio\" ];"
        ),
    )
}

/// The whole truth: what the kernel (or rtkit) really gave when it was asked.
pub(super) fn granted(status: &RealtimeStatus) -> Finding {
    const WANTED: &str =
        "an audio thread that other programs cannot hold up: SCHED_FIFO, or SCHED_RR by rtkit";
    let found = format!("{} {}", status.policy, status.priority);
    match (status.granted, &status.reason) {
        (true, None) => Finding::new("realtime", CheckStatus::Ok, format!("{found}, {}", status.via), WANTED),
        (true, Some(reason)) => {
            Finding::new("realtime", CheckStatus::Ok, format!("{found}, {}: {reason}", status.via), WANTED)
        }
        (false, reason) => {
            let why = reason.as_deref().unwrap_or("no reason was given");
            Finding::new("realtime", CheckStatus::Fail, format!("denied: {why}"), WANTED)
                .fix(limits_fix("rtprio", "95"))
        }
    }
}

pub(super) fn rtprio(tree: &Tree) -> Finding {
    const WANTED: &str = "70 or more (RLIMIT_RTPRIO), or CAP_SYS_NICE";
    let finding =
        |status, found: String| Finding::new("rtprio", status, found, WANTED).fix(limits_fix("rtprio", "95"));
    let limit = tree.limit("Max realtime priority");
    let shown = limit.map_or("unknown".to_owned(), |limit| limit.to_string());
    if tree.has_capability(SYS_NICE) {
        return finding(CheckStatus::Ok, format!("limit {shown}, and CAP_SYS_NICE, which needs none"));
    }
    match limit {
        None => finding(CheckStatus::Unknown, "/proc/self/limits cannot be read".to_owned()),
        Some(limit) if limit >= WANTED_RTPRIO => finding(CheckStatus::Ok, format!("limit {limit}")),
        Some(0) => finding(CheckStatus::Warn, "limit 0: the kernel grants none".to_owned()),
        Some(limit) => finding(CheckStatus::Warn, format!("limit {limit}")),
    }
}

pub(super) fn capabilities(tree: &Tree) -> Finding {
    const WANTED: &str = "CAP_SYS_NICE on the runtime, where limits cannot be set (a service, a container)";
    let program = tree.link("proc/self/exe").unwrap_or_else(|| "/usr/bin/node".to_owned());
    let names: Vec<&str> = [(SYS_NICE, "CAP_SYS_NICE"), (IPC_LOCK, "CAP_IPC_LOCK")]
        .into_iter()
        .filter(|(number, _)| tree.has_capability(*number))
        .map(|(_, name)| name)
        .collect();
    let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let allowed = tree.has_capability(SYS_NICE) || tree.limit("Max realtime priority").unwrap_or(0) > 0;
    let status = if allowed { CheckStatus::Ok } else { CheckStatus::Warn };
    Finding::new("capabilities", status, format!("{found} ({program})"), WANTED).fix(Fix::same(
        format!("sudo setcap 'cap_sys_nice,cap_ipc_lock=+ep' {program}   # every script that it runs then has them"),
        "security.wrappers.node = { source = \"${pkgs.nodejs}/bin/node\"; owner = \"root\"; group = \"root\"; \
         capabilities = \"cap_sys_nice,cap_ipc_lock=+ep\"; };",
    ))
}

pub(super) fn rtkit(tree: &Tree, live: &Live) -> Finding {
    const WANTED: &str = "installed, for users whom the kernel grants nothing";
    let installed = tree.exists("usr/share/dbus-1/system-services/org.freedesktop.RealtimeKit1.service")
        || tree.exists(
            "run/current-system/sw/share/dbus-1/system-services/org.freedesktop.RealtimeKit1.service",
        );
    let needed =
        !tree.has_capability(SYS_NICE) && tree.limit("Max realtime priority").unwrap_or(0) < WANTED_RTPRIO;
    let amiss = if needed { CheckStatus::Warn } else { CheckStatus::Ok };
    let (status, found) = match (&live.rtkit, installed) {
        (Some(Ok(words)), _) => (CheckStatus::Ok, words.clone()),
        (Some(Err(error)), true) => (amiss, format!("installed, but: {error}")),
        (None, true) => (CheckStatus::Ok, "installed".to_owned()),
        (_, false) if needed => (amiss, "not installed".to_owned()),
        (_, false) => (amiss, "not installed, and not needed".to_owned()),
    };
    Finding::new("rtkit", status, found, WANTED).fix(Fix::new(
        "sudo apt install rtkit",
        "sudo pacman -S rtkit",
        "sudo dnf install rtkit",
        "security.rtkit.enable = true;",
    ))
}

pub(super) fn groups(tree: &Tree) -> Finding {
    const WANTED: &str = "membership in the group that the limits are for (audio; on Arch realtime)";
    let ids = tree.field("proc/self/status", "Groups:").unwrap_or_default();
    let ids: Vec<&str> = ids.split_whitespace().collect();
    let all = tree.read("etc/group").unwrap_or_default();
    let mut names = Vec::new();
    let mut audio = false;
    for line in all.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        if let [name, _, id, ..] = fields.as_slice()
            && ids.contains(id)
        {
            audio |= matches!(*name, "audio" | "realtime" | "jackuser" | "pipewire");
            names.push(*name);
        }
    }
    let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let allowed = tree.has_capability(SYS_NICE) || tree.limit("Max realtime priority").unwrap_or(0) > 0;
    let status = if audio || allowed { CheckStatus::Ok } else { CheckStatus::Warn };
    let add = |group: &str| format!("sudo usermod -aG {group} $USER   # and log in again");
    Finding::new("groups", status, found, WANTED).fix(Fix::new(
        add("audio"),
        format!("sudo pacman -S realtime-privileges && {}", add("realtime")),
        add("audio"),
        "users.users.<you>.extraGroups = [ \"audio\" ];",
    ))
}

pub(super) fn memlock(tree: &Tree) -> Finding {
    const WANTED: &str = "64 MiB or more (RLIMIT_MEMLOCK), so that samples are not swapped out; 8 MiB hold the engine \
                          and the beginnings of some samples";
    let finding = |status, found: String| {
        Finding::new("memlock", status, found, WANTED).fix(limits_fix("memlock", "unlimited"))
    };
    if tree.has_capability(IPC_LOCK) {
        return finding(CheckStatus::Ok, "CAP_IPC_LOCK, which needs no limit".to_owned());
    }
    match tree.limit("Max locked memory") {
        None => finding(CheckStatus::Unknown, "/proc/self/limits cannot be read".to_owned()),
        Some(u64::MAX) => finding(CheckStatus::Ok, "unlimited".to_owned()),
        Some(bytes) if bytes >= WANTED_MEMLOCK => finding(CheckStatus::Ok, format!("{} MiB", bytes / MIB)),
        Some(bytes) if bytes >= MIB => finding(CheckStatus::Warn, format!("{} MiB", bytes / MIB)),
        Some(bytes) => finding(CheckStatus::Warn, format!("{} KiB", bytes >> 10)),
    }
}
