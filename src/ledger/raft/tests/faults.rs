//! Spends while nodes and wires fail.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::*;
use super::seeds;
use super::sim_disk::Trouble;
use super::spend;
use super::story::Told;
use super::world::{Wire, World, simulate};
use crate::ledger::{Cluster as _, ClusterError};

#[test]
fn an_answer_that_was_lost_is_found_again_and_counts_once() {
    simulate(1, |world| async move {
        world.found(3).await;
        let leader = world.leader().await;
        let node = 1 + leader % 3;
        // Questions arrive, answers do not.
        world.cut(leader, node);
        let ledger = world.node(node);
        let asked = Instant::now();
        let spending = tokio::spawn(async move { ledger.spend(spend(1, 3, 1)).await });
        sleep(Duration::from_millis(900)).await;
        let counted = world.node(leader).applied.show(|s| s.token(spend(1, 3, 1).token).cloned());
        assert_eq!(counted.unwrap().used, 1, "the leader has counted it");
        assert!(!spending.is_finished());
        world.heal();
        let grant = spending.await.unwrap().unwrap().unwrap();
        assert_eq!(grant.used(), 1);
        assert!(asked.elapsed() < Duration::from_secs(5));
        assert_eq!(world.settled().await.token(spend(1, 3, 1).token).unwrap().used, 1);
    });
}

#[test]
fn after_a_leader_died_others_grant_within_three_seconds() {
    for seed in 0..20 {
        simulate(seed, |world| async move {
            world.found(3).await;
            let leader = world.leader().await;
            let node = 1 + leader % 3;
            let dead = Instant::now();
            world.crash(leader).await;
            let grant = world.node(node).spend(spend(1, 1, 1)).await;
            assert_eq!(grant.unwrap().unwrap().used(), 1);
            assert!(dead.elapsed() <= Duration::from_secs(3), "{:?}", dead.elapsed());
        });
    }
}

/// Followers had the entry before its leader's disk did, which then lost it.
#[test]
fn a_leader_that_lost_what_it_sent_does_not_lead_on() {
    for seed in 0..10 {
        simulate(seed, |world| async move {
            world.found(3).await;
            let leader = world.leader().await;
            world.trouble(leader, Trouble::PowerFailure);
            for request in 0..20 {
                let ledger = world.node(leader);
                let spent = ledger.spend(spend(1, 200, request)).await;
                if spent.is_err() {
                    break;
                }
            }
            world.crash(leader).await;
            world.start(leader).await;
            for request in 100..110 {
                let grant = world.node(leader).spend(spend(1, 200, request)).await;
                assert!(grant.is_ok_and(|grant| grant.is_ok()));
            }
            world.settled().await;
        });
    }
}

#[test]
fn without_a_majority_nothing_is_granted() {
    simulate(3, |world| async move {
        world.found(3).await;
        let leader = world.leader().await;
        for node in (1..=3).filter(|node| *node != leader) {
            world.crash(node).await;
        }
        let refused = world.node(leader).spend(spend(1, 1, 1)).await.unwrap_err();
        assert!(matches!(refused, LedgerError::OutcomeUnknown(_)), "{refused:?}");
        sleep(Duration::from_secs(10)).await;
        let refused = world.node(leader).spend(spend(1, 1, 2)).await.unwrap_err();
        assert!(matches!(refused, LedgerError::Unavailable(_)), "{refused:?}");
        assert!(world.node(leader).status().ready.is_err());
    });
}

/// How much log makes a snapshot due in these stories: a night has several.
const SNAPSHOT_EVERY: u64 = 20_000;

/// Does one thing to the world that a night may bring.
async fn fault(world: &World) {
    let ids = world.ids();
    let any = || ids[world.roll(ids.len())];
    match world.roll(10) {
        0 => world.isolate(any()),
        1 => world.cut(any(), any()),
        2 => restart_after(world, any(), None).await,
        3 => {
            let node = any();
            world.stop(node).await;
            world.start_as(node, World::identity(node), SNAPSHOT_EVERY).await;
        }
        4 => world.set_wire(Wire { lost: 5, twice: 10, delay: 50 }),
        5 => world.set_clock(any(), world.roll(120).cast_signed() as i64 - 60),
        6 => {
            let (of, heir) = (any(), any());
            let change = async |ledger: Arc<RaftLedger>| ledger.transfer_leader(Some(heir)).await;
            try_change(world, of, change).await;
        }
        7 => {
            // Three voters become one, or one three.
            let (one, other) = (any(), any());
            let both = BTreeSet::from([one, other]);
            let (of, grow) = (any(), world.roll(2) == 0);
            let change = async |ledger: Arc<RaftLedger>| {
                if grow { ledger.promote(both).await } else { ledger.demote(both).await }
            };
            try_change(world, of, change).await;
        }
        8 => {
            let trouble = if world.roll(2) == 0 {
                Trouble::PowerFailure
            } else {
                Trouble::Error(io::ErrorKind::StorageFull)
            };
            restart_after(world, any(), Some(trouble)).await;
        }
        _ => {
            world.heal();
            world.set_wire(Wire { delay: 5, ..Wire::default() });
        }
    }
}

/// Cuts the power of a node, some time after its disk got into trouble.
async fn restart_after(world: &World, node: u64, trouble: Option<Trouble>) {
    if let Some(trouble) = trouble {
        world.trouble(node, trouble);
        sleep(Duration::from_millis(world.roll(3_000) as u64)).await;
    }
    world.crash(node).await;
    sleep(Duration::from_millis(world.roll(3_000) as u64)).await;
    world.start_as(node, World::identity(node), SNAPSHOT_EVERY).await;
}

async fn try_change(
    world: &World,
    node: u64,
    change: impl AsyncFnOnce(Arc<RaftLedger>) -> Result<(), ClusterError>,
) {
    if let Some(ledger) = world.running(node) {
        // Most of these wishes are refused, or time out in the middle of it.
        let _ = tokio::time::timeout(Duration::from_secs(3), change(ledger)).await;
    }
}

/// One story: three voters and a learner, clients everywhere, a dozen faults.
async fn night(world: World) -> usize {
    world.found(3).await;
    world.join(4).await;
    let told = Told::default();
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let (told, world) = (told.clone(), world.clone());
            tokio::spawn(async move { told.redeem(&world, client * 1_000, 25).await })
        })
        .collect();
    for _ in 0..12 {
        sleep(Duration::from_millis(world.roll(1_500) as u64)).await;
        fault(&world).await;
    }
    world.heal();
    world.set_wire(Wire::default());
    for node in world.ids() {
        world.set_clock(node, 0);
        if world.running(node).is_none() {
            world.start(node).await;
        }
    }
    for client in clients {
        client.await.unwrap();
    }
    world.leader().await;
    told.check(&world.settled().await);
    told.granted()
}

#[test]
fn whatever_fails_no_token_is_used_too_often_and_no_grant_is_lost() {
    let granted: BTreeSet<usize> =
        seeds::tell(30, |seed| simulate(seed, night)).into_iter().collect();
    assert!(granted.last().is_some_and(|most| *most > 20), "{granted:?}");
}

#[test]
fn a_seed_tells_the_same_story_again() {
    let story = |seed| {
        simulate(seed, |world| async move {
            let began = Instant::now();
            let granted = night(world.clone()).await;
            let node = world.node(1);
            (granted, began.elapsed(), node.status().applied, node.status().leader)
        })
    };
    assert_eq!(story(5), story(5));
    assert_ne!(story(5), story(6));
}
