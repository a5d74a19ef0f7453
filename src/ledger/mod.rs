//! The ledger: who used what how often, who is revoked, who may have what.
//!
//! The state is small, pure and in memory ([`State`]); it is what a log of
//! [`Entry`]s means. The log is what is kept ([`log`]), and [`raft`] is what
//! puts entries into it, on one node or on several.
//!
//! Everybody else sees the [`Ledger`] trait, and a [`Grant`] that only this
//! room can make.

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
#[cfg(feature = "server")]
#[cfg(test)]
pub(crate) mod volatile;

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::token::{UnixSeconds, UserName, VerifiedToken};

pub use command::{
    Command, Entry, Outcome, RequestId, Revocation, Spend, SpendRefusal, TokenRecord,
};
pub use error::LedgerError;
pub use grant::Grant;
pub use membership::{
    CLOCK_OFFSET_MAX, MemberList, MemberRole, MemberStatus, Membership, MembershipError,
    MembershipFuture,
};
pub use node_id::{NodeId, UnknownNode};
pub use note::{Note, NoteError};
pub use query::{
    Cursor, ListedToken, NoCursor, StateFilter, TokenPage, TokenQuery, TokenState, UnknownFilter,
};
pub use readiness::{Staleness, Unready};
pub use state::{Standing, State, TokenUse, VERDICT_MEMORY};

/// What is promised to come: an answer, or the reason why there is none.
pub type LedgerFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, LedgerError>> + Send + 'a>>;

/// The replicated counter log, as the rest of the program sees it.
///
/// What changes the ledger answers only after the change is durable on a
/// majority of voters. What reads it looks at what this node has applied.
pub trait Ledger: fmt::Debug + Send + Sync {
    /// Uses up one use, or says why not. Only a [`Grant`] lets a counted
    /// profile go out.
    fn spend(&self, spend: Spend) -> LedgerFuture<'_, Result<Grant, SpendRefusal>>;

    /// Refuses tokens from now on.
    fn revoke(&self, revocation: Revocation) -> LedgerFuture<'_, ()>;

    /// Allows or denies `user` the `autologin` kind.
    fn permit(&self, user: UserName, autologin: bool) -> LedgerFuture<'_, ()>;

    /// Remembers a minted token for lists, and what was written beside it.
    fn record(&self, record: TokenRecord, note: Note) -> LedgerFuture<'_, ()>;

    /// Tells how `token` stands, as far as this node has applied the log.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Unavailable`] if this node cannot vouch for what it has
    /// applied.
    fn standing(&self, token: &VerifiedToken) -> Result<Standing, LedgerError>;

    /// Tells how `token` stood when this node last heard, however long ago that
    /// was. What was revoked meanwhile it does not know, so nothing may be given
    /// and nothing changed for it.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Unavailable`] if the state is damaged.
    fn last_known_standing(&self, token: &VerifiedToken) -> Result<Standing, LedgerError>;

    /// Lists the known tokens that `query` wants and that are not expired at
    /// `now`.
    fn tokens(&self, query: &TokenQuery, now: UnixSeconds) -> TokenPage;

    /// Returns the users who may have `autologin` profiles.
    fn autologin_users(&self) -> BTreeSet<UserName>;

    /// Returns the latest time by which the ledger has judged.
    fn log_time(&self) -> UnixSeconds;

    /// Tells how the ledger itself is.
    fn status(&self) -> LedgerStatus;

    /// Copies what this node has applied. A copy shares all counts with what it is
    /// of, so it is quickly made.
    fn copy(&self) -> StateAt;
}

/// What a log means up to one entry. Two nodes that applied the same entries have
/// equal states.
#[derive(Clone, Debug)]
pub struct StateAt {
    /// The index of that entry.
    pub applied: u64,
    /// What it means.
    pub state: State,
}

/// How the ledger is, on this node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LedgerStatus {
    /// `Ok` if a spend could be granted now, else why not.
    pub ready: Result<(), Unready>,
    /// How old what this node knows is.
    pub staleness: Staleness,
    /// This node, as the other nodes know it.
    pub node_id: NodeId,
    /// The node that decides at present, if one is known and was heard of late.
    pub leader: Option<NodeId>,
    /// How many elections there were, won or not, as far as this node knows.
    pub term: u64,
    /// When this ledger began to count.
    pub born_at: UnixSeconds,
    /// The time up to which the ledger has judged.
    pub log_time: UnixSeconds,
    /// The index of the last entry that this node applied.
    pub applied: u64,
}
