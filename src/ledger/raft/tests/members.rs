//! Who belongs to a cluster, and who is refused.

use std::time::Duration;

use openraft::type_config::async_runtime::watch::WatchReceiver as _;
use tokio::time::{Instant, sleep};

use super::super::peers::{
    Envelope, PeerRefusal, Request, Response, decode_body, decode_head, encode,
};
use super::world::{Wire, World, simulate};
use super::*;
use super::{nodes, spend, token_of};
use crate::ledger::{MemberRole, Membership as _, MembershipError, NodeId, Revocation};

async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

async fn granted(ledger: &RaftLedger, number: u8, max: u32, request: u32) -> Option<u32> {
    ledger.spend(spend(number, max, request)).await.unwrap().ok().map(|grant| grant.used())
}

#[test]
fn a_lone_node_grows_to_three_through_a_snapshot_and_keeps_every_count() {
    simulate(1, |world| async move {
        world.found(1).await;
        let first = world.node(1);
        for request in 0..300 {
            assert!(granted(&first, (request % 100) as u8, 4, request).await.is_some());
        }
        let applied = first.status().applied;
        first.raft.trigger().snapshot().await.unwrap();
        let wait = || first.raft.wait(Some(Duration::from_secs(10)));
        wait().metrics(|m| m.snapshot.is_some(), "snapshot").await.unwrap();
        first.raft.trigger().purge_log(applied).await.unwrap();
        wait()
            .metrics(|m| m.purged.is_some_and(|at| at.index() == applied), "purge")
            .await
            .unwrap();
        let before = first.applied.show(snapshot_hash);

        world.join(2).await;
        let even = first.promote(nodes([2])).await.unwrap_err();
        assert_eq!(even, MembershipError::EvenVoters(2));
        world.join(3).await;
        first.promote(nodes([2, 3])).await.unwrap();
        let state = world.settled().await;
        assert_eq!(state.token(spend(7, 4, 0).token).unwrap().used, 3);
        assert!(world.node(3).raft.metrics().borrow_watched().snapshot.is_some());
        assert_ne!(before, [0; 32]);
        for (request, node) in [(1_000, 1), (1_001, 2), (1_002, 3)] {
            let used = granted(&world.node(node), 7, 4, request).await;
            assert_eq!(used, (request == 1_000).then_some(4), "at node {node}");
        }
        let members = world.node(3).members().await.members;
        assert_eq!(members.len(), 3);
        assert!(
            members.iter().all(|member| member.role == MemberRole::Voter && member.lag == Some(0))
        );
        assert!(members.iter().all(|member| member.clock_offset == Some(0)));
        assert!(
            members.iter().all(|member| member.address == format!("node-{}", member.node_id.0))
        );
        assert_eq!(members.iter().filter(|member| member.is_leader).count(), 1);
    });
}

fn snapshot_hash(state: &State) -> [u8; 32] {
    snapshot::state_hash(state)
}

#[test]
fn a_change_moves_the_leader_first_and_never_leaves_two_voters() {
    simulate(2, |world| async move {
        world.found(3).await;
        world.join(4).await;
        for node in [1, 2] {
            let alone = || nodes([node]);
            assert_eq!(world.node(node).demote(alone()).await, Err(MembershipError::EvenVoters(2)));
            assert_eq!(
                world.node(node).remove(alone()).await,
                Err(MembershipError::IsVoter(NodeId(node)))
            );
        }
        let all = world.node(1).demote(nodes([1, 2, 3])).await;
        assert_eq!(all, Err(MembershipError::LastVoter));
        world.node(2).transfer_leader(Some(NodeId(1))).await.unwrap();
        assert_eq!(world.leader().await, 1);
        // The leader itself is replaced.
        world.node(1).replace(NodeId(1), NodeId(4)).await.unwrap();
        assert_ne!(world.leader_of(2).await, 1);
        let members = world.node(3).members().await.members;
        let roles: Vec<_> = members.iter().map(|one| (one.node_id.0, one.role)).collect();
        assert_eq!(roles, [(2, MemberRole::Voter), (3, MemberRole::Voter), (4, MemberRole::Voter)]);
        assert_eq!(granted(&world.node(4), 1, 1, 1).await, Some(1));
        // The removed one is told, and does not vouch for anything.
        pass(30).await;
        let removed = world.node(1).status();
        assert!(removed.ready.unwrap_err().to_string().contains("not a member"));
        let again = world.node(2).add_learner(NodeId(1), "node-1".to_owned()).await.unwrap_err();
        assert_eq!(again, MembershipError::WasMember(NodeId(1)));
        // Down to one voter in one change, whoever leads.
        world.stop(1).await;
        world.node(2).demote(nodes([2, 3])).await.unwrap();
        assert_eq!(world.leader_of(3).await, 4);
        assert_eq!(granted(&world.node(2), 2, 1, 2).await, Some(1));
    });
}

