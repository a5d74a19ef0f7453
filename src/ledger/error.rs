//! The errors of the ledger.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Unready;

/// Why the ledger gave no answer. No profile is delivered in any of these cases.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum LedgerError {
    /// The queue is full. Nothing was changed.
    #[error("too many requests are waiting for the ledger")]
    Overloaded,
    /// The ledger cannot decide now. Nothing was changed.
    #[error("the ledger is not available: {0}")]
    Unavailable(Unavailable),
    /// The command may or may not have been carried out.
    #[error("the outcome is not known: {0}")]
    OutcomeUnknown(OutcomeUnknown),
}

/// Why the ledger cannot decide now.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Unavailable {
    /// This node is not ready, or what it has applied is too old.
    #[error("{0}")]
    Unready(Unready),
    /// No node is known to lead.
    #[error("no leader is known to have a majority")]
    NoLeader,
    /// Another node forwarded the command to this one, which does not lead.
    #[error("this node no longer leads")]
    NotLeader,
    /// The leader did not see the command, or did not accept it; with the cause.
    #[error("the command could not be forwarded to the leader: {0}")]
    NotForwarded(String),
    /// The leader saw the command and did not append it.
    #[error("the leader could not decide")]
    NotAppended,
    /// The command was still queued when its time ran out.
    #[error("it was busy for too long")]
    Busy,
    /// The engine has stopped.
    #[error("it has stopped; see the log, then restart the node")]
    Stopped,
    /// Applying an entry panicked, so the state may be half changed.
    #[error("its state is damaged; see the log, then restart the node")]
    DamagedState,
    /// The task that was to read the state ended early.
    #[error("the read was aborted")]
    Aborted,
}

/// Why the outcome of a command, or of a change of the members, is not known.
///
/// Nodes send it to each other inside [`MembershipError`](super::MembershipError): a new variant,
/// or another order, raises the message format.
#[derive(Clone, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
pub enum OutcomeUnknown {
    /// There was no answer before the deadline.
    #[error("the ledger took too long")]
    TimedOut,
    /// The leader appended the entry, and no majority confirmed it before the deadline.
    #[error("no majority confirmed it in time")]
    NotConfirmed,
    /// Another node became the leader while the old one was asked.
    #[error("the leader changed in the meantime")]
    LeaderChanged,
    /// The leader answered that it does not know the outcome, or that it failed.
    #[error("the leader failed")]
    LeaderFailed,
    /// The leader may have seen the request, but gave no answer; with the cause.
    #[error("asking the leader failed: {0}")]
    NoAnswer(String),
    /// The answer lacks an outcome for this command.
    #[error("the ledger returned no outcome for the command")]
    Missing,
    /// The engine stopped before the outcome was known.
    #[error("the ledger stopped in the meantime; see its log")]
    Stopped,
    /// The task that waited for the outcome ended early.
    #[error("the task panicked, or the server stopped")]
    Aborted,
}
