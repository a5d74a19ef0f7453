//! `make scaling`: the throughput and latency of a group of nodes, simulated from measured costs.
//!
//! A discrete-event simulation. It models jeton's queues and nothing else: a node's cores, the
//! batcher with its batches in flight, the leader's one engine task, each disk's one writer, and
//! one message at a time to each follower. [`Costs`] holds the measured costs. The seed is fixed,
//! so the same costs print the same tables.

#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "a command-line program that indexes only its own tables"
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

/// The cost of each operation on one core or one disk. `docs/scaling.md` says how they were
/// measured.
struct Costs {
    /// A download without its spend, on a core of the node that serves it: TLS handshake, signature
    /// check, profile and response.
    download: Nanos,
    /// An entry in the leader's engine, regardless of how many spends it contains.
    entry: Nanos,
    /// A spend in the leader's engine.
    spend: Nanos,
    /// A message between nodes: once on a core of the sender, once on a core of the receiver, and
    /// the same again for its response.
    message: Nanos,
    /// Each spend in a message, in the same four places.
    message_spend: Nanos,
    /// One write and sync: processor time.
    write: Nanos,
    /// One write and sync: disk time.
    sync: Nanos,
    /// The bytes of a message, and of each spend in it.
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

/// How many batches may be in flight (`ledger/raft/spend/batcher.rs`).
const IN_FLIGHT_MAX: u32 = 4;

/// The most spends in an entry (same file).
const ENTRY_MAX: usize = 2_048;

/// The most entries in a message to a follower (`ledger/raft/life/open.rs`).
const APPEND_MAX: usize = 64;

/// A group of nodes.
#[derive(Clone, Copy)]
struct Group {
    nodes: usize,
    voters: usize,
    /// The first node that serves downloads: 0 for all nodes, `voters` for learners only.
    clicks_from: usize,
    cores: usize,
    /// How long a message takes from any node to any other.
    one_way: Nanos,
}

/// The results of one simulation.
struct Results {
    /// The number of clicks in the middle half of the time.
    clicks: usize,
    /// The latencies of those that were served, ascending.
    latencies: Vec<Nanos>,
    /// The utilization of the leader's engine, from 0 to 1.
    engine: f64,
    /// The utilization of the leader's cores.
    leader: f64,
    /// The bytes that the leader sent, per second.
    bytes_per_second: f64,
}

/// The distance between nodes, as the one-way latency.
const DISTANCES: [(&str, Nanos); 4] = [
    ("a rack", 100 * MICRO),
    ("a region", MILLI),
    ("a continent", 20 * MILLI),
    ("the world", 80 * MILLI),
];

/// The numbers of nodes and of voters among them.
const SIZES: [(usize, usize); 6] = [(1, 1), (3, 3), (5, 5), (10, 5), (30, 5), (100, 5)];

fn main() {
    ledger_alone();
    downloads_per_second();
    time_to_the_profile();
}

fn ledger_alone() {
    println!("# The ledger alone, as `make bench` loads it: spends per second\n");
    println!("| nodes | spends/s | engine |");
    println!("|---|---|---|");
    let ledger = Costs { download: 0, ..MEASURED };
    for nodes in [1, 3] {
        let group = Group { nodes, voters: nodes, clicks_from: 0, cores: 2, one_way: 20 * MICRO };
        let (rate_max, results) = capacity(&ledger, group);
        println!("| {nodes} | {} | {:.0} % |", round(rate_max), results.engine * 100.0);
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
            let (rate_max, results) = capacity(&MEASURED, group);
            println!(
                "| {nodes} | {voters} | {} | {} | {:.0} % | {:.0} % | {:.1} MB/s |",
                if clicks_from == 0 { "all" } else { "learners" },
                round(rate_max),
                results.engine * 100.0,
                results.leader * 100.0,
                results.bytes_per_second / 1e6,
            );
        }
    }
}

