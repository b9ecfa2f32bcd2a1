//! What can be opened: the output devices of every host of this machine.

/// An output device. Names as in index.d.ts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The backend that opens it.
    pub backend: &'static str,
    /// Stable over restarts; what `device` takes.
    pub id: String,
    /// What people call it; `device` takes this, too, or a part of it.
    pub name: String,
    /// Whether its backend opens it when none is named.
    pub is_default: bool,
    /// Most output channels; 0 where a device is busy and cannot be asked.
    pub channels: u32,
    /// Hz, rising: those that it runs at by itself. Others are converted.
    pub sample_rates: Vec<u32>,
    /// Smallest and largest frames a callback, where it tells.
    pub buffer_sizes: Option<(u32, u32)>,
}

/// Every device, best backend first. Asks servers and drivers: may take a second, and starts none.
///
/// Thread: any that may wait.
pub fn devices() -> Vec<DeviceInfo> {
    #[cfg(feature = "device")]
    return crate::device::list()
        .into_iter()
        .map(|device| DeviceInfo {
            backend: device.backend.as_str(),
            id: device.id,
            name: device.name,
            is_default: device.is_default,
            channels: u32::from(device.channels),
            sample_rates: device.sample_rates,
            buffer_sizes: device.buffer_sizes,
        })
        .collect();
    #[cfg(not(feature = "device"))]
    Vec::new()
}
