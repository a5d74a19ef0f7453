//! [`Membership`] for [`RaftLedger`]: lists the members, and forwards changes to the leader.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::RaftLedger;
use crate::ledger::membership::{Membership, MembershipFuture};
use crate::ledger::raft::peers::{CallError, MemberChange, Request, Response, RoleChange};
use crate::ledger::raft::types::Member;
use crate::ledger::{
    ChangeUnavailable, MemberList, MemberRole, MemberStatus, MembershipError, NodeId,
    OutcomeUnknown,
};

/// How long a change may take, including all attempts.
const DEADLINE: Duration = Duration::from_secs(15);

/// How long to wait before the next attempt.
const RETRY: Duration = Duration::from_millis(100);

/// How long the leader may take to list the members.
const LIST_WITHIN: Duration = Duration::from_secs(1);

impl RaftLedger {
    /// Has the leader change the members, and follows changes of the leader.
    async fn change_members(&self, change: MemberChange) -> Result<(), MembershipError> {
        let give_up = Instant::now() + DEADLINE;
        loop {
            match self.try_change(&change, give_up).await {
                Err(MembershipError::Unavailable(_) | MembershipError::InProgress)
                    if Instant::now() + RETRY < give_up =>
                {
                    sleep(RETRY).await;
                }
                result => return result,
            }
        }
    }

    async fn try_change(
        &self,
        change: &MemberChange,
        give_up: Instant,
    ) -> Result<(), MembershipError> {
        let unavailable = |reason| Err(MembershipError::Unavailable(reason));
        let unknown = |reason| Err(MembershipError::OutcomeUnknown(reason));
        let Some(leader) = self.view.leader() else {
            return unavailable(ChangeUnavailable::NoLeader);
        };
        if leader.node_id == self.identity.node_id {
            return self.change_here(leader.node_id, change.clone()).await;
        }
        let within = give_up.saturating_duration_since(Instant::now());
        let request = Request::Change(change.clone());
        match self.peers.ask(&leader, &request, within).await {
            Ok(Response::Change(changed)) => changed,
            Ok(Response::NotLeader) => unavailable(ChangeUnavailable::LeaderChanged),
            Ok(_) => unknown(OutcomeUnknown::LeaderFailed),
            Err(CallError::NotDone(error)) => {
                unavailable(ChangeUnavailable::NotForwarded(error.to_string()))
            }
            Err(CallError::Unknown(error)) => unknown(OutcomeUnknown::NoAnswer(error.to_string())),
        }
    }

    /// Changes the members as the leader; node `from` asks for it.
    pub(crate) async fn change_here(
        &self,
        from: NodeId,
        change: MemberChange,
    ) -> Result<(), MembershipError> {
        let changed = tokio::time::timeout(DEADLINE, self.changes.carry_out(from, change));
        let unconfirmed = MembershipError::OutcomeUnknown(OutcomeUnknown::NotConfirmed);
        changed.await.unwrap_or(Err(unconfirmed))
    }

    /// Lists the members as this node sees them.
    pub(crate) fn members_here(&self) -> Vec<MemberStatus> {
        let (members, voters) = self.view.listed();
        let last = self.view.metrics(|metrics| metrics.last_log_index);
        let (own, leader) = (self.identity.node_id, self.live_leader());
        let clock = self.peers.clock.now();
        let status = |(node_id, member): (NodeId, Member)| {
            // A leader that is cut off does not know how far the others are.
            let matched = self.view.matched(node_id).filter(|_| leader == Some(own));
            let (last_contact, clock_offset, version) = if node_id == own {
                (Some(Duration::ZERO), Some(0), Some(env!("CARGO_PKG_VERSION").to_owned()))
            } else {
                let report = self.peers.reports.of(node_id);
                let last_contact = report.as_ref().map(|report| report.at.elapsed());
                let clock_offset = self.peers.reports.offset(node_id, clock);
                (last_contact, clock_offset, report.map(|report| report.version))
            };
            let is_voter = voters.contains(&node_id);
            MemberStatus {
                node_id,
                address: member.address,
                role: if is_voter { MemberRole::Voter } else { MemberRole::Learner },
                is_leader: leader == Some(node_id),
                lag: matched.map(|at| last.unwrap_or_default().saturating_sub(at)),
                last_contact,
                clock_offset,
                version,
            }
        };
        members.into_iter().map(status).collect()
    }

    fn change_roles(&self, change: RoleChange) -> MembershipFuture<'_, ()> {
        Box::pin(self.change_members(MemberChange::Roles(change)))
    }
}

impl Membership for RaftLedger {
    fn members(&self) -> Pin<Box<dyn Future<Output = MemberList> + Send + '_>> {
        Box::pin(async move {
            let leader = self.view.leader();
            let other = leader.filter(|leader| leader.node_id != self.identity.node_id);
            let Some(leader) = other else { return self.members_known_here() };
            match self.peers.ask(&leader, &Request::Members, LIST_WITHIN).await {
                Ok(Response::Members(members)) => {
                    // A leader that lost its majority may not know its successor.
                    let is_by_leader = members.iter().any(|member| member.is_leader);
                    MemberList { members, is_by_leader }
                }
                Ok(_) | Err(_) => self.members_known_here(),
            }
        })
    }

    fn members_known_here(&self) -> MemberList {
        let is_by_leader = self.live_leader() == Some(self.identity.node_id);
        MemberList { members: self.members_here(), is_by_leader }
    }

    fn is_clock_off(&self) -> bool {
        self.peers.is_clock_off()
    }

    fn spends_forwarded(&self) -> u64 {
        self.forwarder.spends_forwarded()
    }

    fn peer_errors(&self) -> Vec<String> {
        // If the cluster refuses this node, its readiness says so.
        if self.peers.refusal().is_some() {
            return Vec::new();
        }
        let members = self.view.members();
        let errors = self.peers.errors.list().into_iter();
        // Skip members that were just removed.
        let present = errors.filter(|(node_id, _)| members.contains_key(node_id));
        let present = present.map(|(node_id, why)| format!("node {node_id}: {why}"));
        self.reachability.alarm().into_iter().chain(present).collect()
    }

    fn add_learner(&self, node_id: NodeId, address: String) -> MembershipFuture<'_, ()> {
        Box::pin(self.change_members(MemberChange::AddLearner(node_id, address)))
    }

    fn set_address(&self, node_id: NodeId, address: String) -> MembershipFuture<'_, ()> {
        Box::pin(self.change_members(MemberChange::SetAddress(node_id, address)))
    }

    fn promote(&self, node_ids: BTreeSet<NodeId>) -> MembershipFuture<'_, ()> {
        self.change_roles(RoleChange { promote: node_ids, ..RoleChange::default() })
    }

    fn demote(&self, node_ids: BTreeSet<NodeId>) -> MembershipFuture<'_, ()> {
        self.change_roles(RoleChange { demote: node_ids, ..RoleChange::default() })
    }

    fn replace(&self, old: NodeId, new: NodeId) -> MembershipFuture<'_, ()> {
        let (promote, remove) = (BTreeSet::from([new]), BTreeSet::from([old]));
        self.change_roles(RoleChange { promote, remove, ..RoleChange::default() })
    }

    fn remove(&self, node_ids: BTreeSet<NodeId>) -> MembershipFuture<'_, ()> {
        self.change_roles(RoleChange { remove: node_ids, ..RoleChange::default() })
    }

    fn transfer_leader(&self, to: Option<NodeId>) -> MembershipFuture<'_, ()> {
        Box::pin(self.change_members(MemberChange::TransferLeader(to)))
    }
}
