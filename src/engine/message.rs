//! What comes in with an owner, and what goes out: the engine never makes or frees any of it (RT-1, RT-3).

use super::event::{InstrumentIndex, NoteId, SamplerIndex};
use super::instruments::Installed;
use super::programs::Programs;
use super::sampler::Sampler;
use crate::dsp::effects::Effect;
use crate::dsp::interpolate::Kernel;
use crate::rt::lane::LaneReceiver;
use crate::rt::source::Source;

/// Place of one version of an instrument in the engine's table.
pub type Generation = u16;

/// Owned messages to the audio thread, in order with the records of their lane.
pub enum Command {
    /// Another producer. It leaves by itself when its sender is dropped.
    AddLane(Box<LaneReceiver<Command>>),
    /// What new voices read with whose instrument has no kernel of its own; those that sound keep theirs.
    SetKernel(Kernel),
    /// Something else that sounds. It leaves by itself when it is over.
    AddSource(Box<dyn Source>),
    /// A sampler for a free place.
    AddSampler(SamplerIndex, Box<Sampler>),
    /// No more notes: what is scheduled is dropped, what sounds fades, then the place is given back.
    CloseSampler(SamplerIndex),
    /// Nobody holds it any more: what is scheduled still sounds, then the place is given back.
    AbandonSampler(SamplerIndex),
    /// What a sampler's program changes select from now on. Comes back with what they selected before.
    SetPrograms(SamplerIndex, Box<Programs>),
    /// The effect behind a sampler's send, by number, or none from now on. What was there fades and comes back.
    SetEffect(SamplerIndex, u8, Option<Box<Effect>>),
    /// A version of an instrument for a free place; new notes play it, voices of older versions end on those.
    SetInstrument(InstrumentIndex, Generation, Installed),
    /// New notes find nothing under this number; what sounds ends by itself.
    RemoveInstrument(InstrumentIndex),
    /// The same for an instrument that no channel plays and none is going to: garbage.
    DropInstrument(InstrumentIndex),
}

/// What leaves the audio thread.
pub enum Outgoing {
    /// Abandoned by its producer.
    Lane(Box<LaneReceiver<Command>>),
    /// Over.
    Source(Box<dyn Source>),
    /// Removed and silent: the place is free again.
    Sampler(SamplerIndex, Box<Sampler>),
    /// Replaced and silent.
    Effect(Box<Effect>),
    /// No voice plays it any more: the place is free again.
    Instrument(Generation, Installed),
    /// Could not be taken in: its place was not free, which the control side's bookkeeping rules out.
    Refused(Command),
    /// Something to tell.
    Fact(Fact),
}

/// Facts about notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// The last voice of a note has ended.
    NoteEnded(SamplerIndex, NoteId),
    /// A voice of this note was taken for another.
    Stolen(SamplerIndex, NoteId),
    /// This note arrived so many frames after its time.
    Late(SamplerIndex, NoteId, u32),
}
