//! A preset → its zones: what of the preset's and its instruments' zones sounds together, each with its generators and
//! modulators settled.
//!
//! Source: SoundFont 2.04, sections 7.2 to 7.9 (which zone is global, which is ignored), 9.4 (what overrides, what adds).

use std::ops::Range;

use super::super::error::Fault;
use super::chunks::{Bag, GeneratorRecord, ModulatorRecord, Tables};
use super::generators::{self as gens, Generators, Scope, Values};
use super::modulators::{Modulator, resolve};

/// Most zones of one preset: ten times what the largest have. Lists may point at the same zones again and again.
const MAX_ZONES: usize = 1 << 16;

/// One sample of a preset, and how it sounds.
#[derive(Debug)]
pub(super) struct Zone {
    pub(super) keys: (u8, u8),
    pub(super) velocities: (u8, u8),
    pub(super) generators: Generators,
    pub(super) modulators: Vec<Modulator>,
    /// Number of the sample.
    pub(super) sample: u16,
}

/// One list of zones, of a preset or an instrument.
struct List<'a> {
    bags: &'a [Bag],
    generators: &'a [GeneratorRecord],
    modulators: &'a [ModulatorRecord],
    /// What every zone but a global one ends with.
    target: u16,
}

/// A zone of a list.
struct Part<'a> {
    values: Values,
    modulators: &'a [ModulatorRecord],
    target: Option<u16>,
}

fn slice<T>(of: &[T], range: Range<u16>) -> &[T] {
    of.get(usize::from(range.start)..usize::from(range.end).min(of.len())).unwrap_or(&[])
}

impl<'a> List<'a> {
    /// The global zone, and the others that have a target.
    fn zones(&self, bags: Range<u16>) -> (Part<'a>, Vec<Part<'a>>) {
        let mut global = Part { values: Values::default(), modulators: &[], target: None };
        let mut zones = Vec::new();
        for number in bags.clone() {
            let Some(bag) = self.bags.get(usize::from(number)) else { break };
            // The bag behind it says where it ends; behind the last there should be one more.
            let next = self.bags.get(usize::from(number) + 1);
            let generators =
                slice(self.generators, bag.generator..next.map_or(u16::MAX, |next| next.generator));
            let modulators =
                slice(self.modulators, bag.modulator..next.map_or(u16::MAX, |next| next.modulator));
            let mut part = Part { values: Values::default(), modulators, target: None };
            for GeneratorRecord { operator, amount } in generators {
                if *operator == self.target {
                    part.target = Some(*amount);
                    break; // what follows is to be ignored
                }
                match gens::info(*operator) {
                    Some(info) if info.scope == Scope::Instrument && self.target == gens::INSTRUMENT => {}
                    Some(_) => part.values.set(*operator, *amount),
                    // Unused, reserved or unknown: "to be ignored" (section 8.1.1).
                    None => {}
                }
            }
            match part.target {
                Some(_) => zones.push(part),
                None if number == bags.start => global = part,
                None => {} // a zone without an instrument or sample, and not the first, is nothing
            }
        }
        (global, zones)
    }
}

/// All zones of a preset.
pub(super) fn of_preset(
    tables: &Tables,
    preset: usize,
    warnings: &mut Vec<String>,
) -> Result<Vec<Zone>, Fault> {
    let bags = |from: Option<u16>, to: Option<u16>| from.unwrap_or(0)..to.unwrap_or(0);
    let (this, next) = (tables.presets.get(preset), tables.presets.get(preset + 1));
    let list = List {
        bags: &tables.preset_bags,
        generators: &tables.preset_generators,
        modulators: &tables.preset_modulators,
        target: gens::INSTRUMENT,
    };
    let (global, parts) = list.zones(bags(this.map(|p| p.bag), next.map(|p| p.bag)));
    let list = List {
        bags: &tables.instrument_bags,
        generators: &tables.instrument_generators,
        modulators: &tables.instrument_modulators,
        target: gens::SAMPLE,
    };
    let mut zones = Vec::new();
    for part in &parts {
        let number = part.target.unwrap_or(0);
        let (this, next) =
            (tables.instruments.get(usize::from(number)), tables.instruments.get(usize::from(number) + 1));
        // The last record only says where the one before it ends.
        let Some((this, next)) = this.zip(next) else {
            warnings.push(format!(
                "a zone asks for instrument {number}, there are {}; it is left out",
                tables.instruments.len().saturating_sub(1)
            ));
            continue;
        };
        let preset_values = part.values.over(&global.values);
        let (own_global, own_parts) = list.zones(this.bag..next.bag);
        if own_parts.is_empty() {
            warnings.push(format!("instrument {number} (\"{}\") has no sample", this.name));
        }
        for own in &own_parts {
            let values = own.values.over(&own_global.values);
            let meet = |range| {
                let ((a, b), (c, d)) = (values.range(range), preset_values.range(range));
                (a.max(c), b.min(d))
            };
            let (keys, velocities) = (meet(gens::KEY_RANGE), meet(gens::VELOCITY_RANGE));
            if keys.0 > keys.1 || velocities.0 > velocities.1 || velocities.1 == 0 {
                continue;
            }
            if zones.len() == MAX_ZONES {
                return Err(Fault::Limit(format!("a preset has more than {MAX_ZONES} zones")));
            }
            zones.push(Zone {
                keys,
                velocities: (velocities.0.max(1), velocities.1),
                generators: Generators::new(values, preset_values),
                modulators: resolve(
                    (own_global.modulators, own.modulators),
                    (global.modulators, part.modulators),
                ),
                sample: own.target.unwrap_or(0),
            });
        }
    }
    Ok(zones)
}
