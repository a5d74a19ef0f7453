//! What a group of nodes can do, and how long a download takes on it, told from
//! measured costs: `make scaling`.
//!
//! A simulation by discrete events. It has the queues that jeton has (a node's
//! cores, the batcher with its batches under way, the leader's one engine task,
//! each disk's one writer, one message at a time to each follower) and nothing
//! else; [`Costs`] says what was measured, and where. The seed is fixed, so the
//! same costs print the same tables.

#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "a program for people, over tables of its own making"
)]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// A time or a duration, in nanoseconds.
type Nanos = u64;

const MICRO: Nanos = 1_000;
const MILLI: Nanos = 1_000 * MICRO;
const SECOND: Nanos = 1_000 * MILLI;

/// What one thing costs on one core or one disk. `docs/scaling.md` says how each
/// was measured.
struct Costs {
    /// A whole download but for the spend: the TLS handshake, the signature, the
    /// profile and the answer; on a core of the node that was asked.
    download: Nanos,
    /// An entry in the leader's engine, however many spends it carries.
    entry: Nanos,
    /// A spend in the leader's engine.
    spend: Nanos,
    /// A message between nodes, on a core of the one that sends it, on a core of the
    /// one that receives it, and for its answer.
    message: Nanos,
    /// A spend in a message, likewise.
    message_spend: Nanos,
    /// One write and sync, on a core.
    write: Nanos,
    /// One write and sync, on the disk.
    sync: Nanos,
    /// The bytes of a message on the wire, and of each spend in it.
    message_len: u64,
    spend_len: u64,
}

const MEASURED: Costs = Costs {
    download: 210 * MICRO,
    entry: 50 * MICRO,
    spend: 5 * MICRO,
    message: 75 * MICRO,
    message_spend: MICRO,
    write: 45 * MICRO,
    sync: 110 * MICRO,
    message_len: 140,
    spend_len: 55,
};

/// How many batches are under way side by side (`ledger/raft/batcher.rs`).
const UNDER_WAY_MAX: u32 = 4;

/// How many spends one entry carries at most (ditto).
const ENTRY_MAX: usize = 2_048;

/// How many entries one message to a follower carries at most (`open.rs`).
const APPEND_MAX: usize = 64;

/// A group of nodes.
#[derive(Clone, Copy)]
struct Group {
    nodes: usize,
    voters: usize,
    /// The first node that is clicked at: 0 for all, or learners only.
    clicks_from: usize,
    cores: usize,
    /// How long a message takes from any node to any other.
    one_way: Nanos,
}

/// What came of a run.
struct Told {
    /// How many clicks are told of: those of the middle half of the time.
    clicks: usize,
    /// How long those took that were answered, shortest first.
    latencies: Vec<Nanos>,
    /// How busy the leader's engine was, as a fraction of the time.
    engine: f64,
    /// How busy the cores of the leader were.
    leader: f64,
    /// What the leader sent.
    bytes_per_second: f64,
}

/// How far apart nodes are, one way.
const PLACES: [(&str, Nanos); 4] = [
    ("a rack", 100 * MICRO),
    ("a region", MILLI),
    ("a continent", 20 * MILLI),
    ("the world", 80 * MILLI),
];

/// Nodes, and how many of them vote.
const SIZES: [(usize, usize); 6] = [(1, 1), (3, 3), (5, 5), (10, 5), (30, 5), (100, 5)];

fn main() {
    ledger_alone();
    downloads_per_second();
    time_to_the_profile();
}

fn ledger_alone() {
    println!("# The ledger alone, as `make bench` drives it: spends per second\n");
    println!("| nodes | spends/s | engine |");
    println!("|---|---|---|");
    let ledger = Costs { download: 0, ..MEASURED };
    for nodes in [1, 3] {
        let group = Group { nodes, voters: nodes, clicks_from: 0, cores: 2, one_way: 20 * MICRO };
        let (most, told) = capacity(&ledger, group);
        println!("| {nodes} | {} | {:.0} % |", round(most), told.engine * 100.0);
    }
}