#[test]
fn a_restart_keeps_the_members_and_a_stopped_leader_hands_over() {
    simulate(3, |world| async move {
        world.found(3).await;
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
        world.settled().await;
    });
}

#[test]
fn a_learner_knows_of_a_revocation_within_a_second() {
    simulate(4, |world| async move {
        world.found(3).await;
        let learner = world.join(4).await;
        world.set_wire(Wire { delay: 50, ..Wire::default() });
        pass(3).await;
        let token = spend(1, 1, 1).token;
        let revocation = Revocation::Token { nonce: token.nonce, expires_at: None };
        world.node(2).revoke(revocation).await.unwrap();
        pass(1).await;
        assert!(learner.standing(&token_of(&spend(1, 1, 1))).unwrap().revoked);
        // Without any spend the learner stays fresh, and a lone node writes nothing.
        pass(60).await;
        assert!(learner.standing(&token_of(&spend(1, 1, 1))).is_ok());
    });
}

#[test]
fn a_lone_node_writes_nothing_of_itself() {
    simulate(5, |world| async move {
        world.found(1).await;
        pass(5).await;
        let before = world.node(1).status().applied;
        pass(600).await;
        assert_eq!(world.node(1).status().applied, before);
        assert!(world.node(1).status().ready.is_ok());
    });
}

#[test]
fn a_node_that_votes_alone_needs_no_learner_to_serve() {
    simulate(7, |world| async move {
        world.found(1).await;
        world.join(2).await;
        let taken = world.node(1).add_learner(NodeId(3), "node-2".to_owned()).await;
        assert_eq!(taken, Err(MembershipError::AddressTaken(NodeId(2), "node-2".to_owned())));
        world.crash(2).await;
        pass(60).await;
        assert_eq!(world.node(1).status().ready, Ok(()));
        assert!(world.node(1).standing(&token_of(&spend(1, 1, 1))).is_ok());
        assert_eq!(granted(&world.node(1), 1, 1, 1).await, Some(1));
        // It knows what it counted before it vouches for anything.
        world.crash(1).await;
        world.start(1).await;
        pass(60).await;
        assert_eq!(world.node(1).status().ready, Ok(()));
        assert_eq!(granted(&world.node(1), 1, 1, 2).await, None);
    });
}

#[test]
fn a_node_that_is_cut_off_vouches_for_nothing_after_max_staleness() {
    simulate(6, |world| async move {
        world.found(3).await;
        world.join(4).await;
        pass(5).await;
        let leader = world.leader().await;
        let token = token_of(&spend(1, 1, 1));
        // A leader that is cut off with a learner makes neither of them fresh.
        for node in [leader, 4] {
            for other in (1..=3).filter(|other| *other != leader) {
                world.cut(node, other);
                world.cut(other, node);
            }
        }
        pass(8).await;
        for node in 1..=4 {
            assert!(world.node(node).standing(&token).is_ok(), "node {node}");
        }
        pass(4).await;
        for node in 1..=4 {
            let cut_off = node == leader || node == 4;
            let ledger = world.node(node);
            // What it knew stays readable, for those who only look.
            assert!(ledger.last_known_standing(&token).is_ok(), "node {node}");
            let status = ledger.status();
            if cut_off {
                let why = status.ready.clone().unwrap_err().in_public();
                assert!(why.contains("not heard from a majority for 1"), "{why}");
                assert!(why.contains("(at most 10 s)"), "{why}");
            }
            // The learner still hears the leader that was cut off with it, which
            // hears nobody who counts.
            assert_eq!(status.leader.is_none(), node == leader, "node {node}");
            assert_eq!(
                ledger.members_known_here().is_by_leader,
                status.leader == Some(status.node_id)
            );
            assert_eq!(world.node(node).standing(&token).is_err(), cut_off, "node {node}");
            assert_eq!(world.node(node).status().ready.is_err(), cut_off, "node {node}");
        }
        world.heal();
        pass(4).await;
        assert!((1..=4).all(|node| world.node(node).standing(&token).is_ok()));
    });
}

