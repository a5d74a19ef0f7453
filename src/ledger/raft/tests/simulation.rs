//! Simulation runs: clients at all nodes, and a dozen random faults.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::history::{CLIENTS, ClientHistory, ResponseCounts};
use super::sim_disk::{DiskFailure, SimDisk};
use super::world::{LogRetention, NetworkFaults, World, simulate};
use super::*;
use super::{nodes, seeds};
use crate::ledger::{Membership as _, MembershipError, NodeId};

/// Small enough that a run takes several snapshots and that a lagging node needs one.
const LOG_RETENTION: LogRetention = LogRetention { snapshot_every: 8_000, entries: 5 };

/// The highest number of machines, including those that were replaced.
const MACHINES_MAX: usize = 6;

/// The time limit for a membership change.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(3);

struct SimulationRun {
    world: World,
    history: ClientHistory,
    backup: Option<Backup>,
    coverage: Coverage,
}

/// An older copy of a node's disks.
struct Backup {
    node: u64,
    /// The number of the node's last start before the copy.
    run: u64,
    /// The last log index that the copy may contain.
    log_end: u64,
    disks: [SimDisk; 3],
}

/// What happened in a run, to check that the runs cover all cases.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Coverage {
    responses: ResponseCounts,
    replaced: usize,
    old_disks_refused: usize,
    wrong_clocks: usize,
    /// Snapshot pieces that arrived, without the first of each snapshot.
    pieces: usize,
}

impl SimulationRun {
    fn random_node(&self) -> u64 {
        let ids = self.world.ids();
        ids[self.world.roll(ids.len())]
    }

    fn random_member(&self) -> u64 {
        let members = Vec::from_iter(self.world.members());
        members[self.world.roll(members.len())]
    }

    /// Injects one random fault, changes the members, or ends the network's faults.
    async fn inject_fault(&mut self) {
        let world = self.world.clone();
        match world.roll(14) {
            0 => world.isolate(self.random_node()),
            1 => world.cut(self.random_node(), self.random_node()),
            2 => crash_and_restart(&world, self.random_node(), None).await,
            3 => self.back_up().await,
            4 => world.set_network_faults(NetworkFaults {
                lost_percent: 5,
                duplicated_percent: 10,
                delay_max_ms: 50,
            }),
            5 => world.set_clock(self.random_node(), world.roll(120).cast_signed() as i64 - 60),
            6 => self.set_wrong_clock(),
            7 => {
                let (node, target) = (self.random_node(), self.random_node());
                let change = async |ledger: Arc<RaftLedger>| {
                    ledger.transfer_leader(Some(NodeId(target))).await
                };
                let _ = change_at(&world, node, change).await;
            }
            8 => self.change_voters().await,
            9 => {
                let fault = if world.roll(2) == 0 {
                    DiskFailure::PowerFailure
                } else {
                    DiskFailure::Error(io::ErrorKind::StorageFull)
                };
                crash_and_restart(&world, self.random_node(), Some(fault)).await;
            }
            10 => self.replace().await,
            11 => self.restore_backup().await,
            _ => {
                world.heal();
                world.set_network_faults(NetworkFaults {
                    delay_max_ms: 5,
                    ..NetworkFaults::default()
                });
            }
        }
    }

    /// Sets one clock so far off that the other nodes reject it. Only one clock is wrong at a time,
    /// and it is ahead and behind in turns; otherwise wrong clocks could agree.
    fn set_wrong_clock(&mut self) {
        for node in self.world.ids() {
            self.world.set_clock(node, 0);
        }
        let offset = 61 + self.world.roll(4_000).cast_signed() as i64;
        let node = if self.world.roll(2) == 0 { self.leader() } else { self.random_node() };
        let is_ahead = self.coverage.wrong_clocks.is_multiple_of(2);
        self.world.set_clock(node, if is_ahead { offset } else { -offset });
        self.coverage.wrong_clocks += 1;
    }

    /// Returns a node that considers itself the leader, or any node if there is none.
    fn leader(&self) -> u64 {
        let is_leader =
            |node: &u64| self.world.running(*node).is_some_and(|ledger| ledger.is_leader());
        self.world.ids().into_iter().find(is_leader).unwrap_or_else(|| self.random_node())
    }

