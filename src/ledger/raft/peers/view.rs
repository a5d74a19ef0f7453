//! The cluster as this node's engine sees it at the moment: who leads, who votes, and
//! how far the others are. It only looks, and decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::ServerState;
use openraft::type_config::async_runtime::Instant as _;
use openraft::type_config::async_runtime::watch::WatchReceiver as _;

use super::transport::PeerAddress;
use crate::ledger::NodeId;
use crate::ledger::raft::store::Raft;
use crate::ledger::raft::types::{Member, RaftMetrics, StoredMembership};

/// How recently a member must have answered to be given a duty.
const ANSWERED: Duration = Duration::from_secs(2);

/// What openraft tells of itself.
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

    /// Reads what openraft tells of itself.
    pub(crate) fn metrics<T>(&self, look: impl FnOnce(&RaftMetrics) -> T) -> T {
        look(&self.raft.metrics().borrow_watched())
    }

    /// Tells whether the engine still runs: after a failed write it has stopped
    /// and nothing is appended any more.
    pub(crate) fn runs(&self) -> bool {
        self.metrics(|metrics| metrics.running_state.is_ok())
    }

    /// Tells whether this node decides.
    pub(crate) fn is_leader(&self) -> bool {
        self.metrics(|metrics| metrics.state == ServerState::Leader)
    }

    /// Tells whether there is no other member.
    pub(crate) fn is_lone(&self) -> bool {
        self.metrics(|metrics| metrics.membership_config.nodes().count() <= 1)
    }

    /// Tells whether this node is the only one that votes: what it decides, nobody has
    /// to confirm.
    pub(crate) fn is_sole_voter(&self) -> bool {
        self.metrics(|metrics| metrics.membership_config.voter_ids().all(|id| id == self.own))
    }

    /// Returns the member that leads, this one or another.
    pub(crate) fn leader(&self) -> Option<PeerAddress> {
        let (leader, member) = self.metrics(|metrics| {
            let leader = metrics.current_leader?;
            Some((leader, metrics.membership_config.get_node(&leader).cloned()))
        })?;
        Some(PeerAddress { node_id: leader, address: member.unwrap_or_default().address })
    }

    /// Returns once this node knows of another leader than `leader`.
    pub(crate) async fn leader_changes(&self, leader: NodeId) {
        let mut metrics = self.raft.metrics();
        let is_other =
            |metrics: &RaftMetrics| metrics.current_leader.is_some_and(|now| now != leader);
        while !is_other(&metrics.borrow_watched()) {
            if metrics.changed().await.is_err() {
                // The engine stopped; whoever waits gives up in time.
                return std::future::pending().await;
            }
        }
    }

    /// Returns all members.
    pub(crate) fn members(&self) -> BTreeMap<NodeId, Member> {
        self.metrics(|metrics| members_of(&metrics.membership_config))
    }

    /// Returns all members and which of them vote, to be shown. What a leader wishes and
    /// no majority confirmed may never come about.
    pub(crate) fn listed(&self) -> (BTreeMap<NodeId, Member>, BTreeSet<NodeId>) {
        self.metrics(|metrics| {
            // Others may know of no change that was confirmed, but of one that they were sent.
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

    /// Returns those who vote; while they change, those who did and those who will.
    fn voter_ids(&self) -> BTreeSet<NodeId> {
        self.metrics(|metrics| metrics.membership_config.voter_ids().collect())
    }

    /// Returns the other voters, if this node is one.
    pub(crate) fn fellow_voters(&self) -> BTreeSet<NodeId> {
        let mut voters = self.voter_ids();
        if voters.remove(&self.own) { voters } else { BTreeSet::new() }
    }

    /// Returns the voters, unless they are changing.
    pub(crate) fn settled_voters(&self) -> Option<BTreeSet<NodeId>> {
        self.metrics(|metrics| {
            match metrics.membership_config.membership().get_joint_config().as_slice() {
                [voters] => Some(voters.clone()),
                _ => None,
            }
        })
    }

    /// Tells whether the voters are changing, and a majority knows of it.
    pub(crate) fn is_change_half_done(&self) -> bool {
        self.metrics(|metrics| {
            let joint = metrics.membership_config.membership().get_joint_config().len() > 1;
            joint && metrics.membership_config == metrics.committed_membership_config
        })
    }

    /// Returns the last entry that a member is known to have. Only a leader knows.
    pub(crate) fn matched(&self, id: NodeId) -> Option<u64> {
        self.metrics(|metrics| {
            let matched = metrics.replication.as_ref()?.get(&id).copied().flatten()?;
            Some(matched.index())
        })
    }

    /// Tells whether a member answered of late. Only a leader knows.
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
