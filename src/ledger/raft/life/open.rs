//! Opens a ledger, and starts the parts of a node.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use openraft::{Config, SnapshotPolicy};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::ledger::log::{
    Disk, FileDisk, Head, LedgerId, Log, LogError, LogState, Recovery, SegmentLen, Writer,
};
use crate::ledger::raft::members::Changes;
use crate::ledger::raft::node::{Maintenance, MaintenanceContext, RaftLedger, Reachability};
use crate::ledger::raft::peers::{
    Alone, IncomingSnapshot, Peers, RaftConnections, Transport, View,
};
use crate::ledger::raft::spend::{Batcher, Forwarder};
use crate::ledger::raft::store::{
    Applied, Compactor, Identity, Incarnations, LogStore, OpenError, Raft, SnapshotFiles,
    StateMachine, check_clone_guard, write_clone_guard,
};
use crate::ledger::raft::types::{LogId, Member, SnapshotMeta};
use crate::ledger::{State, snapshot};
use crate::random;

/// The file that marks a directory made by joining, until its node is a member.
pub const JOINED: &str = "joined";

/// How long applying the log may take at a start.
const RECOVERY_MAX: Duration = Duration::from_secs(300);

/// How many bytes of log make a snapshot due. A new leader finds the last entry that it shares with
/// each follower by binary search, one request at a time: with a shorter log, it leads sooner.
pub(crate) const SNAPSHOT_EVERY: u64 = 1024 * 1024;

/// How many entries that a snapshot covers are kept, for nodes that lag a little. An entry is a
/// batch, and can have some 200 KB.
pub(crate) const KEPT_ENTRIES: u64 = 100;

/// How many entries one message to a follower carries at most.
const APPEND_ENTRIES_MAX: u64 = 64;

/// How a node takes part in its cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// Carries messages to the other nodes.
    pub transport: Arc<dyn Transport>,
    /// Where the other nodes reach this one. If the membership has another address, the node
    /// reports this one. `None` for a lone node.
    pub address: Option<String>,
    /// How old the applied state may be for the node to answer, with equality.
    pub max_staleness: Duration,
}

impl Default for Options {
    /// Returns the options of a lone node.
    fn default() -> Self {
        Self { transport: Arc::new(Alone), address: None, max_staleness: Duration::from_secs(10) }
    }
}

/// Everything that a ledger is opened from.
pub(crate) struct Opening {
    pub(crate) dir: PathBuf,
    pub(crate) identity: Identity,
    /// The state that the ledger begins with while it has no snapshot.
    pub(crate) first: State,
    pub(crate) log: Box<dyn Disk>,
    pub(crate) snapshots: Box<dyn Disk>,
    /// The directory itself.
    pub(crate) home: Box<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: Options,
    pub(crate) snapshot_every: u64,
    pub(crate) kept_entries: u64,
    /// A random number that names this start.
    pub(crate) incarnation: u64,
    pub(crate) segment_len: SegmentLen,
    pub(crate) start_writer: fn(Log, LogState) -> Result<Writer, LogError>,
}

impl Opening {
    pub(crate) fn of(
        dir: &Path,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Self, OpenError> {
        check_permissions(dir)?;
        let incarnation = random::bytes().map_err(OpenError::engine)?;
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
            incarnation: u64::from_be_bytes(incarnation),
            segment_len: SegmentLen::default(),
            start_writer: Writer::start,
        })
    }
}

