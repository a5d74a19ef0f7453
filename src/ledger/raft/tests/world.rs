//! Several nodes in one thread, on simulated disks, clocks and wires. Time is
//! virtual and chance comes from a seed, so that a seed always tells the same
//! story.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::life::{KEPT_ENTRIES, Opening, SNAPSHOT_EVERY};
use super::super::peers::{PIECE_LEN, Request, decode_body, decode_head};
use super::super::store::PeerRecord;
use super::runtime::set_seed;
use super::sim_disk::{Dice, DiskFailure, SimDisk, Survivors};
use super::*;
use crate::clock::Clock;
use crate::ledger::log::{LedgerId, Log, SegmentLen, Writer};
use crate::ledger::snapshot;
use crate::ledger::{Membership as _, NodeId};

pub(super) const NOW: u64 = 1_790_000_000;
const LEDGER: [u8; 16] = [7; 16];

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Counts the panics of each thread: that of a task would pass unseen, as one more
/// node that fails.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            report(panic);
        }));
    });
    PANICS.set(0);
}

/// Runs a story in virtual time.
pub(super) fn simulate<F: Future>(seed: u64, story: impl FnOnce(World) -> F) -> F::Output {
    count_panics();
    set_seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let end = runtime.block_on(story(World::new(seed)));
    drop(runtime);
    assert_eq!(PANICS.get(), 0, "a task of a node panicked");
    end
}

/// All nodes and the wires between them. Clones are the same world.
#[derive(Clone, Debug)]
pub(super) struct World(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    dice: Dice,
    run: u64,
    began: Instant,
    nodes: BTreeMap<u64, Machine>,
    /// Which node does not reach which.
    cut: BTreeSet<(u64, u64)>,
    wire: Wire,
    log_kept: LogKept,
    /// How many pieces of snapshots went over the wires, beyond the first of each.
    pieces: usize,
}

/// How much log the nodes keep.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogKept {
    /// How many bytes make a snapshot due.
    pub(super) snapshot_every: u64,
    /// How many entries are kept behind it.
    pub(super) entries: u64,
}

/// How bad the wires are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wire {
    /// Of a hundred messages, and of a hundred answers, so many are lost.
    pub(super) lost: usize,
    /// Of a hundred messages so many come twice.
    pub(super) twice: usize,
    /// The longest delay of a message or an answer, in milliseconds.
    pub(super) delay: usize,
}

/// A machine: its disks, its clock, and the node that runs on it, if one does.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) disks: [SimDisk; 3],
    clock: Arc<SimClock>,
    /// The number of its last start.
    run: u64,
    ledger: Option<Arc<RaftLedger>>,
    /// Whether what is running has power: false for good once it was cut.
    power: Power,
}

type Power = Arc<AtomicBool>;

#[derive(Debug)]
struct SimClock {
    began: Instant,
    offset: AtomicI64,
}

impl Clock for SimClock {
    fn now(&self) -> UnixSeconds {
        let now = NOW + self.began.elapsed().as_secs();
        UnixSeconds::new(now.saturating_add_signed(self.offset.load(Ordering::SeqCst)))
    }
}

#[derive(Debug)]
struct SimTransport {
    world: World,
    from: u64,
    power: Power,
}

impl World {
    fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            dice: Dice(seed),
            run: 0,
            began: Instant::now(),
            nodes: BTreeMap::new(),
            cut: BTreeSet::new(),
            wire: Wire::default(),
            log_kept: LogKept { snapshot_every: SNAPSHOT_EVERY, entries: KEPT_ENTRIES },
            pieces: 0,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub(super) fn roll(&self, sides: usize) -> usize {
        self.inner().dice.roll(sides)
    }

    pub(super) fn percent(&self, chance: usize) -> bool {
        self.roll(100) < chance
    }

    pub(super) fn set_wire(&self, wire: Wire) {
        self.inner().wire = wire;
    }

    /// Nodes that are started from now on keep so much log.
    pub(super) fn keep_log(&self, log_kept: LogKept) {
        self.inner().log_kept = log_kept;
    }

    pub(super) fn pieces(&self) -> usize {
        self.inner().pieces
    }

