//! The hosts that cpal speaks to: finding a device, agreeing on a format, and building the stream.
//!
//! A server that hangs would hang its client library too, so connecting runs on a thread of its own that is
//! left behind when it does not answer in time; what it may still build is dropped there.
//!
//! ALSA: cpal's `BufferSize::Fixed(n)` sets two periods of about n frames and refuses n outside the device's
//! range; `Default` lets some devices choose seconds. So a size is always asked for, clamped, and doubled
//! while it is refused. JACK: rate and size are the server's, and no server is ever started.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use cpal::{
    BufferSize, ErrorKind, FromSample, SampleFormat, SizedSample, StreamConfig,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};

#[cfg(target_os = "linux")]
use super::pulse;
use super::{
    Backend, DeviceError, Format, Request,
    adapt::Shape,
    callback::{Callback, Drive, ErrorWatch, Terms},
    choose::{self, Named},
    quiet, time,
};

/// JACK clients of this process that are being closed, or whose server has died and who are to be.
///
/// libjack has one place for a server's shared memory in a process: a client of a dead server that is closed after
/// another has been opened uses the wrong one, and crashes. So none is opened before the last of them has gone.
static LEAVING: AtomicUsize = AtomicUsize::new(0);

/// From here on until [`jack_has_left`] no JACK client is opened. Any thread; only the first call for a drive counts.
pub(crate) fn jack_leaves(drive: &Drive) {
    if !drive.leaving.swap(true, Ordering::SeqCst) {
        LEAVING.fetch_add(1, Ordering::SeqCst);
    }
}

