//! The ledger: counts of uses, revocations, permissions.
//!
//! [`State`] is small, pure and in memory: the result of applying a log of [`Entry`]s. [`log`]
//! keeps the log on disk. [`raft`] appends to it, on one node or on several.
//!
//! Other rooms see only the [`Ledger`] trait, and a [`Grant`] that only this room can create.

mod command;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod grant;
pub mod log;
mod membership;
mod node_id;
mod note;
mod query;
#[cfg(feature = "raft")]
pub mod raft;
mod readiness;
pub mod snapshot;
mod state;
// Clippy allows `unwrap` only under a `cfg(test)` of its own.
#[cfg(test)]
#[cfg(feature = "server")]
pub(crate) mod volatile;

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::token::{UnixSeconds, UserName, VerifiedToken};

pub use command::{
    Command, Entry, Outcome, RequestId, Revocation, Spend, SpendRefusal, TokenRecord,
};
pub use error::{LedgerError, OutcomeUnknown, Unavailable};
pub use grant::Grant;
pub use membership::{
    CLOCK_OFFSET_MAX, ChangeUnavailable, MemberList, MemberRole, MemberStatus, Membership,
    MembershipError, MembershipFuture,
};
pub use node_id::{NodeId, NodeIdError};
pub use note::{Note, NoteError};
pub use query::{
    Cursor, CursorError, ListedToken, StateFilter, StateFilterError, TokenPage, TokenQuery,
    TokenState,
};
pub use readiness::{Staleness, Unready};
pub use state::{Standing, State, TokenUse, VERDICT_MEMORY};

/// A result of the ledger, in the future.
pub type LedgerFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, LedgerError>> + Send + 'a>>;

/// The replicated counter log, as the rest of the program sees it.
///
/// Methods that change the ledger return once the change is durable on a majority of voters.
/// Methods that read it see what this node has applied.
pub trait Ledger: fmt::Debug + Send + Sync {
    /// Spends one use, or returns the reason why it cannot. A counted profile is delivered only for
    /// a [`Grant`].
    fn spend(&self, spend: Spend) -> LedgerFuture<'_, Result<Grant, SpendRefusal>>;

    /// Revokes tokens.
    fn revoke(&self, revocation: Revocation) -> LedgerFuture<'_, ()>;

    /// Allows or denies `user` profiles of kind `autologin`.
    fn permit(&self, user: UserName, autologin: bool) -> LedgerFuture<'_, ()>;

    /// Records a minted token and its note, so that lists show it before its first use.
    fn record(&self, record: TokenRecord, note: Note) -> LedgerFuture<'_, ()>;

    /// Returns the standing of `token`, as far as this node has applied the log.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Unavailable`] if that may be out of date.
    fn standing(&self, token: &VerifiedToken) -> Result<Standing, LedgerError>;

    /// Returns the last known standing of `token`, however old it is. A revocation may be missing,
    /// so the caller must deliver and change nothing for this token.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Unavailable`] if the state is damaged.
    fn last_known_standing(&self, token: &VerifiedToken) -> Result<Standing, LedgerError>;

    /// Lists the known tokens that match `query` and have not expired at `now`.
    fn tokens(&self, query: &TokenQuery, now: UnixSeconds) -> TokenPage;

    /// Returns the users who may have `autologin` profiles.
    fn autologin_users(&self) -> BTreeSet<UserName>;

    /// Returns the greatest timestamp that this node has applied.
    fn log_time(&self) -> UnixSeconds;

    /// Returns the status of the ledger itself.
    fn status(&self) -> LedgerStatus;

    /// Copies what this node has applied. A copy is cheap: it shares all counts with the original.
    fn copy(&self) -> StateAt;
}

/// The state after one entry of the log. It is the same on every node.
#[derive(Clone, Debug)]
pub struct StateAt {
    /// The index of that entry.
    pub applied: u64,
    /// The state after it.
    pub state: State,
}

/// The status of the ledger on this node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LedgerStatus {
    /// `Ok` if a spend could be granted now, else the reason why not.
    pub ready: Result<(), Unready>,
    /// The age of what this node knows.
    pub staleness: Staleness,
    /// The id of this node.
    pub node_id: NodeId,
    /// The leader, if it is known and this node has heard from it recently.
    pub leader: Option<NodeId>,
    /// The highest Raft term that this node knows.
    pub term: u64,
    /// When this ledger began to count.
    pub born_at: UnixSeconds,
    /// The greatest timestamp that this node has applied.
    pub log_time: UnixSeconds,
    /// The index of the last entry that this node applied.
    pub applied: u64,
}
