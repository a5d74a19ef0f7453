//! What becomes of a spend when one thing fails.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep, timeout};

use super::sim_disk::DiskFailure;
use super::spend;
use super::world::{Wire, simulate};
use super::*;

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

/// What is lost here is never sent again, as TCP would, but by who asked.
#[test]
fn after_a_leader_died_on_a_bad_network_others_grant_within_three_seconds() {
    for seed in 0..50 {
        simulate(seed, |world| async move {
            world.found(3).await;
            for request in 0..50 {
                let leader = world.leader().await;
                let grant = world.node(leader).spend(spend(1, 100, request)).await;
                assert!(grant.is_ok_and(|grant| grant.is_ok()));
            }
            world.set_wire(Wire { lost: 5, twice: 5, delay: 50 });
            let leader = world.leader().await;
            sleep(Duration::from_secs(2)).await;
            let dead = Instant::now();
            world.crash(leader).await;
            // Whose question is lost waits for longer: what counts is that anybody is served.
            let mut asked = FuturesUnordered::new();
            let mut request = 0;
            loop {
                for node in (1..=3).filter(|node| *node != leader) {
                    request += 1;
                    let ledger = world.node(node);
                    asked.push(async move { ledger.spend(spend(2, 1_000, request)).await });
                }
                let in_time = timeout(Duration::from_millis(100), asked.next()).await;
                if let Ok(Some(Ok(grant))) = in_time {
                    assert!(grant.is_ok());
                    break;
                }
            }
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
            world.trouble(leader, DiskFailure::PowerFailure);
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
