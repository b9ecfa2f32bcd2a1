//! Commands, for each distribution that is known. On an unknown one all of them are told.

use crate::device::Distribution;

/// What to type where.
pub(super) struct Fix {
    debian: String,
    arch: String,
    fedora: String,
    nixos: String,
}

impl Fix {
    /// Debian's and Ubuntu's, Arch's, Fedora's, and lines of configuration.nix.
    pub fn new(
        debian: impl Into<String>,
        arch: impl Into<String>,
        fedora: impl Into<String>,
        nixos: &str,
    ) -> Self {
        Self {
            debian: debian.into(),
            arch: arch.into(),
            fedora: fedora.into(),
            nixos: in_configuration(nixos),
        }
    }

    /// The same command everywhere but on NixOS.
    pub fn same(command: impl Into<String>, nixos: &str) -> Self {
        let command = command.into();
        Self::new(command.clone(), command.clone(), command, nixos)
    }

    /// A parameter that the kernel is started with.
    pub fn kernel_parameter(parameter: &str) -> Self {
        let grub = format!("sudo sed -i 's/^GRUB_CMDLINE_LINUX_DEFAULT=\"/&{parameter} /' /etc/default/grub");
        Self::new(
            format!("{grub} && sudo update-grub   # and restart"),
            format!("{grub} && sudo grub-mkconfig -o /boot/grub/grub.cfg   # and restart"),
            format!("sudo grubby --update-kernel=ALL --args={parameter}   # and restart"),
            &format!("boot.kernelParams = [ \"{parameter}\" ];"),
        )
    }

    /// A kernel setting, now and after a restart.
    pub fn sysctl(name: &str, value: i64) -> Self {
        let file = format!("/etc/sysctl.d/90-{}.conf", name.rsplit('.').next().unwrap_or(name));
        Self::same(
            format!("echo '{name} = {value}' | sudo tee {file} && sudo sysctl -p {file}"),
            &format!("boot.kernel.sysctl.\"{name}\" = {value};"),
        )
    }

    /// Packages.
    pub fn install(debian: &str, arch: &str, fedora: &str, nixos: &str) -> Self {
        Self::new(
            format!("sudo apt install {debian}"),
            format!("sudo pacman -S {arch}"),
            format!("sudo dnf install {fedora}"),
            nixos,
        )
    }

    /// In words, for this one.
    pub fn on(self, distribution: Distribution) -> String {
        match distribution {
            Distribution::Debian | Distribution::Ubuntu => self.debian,
            Distribution::Arch => self.arch,
            Distribution::Fedora => self.fedora,
            Distribution::NixOs => self.nixos,
            Distribution::Other => [
                ("Debian, Ubuntu", self.debian),
                ("Arch", self.arch),
                ("Fedora", self.fedora),
                ("NixOS", self.nixos),
            ]
            .map(|(name, command)| format!("{name}: {command}"))
            .join("\n"),
        }
    }
}

fn in_configuration(lines: &str) -> String {
    format!("{lines}   # in configuration.nix, then: sudo nixos-rebuild switch")
}
