//! Changes of the membership, as the leader makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::ledger::raft::peers::{MemberChange, Peers, RoleChange, View};
use crate::ledger::raft::store::Raft;
use crate::ledger::raft::types::{Member, WriteError};
use crate::ledger::{CLOCK_OFFSET_MAX, ChangeUnavailable, MembershipError, NodeId, OutcomeUnknown};

/// How long learners may take to catch up once they are to become voters.
const CATCH_UP_MAX: Duration = Duration::from_secs(5);

/// How many entries a learner may be behind when it becomes a voter.
const LAG_MAX: u64 = 100;

/// How long another voter may take to become the leader.
const TRANSFER_MAX: Duration = Duration::from_secs(2);

/// How often to check whether a condition holds yet.
const POLL: Duration = Duration::from_millis(20);

/// Makes changes of the membership, one at a time.
pub(crate) struct Changes {
    raft: Raft,
    view: View,
    peers: Arc<Peers>,
    /// Where the others reach this node.
    address: Option<String>,
    /// Held during a change: it has two steps, and no other change may come between them.
    one_at_a_time: Mutex<()>,
}

impl Changes {
    pub(crate) fn new(raft: Raft, view: View, peers: Arc<Peers>, address: Option<String>) -> Self {
        Self { raft, view, peers, address, one_at_a_time: Mutex::const_new(()) }
    }

    /// Makes a change that node `from` asks for, if this node leads.
    pub(crate) async fn carry_out(
        &self,
        from: NodeId,
        change: MemberChange,
    ) -> Result<(), MembershipError> {
        let _one_at_a_time = self.one_at_a_time.lock().await;
        tracing::info!(%from, ?change, "a node asks for a change of the members");
        match change {
            MemberChange::AddLearner(id, address) => self.add_learner(id, address).await,
            MemberChange::SetAddress(id, address) => self.set_address(id, address).await,
            MemberChange::Roles(change) => self.change_roles(change).await,
            MemberChange::TransferLeader(to) => self.transfer_leader(to).await,
        }
    }

    /// Finishes a half-done change and records this leader's address, unless a change is under way.
    pub(crate) async fn tidy(&self) {
        if let Ok(_one_at_a_time) = self.one_at_a_time.try_lock() {
            self.finish().await;
            // If it fails, it is tried again soon.
            let _ = self.record_address().await;
        }
    }

    /// Finishes a change of the voters whose leader stopped half-way. Former voters stay as
    /// learners.
    async fn finish(&self) {
        if self.view.is_change_half_done() {
            // An empty change finishes it; if it fails, it is tried again soon.
            let _ = self.propose(ChangeMembers::AddVoterIds(BTreeSet::new())).await;
        }
    }

    /// Records this leader's address in the membership, if that has another one. A lone node needs
    /// no address until another one joins.
    async fn record_address(&self) -> Result<(), MembershipError> {
        match self.address.clone() {
            Some(address) => self.set_address(self.own(), address).await,
            None => Err(MembershipError::NoAddress),
        }
    }

    /// Returns this node's address, if the membership has another one.
    pub(crate) fn moved_to(&self) -> Option<String> {
        // The membership in the log, applied or not: a node that has moved receives nothing that
        // would let it apply more.
        let known = self.view.members().remove(&self.own())?;
        self.address.clone().filter(|address| known.address != *address)
    }

    async fn add_learner(&self, id: NodeId, address: String) -> Result<(), MembershipError> {
        match self.view.members().get(&id) {
            Some(known) if known.address == address => return Ok(()),
            Some(_) => return Err(MembershipError::IsMember(id)),
            // Its incarnation is remembered; what its directory remembers is not known.
            None if self.peers.incarnations.peer(id).is_some() => {
                return Err(MembershipError::WasMember(id));
            }
            None => {}
        }
        self.check_address(id, &address)?;
        self.record_address().await?;
        let added = self.raft.add_learner(id, Member { address }, false).await;
        added.map(|_| ()).map_err(not_changed)
    }