#[test]
fn a_node_with_a_wrong_clock_does_not_lead_and_does_not_move_the_ledger() {
    simulate(7, |world| async move {
        world.found(3).await;
        let leader = world.leader().await;
        world.set_clock(leader, 3_600);
        pass(5).await;
        assert_ne!(world.leader().await, leader);
        assert!(world.node(leader).is_clock_off());
        assert_eq!(granted(&world.node(leader), 1, 1, 1).await, Some(1));
        let now = NOW + 10;
        assert!(world.node(1).log_time().get() < now, "{:?}", world.node(1).log_time());
        // It does not lead either when it alone would be asked to.
        let refused = world.node(1).transfer_leader(Some(NodeId(leader))).await;
        assert!(refused.is_err(), "{refused:?}");
        world.set_clock(leader, 0);
        pass(5).await;
        world.node(1).transfer_leader(Some(NodeId(leader))).await.unwrap();
        assert_eq!(world.leader().await, leader);
    });
}

#[test]
fn an_old_disk_and_a_copied_folder_are_refused() {
    simulate(8, |world| async move {
        world.found(3).await;
        world.node(3).transfer_leader(Some(NodeId(1))).await.unwrap();
        world.stop(3).await;
        let old = world.copy_of_disks(3);
        world.start(3).await;
        assert_eq!(granted(&world.node(3), 1, 1, 1).await, Some(1));
        world.settled().await;

        // The old disk comes back under its old id, however often it is started.
        world.stop(3).await;
        let good = world.copy_of_disks(3);
        world.put_disks(3, old);
        for _ in 0..3 {
            let ledger = world.start(3).await;
            pass(20).await;
            let ready = ledger.status().ready.unwrap_err().to_string();
            assert!(ready.contains("old disk") && ready.contains("fresh directory"), "{ready}");
            assert!(ledger.spend(spend(2, 1, 2)).await.is_err());
            drop(ledger);
            world.stop(3).await;
        }
        assert_eq!(granted(&world.node(2), 1, 1, 3).await, None);
        // The right one is welcome.
        world.put_disks(3, good);
        world.start(3).await;
        world.settled().await;
    });
}

#[test]
fn a_disk_that_was_set_back_to_a_moment_of_its_last_run_is_refused() {
    simulate(11, |world| async move {
        world.found(3).await;
        world.node(3).transfer_leader(Some(NodeId(1))).await.unwrap();
        world.settled().await;
        let old = world.copy_of_disks(3);
        assert_eq!(granted(&world.node(3), 1, 1, 1).await, Some(1));
        world.settled().await;
        pass(15).await;
        // All power fails. Two make a majority, and neither need know of the use.
        for node in 1..=3 {
            world.crash(node).await;
        }
        let good = world.copy_of_disks(3);
        world.put_disks(3, old);
        world.start(2).await;
        let ledger = world.start(3).await;
        pass(20).await;
        let ready = ledger.status().ready.unwrap_err().to_string();
        assert!(ready.contains("old disk") && ready.contains("fresh directory"), "{ready}");
        assert!(world.node(2).spend(spend(2, 1, 2)).await.is_err());
        drop(ledger);
        world.crash(3).await;
        world.put_disks(3, good);
        world.start(3).await;
        assert_eq!(granted(&world.node(2), 1, 1, 3).await, None);
        world.start(1).await;
        world.settled().await;
    });
}

#[test]
fn an_old_disk_on_which_a_node_votes_alone_decides_nothing_once_another_one_speaks_to_it() {
    // Of before it had others, and of when it had.
    for knows_others in [false, true] {
        simulate(12, |world| async move {
            world.found(1).await;
            let mut old = world.copy_of_disks(1);
            world.join(2).await;
            world.settled().await;
            if knows_others {
                old = world.copy_of_disks(1);
            }
            assert_eq!(granted(&world.node(1), 1, 1, 1).await, Some(1));
            world.settled().await;
            pass(15).await;
            world.crash(1).await;
            world.put_disks(1, old);
            let ledger = world.start(1).await;
            pass(5).await;
            let ready = ledger.status().ready.unwrap_err().to_string();
            assert!(ready.contains("old disk") && ready.contains("fresh directory"), "{ready}");
            for node in [1, 2] {
                assert!(world.node(node).spend(spend(1, 1, 2)).await.is_err());
            }
            assert!(ledger.standing(&token_of(&spend(2, 1, 3))).is_err());
        });
    }
}

