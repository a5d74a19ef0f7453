//! Several nodes in one thread, with simulated disks, clocks and network. Time is virtual and all
//! randomness comes from a seed, so the same seed always gives the same run.

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

/// Counts the panics of each thread. Otherwise, a panic in a task would look like the failure of a
/// node.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let default_hook = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            default_hook(panic);
        }));
    });
    PANICS.set(0);
}

/// Runs `simulation` in virtual time.
pub(super) fn simulate<F: Future>(seed: u64, simulation: impl FnOnce(World) -> F) -> F::Output {
    count_panics();
    set_seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let output = runtime.block_on(simulation(World::new(seed)));
    drop(runtime);
    assert_eq!(PANICS.get(), 0, "a task of a node panicked");
    output
}

/// All nodes and the network between them. Clones are handles to the same world.
#[derive(Clone, Debug)]
pub(super) struct World(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    dice: Dice,
    run: u64,
    began: Instant,
    nodes: BTreeMap<u64, SimMachine>,
    /// The links that lose all messages: from the first node to the second.
    cut: BTreeSet<(u64, u64)>,
    /// By receiver, how long messages are under way in addition.
    slow: BTreeMap<u64, Duration>,
    network_faults: NetworkFaults,
    log_retention: LogRetention,
    /// The number of snapshot pieces that arrived, without the first of each snapshot.
    pieces: usize,
}

/// How much log each node keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogRetention {
    /// A snapshot is due after this many bytes of log.
    pub(super) snapshot_every: u64,
    /// The number of entries to keep behind a snapshot.
    pub(super) entries: u64,
}

/// Faults that apply to every link.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NetworkFaults {
    /// The percentage of requests, and of responses, that are lost.
    pub(super) lost_percent: usize,
    /// The percentage of requests that arrive twice.
    pub(super) duplicated_percent: usize,
    /// The longest delay of a request or a response, in milliseconds.
    pub(super) delay_max_ms: usize,
}

/// A machine: its disks, its clock, and its node if it is running.
#[derive(Debug)]
pub(super) struct SimMachine {
    pub(super) disks: [SimDisk; 3],
    clock: Arc<SimClock>,
    /// The number of its last start.
    run: u64,
    ledger: Option<Arc<RaftLedger>>,
    power: Power,
}