fn downloads_per_second() {
    println!("\n# Counted downloads per second that a group of 2-core nodes in a region carries\n");
    println!(
        "| nodes | voters | clicked at | downloads/s | engine | leader's cores | leader sends |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (nodes, voters) in SIZES {
        for clicks_from in [0, voters] {
            let group = Group { nodes, voters, clicks_from, cores: 2, one_way: MILLI };
            if clicks_from >= nodes {
                continue;
            }
            let (most, told) = capacity(&MEASURED, group);
            println!(
                "| {nodes} | {voters} | {} | {} | {:.0} % | {:.0} % | {:.1} MB/s |",
                if clicks_from == 0 { "all" } else { "learners" },
                round(most),
                told.engine * 100.0,
                told.leader * 100.0,
                told.bytes_per_second / 1e6,
            );
        }
    }
}

fn time_to_the_profile() {
    println!("\n# From the click to the profile, at half of that: median and 99th percentile\n");
    println!("| nodes | voters | {} |", PLACES.map(|(name, _)| name).join(" | "));
    println!("|---|---|---|---|---|---|");
    for (nodes, voters) in SIZES {
        let cells = PLACES.map(|(_, one_way)| {
            let group = Group { nodes, voters, clicks_from: 0, cores: 2, one_way };
            let (most, _) = capacity(&MEASURED, group);
            let told = Simulation::run(&MEASURED, group, most / 2.0, 4 * SECOND);
            format!("{} / {} ms", millis(told.percentile(50)), millis(told.percentile(99)))
        });
        println!("| {nodes} | {voters} | {} |", cells.join(" | "));
    }
}

/// Finds the most clicks a second of which the group answers nearly all, and nearly
/// all of those within half a second.
fn capacity(costs: &Costs, group: Group) -> (f64, Told) {
    let keeps_up = |rate: f64| {
        let told = Simulation::run(costs, group, rate, 4 * SECOND);
        let is_most = told.latencies.len() * 100 >= told.clicks * 99;
        (is_most && told.percentile(99) < SECOND / 2).then_some(told)
    };
    let (mut low, mut high) = (10.0, 1e6);
    let mut best = keeps_up(low);
    // Steps of a few per cent.
    while high / low > 1.04 {
        let middle = f64::sqrt(low * high);
        match keeps_up(middle) {
            Some(told) => (low, best) = (middle, Some(told)),
            None => high = middle,
        }
    }
    (low, best.unwrap_or_else(|| Simulation::run(costs, group, low, SECOND)))
}

impl Told {
    fn percentile(&self, percent: usize) -> Nanos {
        let index = self.latencies.len() * percent / 100;
        self.latencies.get(index).copied().unwrap_or(Nanos::MAX)
    }
}

/// Two digits are all that such a model knows.
fn round(number: f64) -> u64 {
    let unit = 10_f64.powf(number.log10().floor() - 1.0);
    ((number / unit).round() * unit) as u64
}

fn millis(time: Nanos) -> String {
    let millis = time as f64 / MILLI as f64;
    if millis < 10.0 { format!("{millis:.1}") } else { format!("{millis:.0}") }
}

/// A use that somebody waits for.
#[derive(Clone, Copy)]
struct Spend {
    clicked: Nanos,
    /// The message that brought it to the leader, if one did.
    message: Option<usize>,
}

/// What happens at a moment. Nodes are numbered; the leader is 0.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Event {
    Click,
    Wants { node: usize, clicked: Nanos },
    Forwarded { message: usize },
    Queued { message: usize },
    Appended { entry: usize },
    Carried { node: usize, upto: usize, spends: usize },
    Received { node: usize, upto: usize },
    Synced { node: usize, upto: usize },
    Acknowledged { node: usize, upto: usize },
    Answered { message: usize },
    Delivered { message: usize },
}

#[derive(Default)]
struct Node {
    /// When each core is free.
    cores: Vec<Nanos>,
    busy: Nanos,
    waiting: VecDeque<Spend>,
    under_way: u32,
    /// Entries that are to be written, those that are, and whether a write runs.
    to_sync: usize,
    synced: usize,
    writes: bool,
    /// Of a follower: what it acknowledged, and whether a message to it is out.
    acknowledged: usize,
    is_asked: bool,
}

struct Message {
    node: usize,
    clicks: Vec<Nanos>,
    left: usize,
}

struct Simulation<'a> {
    costs: &'a Costs,
    group: Group,
    clicks_per_second: f64,
    end: Nanos,
    chance: StdRng,
    now: Nanos,
    events: BinaryHeap<Reverse<(Nanos, u64, Event)>>,
    drawn: u64,
    nodes: Vec<Node>,
    engine: Nanos,
    engine_busy: Nanos,
    messages: Vec<Message>,
    entries: Vec<Vec<Spend>>,
    appended: usize,
    committed: usize,
    bytes: u64,
    clicks: usize,
    latencies: Vec<Nanos>,
}

