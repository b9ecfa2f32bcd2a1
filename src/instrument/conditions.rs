//! Under which conditions a region sounds, beyond its keys and velocities.
//!
//! Conditions are looked at when something happens that may start a voice: a key goes down or up, a pedal lets go, a
//! controller moves. What is the case at that moment is a [`Situation`]; what stands in the way, if anything, is a
//! [`Refusal`], in the words of the opcode that says so.
//! Source: sfzformat.com, "Region logic".

/// What starts a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Trigger {
    /// A key goes down.
    #[default]
    Attack,
    /// A key goes down while no other is held.
    First,
    /// A key goes down while another is held.
    Legato,
    /// A key goes up, and no pedal holds it any more.
    Release,
    /// A key goes up, whatever pedals do.
    ReleaseKey,
    /// A controller moves into a range.
    Controller,
}

/// Low and high end, both within.
pub type Span = (f32, f32);

/// Keys that are pressed not to sound but to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Switches {
    /// The last keyswitch lies here.
    pub last: Option<(u8, u8)>,
    /// This key is held.
    pub down: Option<u8>,
    /// This key is not held.
    pub up: Option<u8>,
    /// The note before was on this key.
    pub previous: Option<u8>,
}

/// All of them have to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    /// What starts it.
    pub trigger: Trigger,
    /// Of a number from 0 to 1, a new one for each note: from the low end, up to but not with the high one unless that
    /// is 1.
    pub random: Span,
    /// How many notes on its keys make a round, at least 1, and which of them is its own, from 1.
    pub sequence: (u8, u8),
    /// Controllers, 0..=127, and where they stand.
    pub controllers: Vec<(u8, Span)>,
    /// Controllers that start it when they move into a range.
    pub on_controllers: Vec<(u8, Span)>,
    /// −8192..=8192.
    pub bend: Span,
    /// 0..=127.
    pub channel_pressure: Span,
    /// 0..=127.
    pub key_pressure: Span,
    /// 0..=15.
    pub channels: (u8, u8),
    /// 0..=127.
    pub programs: (u8, u8),
    /// Seconds since the note before.
    pub timer_s: Span,
    /// Keyswitches.
    pub switches: Switches,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            trigger: Trigger::Attack,
            random: (0.0, 1.0),
            sequence: (1, 1),
            controllers: Vec::new(),
            on_controllers: Vec::new(),
            bend: (-8192.0, 8192.0),
            channel_pressure: (0.0, 127.0),
            key_pressure: (0.0, 127.0),
            channels: (0, 15),
            programs: (0, 127),
            timer_s: (0.0, f32::INFINITY),
            switches: Switches::default(),
        }
    }
}

/// What is the case when something happens.
#[derive(Clone, Copy, Debug)]
pub struct Situation {
    /// 0..1, the same for all regions of a note.
    pub random: f32,
    /// Another key is held.
    pub legato: bool,
    /// Bits of the keys that are held.
    pub held: u128,
    /// The keyswitch that was pressed last.
    pub switch: Option<u8>,
    /// Key of the note before.
    pub previous: Option<u8>,
    /// Seconds since the note before; infinite if there was none.
    pub timer_s: f32,
    /// −8192..=8191.
    pub bend: f32,
    /// 0..=127.
    pub channel_pressure: f32,
    /// 0..=127.
    pub key_pressure: f32,
    /// 0..=15.
    pub channel: u8,
    /// 0..=127.
    pub program: u8,
}

/// Which condition does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // as the fields of `Conditions` and `Switches`
pub enum Refusal {
    Trigger,
    Random,
    Sequence,
    Controller(u8),
    Bend,
    ChannelPressure,
    KeyPressure,
    Channel,
    Program,
    Timer,
    SwitchLast,
    SwitchDown,
    SwitchUp,
    SwitchPrevious,
}

