//! What a node does by itself, a few times a second.
//!
//! - A leader with other members writes an empty entry every second in which
//!   nothing else was written, so that the others know how fresh they are. A lone
//!   node writes nothing.
//! - A node whose clock is off does not lead.
//! - A change of the members that was left half done is finished.
//! - Each node tells the others where it is.
//! - A node that no other one reaches says so, once.
//! - Voters that do not lead speak to each other, so that they know the way when
//!   they have to elect a leader.
//! - How far the others' disks reach is written down.
//! - A snapshot is made when enough log has come, also where nobody spends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::reachability::Reachability;
use crate::ledger::raft::members::Changes;
use crate::ledger::raft::peers::{MemberChange, Peers, Request, View};
use crate::ledger::raft::spend::Forwarder;
use crate::ledger::raft::store::{Compactor, Raft};
use crate::ledger::raft::types::off_thread;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(250);

/// How long a leader with other members writes nothing at most.
const TICK: Duration = Duration::from_secs(1);

/// How long a duty may take; then it is tried again.
const WITHIN: Duration = Duration::from_secs(3);

/// How often a node tells where it is, or asks whether it is still a member,
/// until it gets an answer.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// How often voters that do not lead speak to each other. What is open between them
/// need not be opened when the leader is gone, which takes several turns.
const KEEP_WARM: Duration = Duration::from_secs(1);

/// How many connections they keep open so: a new leader sends entries and heartbeats at
/// the same time, and both again if they get lost.
const WAYS: usize = 4;

/// How often it is written down how far the others' disks reach.
const KEEP: Duration = Duration::from_secs(10);

/// The task that looks after a node; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Maintenance(JoinHandle<()>);

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The parts of a node that are looked after.
pub(crate) struct Parts {
    pub(crate) raft: Raft,
    pub(crate) view: View,
    pub(crate) peers: Arc<Peers>,
    pub(crate) forwarder: Arc<Forwarder>,
    pub(crate) changes: Arc<Changes>,
    pub(crate) compactor: Arc<Compactor>,
    pub(crate) reach: Reachability,
}

impl Maintenance {
    /// Ends the task before the node is dropped.
    pub(crate) fn stop(&self) {
        self.0.abort();
    }

    /// Starts looking after a node.
    pub(crate) fn start(parts: Parts) -> Self {
        let mut duties = Duties {
            parts,
            is_clock_off: false,
            is_unreached_told: false,
            asked_at: None,
            warmed_at: None,
            kept_at: Instant::now(),
            busy: Arc::default(),
        };
        Self(tokio::spawn(async move {
            let mut every = interval(EVERY);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                every.tick().await;
                duties.look().await;
            }
        }))
    }
}

struct Duties {
    parts: Parts,
    is_clock_off: bool,
    is_unreached_told: bool,
    asked_at: Option<Instant>,
    warmed_at: Option<Instant>,
    kept_at: Instant,
    busy: Arc<AtomicBool>,
}

impl Duties {
    async fn look(&mut self) {
        self.look_at_clock();
        self.look_who_comes();
        self.parts.compactor.make_snapshot_if_due().await;
        let forwarder = Arc::clone(&self.parts.forwarder);
        if self.parts.view.is_leader() {
            let changes = Arc::clone(&self.parts.changes);
            self.alone(async move {
                changes.tidy().await;
                forwarder.write_if_quiet(TICK, WITHIN).await;
            });
        } else if let Some(request) = self.question() {
            self.alone(async move { forwarder.ask_leader(&request).await });
        }
        self.keep_warm();
        self.write_down().await;
    }

    async fn write_down(&mut self) {
        if self.kept_at.elapsed() >= KEEP {
            self.kept_at = Instant::now();
            let peers = Arc::clone(&self.parts.peers);
            if let Err(error) = off_thread(move || peers.runs.keep()).await {
                tracing::warn!(%error, "how far other nodes' disks reach is not written down");
            }
        }
    }

    /// Speaks to the other voters. A leader does so all the time.
    fn keep_warm(&mut self) {
        let is_warm = self.warmed_at.is_some_and(|at| at.elapsed() < KEEP_WARM);
        if is_warm || self.parts.view.is_leader() {
            return;
        }
        self.warmed_at = Some(Instant::now());
        for voter in self.parts.view.fellow_voters() {
            let Some(voter) = self.parts.peers.address(voter) else { continue };
            let peers = Arc::clone(&self.parts.peers);
            tokio::spawn(async move {
                let request = Request::Members;
                let ask = || peers.ask(&voter, &request, KEEP_WARM);
                // Whatever it says, it was heard.
                futures_util::future::join_all((0..WAYS).map(|_| ask())).await;
            });
        }
    }

    /// Returns what another node that leads is to be asked, now and then.
    fn question(&mut self) -> Option<Request> {
        if self.asked_at.is_some_and(|at| at.elapsed() < ASK_AGAIN) {
            return None;
        }
        let own = self.parts.peers.identity.node_id;
        // A removed node hears nothing any more; who asks is told.
        let question = match self.parts.changes.moved_to() {
            Some(address) => Some(Request::Change(MemberChange::SetAddress(own, address))),
            None => self.is_silent().then_some(Request::Members),
        };
        self.asked_at = question.as_ref().map(|_| Instant::now());
        question
    }

    /// Does one thing after the other, and holds up nobody.
    fn alone(&self, duty: impl Future<Output = ()> + Send + 'static) {
        if self.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let busy = Arc::clone(&self.busy);
        tokio::spawn(async move {
            let _ = tokio::time::timeout(WITHIN, duty).await;
            busy.store(false, Ordering::Release);
        });
    }

    fn look_at_clock(&mut self) {
        let is_off = self.parts.peers.is_clock_off();
        if is_off != self.is_clock_off {
            self.is_clock_off = is_off;
            if is_off {
                tracing::error!("the clock is more than a minute off the other nodes' clocks");
            } else {
                tracing::info!("the clock agrees with the other nodes' clocks again");
            }
            self.parts.raft.runtime_config().elect(!is_off);
        }
        if is_off && self.parts.view.is_leader() {
            let changes = Arc::clone(&self.parts.changes);
            self.alone(async move {
                let _ = changes.hand_over(None).await;
            });
        }
    }

    fn look_who_comes(&mut self) {
        if self.is_unreached_told {
            return;
        }
        if let Some(alarm) = self.parts.reach.alarm() {
            self.is_unreached_told = true;
            tracing::warn!("{alarm}");
        }
    }

    fn is_silent(&self) -> bool {
        let fresh_at = self.parts.peers.applied.freshness().fresh_at();
        fresh_at.is_none_or(|at| at.elapsed() > ASK_AGAIN)
    }
}