    async fn set_address(&self, id: NodeId, address: String) -> Result<(), MembershipError> {
        match self.view.members().get(&id) {
            None => return Err(MembershipError::NotAMember(id)),
            Some(known) if known.address == address => return Ok(()),
            Some(_) => {}
        }
        self.propose(ChangeMembers::SetNodes(BTreeMap::from([(id, Member { address })]))).await
    }

    /// Rejects an address that another member has.
    fn check_address(&self, id: NodeId, address: &str) -> Result<(), MembershipError> {
        let taken = |(other, member): &(NodeId, Member)| *other != id && member.address == address;
        match self.view.members().into_iter().find(taken) {
            Some((other, _)) => Err(MembershipError::AddressTaken(other, address.to_owned())),
            None => Ok(()),
        }
    }

    async fn change_roles(&self, change: RoleChange) -> Result<(), MembershipError> {
        let members = self.view.members();
        let old = self.voters()?;
        let new = change.voters(&members, &old)?;
        if new != old {
            self.change_voters(&old, &new).await?;
        }
        if change.remove.is_empty() {
            return Ok(());
        }
        match self.propose(ChangeMembers::RemoveNodes(change.remove)).await {
            // The caller may try again; if it gives up, it has to know what was done.
            Err(MembershipError::Unavailable(reason)) if new != old => {
                Err(unavailable(ChangeUnavailable::NotRemoved(reason.to_string())))
            }
            removed => removed,
        }
    }

    /// Makes `new` the voters, once they have caught up. A leader that is not among them transfers
    /// its leadership instead, and the caller asks the next one.
    async fn change_voters(
        &self,
        old: &BTreeSet<NodeId>,
        new: &BTreeSet<NodeId>,
    ) -> Result<(), MembershipError> {
        for id in new.difference(old) {
            self.catch_up(*id).await?;
        }
        let staying: BTreeSet<NodeId> = new.intersection(old).copied().collect();
        if !new.contains(&self.own()) && !staying.is_empty() {
            self.transfer_leader(self.best_target(&staying)).await?;
            return Err(unavailable(ChangeUnavailable::LeaderChanged));
        }
        self.propose(ChangeMembers::ReplaceAllVoters(new.clone())).await
    }

    /// Returns once a member lacks at most [`LAG_MAX`] entries.
    async fn catch_up(&self, id: NodeId) -> Result<(), MembershipError> {
        let give_up = Instant::now() + CATCH_UP_MAX;
        loop {
            let last = self.view.metrics(|metrics| metrics.last_log_index).unwrap_or_default();
            let lag = last.saturating_sub(self.view.matched(id).unwrap_or_default());
            let answers = self.view.answers(id);
            if answers && lag <= LAG_MAX {
                return Ok(());
            }
            if Instant::now() >= give_up {
                return Err(if answers {
                    MembershipError::Behind(id, lag)
                } else {
                    MembershipError::Silent(id)
                });
            }
            sleep(POLL).await;
        }
    }

    /// Transfers the leadership to `to` or the best voter, and returns once that one leads.
    pub(crate) async fn transfer_leader(&self, to: Option<NodeId>) -> Result<(), MembershipError> {
        let voters = self.voters()?;
        let target = match to {
            Some(id) if !voters.contains(&id) => return Err(MembershipError::NotAVoter(id)),
            Some(id) if id == self.own() => return Ok(()),
            Some(id) if !self.is_clock_right(id) => return Err(MembershipError::WrongClock(id)),
            Some(id) => id,
            None => self
                .best_target(&voters)
                .ok_or_else(|| unavailable(ChangeUnavailable::NoTransferTarget))?,
        };
        let stopped = |_| unavailable(ChangeUnavailable::Stopped);
        self.raft.trigger().transfer_leader(target).await.map_err(stopped)?;
        let give_up = Instant::now() + TRANSFER_MAX;
        while Instant::now() < give_up {
            let leader = self.view.metrics(|metrics| metrics.current_leader);
            let is_other = |leader| leader == target || (to.is_none() && leader != self.own());
            if leader.is_some_and(is_other) {
                return Ok(());
            }
            sleep(POLL).await;
        }
        Err(MembershipError::Silent(target))
    }