impl Conditions {
    /// Whether any of them can fail at a note-on.
    pub fn is_neutral(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a key that goes down may start it.
    pub fn starts_on_key_down(&self) -> bool {
        matches!(self.trigger, Trigger::Attack | Trigger::First | Trigger::Legato)
    }

    /// Whether it is its turn, when `notes` have come before on its keys.
    pub fn is_its_turn(&self, notes: u8) -> bool {
        let (length, position) = self.sequence;
        notes % length.max(1) + 1 == position
    }

    /// What stands in the way; sequences and key-down triggers apart from legato are the caller's. `controller` gives
    /// a controller's value, 0..=127.
    ///
    /// Thread: any, the audio thread too: no allocation, work bounded by the controllers listed.
    pub fn refuse(&self, now: &Situation, controller: impl Fn(u8) -> f32) -> Option<Refusal> {
        let within = |value: f32, (low, high): Span| value >= low && value <= high;
        let held = |key: u8| now.held & 1u128.checked_shl(key.into()).unwrap_or(0) != 0;
        let (low, high) = self.random;
        let Switches { last, down, up, previous } = self.switches;
        let wrong_legato = match self.trigger {
            Trigger::First => now.legato,
            Trigger::Legato => !now.legato,
            _ => false,
        };
        let off = self.controllers.iter().find(|(number, span)| !within(controller(*number), *span));
        let checks = [
            (wrong_legato, Refusal::Trigger),
            (now.random < low || (now.random >= high && high < 1.0), Refusal::Random),
            (!within(now.bend, self.bend), Refusal::Bend),
            (!within(now.channel_pressure, self.channel_pressure), Refusal::ChannelPressure),
            (!within(now.key_pressure, self.key_pressure), Refusal::KeyPressure),
            (now.channel < self.channels.0 || now.channel > self.channels.1, Refusal::Channel),
            (now.program < self.programs.0 || now.program > self.programs.1, Refusal::Program),
            (!within(now.timer_s, self.timer_s), Refusal::Timer),
            (
                last.is_some_and(|(low, high)| now.switch.is_none_or(|key| key < low || key > high)),
                Refusal::SwitchLast,
            ),
            (down.is_some_and(|key| !held(key)), Refusal::SwitchDown),
            (up.is_some_and(held), Refusal::SwitchUp),
            (previous.is_some_and(|key| now.previous != Some(key)), Refusal::SwitchPrevious),
        ];
        let controller = off.map(|(number, _)| Refusal::Controller(*number));
        checks.iter().find(|(wrong, _)| *wrong).map(|(_, refusal)| *refusal).or(controller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Situation {
        Situation {
            random: 0.5,
            legato: false,
            held: 0,
            switch: None,
            previous: None,
            timer_s: f32::INFINITY,
            bend: 0.0,
            channel_pressure: 0.0,
            key_pressure: 0.0,
            channel: 0,
            program: 0,
        }
    }

    fn refused(conditions: Conditions, situation: Situation) -> Option<Refusal> {
        conditions.refuse(&situation, f32::from)
    }

    #[test]
    fn nothing_stands_in_the_way_of_a_plain_region() {
        assert_eq!(refused(Conditions::default(), now()), None);
        assert!(Conditions::default().is_neutral());
    }

    #[test]
    fn each_condition_is_refused_by_its_name_and_only_when_it_fails() {
        let plain = Conditions::default;
        let switches = |switches| Conditions { switches, ..Conditions::default() };
        let none = Switches::default();
        let legato = Situation { legato: true, ..now() };
        let held = Situation { held: 1 << 40, switch: Some(24), previous: Some(60), ..now() };
        for (conditions, good, bad, refusal) in [
            (Conditions { trigger: Trigger::First, ..plain() }, now(), legato, Refusal::Trigger),
            (Conditions { trigger: Trigger::Legato, ..plain() }, legato, now(), Refusal::Trigger),
            (
                Conditions { random: (0.25, 0.5), ..plain() },
                Situation { random: 0.25, ..now() },
                Situation { random: 0.5, ..now() },
                Refusal::Random,
            ),
            (
                Conditions { bend: (100.0, 200.0), ..plain() },
                Situation { bend: 100.0, ..now() },
                Situation { bend: 99.0, ..now() },
                Refusal::Bend,
            ),
            (
                Conditions { channel_pressure: (0.0, 10.0), ..plain() },
                Situation { channel_pressure: 10.0, ..now() },
                Situation { channel_pressure: 11.0, ..now() },
                Refusal::ChannelPressure,
            ),
            (
                Conditions { key_pressure: (5.0, 10.0), ..plain() },
                Situation { key_pressure: 5.0, ..now() },
                now(),
                Refusal::KeyPressure,
            ),
            (
                Conditions { channels: (3, 4), ..plain() },
                Situation { channel: 3, ..now() },
                now(),
                Refusal::Channel,
            ),
            (
                Conditions { programs: (3, 4), ..plain() },
                Situation { program: 4, ..now() },
                now(),
                Refusal::Program,
            ),
            (
                Conditions { timer_s: (0.0, 1.0), ..plain() },
                Situation { timer_s: 0.5, ..now() },
                now(),
                Refusal::Timer,
            ),
            (switches(Switches { last: Some((24, 26)), ..none }), held, now(), Refusal::SwitchLast),
            (switches(Switches { down: Some(40), ..none }), held, now(), Refusal::SwitchDown),
            (switches(Switches { up: Some(40), ..none }), now(), held, Refusal::SwitchUp),
            (switches(Switches { previous: Some(60), ..none }), held, now(), Refusal::SwitchPrevious),
        ] {
            assert_eq!(refused(conditions.clone(), good), None, "{refusal:?}");
            assert_eq!(refused(conditions, bad), Some(refusal));
        }
        let controllers = |span| Conditions { controllers: vec![(7, (0.0, 127.0)), (9, span)], ..plain() };
        assert_eq!(refused(controllers((9.0, 9.0)), now()), None);
        assert_eq!(refused(controllers((10.0, 127.0)), now()), Some(Refusal::Controller(9)));
    }

    #[test]
    fn neighbouring_random_ranges_leave_no_gap_and_do_not_overlap() {
        let spans = [(0.0, 0.25), (0.25, 0.5), (0.5, 1.0)];
        for random in [0.0, 0.2499, 0.25, 0.4999, 0.5, 0.9999, 1.0] {
            let sounding = spans.iter().filter(|span| {
                refused(Conditions { random: **span, ..Conditions::default() }, Situation { random, ..now() })
                    .is_none()
            });
            assert_eq!(sounding.count(), 1, "{random}");
        }
    }

    #[test]
    fn a_round_comes_back_to_its_beginning() {
        let third = Conditions { sequence: (4, 3), ..Conditions::default() };
        assert_eq!(
            (0..8).map(|notes| third.is_its_turn(notes)).collect::<Vec<_>>(),
            [false, false, true, false, false, false, true, false]
        );
    }
}
