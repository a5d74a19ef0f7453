//! The opening of a ledger.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use openraft::{Config, SnapshotPolicy};

use crate::clock::Clock;
use crate::ledger::log::{Disk, FileDisk, LedgerId, Log, LogState, Recovery, SegmentLen, Writer};
use crate::ledger::raft::members::Changes;
use crate::ledger::raft::node::{Maintenance, Parts, RaftLedger, Reachability};
use crate::ledger::raft::peers::{Alone, Incoming, Network, Peers, Transport, View};
use crate::ledger::raft::spend::{Batcher, Forwarder};
use crate::ledger::raft::store::{
    Applied, Compactor, Identity, Incarnations, LogStore, OpenError, Raft, SnapshotFiles,
    StateMachine, check_clone_guard, write_clone_guard,
};
use crate::ledger::raft::types::{LogId, Member, SnapshotMeta};
use crate::ledger::{State, snapshot};
use crate::random;

/// Says of a folder that it was never founded and waits to be added.
pub const JOINED: &str = "joined";

/// How long the log may take to be applied anew at a start.
const RECOVERY_MAX: Duration = Duration::from_secs(300);

/// How many bytes of log are gathered before a snapshot makes them dispensable. A new
/// leader searches the log for where the others agree with it, by halves and one
/// question at a time; the shorter it is, the sooner it leads.
pub(crate) const SNAPSHOT_EVERY: u64 = 1024 * 1024;

/// How many entries are kept behind a snapshot, for nodes that lag a little. An
/// entry is a batch, and can have some 200 KB.
pub(crate) const KEPT_ENTRIES: u64 = 100;

/// How many entries one message to a follower carries at most.
const APPEND_ENTRIES_MAX: u64 = 64;

/// How a node takes part in its cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// The way to the other nodes.
    pub transport: Arc<dyn Transport>,
    /// Where the others reach this node. If they know it by another address, they
    /// are told. `None` while it is alone.
    pub address: Option<String>,
    /// How long this node vouches for what it knows when it hears nothing from a
    /// majority; with equality.
    pub max_staleness: Duration,
}

impl Default for Options {
    /// A node that is alone.
    fn default() -> Self {
        Self { transport: Arc::new(Alone), address: None, max_staleness: Duration::from_secs(10) }
    }
}

/// What a ledger is opened from.
pub(crate) struct Opening {
    pub(crate) dir: PathBuf,
    pub(crate) identity: Identity,
    /// What the ledger begins with while it has no snapshot.
    pub(crate) first: State,
    pub(crate) log: Box<dyn Disk>,
    pub(crate) snapshots: Box<dyn Disk>,
    /// The folder itself.
    pub(crate) home: Box<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: Options,
    pub(crate) snapshot_every: u64,
    pub(crate) kept_entries: u64,
    /// A number that no other start has.
    pub(crate) run: u64,
    pub(crate) segment_len: SegmentLen,
    pub(crate) start_writer: fn(Log, LogState) -> Result<Writer, crate::ledger::log::LogError>,
}

impl Opening {
    pub(crate) fn of(
        dir: &Path,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Self, OpenError> {
        check_permissions(dir)?;
        let run = random::bytes().map_err(OpenError::engine)?;
        let identity = Identity::read(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            identity,
            first: State::new(identity.born_at),
            log: Box::new(FileDisk::new(dir.join("log"))),
            snapshots: Box::new(FileDisk::new(dir.join("snapshot"))),
            home: Box::new(FileDisk::new(dir)),
            clock,
            options,
            snapshot_every: SNAPSHOT_EVERY,
            kept_entries: KEPT_ENTRIES,
            run: u64::from_be_bytes(run),
            segment_len: SegmentLen::default(),
            start_writer: Writer::start,
        })
    }
}

