//! Degrading before it glitches: when blocks take too long for a while, the renderer is told to do less, and
//! when they do not any more, to do all of it again.
//!
//! The measuring is here, where the time is; what "less" means is the renderer's to decide. An offline render
//! never comes here, so its bits depend on no machine.

/// How much work the renderer is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Effort {
    /// All that was asked for.
    #[default]
    Full,
    /// Cheaper where it is heard least: new sounds with a cheaper interpolation.
    Cheaper,
    /// Less of it: the quietest sounds fade. Told again every [`Governor::STEP_S`] while it does not suffice.
    Fewer,
}

impl Effort {
    /// 0, 1, 2.
    pub fn level(self) -> u8 {
        self as u8
    }

    fn down(self) -> Self {
        if self == Self::Full { Self::Cheaper } else { Self::Fewer }
    }

    fn up(self) -> Self {
        if self == Self::Fewer { Self::Cheaper } else { Self::Full }
    }
}

/// Above this share of a block (over [`SMOOTHING_S`]) there is too much to do: what is left is for the host, and
/// for the block that takes longer than its neighbours.
const TOO_MUCH: f64 = 0.85;
/// Below this there is room again. Far enough from the other that doing all of it does not bring it back there.
const ROOM: f64 = 0.6;
/// How long there must be room.
const RECOVERY_S: f64 = 2.0;
/// Time constant over which the load is smoothed: one block that took long is no reason to sound worse.
const SMOOTHING_S: f64 = 0.05;

/// Decides. Owned by the audio thread.
#[derive(Debug, Default)]
pub(crate) struct Governor {
    effort: Effort,
    load: f64,
    over_s: f64,
    under_s: f64,
}

impl Governor {
    /// How long there must be too much, before the first and between any two steps.
    pub const STEP_S: f64 = 0.1;

    /// Time that blocks take ÷ time that they last, smoothed.
    pub fn load(&self) -> f64 {
        self.load
    }

    /// A block took `load` of its `block_s` seconds. Returns what the renderer is to be told, if anything.
    pub fn observe(&mut self, load: f64, block_s: f64) -> Option<Effort> {
        let alpha = (block_s / SMOOTHING_S).min(1.0);
        // A single stall (the machine slept) counts as twice too much and no more.
        self.load += alpha * (load.min(2.0) - self.load);
        if self.load > TOO_MUCH {
            self.under_s = 0.0;
            self.over_s += block_s;
            if self.over_s >= Self::STEP_S {
                self.over_s = 0.0;
                self.effort = self.effort.down();
                return Some(self.effort);
            }
            return None;
        }
        self.over_s = 0.0;
        self.under_s = if self.load < ROOM { self.under_s + block_s } else { 0.0 };
        if self.under_s >= RECOVERY_S && self.effort != Effort::Full {
            self.under_s = 0.0;
            self.effort = self.effort.up();
            return Some(self.effort);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Told efforts and the block that each came after, for loads of blocks of 10 ms.
    fn told(loads: impl IntoIterator<Item = f64>) -> Vec<(usize, Effort)> {
        let mut governor = Governor::default();
        loads
            .into_iter()
            .enumerate()
            .filter_map(|(n, load)| governor.observe(load, 0.01).map(|effort| (n, effort)))
            .collect()
    }

    #[test]
    fn a_load_of_eighty_four_per_cent_changes_nothing_for_ever() {
        assert_eq!(told(std::iter::repeat_n(0.84, 100_000)), vec![]);
    }

    #[test]
    fn one_long_block_is_no_reason() {
        // 10 ms of a 50 ms time constant at 200 %: 0.5 + 0.2 · 1.5 = 0.8.
        assert_eq!(told((0..1_000).map(|n| if n % 100 == 50 { 30.0 } else { 0.5 })), vec![]);
    }

    #[test]
    fn too_much_is_answered_in_steps_and_goes_on_being_told() {
        let steps = told(std::iter::repeat_n(0.95, 60));
        assert_eq!(
            steps.iter().map(|step| step.1).collect::<Vec<_>>()[..3],
            [Effort::Cheaper, Effort::Fewer, Effort::Fewer]
        );
        // The smoothed load passes 0.85 when 0.95 · (1 − 0.8ⁿ) does: n = 11.
        assert!((10 + 9..=10 + 10).contains(&steps[0].0), "ten blocks of 10 ms, rounded: {steps:?}");
        assert!(steps.windows(2).all(|two| (10..=11).contains(&(two[1].0 - two[0].0))));
    }

    #[test]
    fn it_recovers_one_step_after_the_other_and_does_not_swing() {
        let loads = std::iter::repeat_n(0.95, 40).chain(std::iter::repeat_n(0.3, 600));
        let steps: Vec<_> = told(loads).into_iter().filter(|(n, _)| *n >= 45).collect();
        assert_eq!(steps.iter().map(|step| step.1).collect::<Vec<_>>(), [Effort::Cheaper, Effort::Full]);
        assert!(steps[1].0 - steps[0].0 >= 200);
        // Between both bounds it stays as it is.
        let loads = std::iter::repeat_n(0.95, 25).chain(std::iter::repeat_n(0.7, 2_000));
        assert_eq!(told(loads).last().map(|step| step.1), Some(Effort::Cheaper));
    }
}