impl<'a> Simulation<'a> {
    fn run(costs: &'a Costs, group: Group, clicks_per_second: f64, end: Nanos) -> Told {
        let node = || Node { cores: vec![0; group.cores], ..Node::default() };
        let mut simulation = Simulation {
            costs,
            group,
            clicks_per_second,
            end,
            chance: StdRng::seed_from_u64(1),
            now: 0,
            events: BinaryHeap::new(),
            drawn: 0,
            nodes: std::iter::repeat_with(node).take(group.nodes).collect(),
            engine: 0,
            engine_busy: 0,
            messages: Vec::new(),
            entries: Vec::new(),
            appended: 0,
            committed: 0,
            bytes: 0,
            clicks: 0,
            latencies: Vec::new(),
        };
        simulation.at(0, Event::Click);
        while let Some(Reverse((now, _, event))) = simulation.events.pop() {
            if now > end {
                break;
            }
            simulation.now = now;
            simulation.happens(event);
        }
        simulation.told()
    }

    fn told(mut self) -> Told {
        self.latencies.sort_unstable();
        let time = self.end as f64;
        Told {
            clicks: self.clicks,
            latencies: self.latencies,
            engine: self.engine_busy as f64 / time,
            leader: self.nodes[0].busy as f64 / time / self.group.cores as f64,
            bytes_per_second: self.bytes as f64 / (time / SECOND as f64),
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Click => self.click(),
            Event::Wants { node, clicked } => {
                self.nodes[node].waiting.push_back(Spend { clicked, message: None });
                self.send_batches(node);
            }
            Event::Forwarded { message } => {
                let done = self.handle_message(0, self.messages[message].clicks.len());
                self.at(done, Event::Queued { message });
            }
            Event::Queued { message } => {
                let spends = self.messages[message].clicks.iter();
                let spends = spends.map(|&clicked| Spend { clicked, message: Some(message) });
                self.nodes[0].waiting.extend(spends);
                self.send_batches(0);
            }
            Event::Appended { entry } => self.append(entry),
            Event::Carried { node, upto, spends } => {
                let done = self.handle_message(node, spends);
                self.at(done, Event::Received { node, upto });
            }
            Event::Received { node, upto } => {
                self.nodes[node].to_sync = upto;
                self.write(node);
            }
            Event::Synced { node, upto } => self.synced(node, upto),
            Event::Acknowledged { node, upto } => {
                self.nodes[node].acknowledged = upto;
                self.nodes[node].is_asked = false;
                self.replicate(node);
                self.commit();
            }
            Event::Answered { message } => {
                let Message { node, ref clicks, .. } = self.messages[message];
                let done = self.handle_message(node, clicks.len());
                self.at(done, Event::Delivered { message });
            }
            Event::Delivered { message } => {
                let node = self.messages[message].node;
                for clicked in std::mem::take(&mut self.messages[message].clicks) {
                    self.deliver(clicked);
                }
                self.nodes[node].under_way -= 1;
                self.send_batches(node);
            }
        }
    }

    /// Somebody clicks, and the next one will.
    fn click(&mut self) {
        let next = self.exponential(SECOND as f64 / self.clicks_per_second);
        self.at(self.now + next, Event::Click);
        let node = self.chance.random_range(self.group.clicks_from..self.group.nodes);
        if self.is_counted(self.now) {
            self.clicks += 1;
        }
        let done = self.work(node, self.costs.download);
        self.at(done, Event::Wants { node, clicked: self.now });
    }

    /// Sends what waits at a node to the leader, or makes an entry of it there.
    fn send_batches(&mut self, node: usize) {
        let most = if self.group.nodes == 1 { 1 } else { UNDER_WAY_MAX };
        while self.nodes[node].under_way < most && !self.nodes[node].waiting.is_empty() {
            let count = self.nodes[node].waiting.len().min(ENTRY_MAX);
            let batch: Vec<_> = self.nodes[node].waiting.drain(..count).collect();
            self.nodes[node].under_way += 1;
            if node == 0 {
                let cost = self.costs.entry + self.costs.spend * count as u64;
                self.engine = self.engine.max(self.now) + cost;
                self.engine_busy += cost;
                self.entries.push(batch);
                self.at(self.engine, Event::Appended { entry: self.entries.len() });
            } else {
                let clicks: Vec<_> = batch.iter().map(|spend| spend.clicked).collect();
                let message = self.messages.len();
                self.messages.push(Message { node, left: clicks.len(), clicks });
                let sent = self.handle_message(node, count);
                self.at(sent + self.group.one_way, Event::Forwarded { message });
            }
        }
    }

