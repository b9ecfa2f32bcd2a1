//! Errors as users meet them: a code that never changes meaning, and a message that says what was wrong, which value,
//! what is allowed and what to do.
//!
//! Each room below has its own errors; here they get their codes. `node` makes JavaScript errors of them.

use crate::load::LoadError;

/// Which JavaScript error class fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A value of the wrong type.
    Type,
    /// A value of the right type out of its range.
    Range,
    /// The world: files, devices, states.
    Other,
}

/// What went wrong. The text is the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Wrong type, or an option that does not exist.
    #[error("{0}")]
    InvalidType(String),
    /// Right type, value out of range.
    #[error("{0}")]
    InvalidArgument(String),
    /// No host, or no such device.
    #[error("{0}")]
    NoDevice(String),
    /// The device refused or failed.
    #[error("{0}")]
    Device(String),
    /// No such file.
    #[error("{0}")]
    FileNotFound(String),
    /// A file that could not be read for another reason than its content.
    #[error("{0}")]
    File(String),
    /// Readable, but nothing we decode.
    #[error("{0}")]
    UnsupportedFormat(String),
    /// Its content contradicts itself.
    #[error("{0}")]
    CorruptFile(String),
    /// A stated limit was exceeded.
    #[error("{0}")]
    Limit(String),
    /// The kernel said no, and real-time priority was required.
    #[error("{0}")]
    RealtimeDenied(String),
    /// The engine, sampler or instrument is closed.
    #[error("{0}")]
    Closed(String),
    /// The caller's `AbortSignal` fired.
    #[error("{0}")]
    Aborted(String),
}

impl Error {
    /// The stable code, as `IctusErrorCode` in index.d.ts lists it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidType(_) | Self::InvalidArgument(_) => "ERR_INVALID_ARGUMENT",
            Self::NoDevice(_) => "ERR_NO_DEVICE",
            Self::Device(_) => "ERR_DEVICE",
            Self::FileNotFound(_) => "ERR_FILE_NOT_FOUND",
            Self::File(_) => "ERR_FILE",
            Self::UnsupportedFormat(_) => "ERR_UNSUPPORTED_FORMAT",
            Self::CorruptFile(_) => "ERR_CORRUPT_FILE",
            Self::Limit(_) => "ERR_LIMIT",
            Self::RealtimeDenied(_) => "ERR_REALTIME_DENIED",
            Self::Closed(_) => "ERR_CLOSED",
            Self::Aborted(_) => "ERR_ABORTED",
        }
    }

    /// The JavaScript class.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InvalidType(_) => ErrorKind::Type,
            Self::InvalidArgument(_) => ErrorKind::Range,
            _ => ErrorKind::Other,
        }
    }
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        let message = error.to_string();
        match error {
            LoadError::NotFound { .. } => Self::FileNotFound(message),
            LoadError::Unsupported { .. } => Self::UnsupportedFormat(message),
            LoadError::Corrupt { .. } => Self::CorruptFile(message),
            LoadError::Limit { .. } => Self::Limit(message),
            LoadError::Invalid { .. } => Self::InvalidArgument(message),
            LoadError::Aborted { .. } => Self::Aborted(message),
            LoadError::Io { .. } => Self::File(message),
        }
    }
}

#[cfg(feature = "device")]
impl From<crate::device::DeviceError> for Error {
    fn from(error: crate::device::DeviceError) -> Self {
        use crate::device::DeviceError;
        match error {
            DeviceError::NoDevice(message) | DeviceError::HostMissing(message) => Self::NoDevice(message),
            DeviceError::Refused(message) | DeviceError::TimedOut(message) => Self::Device(message),
            DeviceError::InvalidFormat(message) => Self::InvalidArgument(message),
            DeviceError::RealtimeDenied(message) => Self::RealtimeDenied(message),
        }
    }
}

/// What most of this room returns.
pub type Result<T> = std::result::Result<T, Error>;
