//! A PCM stream as its users hold it: a ring that the audio thread plays, and word of what becomes of it.
//!
//! [`Stream`] is one on an engine: the helper thread looks at it a hundred times a second, or sooner where something is
//! due, and calls the listener. It lives as long as somebody has its [`Holder`]. What is written, and when its writer is asked for more, is
//! [`super::speaker`]; memory that JavaScript brings along is [`super::ring`].

use std::ops::Deref;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::error::Result;
use super::lock;
use super::speaker::Writer;
use crate::engine::message::Command;
use crate::pcm::ring::{Adopted, Ring};
use crate::pcm::{Stream as Core, StreamShared, StreamSpec};

/// A clock that stands for so long is not waited for any more.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a stream tells.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent {
    /// What was written last has found room: the next may come.
    Room,
    /// The ring ran dry, for the n-th time.
    Underrun(u64),
    /// It sounds, or will.
    Busy,
    /// All that was written has been heard, or nothing moves any more.
    Idle,
    /// After the end: the last frame has been heard.
    Drained,
    /// The engine has been closed: nothing will be heard any more.
    Lost,
}

type Call = Arc<dyn Fn(StreamEvent) + Send + Sync>;

/// A stream.
pub struct Stream {
    engine: Engine,
    pub(super) ring: Arc<Ring>,
    pub(super) shared: Arc<StreamShared>,
    /// Where the ring is read for its owner: adopted memory must not be touched once its thread has ended.
    thread: std::thread::ThreadId,
    adopted: bool,
    pub(super) writer: Option<Mutex<Writer>>,
    watch: Mutex<Watch>,
    listener: Mutex<Option<Call>>,
    holder: Mutex<Weak<Holder>>,
}

/// What keeps a stream going. When the last is gone, what was written is still heard, and memory of others has been given
/// back.
pub struct Holder(Arc<Stream>);

impl Deref for Holder {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        &self.0
    }
}

struct Watch {
    underruns: u64,
    /// What the listener was told last, or said itself.
    busy: bool,
    /// Frame at which it fell silent.
    quiet_since: Option<u64>,
    drained: bool,
    lost: bool,
    /// The clock, when it was seen to move.
    moved: (u64, Instant),
}

/// What the helper thread knows about the engine when it looks at its streams.
pub struct Clock {
    /// First frame of the next block.
    pub frame: u64,
    /// Hz.
    pub rate: u32,
    /// Frames from rendering to the ear.
    pub latency: u64,
    /// Whether it will never move again.
    pub is_closed: bool,
}

impl Stream {
    /// Plays a ring of its own. Errors: `Closed`, `Limit`.
    pub fn open(engine: &Engine, ring: Ring, rate: u32, writer: Option<Writer>) -> Result<Arc<Holder>> {
        Self::start(engine, Arc::new(ring), rate, writer, false)
    }

    /// Plays a ring in somebody else's memory. Where this thread plays the same memory already, it is that stream: a
    /// program that was loaded anew goes on, instead of reading its ring twice.
    ///
    /// # Safety
    ///
    /// As for [`Ring::adopt`], until the stream has been dropped or [`Self::revoke`] has returned.
    ///
    /// Errors: `Closed`, `Limit`; `InvalidArgument` for a size that makes no sense.
    pub unsafe fn adopt(
        engine: &Engine,
        memory: Adopted,
        size: usize,
        stride: usize,
        rate: u32,
    ) -> Result<Arc<Holder>> {
        let same = |stream: &Arc<Self>| {
            stream.adopted
                && stream.thread == std::thread::current().id()
                && stream.ring.is_same_memory(&memory)
                && (stream.ring.size(), stream.ring.stride()) == (size, stride)
                && !stream.shared.is_stopped()
        };
        let found = engine.shared().streams().into_iter().find(same);
        if let Some(holder) = found.and_then(|stream| lock(&stream.holder).upgrade()) {
            return Ok(holder);
        }
        // SAFETY: the caller's promise is ours.
        let ring = unsafe { Ring::adopt(memory, size, stride) }.ok_or_else(|| {
            super::Error::InvalidArgument(format!("a ring of {size} frames cannot be read"))
        })?;
        Self::start(engine, Arc::new(ring), rate, None, true)
    }

