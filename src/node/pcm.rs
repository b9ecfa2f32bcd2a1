//! A PCM stream's handle: a speaker's, which takes bytes, or a ring's, whose memory JavaScript made.
//!
//! A ring over `SharedArrayBuffer`s is read where it lies. It must not be freed meanwhile, so the handle holds a reference to
//! each array, in the environment that made them; and before that environment ends (a worker is terminated), its cleanup
//! hook takes all rings away from the audio thread: [`revoke_all`].

use std::cell::RefCell;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Weak};

use napi::bindgen_prelude::*;
use napi::sys;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi::{JsValue, check_status};
use napi_derive::napi;

use super::engine::EngineHandle;
use super::error::throw;
use super::value;
use crate::control::{
    self, Adopted, Error as ControlError, Holder, Place, RingSpec, SpeakerOptions, StreamEvent,
};

thread_local! {
    /// Streams that read this environment's memory.
    static BORROWERS: RefCell<Vec<Weak<Holder>>> = const { RefCell::new(Vec::new()) };
}

/// The environment of this thread ends, and its memory with it.
pub fn revoke_all() {
    for holder in BORROWERS.take().iter().filter_map(Weak::upgrade) {
        holder.revoke();
    }
}

#[napi(object, object_from_js = false)]
pub struct StreamNotice {
    pub kind: &'static str,
    pub count: Option<f64>,
}

#[napi(object, object_from_js = false)]
pub struct RingSettings {
    pub channels: u32,
    pub frames: u32,
    pub wide: bool,
    pub sample_rate: Option<u32>,
}

#[napi(object, object_from_js = false)]
pub struct GenerateSettings {
    pub channels: u32,
    pub ahead: f64,
    pub block_size: u32,
    pub name: Option<String>,
}

/// Checks the options of a PcmRing; throws what is wrong with them.
#[napi(catch_unwind)]
pub fn read_ring_options(env: Env, options: Unknown) -> Result<RingSettings> {
    let options = control::RingOptions::read(&value::read(options)?).map_err(|error| throw(&env, &error))?;
    Ok(RingSettings {
        channels: options.channels,
        frames: options.frames,
        wide: options.wide,
        sample_rate: options.rate,
    })
}

/// Checks what `generate()` was given; `fill` in words.
#[napi(catch_unwind)]
pub fn read_generate_options(env: Env, fill: Unknown, options: Unknown) -> Result<GenerateSettings> {
    let options = control::GenerateOptions::read(&value::read(fill)?, &value::read(options)?)
        .map_err(|error| throw(&env, &error))?;
    Ok(GenerateSettings {
        channels: options.channels,
        ahead: options.ahead_s,
        block_size: options.block,
        name: options.name,
    })
}

/// Checks mode and options of `createTransport()`.
#[napi(catch_unwind)]
pub fn check_transport(env: Env, mode: Unknown, options: Unknown, engine_given: bool) -> Result<()> {
    control::check_transport(&value::read(mode)?, &value::read(options)?, engine_given)
        .map_err(|error| throw(&env, &error))
}

/// Checks a ring in JavaScript's memory as it is described in words.
#[napi(catch_unwind)]
pub fn check_ring(env: Env, description: Unknown) -> Result<()> {
    RingSpec::read(&value::read(description)?).map(drop).map_err(|error| throw(&env, &error))
}

/// Checks the latency of a speaker, s.
#[napi(catch_unwind)]
pub fn check_latency(env: Env, latency: Unknown) -> Result<()> {
    control::check_latency(&value::read(latency)?).map(drop).map_err(|error| throw(&env, &error))
}

#[napi]
pub struct PcmHandle {
    holder: Option<Arc<Holder>>,
    env: sys::napi_env,
    references: Vec<sys::napi_ref>,
}

impl Drop for PcmHandle {
    fn drop(&mut self) {
        // The stream first: its end takes the memory away from the audio thread.
        self.holder = None;
        for reference in self.references.drain(..) {
            // SAFETY: handles are dropped by finalizers, on the thread of the environment that made the reference.
            unsafe { sys::napi_delete_reference(self.env, reference) };
        }
    }
}

