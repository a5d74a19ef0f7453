//! The maintenance task of a node. It runs four times a second.
//!
//! - A leader with other members writes an empty entry if none was written for a second, so that
//!   the others know how fresh they are.
//! - A node whose clock is off does not lead.
//! - The leader finishes a half-done change of the members.
//! - A node whose address has changed reports it.
//! - A node that no other one reaches logs that once.
//! - Voters that do not lead keep connections to each other open, which an election would need.
//! - The durable indexes of the other nodes are written to disk.
//! - A snapshot is made if one is due, even without spends.

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

/// How often the task runs.
const PERIOD: Duration = Duration::from_millis(250);

/// The longest time for which a leader with other members writes nothing.
const QUIET_MAX: Duration = Duration::from_secs(1);

/// How long a job may take before it is dropped and tried again.
const JOB_MAX: Duration = Duration::from_secs(3);

/// How often a node reports its new address, or asks whether it is still a member, until it hears a
/// leader.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// How often voters that do not lead use the connections between them. Opening a connection takes
/// several round trips, too long while there is no leader.
const KEEP_WARM: Duration = Duration::from_secs(1);

/// How many connections to each voter are kept open: a new leader sends entries and heartbeats at
/// the same time, and both again if they are lost.
const WARM_CONNECTIONS: usize = 4;

/// How often the durable indexes of the other nodes are written to disk.
const PERSIST_EVERY: Duration = Duration::from_secs(10);

/// The maintenance task. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Maintenance(JoinHandle<()>);

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The parts of a node that the maintenance task uses.
pub(crate) struct MaintenanceContext {
    pub(crate) raft: Raft,
    pub(crate) view: View,
    pub(crate) peers: Arc<Peers>,
    pub(crate) forwarder: Arc<Forwarder>,
    pub(crate) changes: Arc<Changes>,
    pub(crate) compactor: Arc<Compactor>,
    pub(crate) reachability: Reachability,
}

impl Maintenance {
    pub(crate) fn stop(&self) {
        self.0.abort();
    }

    pub(crate) fn start(node: MaintenanceContext) -> Self {
        let mut maintenance = MaintenanceLoop {
            node,
            is_clock_off: false,
            is_unreached_logged: false,
            asked_at: None,
            warmed_at: None,
            persisted_at: Instant::now(),
            busy: Arc::default(),
        };
        Self(tokio::spawn(async move {
            let mut ticks = interval(PERIOD);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                maintenance.run().await;
            }
        }))
    }
}

struct MaintenanceLoop {
    node: MaintenanceContext,
    is_clock_off: bool,
    is_unreached_logged: bool,
    asked_at: Option<Instant>,
    warmed_at: Option<Instant>,
    persisted_at: Instant,
    /// Whether a job runs in the background.
    busy: Arc<AtomicBool>,
}

impl MaintenanceLoop {
    async fn run(&mut self) {
        self.check_clock();
        self.check_reachability();
        self.node.compactor.make_snapshot_if_due().await;
        let forwarder = Arc::clone(&self.node.forwarder);
        if self.node.view.is_leader() {
            let changes = Arc::clone(&self.node.changes);
            self.run_in_background(async move {
                changes.tidy().await;
                forwarder.write_if_quiet(QUIET_MAX, JOB_MAX).await;
            });
        } else if let Some(request) = self.request_for_leader() {
            self.run_in_background(async move { forwarder.ask_leader(&request).await });
        }
        self.keep_warm();
        self.persist_durable_indexes().await;
    }

    async fn persist_durable_indexes(&mut self) {
        if self.persisted_at.elapsed() >= PERSIST_EVERY {
            self.persisted_at = Instant::now();
            let peers = Arc::clone(&self.node.peers);
            if let Err(error) = off_thread(move || peers.incarnations.persist()).await {
                tracing::warn!(%error, "the durable indexes of other nodes cannot be written");
            }
        }
    }

    /// Sends requests to the other voters. A leader exchanges messages with them anyway.
    fn keep_warm(&mut self) {
        let is_warm = self.warmed_at.is_some_and(|at| at.elapsed() < KEEP_WARM);
        if is_warm || self.node.view.is_leader() {
            return;
        }
        self.warmed_at = Some(Instant::now());
        for voter in self.node.view.fellow_voters() {
            let Some(voter) = self.node.peers.address(voter) else { continue };
            let peers = Arc::clone(&self.node.peers);
            tokio::spawn(async move {
                let request = Request::Members;
                let ask = || peers.ask(&voter, &request, KEEP_WARM);
                // Only the exchange matters, not the response.
                futures_util::future::join_all((0..WARM_CONNECTIONS).map(|_| ask())).await;
            });
        }
    }

    /// Returns the request that this node has for the leader, if one is due.
    fn request_for_leader(&mut self) -> Option<Request> {
        if self.asked_at.is_some_and(|at| at.elapsed() < ASK_AGAIN) {
            return None;
        }
        let own = self.node.peers.identity.node_id;
        // A removed node hears from no leader; a response says that it was removed.
        let request = match self.node.changes.moved_to() {
            Some(address) => Some(Request::Change(MemberChange::SetAddress(own, address))),
            None => self.is_silent().then_some(Request::Members),
        };
        self.asked_at = request.as_ref().map(|_| Instant::now());
        request
    }

    /// Runs a job without delaying the loop, unless another one is running.
    fn run_in_background(&self, job: impl Future<Output = ()> + Send + 'static) {
        if self.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let busy = Arc::clone(&self.busy);
        tokio::spawn(async move {
            let _ = tokio::time::timeout(JOB_MAX, job).await;
            busy.store(false, Ordering::Release);
        });
    }

    fn check_clock(&mut self) {
        let is_off = self.node.peers.is_clock_off();
        if is_off != self.is_clock_off {
            self.is_clock_off = is_off;
            if is_off {
                tracing::error!(
                    "the clock is more than a minute off the other nodes' clocks: this node \
                     does not lead; set the clock (NTP)"
                );
            } else {
                tracing::info!("the clock agrees with the other nodes' clocks again");
            }
            self.node.raft.runtime_config().elect(!is_off);
        }
        if is_off && self.node.view.is_leader() {
            let changes = Arc::clone(&self.node.changes);
            self.run_in_background(async move {
                let _ = changes.transfer_leader(None).await;
            });
        }
    }

    fn check_reachability(&mut self) {
        if self.is_unreached_logged {
            return;
        }
        if let Some(alarm) = self.node.reachability.alarm() {
            self.is_unreached_logged = true;
            tracing::warn!("{alarm}");
        }
    }

    fn is_silent(&self) -> bool {
        self.node.peers.fresh_for().is_none_or(|age| age > ASK_AGAIN)
    }
}