    fn append(&mut self, entry: usize) {
        self.appended = entry;
        self.nodes[0].to_sync = entry;
        self.write(0);
        for follower in 1..self.group.nodes {
            self.replicate(follower);
        }
    }

    /// Sends a follower what it lacks, if nothing is on its way there.
    fn replicate(&mut self, follower: usize) {
        let has = self.nodes[follower].acknowledged;
        if self.nodes[follower].is_asked || has == self.appended {
            return;
        }
        self.nodes[follower].is_asked = true;
        let upto = self.appended.min(has + APPEND_MAX);
        let spends = self.entries[has..upto].iter().map(Vec::len).sum();
        let sent = self.handle_message(0, spends);
        self.bytes += self.costs.message_len + spends as u64 * self.costs.spend_len;
        self.at(sent + self.group.one_way, Event::Carried { node: follower, upto, spends });
    }

    /// Has a disk write what waits, all at once.
    fn write(&mut self, node: usize) {
        let Node { writes, to_sync, synced, .. } = self.nodes[node];
        if writes || to_sync == synced {
            return;
        }
        self.nodes[node].writes = true;
        // Most syncs take about as long; some take much longer.
        let sync = self.costs.sync * 3 / 4 + self.exponential(self.costs.sync as f64 / 4.0);
        let begins = self.work(node, self.costs.write);
        self.at(begins + sync, Event::Synced { node, upto: to_sync });
    }

    fn synced(&mut self, node: usize, upto: usize) {
        self.nodes[node].synced = upto;
        self.nodes[node].writes = false;
        self.write(node);
        if node == 0 {
            self.commit();
        } else {
            self.at(self.now + self.group.one_way, Event::Acknowledged { node, upto });
        }
    }

    /// Answers all that a majority of the voters has now.
    fn commit(&mut self) {
        let followers = self.nodes[1..self.group.voters].iter().map(|node| node.acknowledged);
        let mut has: Vec<_> = followers.chain([self.nodes[0].synced]).collect();
        has.sort_unstable();
        let committed = has[(has.len() - 1) / 2];
        for entry in self.committed..committed {
            for spend in std::mem::take(&mut self.entries[entry]) {
                self.answer(spend);
            }
            self.nodes[0].under_way -= 1;
        }
        if committed > self.committed {
            self.committed = committed;
            self.send_batches(0);
        }
    }

    fn answer(&mut self, spend: Spend) {
        let Some(message) = spend.message else { return self.deliver(spend.clicked) };
        self.messages[message].left -= 1;
        if self.messages[message].left == 0 {
            let sent = self.handle_message(0, self.messages[message].clicks.len());
            self.at(sent + self.group.one_way, Event::Answered { message });
        }
    }

    fn deliver(&mut self, clicked: Nanos) {
        if self.is_counted(clicked) {
            self.latencies.push(self.now - clicked);
        }
    }

    /// Tells whether what was clicked then is told of: the queues have filled, and
    /// there is time left for an answer.
    const fn is_counted(&self, clicked: Nanos) -> bool {
        clicked > self.end / 4 && clicked < self.end * 3 / 4
    }

    /// Writes or reads a message on a core, and returns when that is done.
    fn handle_message(&mut self, node: usize, spends: usize) -> Nanos {
        self.work(node, self.costs.message + self.costs.message_spend * spends as u64)
    }

    /// Keeps the core of a node busy that is free first, and returns until when.
    fn work(&mut self, node: usize, cost: Nanos) -> Nanos {
        let node = &mut self.nodes[node];
        node.busy += cost;
        let Some(core) = node.cores.iter_mut().min() else { return self.now };
        *core = (*core).max(self.now) + cost;
        *core
    }

    fn exponential(&mut self, mean: f64) -> Nanos {
        (-mean * (1.0 - self.chance.random::<f64>()).ln()) as Nanos
    }

    fn at(&mut self, time: Nanos, event: Event) {
        self.drawn += 1;
        self.events.push(Reverse((time, self.drawn, event)));
    }
}