    /// Promotes or demotes two random nodes.
    async fn change_voters(&self) {
        let both = nodes([self.random_node(), self.random_node()]);
        let (node, promotes) = (self.random_node(), self.world.roll(2) == 0);
        let change = async |ledger: Arc<RaftLedger>| {
            if promotes { ledger.promote(both).await } else { ledger.demote(both).await }
        };
        let _ = change_at(&self.world, node, change).await;
    }

    /// Replaces a lost machine with a new one and then starts the old one again. If it was removed
    /// from the cluster, the members must refuse it.
    async fn replace(&mut self) {
        let world = &self.world;
        if world.ids().len() == MACHINES_MAX {
            return;
        }
        let old = self.random_member();
        world.crash(old).await;
        let new = world.ids().last().unwrap() + 1;
        world.add_machine(new);
        world.start(new).await;
        for _ in 0..2 {
            let node = self.random_member();
            let added = change_at(world, node, async |ledger: Arc<RaftLedger>| {
                ledger.add_learner(NodeId(new), format!("node-{new}")).await
            });
            if added.await.is_none() {
                continue;
            }
            let removed = change_at(world, node, async |ledger: Arc<RaftLedger>| {
                match ledger.replace(NodeId(old), NodeId(new)).await {
                    // The old node was a learner.
                    Err(MembershipError::EvenVoters(_)) => ledger.remove(nodes([old])).await,
                    other => other,
                }
            });
            if removed.await.is_some() {
                self.coverage.replaced += 1;
                break;
            }
        }
        world.start(old).await;
    }

    /// Ends all faults that would otherwise last.
    async fn end_faults(&self) {
        self.world.heal();
        self.world.set_network_faults(NetworkFaults::default());
        for node in self.world.ids() {
            self.world.set_clock(node, 0);
            if self.world.running(node).is_none() {
                self.world.start(node).await;
            }
        }
    }

    /// Runs a node on an old disk that all other nodes can know to be old. Random faults rarely
    /// get that far.
    async fn restore_known_backup(&mut self) {
        self.end_faults().await;
        self.world.leader().await;
        self.back_up().await;
        sleep(Duration::from_secs(3)).await;
        self.restore_backup().await;
    }

    /// Copies the disks of a node, either while it runs or while it is stopped.
    async fn back_up(&mut self) {
        let node = self.random_node();
        let Some(ledger) = self.world.running(node) else { return };
        // No other node can detect that a lone voter has lost data.
        let has_other_voters = ledger.view.metrics(|metrics| {
            let config = metrics.membership_config.membership().get_joint_config();
            config.iter().all(|voters| voters.len() > 1)
        });
        let (run, log_end) =
            (ledger.peers.incarnations.current().unwrap(), ledger.writer.last_durable());
        drop(ledger);
        let keeps_running = self.world.roll(2) == 0;
        if !keeps_running {
            self.world.stop(node).await;
        }
        if has_other_voters {
            let disks = self.world.copy_disks(node);
            self.backup = Some(Backup { node, run, log_end, disks });
        }
        if !keeps_running {
            self.world.start(node).await;
        }
    }

    /// Runs a node on the backup of its disks for a while. The other nodes must refuse it.
    async fn restore_backup(&mut self) {
        let world = self.world.clone();
        // Only nodes that know what the backup lacks can refuse it.
        let is_known = |backup: &Backup| {
            world.members().contains(&backup.node)
                && world.known_to_all(backup.node).is_some_and(|peer| {
                    peer.incarnation != backup.run || peer.durable_index > backup.log_end
                })
        };
        let Some(backup) = self.backup.take_if(|backup| is_known(backup)) else { return };
        let non_members = world.non_members();
        for non_member in &non_members {
            world.crash(*non_member).await;
        }
        world.crash(backup.node).await;
        let current = world.copy_disks(backup.node);
        world.replace_disks(backup.node, backup.disks);
        let ledger = world.start(backup.node).await;
        let end = Instant::now() + Duration::from_millis(world.roll(6_000) as u64);
        while Instant::now() < end {
            sleep(Duration::from_millis(100)).await;
            assert!(!ledger.is_leader(), "a node on an old disk is the leader");
            let refused = ledger.status().ready.unwrap_err();
            if refused.to_string().contains("old disk") {
                self.coverage.old_disks_refused += 1;
                break;
            }
        }
        drop(ledger);
        world.crash(backup.node).await;
        world.replace_disks(backup.node, current);
        for node in non_members.into_iter().chain([backup.node]) {
            world.start(node).await;
        }
    }