#[test]
fn a_node_whose_address_is_wrong_says_so_itself() {
    simulate(12, |world| async move {
        world.found(1).await;
        world.cut(1, 2);
        let joined = world.join(2).await;
        pass(9).await;
        assert_eq!(joined.peer_errors(), [""; 0]);
        pass(2).await;
        let alarms = joined.peer_errors();
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        let words = ["reached this node at node-2 since", "cluster remove 0000000000000002`"];
        assert!(words.iter().all(|words| alarms[0].contains(words)), "{alarms:?}");
        assert!(!world.node(1).peer_errors().iter().any(|told| told.contains("no other node")));

        world.heal();
        world.settled().await;
        assert_eq!(joined.peer_errors(), [""; 0]);
        // It knows the others now, and can tell them where it is.
        drop(joined);
        world.stop(2).await;
        world.cut(1, 2);
        let moved = world.start(2).await;
        pass(11).await;
        assert!(
            moved.peer_errors()[0].contains("correct `cluster.address`"),
            "{:?}",
            moved.peer_errors()
        );
    });
}

#[test]
fn a_node_that_is_alone_or_leads_waits_for_nobody() {
    simulate(13, |world| async move {
        world.found(1).await;
        world.join(2).await;
        world.settled().await;
        world.stop(2).await;
        world.stop(1).await;
        let first = world.start(1).await;
        pass(60).await;
        assert!(first.is_leader());
        assert!(!first.peer_errors().iter().any(|told| told.contains("no other node")));
    });
}

#[test]
fn strangers_are_refused_with_words_that_help() {
    simulate(9, |world| async move {
        world.found(3).await;
        let ledger = world.node(1);
        // Another ledger.
        let other = Identity { ledger_id: [8; 16], ..World::identity(2) };
        let refused = refusal(&ledger, 2, &other, 1);
        assert_eq!(refused.await, PeerRefusal::OtherLedger);
        // Meant for another node.
        assert_eq!(
            refusal(&ledger, 2, &World::identity(2), 3).await,
            PeerRefusal::OtherTarget(NodeId(1))
        );
        // The certificate of another node, or of this very one.
        assert_eq!(refusal(&ledger, 3, &World::identity(2), 1).await, PeerRefusal::OtherSender);
        assert_eq!(refusal(&ledger, 1, &World::identity(1), 1).await, PeerRefusal::OtherSender);
        // Noise, and another version.
        for noise in [&b""[..], &[1], &[3, 0, 0, 0], &[0xff; 64]] {
            let answer = ledger.receive(NodeId(2), noise).await;
            let (_, body) = decode_head(&answer).unwrap();
            let answer: Response = decode_body(body).unwrap();
            assert!(matches!(answer, Response::Refused(PeerRefusal::Format)), "{answer:?}");
        }
        for refusal in [PeerRefusal::OtherLedger, PeerRefusal::NotMember, PeerRefusal::OldDirectory]
        {
            assert!(
                refusal.to_string().contains("fresh") || refusal.to_string().contains("afresh")
            );
        }
    });
}

/// What a node says to a message from `sender` that came over the wire of `from`.
async fn refusal(ledger: &RaftLedger, from: u64, sender: &Identity, to: u64) -> PeerRefusal {
    let head = Envelope {
        ledger_id: sender.ledger_id,
        from: sender.node_id,
        to: NodeId(to),
        incarnation: 1,
        known_receiver: None,
        number: 0,
        durable_index: 0,
        introduction: None,
        clock: UnixSeconds::new(NOW),
        version: String::new(),
    };
    let bytes = encode(&head, &Request::Members).unwrap();
    let answer = ledger.receive(NodeId(from), &bytes).await;
    let (_, body) = decode_head(&answer).unwrap();
    let answer: Response = decode_body(body).unwrap();
    let Response::Refused(refusal) = answer else { panic!("{answer:?}") };
    refusal
}
