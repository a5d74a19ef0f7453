//! The engine: openraft, embedded. One node is a cluster of one.
//!
//! openraft's types stay in this folder; everybody else sees [`Ledger`]. What is
//! ours: the log it writes to (`log_store`), the state machine it drives
//! (`machine`), and the `batcher` that lets one sync of the disk serve all who
//! wait.
//!
//! A ledger is made once, by [`create()`], which also founds the cluster of one.
//! [`RaftLedger::open`] never makes, founds or repairs anything: a directory
//! that is not a whole ledger is refused.
//!
//! ```text
//! DIR/identity.toml   who this ledger and this node are
//! DIR/log/            votes and entries, see ledger/log
//! DIR/snapshot/       states of the past, so that the log stays short
//! ```

mod batcher;
mod create;
mod error;
mod identity;
mod log_store;
mod machine;
mod network;
mod snapshot_files;
#[cfg(test)]
mod tests;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openraft::type_config::async_runtime::watch::WatchReceiver as _;
use openraft::{Config, SnapshotPolicy};

use self::batcher::Batcher;
use self::log_store::LogStore;
use self::machine::{Applied, Machine};
use self::network::NoPeers;
use self::snapshot_files::SnapshotFiles;
use self::types::{Raft, SnapshotMeta};
use super::log::{Disk, FileDisk, LedgerId, Log, Recovery, SegmentLen, Writer};
use super::{
    Answer, Command, Grant, Ledger, LedgerError, NodeId, Note, Outcome, Revocation, Spend,
    SpendRefusal, Standing, State, Status, TokenPage, TokenQuery, TokenRecord, snapshot,
};
use crate::clock::Clock;
use crate::token::{UnixSeconds, UserName, VerifiedToken};

pub use create::create;
pub use error::OpenError;
pub use identity::{Identity, IdentityError};
pub use snapshot_files::SnapshotFileError;
pub use types::Member;

/// How long the log may take to be applied anew at a start.
const RECOVERY_MAX: Duration = Duration::from_secs(300);

/// How many bytes of log are gathered before a snapshot makes them dispensable.
const SNAPSHOT_EVERY: u64 = 16 * 1024 * 1024;

/// How many entries are kept behind a snapshot, for nodes that lag a little. An
/// entry is a batch, and can have some 200 KB.
const KEPT_ENTRIES: u64 = 100;

/// How long the engine may take to let go of the log when it stops, in
/// milliseconds. The next open waits for nobody and says who has it.
const CLOSING_MAX_MS: u64 = 5_000;

/// A ledger whose log is replicated by Raft, opened.
pub struct RaftLedger {
    identity: Identity,
    raft: Raft,
    batcher: Batcher,
    applied: Applied,
    writer: Arc<Writer>,
}

impl RaftLedger {
    /// Opens the ledger in `dir` and returns once its log is applied: from then
    /// on it knows all that it ever acknowledged, and grants.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; nothing was changed but that a torn tail may be cut.
    pub async fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let ledger = Self::start(dir, clock).await?;
        if !ledger.raft.is_initialized().await.map_err(OpenError::engine)? {
            ledger.close().await;
            return Err(OpenError::NotFounded(dir.to_owned()));
        }
        let recovered = ledger.raft.wait_for_recovery(Some(RECOVERY_MAX)).await;
        if let Err(error) = recovered {
            ledger.close().await;
            return Err(OpenError::engine(error));
        }
        Ok(ledger)
    }

    async fn start(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        check_permissions(dir)?;
        let identity = Identity::read(dir)?;
        let log = Box::new(FileDisk::new(dir.join("log")));
        let snapshots = Box::new(FileDisk::new(dir.join("snapshot")));
        Self::start_on(dir, identity, log, snapshots, clock, SNAPSHOT_EVERY).await
    }

    async fn start_on(
        dir: &Path,
        identity: Identity,
        log: Box<dyn Disk>,
        snapshots: Box<dyn Disk>,
        clock: Arc<dyn Clock>,
        snapshot_every: u64,
    ) -> Result<Self, OpenError> {
        let ledger_id = LedgerId(identity.ledger_id);
        let (log, log_state, recovery) =
            Log::open(log, ledger_id, SegmentLen::default()).map_err(OpenError::log(dir))?;
        report(&recovery);
        let snapshots = SnapshotFiles::new(snapshots);
        let (state, meta) = last_state(dir, identity, &snapshots)?;
        let reached = meta.last_log_id.map(|last| last.index());
        if log_state.head().purged_index() > reached {
            return Err(OpenError::SnapshotMissing(dir.to_owned()));
        }
        let applied = Applied::new(state, meta);
        let writer = Writer::start(log, log_state).map_err(OpenError::log(dir))?;
        let writer = Arc::new(writer);
        let raft = Raft::new(
            identity.node_id,
            Arc::new(config().map_err(OpenError::engine)?),
            NoPeers,
            LogStore::new(Arc::clone(&writer)),
            Machine::new(applied.clone(), snapshots.clone()),
        )
        .await
        .map_err(OpenError::engine)?;
        let log = Arc::clone(&writer);
        // A snapshot is not worth its writing before as much log has come since.
        let snapshot_is_due =
            move || log.bytes_since_purge() > snapshot_every.max(snapshots.newest_len());
        let batcher = Batcher::start(raft.clone(), clock, snapshot_is_due);
        Ok(Self { identity, raft, batcher, applied, writer })
    }

    /// Makes this node the one voter of its cluster.
    async fn found(&self) -> Result<(), OpenError> {
        let members = BTreeMap::from([(self.identity.node_id, Member::default())]);
        self.raft.initialize(members).await.map_err(OpenError::engine)?;
        self.raft.wait_for_recovery(Some(RECOVERY_MAX)).await.map_err(OpenError::engine)?;
        Ok(())
    }

    /// Stops the engine and returns when everything written is durable and the
    /// directory is free for another process.
    pub async fn close(self) {
        let Self { raft, batcher, writer, .. } = self;
        drop(batcher);
        // It fails only if the engine had stopped by itself.
        let _ = raft.shutdown().await;
        drop(raft);
        // The engine's tasks let go of the log a moment after it has stopped.
        for _ in 0..CLOSING_MAX_MS {
            if Arc::strong_count(&writer) == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn submit(&self, command: Command) -> Result<Outcome, LedgerError> {
        if !batcher::raft_runs(&self.raft) {
            return Err(batcher::stopped());
        }
        self.batcher.submit(command).await
    }

    fn change(&self, command: Command) -> Answer<'_, ()> {
        Box::pin(async move { self.submit(command).await.map(|_outcome| ()) })
    }

    fn readiness(&self) -> Result<(), String> {
        if let Some(failure) = self.writer.failure() {
            return Err(format!("the log failed: {failure}"));
        }
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        metrics.running_state.as_ref().map_err(ToString::to_string)?;
        self.applied.read(|_state| ()).map_err(|error| error.to_string())?;
        match metrics.current_leader {
            Some(_) => Ok(()),
            None => Err("no leader is known".to_owned()),
        }
    }
}

