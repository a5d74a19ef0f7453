//! Whether [`RaftLedger`] can grant a use now, who leads, and how old its state is.

use std::time::Duration;

use openraft::ServerState;
use openraft::type_config::async_runtime::Instant as _;

use super::RaftLedger;
use crate::ledger::{NodeId, Staleness, Unavailable, Unready};

/// How long a leader may be silent before it no longer counts as one, with equality. It sends
/// heartbeats six times a second; the others miss it after 0.9 seconds at most.
const LEADER_SILENT_MAX: Duration = Duration::from_secs(3);

impl RaftLedger {
    /// Returns `Ok` if a use can be granted now, else why not.
    pub(crate) fn readiness(&self) -> Result<(), Unready> {
        if let Some(failure) = self.writer.failure() {
            return Err(Unready::Log(failure.to_string()));
        }
        if let Some(refusal) = self.peers.refusal() {
            return Err(Unready::Refused(refusal.to_string()));
        }
        let (running, leader) = self.view.metrics(|metrics| {
            let running = metrics.running_state.as_ref().map(|_| ()).map_err(ToString::to_string);
            (running, metrics.current_leader)
        });
        running.map_err(Unready::Stopped)?;
        let damaged = |_| Unready::Stopped(Unavailable::DamagedState.to_string());
        self.applied.read(|_state| ()).map_err(damaged)?;
        let staleness = self.staleness();
        if leader.is_none() {
            return Err(Unready::NoLeader(staleness));
        }
        if staleness.is_stale() { Err(Unready::Stale(staleness)) } else { Ok(()) }
    }

    /// Returns how old the applied state is.
    pub(crate) fn staleness(&self) -> Staleness {
        let age = if self.decides_alone() { Some(Duration::ZERO) } else { self.peers.fresh_for() };
        Staleness { age, max: self.max_staleness }
    }

    /// Returns the leader, if it was heard from recently. openraft itself names a leader that is
    /// gone until there is another one.
    pub(crate) fn live_leader(&self) -> Option<NodeId> {
        let (leader, acked) = self.view.metrics(|metrics| {
            (metrics.current_leader, metrics.last_quorum_acked.map(|at| at.elapsed()))
        });
        let silence = if leader == Some(self.identity.node_id) {
            if self.view.is_sole_voter() { Some(Duration::ZERO) } else { acked }
        } else {
            self.applied.freshness().leader_heard_at().map(|at| at.elapsed())
        };
        leader.filter(|_| silence.is_some_and(|silence| silence <= LEADER_SILENT_MAX))
    }

    /// Returns `true` if this node leads, is the only voter, and has applied everything that its
    /// log held and an entry of its own term: no other node can commit anything that it lacks.
    fn decides_alone(&self) -> bool {
        let last = self.applied.last();
        self.view.is_sole_voter()
            && self.view.metrics(|metrics| {
                metrics.state == ServerState::Leader
                    && last.is_some_and(|last| {
                        last.leader_id == metrics.vote.leader_id && last.index() >= self.log_end
                    })
            })
    }
}
