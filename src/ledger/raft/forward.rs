//! One try to have commands decided: by this node if it leads, else by the one
//! that does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use openraft::ServerState;
use openraft::errors::{ClientWriteError, RaftError};
use openraft::type_config::async_runtime::watch::WatchReceiver as _;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::batcher::{stopped, unknown};
use super::message::{Answer, Request, Undecided};
use super::peers::{NoAnswer, Peers};
use super::reports;
use super::snapshot_files::SnapshotFiles;
use super::stamp::stamp;
use super::transport::PeerAddress;
use super::types::{Member, Metrics, Raft, TypeConfig};
use crate::ledger::log::Writer;
use crate::ledger::{Command, Entry, LedgerError, Outcome};
use crate::token::UnixSeconds;

/// How long a leader may take with a forwarded batch before it is asked again.
pub(super) const FORWARD_WITHIN: Duration = Duration::from_secs(2);

/// Why nothing was tried: nobody is known who could decide it.
pub(super) const NO_LEADER: &str = "no leader is known to have a majority";

/// How long the others may take to reach a node that was started.
const REACHED_WITHIN: Duration = Duration::from_secs(10);

/// A step of a lone node's clock that is worth a line in the log, in seconds.
const LEAP: u64 = 3_600;

/// The way to whoever decides.
pub(super) struct Forwarder {
    pub(super) raft: Raft,
    pub(super) peers: Arc<Peers>,
    pub(super) snapshots: SnapshotFiles,
    pub(super) log: Arc<Writer>,
    /// How many bytes of log make a snapshot due.
    pub(super) snapshot_every: u64,
    /// Where the others reach this node.
    pub(super) address: Option<String>,
    /// Held while the members change: a change has two steps, and no other may come
    /// between them.
    pub(super) changing: Mutex<()>,
    leap_is_logged: AtomicBool,
    spends_forwarded: AtomicU64,
}

/// What came of one try.
#[derive(Debug)]
pub(super) enum Tried {
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
    pub(super) const fn new(
        raft: Raft,
        peers: Arc<Peers>,
        snapshots: SnapshotFiles,
        log: Arc<Writer>,
        snapshot_every: u64,
        address: Option<String>,
    ) -> Self {
        let (leap_is_logged, spends_forwarded) = (AtomicBool::new(false), AtomicU64::new(0));
        Self {
            raft,
            peers,
            snapshots,
            log,
            snapshot_every,
            address,
            changing: Mutex::const_new(()),
            leap_is_logged,
            spends_forwarded,
        }
    }

    /// Reads what openraft tells of itself.
    pub(super) fn metrics<T>(&self, look: impl FnOnce(&Metrics) -> T) -> T {
        look(&self.raft.metrics().borrow_watched())
    }

    /// Tells whether this node decides.
    pub(super) fn is_leader(&self) -> bool {
        self.metrics(|metrics| metrics.state == ServerState::Leader)
    }

    /// Tells whether there is no other member.
    pub(super) fn is_lone(&self) -> bool {
        self.metrics(|metrics| metrics.membership_config.nodes().count() <= 1)
    }

    /// Tells whether this node is the only one that votes: what it decides, nobody has
    /// to confirm.
    pub(super) fn is_sole_voter(&self) -> bool {
        let own = self.peers.identity.node_id;
        self.metrics(|metrics| metrics.membership_config.voter_ids().all(|id| id == own))
    }

    /// Tells whether the engine still runs: after a failed write it has stopped
    /// and nothing is appended any more.
    pub(super) fn runs(&self) -> bool {
        self.metrics(|metrics| metrics.running_state.is_ok())
    }

    /// Returns the member that leads, if it is another one.
    pub(super) fn leader(&self) -> Option<PeerAddress> {
        let (leader, member) = self.metrics(|metrics| {
            let leader = metrics.current_leader?;
            Some((leader, metrics.membership_config.get_node(&leader).cloned()))
        })?;
        Some(PeerAddress { node_id: leader, address: member.unwrap_or_default().address })
    }

    /// Says that no other node finds the way to this one, if one should have: the address
    /// that was given for it may be wrong.
    pub(super) fn unreached(&self) -> Option<String> {
        let address = self.address.as_ref()?;
        let silence = self.peers.unreached_for().filter(|silence| *silence >= REACHED_WITHIN)?;
        let own = self.peers.identity.node_id;
        let members = self.metrics(|metrics| metrics.membership_config.nodes().count());
        // A leader speaks, and need not be spoken to; to whom is alone, nobody is there to.
        // Whom the cluster refuses nobody is to reach.
        if self.is_leader() || members == 1 || self.peers.refusal().is_some() {
            return None;
        }
        let correction = if members == 0 {
            // It knows nobody whom it could tell of another address.
            format!(
                "`jeton cluster remove {own:016x}` on a member, and join again in a fresh folder, \
                 with --address"
            )
        } else {
            "correct `cluster.address`, and restart it".to_owned()
        };
        Some(format!(
            "no other node has reached this node at {address} since it was started {} s ago: if \
             they run and no firewall is between, that is not its address; {correction}",
            silence.as_secs()
        ))
    }