/// A client has been closed.
pub(crate) fn jack_has_left(drive: &Drive) {
    if drive.leaving.swap(false, Ordering::SeqCst) {
        LEAVING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits until no client is being closed. False: one still is, as its server hangs.
#[cfg(target_os = "linux")]
fn jack_is_free(patience: Duration) -> bool {
    let start = Instant::now();
    while LEAVING.load(Ordering::SeqCst) > 0 {
        if start.elapsed() >= patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

/// How long a host may take to find the device and build the stream. libjack alone waits for two seconds
/// for some answers.
const CONNECT: Duration = Duration::from_secs(6);
/// How long a JACK client that is being closed is waited for.
#[cfg(target_os = "linux")]
const LEAVE: Duration = Duration::from_secs(3);
/// Frames converted at once where the device does not take f32.
const SCRATCH_FRAMES: usize = 1024;

/// An output device, as `devices()` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The host that has it.
    pub backend: Backend,
    /// What the host calls it; stable over restarts.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whether the host opens it when none is named.
    pub is_default: bool,
    /// The most output channels it offers; 0 if it is busy and cannot be asked.
    pub channels: u16,
    /// Hz, rising: those of the usual rates that it takes.
    pub sample_rates: Vec<u32>,
    /// Smallest and largest frames per callback, where the device tells.
    pub buffer_sizes: Option<(u32, u32)>,
}

/// A stream that has been built and does not run yet.
pub(crate) struct Connected {
    pub built: Built,
    pub format: Format,
}

/// By whom.
pub(crate) enum Built {
    Cpal(cpal::Stream),
    #[cfg(target_os = "linux")]
    Pulse(Box<pulse::Waiting>),
}

/// Finds, agrees, builds; the closures are in place, nothing runs. `buffer`: frames to ask for.
pub(crate) fn connect(
    backend: Backend,
    request: &Request,
    buffer: u32,
    drive: &Arc<Drive>,
) -> Result<Connected, DeviceError> {
    let (send, receive) = mpsc::channel();
    let (request, drive) = (request.clone(), drive.clone());
    std::thread::Builder::new()
        .name("ictus-connect".to_owned())
        .spawn(move || {
            let _ = send.send(match backend {
                #[cfg(target_os = "linux")]
                Backend::PulseAudio => connect_pulse(&request, buffer, &drive),
                _ => connect_here(backend, &request, buffer, &drive),
            });
        })
        .map_err(|error| DeviceError::Refused(format!("the system has no thread to spare: {error}")))?;
    match receive.recv_timeout(CONNECT) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(DeviceError::TimedOut(format!(
            "backend '{backend}' did not answer within {} s: its server or driver hangs; restart it, or use \
             another backend",
            CONNECT.as_secs()
        ))),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(DeviceError::Refused(format!("backend '{backend}' failed while opening the device")))
        }
    }
}

/// What is rendered for a device of this rate: what was asked for, or the same.
fn terms(backend: Backend, request: &Request, device: Shape) -> Terms {
    let rate = request.sample_rate.unwrap_or(device.rate);
    let rendered = Shape { rate, channels: request.channels };
    Terms { rendered, device, realtime: request.realtime, servers_thread: backend.owns_thread() }
}

/// The format as the renderer sees it. `buffer`: frames of the device.
fn agreed(backend: Backend, device: String, terms: &Terms, buffer: u32) -> Format {
    let ratio = f64::from(terms.rendered.rate) / f64::from(terms.device.rate);
    Format {
        backend,
        device,
        sample_rate: terms.rendered.rate,
        device_rate: terms.device.rate,
        buffer_size: ((f64::from(buffer) * ratio).round() as u32).max(1),
        channels: terms.rendered.channels,
    }
}

#[cfg(target_os = "linux")]
fn connect_pulse(request: &Request, buffer: u32, drive: &Arc<Drive>) -> Result<Connected, DeviceError> {
    if request.channels > pulse::MAX_CHANNELS {
        return Err(DeviceError::InvalidFormat(format!(
            "channels must be 1 to {} with backend 'pulseaudio', got {}",
            pulse::MAX_CHANNELS,
            request.channels
        )));
    }
    let wanted = pulse::Wanted {
        device: request.device.as_deref(),
        channels: request.channels,
        buffer,
        real: request.backend == Backend::Auto,
    };
    let agree = |rate: u32| terms(Backend::PulseAudio, request, Shape { rate, channels: request.channels });
    let (waiting, found) = pulse::connect(&wanted, drive, |rate| {
        Callback::new(drive.clone(), agree(rate)).map_err(DeviceError::InvalidFormat)
    })?;
    let format = agreed(Backend::PulseAudio, found.device, &agree(found.rate), found.buffer);
    Ok(Connected { built: Built::Pulse(Box::new(waiting)), format })
}

fn connect_here(
    backend: Backend,
    request: &Request,
    buffer: u32,
    drive: &Arc<Drive>,
) -> Result<Connected, DeviceError> {
    let host = host(backend)?;
    let device = match &request.device {
        Some(wanted) => find(backend, &host, wanted)?,
        None => {
            host.default_output_device().ok_or_else(|| DeviceError::NoDevice(no_device(backend, &host)))?
        }
    };
    let names = name(&device);
    let ranges: Vec<_> = match device.supported_output_configs() {
        Ok(ranges) => ranges.collect(),
        Err(error) => return Err(failed(backend, &host, &names, &error)),
    };
    // What ALSA calls a default configuration is a guess of cpal's.
    let own = match backend {
        Backend::Alsa => None,
        _ => device.default_output_config().ok().map(|config| config.sample_rate()),
    };
    let chosen = choose::config(&ranges, request.channels, request.sample_rate, own)?;
    let terms = terms(backend, request, Shape { rate: chosen.sample_rate, channels: chosen.channels });
    let sizes = match backend {
        Backend::Jack => vec![BufferSize::Default], // the server's
        _ => choose::buffers(buffer, chosen.buffer_range)
            .into_iter()
            .map(BufferSize::Fixed)
            .chain([BufferSize::Default])
            .collect(),
    };
    let mut sizes = VecDeque::from(sizes);
    let (mut refused, mut corrected) = (None, false);
    while let Some(buffer_size) = sizes.pop_front() {
        let config = StreamConfig { channels: chosen.channels, sample_rate: chosen.sample_rate, buffer_size };
        let callback = Callback::new(drive.clone(), terms).map_err(DeviceError::InvalidFormat)?;
        match build(backend, &device, config, chosen.sample_format, callback, drive) {
            Ok(stream) => {
                let asked = match buffer_size {
                    BufferSize::Fixed(frames) => frames,
                    BufferSize::Default => buffer,
                };
                let got = stream.buffer_size().unwrap_or(asked);
                // Plugins that want three periods (PulseAudio's) cut cpal's two into thirds, 128 into 85.
                // Half as much again makes it 128; should that be refused, the first answer stands.
                if backend == Backend::Alsa && !corrected && got == asked * 2 / 3 {
                    corrected = true;
                    sizes.push_front(buffer_size);
                    sizes.push_front(BufferSize::Fixed(asked / 2 * 3));
                    continue;
                }
                let device = if backend == Backend::Alsa { names.id } else { names.name };
                let format = agreed(backend, device, &terms, got);
                return Ok(Connected { built: Built::Cpal(stream), format });
            }
            Err(error) if error.kind() == ErrorKind::UnsupportedConfig => refused = Some(error),
            Err(error) => return Err(failed(backend, &host, &names, &error)),
        }
    }
    let error = refused.unwrap_or_else(|| ErrorKind::UnsupportedConfig.into());
    Err(failed(backend, &host, &names, &error))
}

/// Builds a stream around the callback.
fn build(
    backend: Backend,
    device: &cpal::Device,
    config: StreamConfig,
    sample_format: SampleFormat,
    mut callback: Callback,
    drive: &Arc<Drive>,
) -> Result<cpal::Stream, cpal::Error> {
    let channels = usize::from(config.channels);
    let scratch_len = if sample_format == SampleFormat::F32 { 0 } else { SCRATCH_FRAMES * channels };
    let mut scratch = vec![0.0f32; scratch_len];
    let ours = drive.clone();
    let added = callback.added_latency_s();
    let data = move |data: &mut cpal::Data, info: &cpal::OutputCallbackInfo| {
        let at = info.timestamp();
        ours.set_latency(at.playback.duration_since(at.callback).as_secs_f64(), added);
        match sample_format {
            SampleFormat::F32 => {
                if let Some(out) = data.as_slice_mut::<f32>() {
                    callback.run(out, out.len() / channels, None);
                }
            }
            SampleFormat::F64 => converted::<f64>(&mut callback, &mut scratch, data, channels),
            SampleFormat::I32 => converted::<i32>(&mut callback, &mut scratch, data, channels),
            SampleFormat::I24 => converted::<cpal::I24>(&mut callback, &mut scratch, data, channels),
            SampleFormat::I16 => converted::<i16>(&mut callback, &mut scratch, data, channels),
            SampleFormat::I8 => converted::<i8>(&mut callback, &mut scratch, data, channels),
            SampleFormat::U32 => converted::<u32>(&mut callback, &mut scratch, data, channels),
            SampleFormat::U24 => converted::<cpal::U24>(&mut callback, &mut scratch, data, channels),
            SampleFormat::U16 => converted::<u16>(&mut callback, &mut scratch, data, channels),
            SampleFormat::U8 => converted::<u8>(&mut callback, &mut scratch, data, channels),
            _ => {} // `choose` offers no other; cpal has filled the block with silence
        }
    };
    let (theirs, rate) = (drive.clone(), config.sample_rate);
    let mut watch = ErrorWatch::new(drive.clone());
    let errors = move |error: cpal::Error| match error.kind() {
        // On ALSA this is the audio thread; cpal's xruns carry no message, so nothing is freed here.
        ErrorKind::Xrun => theirs.xrun(rate),
        ErrorKind::RealtimeDenied => {} // we ask ourselves
        ErrorKind::DeviceChanged => theirs.shared.signals.changed(error.to_string()),
        ErrorKind::DeviceNotAvailable | ErrorKind::StreamInvalidated | ErrorKind::HostUnavailable => {
            #[cfg(target_os = "linux")]
            if backend == Backend::Jack && error.kind() == ErrorKind::DeviceNotAvailable {
                quiet::no_cancellation();
                jack_leaves(&theirs);
            }
            theirs.lose(error.to_string());
        }
        _ => {
            let now = time::now_ns();
            if watch.error(now) {
                theirs.lose(format!("the device reports nothing but errors: {error}"));
            } else {
                theirs.shared.signals.fault(now, || error.to_string());
            }
        }
    };
    // ALSA only, where it bounds each poll: a lost POLLERR is then found within half a second.
    let timeout = (backend == Backend::Alsa).then_some(Duration::from_millis(500));
    device.build_output_stream_raw(config, sample_format, data, errors, timeout)
}

/// Renders a block in pieces and converts them to what the device takes. Out of range is clipped.
fn converted<T: SizedSample + FromSample<f32>>(
    callback: &mut Callback,
    scratch: &mut [f32],
    data: &mut cpal::Data,
    channels: usize,
) {
    let Some(out) = data.as_slice_mut::<T>() else { return };
    let frames = out.len() / channels;
    let begun = callback.begin(frames, None);
    for piece in out.chunks_mut(scratch.len().max(1)) {
        let values = &mut scratch[..piece.len()];
        callback.fill(values);
        for (to, from) in piece.iter_mut().zip(values.iter()) {
            *to = T::from_sample(from.clamp(-1.0, LARGEST));
        }
    }
    callback.end(begun, frames);
}

/// The largest f32 below 1: 1 itself has no integer in two's complement, and wraps in some conversions.
const LARGEST: f32 = 1.0 - f32::EPSILON / 2.0;

/// Opens a host. Errors: `HostMissing`.
fn host(backend: Backend) -> Result<cpal::Host, DeviceError> {
    let missing = |why: String| DeviceError::HostMissing(why);
    let id = match backend {
        #[cfg(target_os = "linux")]
        Backend::Alsa => {
            quiet::alsa();
            // An ALSA device may be a plugin over JACK, which loads libjack by itself.
            quiet::jack();
            cpal::HostId::Alsa
        }
        #[cfg(target_os = "linux")]
        Backend::Jack => {
            if !jack_is_free(LEAVE) {
                return Err(DeviceError::TimedOut(
                    "a JACK client of this process is still being closed, as its server hangs, and libjack takes \
                     no other meanwhile; restart the server, or use another backend"
                        .to_owned(),
                ));
            }
            if !quiet::jack() {
                return Err(missing(
                    "libjack.so.0 is not installed, so no JACK server can be reached; install libjack-jackd2-0 \
                     or pipewire-jack, or use backend 'alsa' or 'clock'"
                        .to_owned(),
                ));
            }
            cpal::HostId::Jack
        }
        #[cfg(target_os = "macos")]
        Backend::CoreAudio => cpal::HostId::CoreAudio,
        #[cfg(windows)]
        Backend::Wasapi => cpal::HostId::Wasapi,
        other => {
            return Err(missing(
                other.missing().unwrap_or_else(|| format!("backend '{other}' has no devices")),
            ));
        }
    };
    cpal::host_from_id(id).map_err(|error| missing(format!("backend '{backend}' is not available: {error}")))
}

fn name(device: &cpal::Device) -> Named {
    let id = device.id().map(|id| id.id().to_owned()).unwrap_or_default();
    let name = device.description().map(|d| d.name().to_owned()).unwrap_or_else(|_| id.clone());
    Named { id, name }
}

/// JACK offers its input device as an output, so the direction is asked for as well.
fn is_output(device: &cpal::Device) -> bool {
    let input = device.description().is_ok_and(|d| d.direction() == cpal::DeviceDirection::Input);
    !input && device.supports_output()
}

/// What a host lists as outputs, its default first if it does not list that.
fn outputs(host: &cpal::Host) -> Vec<(cpal::Device, Named)> {
    let mut found: Vec<_> = host
        .devices()
        .map(|devices| {
            let outputs = devices.filter(is_output);
            outputs
                .map(|device| {
                    let named = name(&device);
                    (device, named)
                })
                .collect()
        })
        .unwrap_or_default();
    if let Some(device) = host.default_output_device() {
        let default = name(&device);
        if !found.iter().any(|(_, named): &(_, Named)| named.id == default.id) {
            found.insert(0, (device, default));
        }
    }
    found
}

fn find(backend: Backend, host: &cpal::Host, wanted: &str) -> Result<cpal::Device, DeviceError> {
    let mut found = outputs(host);
    if found.is_empty() {
        return Err(DeviceError::NoDevice(no_device(backend, host)));
    }
    let names: Vec<Named> = found.iter().map(|(_, named)| named.clone()).collect();
    match choose::pick(&names, wanted, backend == Backend::Alsa) {
        Ok(index) => Ok(found.swap_remove(index).0),
        Err(message) => {
            let hint = if backend == Backend::Alsa {
                ". A PCM of your own is listed if its definition contains `hint { show on description \"…\" }`"
            } else {
                ""
            };
            Err(DeviceError::NoDevice(format!("{message}{hint}")))
        }
    }
}

/// The message for a host without a usable device.
fn no_device(backend: Backend, host: &cpal::Host) -> String {
    match backend {
        Backend::Jack => "no JACK server is running (and none is started for you): start one, for instance \
                          `jackd -d alsa`, check JACK_DEFAULT_SERVER, or use backend 'alsa' or 'clock'"
            .to_owned(),
        _ => {
            // ALSA lists its converters too; of use here is only what belongs to a card.
            let of_a_card = |named: &Named| backend != Backend::Alsa || named.id.contains(':');
            let names: Vec<Named> =
                outputs(host).into_iter().map(|(_, named)| named).filter(of_a_card).collect();
            format!(
                "no output device answers on backend '{backend}'; found: {}. Check `aplay -l`, start a JACK \
                 server, or use backend 'clock' (no hardware) or 'offline'",
                choose::listing(&names)
            )
        }
    }
}

/// Puts a failure of cpal into our words.
fn failed(backend: Backend, host: &cpal::Host, device: &Named, error: &cpal::Error) -> DeviceError {
    let id = &device.id;
    match error.kind() {
        ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable => {
            DeviceError::NoDevice(format!("device '{id}' cannot be opened: {}", no_device(backend, host)))
        }
        ErrorKind::DeviceBusy => DeviceError::Refused(format!(
            "device '{id}' is busy: another program holds it. Close that program, or name a device that mixes \
             ('default')"
        )),
        ErrorKind::PermissionDenied => DeviceError::Refused(format!(
            "permission to open device '{id}' was denied; on Linux run `sudo usermod -aG audio $USER` and log \
             in again"
        )),
        ErrorKind::UnsupportedConfig | ErrorKind::InvalidInput => DeviceError::InvalidFormat(format!(
            "device '{id}' of backend '{backend}' takes none of the formats that were tried: {error}"
        )),
        _ => DeviceError::Refused(format!("device '{id}' of backend '{backend}' failed: {error}")),
    }
}

/// Every output device of every host of this system, and the clock. Opens each device for a moment to ask
/// what it can do: may take a second, not for the audio thread. Devices that cannot be opened are left out,
/// busy ones are listed without figures. Starts no server.
pub fn list() -> Vec<DeviceInfo> {
    quiet::panics();
    let mut found = Vec::new();
    for backend in super::stream::HOSTS {
        if backend == Backend::PulseAudio {
            #[cfg(target_os = "linux")]
            pulse::list(&mut found);
        } else if backend.is_here()
            && let Ok(host) = host(backend)
        {
            list_host(backend, &host, &mut found);
        }
    }
    found.push(DeviceInfo {
        backend: Backend::Clock,
        id: Backend::Clock.as_str().to_owned(),
        name: "Clock (no hardware)".to_owned(),
        is_default: true,
        channels: super::stream::MAX_CHANNELS,
        sample_rates: choose::RATES.to_vec(),
        buffer_sizes: Some(super::clock::BUFFER_RANGE),
    });
    found
}

fn list_host(backend: Backend, host: &cpal::Host, found: &mut Vec<DeviceInfo>) {
    let default = host.default_output_device().map(|device| name(&device).id);
    for (device, named) in outputs(host) {
        // ALSA's way to JACK: listed as JACK already, and its plugin writes to stderr by itself.
        if backend == Backend::Alsa && named.id == "jack" {
            continue;
        }
        let ranges: Vec<_> = match device.supported_output_configs() {
            Ok(ranges) => ranges.collect(),
            Err(error) if error.kind() == ErrorKind::DeviceBusy => Vec::new(),
            Err(_) => continue,
        };
        let takes = |rate: &u32| ranges.iter().any(|r| r.contains_rate(*rate));
        let mut sample_rates: Vec<u32> = choose::RATES.into_iter().filter(takes).collect();
        for range in ranges.iter().filter(|r| r.min_sample_rate() == r.max_sample_rate()) {
            sample_rates.push(range.max_sample_rate());
        }
        sample_rates.sort_unstable();
        sample_rates.dedup();
        let buffer_sizes = ranges
            .iter()
            .filter_map(|r| match r.buffer_size() {
                cpal::SupportedBufferSize::Range { min, max } => Some((*min, *max)),
                cpal::SupportedBufferSize::Unknown => None,
            })
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        found.push(DeviceInfo {
            backend,
            is_default: default.as_ref() == Some(&named.id),
            id: named.id,
            name: named.name,
            channels: ranges.iter().map(|r| r.channels()).max().unwrap_or(0),
            sample_rates,
            buffer_sizes,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::callback::Shared;
    use cpal::Sample;

    #[test]
    fn the_largest_value_converts_to_the_largest_integer() {
        assert_eq!(i16::from_sample(LARGEST), i16::MAX);
        assert_eq!(i16::from_sample(-1.0f32), i16::MIN);
        assert_eq!(i16::from_sample(0.0f32), 0);
        assert_eq!(u8::from_sample(0.0f32), 128);
        assert_eq!(i32::from_sample(-1.0f32), i32::MIN);
        // 24 bits of mantissa: LARGEST is 2³¹ − 2⁷.
        assert_eq!(i32::from_sample(LARGEST), i32::MAX - 127);
        assert_eq!(cpal::I24::from_sample(LARGEST).inner(), (1 << 23) - 1);
    }

    #[test]
    fn the_clock_is_always_listed() {
        let clock = list().into_iter().find(|device| device.backend == Backend::Clock);
        let clock = clock.expect("the clock needs nothing");
        assert_eq!((clock.id.as_str(), clock.is_default), ("clock", true));
        assert!(clock.sample_rates.contains(&48_000));
    }

    #[test]
    fn a_block_is_rendered_in_pieces_and_converted() {
        let shared = Arc::new(Shared::default());
        let mut next = 0.0f32;
        shared.set_render(Box::new(move |out: &mut [f32]| {
            for value in out {
                *value = next / 32_768.0;
                next += 1.0;
            }
        }));
        let drive = Drive::new(1, shared.clone());
        shared.activate(&drive);
        let shape = Shape { rate: 48_000, channels: 2 };
        let terms = Terms { rendered: shape, device: shape, realtime: None, servers_thread: false };
        let mut callback = Callback::new(drive, terms).unwrap();
        let mut out = [0i16; 10];
        // SAFETY: `out` is a live, exclusively borrowed array of 10 i16, and `data` ends before it.
        let mut data =
            unsafe { cpal::Data::from_parts(out.as_mut_ptr().cast(), out.len(), SampleFormat::I16) };
        converted::<i16>(&mut callback, &mut [0.0; 4], &mut data, 2);
        assert_eq!(out, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!((shared.counters.callbacks.get(), shared.counters.frames.get()), (1, 5));
    }
}
