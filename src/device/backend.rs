//! The names of the hosts, as `EngineOptions.backend` spells them.
//!
//! `offline` is missing on purpose: it has no thread and no device, so it never meets this room. Every name
//! parses on every platform; whether the host can be opened here is [`Backend::missing`]'s answer.

use std::fmt;

/// A way to reach an audio device, or to do without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// The best real device host that answers.
    Auto,
    /// Linux: ALSA, and through its plugins whatever the desktop routes there.
    Alsa,
    /// A running JACK server, or PipeWire in its place.
    Jack,
    /// PipeWire, natively. Not in this build: it would link a library that many machines lack.
    PipeWire,
    /// A running PulseAudio, or PipeWire in its place, by protocol.
    PulseAudio,
    /// macOS.
    CoreAudio,
    /// Windows.
    Wasapi,
    /// No hardware: a real audio thread paced by the monotonic clock.
    Clock,
}

impl Backend {
    /// Every backend, in the order of the public type.
    pub const ALL: [Backend; 8] = [
        Backend::Auto,
        Backend::Alsa,
        Backend::Jack,
        Backend::PipeWire,
        Backend::PulseAudio,
        Backend::CoreAudio,
        Backend::Wasapi,
        Backend::Clock,
    ];

    /// The name in the public API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Backend::Auto => "auto",
            Backend::Alsa => "alsa",
            Backend::Jack => "jack",
            Backend::PipeWire => "pipewire",
            Backend::PulseAudio => "pulseaudio",
            Backend::CoreAudio => "coreaudio",
            Backend::Wasapi => "wasapi",
            Backend::Clock => "clock",
        }
    }

    /// The backend with that name, exactly as [`Backend::as_str`] spells it.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.as_str() == name)
    }

    /// Whether this build can try to open it on this system.
    pub(crate) fn is_here(self) -> bool {
        match self {
            Backend::Auto | Backend::Clock => true,
            Backend::Alsa | Backend::Jack | Backend::PulseAudio => cfg!(target_os = "linux"),
            Backend::CoreAudio => cfg!(target_os = "macos"),
            Backend::Wasapi => cfg!(windows),
            Backend::PipeWire => false,
        }
    }

    /// Why this backend cannot be opened by this build, or `None` where it can be tried.
    pub(crate) fn missing(self) -> Option<String> {
        if self.is_here() {
            return None;
        }
        let because = match self {
            Backend::PipeWire if cfg!(target_os = "linux") => {
                "this build does not link libpipewire; PipeWire is reached as 'pulseaudio' (pipewire-pulse) or, \
                 with less latency, as 'jack' (run the program under pw-jack, or install pipewire-jack)"
            }
            Backend::Jack => "this build has JACK on Linux only",
            Backend::CoreAudio => "it exists on macOS only",
            Backend::Wasapi => "it exists on Windows only",
            _ => "it exists on Linux only",
        };
        let here: Vec<&str> = Self::ALL.into_iter().filter(|b| b.is_here()).map(Backend::as_str).collect();
        Some(format!("backend '{self}' cannot be opened here: {because}. Available: {}", here.join(", ")))
    }

    /// Whether the host owns the audio thread and schedules it itself.
    pub(crate) fn owns_thread(self) -> bool {
        matches!(self, Backend::Jack | Backend::PipeWire | Backend::CoreAudio | Backend::Wasapi)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back_to_its_backend() {
        for backend in Backend::ALL {
            assert_eq!(Backend::parse(backend.as_str()), Some(backend));
        }
        assert_eq!(Backend::parse("offline"), None);
        assert_eq!(Backend::parse("ALSA"), None);
    }

    #[test]
    fn what_is_missing_says_so_and_names_what_is_there() {
        for backend in Backend::ALL {
            assert_eq!(backend.missing().is_none(), backend.is_here(), "{backend}");
            if let Some(message) = backend.missing() {
                assert!(message.contains(&format!("'{backend}'")), "{message}");
                assert!(message.contains("clock"), "{message}");
            }
        }
    }
}
