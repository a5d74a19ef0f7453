//! Spends under a single fault.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep, timeout};

use super::sim_disk::DiskFailure;
use super::spend;
use super::world::{NetworkFaults, simulate};
use super::*;

#[test]
fn a_repeated_request_whose_response_was_lost_counts_once() {
    simulate(1, |world| async move {
        world.create_cluster(3).await;
        let leader = world.leader().await;
        let node = 1 + leader % 3;
        // Requests arrive; responses do not.
        world.cut(leader, node);
        let ledger = world.node(node);
        let began = Instant::now();
        let spending = tokio::spawn(async move { ledger.spend(spend(1, 3, 1)).await });
        sleep(Duration::from_millis(900)).await;
        let counted = world.node(leader).applied.show(|s| s.token(spend(1, 3, 1).token).cloned());
        assert_eq!(counted.unwrap().used, 1, "the leader has not counted the use once");
        assert!(!spending.is_finished());
        world.heal();
        let grant = spending.await.unwrap().unwrap().unwrap();
        assert_eq!(grant.used(), 1);
        assert!(began.elapsed() < Duration::from_secs(5));
        assert_eq!(world.converged().await.token(spend(1, 3, 1).token).unwrap().used, 1);
    });
}

#[test]
fn other_nodes_grant_within_three_seconds_of_a_leader_crash() {
    for seed in 0..20 {
        simulate(seed, |world| async move {
            world.create_cluster(3).await;
            let leader = world.leader().await;
            let node = 1 + leader % 3;
            let crashed = Instant::now();
            world.crash(leader).await;
            let grant = world.node(node).spend(spend(1, 1, 1)).await;
            assert_eq!(grant.unwrap().unwrap().used(), 1);
            assert!(crashed.elapsed() <= Duration::from_secs(3), "{:?}", crashed.elapsed());
        });
    }
}

/// The simulated network loses messages, and unlike TCP it never retransmits them.
#[test]
fn a_node_grants_within_three_seconds_of_a_leader_crash_on_a_lossy_network() {
    for seed in 0..50 {
        simulate(seed, |world| async move {
            world.create_cluster(3).await;
            for request in 0..50 {
                let leader = world.leader().await;
                let grant = world.node(leader).spend(spend(1, 100, request)).await;
                assert!(grant.is_ok_and(|grant| grant.is_ok()));
            }
            world.set_network_faults(NetworkFaults {
                lost_percent: 5,
                duplicated_percent: 5,
                delay_max_ms: 50,
            });
            let leader = world.leader().await;
            sleep(Duration::from_secs(2)).await;
            let crashed = Instant::now();
            world.crash(leader).await;
            // A lost request takes longer, so the test waits for the first of many.
            let mut pending = FuturesUnordered::new();
            let mut request = 0;
            loop {
                for node in (1..=3).filter(|node| *node != leader) {
                    request += 1;
                    let ledger = world.node(node);
                    pending.push(async move { ledger.spend(spend(2, 1_000, request)).await });
                }
                let first = timeout(Duration::from_millis(100), pending.next()).await;
                if let Ok(Some(Ok(grant))) = first {
                    assert!(grant.is_ok());
                    break;
                }
            }
            assert!(crashed.elapsed() <= Duration::from_secs(3), "{:?}", crashed.elapsed());
        });
    }
}

/// The followers may hold an entry that the leader sent before its own disk lost it.
#[test]
fn a_leader_that_lost_entries_it_had_sent_does_not_continue_its_term() {
    for seed in 0..10 {
        simulate(seed, |world| async move {
            world.create_cluster(3).await;
            let leader = world.leader().await;
            world.plan_disk_fault(leader, DiskFailure::PowerFailure);
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
            world.converged().await;
        });
    }
}

#[test]
fn nothing_is_granted_without_a_majority() {
    simulate(3, |world| async move {
        world.create_cluster(3).await;
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
