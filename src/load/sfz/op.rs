//! What each row of the table sets: one variant for each, so that the compiler knows of any that nobody handles.

/// Stages of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Delay,
    Start,
    Attack,
    Hold,
    Decay,
    Sustain,
    Release,
}

/// The three envelopes, and the three LFOs, of SFZ 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Amp,
    Pitch,
    Filter,
}

/// What LFOs and envelopes of SFZ 2 move. A filter by number; which band of the EQ is a hole in the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    Volume,
    Amplitude,
    Pan,
    Width,
    Pitch,
    Cutoff(u8),
    Resonance(u8),
    EqFrequency,
    EqWidth,
    EqGain,
}

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Low,
    High,
}

/// By what voices fade in or out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Key,
    Velocity,
    Controller,
}

/// Levels above the region that have a volume, an amplitude and a tuning of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Global,
    Master,
    Group,
}

/// What an opcode sets. Numbers are of filters, 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Nothing: rows that are ignored or silent.
    Nothing,
    // Of the file.
    DefaultPath,
    NoteOffset,
    OctaveOffset,
    SwitchNoteOffset,
    SwitchOctaveOffset,
    SetController,
    SetControllerHd,
    LabelController,
    CurveIndex,
    CurvePoint,
    // Which recording, which part of it.
    Sample,
    Delay,
    DelayRandom,
    DelaySamples,
    Offset,
    OffsetRandom,
    EndFrame,
    Count,
    LoopMode,
    LoopFrame(End),
    LoopType,
    LoopCrossfade,
    Direction,
    Phase,
    // Who ends whom.
    Group,
    OffBy,
    OffMode,
    OffTime,
    Polyphony,
    NotePolyphony,
    NoteSelfMask,
    ReleaseDead,
    ReleaseDecay,
    // When it sounds.
    Key,
    KeyRange(End),
    VelocityRange(End),
    ChannelRange(End),
    ControllerRange(End),
    ControllerRangeHd(End),
    BendRange(End),
    ChannelPressure(End),
    KeyPressure(End),
    ProgramRange(End),
    Random(End),
    SequenceLength,
    SequencePosition,
    Timer(End),
    Trigger,
    OnController(End),
    OnControllerHd(End),
    SustainSwitch,
    SostenutoSwitch,
    SustainController,
    SwitchRange(End),
    SwitchLast,
    SwitchLastRange(End),
    SwitchDown,
    SwitchUp,
    SwitchPrevious,
    SwitchVelocity,
    SwitchDefault,
    SwitchLabel,
    // How loud and where.
    Volume,
    Amplitude,
    LevelVolume(Level),
    LevelAmplitude(Level),
    Pan,
    PanKeyTrack,
    PanKeyCentre,
    PanVelocityTrack,
    PanRandom,
    Position,
    Width,
    AmpKeyTrack,
    AmpKeyCentre,
    AmpVelocityTrack,
    AmpVelocityPoint,
    AmpRandom,
    FadeIn(By, End),
    FadeOut(By, End),
    FadeCurve(By),
    // How high.
    BendUp,
    BendDown,
    PitchKeyCentre,
    PitchKeyTrack,
    PitchVelocityTrack,
    PitchRandom,
    Transpose,
    Tune,
    LevelTune(Level),
    // Filters and EQ.
    Cutoff(u8),
    CutoffChannelPressure(u8),
    CutoffKeyPressure(u8),
    Resonance(u8),
    FilterType(u8),
    FilterGain(u8),
    FilterKeyTrack(u8),
    FilterKeyCentre(u8),
    FilterVelocityTrack(u8),
    FilterRandom(u8),
    EqFrequency,
    EqWidth,
    EqGain,
    EqType,
    EqVelocityFrequency,
    EqVelocityGain,
    // What moves.
    Envelope(Of, Stage),
    EnvelopeShape(Of, Stage),
    EnvelopeDecayZero(Of),
    EnvelopeVelocity(Of, Stage),
    EnvelopeDepth(Of),
    EnvelopeVelocityDepth(Of),
    OldLfoDelay(Of),
    OldLfoFade(Of),
    OldLfoRate(Of),
    OldLfoDepth(Of),
    OldLfoChannelPressure(Of),
    OldLfoKeyPressure(Of),
    LfoRate,
    LfoPhase,
    LfoDelay,
    LfoFade,
    LfoWave,
    LfoTo(Goal),
    EgTime,
    EgLevel,
    EgSustain,
    EgAmp,
    EgTo(Goal),
}