    fn start(
        engine: &Engine,
        ring: Arc<Ring>,
        rate: u32,
        writer: Option<Writer>,
        adopted: bool,
    ) -> Result<Arc<Holder>> {
        let home = engine.shared();
        home.check_open()?;
        // Places come back through the engine; an offline one moves only when it is asked to.
        engine.take_in();
        lock(&home.places).source()?;
        let shared = Arc::new(StreamShared::default());
        if let Some(writer) = &writer {
            shared.set_threshold(writer.threshold());
        }
        let core = Core::new(StreamSpec {
            ring: ring.clone(),
            shared: shared.clone(),
            rate,
            engine_rate: engine.info().sample_rate,
            outputs: engine.info().channels as usize,
        });
        home.post(Command::AddSource(Box::new(core)));
        let stream = Arc::new(Self {
            engine: engine.clone(),
            ring,
            shared,
            thread: std::thread::current().id(),
            adopted,
            writer: writer.map(Mutex::new),
            watch: Mutex::new(Watch {
                underruns: 0,
                busy: false,
                quiet_since: None,
                drained: false,
                lost: false,
                moved: (0, Instant::now()),
            }),
            listener: Mutex::default(),
            holder: Mutex::default(),
        });
        home.add_stream(&stream);
        let holder = Arc::new(Holder(stream));
        *lock(&holder.holder) = Arc::downgrade(&holder);
        Ok(holder)
    }

    /// The engine that plays it.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What it counts, and what it is told.
    pub fn shared(&self) -> &StreamShared {
        &self.shared
    }

    /// The ring.
    pub fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// Hears what becomes of it, on the helper thread; `None`: nobody does any more.
    pub fn listen(&self, call: Option<Call>) {
        let before = std::mem::replace(&mut *lock(&self.listener), call);
        // With no lock held: what a listener holds may take locks of its runtime when it goes.
        drop(before);
    }

    /// Something was written: the listener knows that it is busy, and wants to hear when it no longer is.
    pub fn touch(&self) {
        let mut watch = lock(&self.watch);
        (watch.busy, watch.quiet_since) = (true, None);
        watch.moved.1 = Instant::now();
    }

    /// Silence now, with a fade.
    pub fn stop(&self) {
        self.shared.stop();
        if let Some(writer) = &self.writer {
            lock(writer).forget();
        }
    }

    /// Takes adopted memory away from the audio thread. When this returns, it may be freed.
    pub fn revoke(&self) {
        self.ring.revoke();
    }

    /// Moves on what found no room in the ring.
    pub(super) fn pump(&self) {
        if let Some(writer) = &self.writer {
            lock(writer).pump(&self.ring, &self.shared);
        }
    }

    /// Looks what has happened and tells it; returns when to look again at the latest.
    pub(super) fn tick(&self, clock: &Clock) -> Duration {
        let mut events = Vec::new();
        let again = self.look(clock, &mut events);
        if events.is_empty() {
            return again;
        }
        // Called with no lock held: a listener may ask the stream for anything.
        let listener = lock(&self.listener).clone();
        if let Some(call) = listener {
            events.into_iter().for_each(|event| call(event));
        }
        again
    }