    /// From now on `from` does not reach `to`.
    pub(super) fn cut(&self, from: u64, to: u64) {
        self.inner().cut.insert((from, to));
    }

    /// From now on nobody reaches `node`, and it reaches nobody.
    pub(super) fn isolate(&self, node: u64) {
        for other in self.ids() {
            self.cut(node, other);
            self.cut(other, node);
        }
    }

    pub(super) fn heal(&self) {
        self.inner().cut.clear();
    }

    pub(super) fn ids(&self) -> Vec<u64> {
        self.inner().nodes.keys().copied().collect()
    }

    pub(super) fn set_clock(&self, node: u64, offset: i64) {
        self.inner().nodes[&node].clock.offset.store(offset, Ordering::SeqCst);
    }

    /// Gives a machine the disks of another one.
    pub(super) fn put_disks(&self, node: u64, disks: [SimDisk; 3]) {
        self.inner().nodes.get_mut(&node).unwrap().disks = disks;
    }

    pub(super) fn copy_of_disks(&self, node: u64) -> [SimDisk; 3] {
        let inner = self.inner();
        inner.nodes[&node].disks.each_ref().map(|disk| disk.reboot(Survivors::Everything))
    }

    pub(super) fn identity(node: u64) -> Identity {
        let node_id = NodeId(node);
        Identity { ledger_id: LEDGER, node_id, born_at: UnixSeconds::new(NOW) }
    }

    /// Puts up a machine with an empty log.
    pub(super) fn add_machine(&self, node: u64) {
        let disks = [SimDisk::new(), SimDisk::new(), SimDisk::new()];
        let log = Box::new(disks[0].handle());
        drop(Log::create(log, LedgerId(LEDGER), segment_len()).unwrap());
        let mut inner = self.inner();
        let clock = SimClock { began: inner.began, offset: AtomicI64::new(0) };
        inner.nodes.insert(
            node,
            Machine {
                disks,
                clock: Arc::new(clock),
                run: 0,
                ledger: None,
                power: Power::default(),
            },
        );
    }

    /// Starts the node of a machine.
    pub(super) async fn start(&self, node: u64) -> Arc<RaftLedger> {
        let opening = {
            let mut inner = self.inner();
            inner.run += 1;
            let (run, log_kept) = (inner.run, inner.log_kept);
            let machine = inner.nodes.get_mut(&node).unwrap();
            machine.run = run;
            machine.power = Arc::new(AtomicBool::new(true));
            let power = Arc::clone(&machine.power);
            let [log, snapshots, home] = machine.disks.each_ref().map(|disk| disk.handle());
            let transport = Arc::new(SimTransport { world: self.clone(), from: node, power });
            let address = Some(format!("node-{node}"));
            Opening {
                dir: "simulated".into(),
                identity: Self::identity(node),
                first: State::new(Self::identity(node).born_at),
                log: Box::new(log),
                snapshots: Box::new(snapshots),
                home: Box::new(home),
                clock: Arc::clone(&machine.clock) as Arc<dyn Clock>,
                options: Options { transport, address, ..Options::default() },
                snapshot_every: log_kept.snapshot_every,
                kept_entries: log_kept.entries,
                run,
                segment_len: segment_len(),
                start_writer: Writer::start_inline,
            }
        };
        let ledger = Arc::new(RaftLedger::start(opening).await.unwrap());
        self.inner().nodes.get_mut(&node).unwrap().ledger = Some(Arc::clone(&ledger));
        ledger
    }

    /// Returns a running node.
    pub(super) fn node(&self, node: u64) -> Arc<RaftLedger> {
        self.running(node).unwrap()
    }

    pub(super) fn running(&self, node: u64) -> Option<Arc<RaftLedger>> {
        self.inner().nodes.get(&node)?.ledger.clone()
    }

    /// Stops a node in order; it hands over and writes what it has to.
    pub(super) async fn stop(&self, node: u64) {
        let Some(ledger) = self.running(node) else { return };
        if ledger.is_leader() {
            let _ = ledger.changes.hand_over(None).await;
        }
        self.inner().nodes.get_mut(&node).unwrap().ledger = None;
        end(ledger).await;
    }

