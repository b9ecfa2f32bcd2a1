//! Nothing prints: the sound libraries and panics on the audio thread included.
//!
//! libasound writes some ten lines to stderr when there is no device, libjack a few when there is no
//! server; both let the program take those lines over. Rust's panic hook prints too; on the audio thread it
//! would do so with real-time priority, so there it is passed over, and the event tells instead.

use std::{cell::Cell, sync::Once};

thread_local! {
    /// Set while the render closure runs. `const` and without a destructor: reading it is a plain load.
    static RENDERING: Cell<bool> = const { Cell::new(false) };
}

/// Marks the calling thread as rendering, or not.
pub(crate) fn set_rendering(rendering: bool) {
    RENDERING.set(rendering);
}

/// Takes over the panic hook, once per process: panics while rendering print nothing, all others go to the
/// hook that was there.
pub(crate) fn panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !RENDERING.get() {
                before(info);
            }
        }));
    });
}

/// Silences libasound, once per process.
#[cfg(target_os = "linux")]
pub(crate) fn alsa() {
    use std::ffi::{c_char, c_int};

    extern "C" fn nothing(_: *const c_char, _: c_int, _: *const c_char, _: c_int, _: *const c_char) {}

    type Fixed = extern "C" fn(*const c_char, c_int, *const c_char, c_int, *const c_char);
    type Variadic = unsafe extern "C" fn(*const c_char, c_int, *const c_char, c_int, *const c_char, ...);

    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: `nothing` is called as a variadic function although it is none (stable Rust cannot
        // define one). In the calling conventions of every Linux target the named arguments of a variadic
        // call are passed as in an ordinary call when they are integers and pointers, as all five are, and
        // the caller removes its arguments; `nothing` reads none of them. The function pointer lives as
        // long as the program.
        unsafe {
            let handler = std::mem::transmute::<Fixed, Variadic>(nothing);
            alsa_sys::snd_lib_error_set_handler(Some(handler));
        }
    });
}

/// Silences libjack where it is installed. False where it is not: then there is no JACK on this machine.
#[cfg(target_os = "linux")]
pub(crate) fn jack() -> bool {
    // Without the library every other function of the crate panics.
    if jack_sys::library().is_err() {
        return false;
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| jack::set_logger(jack::LoggerType::None));
    true
}

/// From here on the calling thread cannot be cancelled. For the thread on which libjack tells that its server is gone:
/// it ends by itself after that, but libjack cancels it as soon as the client is closed, and a thread that is cancelled
/// inside Rust code aborts the process ("exception not rethrown").
#[cfg(target_os = "linux")]
pub(crate) fn no_cancellation() {
    use std::ffi::c_int;

    unsafe extern "C" {
        fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
    }
    /// glibc's and musl's.
    const DISABLE: c_int = 1;
    let mut before = 0;
    // SAFETY: POSIX's own prototype; `before` is a live, writable int, and the thread's own state is all that changes.
    unsafe { pthread_setcancelstate(DISABLE, &mut before) };
}
