//! What to type on which distribution: the one place that knows them apart, for the reasons of a denied
//! priority and for the doctor.

use std::path::Path;

/// A family of distributions that are set up the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// Debian and what is made of it.
    Debian,
    /// Ubuntu, Mint …: as Debian, with kernels of its own.
    Ubuntu,
    /// Arch, Manjaro, EndeavourOS …
    Arch,
    /// Fedora, CentOS …
    Fedora,
    /// NixOS, where files in /etc are made from one configuration.
    NixOs,
    /// Any other.
    Other,
}

impl Distribution {
    /// Those that commands are known for, with their names.
    pub const KNOWN: [(Distribution, &'static str); 5] = [
        (Distribution::Debian, "Debian"),
        (Distribution::Ubuntu, "Ubuntu"),
        (Distribution::Arch, "Arch"),
        (Distribution::Fedora, "Fedora"),
        (Distribution::NixOs, "NixOS"),
    ];

    /// The one that runs.
    pub fn here() -> Self {
        Self::of(Path::new("/"))
    }

    /// By the os-release file under a root (os-release(5): ID, then ID_LIKE from the nearest relative on).
    pub fn of(root: &Path) -> Self {
        let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
        let text = read("etc/os-release").or_else(|| read("usr/lib/os-release")).unwrap_or_default();
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_default().trim_matches(['"', '\'']).to_lowercase()
        };
        let words = format!("{} {}", value("ID"), value("ID_LIKE"));
        let family = words.split_whitespace().find_map(|word| match word {
            "debian" => Some(Distribution::Debian),
            "ubuntu" => Some(Distribution::Ubuntu),
            "arch" | "archlinux" => Some(Distribution::Arch),
            "fedora" | "rhel" => Some(Distribution::Fedora),
            "nixos" => Some(Distribution::NixOs),
            _ => None,
        });
        family.unwrap_or(Distribution::Other)
    }

    /// A sentence without its full stop: how an ordinary user is allowed real-time priority.
    pub fn grant_rtprio(self) -> &'static str {
        match self {
            Distribution::Debian | Distribution::Ubuntu | Distribution::Fedora | Distribution::Other => {
                "Put '@audio - rtprio 95' into /etc/security/limits.d/audio.conf, run `sudo usermod -aG audio \
                 $USER`, and log in again"
            }
            Distribution::Arch => {
                "Run `sudo pacman -S realtime-privileges && sudo usermod -aG realtime $USER` and log in again"
            }
            Distribution::NixOs => {
                "Put `security.pam.loginLimits = [ { domain = \"@audio\"; type = \"-\"; item = \"rtprio\"; \
                 value = \"95\"; } ]; users.users.<you>.extraGroups = [ \"audio\" ];` into \
                 configuration.nix, run `sudo nixos-rebuild switch`, and log in again"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_found_by_id_and_by_relatives() {
        let root = std::env::temp_dir().join(format!("ictus-release-{}", std::process::id()));
        std::fs::create_dir_all(root.join("etc")).unwrap();
        for (text, expected) in [
            ("ID=debian\n", Distribution::Debian),
            ("NAME=x\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Distribution::Ubuntu),
            ("ID=manjaro\nID_LIKE=arch\n", Distribution::Arch),
            ("ID='fedora'\n", Distribution::Fedora),
            ("ID=rocky\nID_LIKE=\"rhel centos fedora\"\n", Distribution::Fedora),
            ("ID=nixos\n", Distribution::NixOs),
            ("ID=slackware\n", Distribution::Other),
            ("", Distribution::Other),
        ] {
            std::fs::write(root.join("etc/os-release"), text).unwrap();
            assert_eq!(Distribution::of(&root), expected, "{text}");
        }
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(Distribution::of(&root), Distribution::Other);
    }
}
