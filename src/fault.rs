//! Bugs that a test may plant, so that it is seen that the simulation (`tests/simulation.rs`) finds each of them. In a
//! build without debug assertions none is ever planted, and nothing of this remains.

/// A bug, at the place that asks whether it is planted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A subscription is held only when what it missed has been read.
    ReadBeforeHold,
    /// What arrives for who is held is thrown away.
    ArrivalsDroppedWhileHeld,
    /// That some of it could not be kept aside is forgotten.
    OverflowForgotten,
    /// What was read goes out once more when it was also kept aside.
    DuplicatesKept,
    /// A message that is not the next is taken for it.
    HolesUnnoticed,
    /// News of a loss are not heeded while something is being read.
    DoubtIgnoredWhileReading,
    /// What was kept aside in another epoch is joined to what was read.
    EpochsJoined,
    /// Who is held is not told of a gap.
    GapNotToldToTheHeld,
    /// Nobody is told of a gap.
    GapUnsaid,
    /// Whoever begins late takes it that all goes by.
    BeginningIgnored,
    /// An answer goes to whoever has the slot now.
    LateAnswerReachesNextTenant,
    /// Who goes leaves before it has come.
    DepartureOvertakes,
    /// What was missed by a former subscription is delivered to the present one.
    StaleRecoveryDelivered,
    /// A window answers for one message more than it holds.
    WindowReachesTooFar,
    /// What was published under a chosen id is published again.
    RepeatPublished,
}

#[cfg(debug_assertions)]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

/// Whether a test has planted this bug, in this thread.
#[cfg(debug_assertions)]
pub fn is_planted(fault: Fault) -> bool {
    PLANTED.get() == Some(fault)
}

/// Never.
#[cfg(not(debug_assertions))]
pub const fn is_planted(_: Fault) -> bool {
    false
}

/// Plants a bug in this thread until the answer is dropped.
#[cfg(debug_assertions)]
pub fn plant(fault: Fault) -> Planted {
    PLANTED.set(Some(fault));
    Planted(())
}

/// A bug that is planted.
#[cfg(debug_assertions)]
pub struct Planted(());

#[cfg(debug_assertions)]
impl Drop for Planted {
    fn drop(&mut self) {
        PLANTED.set(None);
    }
}