impl Ledger for RaftLedger {
    fn spend(&self, spend: Spend) -> Answer<'_, Result<Grant, SpendRefusal>> {
        Box::pin(async move {
            match self.submit(Command::Spend(spend.clone())).await? {
                Outcome::Granted { used } => Ok(Ok(Grant::of(&spend, used))),
                Outcome::Refused(refusal) => Ok(Err(refusal)),
                Outcome::Done => {
                    Err(LedgerError::OutcomeUnknown("a spend had no verdict".to_owned()))
                }
            }
        })
    }

    fn revoke(&self, revocation: Revocation) -> Answer<'_, ()> {
        self.change(Command::Revoke(revocation))
    }

    fn permit(&self, user: UserName, autologin: bool) -> Answer<'_, ()> {
        self.change(Command::Permit { user, autologin })
    }

    fn record(&self, record: TokenRecord, note: Note) -> Answer<'_, ()> {
        self.change(Command::Record { record, note })
    }

    fn standing(&self, token: &VerifiedToken) -> Result<Standing, LedgerError> {
        self.applied.read(|state| state.standing(token.id(), token.claims()))
    }

    fn tokens(&self, query: &TokenQuery, now: UnixSeconds) -> TokenPage {
        // A clone shares all counts, so that a long list holds up nobody.
        self.applied.show(State::clone).tokens(query, now)
    }

    fn autologin_users(&self) -> BTreeSet<UserName> {
        self.applied.show(|state| state.autologin_users().clone())
    }

    fn log_time(&self) -> UnixSeconds {
        self.applied.show(State::log_time)
    }

    fn status(&self) -> Status {
        let (born_at, log_time) = self.applied.show(|state| (state.born_at(), state.log_time()));
        Status {
            ready: self.readiness(),
            node_id: NodeId(self.identity.node_id),
            leader: self.raft.metrics().borrow_watched().current_leader.map(NodeId),
            born_at,
            log_time,
            applied: self.applied.index(),
        }
    }
}

impl fmt::Debug for RaftLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaftLedger").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// Returns the state and position that the newest snapshot holds, or those of
/// an empty ledger.
fn last_state(
    dir: &Path,
    identity: Identity,
    files: &SnapshotFiles,
) -> Result<(State, SnapshotMeta), OpenError> {
    let Some((meta, bytes)) = files.newest()? else {
        return Ok((State::new(identity.born_at), SnapshotMeta::default()));
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

fn check_permissions(dir: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::PermissionsExt as _;
    match fs::metadata(dir) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            Err(OpenError::Permissions(dir.to_owned()))
        }
        // A missing directory has a better message of its own.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn config() -> Result<Config, openraft::ConfigError> {
    Config {
        cluster_name: "jeton".to_owned(),
        heartbeat_interval: 150,
        election_timeout_min: 900,
        election_timeout_max: 1_800,
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: KEPT_ENTRIES,
        enable_pre_vote: Some(true),
        ..Config::default()
    }
    .validate()
}