impl PcmHandle {
    fn stream(&self) -> Result<&Arc<Holder>> {
        self.holder.as_ref().ok_or_else(|| Error::from_reason("the stream is gone"))
    }
}

/// A typed array as it lies in memory.
struct Array {
    kind: sys::napi_typedarray_type,
    length: usize,
    data: *mut std::ffi::c_void,
}

impl Array {
    fn of(env: &Env, value: &Unknown) -> Result<Self> {
        let (mut kind, mut length, mut data) = (0, 0, ptr::null_mut());
        // SAFETY: `env` and `value` are live for this call; a value that is no typed array gives an error status; the last two
        // outputs are not asked for.
        check_status!(unsafe {
            sys::napi_get_typedarray_info(
                env.raw(),
                value.raw(),
                &mut kind,
                &mut length,
                &mut data,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        })?;
        Ok(Self { kind, length, data })
    }

    /// Where its values lie, when it is of this kind and has so many.
    fn place<T>(&self, kind: sys::napi_typedarray_type, count: usize) -> Option<NonNull<T>> {
        let place = NonNull::new(self.data.cast::<T>())?;
        (self.kind == kind && self.length >= count && place.is_aligned()).then_some(place)
    }
}

#[napi]
impl PcmHandle {
    /// A stream that takes bytes.
    #[napi(factory, catch_unwind)]
    pub fn speaker(env: Env, engine: &EngineHandle, options: Unknown) -> Result<Self> {
        let options = value::read(options)?;
        let holder = SpeakerOptions::read(&options)
            .and_then(|options| control::open_speaker(engine.engine(), options))
            .map_err(|error| throw(&env, &error))?;
        Ok(Self { holder: Some(holder), env: env.raw(), references: Vec::new() })
    }

    /// A stream that reads the memory of three typed arrays over shared buffers; `description` says in words what they are.
    #[napi(factory, catch_unwind)]
    pub fn ring(
        env: Env,
        engine: &EngineHandle,
        description: Unknown,
        data: Unknown,
        write: Unknown,
        read: Unknown,
    ) -> Result<Self> {
        let spec = RingSpec::read(&value::read(description)?).map_err(|error| throw(&env, &error))?;
        let arrays = [&data, &write, &read].map(|value| Array::of(&env, value));
        let [values, write_at, read_at] = arrays;
        let (values, write_at, read_at) = (values?, write_at?, read_at?);
        let count = spec.size * spec.stride;
        // Looked at again here, since the description is JavaScript's.
        let place = values
            .place(sys::TypedarrayType::float32_array, count)
            .map(Place::F32)
            .or_else(|| values.place(sys::TypedarrayType::float64_array, count).map(Place::F64));
        let index = |array: &Array| array.place::<i32>(sys::TypedarrayType::int32_array, 1);
        let (Some(place), Some(write_at), Some(read_at)) = (place, index(&write_at), index(&read_at)) else {
            let error =
                ControlError::InvalidType("the ring's arrays are not what they were said to be".into());
            return Err(throw(&env, &error));
        };
        let mut handle = Self { holder: None, env: env.raw(), references: Vec::new() };
        for array in [&data, &write, &read] {
            let mut reference = ptr::null_mut();
            // SAFETY: both are live; the place for the result is ours.
            check_status!(unsafe { sys::napi_create_reference(env.raw(), array.raw(), 1, &mut reference) })?;
            handle.references.push(reference);
        }
        let memory = Adopted { values: place, write: write_at, read: read_at };
        // SAFETY: the arrays have these kinds and lengths, and lie in shared buffers, which are never detached. The references
        // keep them until `Drop`, which ends the stream first, or until the environment ends, before which `revoke_all`
        // takes them away.
        let holder =
            unsafe { control::Stream::adopt(engine.engine(), memory, spec.size, spec.stride, spec.rate) }
                .map_err(|error| throw(&env, &error))?;
        BORROWERS.with_borrow_mut(|borrowers| {
            borrowers.retain(|borrower| borrower.strong_count() > 0);
            borrowers.push(Arc::downgrade(&holder));
        });
        handle.holder = Some(holder);
        Ok(handle)
    }

