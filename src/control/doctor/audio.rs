//! What sound goes through: cards, servers with their rate and quantum, libraries.

use super::tree::Tree;
use super::{CheckStatus, Finding, Fix, Live};

/// What PipeWire says of its graph, if the tool that asks it is installed and answers at once.
#[cfg(target_os = "linux")]
pub(super) fn ask_pipewire() -> Option<String> {
    use std::io::Read;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    let mut command = Command::new("pw-metadata");
    command.args(["-n", "settings"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let started = Instant::now();
    while child.try_wait().ok()?.is_none() {
        if started.elapsed() > Duration::from_secs(2) {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut text = String::new();
    child.stdout.take()?.read_to_string(&mut text).ok()?;
    text.contains("clock.rate").then_some(text)
}

/// The value behind a key in what `pw-metadata` prints: `… key:'clock.quantum' value:'1024' type:''`.
fn setting(text: &str, key: &str) -> Option<u32> {
    let rest = text.split_once(&format!("key:'{key}' value:'"))?.1;
    rest.split('\'').next()?.parse().ok()
}

/// `PipeWire (48000 Hz, 1024 frames)`
fn pipewire(text: Option<&str>) -> String {
    let number = |key: &str| text.and_then(|text| setting(text, key));
    let (Some(rate), Some(quantum)) = (number("clock.rate"), number("clock.quantum")) else {
        return "PipeWire".to_owned();
    };
    let force = |key: &str, own: u32| number(key).filter(|forced| *forced > 0).unwrap_or(own);
    let (rate, quantum) = (force("clock.force-rate", rate), force("clock.force-quantum", quantum));
    match number("clock.min-quantum").filter(|least| *least < quantum) {
        Some(least) => format!("PipeWire ({rate} Hz, {quantum} frames, {least} for who asks)"),
        None => format!("PipeWire ({rate} Hz, {quantum} frames)"),
    }
}

/// `JACK (48000 Hz, 128 frames)`, from its command line (words end with NUL): driver options come behind `-d`.
fn jack(command: &str) -> String {
    let words: Vec<&str> = command.split('\0').filter(|word| !word.is_empty()).collect();
    let driver = words.iter().position(|word| word.starts_with("-d")).unwrap_or(words.len());
    let option = |short: &str, long: &str| {
        words.iter().enumerate().skip(driver).find_map(|(at, word)| {
            let glued = word.strip_prefix(long).or_else(|| word.strip_prefix(short))?;
            let value = glued.trim_start_matches('=');
            let value = if value.is_empty() { words.get(at + 1).copied()? } else { value };
            value.parse::<u32>().ok()
        })
    };
    // jackd's own defaults where the command line is silent.
    let rate = option("-r", "--rate").unwrap_or(48_000);
    let period = option("-p", "--period").unwrap_or(1024);
    let no_priority = words.iter().take(driver).any(|word| matches!(*word, "-r" | "--no-realtime"));
    let without = if no_priority { ", without real-time priority (-r)" } else { "" };
    format!("JACK ({rate} Hz, {period} frames{without})")
}

pub(super) fn servers(tree: &Tree, live: &Live) -> Finding {
    const WANTED: &str = "a sound card, and best a running JACK or PipeWire, which schedule in real time";
    let processes = tree.processes();
    let running = |name: &str| processes.iter().find(|(command, _)| command == name).map(|(_, id)| id);
    let mut parts = Vec::new();
    if let Some(id) = running("jackd").or_else(|| running("jackdbus")) {
        parts.push(jack(&tree.read(&format!("proc/{id}/cmdline")).unwrap_or_default()));
    }
    if running("pipewire").is_some() {
        parts.push(pipewire(live.pipewire.as_deref()));
    }
    if running("pulseaudio").is_some() {
        parts.push("PulseAudio".to_owned());
    }
    let cards = tree.read("proc/asound/cards").unwrap_or_default();
    let cards: Vec<&str> = cards
        .lines()
        .filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|line| line.split_once("]: ").map(|(_, name)| name.trim()))
        .collect();
    let sound = if cards.is_empty() { "no sound card".to_owned() } else { cards.join(", ") };
    let low_latency = parts.iter().any(|part| !part.starts_with("PulseAudio"));
    let status = match (parts.is_empty(), cards.is_empty()) {
        (true, true) => CheckStatus::Fail,
        _ if low_latency => CheckStatus::Ok,
        _ => CheckStatus::Warn,
    };
    parts.push(sound);
    Finding::new("audio", status, parts.join("; "), WANTED).fix(Fix::install(
        "pipewire pipewire-jack wireplumber && systemctl --user --now enable pipewire wireplumber",
        "pipewire pipewire-jack wireplumber && systemctl --user --now enable pipewire wireplumber",
        "pipewire pipewire-jack-audio-connection-kit wireplumber && systemctl --user --now enable pipewire wireplumber",
        "services.pipewire = { enable = true; alsa.enable = true; jack.enable = true; pulse.enable = true; };",
    ))
}

/// Folders in which distributions keep libraries, but for Debian's, one for each architecture.
const LIBRARY_FOLDERS: [&str; 6] =
    ["usr/lib64", "usr/lib", "lib64", "lib", "usr/local/lib", "run/current-system/sw/lib"];

fn has_library(tree: &Tree, name: &str) -> bool {
    let in_folder = |folder: &str| {
        tree.exists(&format!("{folder}/{name}")) || tree.exists(&format!("{folder}/pipewire-0.3/jack/{name}"))
    };
    LIBRARY_FOLDERS.iter().any(|folder| in_folder(folder))
        || ["usr/lib", "lib"].iter().any(|lib| {
            let folders = tree.list(lib).into_iter().filter(|name| name.contains("-linux-"));
            folders.into_iter().any(|folder| in_folder(&format!("{lib}/{folder}")))
        })
}

pub(super) fn libraries(tree: &Tree) -> Finding {
    const WANTED: &str =
        "libasound, which is always needed, and libjack, by which JACK and PipeWire are reached";
    let known = [
        ("libasound", "libasound.so.2"),
        ("libjack", "libjack.so.0"),
        ("libpipewire", "libpipewire-0.3.so.0"),
        ("libpulse", "libpulse.so.0"),
    ];
    let there: Vec<&str> =
        known.iter().filter(|(_, file)| has_library(tree, file)).map(|(name, _)| *name).collect();
    let found = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    let status = if !there.contains(&"libasound") {
        CheckStatus::Unknown
    } else if there.contains(&"libjack") {
        CheckStatus::Ok
    } else {
        CheckStatus::Warn
    };
    Finding::new("libraries", status, found, WANTED).fix(Fix::install(
        "pipewire-jack libjack-jackd2-0",
        "pipewire-jack",
        "pipewire-jack-audio-connection-kit",
        "services.pipewire.jack.enable = true;",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jack_command_line_gives_rate_and_period() {
        for (line, expected) in [
            ("jackd\0-R\0-P70\0-d\0dummy\0-r\x0048000\0-p\x0064\0", "JACK (48000 Hz, 64 frames)"),
            ("/usr/bin/jackd\0-dalsa\0-dhw:1\0-r44100\0-p256\0-n2", "JACK (44100 Hz, 256 frames)"),
            (
                "jackd\0-r\0-d\0alsa\0--rate=96000\0--period\x00512\0",
                "JACK (96000 Hz, 512 frames, without real-time priority (-r))",
            ),
            ("jackdbus\0auto\0", "JACK (48000 Hz, 1024 frames)"),
        ] {
            assert_eq!(jack(line), expected);
        }
    }

    #[test]
    fn pipewires_settings_are_read_as_its_tool_prints_them() {
        let text = "Found \"settings\" metadata 31\n\
                    update: id:0 key:'log.level' value:'2' type:''\n\
                    update: id:0 key:'clock.rate' value:'48000' type:''\n\
                    update: id:0 key:'clock.quantum' value:'1024' type:''\n\
                    update: id:0 key:'clock.min-quantum' value:'32' type:''\n\
                    update: id:0 key:'clock.force-quantum' value:'0' type:''\n\
                    update: id:0 key:'clock.force-rate' value:'0' type:''\n";
        assert_eq!(pipewire(Some(text)), "PipeWire (48000 Hz, 1024 frames, 32 for who asks)");
        let forced = text.replace("force-quantum' value:'0'", "force-quantum' value:'32'");
        assert_eq!(pipewire(Some(&forced)), "PipeWire (48000 Hz, 32 frames)");
        assert_eq!(pipewire(None), "PipeWire");
    }
}
