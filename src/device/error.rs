//! What can go wrong when a device is opened. Each message says what was wrong, which value, what is
//! allowed and what to do; `control` gives the codes.

/// Why [`open`](super::open) failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// There is no such device, or none at all, or its server does not run.
    #[error("{0}")]
    NoDevice(String),
    /// This build or this machine has no such host.
    #[error("{0}")]
    HostMissing(String),
    /// The device is there and said no: it is busy, permission is missing, the driver failed.
    #[error("{0}")]
    Refused(String),
    /// The sample rate, buffer size or channel count cannot be had.
    #[error("{0}")]
    InvalidFormat(String),
    /// Real-time priority was required and the kernel denied it.
    #[error("{0}")]
    RealtimeDenied(String),
    /// The device or its server did not answer in time.
    #[error("{0}")]
    TimedOut(String),
}
