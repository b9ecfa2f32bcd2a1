//! A port: one producer's way into an engine. A JavaScript thread opens one with each of its engine objects; its
//! memory is what that thread writes notes into.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::engine::{Engine, Shared};
use super::error::Result;
use super::lock;
use super::options::interpolation;
use super::value::{Value, word};
use crate::dsp::interpolate::{Interpolation, Kernel};
use crate::engine::event::{Event, encode};
use crate::engine::message::Command;
use crate::engine::{LANE_OBJECTS, LANE_RECORDS};
use crate::rt::lane::{LaneMemory, LaneSender, lane};

/// Records that note-ons leave free for what ends notes.
pub const NOTE_RESERVE: u32 = LANE_RECORDS as u32 / 8;

/// Owned messages on their way: what does not fit the lane waits here, in order, for the helper thread.
pub struct Mailbox {
    sender: LaneSender<Command>,
    backlog: VecDeque<Command>,
}

impl Mailbox {
    pub fn new(sender: LaneSender<Command>) -> Self {
        Self { sender, backlog: VecDeque::new() }
    }

    /// Sends, or keeps for later.
    pub fn post(&mut self, command: Command) {
        self.backlog.push_back(command);
        self.flush();
    }

    /// Sends what waits, as far as there is room; says whether all of it went.
    pub fn flush(&mut self) -> bool {
        while let Some(command) = self.backlog.pop_front() {
            if let Err(command) = self.sender.send(command) {
                self.backlog.push_front(command);
                return false;
            }
        }
        true
    }

    pub fn memory(&self) -> &Arc<LaneMemory> {
        self.sender.memory()
    }
}

/// One producer's way into an engine.
pub struct Port {
    /// Before the memory, so that it goes before the memory does.
    #[cfg(feature = "device")]
    _locked: Vec<crate::device::Locked>,
    engine: Arc<Shared>,
    memory: Arc<LaneMemory>,
    mailbox: Mutex<Mailbox>,
}

impl Port {
    /// Opens one. Errors: `Closed`, `Limit`.
    pub fn open(engine: &Engine) -> Result<Arc<Self>> {
        let shared = engine.shared();
        shared.check_open()?;
        lock(&shared.places).lane()?;
        let (sender, receiver) = lane(LANE_RECORDS, LANE_OBJECTS);
        let memory = sender.memory().clone();
        // The clock can be read at once, not only after the next block: "now plus a quarter second" is not late.
        receiver.publish_as(&shared.own_memory());
        shared.post(Command::AddLane(Box::new(receiver)));
        let port = Arc::new(Self {
            #[cfg(feature = "device")]
            _locked: super::residence::lock_lane(&memory),
            engine: shared.clone(),
            memory,
            mailbox: Mutex::new(Mailbox::new(sender)),
        });
        shared.add_port(&port);
        Ok(port)
    }

    /// The engine it leads to.
    pub fn engine(&self) -> Engine {
        Engine::of(self.engine.clone())
    }

    /// From the next block on, new notes are read with this interpolation: those of all who play the engine, but for
    /// instruments that have one of their own.
    ///
    /// Thread: control; computes the tables of a sinc that has not been used yet. Errors: `InvalidArgument`, `Closed`.
    pub fn set_interpolation(&self, value: &Value) -> Result<()> {
        let words = Interpolation::ALL.map(Interpolation::name);
        let wanted = word("interpolation", value, &words, interpolation)?;
        self.engine.check_open()?;
        let mut current = self.engine.interpolation();
        self.post(Command::SetKernel(Kernel::new(wanted)));
        *current = wanted;
        Ok(())
    }

    /// The memory to write records into: by one thread at a time.
    pub fn memory(&self) -> &Arc<LaneMemory> {
        &self.memory
    }

    /// Sends an owned message, in order with the records written before.
    pub(super) fn post(&self, command: Command) {
        if self.engine.is_closed() {
            return;
        }
        // What does not fit waits for the next tick, or the next render: never taken in from here, since this may be
        // called while garbage is dropped, with the engine at work further up.
        lock(&self.mailbox).post(command);
    }

    /// Sends what had to wait.
    pub(super) fn flush(&self) -> bool {
        lock(&self.mailbox).flush()
    }

    /// Sends an event; `seconds` on the engine clock, or `None` for now. `false`: the lane was full, the event is
    /// lost and counted.
    ///
    /// Thread: the one that writes this port's records. Wait-free, but for an offline engine whose lane is full: it
    /// takes in what is there.
    pub fn send(&self, event: Event, seconds: Option<f64>) -> bool {
        let record = encode(event, seconds);
        let reserve = if event.is_note_on() { NOTE_RESERVE } else { 0 };
        if self.engine.is_offline() && self.memory.waiting() + reserve >= self.memory.capacity() {
            self.engine.take_in();
        }
        self.memory.push(&record, reserve)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_waits_in_order() {
        let (sender, mut receiver) = lane::<Command>(4, 1);
        let mut mailbox = Mailbox::new(sender);
        for index in 0..5 {
            mailbox.post(Command::CloseSampler(index));
        }
        let mut seen = Vec::new();
        loop {
            match receiver.receive() {
                Some(crate::rt::lane::Delivery::Object(Command::CloseSampler(index))) => seen.push(index),
                Some(_) => unreachable!("only samplers were closed"),
                None if mailbox.flush() && receiver.is_abandoned() => break,
                None if seen.len() == 5 => break,
                None => {}
            }
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
    }
}
