//! Membership changes, stale nodes, and nodes that the cluster refuses.

use std::time::Duration;

use openraft::type_config::async_runtime::watch::WatchReceiver as _;
use tokio::time::{Instant, sleep};

use super::super::peers::{
    Envelope, PeerRefusal, Request, Response, decode_body, decode_head, encode,
};
use super::world::{NetworkFaults, World, simulate};
use super::*;
use super::{nodes, spend, token_of};
use crate::ledger::{MemberRole, Membership as _, MembershipError, NodeId, Revocation};

async fn wait_secs(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

/// Spends once; returns the count if the spend is granted.
async fn granted(ledger: &RaftLedger, number: u8, max: u32, request: u32) -> Option<u32> {
    ledger.spend(spend(number, max, request)).await.unwrap().ok().map(|grant| grant.used())
}

fn assert_refused_as_old(ledger: &RaftLedger) {
    let ready = ledger.status().ready.unwrap_err().to_string();
    assert!(ready.contains("old disk") && ready.contains("fresh directory"), "{ready}");
}

#[test]
fn a_lone_node_grows_to_three_through_a_snapshot_and_keeps_every_count() {
    simulate(1, |world| async move {
        world.create_cluster(1).await;
        let first = world.node(1);
        for request in 0..300 {
            assert!(granted(&first, (request % 100) as u8, 4, request).await.is_some());
        }
        first.compact().await.unwrap();
        world.add_learner(2).await;
        let even = first.promote(nodes([2])).await.unwrap_err();
        assert_eq!(even, MembershipError::EvenVoters(2));
        world.add_learner(3).await;
        first.promote(nodes([2, 3])).await.unwrap();
        let state = world.converged().await;
        assert_eq!(state.token(spend(7, 4, 0).token).unwrap().used, 3);
        assert!(world.node(3).raft.metrics().borrow_watched().snapshot.is_some());
        for (request, node) in [(1_000, 1), (1_001, 2), (1_002, 3)] {
            let used = granted(&world.node(node), 7, 4, request).await;
            assert_eq!(used, (request == 1_000).then_some(4), "at node {node}");
        }
        let members = world.node(3).members().await.members;
        assert_eq!(members.len(), 3);
        for member in &members {
            assert_eq!((member.role, member.lag), (MemberRole::Voter, Some(0)));
            assert_eq!(member.clock_offset, Some(0));
            assert_eq!(member.address, format!("node-{}", member.node_id.0));
        }
        assert_eq!(members.iter().filter(|member| member.is_leader).count(), 1);
    });
}

#[test]
fn replacing_or_demoting_the_leader_transfers_leadership_and_never_leaves_two_voters() {
    simulate(2, |world| async move {
        world.create_cluster(3).await;
        world.add_learner(4).await;
        for node in [1, 2] {
            let only = || nodes([node]);
            let ledger = world.node(node);
            assert_eq!(ledger.demote(only()).await, Err(MembershipError::EvenVoters(2)));
            assert_eq!(ledger.remove(only()).await, Err(MembershipError::IsVoter(NodeId(node))));
        }
        let all = world.node(1).demote(nodes([1, 2, 3])).await;
        assert_eq!(all, Err(MembershipError::LastVoter));
        world.node(2).transfer_leader(Some(NodeId(1))).await.unwrap();
        assert_eq!(world.leader().await, 1);
        // Replace the leader.
        world.node(1).replace(NodeId(1), NodeId(4)).await.unwrap();
        assert_ne!(world.leader_of(2).await, 1);
        let members = world.node(3).members().await.members;
        let roles: Vec<_> = members.iter().map(|one| (one.node_id.0, one.role)).collect();
        assert_eq!(roles, [(2, MemberRole::Voter), (3, MemberRole::Voter), (4, MemberRole::Voter)]);
        assert_eq!(granted(&world.node(4), 1, 1, 1).await, Some(1));
        // The removed node learns of it and is not ready.
        wait_secs(30).await;
        let removed = world.node(1).status();
        assert!(removed.ready.unwrap_err().to_string().contains("not a member"));
        let again = world.node(2).add_learner(NodeId(1), "node-1".to_owned()).await.unwrap_err();
        assert_eq!(again, MembershipError::WasMember(NodeId(1)));
        // Demote two of three voters in one change, including the leader.
        world.stop(1).await;
        world.node(2).demote(nodes([2, 3])).await.unwrap();
        assert_eq!(world.leader_of(3).await, 4);
        assert_eq!(granted(&world.node(2), 2, 1, 2).await, Some(1));
    });
}

#[test]
fn a_restart_keeps_the_members_and_a_stopped_leader_transfers_leadership() {
    simulate(3, |world| async move {
        world.create_cluster(3).await;
        let leader = world.leader().await;
        let before = Instant::now();
        world.stop(leader).await;
        let other = 1 + leader % 3;
        assert_eq!(granted(&world.node(other), 1, 2, 1).await, Some(1));
        assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
        for node in 1..=3 {
            world.stop(node).await;
        }
        for node in 1..=3 {
            world.start(node).await;
        }
        world.leader().await;
        assert_eq!(granted(&world.node(leader), 1, 2, 2).await, Some(2));
        assert_eq!(world.node(leader).members().await.members.len(), 3);
        world.converged().await;
    });
}

#[test]
fn a_learner_learns_of_a_revocation_within_a_second() {
    simulate(4, |world| async move {
        world.create_cluster(3).await;
        let learner = world.add_learner(4).await;
        world.set_network_faults(NetworkFaults { delay_max_ms: 50, ..NetworkFaults::default() });
        wait_secs(3).await;
        let token = spend(1, 1, 1).token;
        let revocation = Revocation::Token { nonce: token.nonce, expires_at: None };
        world.node(2).revoke(revocation).await.unwrap();
        wait_secs(1).await;
        assert!(learner.standing(&token_of(&spend(1, 1, 1))).unwrap().revoked);
        // The learner stays fresh without any spend.
        wait_secs(60).await;
        assert!(learner.standing(&token_of(&spend(1, 1, 1))).is_ok());
    });
}

#[test]
fn an_idle_lone_node_writes_nothing() {
    simulate(5, |world| async move {
        world.create_cluster(1).await;
        wait_secs(5).await;
        let before = world.node(1).status().applied;
        wait_secs(600).await;
        assert_eq!(world.node(1).status().applied, before);
        assert!(world.node(1).status().ready.is_ok());
    });
}

#[test]
fn a_lone_voter_serves_without_its_learner() {
    simulate(7, |world| async move {
        world.create_cluster(1).await;
        world.add_learner(2).await;
        let taken = world.node(1).add_learner(NodeId(3), "node-2".to_owned()).await;
        assert_eq!(taken, Err(MembershipError::AddressTaken(NodeId(2), "node-2".to_owned())));
        world.crash(2).await;
        wait_secs(60).await;
        assert_eq!(world.node(1).status().ready, Ok(()));
        assert!(world.node(1).standing(&token_of(&spend(1, 1, 1))).is_ok());
        assert_eq!(granted(&world.node(1), 1, 1, 1).await, Some(1));
        // After a restart it still knows the count.
        world.crash(1).await;
        world.start(1).await;
        wait_secs(60).await;
        assert_eq!(world.node(1).status().ready, Ok(()));
        assert_eq!(granted(&world.node(1), 1, 1, 2).await, None);
    });
}

#[test]
fn messages_that_arrive_late_do_not_make_a_node_vouch_again() {
    for delay in [5, 14, 30, 45, 90] {
        simulate(1, move |world| async move {
            world.create_cluster(3).await;
            drop(world.add_learner(4).await);
            let leader = world.leader().await;
            wait_secs(5).await;
            let token = token_of(&spend(9, 1, 0));
            assert!(world.node(4).standing(&token).is_ok());
            // Messages are on their way to the node when it is cut off.
            world.slow_down(4, Duration::from_secs(delay));
            wait_secs(2).await;
            world.isolate(4);
            wait_secs(3).await;
            let revocation = Revocation::Token { nonce: token.id().nonce, expires_at: None };
            world.node(leader).revoke(revocation).await.unwrap();
            let revoked_at = Instant::now();
            while revoked_at.elapsed() < Duration::from_secs(100) {
                sleep(Duration::from_millis(250)).await;
                if world.node(4).standing(&token).is_ok_and(|standing| !standing.revoked) {
                    let late = revoked_at.elapsed();
                    assert!(late <= Options::default().max_staleness, "{late:?} too late");
                }
            }
            world.heal();
            wait_secs(delay + 10).await;
            assert!(world.node(4).standing(&token).unwrap().revoked);
        });
    }
}

#[test]
fn a_node_that_was_suspended_does_not_vouch_for_what_it_knew_before() {
    simulate(1, |world| async move {
        world.create_cluster(3).await;
        drop(world.add_learner(4).await);
        wait_secs(5).await;
        let token = token_of(&spend(9, 1, 0));
        let leader = world.leader().await;
        for node in [leader, 4] {
            assert!(world.node(node).standing(&token).is_ok());
            world.isolate(node);
            // The monotonic clock stands still during a suspension; the wall clock does not.
            world.set_clock(node, 60);
            assert!(world.node(node).standing(&token).is_err(), "node {node}");
            world.set_clock(node, 0);
            world.heal();
            wait_secs(5).await;
        }
    });
}

#[test]
fn a_node_that_is_cut_off_reports_no_standing_after_max_staleness() {
    simulate(6, |world| async move {
        world.create_cluster(3).await;
        world.add_learner(4).await;
        wait_secs(5).await;
        let leader = world.leader().await;
        let token = token_of(&spend(1, 1, 1));
        // A learner that is cut off together with the leader does not keep it fresh.
        for node in [leader, 4] {
            for other in (1..=3).filter(|other| *other != leader) {
                world.cut(node, other);
                world.cut(other, node);
            }
        }
        wait_secs(8).await;
        for node in 1..=4 {
            assert!(world.node(node).standing(&token).is_ok(), "node {node}");
        }
        wait_secs(4).await;
        for node in 1..=4 {
            let cut_off = node == leader || node == 4;
            let ledger = world.node(node);
            // Stale viewers can still read the last known standing.
            assert!(ledger.last_known_standing(&token).is_ok(), "node {node}");
            let status = ledger.status();
            if cut_off {
                let why = status.ready.clone().unwrap_err().in_public();
                assert!(why.contains("not heard from a majority for 1"), "{why}");
                assert!(why.contains("(at most 10 s)"), "{why}");
            }
            // The learner still hears the leader, but the leader hears no other voter.
            assert_eq!(status.leader.is_none(), node == leader, "node {node}");
            let is_by_leader = ledger.members_known_here().is_by_leader;
            assert_eq!(is_by_leader, status.leader == Some(status.node_id));
            assert_eq!(ledger.standing(&token).is_err(), cut_off, "node {node}");
            assert_eq!(status.ready.is_err(), cut_off, "node {node}");
        }
        world.heal();
        wait_secs(4).await;
        assert!((1..=4).all(|node| world.node(node).standing(&token).is_ok()));
    });
}

#[test]
fn a_node_with_a_wrong_clock_neither_leads_nor_advances_the_ledgers_time() {
    simulate(7, |world| async move {
        world.create_cluster(3).await;
        let leader = world.leader().await;
        world.set_clock(leader, 3_600);
        wait_secs(5).await;
        assert_ne!(world.leader().await, leader);
        assert!(world.node(leader).is_clock_off());
        assert_eq!(granted(&world.node(leader), 1, 1, 1).await, Some(1));
        let now = NOW + 10;
        assert!(world.node(1).log_time().get() < now, "{:?}", world.node(1).log_time());
        // A transfer of the leadership to it is refused.
        let refused = world.node(1).transfer_leader(Some(NodeId(leader))).await;
        assert!(refused.is_err(), "{refused:?}");
        world.set_clock(leader, 0);
        wait_secs(5).await;
        world.node(1).transfer_leader(Some(NodeId(leader))).await.unwrap();
        assert_eq!(world.leader().await, leader);
    });
}

#[test]
fn a_node_on_an_old_disk_is_refused() {
    simulate(8, |world| async move {
        world.create_cluster(3).await;
        world.node(3).transfer_leader(Some(NodeId(1))).await.unwrap();
        world.stop(3).await;
        let old = world.copy_disks(3);
        world.start(3).await;
        assert_eq!(granted(&world.node(3), 1, 1, 1).await, Some(1));
        world.converged().await;
        // Followers exchange messages every second, and so record this incarnation.
        wait_secs(2).await;

        // The old disk is refused at every start.
        world.stop(3).await;
        let current = world.copy_disks(3);
        world.replace_disks(3, old);
        for _ in 0..3 {
            let ledger = world.start(3).await;
            wait_secs(20).await;
            assert_refused_as_old(&ledger);
            assert!(ledger.spend(spend(2, 1, 2)).await.is_err());
            drop(ledger);
            world.stop(3).await;
        }
        assert_eq!(granted(&world.node(2), 1, 1, 3).await, None);
        // The current disk is accepted.
        world.replace_disks(3, current);
        world.start(3).await;
        world.converged().await;
    });
}

#[test]
fn a_disk_that_was_set_back_within_its_last_incarnation_is_refused() {
    simulate(11, |world| async move {
        world.create_cluster(3).await;
        world.node(3).transfer_leader(Some(NodeId(1))).await.unwrap();
        world.converged().await;
        let old = world.copy_disks(3);
        assert_eq!(granted(&world.node(3), 1, 1, 1).await, Some(1));
        world.converged().await;
        wait_secs(15).await;
        // All nodes crash. Two of them make a majority that may not know of the use.
        for node in 1..=3 {
            world.crash(node).await;
        }
        let current = world.copy_disks(3);
        world.replace_disks(3, old);
        world.start(2).await;
        let ledger = world.start(3).await;
        wait_secs(20).await;
        assert_refused_as_old(&ledger);
        assert!(world.node(2).spend(spend(2, 1, 2)).await.is_err());
        drop(ledger);
        world.crash(3).await;
        world.replace_disks(3, current);
        world.start(3).await;
        assert_eq!(granted(&world.node(2), 1, 1, 3).await, None);
        world.start(1).await;
        world.converged().await;
    });
}

#[test]
fn a_lone_voter_on_an_old_disk_decides_nothing_once_another_node_sends_it_a_message() {
    // The old disk is from before or after the learner was added.
    for knows_learner in [false, true] {
        simulate(12, |world| async move {
            world.create_cluster(1).await;
            let mut old = world.copy_disks(1);
            world.add_learner(2).await;
            world.converged().await;
            if knows_learner {
                old = world.copy_disks(1);
            }
            assert_eq!(granted(&world.node(1), 1, 1, 1).await, Some(1));
            world.converged().await;
            wait_secs(15).await;
            world.crash(1).await;
            world.replace_disks(1, old);
            let ledger = world.start(1).await;
            wait_secs(5).await;
            assert_refused_as_old(&ledger);
            for node in [1, 2] {
                assert!(world.node(node).spend(spend(1, 1, 2)).await.is_err());
            }
            assert!(ledger.standing(&token_of(&spend(2, 1, 3))).is_err());
        });
    }
}

#[test]
fn a_node_with_a_wrong_address_reports_it() {
    simulate(12, |world| async move {
        world.create_cluster(1).await;
        world.cut(1, 2);
        let joined = world.add_learner(2).await;
        wait_secs(9).await;
        assert_eq!(joined.peer_errors(), [""; 0]);
        wait_secs(2).await;
        let alarms = joined.peer_errors();
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        let words = ["reached this node at node-2 since", "cluster remove 0000000000000002`"];
        assert!(words.iter().all(|words| alarms[0].contains(words)), "{alarms:?}");
        assert!(!world.node(1).peer_errors().iter().any(|error| error.contains("no other node")));

        world.heal();
        world.converged().await;
        assert_eq!(joined.peer_errors(), [""; 0]);
        // It knows the other members now, so the report says how to correct the address.
        drop(joined);
        world.stop(2).await;
        world.cut(1, 2);
        let moved = world.start(2).await;
        wait_secs(11).await;
        let alarms = moved.peer_errors();
        assert!(alarms[0].contains("correct `cluster.address`"), "{alarms:?}");
    });
}

#[test]
fn a_lone_node_or_leader_does_not_report_that_it_is_unreachable() {
    simulate(13, |world| async move {
        world.create_cluster(1).await;
        world.add_learner(2).await;
        world.converged().await;
        world.stop(2).await;
        world.stop(1).await;
        let first = world.start(1).await;
        wait_secs(60).await;
        assert!(first.is_leader());
        assert!(!first.peer_errors().iter().any(|error| error.contains("no other node")));
    });
}

#[test]
fn unknown_senders_are_refused_with_helpful_messages() {
    simulate(9, |world| async move {
        world.create_cluster(3).await;
        let ledger = world.node(1);
        // A node of another ledger.
        let other = Identity { ledger_id: [8; 16], ..World::identity(2) };
        assert_eq!(refusal(&ledger, 2, &other, 1).await, PeerRefusal::OtherLedger);
        let for_another_node = refusal(&ledger, 2, &World::identity(2), 3).await;
        assert_eq!(for_another_node, PeerRefusal::OtherTarget(NodeId(1)));
        // A sender id that differs from the certificate's, and this node's own id.
        assert_eq!(refusal(&ledger, 3, &World::identity(2), 1).await, PeerRefusal::OtherSender);
        assert_eq!(refusal(&ledger, 1, &World::identity(1), 1).await, PeerRefusal::OtherSender);
        // Noise, and an unknown version.
        for message in [&b""[..], &[1], &[3, 0, 0, 0], &[0xff; 64]] {
            assert_eq!(refusal_of(&ledger, 2, message).await, PeerRefusal::Format);
        }
        for refusal in [PeerRefusal::OtherLedger, PeerRefusal::NotMember, PeerRefusal::OldDirectory]
        {
            assert!(refusal.to_string().contains("fresh"), "{refusal}");
        }
    });
}

/// Returns the refusal of a message by `sender` that arrives on a connection of `from`.
async fn refusal(ledger: &RaftLedger, from: u64, sender: &Identity, to: u64) -> PeerRefusal {
    let head = Envelope {
        ledger_id: sender.ledger_id,
        from: sender.node_id,
        to: NodeId(to),
        incarnation: 1,
        known_receiver: None,
        number: 0,
        confirmation: None,
        durable_index: 0,
        introduction: None,
        clock: UnixSeconds::new(NOW),
        version: String::new(),
    };
    let message = encode(&head, &Request::Members).unwrap();
    refusal_of(ledger, from, &message).await
}

/// Returns the refusal of a message that arrives on a connection of `from`.
async fn refusal_of(ledger: &RaftLedger, from: u64, message: &[u8]) -> PeerRefusal {
    let bytes = ledger.receive(NodeId(from), message).await;
    let (_, body) = decode_head(&bytes).unwrap();
    let response: Response = decode_body(body).unwrap();
    let Response::Refused(refusal) = response else { panic!("{response:?}") };
    refusal
}
