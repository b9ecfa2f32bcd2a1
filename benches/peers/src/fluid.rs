//! FluidSynth's library, opened at run time if it is installed (Debian: libfluidsynth3); nothing is linked.
//! Source: FluidSynth 2.x API reference.

use std::ffi::{CString, c_char, c_double, c_int, c_void};
use std::sync::OnceLock;

use libloading::Library;

type Object = *mut c_void;

/// Never unloaded: what it stands on (GLib's types) cannot be loaded twice.
static LIBRARY: OnceLock<Option<Library>> = OnceLock::new();

/// One synthesizer.
pub struct Fluid {
    library: &'static Library,
    settings: Object,
    synth: Object,
    write: unsafe extern "C" fn(Object, c_int, Object, c_int, c_int, Object, c_int, c_int) -> c_int,
}

impl Fluid {
    /// With this interpolation (1 linear, 4 fourth order, 7 seventh order) and program on all channels, or why not.
    pub fn new(font: &[u8], interpolation: i32, program: i32) -> Result<Self, String> {
        let open = || {
            let names = ["libfluidsynth.so.3", "libfluidsynth.3.dylib", "libfluidsynth-3.dll"];
            // SAFETY: what runs when a library is loaded is its own start-up code.
            names.iter().find_map(|name| unsafe { Library::new(name) }.ok())
        };
        let library = LIBRARY.get_or_init(open).as_ref().ok_or("libfluidsynth 3 is not installed")?;
        // FluidSynth reads fonts from files alone.
        let path = std::env::temp_dir().join(format!("ictus-peers-{}.sf2", std::process::id()));
        std::fs::write(&path, font).map_err(|e| e.to_string())?;
        // SAFETY: names and signatures are those of FluidSynth 2.x, whose ABI the number 3 stands for; strings end in
        // NUL and outlive the calls; objects are passed only to calls of the library that made them.
        let made = unsafe { Self::open(library, &path, interpolation, program) };
        let _ = std::fs::remove_file(&path);
        made
    }

    unsafe fn open(
        library: &'static Library,
        path: &std::path::Path,
        interpolation: i32,
        program: i32,
    ) -> Result<Self, String> {
        let text = |text: &str| CString::new(text).expect("no NUL inside");
        // SAFETY: see `new`, the only caller.
        unsafe {
            let create: unsafe extern "C" fn() -> Object = symbol(library, "new_fluid_settings")?;
            let number: unsafe extern "C" fn(Object, *const c_char, c_double) -> c_int =
                symbol(library, "fluid_settings_setnum")?;
            let whole: unsafe extern "C" fn(Object, *const c_char, c_int) -> c_int =
                symbol(library, "fluid_settings_setint")?;
            let synthesizer: unsafe extern "C" fn(Object) -> Object = symbol(library, "new_fluid_synth")?;
            let load: unsafe extern "C" fn(Object, *const c_char, c_int) -> c_int =
                symbol(library, "fluid_synth_sfload")?;
            let interpolate: unsafe extern "C" fn(Object, c_int, c_int) -> c_int =
                symbol(library, "fluid_synth_set_interp_method")?;
            let choose: unsafe extern "C" fn(Object, c_int, c_int) -> c_int =
                symbol(library, "fluid_synth_program_change")?;
            let log: unsafe extern "C" fn(c_int, Object, Object) -> Object =
                symbol(library, "fluid_set_log_function")?;
            let write = symbol(library, "fluid_synth_write_float")?;
            // Level 2, warnings: the font has no drums, and that is as it should be.
            log(2, std::ptr::null_mut(), std::ptr::null_mut());
            let settings = create();
            number(settings, text("synth.sample-rate").as_ptr(), 48_000.0);
            for (name, value) in
                [("synth.reverb.active", 0), ("synth.chorus.active", 0), ("synth.polyphony", 256)]
            {
                whole(settings, text(name).as_ptr(), value);
            }
            let synth = synthesizer(settings);
            let made = Self { library, settings, synth, write };
            if load(synth, text(&path.to_string_lossy()).as_ptr(), 1) < 0 {
                return Err("fluidsynth did not take the font".into());
            }
            interpolate(synth, -1, interpolation);
            (0..8).for_each(|channel| _ = choose(synth, channel, program));
            Ok(made)
        }
    }

    pub fn version(&self) -> String {
        // SAFETY: takes nothing and returns a static string that ends in NUL.
        unsafe {
            symbol::<unsafe extern "C" fn() -> *const c_char>(self.library, "fluid_version_str")
                .map(|version| std::ffi::CStr::from_ptr(version()).to_string_lossy().into_owned())
                .unwrap_or_default()
        }
    }

    pub fn note_on(&self, channel: i32, key: i32, velocity: i32) {
        // SAFETY: as in `new`; `synth` lives until `drop`.
        unsafe {
            if let Ok(on) = symbol::<unsafe extern "C" fn(Object, c_int, c_int, c_int) -> c_int>(
                self.library,
                "fluid_synth_noteon",
            ) {
                on(self.synth, channel, key, velocity);
            }
        }
    }

    pub fn voices(&self) -> usize {
        // SAFETY: as in `note_on`.
        unsafe {
            symbol::<unsafe extern "C" fn(Object) -> c_int>(
                self.library,
                "fluid_synth_get_active_voice_count",
            )
            .map_or(0, |count| count(self.synth) as usize)
        }
    }

    pub fn render(&mut self, left: &mut [f32], right: &mut [f32]) {
        let frames = left.len().min(right.len()) as c_int;
        // SAFETY: both hold `frames` values, written one by one from 0; `synth` lives until `drop`.
        unsafe {
            (self.write)(self.synth, frames, left.as_mut_ptr().cast(), 0, 1, right.as_mut_ptr().cast(), 0, 1);
        }
    }
}

impl Drop for Fluid {
    fn drop(&mut self) {
        // SAFETY: made by `open`, deleted once, the synthesizer before its settings.
        unsafe {
            for (name, object) in
                [("delete_fluid_synth", self.synth), ("delete_fluid_settings", self.settings)]
            {
                if let Ok(delete) = symbol::<unsafe extern "C" fn(Object)>(self.library, name) {
                    delete(object);
                }
            }
        }
    }
}

/// # Safety
/// `T` is the function's type.
unsafe fn symbol<T: Copy>(library: &Library, name: &str) -> Result<T, String> {
    // SAFETY: the caller's promise.
    unsafe { library.get::<T>(name.as_bytes()) }.map(|symbol| *symbol).map_err(|e| e.to_string())
}