fn time_to_the_profile() {
    println!(
        "\n# Time from the click to the profile, at half of that rate: median and 99th percentile\n"
    );
    println!("| nodes | voters | {} |", DISTANCES.map(|(name, _)| name).join(" | "));
    println!("|---|---|---|---|---|---|");
    for (nodes, voters) in SIZES {
        let cells = DISTANCES.map(|(_, one_way)| {
            let group = Group { nodes, voters, clicks_from: 0, cores: 2, one_way };
            let (rate_max, _) = capacity(&MEASURED, group);
            let results = Simulation::run(&MEASURED, group, rate_max / 2.0, 4 * SECOND);
            format!("{} / {} ms", millis(results.percentile(50)), millis(results.percentile(99)))
        });
        println!("| {nodes} | {voters} | {} |", cells.join(" | "));
    }
}

/// Returns the highest rate of clicks at which the group serves at least 99 % of them and the 99th
/// percentile of the latency is below half a second.
fn capacity(costs: &Costs, group: Group) -> (f64, Results) {
    let sustains = |rate: f64| {
        let results = Simulation::run(costs, group, rate, 4 * SECOND);
        let serves_nearly_all = results.latencies.len() * 100 >= results.clicks * 99;
        (serves_nearly_all && results.percentile(99) < SECOND / 2).then_some(results)
    };
    let (mut low, mut high) = (10.0, 1e6);
    let mut best = sustains(low);
    while high / low > 1.04 {
        let middle = f64::sqrt(low * high);
        match sustains(middle) {
            Some(results) => (low, best) = (middle, Some(results)),
            None => high = middle,
        }
    }
    (low, best.unwrap_or_else(|| Simulation::run(costs, group, low, SECOND)))
}

impl Results {
    fn percentile(&self, percent: usize) -> Nanos {
        let index = self.latencies.len() * percent / 100;
        self.latencies.get(index).copied().unwrap_or(Nanos::MAX)
    }
}

/// Rounds to two significant digits; the model is not more precise.
fn round(number: f64) -> u64 {
    let unit = 10_f64.powf(number.log10().floor() - 1.0);
    ((number / unit).round() * unit) as u64
}

fn millis(time: Nanos) -> String {
    let millis = time as f64 / MILLI as f64;
    if millis < 10.0 { format!("{millis:.1}") } else { format!("{millis:.0}") }
}

/// A spend that a client is waiting for.
#[derive(Clone, Copy)]
struct Spend {
    clicked: Nanos,
    /// The message that forwarded it to the leader, if it was forwarded.
    message: Option<usize>,
}

/// An event in the simulation. The leader is node 0.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Event {
    Click,
    SpendReady { node: usize, clicked: Nanos },
    ForwardArrived { message: usize },
    ForwardRead { message: usize },
    Appended { entry: usize },
    EntriesArrived { node: usize, up_to: usize, spends: usize },
    EntriesRead { node: usize, up_to: usize },
    Synced { node: usize, up_to: usize },
    Acknowledged { node: usize, up_to: usize },
    ResponseArrived { message: usize },
    ResponseRead { message: usize },
}

#[derive(Default)]
struct Node {
    /// When each core is free.
    cores: Vec<Nanos>,
    busy: Nanos,
    waiting: VecDeque<Spend>,
    in_flight: u32,
    /// The number of entries received and of those that are durable.
    received: usize,
    synced: usize,
    is_writing: bool,
    /// For followers: the number of entries acknowledged, and whether a message with entries is in
    /// flight.
    acknowledged: usize,
    is_replicating: bool,
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
    rng: StdRng,
    now: Nanos,
    events: BinaryHeap<Reverse<(Nanos, u64, Event)>>,
    /// Orders events of the same time by when they were scheduled.
    scheduled: u64,
    nodes: Vec<Node>,
    /// When the leader's engine is free.
    engine_free_at: Nanos,
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
    fn run(costs: &'a Costs, group: Group, clicks_per_second: f64, end: Nanos) -> Results {
        let node = || Node { cores: vec![0; group.cores], ..Node::default() };
        let mut simulation = Simulation {
            costs,
            group,
            clicks_per_second,
            end,
            rng: StdRng::seed_from_u64(1),
            now: 0,
            events: BinaryHeap::new(),
            scheduled: 0,
            nodes: std::iter::repeat_with(node).take(group.nodes).collect(),
            engine_free_at: 0,
            engine_busy: 0,
            messages: Vec::new(),
            entries: Vec::new(),
            appended: 0,
            committed: 0,
            bytes: 0,
            clicks: 0,
            latencies: Vec::new(),
        };
        simulation.schedule(0, Event::Click);
        while let Some(Reverse((now, _, event))) = simulation.events.pop() {
            if now > end {
                break;
            }
            simulation.now = now;
            simulation.handle(event);
        }
        simulation.into_results()
    }