    /// Lets a disk of a machine, most often that of its log, fail at one of its next
    /// operations.
    pub(super) fn trouble(&self, node: u64, trouble: DiskFailure) {
        let (disk, n) = (self.roll(5).saturating_sub(2), self.roll(40) as u64);
        self.inner().nodes[&node].disks[disk].plan(if disk == 0 { n } else { n % 8 }, trouble);
    }

    /// Cuts the power of a machine and gives it back: what was not synced is lost.
    pub(super) async fn crash(&self, node: u64) {
        let seed = self.roll(usize::MAX) as u64;
        let ledger = {
            let mut inner = self.inner();
            let machine = inner.nodes.get_mut(&node).unwrap();
            machine.disks =
                machine.disks.each_ref().map(|disk| disk.reboot(Survivors::Sectors(seed)));
            machine.power.store(false, Ordering::SeqCst);
            machine.ledger.take()
        };
        // It talks to nobody any more, and writes to a disk that is no more.
        if let Some(ledger) = ledger {
            end(ledger).await;
        }
    }

    /// Founds a cluster of node 1 and grows it by nodes `2..=count`, all voters.
    pub(super) async fn found(&self, count: u64) {
        self.add_machine(1);
        self.start(1).await.found().await.unwrap();
        let others: BTreeSet<u64> = (2..=count).collect();
        for node in &others {
            self.join(*node).await;
        }
        if !others.is_empty() {
            self.node(1).promote(others.into_iter().map(NodeId).collect()).await.unwrap();
        }
    }

    /// Puts up one more node, as a learner.
    pub(super) async fn join(&self, node: u64) -> Arc<RaftLedger> {
        self.add_machine(node);
        let ledger = self.start(node).await;
        let member = self.inner().nodes.values().find_map(|machine| machine.ledger.clone());
        member.unwrap().add_learner(NodeId(node), format!("node-{node}")).await.unwrap();
        ledger
    }

    /// Returns the members, by the last change that a running node knows to be
    /// committed.
    pub(super) fn members(&self) -> BTreeSet<u64> {
        let running = self.ids().into_iter().filter_map(|id| self.running(id));
        let members = running.map(|one| {
            one.view.metrics(|metrics| {
                let config = &metrics.committed_membership_config;
                (*config.log_id(), config.nodes().map(|(id, _)| id.0).collect())
            })
        });
        members.max_by_key(|(changed, _)| *changed).unwrap().1
    }

    /// Returns what is known of the last start of `node` by the one that knows least, if
    /// all other machines run and know of it.
    pub(super) fn all_know(&self, node: u64) -> Option<PeerRecord> {
        let inner = self.inner();
        let run = inner.nodes[&node].run;
        let others = inner.nodes.iter().filter(|(id, _)| **id != node);
        let known =
            others.map(|(_, machine)| machine.ledger.as_ref()?.peers.runs.peer(NodeId(node)));
        let known: Option<Vec<PeerRecord>> =
            known.map(|met| met.filter(|met| met.incarnation == run)).collect();
        known?.into_iter().min_by_key(|met| met.durable_index)
    }

