//! The immutable model of an instrument: samples, the regions that say when and how they sound, and the index that
//! finds regions for a note.
//!
//! Built on the control side or in the loader pool, shared as `Arc`, read by the audio thread, never changed: a new
//! sample makes a new instrument that takes the old one's place at a block edge. No files and no engine here.

mod conditions;
mod index;
mod manner;
mod modulation;
mod play;
mod region;
mod sample;
mod sample_loop;
mod velocity;

pub use conditions::{Conditions, Refusal, Situation, Span, Switches, Trigger};
pub use index::KeyIndex;
pub use manner::{Manner, Off};
pub use modulation::{
    MAX_ENVELOPES, MAX_FILTERS, MAX_LFOS, Modulation, RegionFilter, Route, Shape, Source, Stage, StartRoute,
    StartTarget, Target,
};
pub use play::Play;
pub use region::{Playback, Region};
pub use sample::{GUARD_FRAMES, MAX_SAMPLE_FRAMES, Sample};
pub use sample_loop::{Frames, JOINT_FRAMES, LoopMode, LoopSettings, SampleLoop, recording};
pub use velocity::VelocityCurve;

use crate::dsp::interpolate::Kernel;
use std::sync::Arc;

/// Most regions one instrument may have: an index into them fits `u32` with room to spare, and the largest
/// orchestral libraries have a tenth of it.
pub const MAX_REGIONS: usize = 1 << 20;

/// Samples mapped over keys and velocities.
#[derive(Debug, Default)]
pub struct Instrument {
    regions: Vec<Region>,
    index: KeyIndex,
    kernel: Option<Kernel>,
    play: Play,
    /// Regions that keys going up start.
    releases: bool,
    /// Regions take turns.
    sequences: bool,
    /// Regions that controllers start.
    on_controllers: Vec<u32>,
    /// Bits of the controllers that hold regions and are not 64.
    pedals: u128,
}

impl Instrument {
    /// An instrument of these regions. Their order is the order in which layers of one note start.
    pub fn new(regions: Vec<Region>) -> Self {
        debug_assert!(regions.len() <= MAX_REGIONS);
        let index = KeyIndex::new(&regions);
        let mut instrument = Self { index, ..Self::default() };
        for (number, region) in (0u32..).zip(&regions) {
            if let Some(pedal) = region.manner.sustain.filter(|pedal| *pedal != 64) {
                instrument.pedals |= 1u128.checked_shl(pedal.into()).unwrap_or(0);
            }
            let Some(conditions) = &region.conditions else { continue };
            instrument.releases |= matches!(conditions.trigger, Trigger::Release | Trigger::ReleaseKey);
            instrument.sequences |= conditions.sequence.0 > 1;
            if conditions.trigger == Trigger::Controller {
                instrument.on_controllers.push(number);
            }
        }
        Self { regions, ..instrument }
    }

    /// The same with what belongs to all of its regions.
    pub fn with_play(self, play: Play) -> Self {
        Self { play, ..self }
    }

    /// What belongs to all of its regions.
    pub fn play(&self) -> &Play {
        &self.play
    }

    /// Whether keys that go up start regions.
    pub fn has_releases(&self) -> bool {
        self.releases
    }

    /// Whether regions take turns.
    pub fn has_sequences(&self) -> bool {
        self.sequences
    }

    /// Whether a controller holds regions as the sustain pedal does.
    pub fn is_pedal(&self, controller: u8) -> bool {
        self.pedals & 1u128.checked_shl(controller.into()).unwrap_or(0) != 0
    }

    /// Numbers of the regions that controllers start.
    pub fn on_controllers(&self) -> &[u32] {
        &self.on_controllers
    }

    /// Numbers of the regions on a key, whatever else they ask for, in order. Fractional keys belong to the nearest.
    pub fn on_key(&self, key: f32) -> &[u32] {
        self.index.on_key(key.round().clamp(0.0, 127.0) as u8)
    }

    /// The same, read with this kernel whatever the engine's is.
    pub fn with_kernel(self, kernel: Option<Kernel>) -> Self {
        Self { kernel, ..self }
    }

    /// What its voices read with; `None`: the engine's.
    pub fn kernel(&self) -> Option<Kernel> {
        self.kernel
    }

    /// All regions.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// One region by its number.
    pub fn region(&self, number: u32) -> Option<&Region> {
        self.regions.get(number as usize)
    }

    /// Numbers of the regions that sound for a note, in order. Fractional keys belong to the nearest key,
    /// fractional velocities to the nearest velocity, at least 1.
    ///
    /// Thread: any, the audio thread too: no allocation, work bounded by the regions on that key.
    pub fn matching(&self, key: f32, velocity: f32) -> impl Iterator<Item = u32> + '_ {
        let key = key.round().clamp(0.0, 127.0) as u8;
        let velocity = velocity.round().clamp(1.0, 127.0) as u8;
        self.index.on_key(key).iter().copied().filter(move |number| {
            self.region(*number).is_some_and(|region| region.velocities.contains(&velocity))
        })
    }

    /// Lowest and highest key that sounds, or `None` when no key does.
    pub fn key_range(&self) -> Option<(u8, u8)> {
        let on_keys = || self.regions.iter().filter(|region| !region.keys.is_empty());
        let low = on_keys().map(|region| *region.keys.start()).min()?;
        let high = on_keys().map(|region| *region.keys.end()).max()?;
        Some((low, high))
    }

    /// Distinct samples.
    pub fn samples(&self) -> usize {
        self.distinct_samples().len()
    }

    /// Bytes of sample memory, each sample and loop counted once.
    pub fn bytes(&self) -> usize {
        let mut loops: Vec<_> = self.regions.iter().filter_map(Region::sample_loop).collect();
        loops.sort_by_key(|sample_loop| Arc::as_ptr(sample_loop));
        loops.dedup_by_key(|sample_loop| Arc::as_ptr(sample_loop));
        let samples = self.distinct_samples();
        samples.iter().map(|sample| sample.bytes()).chain(loops.iter().map(|round| round.bytes())).sum()
    }

    fn distinct_samples(&self) -> Vec<&Arc<Sample>> {
        let mut samples: Vec<_> = self.regions.iter().map(|region| &region.sample).collect();
        samples.sort_by_key(|sample| Arc::as_ptr(sample));
        samples.dedup_by_key(|sample| Arc::as_ptr(sample));
        samples
    }
}