    fn into_results(mut self) -> Results {
        self.latencies.sort_unstable();
        let time = self.end as f64;
        Results {
            clicks: self.clicks,
            latencies: self.latencies,
            engine: self.engine_busy as f64 / time,
            leader: self.nodes[0].busy as f64 / time / self.group.cores as f64,
            bytes_per_second: self.bytes as f64 / (time / SECOND as f64),
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Click => self.click(),
            Event::SpendReady { node, clicked } => {
                self.nodes[node].waiting.push_back(Spend { clicked, message: None });
                self.send_batches(node);
            }
            Event::ForwardArrived { message } => {
                let done = self.handle_message(0, self.messages[message].clicks.len());
                self.schedule(done, Event::ForwardRead { message });
            }
            Event::ForwardRead { message } => {
                let spends = self.messages[message].clicks.iter();
                let spends = spends.map(|&clicked| Spend { clicked, message: Some(message) });
                self.nodes[0].waiting.extend(spends);
                self.send_batches(0);
            }
            Event::Appended { entry } => self.append(entry),
            Event::EntriesArrived { node, up_to, spends } => {
                let done = self.handle_message(node, spends);
                self.schedule(done, Event::EntriesRead { node, up_to });
            }
            Event::EntriesRead { node, up_to } => {
                self.nodes[node].received = up_to;
                self.write(node);
            }
            Event::Synced { node, up_to } => self.synced(node, up_to),
            Event::Acknowledged { node, up_to } => {
                self.nodes[node].acknowledged = up_to;
                self.nodes[node].is_replicating = false;
                self.replicate(node);
                self.commit();
            }
            Event::ResponseArrived { message } => {
                let Message { node, ref clicks, .. } = self.messages[message];
                let done = self.handle_message(node, clicks.len());
                self.schedule(done, Event::ResponseRead { message });
            }
            Event::ResponseRead { message } => {
                let node = self.messages[message].node;
                for clicked in std::mem::take(&mut self.messages[message].clicks) {
                    self.deliver(clicked);
                }
                self.nodes[node].in_flight -= 1;
                self.send_batches(node);
            }
        }
    }

    /// Handles a click and schedules the next one.
    fn click(&mut self) {
        let next = self.exponential(SECOND as f64 / self.clicks_per_second);
        self.schedule(self.now + next, Event::Click);
        let node = self.rng.random_range(self.group.clicks_from..self.group.nodes);
        if self.is_counted(self.now) {
            self.clicks += 1;
        }
        let done = self.work(node, self.costs.download);
        self.schedule(done, Event::SpendReady { node, clicked: self.now });
    }

    /// Sends the waiting spends of a node to the leader; on the leader, appends them.
    fn send_batches(&mut self, node: usize) {
        let in_flight_max = if self.group.nodes == 1 { 1 } else { IN_FLIGHT_MAX };
        while self.nodes[node].in_flight < in_flight_max && !self.nodes[node].waiting.is_empty() {
            let count = self.nodes[node].waiting.len().min(ENTRY_MAX);
            let batch: Vec<_> = self.nodes[node].waiting.drain(..count).collect();
            self.nodes[node].in_flight += 1;
            if node == 0 {
                let cost = self.costs.entry + self.costs.spend * count as u64;
                self.engine_free_at = self.engine_free_at.max(self.now) + cost;
                self.engine_busy += cost;
                self.entries.push(batch);
                self.schedule(self.engine_free_at, Event::Appended { entry: self.entries.len() });
            } else {
                let clicks: Vec<_> = batch.iter().map(|spend| spend.clicked).collect();
                let message = self.messages.len();
                self.messages.push(Message { node, left: clicks.len(), clicks });
                let sent = self.handle_message(node, count);
                self.schedule(sent + self.group.one_way, Event::ForwardArrived { message });
            }
        }
    }