impl RaftLedger {
    /// Opens the ledger in `dir`.
    ///
    /// A lone node is returned once its log is applied: it then knows everything that it ever
    /// acknowledged, and grants. A node with other members, or one that waits to be added, is
    /// returned at once, and grants once it has reached them.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; at most a torn tail of the log was cut. A directory that was copied or put
    /// back is [`OpenError::Copied`].
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
        let is_initialized = ledger.raft.is_initialized().await.map_err(OpenError::engine)?;
        let joined = dir.join(JOINED);
        if !is_initialized && !joined.exists() {
            ledger.close().await;
            return Err(OpenError::NotFounded(dir.to_owned()));
        }
        if is_initialized && joined.exists() {
            // The node is a member now. If this fails, the next start repeats it.
            let _ = fs::remove_file(&joined);
        }
        if is_initialized && ledger.view.is_lone() {
            // No other node can win, so there is no need to wait for the election timeout.
            ledger.raft.trigger().elect(false).await.map_err(OpenError::engine)?;
            let recovered = ledger.raft.wait_for_recovery(Some(RECOVERY_MAX)).await;
            if let Err(error) = recovered {
                ledger.close().await;
                return Err(OpenError::engine(error));
            }
        }
        Ok(ledger)
    }

    /// Starts a node: reads its disks, then starts the engine and the tasks around it.
    pub(crate) async fn start(opening: Opening) -> Result<Self, OpenError> {
        let Opening { dir, identity, log, snapshots, home, clock, options, .. } = opening;
        let Options { transport, address, max_staleness } = options;
        let disks = (log, snapshots);
        let Recovered { log, log_state, log_end, snapshots, applied } =
            Recovered::read(&dir, identity, opening.first, disks, opening.segment_len)?;
        let incarnations = Incarnations::open(home, opening.incarnation, log_end)
            .map_err(OpenError::io("read", &dir.join("runs")))?;
        let mut writer = (opening.start_writer)(log, log_state).map_err(OpenError::log(&dir))?;
        let (guard, log_closed) = watch::channel(());
        writer.keep_until_closed(guard);
        let writer = Arc::new(writer);
        let log = Arc::clone(&writer);
        let peers = Peers::new(identity, clock, incarnations, applied.clone(), log, transport);
        let peers = Arc::new(peers);
        let raft = Raft::new(
            identity.node_id,
            Arc::new(config(opening.kept_entries).map_err(OpenError::engine)?),
            RaftConnections(Arc::clone(&peers)),
            LogStore::new(Arc::clone(&writer)),
            StateMachine::new(applied.clone(), snapshots.clone()),
        );
        let raft = raft.await.map_err(OpenError::engine)?;
        let view = View::new(raft.clone(), identity.node_id);
        let forwarder = Arc::new(Forwarder::new(raft.clone(), view.clone(), Arc::clone(&peers)));
        let reachability = Reachability::new(view.clone(), Arc::clone(&peers), address.clone());
        let changes =
            Arc::new(Changes::new(raft.clone(), view.clone(), Arc::clone(&peers), address));
        let compactor = Arc::new(Compactor {
            raft: raft.clone(),
            snapshots,
            log: Arc::clone(&writer),
            snapshot_every: opening.snapshot_every,
        });
        let batcher = Batcher::start(view.clone(), Arc::clone(&forwarder), Arc::clone(&compactor));
        let maintenance = Maintenance::start(MaintenanceContext {
            raft: raft.clone(),
            view: view.clone(),
            peers: Arc::clone(&peers),
            forwarder: Arc::clone(&forwarder),
            changes: Arc::clone(&changes),
            compactor,
            reachability: reachability.clone(),
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
            reachability,
            incoming: IncomingSnapshot::default(),
            maintenance,
            max_staleness,
            log_end,
            log_closed,
        })
    }

    /// Moves everything applied into a snapshot, and empties the log.
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

    /// Makes this node the only voter of a new cluster.
    pub(crate) async fn bootstrap(&self) -> Result<(), OpenError> {
        let members = BTreeMap::from([(self.identity.node_id, Member::default())]);
        self.raft.initialize(members).await.map_err(OpenError::engine)?;
        self.raft.wait_for_recovery(Some(RECOVERY_MAX)).await.map_err(OpenError::engine)?;
        Ok(())
    }
}

/// What was read from the disks.
struct Recovered {
    log: Log,
    log_state: LogState,
    /// The index of the last entry that the log or the snapshot holds.
    log_end: u64,
    snapshots: SnapshotFiles,
    /// The state of the newest snapshot; the log after it is not applied yet.
    applied: Applied,
}

impl Recovered {
    /// Reads the disks, and changes nothing but a torn tail of the log, which it cuts.
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
        let (state, meta) = last_state(dir, first, &snapshots, log_state.head())?;
        let reached = meta.last_log_id.map(|last| last.index());
        let log_end = log_state.head().last_index().max(reached).unwrap_or_default();
        let applied = Applied::new(state, meta);
        Ok(Self { log, log_state, log_end, snapshots, applied })
    }
}

/// Returns the state and the position of the newest snapshot, or `first` if there is none. The log
/// with this `head` must continue from it.
pub(crate) fn last_state(
    dir: &Path,
    first: State,
    files: &SnapshotFiles,
    head: &Head,
) -> Result<(State, SnapshotMeta), OpenError> {
    let (state, meta) = match files.newest()? {
        None => (first, SnapshotMeta::default()),
        Some((meta, bytes)) => {
            let failed = |source| OpenError::Snapshot { dir: dir.to_owned(), source };
            (snapshot::decode(&bytes).map_err(failed)?, meta)
        }
    };
    if head.purged_index() > meta.last_log_id.map(|last| last.index()) {
        return Err(OpenError::SnapshotMissing(dir.to_owned()));
    }
    Ok((state, meta))
}

fn report(recovery: &Recovery) {
    tracing::info!(segments = recovery.segments, frames = recovery.frames, "ledger log replayed");
    if let Some(cut) = &recovery.cut {
        tracing::warn!(
            ?cut,
            "cut the torn tail of the ledger log, a write that was never acknowledged"
        );
    }
}

pub(crate) fn check_permissions(dir: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::PermissionsExt as _;
    match fs::metadata(dir) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            Err(OpenError::Permissions(dir.to_owned()))
        }
        // A missing directory has an error of its own.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn config(kept_entries: u64) -> Result<Config, openraft::ConfigError> {
    Config {
        cluster_name: "jeton".to_owned(),
        heartbeat_interval: 150,
        // No election starts before the last leader's lease, which equals the maximum, has expired.
        // A candidate then needs the minimum and a few round trips. In all this is less than 3 s,
        // even with round trips of 100 ms and lost packets.
        election_timeout_min: 300,
        election_timeout_max: 450,
        install_snapshot_timeout: 30_000,
        max_payload_entries: APPEND_ENTRIES_MAX,
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: kept_entries,
        enable_pre_vote: Some(true),
        // A leader sends entries before its own disk has them. If it is killed then, it must be
        // elected again: in the same term, it would reuse their indexes for other entries.
        enable_leader_restore: Some(false),
        ..Config::default()
    }
    .validate()
}
