//! Changes of the members, as the leader carries them out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::ledger::raft::peers::{MemberChange, Peers, SKEW_MAX, View};
use crate::ledger::raft::store::Raft;
use crate::ledger::raft::types::{Member, TypeConfig};
use crate::ledger::{MembershipError, NodeId};

/// How long learners may take to catch up once someone wants them to vote.
const CATCH_UP_MAX: Duration = Duration::from_secs(5);

/// How many entries a learner may be behind when it becomes a voter.
const LAG_MAX: u64 = 100;

/// How long another voter may take to lead.
const HAND_OVER_MAX: Duration = Duration::from_secs(2);

/// How often it is looked whether something has come about.
const LOOK: Duration = Duration::from_millis(20);

/// What changes the members, one change at a time.
pub(crate) struct Changes {
    raft: Raft,
    view: View,
    peers: Arc<Peers>,
    /// Where the others reach this node.
    address: Option<String>,
    /// Held while the members change: a change has two steps, and no other may come
    /// between them.
    one_at_a_time: Mutex<()>,
}

/// Learners become voters, voters become learners, members go: all at once.
struct Roles {
    promote: BTreeSet<NodeId>,
    demote: BTreeSet<NodeId>,
    remove: BTreeSet<NodeId>,
}

impl Changes {
    pub(crate) fn new(raft: Raft, view: View, peers: Arc<Peers>, address: Option<String>) -> Self {
        Self { raft, view, peers, address, one_at_a_time: Mutex::const_new(()) }
    }

    /// Carries out a wish of node `from`, if this node leads.
    pub(crate) async fn carry_out(
        &self,
        from: NodeId,
        change: MemberChange,
    ) -> Result<(), MembershipError> {
        let _one_at_a_time = self.one_at_a_time.lock().await;
        tracing::info!(%from, ?change, "the members are to change");
        match change {
            MemberChange::AddLearner(id, address) => self.add_learner(id, address).await,
            MemberChange::SetAddress(id, address) => self.set_address(id, address).await,
            MemberChange::Roles { promote, demote, remove } => {
                let ids = |ids: Vec<NodeId>| ids.into_iter().collect();
                let (promote, demote, remove) = (ids(promote), ids(demote), ids(remove));
                self.change_roles(Roles { promote, demote, remove }).await
            }
            MemberChange::TransferLeader(to) => self.hand_over(to).await,
        }
    }

    /// Does what a leader has to do unasked, unless the members change just now.
    pub(crate) async fn tidy(&self) {
        if let Ok(_one_at_a_time) = self.one_at_a_time.try_lock() {
            self.finish().await;
            // If it fails it is tried again soon.
            let _ = self.tell_address().await;
        }
    }

    /// Finishes a change of the voters whose leader stopped half way. Those who vote
    /// no more stay as learners.
    async fn finish(&self) {
        if self.view.is_change_half_done() {
            // Nothing but to finish; if it fails it is tried again soon.
            let _ = self.propose(ChangeMembers::AddVoterIds(BTreeSet::new())).await;
        }
    }

    /// Tells the others where this node is, if it leads and they do not know. While it
    /// is alone it need not be reachable; before somebody joins it has to be.
    async fn tell_address(&self) -> Result<(), MembershipError> {
        match self.address.clone() {
            Some(address) => self.set_address(self.own(), address).await,
            None => Err(MembershipError::NoAddress),
        }
    }

    /// Returns where the others reach this node, if they know it by another address.
    pub(crate) fn moved_to(&self) -> Option<String> {
        // What the log says, applied or not: a node that moved hears nothing that would
        // let it apply any.
        let known = self.view.members().remove(&self.own())?;
        self.address.clone().filter(|address| known.address != *address)
    }

    async fn add_learner(&self, id: NodeId, address: String) -> Result<(), MembershipError> {
        match self.view.members().get(&id) {
            Some(known) if known.address == address => return Ok(()),
            Some(_) => return Err(MembershipError::IsMember(id)),
            // What it said then is remembered; what its folder remembers nobody knows.
            None if self.peers.runs.peer(id).is_some() => {
                return Err(MembershipError::WasMember(id));
            }
            None => {}
        }
        self.check_address(id, &address)?;
        self.tell_address().await?;
        let added = self.raft.add_learner(id, Member { address }, false).await;
        added.map(|_| ()).map_err(judge)
    }

    async fn set_address(&self, id: NodeId, address: String) -> Result<(), MembershipError> {
        match self.view.members().get(&id) {
            None => return Err(MembershipError::Not(id, "member".to_owned())),
            Some(known) if known.address == address => return Ok(()),
            Some(_) => {}
        }
        self.propose(ChangeMembers::SetNodes(BTreeMap::from([(id, Member { address })]))).await
    }

