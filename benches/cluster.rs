//! `make bench`: the spends per second of a cluster and of a lone node.
//!
//! Each node is a process with a ledger on a real disk, and the nodes use mutual TLS over
//! loopback. The clients run inside the voters' processes; each spends one use at a time and waits
//! for its grant. All nodes share this machine: a lone node has the disk and all cores to itself,
//! and each of three nodes has a third of them.
//!
//! The lone node and the cluster take turns. Each line prints the medians of both and of their
//! ratio, and then the cost of a spend for each node.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a benchmark prints its results and panics on errors"
)]

mod clients;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _, stdin};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jeton::clock::{Clock as _, SystemClock};
use jeton::cluster::{self, Authority, ClusterDoor, Invites, NodeCertificate, PeerNetwork};
use jeton::ledger::raft::{
    Identity, Options, PeerAddress, RaftLedger, Reply, Transport, create, create_joined,
};
use jeton::ledger::{Membership as _, NodeId};
use jeton::token::UnixSeconds;

use self::clients::spend_for;

const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_millis(400);
const LEDGER: [u8; 16] = [1; 16];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "node", dir, id, role] => node(Path::new(dir), id.parse().unwrap(), role),
        // Cargo passes `--bench`.
        _ => compare(),
    }
}

fn compare() {
    let dir = tempfile::tempdir_in(".").unwrap();
    let authority = Authority::make(LEDGER, SystemClock.now()).unwrap();
    authority.write(dir.path()).unwrap();
    let mut lone = Node::start(dir.path(), 100, "alone");
    let mut nodes = vec![Node::start(dir.path(), 1, "first")];
    for id in 2..=3 {
        nodes.push(Node::start(dir.path(), id, "joined"));
        let address = nodes.last().unwrap().address.clone();
        nodes[0].request(&format!("add {id} {address}"));
    }
    nodes[0].request("promote 2 3");

    println!("{:<44} {:>12} {:>12} {:>8}", "three nodes | one alone", "three", "alone", "ratio");
    measure("spend, 1 client, at the leader", &mut nodes, &mut lone, &[1, 0, 0]);
    measure("spend, 1 client, at a follower", &mut nodes, &mut lone, &[0, 1, 0]);
    measure("spend, 64 at once, at all three", &mut nodes, &mut lone, &[22, 21, 21]);
    measure("spend, 1024 at once, at all three", &mut nodes, &mut lone, &[342, 341, 341]);
    for learners in [2, 6] {
        for id in nodes.len() as u64 + 1..=3 + learners {
            nodes.push(Node::start(dir.path(), id, "joined"));
            let address = nodes.last().unwrap().address.clone();
            nodes[0].request(&format!("add {id} {address}"));
        }
        // Until the learners have caught up, they cost extra work.
        nodes[0].request("catch-up");
        for clients in [[22, 21, 21], [342, 341, 341]] {
            let sum: u32 = clients.iter().sum();
            let name = format!("spend, {sum} at once, and {learners} learners");
            measure(&name, &mut nodes, &mut lone, &clients);
        }
    }
}

/// Measures the cluster and the lone node in turns; prints their rates and costs.
fn measure(name: &str, nodes: &mut [Node], lone: &mut Node, clients: &[u32]) {
    let total: u32 = clients.iter().sum();
    let before: Vec<Cost> = nodes.iter_mut().map(Node::cost).collect();
    let before_lone = lone.cost();
    let (mut granted, mut granted_alone) = (0, 0);
    let rounds: Vec<(f64, f64)> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            for (node, clients) in nodes.iter_mut().zip(clients) {
                node.send(&format!("spend {clients}"));
            }
            let busy = nodes.iter_mut().zip(clients);
            let spent: u64 = busy.map(|(node, _)| node.response().parse::<u64>().unwrap()).sum();
            let three = spent as f64 / started.elapsed().as_secs_f64();
            let started = Instant::now();
            let alone: u64 = lone.request(&format!("spend {total}")).parse().unwrap();
            granted += spent;
            granted_alone += alone;
            (three, alone as f64 / started.elapsed().as_secs_f64())
        })
        .collect();
    let three = median(rounds.iter().map(|(three, _)| *three));
    let alone = median(rounds.iter().map(|(_, alone)| *alone));
    let ratio = median(rounds.iter().map(|(three, alone)| three / alone));
    println!("{name:<44} {three:>10.0}/s {alone:>10.0}/s {ratio:>7.2}x");

    let costs: Vec<Cost> =
        nodes.iter_mut().zip(before).map(|(node, before)| node.cost().since(before)).collect();
    let per = |cost: Cost| cost.cpu_ms as f64 / granted as f64;
    let others = (nodes.len() - 1) as f64;
    println!(
        "    CPU s per 1,000 spends: leader {:.3}, follower {:.3}{}, alone {:.3}; bytes per spend: \
         leader to each {:.0}, follower to leader {:.0}",
        per(costs[0]),
        f64::midpoint(per(costs[1]), per(costs[2])),
        costs.get(3).map_or_else(String::new, |cost| format!(", learner {:.3}", per(*cost))),
        lone.cost().since(before_lone).cpu_ms as f64 / granted_alone as f64,
        costs[0].sent as f64 / granted as f64 / others,
        f64::midpoint(costs[1].sent as f64, costs[2].sent as f64) / granted as f64,
    );
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A node's process, as the benchmark controls it.
struct Node {
    process: Child,
    commands: ChildStdin,
    responses: BufReader<ChildStdout>,
    address: String,
}

/// What a node has used since its start.
#[derive(Clone, Copy)]
struct Cost {
    cpu_ms: u64,
    /// Bytes of requests to other nodes before TLS; excludes responses.
    sent: u64,
}