    fn look(&self, clock: &Clock, events: &mut Vec<StreamEvent>) -> Duration {
        let mut again = Duration::MAX;
        let until = |frames: u64| Duration::from_secs_f64(frames as f64 / f64::from(clock.rate.max(1)));
        let mut watch = lock(&self.watch);
        if clock.is_closed {
            if !std::mem::replace(&mut watch.lost, true) {
                events.extend([StreamEvent::Lost, StreamEvent::Idle]);
            }
            return again;
        }
        if clock.frame != watch.moved.0 {
            watch.moved = (clock.frame, Instant::now());
        }
        let underruns = self.shared.underruns.get();
        let ran_dry = underruns > watch.underruns;
        if ran_dry {
            watch.underruns = underruns;
            events.push(StreamEvent::Underrun(underruns));
        }
        let mut buffered = self.ring.waiting() > 0;
        if let Some(writer) = &self.writer {
            let mut writer = lock(writer);
            writer.pump(&self.ring, &self.shared);
            if ran_dry {
                writer.ran_dry();
            }
            buffered |= writer.holds_frames();
            match writer.room(&self.ring) {
                Some(Duration::ZERO) => events.push(StreamEvent::Room),
                Some(wait) => again = again.min(wait),
                None => {}
            }
        }
        let finished = self.shared.finished();
        if let Some(at) = finished.filter(|_| !watch.drained) {
            let heard = at + clock.latency;
            if clock.frame >= heard {
                watch.drained = true;
                events.push(StreamEvent::Drained);
            } else {
                again = again.min(until(heard - clock.frame));
            }
        }
        let stuck = watch.moved.1.elapsed() > PATIENCE;
        let sounds = self.shared.is_sounding() || buffered || (finished.is_some() && !watch.drained);
        if sounds && !stuck {
            watch.quiet_since = None;
            if !std::mem::replace(&mut watch.busy, true) {
                events.push(StreamEvent::Busy);
            }
        } else if watch.busy {
            // One block more than the way to the ear: what has just been written may not have been seen yet.
            let since = *watch.quiet_since.get_or_insert(clock.frame);
            if stuck || clock.frame > since + clock.latency {
                watch.busy = false;
                events.push(StreamEvent::Idle);
            }
        }
        again
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let stream = &self.0;
        stream.listen(None);
        if stream.adopted {
            stream.shared.stop();
            stream.ring.revoke();
            return;
        }
        if let Some(writer) = &stream.writer {
            lock(writer).end(&stream.ring, &stream.shared);
        }
        // Nobody pumps any more: what found no room is not heard.
        stream.shared.end();
    }
}

#[cfg(test)]
mod tests {
    use std::ptr::NonNull;

    use super::*;
    use crate::control::value::Value;
    use crate::control::{EngineOptions, SpeakerOptions, open_speaker};
    use crate::pcm::ring::Place;

    fn offline() -> Engine {
        let options =
            EngineOptions { backend: Some("offline"), limiter: Some(None), ..EngineOptions::default() };
        Engine::open(options).unwrap()
    }

    fn options(fields: &[(&str, f64)]) -> SpeakerOptions {
        let fields = [("sampleRate", 48_000.0), ("channels", 1.0)].iter().chain(fields);
        let fields = fields.map(|(name, value)| ((*name).to_string(), Value::Number(*value))).collect();
        SpeakerOptions::read(&Value::Object(fields)).unwrap()
    }

    fn left(engine: &Engine, frames: usize) -> Vec<f32> {
        let mut out = vec![0.0; 2 * frames];
        engine.render(frames, &mut out).unwrap();
        out.chunks(2).map(|frame| frame[0]).collect()
    }

    /// What a stream tells, as it tells it.
    fn hear(stream: &Stream) -> Arc<Mutex<Vec<StreamEvent>>> {
        let heard: Arc<Mutex<Vec<StreamEvent>>> = Arc::default();
        let inbox = heard.clone();
        stream.listen(Some(Arc::new(move |event| lock(&inbox).push(event))));
        heard
    }

