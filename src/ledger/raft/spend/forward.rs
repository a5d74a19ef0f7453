//! One try to have commands decided: by this node if it leads, else by the one
//! that does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openraft::errors::{ClientWriteError, RaftError};
use tokio::time::{Instant, timeout_at};

use super::batcher::{stopped, unknown};
use super::timestamp::LeaderClock;
use crate::ledger::raft::peers::{
    CallError, PeerAddress, Peers, Request, Response, Undecided, View,
};
use crate::ledger::raft::store::Raft;
use crate::ledger::raft::types::TypeConfig;
use crate::ledger::{Command, Entry, LedgerError, Outcome};

/// How long a leader may take with a forwarded batch before it is asked again.
pub(crate) const FORWARD_WITHIN: Duration = Duration::from_secs(2);

/// Why nothing was tried: nobody is known who could decide it.
pub(crate) const NO_LEADER: &str = "no leader is known to have a majority";

/// The way to whoever decides.
pub(crate) struct Forwarder {
    raft: Raft,
    view: View,
    peers: Arc<Peers>,
    stamper: LeaderClock,
    spends_forwarded: AtomicU64,
}

/// What came of one try.
#[derive(Debug)]
pub(crate) enum Tried {
    /// Each command has its own answer.
    Answered(Vec<Result<Outcome, LedgerError>>),
    /// None was put into the log.
    NotAppended(String),
    /// They may be carried out, or may yet.
    Unknown(String),
    /// The engine has stopped: no other try will do.
    Stopped(LedgerError),
}

impl Forwarder {
    pub(crate) fn new(raft: Raft, view: View, peers: Arc<Peers>) -> Self {
        let stamper = LeaderClock::new(Arc::clone(&peers));
        Self { raft, view, peers, stamper, spends_forwarded: AtomicU64::new(0) }
    }

    /// Has commands decided, once. It does not wait longer than until `give_up`.
    pub(crate) async fn offer(&self, commands: Vec<Command>, give_up: Instant) -> Tried {
        if !self.view.runs() {
            return Tried::Stopped(stopped());
        }
        match self.view.leader() {
            Some(leader) if leader.node_id != self.peers.identity.node_id => {
                self.forward(&leader, commands, give_up).await
            }
            Some(_) => self.append(commands, give_up).await,
            None => Tried::NotAppended(NO_LEADER.to_owned()),
        }
    }

    /// Writes one entry as the leader.
    async fn append(&self, commands: Vec<Command>, give_up: Instant) -> Tried {
        let entry = Entry { timestamp: self.stamper.stamp(self.view.is_lone()), commands };
        match timeout_at(give_up, self.raft.client_write(entry)).await {
            Ok(Ok(written)) => {
                Tried::Answered(written.response().iter().map(|outcome| Ok(*outcome)).collect())
            }
            Ok(Err(error)) => judge(error),
            Err(_) => Tried::Unknown("no majority confirmed it in time".to_owned()),
        }
    }

    /// Writes an entry without commands, as a leader with other members, if none was
    /// applied for as long as `quiet_max`.
    pub(crate) async fn write_if_quiet(&self, quiet_max: Duration, within: Duration) {
        let quiet = self.peers.applied.log_time().applied_at.elapsed();
        if !self.view.is_lone() && quiet >= quiet_max {
            // If it fails, the next one is due at once.
            let _ = self.append(Vec::new(), Instant::now() + within).await;
        }
    }

    /// Asks the leader what only a leader looks at, and does not care what it says.
    /// If none is known all members are asked: a node that has moved is not spoken to
    /// before it told where it is.
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
    ) -> Tried {
        let within = give_up.saturating_duration_since(Instant::now()).min(FORWARD_WITHIN);
        let spends = commands.iter().filter(|one| matches!(one, Command::Spend(_))).count();
        self.spends_forwarded.fetch_add(spends.try_into().unwrap_or(0), Ordering::Relaxed);
        let request = Request::Forward(commands);
        let answer = tokio::select! {
            biased;
            answer = self.peers.ask(leader, &request, within) => answer,
            // Another one leads: it knows what became of it, or decides it.
            () = self.view.leader_changes(leader.node_id) => {
                Err(CallError::Unknown("the leader changed meanwhile".to_owned()))
            }
        };
        match answer {
            Ok(Response::Forward(answers)) => {
                let answer = |answer: Result<Outcome, Undecided>| {
                    answer.map_err(|undecided| match undecided {
                        Undecided::NotAppended => LedgerError::Unavailable("busy".to_owned()),
                        Undecided::Unknown => unknown("the leader does not know it"),
                    })
                };
                Tried::Answered(answers.into_iter().map(answer).collect())
            }
            Ok(Response::NotLeader) => Tried::NotAppended(NO_LEADER.to_owned()),
            Ok(_) => Tried::Unknown("the leader failed".to_owned()),
            Err(CallError::NotDone(why)) => Tried::NotAppended(why),
            Err(CallError::Unknown(why)) => Tried::Unknown(why),
        }
    }

    /// Returns how many spends were passed on since the start.
    pub(crate) fn spends_forwarded(&self) -> u64 {
        self.spends_forwarded.load(Ordering::Relaxed)
    }
}

/// Tells what an error of openraft says about the entry: surely not appended,
/// or not known. In doubt it is not known.
fn judge(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> Tried {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => {
            Tried::NotAppended(NO_LEADER.to_owned())
        }
        RaftError::APIError(error) => Tried::Unknown(error.to_string()),
        RaftError::Fatal(error) => {
            // Said once: whatever comes later is turned away before it gets here.
            tracing::error!(%error, "the ledger has stopped: nothing is granted until a restart");
            Tried::Stopped(unknown(&error.to_string()))
        }
    }
}
