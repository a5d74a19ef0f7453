//! Changes of the members, as the leader carries them out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use openraft::type_config::async_runtime::Instant as _;
use tokio::time::{Instant, sleep};

use super::forward::Forwarder;
use super::message::MemberChange;
use super::reports::SKEW_MAX;
use super::types::{Member, TypeConfig};
use crate::ledger::{ClusterError, NodeId};

/// How long learners may take to catch up once someone wants them to vote.
const CATCH_UP_MAX: Duration = Duration::from_secs(5);

/// How many entries a learner may be behind when it becomes a voter.
const LAG_MAX: u64 = 100;

/// How recently a member must have answered to be given a duty.
const ANSWERED: Duration = Duration::from_secs(2);

/// How long another voter may take to lead.
const HAND_OVER_MAX: Duration = Duration::from_secs(2);

/// How often it is looked whether something has come about.
const LOOK: Duration = Duration::from_millis(20);

/// Carries out a wish of node `from`, if this node leads.
pub(super) async fn change_here(
    forwarder: &Forwarder,
    from: NodeId,
    change: MemberChange,
) -> Result<(), ClusterError> {
    let _one_at_a_time = forwarder.changing.lock().await;
    tracing::info!(%from, ?change, "the members are to change");
    match change {
        MemberChange::AddLearner(id, address) => add_learner(forwarder, id, address).await,
        MemberChange::SetAddress(id, address) => set_address(forwarder, id, address).await,
        MemberChange::Roles { promote, demote, remove } => {
            let ids = |ids: Vec<NodeId>| ids.into_iter().collect();
            change_roles(forwarder, ids(promote), ids(demote), ids(remove)).await
        }
        MemberChange::TransferLeader(to) => hand_over(forwarder, to).await,
    }
}

async fn add_learner(
    forwarder: &Forwarder,
    id: NodeId,
    address: String,
) -> Result<(), ClusterError> {
    match members(forwarder).get(&id) {
        Some(known) if known.address == address => return Ok(()),
        Some(_) => return Err(ClusterError::IsMember(id)),
        // What it said then is remembered; what its directory remembers nobody knows.
        None if forwarder.peers.runs.of(id).is_some() => return Err(ClusterError::WasMember(id)),
        None => {}
    }
    check_address(forwarder, id, &address)?;
    tell_address(forwarder).await?;
    let added = forwarder.raft.add_learner(id, Member { address }, false).await;
    added.map(|_| ()).map_err(judge)
}

async fn set_address(
    forwarder: &Forwarder,
    id: NodeId,
    address: String,
) -> Result<(), ClusterError> {
    match members(forwarder).get(&id) {
        None => return Err(ClusterError::Not(id, "member".to_owned())),
        Some(known) if known.address == address => return Ok(()),
        Some(_) => {}
    }
    let change = ChangeMembers::SetNodes(BTreeMap::from([(id, Member { address })]));
    propose(forwarder, change).await
}

/// Refuses an address at which another member is known.
fn check_address(forwarder: &Forwarder, id: NodeId, address: &str) -> Result<(), ClusterError> {
    let taken = |(other, member): &(NodeId, Member)| *other != id && member.address == address;
    match members(forwarder).into_iter().find(taken) {
        Some((other, _)) => Err(ClusterError::AddressTaken(other, address.to_owned())),
        None => Ok(()),
    }
}

/// Tells the others where this node is, if it leads and they do not know. While it
/// is alone it need not be reachable; before somebody joins it has to be.
pub(super) async fn tell_address(forwarder: &Forwarder) -> Result<(), ClusterError> {
    match forwarder.address.clone() {
        Some(address) => set_address(forwarder, forwarder.peers.identity.node_id, address).await,
        None => Err(ClusterError::NoAddress),
    }
}

async fn change_roles(
    forwarder: &Forwarder,
    promote: BTreeSet<NodeId>,
    demote: BTreeSet<NodeId>,
    remove: BTreeSet<NodeId>,
) -> Result<(), ClusterError> {
    let (members, old) = (members(forwarder), voters(forwarder)?);
    let stranger =
        promote.iter().chain(&demote).chain(&remove).find(|id| !members.contains_key(id));
    if let Some(id) = stranger {
        return Err(ClusterError::Not(*id, "member".to_owned()));
    }
    let leaving: BTreeSet<NodeId> = demote.union(&remove).copied().collect();
    let new: BTreeSet<NodeId> =
        old.union(&promote).copied().filter(|id| !leaving.contains(id)).collect();
    // It is easily said of the wrong node, and cannot be taken back.
    if let (true, true, Some(voter)) =
        (promote.is_empty(), demote.is_empty(), old.intersection(&remove).next())
    {
        return Err(ClusterError::Votes(*voter));
    }
    if new.is_empty() {
        return Err(ClusterError::LastVoter);
    }
    if new != old {
        if new.len().is_multiple_of(2) {
            return Err(ClusterError::EvenVoters(new.len()));
        }
        for id in new.difference(&old) {
            catch_up(forwarder, *id).await?;
        }
        let own = forwarder.peers.identity.node_id;
        let staying: BTreeSet<NodeId> = new.intersection(&old).copied().collect();
        if !new.contains(&own) && !staying.is_empty() {
            hand_over(forwarder, best_heir(forwarder, &staying)).await?;
            return Err(ClusterError::Unavailable("another node leads now".to_owned()));
        }
        propose(forwarder, ChangeMembers::ReplaceAllVoters(new.clone())).await?;
    }
    if remove.is_empty() {
        return Ok(());
    }
    let removed = propose(forwarder, ChangeMembers::RemoveNodes(remove)).await;
    match removed {
        // It may be tried again; who gives up has to know what was done.
        Err(ClusterError::Unavailable(why)) if new != old => Err(ClusterError::Unavailable(
            format!("the voters are as wished, but who left is still a member: {why}"),
        )),
        removed => removed,
    }
}