    /// Returns the voter among `among` that is least behind, of those that answer and whose clock
    /// is right.
    fn best_target(&self, among: &BTreeSet<NodeId>) -> Option<NodeId> {
        let others = among.iter().copied().filter(|id| *id != self.own());
        let able = others.filter(|id| self.is_clock_right(*id) && self.view.answers(*id));
        able.max_by_key(|id| self.view.matched(*id))
    }

    /// Returns `true` if a member's clock agrees with this node's, or if this node cannot tell
    /// because its own clock is off.
    fn is_clock_right(&self, id: NodeId) -> bool {
        let (report, own) = (self.peers.reports.of(id), self.peers.clock.now());
        let agrees =
            report.is_some_and(|report| report.offset(own).unsigned_abs() <= CLOCK_OFFSET_MAX);
        agrees || self.peers.is_clock_off()
    }

    fn own(&self) -> NodeId {
        self.peers.identity.node_id
    }

    fn voters(&self) -> Result<BTreeSet<NodeId>, MembershipError> {
        self.view.settled_voters().ok_or(MembershipError::InProgress)
    }

    async fn propose(&self, change: ChangeMembers<NodeId, Member>) -> Result<(), MembershipError> {
        let changed = self.raft.change_membership(change, true).await;
        changed.map(|_| ()).map_err(not_changed)
    }
}

impl RoleChange {
    /// Returns the voters after the change; `old` are those before it.
    fn voters(
        &self,
        members: &BTreeMap<NodeId, Member>,
        old: &BTreeSet<NodeId>,
    ) -> Result<BTreeSet<NodeId>, MembershipError> {
        let mut named = self.promote.iter().chain(&self.demote).chain(&self.remove);
        if let Some(unknown) = named.find(|id| !members.contains_key(id)) {
            return Err(MembershipError::NotAMember(*unknown));
        }
        // It is easy to name the wrong node, and a removal cannot be undone.
        let only_removes = self.promote.is_empty() && self.demote.is_empty();
        if let Some(voter) = old.intersection(&self.remove).next().filter(|_| only_removes) {
            return Err(MembershipError::IsVoter(*voter));
        }
        let stays = |id: &NodeId| !self.demote.contains(id) && !self.remove.contains(id);
        let new: BTreeSet<NodeId> = old.union(&self.promote).copied().filter(stays).collect();
        if new.is_empty() {
            return Err(MembershipError::LastVoter);
        }
        if new != *old && new.len().is_multiple_of(2) {
            return Err(MembershipError::EvenVoters(new.len()));
        }
        Ok(new)
    }
}

const fn unavailable(reason: ChangeUnavailable) -> MembershipError {
    MembershipError::Unavailable(reason)
}

fn not_changed(error: WriteError) -> MembershipError {
    match error {
        RaftError::Fatal(_) => MembershipError::OutcomeUnknown(OutcomeUnknown::Stopped),
        RaftError::APIError(error) => match error {
            ClientWriteError::ForwardToLeader(_) => unavailable(ChangeUnavailable::LeaderChanged),
            ClientWriteError::ChangeMembershipError(ChangeMembershipError::InProgress(_)) => {
                MembershipError::InProgress
            }
            ClientWriteError::ChangeMembershipError(error) => {
                unavailable(ChangeUnavailable::Rejected(error.to_string()))
            }
            ClientWriteError::LogEntryDiscarded(_) => {
                MembershipError::OutcomeUnknown(OutcomeUnknown::LeaderChanged)
            }
            ClientWriteError::PreconditionFailed(_) => {
                MembershipError::OutcomeUnknown(OutcomeUnknown::LeaderFailed)
            }
        },
    }
}