impl Cost {
    const fn since(self, before: Self) -> Self {
        Self { cpu_ms: self.cpu_ms - before.cpu_ms, sent: self.sent - before.sent }
    }
}

impl Node {
    fn start(dir: &Path, id: u64, role: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["node".as_ref(), dir.as_os_str()])
            .args([&id.to_string(), role])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = process.stdin.take().unwrap();
        let responses = BufReader::new(process.stdout.take().unwrap());
        let mut node = Self { process, commands, responses, address: String::new() };
        node.address = node.response();
        node
    }

    fn send(&mut self, line: &str) {
        writeln!(self.commands, "{line}").unwrap();
    }

    fn response(&mut self) -> String {
        let mut line = String::new();
        assert!(self.responses.read_line(&mut line).unwrap() > 0, "a node has exited");
        line.trim_end().to_owned()
    }

    fn request(&mut self, line: &str) -> String {
        self.send(line);
        self.response()
    }

    fn cost(&mut self) -> Cost {
        let response = self.request("cost");
        let (cpu_ms, sent) = response.split_once(' ').unwrap();
        Cost { cpu_ms: cpu_ms.parse().unwrap(), sent: sent.parse().unwrap() }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs one node, which executes commands from stdin.
fn node(dir: &Path, id: u64, role: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ledger_dir = dir.join(format!("node-{id}"));
    let clock = Arc::new(SystemClock);
    let ledger_id = if role == "alone" { [2; 16] } else { LEDGER };
    let born_at = UnixSeconds::new(clock.now().get() - 1);
    let identity = Identity { ledger_id, node_id: NodeId(id), born_at };
    runtime.block_on(async {
        match role {
            "joined" => create_joined(&ledger_dir, identity).await.unwrap(),
            _ => create(&ledger_dir, identity, clock).await.unwrap(),
        }
    });
    let (ledger, sent) = runtime.block_on(open(dir, ledger_dir, identity, role));
    for line in stdin().lines() {
        let line = line.unwrap();
        let response = match line.split(' ').collect::<Vec<_>>()[..] {
            ["add", id, address] => {
                let added = ledger.add_learner(parse_id(id), address.to_owned());
                runtime.block_on(added).unwrap();
                "done".to_owned()
            }
            ["promote", one, other] => {
                let ids = BTreeSet::from([parse_id(one), parse_id(other)]);
                runtime.block_on(ledger.promote(ids)).unwrap();
                "done".to_owned()
            }
            ["catch-up"] => {
                runtime.block_on(wait_until_caught_up(&ledger));
                "done".to_owned()
            }
            ["spend", clients] => {
                runtime.block_on(spend_for(ROUND, &ledger, clients.parse().unwrap())).to_string()
            }
            ["cost"] => format!("{} {}", cpu_ms(), sent.load(Ordering::Relaxed)),
            _ => panic!("{line}"),
        };
        println!("{response}");
    }
}

/// Parses a node id from a decimal number in a command.
fn parse_id(number: &str) -> NodeId {
    NodeId(number.parse().unwrap())
}

/// Waits until every member lags by at most 100 entries.
async fn wait_until_caught_up(ledger: &RaftLedger) {
    let is_behind = |lag: Option<u64>| lag.is_none_or(|lag| lag > 100);
    while ledger.members().await.members.iter().any(|member| is_behind(member.lag)) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn open(
    dir: &Path,
    ledger_dir: PathBuf,
    identity: Identity,
    role: &str,
) -> (Arc<RaftLedger>, Arc<AtomicU64>) {
    let (clock, sent) = (Arc::new(SystemClock), Arc::<AtomicU64>::default());
    if role == "alone" {
        let ledger = RaftLedger::open(&ledger_dir, clock, Options::default()).await.unwrap();
        println!("nowhere");
        return (Arc::new(ledger), sent);
    }
    let authority = Arc::new(Authority::read(dir, LEDGER).unwrap().unwrap());
    let issued = NodeCertificate::issue(Arc::clone(&authority), identity.node_id, clock.now());
    let certificate = Arc::new(issued.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let peers = PeerNetwork::new(&certificate).unwrap();
    let options = Options {
        transport: Arc::new(MeteredNetwork { peers, sent: Arc::clone(&sent) }),
        address: Some(address.clone()),
        ..Options::default()
    };
    let ledger = Arc::new(RaftLedger::open(&ledger_dir, clock, options).await.unwrap());
    let door = Arc::new(ClusterDoor {
        identity,
        receiver: Arc::clone(&ledger) as _,
        membership: Arc::clone(&ledger) as _,
        invites: Arc::new(Invites::default()),
        authority,
        public_url: "https://vpn.example.com".to_owned(),
        trusted: Box::new(Vec::new),
    });
    let tls = certificate.server_config().unwrap();
    tokio::spawn(async move {
        cluster::run(listener, tls, door, std::future::pending()).await.unwrap();
    });
    println!("{address}");
    (ledger, sent)
}

/// The connections to other nodes, which count the bytes sent.
#[derive(Debug)]
struct MeteredNetwork {
    peers: PeerNetwork,
    sent: Arc<AtomicU64>,
}

impl Transport for MeteredNetwork {
    fn call(&self, to: &PeerAddress, message: Vec<u8>, within: Duration) -> Reply<'_> {
        self.sent.fetch_add(message.len() as u64, Ordering::Relaxed);
        self.peers.call(to, message, within)
    }
}

/// Returns the processor time of this process: utime and stime, fields 14 and 15 of
/// proc_pid_stat(5), in ticks of 10 ms.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10
}
