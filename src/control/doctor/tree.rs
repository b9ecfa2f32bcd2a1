//! The files of a machine, under any root.

use std::path::{Path, PathBuf};

/// A root to read from.
pub(super) struct Tree {
    root: PathBuf,
}

impl Tree {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// A file's text without white space around it; `None` where it cannot be read.
    pub fn read(&self, path: &str) -> Option<String> {
        let bytes = std::fs::read(self.root.join(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// A file that holds a number.
    pub fn number(&self, path: &str) -> Option<i64> {
        self.read(path)?.parse().ok()
    }

    pub fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// Where a link leads.
    pub fn link(&self, path: &str) -> Option<String> {
        Some(std::fs::read_link(self.root.join(path)).ok()?.to_string_lossy().into_owned())
    }

    /// Names in a folder, sorted; none where there is no folder.
    pub fn list(&self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.join(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// What stands behind a key at the start of a line, as in /proc/self/status.
    pub fn field(&self, path: &str, key: &str) -> Option<String> {
        let text = self.read(path)?;
        text.lines().find_map(|line| line.strip_prefix(key)).map(|rest| rest.trim().to_owned())
    }

    /// Whether the kernel was started with this parameter; for `name=value`, the value of its last occurrence.
    pub fn kernel_parameter(&self, name: &str) -> Option<String> {
        let line = self.read("proc/cmdline")?;
        let value = |word: &str| match word.split_once('=') {
            Some((key, value)) if key == name => Some(value.to_owned()),
            None if word == name => Some(String::new()),
            _ => None,
        };
        line.split_whitespace().filter_map(value).next_back()
    }

    /// Soft limit of a line in /proc/self/limits; `u64::MAX` is unlimited.
    pub fn limit(&self, name: &str) -> Option<u64> {
        let rest = self.field("proc/self/limits", name)?;
        match rest.split_whitespace().next()? {
            "unlimited" => Some(u64::MAX),
            number => number.parse().ok(),
        }
    }

    /// Whether this process has a capability, by its number (linux/capability.h).
    pub fn has_capability(&self, number: u32) -> bool {
        let mask =
            self.field("proc/self/status", "CapEff:").and_then(|hex| u64::from_str_radix(&hex, 16).ok());
        mask.is_some_and(|mask| mask & (1 << number) != 0)
    }

    /// Command names of all processes with their numbers.
    pub fn processes(&self) -> Vec<(String, String)> {
        let numbers = self.list("proc").into_iter().filter(|name| name.bytes().all(|b| b.is_ascii_digit()));
        numbers.filter_map(|id| Some((self.read(&format!("proc/{id}/comm"))?, id))).collect()
    }
}

/// CAP_IPC_LOCK
pub(super) const IPC_LOCK: u32 = 14;
/// CAP_SYS_NICE
pub(super) const SYS_NICE: u32 = 23;
