//! A running node: [`RaftLedger`].
//!
//! | file | what it holds |
//! |---|---|
//! | `mod` | [`Ledger`] for [`RaftLedger`], and its shutdown |
//! | `membership` | [`Membership`](crate::ledger::Membership) for [`RaftLedger`] |
//! | `readiness` | whether it can grant a use now, who leads, and how old its state is |
//! | `receive` | the server side: what it does with the messages of other nodes |
//! | `reachability` | whether the other nodes reach this one |
//! | `maintenance` | the maintenance task: what it does periodically |

mod maintenance;
mod membership;
mod reachability;
mod readiness;
mod receive;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::ledger::log::Writer;
use crate::ledger::raft::members::Changes;
use crate::ledger::raft::peers::{IncomingSnapshot, PeerRefusal, Peers, View};
use crate::ledger::raft::spend::{Batcher, Forwarder};
use crate::ledger::raft::store::{Applied, Identity, Raft};
use crate::ledger::{
    Command, Grant, Ledger, LedgerError, LedgerFuture, LedgerStatus, Note, Outcome, OutcomeUnknown,
    Revocation, Spend, SpendRefusal, Standing, State, StateAt, TokenPage, TokenQuery, TokenRecord,
    Unavailable, Unready,
};
use crate::token::{UnixSeconds, UserName, VerifiedToken};

pub(crate) use maintenance::{Maintenance, MaintenanceContext};
pub(crate) use reachability::Reachability;

/// How long the engine's tasks may take to release the log after the engine has stopped. If they
/// take longer, the log is still locked, and the next open reports that.
const CLOSING_MAX: Duration = Duration::from_secs(5);

/// An open ledger whose log is replicated by Raft.
pub struct RaftLedger {
    pub(super) identity: Identity,
    pub(super) raft: Raft,
    pub(super) batcher: Batcher,
    pub(super) applied: Applied,
    pub(super) writer: Arc<Writer>,
    pub(super) peers: Arc<Peers>,
    pub(super) view: View,
    pub(super) forwarder: Arc<Forwarder>,
    pub(super) changes: Arc<Changes>,
    pub(super) reachability: Reachability,
    pub(super) incoming: IncomingSnapshot,
    pub(super) maintenance: Maintenance,
    pub(super) max_staleness: Duration,
    /// The index of the last entry that the log held when it was opened. Until it is applied, the
    /// state is older than it was before the restart.
    pub(super) log_end: u64,
    /// Its sender is dropped when the last user of `writer` has dropped it and the log is closed.
    pub(super) log_closed: watch::Receiver<()>,
}

impl RaftLedger {
    /// Closes a ledger that has one owner; see [`RaftLedger::close_shared`].
    pub async fn close(self) {
        Self::close_shared(Arc::new(self)).await;
    }

    /// Stops the engine, and returns once everything written is durable and the log is closed, so
    /// that another process can open the directory. The log is closed when every other owner has
    /// dropped the ledger. Does not transfer leadership.
    pub async fn close_shared(self: Arc<Self>) {
        self.maintenance.stop();
        // If it fails, what others reported in the last seconds is forgotten.
        let _ = self.peers.incarnations.persist();
        // It fails only if the engine had stopped by itself.
        let _ = self.raft.shutdown().await;
        let mut log_closed = self.log_closed.clone();
        drop(self);
        // The engine's tasks release the log a moment after it has stopped.
        if timeout(CLOSING_MAX, log_closed.changed()).await.is_err() {
            tracing::warn!("the ledger is closed, but its log is still open");
        }
    }

    async fn submit(&self, command: Command) -> Result<Outcome, LedgerError> {
        if !self.view.runs() {
            return Err(LedgerError::Unavailable(Unavailable::Stopped));
        }
        self.vouch()?;
        self.batcher.submit(command).await
    }

    /// Fails once another node has reported that this one has forgotten what it acknowledged. Raft
    /// would let a sole voter continue.
    fn vouch(&self) -> Result<(), LedgerError> {
        match self.peers.refusal() {
            Some(old @ PeerRefusal::OldDirectory) => {
                Err(unready(Unready::Refused(old.to_string())))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn change(&self, command: Command) -> LedgerFuture<'_, ()> {
        Box::pin(async move { self.submit(command).await.map(|_outcome| ()) })
    }

    pub(super) fn is_leader(&self) -> bool {
        self.view.is_leader()
    }
}

const fn unready(unready: Unready) -> LedgerError {
    LedgerError::Unavailable(Unavailable::Unready(unready))
}

impl Ledger for RaftLedger {
    fn spend(&self, spend: Spend) -> LedgerFuture<'_, Result<Grant, SpendRefusal>> {
        Box::pin(async move {
            match self.submit(Command::Spend(spend.clone())).await? {
                Outcome::Granted { used } => Ok(Ok(Grant::of(&spend, used))),
                Outcome::Refused(refusal) => Ok(Err(refusal)),
                Outcome::Done => Err(LedgerError::OutcomeUnknown(OutcomeUnknown::Missing)),
            }
        })
    }

    fn revoke(&self, revocation: Revocation) -> LedgerFuture<'_, ()> {
        self.change(Command::Revoke(revocation))
    }

    fn permit(&self, user: UserName, autologin: bool) -> LedgerFuture<'_, ()> {
        self.change(Command::Permit { user, autologin })
    }

    fn record(&self, record: TokenRecord, note: Note) -> LedgerFuture<'_, ()> {
        self.change(Command::Record { record, note })
    }

    fn standing(&self, token: &VerifiedToken) -> Result<Standing, LedgerError> {
        let staleness = self.staleness();
        if staleness.is_stale() || self.vouch().is_err() {
            // Another reason may explain more.
            return Err(unready(self.readiness().err().unwrap_or(Unready::Stale(staleness))));
        }
        self.last_known_standing(token)
    }

    fn last_known_standing(&self, token: &VerifiedToken) -> Result<Standing, LedgerError> {
        self.applied.read(|state| state.standing(token.id(), token.claims()))
    }

    fn tokens(&self, query: &TokenQuery, now: UnixSeconds) -> TokenPage {
        // A clone shares all counts, so a long list blocks no spend.
        self.applied.show(State::clone).tokens(query, now)
    }

    fn autologin_users(&self) -> BTreeSet<UserName> {
        self.applied.show(|state| state.autologin_users().clone())
    }

    fn log_time(&self) -> UnixSeconds {
        self.applied.show(State::log_time)
    }

    fn status(&self) -> LedgerStatus {
        let (born_at, log_time) = self.applied.show(|state| (state.born_at(), state.log_time()));
        LedgerStatus {
            ready: self.readiness(),
            node_id: self.identity.node_id,
            staleness: self.staleness(),
            leader: self.live_leader(),
            term: self.view.metrics(|metrics| metrics.current_term),
            born_at,
            log_time,
            applied: self.applied.index(),
        }
    }

    fn copy(&self) -> StateAt {
        self.applied.copy()
    }
}

impl fmt::Debug for RaftLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaftLedger").field("identity", &self.identity).finish_non_exhaustive()
    }
}
