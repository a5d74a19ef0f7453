//! A running node: what it answers itself, what it answers other nodes, and what it
//! does on its own.

mod maintenance;
mod membership;
mod reachability;
mod readiness;
mod receive;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ledger::log::Writer;
use crate::ledger::raft::members::Changes;
use crate::ledger::raft::peers::{Incoming, PeerRefusal, Peers, View};
use crate::ledger::raft::spend::{Batcher, Forwarder, stopped};
use crate::ledger::raft::store::{Applied, Identity, Raft};
use crate::ledger::{
    Command, Grant, Ledger, LedgerError, LedgerFuture, LedgerStatus, Note, Outcome, Revocation,
    Spend, SpendRefusal, Standing, State, StateAt, TokenPage, TokenQuery, TokenRecord, Unready,
};
use crate::token::{UnixSeconds, UserName, VerifiedToken};

pub(crate) use maintenance::{Maintenance, Parts};
pub(crate) use reachability::Reachability;

/// How long the engine may take to let go of the log when it stops, in
/// milliseconds. The next open waits for nobody and says who has it.
const CLOSING_MAX_MS: u64 = 5_000;

/// A ledger whose log is replicated by Raft, opened.
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
    pub(super) reach: Reachability,
    pub(super) incoming: Incoming,
    pub(super) caretaker: Maintenance,
    pub(super) max_staleness: Duration,
    /// The last entry that the log held when it was opened. What is applied is
    /// not whole before it.
    pub(super) log_end: u64,
}

impl RaftLedger {
    /// Closes a ledger that has one owner; see [`RaftLedger::close_shared`].
    pub async fn close(self) {
        Self::close_shared(Arc::new(self)).await;
    }

    /// Stops the engine and returns when everything written is durable and the
    /// directory is free for another process, which is once every other owner has
    /// dropped the ledger. It does not hand over the leadership.
    pub async fn close_shared(self: Arc<Self>) {
        self.caretaker.stop();
        // If it fails, what others said in the last seconds is forgotten.
        let _ = self.peers.runs.keep();
        // It fails only if the engine had stopped by itself.
        let _ = self.raft.shutdown().await;
        let writer = Arc::clone(&self.writer);
        drop(self);
        // The engine's tasks let go of the log a moment after it has stopped.
        for _ in 0..CLOSING_MAX_MS {
            if Arc::strong_count(&writer) == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tracing::warn!("the ledger is closed, but its log is still open");
    }

    async fn submit(&self, command: Command) -> Result<Outcome, LedgerError> {
        if !self.view.runs() {
            return Err(stopped());
        }
        self.vouch()?;
        self.batcher.submit(command).await
    }

    /// Refuses to vouch for anything once another node said that this one has forgotten
    /// what it acknowledged: also where it votes alone, and Raft would let it go on.
    fn vouch(&self) -> Result<(), LedgerError> {
        match self.peers.refusal() {
            Some(old @ PeerRefusal::OldFolder) => Err(LedgerError::Unavailable(old.to_string())),
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

impl Ledger for RaftLedger {
    fn spend(&self, spend: Spend) -> LedgerFuture<'_, Result<Grant, SpendRefusal>> {
        Box::pin(async move {
            match self.submit(Command::Spend(spend.clone())).await? {
                Outcome::Granted { used } => Ok(Ok(Grant::of(&spend, used))),
                Outcome::Refused(refusal) => Ok(Err(refusal)),
                Outcome::Done => {
                    Err(LedgerError::OutcomeUnknown("a spend had no verdict".to_owned()))
                }
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
            // There may be a better reason.
            let why = self.readiness().err().unwrap_or(Unready::Stale(staleness));
            return Err(LedgerError::Unavailable(why.to_string()));
        }
        self.last_known_standing(token)
    }

    fn last_known_standing(&self, token: &VerifiedToken) -> Result<Standing, LedgerError> {
        self.applied.read(|state| state.standing(token.id(), token.claims()))
    }

    fn tokens(&self, query: &TokenQuery, now: UnixSeconds) -> TokenPage {
        // A clone shares all counts, so that a long list holds up nobody.
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
            leader: self.leader_of_late(),
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
