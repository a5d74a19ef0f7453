//! The state of the nodes that share the ledger, and what needs an operator's attention.

use std::time::Duration;

use super::door::AdminDoor;
use crate::ledger::{
    CLOCK_OFFSET_MAX, LedgerStatus, MemberList, MemberRole, MemberStatus, NodeId, Staleness,
    Unready,
};
use crate::token::UnixSeconds;

/// A node counts as reachable for this long after it was last heard from.
const REACHABLE: Duration = Duration::from_secs(5);

/// The nodes that share the ledger, as this node reports them.
#[derive(Debug)]
pub(super) struct MembershipReport {
    /// This node.
    pub(super) this: NodeId,
    pub(super) list: MemberList,
    /// What needs attention, in words, the worst first.
    pub(super) alarms: Vec<String>,
}

impl AdminDoor {
    /// Returns the members as the leader sees them, or as this node does if no leader answers.
    pub(super) async fn membership(&self) -> MembershipReport {
        let status = self.ledger.status();
        let list = self.cluster.members().await;
        let mut alarms = alarms(&status, self.cluster.is_clock_off(), &list);
        alarms.extend(self.cluster.peer_errors());
        MembershipReport { this: status.node_id, list, alarms }
    }

    /// Returns when this node last heard from a majority; `None` if it has not since its start.
    pub(super) fn last_heard(&self, staleness: &Staleness) -> Option<UnixSeconds> {
        staleness.age.map(|age| self.now().minus(age.as_secs()))
    }
}

/// Returns whether the leader hears from a member; `None` if only the leader knows and did not
/// answer.
pub(super) fn is_reachable(member: &MemberStatus, list: &MemberList, this: NodeId) -> Option<bool> {
    let is_known = list.is_by_leader || member.node_id == this;
    is_known.then(|| member.last_contact.is_some_and(|ago| ago <= REACHABLE))
}

fn alarms(status: &LedgerStatus, is_clock_off: bool, list: &MemberList) -> Vec<String> {
    let mut alarms = Vec::new();
    let is_reported = matches!(status.ready, Err(Unready::NoLeader(_) | Unready::Stale(_)));
    alarms.extend(status.ready.as_ref().err().map(ToString::to_string));
    if status.leader.is_none() && !is_reported {
        let alarm = "no leader is known: counted links wait until a majority of the voters runs";
        alarms.push(alarm.to_owned());
    }
    if is_clock_off {
        alarms.push(
            "the clock is more than a minute off the other nodes' clocks, so this node does not \
             lead: correct it and run NTP"
                .to_owned(),
        );
    }
    let voters = list.members.iter().filter(|member| member.role == MemberRole::Voter).count();
    if voters.is_multiple_of(2) && voters > 0 {
        alarms.push(format!("the number of voters is even, {voters}: promote or demote one"));
    }
    alarms.extend(
        list.members.iter().filter_map(|member| member_alarm(member, list, status.node_id)),
    );
    alarms
}

/// Returns the worst alarm of a member.
fn member_alarm(member: &MemberStatus, list: &MemberList, this: NodeId) -> Option<String> {
    let id = member.node_id;
    if is_reachable(member, list, this) == Some(false) {
        let silence = member.last_contact.map_or_else(
            || "has not been heard from since the leader started".to_owned(),
            |ago| format!("has not been heard from for {} s", ago.as_secs()),
        );
        return Some(format!("node {id} at {} {silence}", member.address));
    }
    let offset = member.clock_offset.filter(|_| list.is_by_leader)?;
    (offset.unsigned_abs() > CLOCK_OFFSET_MAX)
        .then(|| format!("the clock of node {id} is {offset:+} s off the leader's"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(age_s: u64, leader: Option<u64>) -> LedgerStatus {
        let staleness =
            Staleness { age: Some(Duration::from_secs(age_s)), max: Duration::from_secs(10) };
        LedgerStatus {
            ready: if staleness.is_stale() { Err(Unready::Stale(staleness)) } else { Ok(()) },
            staleness,
            node_id: NodeId(1),
            leader: leader.map(NodeId),
            term: 1,
            born_at: UnixSeconds::new(0),
            log_time: UnixSeconds::new(0),
            applied: 0,
        }
    }

    fn member(number: u64, role: MemberRole) -> MemberStatus {
        MemberStatus {
            node_id: NodeId(number),
            address: format!("node{number}:7443"),
            role,
            is_leader: number == 1,
            lag: Some(0),
            last_contact: Some(Duration::ZERO),
            clock_offset: Some(60),
            version: None,
        }
    }

    fn list(members: impl IntoIterator<Item = MemberStatus>, is_by_leader: bool) -> MemberList {
        MemberList { members: members.into_iter().collect(), is_by_leader }
    }

    fn three() -> [MemberStatus; 3] {
        [member(1, MemberRole::Voter), member(2, MemberRole::Voter), member(3, MemberRole::Voter)]
    }

    #[test]
    fn a_healthy_cluster_has_no_alarms() {
        let lone = list([member(1, MemberRole::Voter)], true);
        assert_eq!(alarms(&status(0, Some(1)), false, &lone), [""; 0]);
        assert_eq!(alarms(&status(10, Some(1)), false, &list(three(), true)), [""; 0]);
    }

    #[test]
    fn alarms_name_nodes_and_numbers() {
        let mut members = three();
        members[1].last_contact = Some(Duration::from_secs(73));
        members[2].clock_offset = Some(-61);
        let found = alarms(&status(0, Some(1)), true, &list(members.clone(), true));
        for (alarm, words) in found.iter().zip([
            "the clock is more than a minute off",
            "node 0000000000000002 at node2:7443 has not been heard from for 73 s",
            "the clock of node 0000000000000003 is -61 s off the leader's",
        ]) {
            assert!(alarm.contains(words), "{alarm}");
        }
        assert_eq!(found.len(), 3);
        // Other nodes raise no alarm about what only the leader knows.
        let found = alarms(&status(12, None), false, &list(members, false));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("for 12 s (at most 10 s)"), "{found:?}");
        let found = alarms(&status(5, None), false, &list(three(), false));
        assert!(found[0].contains("no leader is known") && found.len() == 1, "{found:?}");
        let even = list([member(1, MemberRole::Voter), member(2, MemberRole::Voter)], true);
        assert_eq!(alarms(&status(0, Some(1)), false, &even).len(), 1);
    }
}