    /// Waits until the helper thread has told this.
    fn until(heard: &Mutex<Vec<StreamEvent>>, event: &StreamEvent) {
        let started = Instant::now();
        while !lock(heard).contains(event) {
            assert!(started.elapsed() < Duration::from_secs(20), "{event:?} is not told: {:?}", lock(heard));
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn bytes_in_any_pieces_are_frames_and_the_end_is_told_when_they_were_heard() {
        let engine = offline();
        let stream = open_speaker(&engine, options(&[])).unwrap();
        let heard = hear(&stream);
        let values: Vec<i16> = (0..1000).map(|n| if n < 999 { n * 30 } else { 0 }).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        for piece in bytes.chunks(7) {
            assert_eq!(stream.write(piece), Ok(true));
        }
        stream.end();
        assert_eq!(stream.buffered(), 1000);
        let out = left(&engine, 1500);
        for (n, value) in values.iter().enumerate() {
            assert_eq!(out[n], f32::from(*value) / 32_768.0, "frame {n}");
        }
        until(&heard, &StreamEvent::Drained);
        assert!(!lock(&heard).iter().any(|event| matches!(event, StreamEvent::Underrun(_))));
        engine.close();
    }

    #[test]
    fn a_writer_waits_for_room_and_is_told_once() {
        let engine = offline();
        let stream = open_speaker(&engine, options(&[("latency", 0.01)])).unwrap();
        let heard = hear(&stream);
        assert_eq!(stream.write(&[0; 2 * 480]), Ok(true), "as much as may wait");
        assert_eq!(stream.write(&[0; 2 * 480]), Ok(false));
        engine.shared().tick();
        assert!(!lock(&heard).contains(&StreamEvent::Room));
        left(&engine, 480);
        until(&heard, &StreamEvent::Room);
        engine.shared().tick();
        assert_eq!(lock(&heard).iter().filter(|event| **event == StreamEvent::Room).count(), 1);
        engine.close();
    }

    #[test]
    fn what_ran_dry_is_told_and_a_closed_engine_is_the_end() {
        let engine = offline();
        let stream = open_speaker(&engine, options(&[])).unwrap();
        let heard = hear(&stream);
        stream.write(&[1; 200]).unwrap();
        left(&engine, 600);
        until(&heard, &StreamEvent::Underrun(1));
        engine.close();
        until(&heard, &StreamEvent::Lost);
        assert!(stream.write(&[0; 2]).is_err());
        assert!(open_speaker(&engine, options(&[])).is_err());
    }

    #[test]
    fn places_come_back_and_there_is_a_limit() {
        let engine = offline();
        for _ in 0..2 * crate::engine::MAX_SOURCES {
            let stream = open_speaker(&engine, options(&[("sampleRate", 1_000.0)])).unwrap();
            stream.stop();
            left(&engine, 1);
        }
        let open = || open_speaker(&engine, options(&[("sampleRate", 1_000.0)]));
        // Each at another rate than the engine's has a table of its own: too much of a wait for 4096 of them.
        let streams: Vec<_> = std::iter::repeat_with(|| open_speaker(&engine, options(&[])))
            .take(crate::engine::MAX_SOURCES)
            .collect();
        assert!(streams.iter().all(|stream| stream.is_ok()));
        assert!(matches!(open(), Err(crate::control::Error::Limit(message)) if message.contains("4096")));
        drop(streams);
        left(&engine, 1);
        assert!(open().is_ok());
        engine.close();
    }

    #[test]
    fn adopted_memory_has_one_reader_and_is_given_back_with_the_last_holder() {
        let engine = offline();
        let mut values = vec![0.25f32; 64];
        let mut indices = [40i32, 0];
        let memory = {
            let [write, read] = indices.each_mut().map(NonNull::from);
            Adopted { values: Place::F32(NonNull::new(values.as_mut_ptr()).unwrap()), write, read }
        };
        // SAFETY: 64 values and two indices, which outlive every stream here.
        let adopt = || unsafe { Stream::adopt(&engine, memory, 64, 1, 48_000) }.unwrap();
        let one = adopt();
        let two = adopt();
        assert!(Arc::ptr_eq(&one, &two));
        assert_eq!(left(&engine, 30), [0.25; 30]);
        drop(one);
        assert_eq!(left(&engine, 5), [0.25; 5], "the other holds it still");
        let ring = two.ring().clone();
        drop(two);
        assert!(ring.is_revoked());
        assert!(left(&engine, 500)[240..].iter().all(|value| *value == 0.0));
        let three = adopt();
        three.stop();
        assert!(!Arc::ptr_eq(&three, &adopt()), "a stopped one is another's");
        engine.close();
    }

    #[test]
    fn a_stream_that_nobody_holds_is_heard_to_its_end() {
        let engine = offline();
        let stream = open_speaker(&engine, options(&[])).unwrap();
        stream.write(&vec![1; 2 * 4800]).unwrap();
        drop(stream);
        let out = left(&engine, 6000);
        assert!(out[..4800].iter().all(|value| *value != 0.0));
        assert!(out[4800 + 240..].iter().all(|value| *value == 0.0));
        assert_eq!(engine.shared().streams().len(), 0);
        engine.close();
    }

    #[test]
    fn a_chunk_beyond_any_buffer_is_moved_on_as_room_comes() {
        let engine = offline();
        let stream = open_speaker(&engine, options(&[])).unwrap();
        let frames = 200_000;
        assert_eq!(stream.write(&vec![1; 2 * frames]), Ok(false));
        stream.end();
        let out = left(&engine, frames + 1000);
        assert!(out[..frames].iter().all(|value| *value != 0.0), "no gap");
        assert_eq!(stream.shared().frames.get(), frames as u64);
        assert_eq!(stream.shared().underruns.get(), 0);
        assert!(stream.ring.waiting() == 0 && stream.shared.finished().is_some());
        engine.close();
    }
}
