//! `control`'s errors as JavaScript errors: the right class, the stable `code`, the message.

use std::ffi::CString;
use std::ptr;

use napi::bindgen_prelude::*;
use napi::sys;

use crate::control::{Error as ControlError, ErrorKind};

/// The error to return from an entry, which throws it; from a promise, which rejects with it.
pub fn throw(env: &Env, error: &ControlError) -> Error {
    make(env, error).unwrap_or_else(|failed| failed)
}

fn make(env: &Env, error: &ControlError) -> Result<Error> {
    let text = |text: &str| -> Result<sys::napi_value> {
        let mut value = ptr::null_mut();
        let text = CString::new(text.replace('\0', "\u{fffd}"))?;
        let length = text.as_bytes().len() as isize;
        // SAFETY: `env` is live for this call, `text` is a C string of `length` bytes, `value` is a place for one
        // handle.
        check_status!(unsafe { sys::napi_create_string_utf8(env.raw(), text.as_ptr(), length, &mut value) })?;
        Ok(value)
    };
    let (code, message) = (text(error.code())?, text(&error.to_string())?);
    let mut value = ptr::null_mut();
    // SAFETY: both strings are handles made above in the same scope; `value` is a place for one handle.
    check_status!(unsafe {
        match error.kind() {
            ErrorKind::Type => sys::napi_create_type_error(env.raw(), code, message, &mut value),
            ErrorKind::Range => sys::napi_create_range_error(env.raw(), code, message, &mut value),
            ErrorKind::Other => sys::napi_create_error(env.raw(), code, message, &mut value),
        }
    })?;
    // SAFETY: `value` was made by this environment in this scope.
    let value = unsafe { Unknown::from_raw_unchecked(env.raw(), value) };
    Ok(Error::from(value))
}