    /// Waits until the healed cluster converges. Checks the history, and that nodes that are not
    /// members are not ready.
    async fn check(mut self) -> Coverage {
        let world = self.world;
        self.coverage.responses = self.history.counts();
        self.coverage.pieces = world.pieces();
        world.leader().await;
        self.history.check(&world.converged().await);
        let non_members = world.non_members();
        if !non_members.is_empty() {
            sleep(Duration::from_secs(15)).await;
        }
        for node in non_members {
            let ready = world.node(node).status().ready;
            assert!(ready.is_err(), "node {node} is ready but not a member");
        }
        self.coverage
    }
}

/// Crashes and restarts a node, after an optional fault of one of its disks.
async fn crash_and_restart(world: &World, node: u64, fault: Option<DiskFailure>) {
    if let Some(fault) = fault {
        world.plan_disk_fault(node, fault);
        sleep(Duration::from_millis(world.roll(3_000) as u64)).await;
    }
    world.crash(node).await;
    sleep(Duration::from_millis(world.roll(3_000) as u64)).await;
    world.start(node).await;
}

/// Requests a membership change at a node. Many of these requests are refused, or time out halfway;
/// returns `None` then.
async fn change_at(
    world: &World,
    node: u64,
    change: impl AsyncFnOnce(Arc<RaftLedger>) -> Result<(), MembershipError>,
) -> Option<()> {
    timeout(CHANGE_TIMEOUT, change(world.running(node)?)).await.ok()?.ok()
}

/// Runs the workload of all clients and twelve faults on three voters and a learner. One of the
/// faults is not random if the run `includes_old_disk`.
async fn run(world: World, includes_old_disk: bool) -> Coverage {
    world.set_log_retention(LOG_RETENTION);
    world.create_cluster(3).await;
    world.add_learner(4).await;
    let history = ClientHistory::default();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (history, world) = (history.clone(), world.clone());
            tokio::spawn(async move { history.run_client(&world, client, 25).await })
        })
        .collect();
    let coverage = Coverage::default();
    let mut run = SimulationRun { world: world.clone(), history, backup: None, coverage };
    for number in 0..12 {
        sleep(Duration::from_millis(world.roll(1_500) as u64)).await;
        if includes_old_disk && number == 6 {
            run.restore_known_backup().await;
        } else {
            run.inject_fault().await;
        }
    }
    run.end_faults().await;
    for client in clients {
        client.await.unwrap();
    }
    run.check().await
}

#[test]
fn simulated_faults_never_add_uses_or_lose_grants() {
    let runs =
        seeds::run_seeds(30, |seed| simulate(seed, |world| run(world, seed.is_multiple_of(10))));
    if runs.len() < 30 {
        return;
    }
    let some = |count: &dyn Fn(&Coverage) -> usize| runs.iter().map(count).sum::<usize>() > 0;
    assert!(runs.iter().any(|run| run.responses.granted > 20));
    assert!(some(&|run| run.responses.revoked));
    assert!(some(&|run| run.responses.refused_as_revoked));
    assert!(some(&|run| run.responses.refused_as_denied));
    assert!(some(&|run| run.responses.autologin_granted));
    assert!(some(&|run| run.replaced));
    assert!(some(&|run| run.old_disks_refused));
    assert!(some(&|run| run.wrong_clocks));
    assert!(some(&|run| run.pieces));
}

#[test]
fn a_seed_always_gives_the_same_run() {
    let outcome = |seed| {
        simulate(seed, |world| async move {
            let began = Instant::now();
            let coverage = run(world.clone(), true).await;
            let node = world.node(1);
            (coverage, began.elapsed(), node.status().applied, node.status().leader)
        })
    };
    assert_eq!(outcome(5), outcome(5));
    assert_ne!(outcome(5), outcome(6));
}
