//! A sampler's effects, as its users set them. They are made here, on the control side, since the audio thread cannot
//! allocate: by `effects.set()`, or with their defaults by the first thing that is sent to them.

use super::error::{Error, Result};
use super::lock;
use super::sampler::Sampler;
use super::value::{Options, Value, number, word};
use crate::dsp::effects::{Effect, Kind, Values, defaults};
use crate::engine::event::{Event, MAX_GAIN};
use crate::engine::message::Command;

/// Words for [`Kind`], in its order, which is that of the sends.
fn names() -> [&'static str; Kind::ALL.len()] {
    Kind::ALL.map(Kind::name)
}

/// What is behind a send, as far as the control side has decided.
#[derive(Default)]
enum Place {
    /// Nobody has asked for it yet: it is made when something is sent.
    #[default]
    Untouched,
    /// Taken away: it stays away until it is set again.
    Off,
    /// There, and its memory stays.
    On {
        #[cfg(feature = "device")]
        _locked: Vec<crate::device::Locked>,
    },
}

/// What is behind each send of a sampler.
#[derive(Default)]
pub struct Chain {
    places: [Place; Kind::ALL.len()],
}

fn kind(name: &Value) -> Result<(usize, Kind)> {
    let parse = |text: &str| Kind::ALL.into_iter().enumerate().find(|(_, kind)| kind.name() == text);
    word("effect", name, &names(), parse)
}

/// Parameters that are given, by number. Errors: `InvalidArgument`.
fn read_params(kind: Kind, params: &Value) -> Result<Vec<(u8, f32)>> {
    if !matches!(params, Value::Object(_)) {
        return Err(Error::InvalidType(format!(
            "params of {} must be an object, or null to take it away, got {params}",
            kind.name()
        )));
    }
    let known: Vec<&str> = kind.params().iter().map(|param| param.name).collect();
    let options = Options::read(&format!("{} params", kind.name()), params, &known)?;
    let mut given = Vec::new();
    for (place, param) in (0u8..).zip(kind.params()) {
        let name = format!("{} {}", kind.name(), param.name);
        if let Some(value) = options.get(param.name) {
            given.push((place, number(&name, value, param.low, param.high, param.unit)? as f32));
        }
    }
    Ok(given)
}

impl Sampler {
    /// Sets parameters of an effect, which comes into being if it is not there: with defaults for what is not given. Of
    /// one that is there what is not given stays. `null` takes it away: its tail fades in 6 ms.
    ///
    /// Thread: the one that owns the port; allocates where the effect is new. Errors: `InvalidArgument`, `Closed`,
    /// `Limit`.
    pub fn set_effect(&self, name: &Value, params: &Value) -> Result<()> {
        let (send, kind) = kind(name)?;
        let given = if *params == Value::Null { None } else { Some(read_params(kind, params)?) };
        self.check_open()?;
        let mut chain = lock(&self.effects);
        let Some(place) = chain.places.get_mut(send) else { return Ok(()) };
        match (given, &place) {
            (None, Place::On { .. }) => {
                self.port.post(Command::SetEffect(self.index(), send as u8, None));
                *place = Place::Off;
            }
            (None, _) => *place = Place::Off,
            (Some(given), Place::On { .. }) => {
                for (param, value) in given {
                    let event = Event::EffectParam { sampler: self.index(), send: send as u8, param, value };
                    if !self.port.send(event, None) {
                        return Err(full("effects.set()"));
                    }
                }
            }
            (Some(given), _) => {
                let mut values = defaults(kind);
                for (param, value) in given {
                    if let Some(place) = values.get_mut(usize::from(param)) {
                        *place = value;
                    }
                }
                *place = self.install(send, kind, &values);
            }
        }
        Ok(())
    }

    /// Level of a send of notes that don't say, linear, 0..=10000: those that sound follow it, too.
    ///
    /// Thread: the one that owns the port. Errors: `InvalidArgument`, `Closed`, `Limit`.
    pub fn send_effect(&self, name: &Value, level: &Value) -> Result<()> {
        let (send, _) = kind(name)?;
        let level = number("level", level, 0.0, MAX_GAIN, " (linear; 1 sends all of a note)")? as f32;
        self.check_open()?;
        if level > 0.0 {
            self.use_effect(send);
        }
        let event = Event::SamplerSend { sampler: self.index(), send: send as u8, level };
        if self.port.send(event, None) { Ok(()) } else { Err(full("effects.send()")) }
    }

    /// Something is about to be sent: what nobody has set or taken away is there from now on, with its defaults.
    ///
    /// Thread: the one that owns the port; allocates the first time.
    pub fn use_effect(&self, send: usize) {
        let mut chain = lock(&self.effects);
        if let (Some(place @ Place::Untouched), Some(kind)) =
            (chain.places.get_mut(send), Kind::ALL.get(send).copied())
        {
            *place = self.install(send, kind, &defaults(kind));
        }
    }

    fn install(&self, send: usize, kind: Kind, values: &Values) -> Place {
        let effect = Box::new(Effect::new(kind, self.engine().info().sample_rate, values));
        #[cfg(feature = "device")]
        let _locked = super::residence::lock_pieces(&effect.storage());
        self.port.post(Command::SetEffect(self.index(), send as u8, Some(effect)));
        Place::On {
            #[cfg(feature = "device")]
            _locked,
        }
    }
}

fn full(call: &str) -> Error {
    Error::Limit(format!("{call} found the queue full; send fewer notes at once"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::note_params::SENDS;

    fn say(kind: Kind, name: &str, value: Value) -> String {
        read_params(kind, &Value::Object(vec![(name.into(), value)])).unwrap_err().to_string()
    }

    #[test]
    fn effects_are_the_sends_of_notes_in_the_same_order() {
        assert_eq!(names(), SENDS);
    }

    #[test]
    fn wrong_parameters_are_named_with_their_range() {
        assert_eq!(
            say(Kind::Reverb, "decay", Value::Number(0.0)),
            "reverb decay must be a number from 0.1 to 60 s (to −60 dB), got 0"
        );
        assert_eq!(
            say(Kind::Delay, "feedback", Value::Number(1.0)),
            "delay feedback must be a number from 0 to 0.98 (of each echo, what the next one has), got 1"
        );
        assert_eq!(
            say(Kind::Chorus, "rat", Value::Number(1.0)),
            "chorus params have no option 'rat'; did you mean 'rate'?"
        );
        let none = read_params(Kind::Reverb, &Value::Undefined).unwrap_err().to_string();
        assert_eq!(none, "params of reverb must be an object, or null to take it away, got undefined");
        let name = kind(&Value::String("revreb".into())).unwrap_err().to_string();
        assert!(name.ends_with("did you mean 'reverb'?"), "{name}");
    }

    #[test]
    fn every_parameter_takes_both_ends_of_its_range() {
        for kind in Kind::ALL {
            for (number, param) in (0u8..).zip(kind.params()) {
                for value in [param.low, param.high] {
                    let params = Value::Object(vec![(param.name.into(), Value::Number(value))]);
                    assert_eq!(read_params(kind, &params), Ok(vec![(number, value as f32)]), "{param:?}");
                }
            }
        }
    }
}
