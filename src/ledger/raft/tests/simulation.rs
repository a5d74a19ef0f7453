//! A night: people at all nodes, and a dozen things that go wrong.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::history::{PEOPLE, Sum, Told};
use super::sim_disk::{DiskFailure, SimDisk};
use super::world::{LogKept, Wire, World, simulate};
use super::*;
use super::{nodes, seeds};
use crate::ledger::{Membership as _, MembershipError, NodeId};

/// A night has several snapshots, and who lags a little needs one.
const LOG_KEPT: LogKept = LogKept { snapshot_every: 8_000, entries: 5 };

/// How many machines there are at most, those that were replaced among them.
const MACHINES_MAX: usize = 6;

/// How long whoever changes the members waits.
const CHANGE_WITHIN: Duration = Duration::from_secs(3);

struct Night {
    world: World,
    told: Told,
    backup: Option<Backup>,
    came: Came,
}

/// The disks of a node as they once were.
struct Backup {
    node: u64,
    /// The start in which they were copied, or after which.
    run: u64,
    /// The last index that they may hold.
    log_end: u64,
    disks: [SimDisk; 3],
}

/// What came up, to see that seeds tell different things.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Came {
    told: Sum,
    replaced: usize,
    old_disks_refused: usize,
    wrong_clocks: usize,
    /// Of snapshots on the wire, beyond the first of each.
    pieces: usize,
}

impl Night {
    fn any(&self) -> u64 {
        let ids = self.world.ids();
        ids[self.world.roll(ids.len())]
    }

    fn any_member(&self) -> u64 {
        let members = Vec::from_iter(self.world.members());
        members[self.world.roll(members.len())]
    }

    /// Does one thing to the world that a night may bring.
    async fn fault(&mut self) {
        let world = self.world.clone();
        match world.roll(14) {
            0 => world.isolate(self.any()),
            1 => world.cut(self.any(), self.any()),
            2 => restart_after(&world, self.any(), None).await,
            3 => self.back_up().await,
            4 => world.set_wire(Wire { lost: 5, twice: 10, delay: 50 }),
            5 => world.set_clock(self.any(), world.roll(120).cast_signed() as i64 - 60),
            6 => self.set_wrong_clock(),
            7 => {
                let (of, heir) = (self.any(), self.any());
                let change = async |ledger: Arc<RaftLedger>| {
                    ledger.transfer_leader(Some(NodeId(heir))).await
                };
                let _ = change_at(&world, of, change).await;
            }
            8 => self.change_voters().await,
            9 => {
                let trouble = if world.roll(2) == 0 {
                    DiskFailure::PowerFailure
                } else {
                    DiskFailure::Error(io::ErrorKind::StorageFull)
                };
                restart_after(&world, self.any(), Some(trouble)).await;
            }
            10 => self.replace().await,
            11 => self.put_back().await,
            _ => {
                world.heal();
                world.set_wire(Wire { delay: 5, ..Wire::default() });
            }
        }
    }

    /// A clock that no other node believes: of one node at a time, and never twice
    /// in the same way, as else nobody could say which is wrong.
    fn set_wrong_clock(&mut self) {
        for node in self.world.ids() {
            self.world.set_clock(node, 0);
        }
        let off = 61 + self.world.roll(4_000).cast_signed() as i64;
        let node = if self.world.roll(2) == 0 { self.leader() } else { self.any() };
        let is_ahead = self.came.wrong_clocks.is_multiple_of(2);
        self.world.set_clock(node, if is_ahead { off } else { -off });
        self.came.wrong_clocks += 1;
    }

    /// Returns a node that takes itself for the leader, if there is one, else any.
    fn leader(&self) -> u64 {
        let leads = |node: &u64| self.world.running(*node).is_some_and(|ledger| ledger.is_leader());
        self.world.ids().into_iter().find(leads).unwrap_or_else(|| self.any())
    }

    /// Three voters become one, or one three.
    async fn change_voters(&self) {
        let both = nodes([self.any(), self.any()]);
        let (of, grow) = (self.any(), self.world.roll(2) == 0);
        let change = async |ledger: Arc<RaftLedger>| {
            if grow { ledger.promote(both).await } else { ledger.demote(both).await }
        };
        let _ = change_at(&self.world, of, change).await;
    }

    /// A machine is lost, and a new one takes its place. Then the old one is found
    /// and switched on again; if it was removed, nobody may listen to it.
    async fn replace(&mut self) {
        let world = &self.world;
        if world.ids().len() == MACHINES_MAX {
            return;
        }
        let old = self.any_member();
        world.crash(old).await;
        let new = world.ids().last().unwrap() + 1;
        world.add_machine(new);
        world.start(new).await;
        for _ in 0..2 {
            let of = self.any_member();
            let added = change_at(world, of, async |ledger: Arc<RaftLedger>| {
                ledger.add_learner(NodeId(new), format!("node-{new}")).await
            });
            if added.await.is_none() {
                continue;
            }
            let removed = change_at(world, of, async |ledger: Arc<RaftLedger>| {
                match ledger.replace(NodeId(old), NodeId(new)).await {
                    // It was a learner.
                    Err(MembershipError::EvenVoters(_)) => ledger.remove(nodes([old])).await,
                    other => other,
                }
            });
            if removed.await.is_some() {
                self.came.replaced += 1;
                break;
            }
        }
        world.start(old).await;
    }

