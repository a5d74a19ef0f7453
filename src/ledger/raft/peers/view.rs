//! The cluster as openraft on this node currently sees it: the leader, the voters, and how far the
//! other members are. Read-only.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::ServerState;
use openraft::type_config::async_runtime::Instant as _;
use openraft::type_config::async_runtime::watch::WatchReceiver as _;

use super::transport::PeerAddress;
use crate::ledger::NodeId;
use crate::ledger::raft::store::Raft;
use crate::ledger::raft::types::{Member, RaftMetrics, StoredMembership};

/// How recently a member must have answered to be promoted or to become the leader.
const ANSWERED: Duration = Duration::from_secs(2);

/// Reads openraft's metrics.
#[derive(Clone)]
pub(crate) struct View {
    raft: Raft,
    /// This node.
    own: NodeId,
}

impl View {
    pub(crate) const fn new(raft: Raft, own: NodeId) -> Self {
        Self { raft, own }
    }

    pub(crate) fn metrics<T>(&self, read: impl FnOnce(&RaftMetrics) -> T) -> T {
        read(&self.raft.metrics().borrow_watched())
    }

    /// Returns `true` while the engine runs. It stops after a failed write, and then appends
    /// nothing.
    pub(crate) fn runs(&self) -> bool {
        self.metrics(|metrics| metrics.running_state.is_ok())
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.metrics(|metrics| metrics.state == ServerState::Leader)
    }

    /// Returns `true` if there is no other member.
    pub(crate) fn is_lone(&self) -> bool {
        self.metrics(|metrics| metrics.membership_config.nodes().count() <= 1)
    }

    /// Returns `true` if this node is the only voter, so that no other node has to confirm its
    /// decisions.
    pub(crate) fn is_sole_voter(&self) -> bool {
        self.metrics(|metrics| metrics.membership_config.voter_ids().all(|id| id == self.own))
    }

    /// Returns the leader, which may be this node.
    pub(crate) fn leader(&self) -> Option<PeerAddress> {
        let (leader, member) = self.metrics(|metrics| {
            let leader = metrics.current_leader?;
            Some((leader, metrics.membership_config.get_node(&leader).cloned()))
        })?;
        Some(PeerAddress { node_id: leader, address: member.unwrap_or_default().address })
    }

    /// Returns once this node knows a leader other than `leader`.
    pub(crate) async fn leader_changes(&self, leader: NodeId) {
        let mut metrics = self.raft.metrics();
        let is_other =
            |metrics: &RaftMetrics| metrics.current_leader.is_some_and(|now| now != leader);
        while !is_other(&metrics.borrow_watched()) {
            if metrics.changed().await.is_err() {
                // The engine has stopped; the caller's deadline ends the wait.
                return std::future::pending().await;
            }
        }
    }

    pub(crate) fn members(&self) -> BTreeMap<NodeId, Member> {
        self.metrics(|metrics| members_of(&metrics.membership_config))
    }

    /// Returns all members and the ids of the voters, for display. On the leader, these are the
    /// committed ones: a change that no majority has confirmed may never take effect.
    pub(crate) fn listed(&self) -> (BTreeMap<NodeId, Member>, BTreeSet<NodeId>) {
        self.metrics(|metrics| {
            // Other nodes may know a change that they were sent, but not that it is committed.
            let config = if metrics.state == ServerState::Leader {
                &metrics.committed_membership_config
            } else {
                &metrics.membership_config
            };
            (members_of(config), config.voter_ids().collect())
        })
    }

    /// Returns all members but this node.
    pub(crate) fn others(&self) -> Vec<PeerAddress> {
        let others = self.members().into_iter().filter(|(id, _)| *id != self.own);
        others.map(|(node_id, member)| PeerAddress { node_id, address: member.address }).collect()
    }

    /// Returns the voters; during a change, the old and the new ones.
    fn voter_ids(&self) -> BTreeSet<NodeId> {
        self.metrics(|metrics| metrics.membership_config.voter_ids().collect())
    }

    /// Returns the other voters, if this node is a voter.
    pub(crate) fn fellow_voters(&self) -> BTreeSet<NodeId> {
        let mut voters = self.voter_ids();
        if voters.remove(&self.own) { voters } else { BTreeSet::new() }
    }

    /// Returns the voters, or `None` during a change.
    pub(crate) fn settled_voters(&self) -> Option<BTreeSet<NodeId>> {
        self.metrics(|metrics| {
            match metrics.membership_config.membership().get_joint_config().as_slice() {
                [voters] => Some(voters.clone()),
                _ => None,
            }
        })
    }

    /// Returns `true` if a change of the voters has begun, is committed, and is not finished.
    pub(crate) fn is_change_half_done(&self) -> bool {
        self.metrics(|metrics| {
            let joint = metrics.membership_config.membership().get_joint_config().len() > 1;
            joint && metrics.membership_config == metrics.committed_membership_config
        })
    }

    /// Returns the index of the last entry that a member is known to have. Only a leader knows it.
    pub(crate) fn matched(&self, id: NodeId) -> Option<u64> {
        self.metrics(|metrics| {
            let matched = metrics.replication.as_ref()?.get(&id).copied().flatten()?;
            Some(matched.index())
        })
    }

    /// Returns `true` if a member has answered recently. Only a leader knows it.
    pub(crate) fn answers(&self, id: NodeId) -> bool {
        self.metrics(|metrics| {
            let heartbeats = metrics.heartbeat.as_ref();
            let last = heartbeats.and_then(|heartbeats| heartbeats.get(&id).copied().flatten());
            last.is_some_and(|at| at.elapsed() <= ANSWERED)
        })
    }
}

fn members_of(config: &StoredMembership) -> BTreeMap<NodeId, Member> {
    config.nodes().map(|(id, member)| (*id, member.clone())).collect()
}