/// Finishes a change of the voters whose leader stopped half way. Those who vote
/// no more stay as learners.
pub(super) async fn finish_change(forwarder: &Forwarder) {
    let is_joint = forwarder.metrics(|metrics| {
        let joint = metrics.membership_config.membership().get_joint_config().len() > 1;
        joint && metrics.membership_config == metrics.committed_membership_config
    });
    if is_joint {
        // Nothing but to finish; if it fails it is tried again soon.
        let _ = propose(forwarder, ChangeMembers::AddVoterIds(BTreeSet::new())).await;
    }
}

/// Has another voter lead, and returns when it does.
pub(super) async fn hand_over(
    forwarder: &Forwarder,
    to: Option<NodeId>,
) -> Result<(), ClusterError> {
    let voters = voters(forwarder)?;
    let own = forwarder.peers.identity.node_id;
    let heir = match to {
        Some(id) if !voters.contains(&id) => {
            return Err(ClusterError::Not(id, "voter".to_owned()));
        }
        Some(id) if id == own => return Ok(()),
        Some(id) if !is_clock_right(forwarder, id) => return Err(ClusterError::WrongClock(id)),
        Some(id) => id,
        None => best_heir(forwarder, &voters).ok_or_else(|| {
            ClusterError::Unavailable("no other voter is ready to lead".to_owned())
        })?,
    };
    let stopped = |_| ClusterError::Unavailable("the ledger has stopped".to_owned());
    forwarder.raft.trigger().transfer_leader(heir).await.map_err(stopped)?;
    let give_up = Instant::now() + HAND_OVER_MAX;
    while Instant::now() < give_up {
        let leader = forwarder.metrics(|metrics| metrics.current_leader);
        if leader.is_some_and(|leader| leader == heir || (to.is_none() && leader != own)) {
            return Ok(());
        }
        sleep(LOOK).await;
    }
    Err(ClusterError::Silent(heir))
}

/// Returns the voter of `among` that can lead best: it answers, its clock is
/// right, and it is least behind.
fn best_heir(forwarder: &Forwarder, among: &BTreeSet<NodeId>) -> Option<NodeId> {
    let own = forwarder.peers.identity.node_id;
    let able = among.iter().copied().filter(|id| *id != own && is_clock_right(forwarder, *id));
    able.filter(|id| answers(forwarder, *id)).max_by_key(|id| matched(forwarder, *id))
}

/// Tells whether a member's clock agrees with this node's. If this node's own
/// clock is off, it cannot say.
fn is_clock_right(forwarder: &Forwarder, id: NodeId) -> bool {
    let (report, own) = (forwarder.peers.reports.of(id), forwarder.peers.clock.now());
    let agrees = report.is_some_and(|report| report.offset(own).unsigned_abs() <= SKEW_MAX);
    agrees || forwarder.is_clock_off()
}

async fn catch_up(forwarder: &Forwarder, id: NodeId) -> Result<(), ClusterError> {
    let give_up = Instant::now() + CATCH_UP_MAX;
    loop {
        let last = forwarder.metrics(|metrics| metrics.last_log_index).unwrap_or_default();
        let lag = last.saturating_sub(matched(forwarder, id).unwrap_or_default());
        let answers = answers(forwarder, id);
        if answers && lag <= LAG_MAX {
            return Ok(());
        }
        if Instant::now() >= give_up {
            return Err(if answers {
                ClusterError::Behind(id, lag)
            } else {
                ClusterError::Silent(id)
            });
        }
        sleep(LOOK).await;
    }
}

/// Returns the last entry that a member is known to have.
pub(super) fn matched(forwarder: &Forwarder, id: NodeId) -> Option<u64> {
    forwarder.metrics(|metrics| {
        let matched = metrics.replication.as_ref()?.get(&id).copied().flatten()?;
        Some(matched.index())
    })
}

fn answers(forwarder: &Forwarder, id: NodeId) -> bool {
    forwarder.metrics(|metrics| {
        let heartbeats = metrics.heartbeat.as_ref();
        let last = heartbeats.and_then(|heartbeats| heartbeats.get(&id).copied().flatten());
        last.is_some_and(|at| at.elapsed() <= ANSWERED)
    })
}

pub(super) fn members(forwarder: &Forwarder) -> BTreeMap<NodeId, Member> {
    forwarder.metrics(|metrics| {
        let nodes = metrics.membership_config.nodes();
        nodes.map(|(id, member)| (*id, member.clone())).collect()
    })
}

/// Returns the voters, unless they are changing.
fn voters(forwarder: &Forwarder) -> Result<BTreeSet<NodeId>, ClusterError> {
    forwarder.metrics(|metrics| {
        match metrics.membership_config.membership().get_joint_config().as_slice() {
            [voters] => Ok(voters.clone()),
            _ => Err(ClusterError::InProgress),
        }
    })
}

async fn propose(
    forwarder: &Forwarder,
    change: ChangeMembers<NodeId, Member>,
) -> Result<(), ClusterError> {
    let changed = forwarder.raft.change_membership(change, true).await;
    changed.map(|_| ()).map_err(judge)
}

fn judge(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> ClusterError {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => {
            ClusterError::Unavailable("this node does not lead any more".to_owned())
        }
        RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => {
            if matches!(error, ChangeMembershipError::InProgress(_)) {
                ClusterError::InProgress
            } else {
                ClusterError::Unavailable(error.to_string())
            }
        }
        RaftError::APIError(error) => ClusterError::OutcomeUnknown(error.to_string()),
        RaftError::Fatal(error) => ClusterError::OutcomeUnknown(error.to_string()),
    }
}