    /// Waits until the members that run have a leader that they agree on.
    pub(super) async fn leader(&self) -> u64 {
        for _ in 0..3_000 {
            let leaders: BTreeSet<_> = self.all(|ledger| ledger.status().leader);
            if let [Some(leader)] = Vec::from_iter(leaders)[..]
                && self.running(leader.0).is_some_and(|ledger| ledger.is_leader())
            {
                return leader.0;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("no leader: {:?}", self.all(|ledger| format!("{:?}", ledger.status())));
    }

    /// Waits until `node` knows of a leader, and returns it.
    pub(super) async fn leader_of(&self, node: u64) -> u64 {
        loop {
            if let Some(leader) = self.node(node).status().leader {
                return leader.0;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Looks at all members that run.
    fn all<T: Ord>(&self, look: impl Fn(&RaftLedger) -> T) -> BTreeSet<T> {
        self.members().into_iter().filter_map(|id| self.running(id)).map(|one| look(&one)).collect()
    }

    /// Waits until all members that run hold the same, and returns it.
    pub(super) async fn settled(&self) -> State {
        for _ in 0..3_000 {
            let last: BTreeSet<_> = self.all(|one| one.view.metrics(|m| m.last_log_index));
            let applied = self.all(|one| Some(one.status().applied));
            let ready = self.all(|one| one.status().ready.is_ok());
            if last.len() == 1 && applied == last && ready == BTreeSet::from([true]) {
                let hashes = self.all(|one| one.applied.show(snapshot::state_hash));
                assert_eq!(hashes.len(), 1, "the nodes hold different states");
                let any = self.members().into_iter().find_map(|id| self.running(id)).unwrap();
                return any.applied.show(State::clone);
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("they do not settle: {:#?}", self.all(|one| format!("{:?}", one.status())));
    }
}

/// Ends a node without a word to the others.
async fn end(ledger: Arc<RaftLedger>) {
    let _ = ledger.raft.shutdown().await;
    let mut ledger = ledger;
    for _ in 0..20_000 {
        ledger = match Arc::try_unwrap(ledger) {
            Ok(ledger) => return ledger.close().await,
            Err(shared) => shared,
        };
        sleep(Duration::from_millis(1)).await;
    }
    panic!("someone holds on to a stopped node");
}

fn segment_len() -> SegmentLen {
    SegmentLen::new(16 * 1024).unwrap()
}

fn is_further_piece(message: &[u8]) -> bool {
    // Nothing shorter holds a piece, but the last.
    let body = (message.len() > PIECE_LEN).then(|| decode_head(message).ok()).flatten();
    body.is_some_and(
        |(_, body)| matches!(decode_body(body), Ok(Request::Snapshot(piece)) if piece.offset > 0),
    )
}

impl Transport for SimTransport {
    fn call(&self, to: &PeerAddress, message: Vec<u8>, within: Duration) -> Reply<'_> {
        let (world, from, to) = (self.world.clone(), self.from, to.clone());
        if !self.power.load(Ordering::SeqCst) {
            return Box::pin(std::future::ready(Err(TransportError::Unknown("dead".to_owned()))));
        }
        // What was sent arrives even if the sender does not wait for the answer.
        let sent = tokio::spawn(async move { world.carry(from, &to, message, within).await });
        Box::pin(async move { sent.await.unwrap() })
    }
}

impl World {
    async fn carry(
        &self,
        from: u64,
        to: &PeerAddress,
        message: Vec<u8>,
        within: Duration,
    ) -> Result<Vec<u8>, TransportError> {
        let Some(target) = to.address.strip_prefix("node-").and_then(|id| id.parse().ok()) else {
            return Err(TransportError::NotDelivered("no address".to_owned()));
        };
        self.travel(from, target, within).await?;
        if is_further_piece(&message) {
            self.inner().pieces += 1;
        }
        let Some(ledger) = self.running(target) else {
            return Err(TransportError::NotDelivered("nobody listens".to_owned()));
        };
        let power = Arc::clone(&self.inner().nodes[&target].power);
        let twice = self.inner().wire.twice;
        if self.percent(twice) {
            let (world, again) = (self.clone(), message.clone());
            tokio::spawn(async move {
                sleep(Duration::from_millis(world.roll(500) as u64)).await;
                if let Some(ledger) = world.running(target) {
                    ledger.receive(NodeId(from), &again).await;
                }
            });
        }
        let answer = ledger.receive(NodeId(from), &message).await;
        drop(ledger);
        if !power.load(Ordering::SeqCst) {
            return Err(TransportError::Unknown("it died over it".to_owned()));
        }
        self.travel(target, from, within).await?;
        Ok(answer)
    }

    /// One way of a message, if it arrives.
    async fn travel(&self, from: u64, to: u64, within: Duration) -> Result<(), TransportError> {
        let (wire, is_cut) = {
            let inner = self.inner();
            (inner.wire, inner.cut.contains(&(from, to)))
        };
        if is_cut || self.percent(wire.lost) {
            sleep(within).await;
            return Err(TransportError::Unknown("lost".to_owned()));
        }
        sleep(Duration::from_millis(self.roll(wire.delay + 1) as u64)).await;
        Ok(())
    }
}
