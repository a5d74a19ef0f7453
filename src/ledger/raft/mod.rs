//! The engine: openraft, embedded. One node is a cluster of one.
//!
//! openraft's types stay in this folder; everybody else sees [`Ledger`]. What is
//! ours: the log it writes to (`log_store`), the state machine it drives
//! (`machine`), the `batcher` that lets one sync of the disk serve all who wait,
//! and what the nodes say to each other.
//!
//! A ledger is made once, by [`create()`], which also founds the cluster of one.
//! [`create_joined()`] makes a further node of it, which waits to be added, and
//! [`create_from()`] a new ledger of what an older copy still tells.
//! [`RaftLedger::open`] never makes, founds or repairs anything: a folder
//! that is not a whole ledger is refused.
//!
//! ```text
//! DIR/identity.toml   who this ledger and this node are
//! DIR/log/            votes and entries, see ledger/log
//! DIR/snapshot/       states of the past, so that the log stays short
//! DIR/runs            how the others know this node again, see runs.rs
//! DIR/log/place       how it is known that the folder is no copy, see place.rs
//! DIR/joined          only if it was made by joining
//! ```
//!
//! # Several nodes
//!
//! | file | what it decides |
//! |---|---|
//! | `transport` | nothing: bytes to another node, bytes back. The seam to TLS and sockets |
//! | `message` | what is said, and who is refused with which words |
//! | `peers`, `receive` | the two ends of the conversation; `network` is what openraft says in it |
//! | `append_stream` | that the news of a commit may wait for entries |
//! | `troubles` | nothing: it remembers who does not talk to whom, and why |
//! | `runs` | whether a node's folder goes on from the one that is known |
//! | `snapshot_transfer` | how hundreds of megabytes pass in pieces |
//! | `view` | nothing: it tells how the engine sees the cluster at the moment |
//! | `batcher`, `forward` | who decides a command, and what a lost answer means |
//! | `compactor` | when so much log has come that a snapshot is due |
//! | `stamp`, `reports` | which time an entry bears, and whose clock is off |
//! | `freshness`, `readiness` | whether what is known here is new enough to vouch for |
//! | `caretaker` | what a node does unasked |
//! | `cluster`, `changes` | who belongs to it, in which role |

mod append_stream;
mod batcher;
mod caretaker;
mod changes;
mod cluster;
mod compactor;
mod create;
mod error;
mod forward;
mod freshness;
mod identity;
mod log_store;
mod machine;
mod message;
mod network;
mod open;
mod peers;
mod place;
mod reach;
mod readiness;
mod receive;
mod reports;
mod restore;
mod runs;
mod sealed;
mod snapshot_files;
mod snapshot_transfer;
mod stamp;
#[cfg(test)]
mod tests;
mod transport;
mod troubles;
mod types;
mod view;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::batcher::Batcher;
use self::caretaker::Caretaker;
use self::changes::Changes;
use self::forward::Forwarder;
use self::machine::Applied;
use self::message::Refusal;
use self::peers::Peers;
use self::reach::Reach;
use self::snapshot_transfer::Incoming;
use self::types::Raft;
use self::view::View;
use super::log::Writer;
use super::{
    Answer, Command, Grant, Ledger, LedgerError, Note, Outcome, Revocation, Spend, SpendRefusal,
    Standing, State, StateAt, Status, TokenPage, TokenQuery, TokenRecord, Unready,
};
use crate::token::{UnixSeconds, UserName, VerifiedToken};

pub use create::{JOINED, create, create_from, create_joined};
pub use error::OpenError;
pub use identity::{Identity, IdentityError};
pub use message::MESSAGE_FORMAT;
pub use open::Options;
pub use place::{accept_place, check_place};
pub use restore::LedgerCopy;
pub use snapshot_files::SnapshotFileError;
pub use transport::{Alone, MESSAGE_LEN_MAX, PeerAddress, Reply, Transport, TransportError};
pub use types::Member;

/// How long the engine may take to let go of the log when it stops, in
/// milliseconds. The next open waits for nobody and says who has it.
const CLOSING_MAX_MS: u64 = 5_000;

/// A ledger whose log is replicated by Raft, opened.
pub struct RaftLedger {
    identity: Identity,
    raft: Raft,
    batcher: Batcher,
    applied: Applied,
    writer: Arc<Writer>,
    peers: Arc<Peers>,
    view: View,
    forwarder: Arc<Forwarder>,
    changes: Arc<Changes>,
    reach: Reach,
    incoming: Incoming,
    caretaker: Caretaker,
    max_staleness: Duration,
    /// The last entry that the log held when it was opened. What is applied is
    /// not whole before it.
    log_end: u64,
}

impl RaftLedger {
    /// Stops the engine and returns when everything written is durable and the
    /// folder is free for another process. A leader hands over first.
    pub async fn close(self) {
        if self.is_leader() && !self.view.is_lone() {
            // Without an heir the others elect one when they miss this node.
            let _ = self.changes.hand_over(None).await;
        }
        let Self {
            raft, batcher, writer, caretaker, view, forwarder, changes, reach, peers, ..
        } = self;
        drop((batcher, caretaker, view, forwarder, changes, reach));
        // If it fails, what others said in the last seconds is forgotten.
        let _ = peers.runs.keep();
        drop(peers);
        // It fails only if the engine had stopped by itself.
        let _ = raft.shutdown().await;
        drop(raft);
        // The engine's tasks let go of the log a moment after it has stopped.
        for _ in 0..CLOSING_MAX_MS {
            if Arc::strong_count(&writer) == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn submit(&self, command: Command) -> Result<Outcome, LedgerError> {
        if !self.view.runs() {
            return Err(batcher::stopped());
        }
        self.vouch()?;
        self.batcher.submit(command).await
    }

    /// Refuses to vouch for anything once another node said that this one has forgotten
    /// what it acknowledged: also where it votes alone, and Raft would let it go on.
    fn vouch(&self) -> Result<(), LedgerError> {
        match self.peers.refusal() {
            Some(old @ Refusal::OldFolder) => Err(LedgerError::Unavailable(old.to_string())),
            Some(_) | None => Ok(()),
        }
    }

    fn change(&self, command: Command) -> Answer<'_, ()> {
        Box::pin(async move { self.submit(command).await.map(|_outcome| ()) })
    }

    fn is_leader(&self) -> bool {
        self.view.is_leader()
    }
}

impl Ledger for RaftLedger {
    fn spend(&self, spend: Spend) -> Answer<'_, Result<Grant, SpendRefusal>> {
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

    fn revoke(&self, revocation: Revocation) -> Answer<'_, ()> {
        self.change(Command::Revoke(revocation))
    }

    fn permit(&self, user: UserName, autologin: bool) -> Answer<'_, ()> {
        self.change(Command::Permit { user, autologin })
    }

    fn record(&self, record: TokenRecord, note: Note) -> Answer<'_, ()> {
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

    fn status(&self) -> Status {
        let (born_at, log_time) = self.applied.show(|state| (state.born_at(), state.log_time()));
        Status {
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