/// Whether the current run of a node has power. Once `false`, it stays `false`.
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
            slow: BTreeMap::new(),
            network_faults: NetworkFaults::default(),
            log_retention: LogRetention { snapshot_every: SNAPSHOT_EVERY, entries: KEPT_ENTRIES },
            pieces: 0,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub(super) fn roll(&self, sides: usize) -> usize {
        self.inner().dice.roll(sides)
    }

    /// Returns `true` with a probability of `percent`.
    pub(super) fn chance(&self, percent: usize) -> bool {
        self.roll(100) < percent
    }

    pub(super) fn set_network_faults(&self, faults: NetworkFaults) {
        self.inner().network_faults = faults;
    }

    /// Sets the log retention of nodes that start from now on.
    pub(super) fn set_log_retention(&self, log_retention: LogRetention) {
        self.inner().log_retention = log_retention;
    }

    pub(super) fn pieces(&self) -> usize {
        self.inner().pieces
    }

    /// Cuts the link from `from` to `to`, in this direction only.
    pub(super) fn cut(&self, from: u64, to: u64) {
        self.inner().cut.insert((from, to));
    }

    /// Cuts all links from and to `node`.
    pub(super) fn isolate(&self, node: u64) {
        for other in self.ids() {
            self.cut(node, other);
            self.cut(other, node);
        }
    }

    /// Delays all messages to `node` by as much as `delay`.
    pub(super) fn slow_down(&self, node: u64, delay: Duration) {
        self.inner().slow.insert(node, delay);
    }

    /// Restores all links.
    pub(super) fn heal(&self) {
        self.inner().cut.clear();
        self.inner().slow.clear();
    }

    pub(super) fn ids(&self) -> Vec<u64> {
        self.inner().nodes.keys().copied().collect()
    }

    /// Sets the clock of a machine `offset` seconds off the true time.
    pub(super) fn set_clock(&self, node: u64, offset: i64) {
        self.inner().nodes[&node].clock.offset.store(offset, Ordering::SeqCst);
    }

    /// Replaces the disks of a machine.
    pub(super) fn replace_disks(&self, node: u64, disks: [SimDisk; 3]) {
        self.inner().nodes.get_mut(&node).unwrap().disks = disks;
    }

    pub(super) fn copy_disks(&self, node: u64) -> [SimDisk; 3] {
        let inner = self.inner();
        inner.nodes[&node].disks.each_ref().map(|disk| disk.reboot(Survivors::Everything))
    }

    pub(super) fn identity(node: u64) -> Identity {
        let node_id = NodeId(node);
        Identity { ledger_id: LEDGER, node_id, born_at: UnixSeconds::new(NOW) }
    }

    /// Adds a machine with an empty log.
    pub(super) fn add_machine(&self, node: u64) {
        let disks = [SimDisk::new(), SimDisk::new(), SimDisk::new()];
        let log = Box::new(disks[0].handle());
        drop(Log::create(log, LedgerId(LEDGER), segment_len()).unwrap());
        let mut inner = self.inner();
        let clock = SimClock { began: inner.began, offset: AtomicI64::new(0) };
        let (clock, power) = (Arc::new(clock), Power::default());
        inner.nodes.insert(node, SimMachine { disks, clock, run: 0, ledger: None, power });
    }

    /// Starts the node on a machine.
    pub(super) async fn start(&self, node: u64) -> Arc<RaftLedger> {
        let opening = {
            let mut inner = self.inner();
            inner.run += 1;
            let (run, log_retention) = (inner.run, inner.log_retention);
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
                snapshot_every: log_retention.snapshot_every,
                kept_entries: log_retention.entries,
                incarnation: run,
                segment_len: segment_len(),
                start_writer: Writer::start_inline,
            }
        };
        let ledger = Arc::new(RaftLedger::start(opening).await.unwrap());
        self.inner().nodes.get_mut(&node).unwrap().ledger = Some(Arc::clone(&ledger));
        ledger
    }

    /// Returns a node, which must be running.
    pub(super) fn node(&self, node: u64) -> Arc<RaftLedger> {
        self.running(node).unwrap()
    }

    pub(super) fn running(&self, node: u64) -> Option<Arc<RaftLedger>> {
        self.inner().nodes.get(&node)?.ledger.clone()
    }

    /// Stops a node gracefully: a leader transfers its leadership first.
    pub(super) async fn stop(&self, node: u64) {
        let Some(ledger) = self.running(node) else { return };
        if ledger.is_leader() {
            let _ = ledger.changes.transfer_leader(None).await;
        }
        self.inner().nodes.get_mut(&node).unwrap().ledger = None;
        close(ledger).await;
    }

    /// Makes one of the next operations of one disk fail; in three of five cases, the disk is that
    /// of the log.
    pub(super) fn plan_disk_fault(&self, node: u64, fault: DiskFailure) {
        let (disk, n) = (self.roll(5).saturating_sub(2), self.roll(40) as u64);
        self.inner().nodes[&node].disks[disk].plan(if disk == 0 { n } else { n % 8 }, fault);
    }

    /// Cuts the power of a machine. Writes that were not synced may be lost.
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
        // The old node can send nothing, and the disk that it writes to is not used again.
        if let Some(ledger) = ledger {
            close(ledger).await;
        }
    }

    /// Creates a cluster of the voters `1..=count`.
    pub(super) async fn create_cluster(&self, count: u64) {
        self.add_machine(1);
        self.start(1).await.bootstrap().await.unwrap();
        let others: BTreeSet<u64> = (2..=count).collect();
        for node in &others {
            self.add_learner(*node).await;
        }
        if !others.is_empty() {
            self.node(1).promote(others.into_iter().map(NodeId).collect()).await.unwrap();
        }
    }

    /// Starts a new node and adds it as a learner.
    pub(super) async fn add_learner(&self, node: u64) -> Arc<RaftLedger> {
        self.add_machine(node);
        let ledger = self.start(node).await;
        let member = self.inner().nodes.values().find_map(|machine| machine.ledger.clone());
        member.unwrap().add_learner(NodeId(node), format!("node-{node}")).await.unwrap();
        ledger
    }

    /// Returns the members of the newest membership that a running node knows to be committed.
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

    /// Returns the machines whose nodes are not members, in order.
    pub(super) fn non_members(&self) -> Vec<u64> {
        let members = self.members();
        self.ids().into_iter().filter(|id| !members.contains(id)).collect()
    }

    /// Returns the least of what the other nodes know about the last start of `node`. Returns
    /// `None` if one of them is down or does not know of that start.
    pub(super) fn known_to_all(&self, node: u64) -> Option<PeerRecord> {
        let inner = self.inner();
        let run = inner.nodes[&node].run;
        let others = inner.nodes.iter().filter(|(id, _)| **id != node);
        let known = others.map(|(_, machine)| {
            let known = machine.ledger.as_ref()?.peers.incarnations.peer(NodeId(node));
            known.filter(|known| known.incarnation == run)
        });
        known.collect::<Option<Vec<_>>>()?.into_iter().min_by_key(|known| known.durable_index)
    }

    /// Waits until the running members agree on a leader; returns it.
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

    /// Waits until `node` knows a leader; returns it.
    pub(super) async fn leader_of(&self, node: u64) -> u64 {
        loop {
            if let Some(leader) = self.node(node).status().leader {
                return leader.0;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Returns the distinct results of `get` over all running members.
    fn all<T: Ord>(&self, get: impl Fn(&RaftLedger) -> T) -> BTreeSet<T> {
        self.members().into_iter().filter_map(|id| self.running(id)).map(|one| get(&one)).collect()
    }

    /// Waits until all running members are ready and have applied the same log; returns their
    /// state.
    pub(super) async fn converged(&self) -> State {
        for _ in 0..3_000 {
            let last: BTreeSet<_> = self.all(|one| one.view.metrics(|m| m.last_log_index));
            let applied = self.all(|one| Some(one.status().applied));
            let ready = self.all(|one| one.status().ready.is_ok());
            if last.len() == 1 && applied == last && ready == BTreeSet::from([true]) {
                let hashes = self.all(|one| one.applied.show(snapshot::state_hash));
                assert_eq!(hashes.len(), 1, "the nodes have different states");
                let any = self.members().into_iter().find_map(|id| self.running(id)).unwrap();
                return any.applied.show(State::clone);
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("the nodes do not converge: {:#?}", self.all(|one| format!("{:?}", one.status())));
    }
}

/// Closes a node without a message to the others.
async fn close(ledger: Arc<RaftLedger>) {
    let _ = ledger.raft.shutdown().await;
    let mut ledger = ledger;
    for _ in 0..20_000 {
        ledger = match Arc::try_unwrap(ledger) {
            Ok(ledger) => return ledger.close().await,
            Err(shared) => shared,
        };
        sleep(Duration::from_millis(1)).await;
    }
    panic!("a stopped node is still in use");
}

fn segment_len() -> SegmentLen {
    SegmentLen::new(16 * 1024).unwrap()
}

fn is_further_piece(message: &[u8]) -> bool {
    // Messages with a full piece are longer. A shorter last piece is not counted.
    let body = (message.len() > PIECE_LEN).then(|| decode_head(message).ok()).flatten();
    body.is_some_and(
        |(_, body)| matches!(decode_body(body), Ok(Request::Snapshot(piece)) if piece.offset > 0),
    )
}

impl Transport for SimTransport {
    fn call(&self, to: &PeerAddress, message: Vec<u8>, within: Duration) -> Reply<'_> {
        let (world, from, to) = (self.world.clone(), self.from, to.clone());
        if !self.power.load(Ordering::SeqCst) {
            let error = TransportError::Unknown("the power is off".to_owned());
            return Box::pin(std::future::ready(Err(error)));
        }
        // A request arrives even if the sender stops waiting for the response.
        let sent = tokio::spawn(async move { world.deliver(from, &to, message, within).await });
        Box::pin(async move { sent.await.unwrap() })
    }
}

impl World {
    async fn deliver(
        &self,
        from: u64,
        to: &PeerAddress,
        message: Vec<u8>,
        within: Duration,
    ) -> Result<Vec<u8>, TransportError> {
        let Some(target) = to.address.strip_prefix("node-").and_then(|id| id.parse().ok()) else {
            return Err(TransportError::NotDelivered("no address".to_owned()));
        };
        self.pass_link(from, target, within).await?;
        if is_further_piece(&message) {
            self.inner().pieces += 1;
        }
        let Some(ledger) = self.running(target) else {
            return Err(TransportError::NotDelivered("the node is down".to_owned()));
        };
        let power = Arc::clone(&self.inner().nodes[&target].power);
        let duplicated_percent = self.inner().network_faults.duplicated_percent;
        if self.chance(duplicated_percent) {
            let (world, duplicate) = (self.clone(), message.clone());
            tokio::spawn(async move {
                sleep(Duration::from_millis(world.roll(500) as u64)).await;
                if let Some(ledger) = world.running(target) {
                    ledger.receive(NodeId(from), &duplicate).await;
                }
            });
        }
        let response = ledger.receive(NodeId(from), &message).await;
        drop(ledger);
        if !power.load(Ordering::SeqCst) {
            return Err(TransportError::Unknown("the node crashed".to_owned()));
        }
        self.pass_link(target, from, within).await?;
        Ok(response)
    }

    /// Delays or loses a message on the link from `from` to `to`.
    async fn pass_link(&self, from: u64, to: u64, within: Duration) -> Result<(), TransportError> {
        let (faults, is_cut, slow) = {
            let inner = self.inner();
            let slow = inner.slow.get(&to).copied().unwrap_or_default();
            (inner.network_faults, inner.cut.contains(&(from, to)), slow)
        };
        if is_cut || self.chance(faults.lost_percent) {
            sleep(within).await;
            return Err(TransportError::Unknown("lost".to_owned()));
        }
        sleep(slow + Duration::from_millis(self.roll(faults.delay_max_ms + 1) as u64)).await;
        Ok(())
    }
}