    /// Lets go of the stream, not waiting for garbage collection: what was written is still heard, unless it was stopped.
    #[napi(catch_unwind)]
    pub fn discard(&mut self) {
        self.holder = None;
    }

    /// Takes all of the bytes; `true` when the next may come at once.
    #[napi(catch_unwind)]
    pub fn write(&self, env: Env, bytes: &[u8]) -> Result<bool> {
        self.stream()?.write(bytes).map_err(|error| throw(&env, &error))
    }

    #[napi(catch_unwind)]
    pub fn end(&self) -> Result<()> {
        self.stream()?.end();
        Ok(())
    }

    /// Whether it has played its last frame.
    #[napi(catch_unwind)]
    pub fn is_drained(&self) -> Result<bool> {
        Ok(self.stream()?.shared().finished().is_some())
    }

    #[napi(catch_unwind)]
    pub fn stop(&self) -> Result<()> {
        self.stream()?.stop();
        Ok(())
    }

    /// Stops, and gives the arrays back: nobody reads them any more when this returns.
    #[napi(catch_unwind)]
    pub fn release(&self) -> Result<()> {
        let stream = self.stream()?;
        stream.stop();
        stream.listen(None);
        stream.revoke();
        Ok(())
    }

    /// Forgets what the ring holds before this index.
    #[napi(catch_unwind)]
    pub fn clear(&self, index: i32) -> Result<()> {
        self.stream()?.shared().clear(index);
        Ok(())
    }

    #[napi(catch_unwind)]
    pub fn set_gain(&self, gain: f64) -> Result<()> {
        self.stream()?.shared().set_gain(gain as f32);
        Ok(())
    }

    /// Something was written: the listener wants to hear when it is idle again.
    #[napi(catch_unwind)]
    pub fn touch(&self) -> Result<()> {
        self.stream()?.touch();
        Ok(())
    }

    #[napi(catch_unwind)]
    pub fn frames(&self) -> Result<f64> {
        Ok(self.stream()?.shared().frames.get() as f64)
    }

    #[napi(catch_unwind)]
    pub fn underruns(&self) -> Result<f64> {
        Ok(self.stream()?.shared().underruns.get() as f64)
    }

    #[napi(catch_unwind)]
    pub fn hostile(&self) -> Result<f64> {
        Ok(self.stream()?.shared().hostile.get() as f64)
    }

    #[napi(catch_unwind)]
    pub fn buffered(&self) -> Result<f64> {
        Ok(self.stream()?.buffered() as f64)
    }

    #[napi(catch_unwind)]
    pub fn latency(&self) -> Result<f64> {
        Ok(self.stream()?.latency())
    }

    /// Whether the engine has been closed.
    #[napi(catch_unwind)]
    pub fn is_closed(&self) -> Result<bool> {
        Ok(self.stream()?.engine().is_closed())
    }

    /// Calls `listener` with what becomes of the stream. Keeps no process alive.
    #[napi(catch_unwind)]
    pub fn listen(&self, listener: Function<StreamNotice, ()>) -> Result<()> {
        let call = listener
            .build_threadsafe_function::<StreamNotice>()
            .weak::<true>()
            .build_callback(|context| Ok(context.value))?;
        self.stream()?.listen(Some(Arc::new(move |event| {
            let _ = call.call(notice(event), ThreadsafeFunctionCallMode::NonBlocking);
        })));
        Ok(())
    }

    /// Nobody listens any more.
    #[napi(catch_unwind)]
    pub fn ignore(&self) -> Result<()> {
        self.stream()?.listen(None);
        Ok(())
    }
}

fn notice(event: StreamEvent) -> StreamNotice {
    let empty = StreamNotice { kind: "room", count: None };
    match event {
        StreamEvent::Room => empty,
        StreamEvent::Underrun(count) => StreamNotice { kind: "underrun", count: Some(count as f64) },
        StreamEvent::Busy => StreamNotice { kind: "busy", ..empty },
        StreamEvent::Idle => StreamNotice { kind: "idle", ..empty },
        StreamEvent::Drained => StreamNotice { kind: "drained", ..empty },
        StreamEvent::Lost => StreamNotice { kind: "lost", ..empty },
    }
}