impl RaftLedger {
    /// Opens the ledger in `dir`.
    ///
    /// A node that is alone returns once its log is applied: from then on it knows
    /// all that it ever acknowledged, and grants. A node with others returns at
    /// once and grants when it has found them; so does one that waits to be added.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; nothing was changed but that a torn tail may be cut. A folder
    /// that was copied or put back is [`OpenError::Copied`].
    pub async fn open(
        dir: &Path,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Self, OpenError> {
        let opening = Opening::of(dir, clock, options)?;
        check_clone_guard(dir)?;
        let ledger = Self::start(opening).await?;
        if let Err(error) = write_clone_guard(dir) {
            ledger.close().await;
            return Err(error);
        }
        let is_founded = ledger.raft.is_initialized().await.map_err(OpenError::engine)?;
        let joined = dir.join(JOINED);
        if !is_founded && !joined.exists() {
            ledger.close().await;
            return Err(OpenError::NotFounded(dir.to_owned()));
        }
        if is_founded && joined.exists() {
            // It was added, and does not wait any more. If this fails, the next start
            // sees to it.
            let _ = fs::remove_file(&joined);
        }
        if is_founded && ledger.view.is_lone() {
            // Nobody else can win, so it need not wait for an election to be due.
            ledger.raft.trigger().elect(false).await.map_err(OpenError::engine)?;
            let recovered = ledger.raft.wait_for_recovery(Some(RECOVERY_MAX)).await;
            if let Err(error) = recovered {
                ledger.close().await;
                return Err(OpenError::engine(error));
            }
        }
        Ok(ledger)
    }

    /// Starts a node: what its disks kept, the engine over it, and those who work for it.
    pub(crate) async fn start(opening: Opening) -> Result<Self, OpenError> {
        let Opening { dir, identity, log, snapshots, home, clock, options, .. } = opening;
        let Options { transport, address, max_staleness } = options;
        let disks = (log, snapshots);
        let Kept { log, log_state, log_end, snapshots, applied } =
            Kept::read(&dir, identity, opening.first, disks, opening.segment_len)?;
        let runs = Incarnations::open(home, opening.run, log_end)
            .map_err(OpenError::io("read", &dir.join("runs")))?;
        let writer = (opening.start_writer)(log, log_state).map_err(OpenError::log(&dir))?;
        let writer = Arc::new(writer);
        let log = Arc::clone(&writer);
        let peers = Peers::new(identity, clock, runs, applied.clone(), log, transport);
        let peers = Arc::new(peers);
        let raft = Raft::new(
            identity.node_id,
            Arc::new(config(opening.kept_entries).map_err(OpenError::engine)?),
            Network(Arc::clone(&peers)),
            LogStore::new(Arc::clone(&writer)),
            StateMachine::new(applied.clone(), snapshots.clone()),
        );
        let raft = raft.await.map_err(OpenError::engine)?;
        let view = View::new(raft.clone(), identity.node_id);
        let forwarder = Arc::new(Forwarder::new(raft.clone(), view.clone(), Arc::clone(&peers)));
        let reach = Reachability::new(view.clone(), Arc::clone(&peers), address.clone());
        let changes =
            Arc::new(Changes::new(raft.clone(), view.clone(), Arc::clone(&peers), address));
        let compactor = Arc::new(Compactor {
            raft: raft.clone(),
            snapshots,
            log: Arc::clone(&writer),
            snapshot_every: opening.snapshot_every,
        });
        let batcher = Batcher::start(view.clone(), Arc::clone(&forwarder), Arc::clone(&compactor));
        let caretaker = Maintenance::start(Parts {
            raft: raft.clone(),
            view: view.clone(),
            peers: Arc::clone(&peers),
            forwarder: Arc::clone(&forwarder),
            changes: Arc::clone(&changes),
            compactor,
            reach: reach.clone(),
        });
        Ok(Self {
            identity,
            raft,
            batcher,
            applied,
            writer,
            peers,
            view,
            forwarder,
            changes,
            reach,
            incoming: Incoming::default(),
            caretaker,
            max_staleness,
            log_end,
        })
    }

    /// Has all that was applied stand in a snapshot, and nothing in the log.
    pub(crate) async fn compact(&self) -> Result<(), OpenError> {
        let applied = self.applied.index();
        let is_at = |at: Option<LogId>| at.is_some_and(|at| at.index() >= applied);
        let wait = || self.raft.wait(Some(RECOVERY_MAX));
        let trigger = self.raft.trigger();
        trigger.snapshot().await.map_err(OpenError::engine)?;
        wait().metrics(|m| is_at(m.snapshot), "snapshot").await.map_err(OpenError::engine)?;
        trigger.purge_log(applied).await.map_err(OpenError::engine)?;
        wait().metrics(|m| is_at(m.purged), "purge").await.map_err(OpenError::engine)?;
        Ok(())
    }

    /// Makes this node the one voter of its cluster.
    pub(crate) async fn found(&self) -> Result<(), OpenError> {
        let members = BTreeMap::from([(self.identity.node_id, Member::default())]);
        self.raft.initialize(members).await.map_err(OpenError::engine)?;
        self.raft.wait_for_recovery(Some(RECOVERY_MAX)).await.map_err(OpenError::engine)?;
        Ok(())
    }
}

/// What the disks kept of a ledger.
struct Kept {
    log: Log,
    log_state: LogState,
    /// The last entry that the log or the snapshot holds.
    log_end: u64,
    snapshots: SnapshotFiles,
    /// What the newest snapshot holds; the log behind it is not applied yet.
    applied: Applied,
}

impl Kept {
    /// Reads it. Nothing is changed but that a torn tail of the log may be cut.
    fn read(
        dir: &Path,
        identity: Identity,
        first: State,
        (log, snapshots): (Box<dyn Disk>, Box<dyn Disk>),
        segment_len: SegmentLen,
    ) -> Result<Self, OpenError> {
        let ledger_id = LedgerId(identity.ledger_id);
        let (log, log_state, recovery) =
            Log::open(log, ledger_id, segment_len).map_err(OpenError::log(dir))?;
        report(&recovery);
        let snapshots = SnapshotFiles::new(snapshots);
        let (state, meta) = last_state(dir, first, &snapshots)?;
        let reached = meta.last_log_id.map(|last| last.index());
        if log_state.head().purged_index() > reached {
            return Err(OpenError::SnapshotMissing(dir.to_owned()));
        }
        let log_end = log_state.head().last_index().max(reached).unwrap_or_default();
        let applied = Applied::new(state, meta);
        Ok(Self { log, log_state, log_end, snapshots, applied })
    }
}

/// Returns the state and position that the newest snapshot holds, or `first` if
/// there is none.
pub(crate) fn last_state(
    dir: &Path,
    first: State,
    files: &SnapshotFiles,
) -> Result<(State, SnapshotMeta), OpenError> {
    let Some((meta, bytes)) = files.newest()? else {
        return Ok((first, SnapshotMeta::default()));
    };
    let state = snapshot::decode(&bytes)
        .map_err(|source| OpenError::Snapshot { dir: dir.to_owned(), source })?;
    Ok((state, meta))
}

fn report(recovery: &Recovery) {
    tracing::info!(segments = recovery.segments, frames = recovery.frames, "ledger log replayed");
    if let Some(cut) = &recovery.cut {
        tracing::warn!(
            ?cut,
            "cut a torn tail of the ledger log: a write that was never acknowledged"
        );
    }
}

pub(crate) fn check_permissions(dir: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::PermissionsExt as _;
    match fs::metadata(dir) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            Err(OpenError::Permissions(dir.to_owned()))
        }
        // A missing folder has a better message of its own.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn config(kept_entries: u64) -> Result<Config, openraft::ConfigError> {
    Config {
        cluster_name: "jeton".to_owned(),
        heartbeat_interval: 150,
        // Nobody is elected while the lease of the last leader, which is the maximum, has
        // not run out; then one of the others needs a minimum and some turns. It adds up
        // to less than 3 s, also where a turn takes 100 ms and packets are lost.
        election_timeout_min: 300,
        election_timeout_max: 450,
        install_snapshot_timeout: 30_000,
        max_payload_entries: APPEND_ENTRIES_MAX,
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: kept_entries,
        enable_pre_vote: Some(true),
        // A leader sends entries before its own disk has them. One that was killed
        // then, and led on in the same term, would give the same place in the log to
        // another entry. It has to be elected anew.
        enable_leader_restore: Some(false),
        ..Config::default()
    }
    .validate()
}
