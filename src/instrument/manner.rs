//! How a region behaves: what ends it, what holds it, what is left to chance.
//!
//! Everything here has the value that leaves a plain recording as it is.

/// How a voice that is choked ends.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Off {
    /// Within 6 ms.
    #[default]
    Fast,
    /// As if its key were let go.
    Normal,
    /// Within this time, s.
    Time(f32),
}

/// How a region behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manner {
    /// How it ends when another group chokes it. Source: SFZ `off_mode`, `off_time`.
    pub off: Off,
    /// The pedal that holds it; none when it lets go whatever pedals do. Source: SFZ `sustain_sw`, `sustain_cc`.
    pub sustain: Option<u8>,
    /// Sostenuto holds it. Source: SFZ `sostenuto_sw`.
    pub sostenuto: bool,
    /// A note ends only notes that are not louder, where its key may have so many. Source: SFZ `note_selfmask`.
    pub self_mask: bool,
    /// Silence before it begins, s. Source: SFZ `delay`.
    pub delay_s: f32,
    /// On top of it, up to this, s. Source: SFZ `delay_random`.
    pub delay_random_s: f32,
    /// Frames that it starts later in its sample, up to this. Source: SFZ `offset_random`.
    pub offset_random_frames: f32,
    /// dB that a release is softer for each second that its key was held. Source: SFZ `rt_decay`.
    pub release_decay_db: f32,
    /// A release sounds although nothing sounds any more on its key. Source: SFZ `rt_dead`.
    pub release_dead: bool,
    /// Pitch bend moves it by routes of its own, not by its channel's range. Source: SFZ `bend_up`, `bend_down`.
    pub own_bend: bool,
    /// Controllers of sound (67, 71 to 75) do what its routes say and nothing else.
    pub plain_controllers: bool,
    /// Its decay is measured to zero, not to the sustain level. Source: ARIA `ampeg_decay_zero`.
    pub decay_to_zero: bool,
    /// It has the velocity of the note before. Source: SFZ `sw_vel`.
    pub previous_velocity: bool,
    /// From the last frame to the first. Source: SFZ `direction`.
    pub reverse: bool,
    /// Stereo width: 1 as recorded, 0 mono, −1 with sides changed. Source: SFZ `width`.
    pub width: f32,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            off: Off::Fast,
            sustain: Some(64),
            sostenuto: true,
            self_mask: false,
            delay_s: 0.0,
            delay_random_s: 0.0,
            offset_random_frames: 0.0,
            release_decay_db: 0.0,
            release_dead: false,
            own_bend: false,
            plain_controllers: false,
            decay_to_zero: false,
            previous_velocity: false,
            reverse: false,
            width: 1.0,
        }
    }
}
