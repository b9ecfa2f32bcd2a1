//! A sampler's effects: for each send a bus that voices add to, and the effect that makes its wet sound of it.
//!
//! Effects are made on the control thread and moved in; one that is replaced or taken away fades and leaves by the
//! collector (RT-3). One that is silent and to which nothing was sent costs nothing.

use super::MAX_CHUNK;
use super::bus::{self, Bus, SILENT};
use super::message::Outgoing;
use super::note::SENDS;
use crate::dsp::effects::{Effect, MAX_FRAMES};
use crate::dsp::ramp::Ramp;
use crate::rt::collector::Outbox;
use crate::units::Frames;

const _: () = assert!(MAX_CHUNK <= MAX_FRAMES);

/// A fade to silence: its gain, and the first frame behind it.
#[derive(Clone, Copy, Debug)]
struct Fade {
    gain: Ramp,
    end: Frames,
}

impl Fade {
    fn new(now: Frames, frames: u32) -> Self {
        let mut gain = Ramp::at_rest(1.0);
        gain.glide(0.0, now, frames);
        Self { gain, end: now + Frames::from(frames) }
    }
}

/// One send and its effect.
#[derive(Debug)]
struct Send {
    bus: Bus,
    /// Something was added to the bus.
    fed: bool,
    effect: Option<Box<Effect>>,
    /// Everything that is in the effect is about to be forgotten.
    hush: Option<Fade>,
    /// What was there before, as long as it fades.
    leaving: Option<(Box<Effect>, Fade)>,
}

/// The sends of a sampler.
#[derive(Debug)]
pub struct Effects {
    sends: [Send; SENDS],
}

impl Default for Effects {
    fn default() -> Self {
        Self {
            sends: std::array::from_fn(|_| Send {
                bus: SILENT,
                fed: false,
                effect: None,
                hush: None,
                leaving: None,
            }),
        }
    }
}

impl Effects {
    /// Puts an effect behind a send, or none. What has to go at once is given back: an effect that was silent, or one that
    /// was still fading when it was displaced by the next.
    pub fn replace(
        &mut self,
        send: usize,
        effect: Option<Box<Effect>>,
        now: Frames,
        fade_frames: u32,
    ) -> Option<Box<Effect>> {
        let Some(send) = self.sends.get_mut(send) else { return effect };
        let before = std::mem::replace(&mut send.effect, effect)?;
        if before.is_silent() {
            return Some(before);
        }
        // One that is being hushed goes on with that.
        let fade = send.hush.take().unwrap_or_else(|| Fade::new(now, fade_frames));
        send.leaving.replace((before, fade)).map(|(effect, _)| effect)
    }

    /// Turns a parameter of an effect, both by number.
    pub fn set(&mut self, send: usize, param: usize, value: f32, now: Frames) {
        if let Some(effect) = self.sends.get_mut(send).and_then(|send| send.effect.as_mut()) {
            effect.set(param, value, now);
        }
    }

    /// All tails fade, and what is in the effects is forgotten.
    pub fn hush(&mut self, now: Frames, fade_frames: u32) {
        for send in &mut self.sends {
            if send.hush.is_none() && send.effect.as_ref().is_some_and(|effect| !effect.is_silent()) {
                send.hush = Some(Fade::new(now, fade_frames));
            }
        }
    }

    /// Whether anything may still be heard without anything being sent.
    pub fn sounds(&self) -> bool {
        self.sends.iter().any(|send| {
            send.leaving.is_some() || send.effect.as_ref().is_some_and(|effect| !effect.is_silent())
        })
    }

    /// The buses for the next `frames`, silent.
    pub fn open(&mut self, frames: usize) {
        for send in self.sends.iter_mut().filter(|send| send.effect.is_some()) {
            bus::open(&mut send.bus, frames);
            send.fed = false;
        }
    }

    /// A send's bus, to add to; `None` where no effect is behind it.
    pub fn bus(&mut self, send: usize) -> Option<&mut Bus> {
        let send = self.sends.get_mut(send)?;
        send.effect.as_ref()?;
        send.fed = true;
        Some(&mut send.bus)
    }

    /// Adds the wet sound of everything to a bus.
    pub fn render(&mut self, frame: Frames, frames: usize, out: &mut Bus) {
        for send in &mut self.sends {
            send.render(frame, frames, out);
        }
    }

    /// Sends out what has faded.
    pub fn dispose(&mut self, frame: Frames, outbox: &mut Outbox<Outgoing>) {
        for send in &mut self.sends {
            if send.leaving.as_ref().is_some_and(|(_, fade)| frame >= fade.end)
                && outbox.has_room()
                && let Some((effect, _)) = send.leaving.take()
            {
                let _ = outbox.discard(Outgoing::Effect(effect));
            }
        }
    }
}

impl Send {
    fn render(&mut self, frame: Frames, frames: usize, out: &mut Bus) {
        if let Some((effect, fade)) = &mut self.leaving
            && frame < fade.end
        {
            let mut wet = SILENT;
            add_wet(effect, Some(&fade.gain), (frame, 0, frames), &mut wet, out);
        }
        let Some(effect) = &mut self.effect else { return };
        if !self.fed && effect.is_silent() {
            self.hush = None;
            return;
        }
        let mut from = 0;
        if let Some(fade) = self.hush {
            let left = usize::try_from(fade.end.saturating_sub(frame)).unwrap_or(usize::MAX);
            from = left.min(frames);
            add_wet(effect, Some(&fade.gain), (frame, 0, from), &mut self.bus, out);
            if left <= frames {
                effect.forget(fade.end.max(frame));
                self.hush = None;
            }
        }
        add_wet(effect, None, (frame + from as u64, from, frames), &mut self.bus, out);
    }
}

/// Makes wet sound of frames `from..to` of a bus, and adds it.
fn add_wet(
    effect: &mut Effect,
    gain: Option<&Ramp>,
    (frame, from, to): (Frames, usize, usize),
    wet: &mut Bus,
    out: &mut Bus,
) {
    let [left, right] = wet;
    let (Some(left), Some(right)) = (left.get_mut(from..to), right.get_mut(from..to)) else { return };
    effect.process(frame, left, right);
    for (out, wet) in out.iter_mut().zip([left, right]) {
        if let Some(gain) = gain {
            gain.apply(frame, wet);
        }
        if let Some(out) = out.get_mut(from..to) {
            out.iter_mut().zip(wet).for_each(|(out, wet)| *out += *wet);
        }
    }
}