    /// Copies the disks of a node while it runs, or stops it for that.
    async fn back_up(&mut self) {
        let node = self.any();
        let Some(ledger) = self.world.running(node) else { return };
        // Of a voter alone nobody else can tell whether it has forgotten something.
        let is_one_of_many = ledger.view.metrics(|metrics| {
            let config = metrics.membership_config.membership().get_joint_config();
            config.iter().all(|voters| voters.len() > 1)
        });
        let (run, log_end) = (ledger.peers.runs.current().unwrap(), ledger.writer.last_durable());
        drop(ledger);
        let runs_on = self.world.roll(2) == 0;
        if !runs_on {
            self.world.stop(node).await;
        }
        if is_one_of_many {
            let disks = self.world.copy_of_disks(node);
            self.backup = Some(Backup { node, run, log_end, disks });
        }
        if !runs_on {
            self.world.start(node).await;
        }
    }

    /// Puts the copy in place of a node's disks for a while: nobody may listen to it.
    async fn put_back(&mut self) {
        let world = self.world.clone();
        // Who has not heard of what is missing cannot tell.
        let is_known = |backup: &Backup| {
            world.members().contains(&backup.node)
                && world.all_know(backup.node).is_some_and(|met| {
                    met.incarnation != backup.run || met.durable_index > backup.log_end
                })
        };
        let Some(backup) = self.backup.take_if(|backup| is_known(backup)) else { return };
        let strangers: Vec<u64> =
            world.ids().into_iter().filter(|id| !world.members().contains(id)).collect();
        for stranger in &strangers {
            world.crash(*stranger).await;
        }
        world.crash(backup.node).await;
        let good = world.copy_of_disks(backup.node);
        world.put_disks(backup.node, backup.disks);
        let ledger = world.start(backup.node).await;
        let until = Instant::now() + Duration::from_millis(world.roll(6_000) as u64);
        while Instant::now() < until {
            sleep(Duration::from_millis(100)).await;
            assert!(!ledger.is_leader(), "an old disk leads");
            let refused = ledger.status().ready.unwrap_err();
            if refused.to_string().contains("old disk") {
                self.came.old_disks_refused += 1;
                break;
            }
        }
        drop(ledger);
        world.crash(backup.node).await;
        world.put_disks(backup.node, good);
        for node in strangers.into_iter().chain([backup.node]) {
            world.start(node).await;
        }
    }

    /// All is well again, and what was told has to be true.
    async fn morning(mut self) -> Came {
        let world = self.world;
        self.came.told = self.told.sum();
        self.came.pieces = world.pieces();
        world.leader().await;
        self.told.check(&world.settled().await);
        // Who does not belong to it any more knows, or at least vouches for nothing.
        let members = world.members();
        let strangers: Vec<u64> =
            world.ids().into_iter().filter(|id| !members.contains(id)).collect();
        if !strangers.is_empty() {
            sleep(Duration::from_secs(15)).await;
        }
        for stranger in strangers {
            assert!(world.node(stranger).status().ready.is_err(), "{stranger} is not a member");
        }
        self.came
    }
}

/// Cuts the power of a node, some time after one of its disks got into trouble.
async fn restart_after(world: &World, node: u64, trouble: Option<DiskFailure>) {
    if let Some(trouble) = trouble {
        world.trouble(node, trouble);
        sleep(Duration::from_millis(world.roll(3_000) as u64)).await;
    }
    world.crash(node).await;
    sleep(Duration::from_millis(world.roll(3_000) as u64)).await;
    world.start(node).await;
}

/// Has a node change the members. Many of these wishes are refused, or time out in
/// the middle of it.
async fn change_at(
    world: &World,
    node: u64,
    change: impl AsyncFnOnce(Arc<RaftLedger>) -> Result<(), MembershipError>,
) -> Option<()> {
    timeout(CHANGE_WITHIN, change(world.running(node)?)).await.ok()?.ok()
}

/// One story: three voters and a learner, people everywhere, a dozen faults.
async fn night(world: World) -> Came {
    world.keep_log(LOG_KEPT);
    world.found(3).await;
    world.join(4).await;
    let told = Told::default();
    let people: Vec<_> = (0..PEOPLE)
        .map(|person| {
            let (told, world) = (told.clone(), world.clone());
            tokio::spawn(async move { told.live(&world, person, 25).await })
        })
        .collect();
    let mut night = Night { world: world.clone(), told, backup: None, came: Came::default() };
    for _ in 0..12 {
        sleep(Duration::from_millis(world.roll(1_500) as u64)).await;
        night.fault().await;
    }
    world.heal();
    world.set_wire(Wire::default());
    for node in world.ids() {
        world.set_clock(node, 0);
        if world.running(node).is_none() {
            world.start(node).await;
        }
    }
    for person in people {
        person.await.unwrap();
    }
    night.morning().await
}

#[test]
fn simulated_faults_never_add_uses_or_lose_grants() {
    let nights = seeds::tell(30, |seed| simulate(seed, night));
    if nights.len() < 30 {
        return;
    }
    let some = |count: &dyn Fn(&Came) -> usize| nights.iter().map(count).sum::<usize>() > 0;
    assert!(nights.iter().any(|came| came.told.granted > 20));
    assert!(some(&|came| came.told.revoked));
    assert!(some(&|came| came.told.refused_as_revoked));
    assert!(some(&|came| came.told.refused_as_denied));
    assert!(some(&|came| came.told.autologin_granted));
    assert!(some(&|came| came.replaced));
    assert!(some(&|came| came.old_disks_refused));
    assert!(some(&|came| came.wrong_clocks));
    assert!(some(&|came| came.pieces));
}

#[test]
fn a_seed_tells_the_same_story_again() {
    let story = |seed| {
        simulate(seed, |world| async move {
            let began = Instant::now();
            let came = night(world.clone()).await;
            let node = world.node(1);
            (came, began.elapsed(), node.status().applied, node.status().leader)
        })
    };
    assert_eq!(story(5), story(5));
    assert_ne!(story(5), story(6));
}