    fn append(&mut self, entry: usize) {
        self.appended = entry;
        self.nodes[0].received = entry;
        self.write(0);
        for follower in 1..self.group.nodes {
            self.replicate(follower);
        }
    }

    /// Sends a follower the entries that it lacks, unless a message to it is in flight.
    fn replicate(&mut self, follower: usize) {
        let acknowledged = self.nodes[follower].acknowledged;
        if self.nodes[follower].is_replicating || acknowledged == self.appended {
            return;
        }
        self.nodes[follower].is_replicating = true;
        let up_to = self.appended.min(acknowledged + APPEND_MAX);
        let spends = self.entries[acknowledged..up_to].iter().map(Vec::len).sum();
        let sent = self.handle_message(0, spends);
        self.bytes += self.costs.message_len + spends as u64 * self.costs.spend_len;
        self.schedule(
            sent + self.group.one_way,
            Event::EntriesArrived { node: follower, up_to, spends },
        );
    }

    /// Writes all received entries of a node at once, unless a write is running.
    fn write(&mut self, node: usize) {
        let Node { is_writing, received, synced, .. } = self.nodes[node];
        if is_writing || received == synced {
            return;
        }
        self.nodes[node].is_writing = true;
        // Most syncs take about the same time; a few take much longer.
        let sync = self.costs.sync * 3 / 4 + self.exponential(self.costs.sync as f64 / 4.0);
        let start = self.work(node, self.costs.write);
        self.schedule(start + sync, Event::Synced { node, up_to: received });
    }

    fn synced(&mut self, node: usize, up_to: usize) {
        self.nodes[node].synced = up_to;
        self.nodes[node].is_writing = false;
        self.write(node);
        if node == 0 {
            self.commit();
        } else {
            self.schedule(self.now + self.group.one_way, Event::Acknowledged { node, up_to });
        }
    }

    /// Commits the entries that a majority of the voters has, and answers their spends.
    fn commit(&mut self) {
        let followers = self.nodes[1..self.group.voters].iter().map(|node| node.acknowledged);
        let mut durable: Vec<_> = followers.chain([self.nodes[0].synced]).collect();
        durable.sort_unstable();
        let committed = durable[(durable.len() - 1) / 2];
        for entry in self.committed..committed {
            for spend in std::mem::take(&mut self.entries[entry]) {
                self.answer(spend);
            }
            self.nodes[0].in_flight -= 1;
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
            self.schedule(sent + self.group.one_way, Event::ResponseArrived { message });
        }
    }

    fn deliver(&mut self, clicked: Nanos) {
        if self.is_counted(clicked) {
            self.latencies.push(self.now - clicked);
        }
    }

    /// Returns `true` for clicks in the middle half of the time: after the queues have filled, and
    /// early enough to be served before the end.
    const fn is_counted(&self, clicked: Nanos) -> bool {
        clicked > self.end / 4 && clicked < self.end * 3 / 4
    }

    /// Writes or reads a message on a core; returns when that is done.
    fn handle_message(&mut self, node: usize, spends: usize) -> Nanos {
        self.work(node, self.costs.message + self.costs.message_spend * spends as u64)
    }

    /// Occupies the core of a node that is free first; returns when it is done.
    fn work(&mut self, node: usize, cost: Nanos) -> Nanos {
        let node = &mut self.nodes[node];
        node.busy += cost;
        let Some(core) = node.cores.iter_mut().min() else { return self.now };
        *core = (*core).max(self.now) + cost;
        *core
    }

    fn exponential(&mut self, mean: f64) -> Nanos {
        (-mean * (1.0 - self.rng.random::<f64>()).ln()) as Nanos
    }

    fn schedule(&mut self, time: Nanos, event: Event) {
        self.scheduled += 1;
        self.events.push(Reverse((time, self.scheduled, event)));
    }
}
