//! One attempt to have commands decided: by this node if it leads, else by the leader.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openraft::errors::{ClientWriteError, RaftError};
use tokio::time::{Instant, timeout_at};

use super::timestamp::LeaderClock;
use crate::ledger::raft::peers::{CallError, PeerAddress, Peers, Request, Response, View};
use crate::ledger::raft::store::Raft;
use crate::ledger::raft::types::WriteError;
use crate::ledger::{Command, Entry, LedgerError, Outcome, OutcomeUnknown, Unavailable};

/// How long a leader may take with a forwarded batch before it is asked again.
pub(crate) const FORWARD_WITHIN: Duration = Duration::from_secs(2);

/// Appends commands on the leader, or forwards them to it.
pub(crate) struct Forwarder {
    raft: Raft,
    view: View,
    peers: Arc<Peers>,
    clock: LeaderClock,
    spends_forwarded: AtomicU64,
}

/// The result of one attempt with a batch.
#[derive(Debug)]
pub(crate) enum BatchResult {
    /// Each command has its own answer.
    Answered(Vec<Result<Outcome, LedgerError>>),
    /// No command was appended.
    NotAppended(Unavailable),
    /// The commands may have been carried out, or may yet be.
    Unknown(OutcomeUnknown),
}

impl Forwarder {
    pub(crate) fn new(raft: Raft, view: View, peers: Arc<Peers>) -> Self {
        let clock = LeaderClock::new(Arc::clone(&peers));
        Self { raft, view, peers, clock, spends_forwarded: AtomicU64::new(0) }
    }

    /// Makes one attempt to have commands decided, until `give_up` at most.
    pub(crate) async fn offer(&self, commands: Vec<Command>, give_up: Instant) -> BatchResult {
        match self.view.leader() {
            Some(leader) if leader.node_id != self.peers.identity.node_id => {
                self.forward(&leader, commands, give_up).await
            }
            Some(_) => self.append(commands, give_up).await,
            None => BatchResult::NotAppended(Unavailable::NoLeader),
        }
    }

    /// Writes one entry as the leader.
    async fn append(&self, commands: Vec<Command>, give_up: Instant) -> BatchResult {
        let entry = Entry { timestamp: self.clock.now(self.view.is_lone()), commands };
        let before = self.peers.before_proposal();
        match timeout_at(give_up, self.raft.client_write(entry)).await {
            Ok(Ok(written)) => {
                self.peers.note_committed(written.log_id().index(), before);
                BatchResult::Answered(
                    written.response().iter().map(|outcome| Ok(*outcome)).collect(),
                )
            }
            Ok(Err(error)) => not_written(error),
            Err(_) => BatchResult::Unknown(OutcomeUnknown::NotConfirmed),
        }
    }

    /// Writes an entry without commands, as a leader with other members, if the leader has not been
    /// fresh for `quiet_max`: only a committed entry keeps it and the others fresh.
    pub(crate) async fn write_if_quiet(&self, quiet_max: Duration, within: Duration) {
        let is_quiet = self.peers.fresh_for().is_none_or(|age| age >= quiet_max);
        if !self.view.is_lone() && is_quiet {
            // If it fails, the next one is due at once.
            let _ = self.append(Vec::new(), Instant::now() + within).await;
        }
    }

    /// Sends a request to the leader, or to all members if no leader is known, and ignores the
    /// response. A node that has moved knows no leader: no member reaches it at its old address.
    pub(crate) async fn ask_leader(&self, request: &Request) {
        let asked = self.view.leader().map_or_else(|| self.view.others(), |leader| vec![leader]);
        let asked = asked.iter().map(|one| self.peers.ask(one, request, FORWARD_WITHIN));
        futures_util::future::join_all(asked).await;
    }

    async fn forward(
        &self,
        leader: &PeerAddress,
        commands: Vec<Command>,
        give_up: Instant,
    ) -> BatchResult {
        let within = give_up.saturating_duration_since(Instant::now()).min(FORWARD_WITHIN);
        let spends = commands.iter().filter(|one| matches!(one, Command::Spend(_))).count();
        self.spends_forwarded.fetch_add(spends.try_into().unwrap_or(0), Ordering::Relaxed);
        let request = Request::Forward(commands);
        let response = tokio::select! {
            biased;
            response = self.peers.ask(leader, &request, within) => response,
            // The new leader knows the outcome, or decides.
            () = self.view.leader_changes(leader.node_id) => {
                return BatchResult::Unknown(OutcomeUnknown::LeaderChanged);
            }
        };
        match response {
            Ok(Response::Forward(answers)) => {
                let answers = answers.into_iter().map(|answer| answer.map_err(Into::into));
                BatchResult::Answered(answers.collect())
            }
            Ok(Response::NotLeader) => BatchResult::NotAppended(Unavailable::NoLeader),
            Ok(_) => BatchResult::Unknown(OutcomeUnknown::LeaderFailed),
            Err(CallError::NotDone(error)) => {
                BatchResult::NotAppended(Unavailable::NotForwarded(error.to_string()))
            }
            Err(CallError::Unknown(error)) => {
                BatchResult::Unknown(OutcomeUnknown::NoAnswer(error.to_string()))
            }
        }
    }

    /// Returns how many spends this node has forwarded since its start. Each attempt counts.
    pub(crate) fn spends_forwarded(&self) -> u64 {
        self.spends_forwarded.load(Ordering::Relaxed)
    }
}

/// Returns what an error of openraft means for the entry. In doubt, its outcome is unknown.
fn not_written(error: WriteError) -> BatchResult {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => {
            BatchResult::NotAppended(Unavailable::NoLeader)
        }
        RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)) => {
            BatchResult::Unknown(OutcomeUnknown::LeaderChanged)
        }
        // openraft does not answer so to an entry with commands.
        RaftError::APIError(
            ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_),
        ) => BatchResult::Unknown(OutcomeUnknown::LeaderFailed),
        RaftError::Fatal(error) => {
            // Later commands are rejected before they get here.
            tracing::error!(%error, "the ledger has stopped and grants nothing until a restart");
            BatchResult::Unknown(OutcomeUnknown::Stopped)
        }
    }
}