    /// Returns the other voters, if this node is one.
    pub(super) fn other_voters(&self) -> Vec<PeerAddress> {
        let own = self.peers.identity.node_id;
        let voters: BTreeSet<u64> =
            self.metrics(|metrics| metrics.membership_config.voter_ids().collect());
        let others = voters.iter().filter(|voter| voters.contains(&own) && **voter != own);
        others.filter_map(|voter| self.peers.address(*voter)).collect()
    }

    /// Has commands decided, once. It does not wait longer than until `give_up`.
    pub(super) async fn offer(&self, commands: Vec<Command>, give_up: Instant) -> Tried {
        if !self.runs() {
            return Tried::Stopped(stopped());
        }
        match self.leader() {
            Some(leader) if leader.node_id != self.peers.identity.node_id => {
                self.forward(&leader, commands, give_up).await
            }
            Some(_) => self.append(commands, give_up).await,
            None => Tried::NotAppended(NO_LEADER.to_owned()),
        }
    }

    /// Writes one entry as the leader.
    pub(super) async fn append(&self, commands: Vec<Command>, give_up: Instant) -> Tried {
        let entry = Entry { stamp: self.stamp(), commands };
        match timeout_at(give_up, self.raft.client_write(entry)).await {
            Ok(Ok(written)) => {
                Tried::Answered(written.response().iter().map(|outcome| Ok(*outcome)).collect())
            }
            Ok(Err(error)) => judge(error),
            Err(_) => Tried::Unknown("no majority confirmed it in time".to_owned()),
        }
    }

    /// Asks the leader what only a leader looks at, and does not care what it says.
    /// If none is known all members are asked: a node that has moved is not spoken to
    /// before it told where it is.
    pub(super) async fn ask_leader(&self, request: &Request) {
        let asked = self.leader().map_or_else(|| self.others(), |leader| vec![leader]);
        let asked = asked.iter().map(|one| self.peers.ask(one, request, FORWARD_WITHIN));
        futures_util::future::join_all(asked).await;
    }

    fn others(&self) -> Vec<PeerAddress> {
        let own = self.peers.identity.node_id;
        self.metrics(|metrics| {
            let nodes = metrics.membership_config.nodes().filter(|(id, _)| **id != own);
            let place = |(id, member): (&u64, &Member)| PeerAddress {
                node_id: *id,
                address: member.address.clone(),
            };
            nodes.map(place).collect()
        })
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
            () = self.leader_changes(leader.node_id) => {
                Err(NoAnswer::Unknown("the leader changed meanwhile".to_owned()))
            }
        };
        match answer {
            Ok(Answer::Forward(answers)) => {
                let answer = |answer: Result<Outcome, Undecided>| {
                    answer.map_err(|undecided| match undecided {
                        Undecided::NotAppended => LedgerError::Unavailable("busy".to_owned()),
                        Undecided::Unknown => unknown("the leader does not know it"),
                    })
                };
                Tried::Answered(answers.into_iter().map(answer).collect())
            }
            Ok(Answer::NotLeader) => Tried::NotAppended(NO_LEADER.to_owned()),
            Ok(_) => Tried::Unknown("the leader failed".to_owned()),
            Err(NoAnswer::NotDone(why)) => Tried::NotAppended(why),
            Err(NoAnswer::Unknown(why)) => Tried::Unknown(why),
        }
    }

    /// Returns how many spends were passed on since the start.
    pub(super) fn spends_forwarded(&self) -> u64 {
        self.spends_forwarded.load(Ordering::Relaxed)
    }

    /// Returns once this node knows of another leader than `leader`.
    async fn leader_changes(&self, leader: u64) {
        let mut metrics = self.raft.metrics();
        let is_other = |metrics: &Metrics| metrics.current_leader.is_some_and(|now| now != leader);
        while !is_other(&metrics.borrow_watched()) {
            if metrics.changed().await.is_err() {
                // The engine stopped; whoever waits gives up in time.
                return std::future::pending().await;
            }
        }
    }

    /// Returns the time to put on an entry.
    fn stamp(&self) -> UnixSeconds {
        let own = self.peers.clock.now();
        let log_time = self.peers.applied.log_time();
        if !self.is_lone() {
            let offsets = self.peers.reports.offsets(own);
            return stamp(own, log_time.now, log_time.since.elapsed(), &offsets);
        }
        // Nobody can contradict a lone node, which may have been off for months.
        let expected = log_time.now.get().saturating_add(log_time.since.elapsed().as_secs());
        let leapt = log_time.now > UnixSeconds::default() && own.get() > expected + LEAP;
        if leapt && !self.leap_is_logged.swap(true, Ordering::Relaxed) {
            let ahead = own.get() - expected;
            tracing::warn!(
                clock = %own, log_time = %log_time.now, ahead_seconds = ahead,
                "the clock is far ahead of the ledger: was this node off for so long?"
            );
        }
        own
    }

    /// Tells whether this node's clock is off, by what the others say.
    pub(super) fn is_clock_off(&self) -> bool {
        reports::is_off(&self.peers.reports.offsets(self.peers.clock.now()))
    }

    /// Asks for a snapshot if the log has grown enough.
    pub(super) async fn make_snapshot_if_due(&self) {
        // A snapshot is not worth its writing before as much log has come since.
        let due = self.snapshot_every.max(self.snapshots.newest_len());
        if self.log.bytes_since_purge() > due {
            // Asking again while one is made changes nothing.
            let _ = self.raft.trigger().snapshot().await;
        }
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