    /// Refuses an address at which another member is known.
    fn check_address(&self, id: NodeId, address: &str) -> Result<(), MembershipError> {
        let taken = |(other, member): &(NodeId, Member)| *other != id && member.address == address;
        match self.view.members().into_iter().find(taken) {
            Some((other, _)) => Err(MembershipError::AddressTaken(other, address.to_owned())),
            None => Ok(()),
        }
    }

    async fn change_roles(&self, wish: Roles) -> Result<(), MembershipError> {
        let members = self.view.members();
        let old = self.voters()?;
        let new = wish.voters(&members, &old)?;
        if new != old {
            self.change_voters(&old, &new).await?;
        }
        if wish.remove.is_empty() {
            return Ok(());
        }
        match self.propose(ChangeMembers::RemoveNodes(wish.remove)).await {
            // It may be tried again; who gives up has to know what was done.
            Err(MembershipError::Unavailable(why)) if new != old => {
                Err(MembershipError::Unavailable(format!(
                    "the voters are as wished, but who left is still a member: {why}"
                )))
            }
            removed => removed,
        }
    }

    /// Makes the `new` ones vote, once they have caught up. A leader that is not among
    /// them hands over instead: the next one is asked again.
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
            self.hand_over(self.best_heir(&staying)).await?;
            return Err(MembershipError::Unavailable("another node leads now".to_owned()));
        }
        self.propose(ChangeMembers::ReplaceAllVoters(new.clone())).await
    }

    /// Returns once a member has all but the last entries.
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
            sleep(LOOK).await;
        }
    }

    /// Has another voter lead, and returns when it does.
    pub(crate) async fn hand_over(&self, to: Option<NodeId>) -> Result<(), MembershipError> {
        let voters = self.voters()?;
        let heir = match to {
            Some(id) if !voters.contains(&id) => {
                return Err(MembershipError::Not(id, "voter".to_owned()));
            }
            Some(id) if id == self.own() => return Ok(()),
            Some(id) if !self.is_clock_right(id) => return Err(MembershipError::WrongClock(id)),
            Some(id) => id,
            None => self.best_heir(&voters).ok_or_else(|| {
                MembershipError::Unavailable("no other voter is ready to lead".to_owned())
            })?,
        };
        let stopped = |_| MembershipError::Unavailable("the ledger has stopped".to_owned());
        self.raft.trigger().transfer_leader(heir).await.map_err(stopped)?;
        let give_up = Instant::now() + HAND_OVER_MAX;
        while Instant::now() < give_up {
            let leader = self.view.metrics(|metrics| metrics.current_leader);
            let is_other = |leader| leader == heir || (to.is_none() && leader != self.own());
            if leader.is_some_and(is_other) {
                return Ok(());
            }
            sleep(LOOK).await;
        }
        Err(MembershipError::Silent(heir))
    }

    /// Returns the voter of `among` that can lead best: it answers, its clock is
    /// right, and it is least behind.
    fn best_heir(&self, among: &BTreeSet<NodeId>) -> Option<NodeId> {
        let others = among.iter().copied().filter(|id| *id != self.own());
        let able = others.filter(|id| self.is_clock_right(*id) && self.view.answers(*id));
        able.max_by_key(|id| self.view.matched(*id))
    }

    /// Tells whether a member's clock agrees with this node's. If this node's own
    /// clock is off, it cannot say.
    fn is_clock_right(&self, id: NodeId) -> bool {
        let (report, own) = (self.peers.reports.of(id), self.peers.clock.now());
        let agrees = report.is_some_and(|report| report.offset(own).unsigned_abs() <= SKEW_MAX);
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
        changed.map(|_| ()).map_err(judge)
    }
}

impl Roles {
    /// Returns who is to vote where `old` do now, if that may be.
    fn voters(
        &self,
        members: &BTreeMap<NodeId, Member>,
        old: &BTreeSet<NodeId>,
    ) -> Result<BTreeSet<NodeId>, MembershipError> {
        let mut named = self.promote.iter().chain(&self.demote).chain(&self.remove);
        if let Some(stranger) = named.find(|id| !members.contains_key(id)) {
            return Err(MembershipError::Not(*stranger, "member".to_owned()));
        }
        // It is easily said of the wrong node, and cannot be taken back.
        let only_removes = self.promote.is_empty() && self.demote.is_empty();
        if let Some(voter) = old.intersection(&self.remove).next().filter(|_| only_removes) {
            return Err(MembershipError::Votes(*voter));
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

fn judge(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> MembershipError {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => {
            MembershipError::Unavailable("this node does not lead any more".to_owned())
        }
        RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => {
            if matches!(error, ChangeMembershipError::InProgress(_)) {
                MembershipError::InProgress
            } else {
                MembershipError::Unavailable(error.to_string())
            }
        }
        RaftError::APIError(error) => MembershipError::OutcomeUnknown(error.to_string()),
        RaftError::Fatal(error) => MembershipError::OutcomeUnknown(error.to_string()),
    }
}
