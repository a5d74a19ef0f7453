//! The members, as the rest of the program asks for them and changes them.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use openraft::type_config::async_runtime::watch::WatchReceiver as _;
use tokio::time::{Instant, sleep};

use super::RaftLedger;
use super::changes::{change_here, matched, members};
use super::message::{Answer, MemberChange, Request};
use super::peers::NoAnswer;
use crate::ledger::cluster::{Change, Cluster};
use crate::ledger::{ClusterError, MemberStatus, Role};

/// How long a wish is passed on to whoever leads.
const DEADLINE: Duration = Duration::from_secs(15);

/// How long to wait before it is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// How long the leader may take to list the members.
const LIST_WITHIN: Duration = Duration::from_secs(1);

impl RaftLedger {
    /// Has the leader change the members, whoever it is.
    async fn change_members(&self, change: MemberChange) -> Result<(), ClusterError> {
        let give_up = Instant::now() + DEADLINE;
        loop {
            let tried = self.try_change(&change, give_up).await;
            let again =
                matches!(tried, Err(ClusterError::Unavailable(_) | ClusterError::InProgress));
            if !again || Instant::now() + RETRY >= give_up {
                return tried;
            }
            sleep(RETRY).await;
        }
    }

    async fn try_change(
        &self,
        change: &MemberChange,
        give_up: Instant,
    ) -> Result<(), ClusterError> {
        let unavailable = |why: &str| Err(ClusterError::Unavailable(why.to_owned()));
        let Some(leader) = self.forwarder.leader() else {
            return unavailable("no leader is known to have a majority");
        };
        if leader.node_id == self.identity.node_id {
            return self.change_here(leader.node_id, change.clone()).await;
        }
        let within = give_up.saturating_duration_since(Instant::now());
        let request = Request::Change(change.clone());
        match self.peers.ask(&leader, &request, within).await {
            Ok(Answer::Change(changed)) => changed,
            Ok(Answer::NotLeader) => unavailable("the leader changes"),
            Ok(_) => Err(ClusterError::OutcomeUnknown("the leader failed".to_owned())),
            Err(NoAnswer::NotDone(why)) => unavailable(&why),
            Err(NoAnswer::Unknown(why)) => Err(ClusterError::OutcomeUnknown(why)),
        }
    }

    pub(super) async fn change_here(
        &self,
        from: u64,
        change: MemberChange,
    ) -> Result<(), ClusterError> {
        let changed = tokio::time::timeout(DEADLINE, change_here(&self.forwarder, from, change));
        changed.await.unwrap_or_else(|_| {
            Err(ClusterError::OutcomeUnknown("no majority confirmed it in time".to_owned()))
        })
    }

    /// Lists the members as this node sees them.
    pub(super) fn members_here(&self) -> Vec<MemberStatus> {
        let metrics = self.raft.metrics();
        let (voters, leader, last) = {
            let metrics = metrics.borrow_watched();
            let voters: BTreeSet<u64> = metrics.membership_config.voter_ids().collect();
            (voters, metrics.current_leader, metrics.last_log_index)
        };
        let (own, clock) = (self.identity.node_id, self.peers.clock.now());
        let status = |(node_id, member): (u64, super::Member)| {
            let report = self.peers.reports.of(node_id);
            let matched = matched(&self.forwarder, node_id);
            let (is_own, age) = (node_id == own, |at: Instant| at.elapsed());
            MemberStatus {
                node_id,
                address: member.address,
                role: if voters.contains(&node_id) { Role::Voter } else { Role::Learner },
                is_leader: leader == Some(node_id),
                lag: matched.map(|at| last.unwrap_or_default().saturating_sub(at)),
                last_contact: if is_own {
                    Some(Duration::ZERO)
                } else {
                    report.as_ref().map(|report| age(report.at))
                },
                clock_offset: if is_own {
                    Some(0)
                } else {
                    report.as_ref().map(|one| one.offset(clock))
                },
                version: if is_own {
                    Some(env!("CARGO_PKG_VERSION").to_owned())
                } else {
                    report.map(|one| one.version)
                },
            }
        };
        members(&self.forwarder).into_iter().map(status).collect()
    }

    fn change_roles(
        &self,
        promote: BTreeSet<u64>,
        demote: BTreeSet<u64>,
        remove: BTreeSet<u64>,
    ) -> Change<'_, ()> {
        let ids = |ids: BTreeSet<u64>| ids.into_iter().collect();
        let (promote, demote, remove) = (ids(promote), ids(demote), ids(remove));
        Box::pin(self.change_members(MemberChange::Roles { promote, demote, remove }))
    }
}

impl Cluster for RaftLedger {
    fn members(&self) -> Pin<Box<dyn Future<Output = Vec<MemberStatus>> + Send + '_>> {
        Box::pin(async move {
            let leader = self.forwarder.leader();
            let other = leader.filter(|leader| leader.node_id != self.identity.node_id);
            let Some(leader) = other else { return self.members_here() };
            match self.peers.ask(&leader, &Request::Members, LIST_WITHIN).await {
                Ok(Answer::Members(members)) => members,
                Ok(_) | Err(_) => self.members_here(),
            }
        })
    }

    fn alarms(&self) -> Vec<String> {
        let mut alarms: Vec<String> = self.readiness().err().into_iter().collect();
        if self.is_clock_off() {
            alarms.push(
                "the clock is more than a minute off the other nodes' clocks: this node does not \
                 lead; correct it, and let ntp keep it"
                    .to_owned(),
            );
        }
        alarms
    }

    fn add_learner(&self, node_id: u64, address: String) -> Change<'_, ()> {
        Box::pin(self.change_members(MemberChange::AddLearner(node_id, address)))
    }

    fn set_address(&self, node_id: u64, address: String) -> Change<'_, ()> {
        Box::pin(self.change_members(MemberChange::SetAddress(node_id, address)))
    }

    fn promote(&self, node_ids: BTreeSet<u64>) -> Change<'_, ()> {
        self.change_roles(node_ids, BTreeSet::new(), BTreeSet::new())
    }

    fn demote(&self, node_ids: BTreeSet<u64>) -> Change<'_, ()> {
        self.change_roles(BTreeSet::new(), node_ids, BTreeSet::new())
    }

    fn replace(&self, old: u64, new: u64) -> Change<'_, ()> {
        self.change_roles(BTreeSet::from([new]), BTreeSet::new(), BTreeSet::from([old]))
    }

    fn remove(&self, node_ids: BTreeSet<u64>) -> Change<'_, ()> {
        self.change_roles(BTreeSet::new(), BTreeSet::new(), node_ids)
    }

    fn transfer_leader(&self, to: Option<u64>) -> Change<'_, ()> {
        Box::pin(self.change_members(MemberChange::TransferLeader(to)))
    }
}
