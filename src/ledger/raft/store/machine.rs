//! openraft's state machine: applies committed entries and keeps snapshots.
//!
//! The state is in memory only. A restart reads the newest snapshot and applies the log after it.

use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use futures_util::{Stream, TryStreamExt as _};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use tokio::time::Instant;

use super::freshness::Freshness;
use super::snapshot_files::SnapshotFiles;
use crate::ledger::raft::types::{
    LogId, Member, RaftEntry, Snapshot, SnapshotMeta, StoredMembership, TypeConfig, off_thread,
};
use crate::ledger::{LedgerError, NodeId, Outcome, State, StateAt, Unavailable, snapshot};
use crate::token::UnixSeconds;

/// The Raft engine with this state machine.
pub(crate) type Raft = openraft::Raft<TypeConfig, StateMachine>;

/// What this node has applied so far. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    inner: Arc<RwLock<Inner>>,
    freshness: Arc<Freshness>,
}

#[derive(Clone, Debug)]
struct Inner {
    state: State,
    last: Option<LogId>,
    membership: StoredMembership,
    /// When the log's time last advanced.
    log_time_since: Instant,
}

/// The time of the log, and when it last advanced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogTime {
    pub(crate) now: UnixSeconds,
    /// When it last advanced, by this node's monotonic clock.
    pub(crate) since: Instant,
}

impl Applied {
    /// Starts from the contents of a snapshot, or from an empty state.
    pub(crate) fn new(state: State, meta: SnapshotMeta) -> Self {
        let inner = Inner::new(state, meta);
        let freshness = Arc::new(Freshness::default());
        freshness.set_applied(inner.index());
        Self { inner: Arc::new(RwLock::new(inner)), freshness }
    }

    /// Reads the state.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Unavailable`] if applying an entry panicked: the state may then be half
    /// changed.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> Result<T, LedgerError> {
        match self.inner.read() {
            Ok(inner) => Ok(look(&inner.state)),
            Err(_) => Err(LedgerError::Unavailable(Unavailable::DamagedState)),
        }
    }

    /// Reads the state for display, even if applying an entry panicked.
    pub(crate) fn show<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.inner().state)
    }

    /// Returns the index of the last applied entry.
    pub(crate) fn index(&self) -> u64 {
        self.inner().index()
    }

    /// Returns a copy of the state and the index of the last applied entry.
    pub(crate) fn copy(&self) -> StateAt {
        let inner = self.inner();
        StateAt { applied: inner.index(), state: inner.state.clone() }
    }

    /// Returns the id of the last applied entry.
    pub(crate) fn last(&self) -> Option<LogId> {
        self.inner().last
    }

    /// Returns a member of the last applied membership.
    pub(crate) fn member(&self, node_id: NodeId) -> Option<Member> {
        self.inner().membership.get_node(&node_id).cloned()
    }

    /// Returns the number of its members.
    pub(crate) fn members(&self) -> usize {
        self.inner().membership.nodes().count()
    }

    pub(crate) fn log_time(&self) -> LogTime {
        let inner = self.inner();
        LogTime { now: inner.state.log_time(), since: inner.log_time_since }
    }

    pub(crate) fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// Applies an entry, or replaces the whole state.
    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> Result<T, io::Error> {
        let mut inner = self.writable()?;
        let changed = change(&mut inner);
        let index = inner.index();
        drop(inner);
        self.freshness.set_applied(index);
        Ok(changed)
    }

    fn inner(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn writable(&self) -> Result<RwLockWriteGuard<'_, Inner>, io::Error> {
        self.inner.write().map_err(|_| io::Error::other("the state machine broke"))
    }
}

impl Inner {
    fn new(state: State, meta: SnapshotMeta) -> Self {
        let (last, membership) = (meta.last_log_id, meta.last_membership);
        let now = Instant::now();
        Self { state, last, membership, log_time_since: now }
    }

    fn index(&self) -> u64 {
        self.last.map_or(0, |last| last.index())
    }

    fn apply(&mut self, entry: RaftEntry) -> Vec<Outcome> {
        self.last = Some(entry.log_id);
        match entry.payload {
            EntryPayload::Blank => Vec::new(),
            EntryPayload::Normal(entry) => {
                let before = self.state.log_time();
                let outcomes = self.state.apply(&entry);
                if self.state.log_time() > before {
                    self.log_time_since = Instant::now();
                }
                outcomes
            }
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership);
                Vec::new()
            }
        }
    }

    fn meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.last, last_membership: self.membership.clone() }
    }
}

/// The state machine and its snapshots.
#[derive(Debug)]
pub(crate) struct StateMachine {
    applied: Applied,
    files: SnapshotFiles,
}

impl StateMachine {
    pub(crate) const fn new(applied: Applied, files: SnapshotFiles) -> Self {
        Self { applied, files }
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let inner = self.applied.writable()?;
        Ok((inner.last, inner.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let outcomes = self.applied.change(|inner| inner.apply(entry))?;
            if let Some(responder) = responder {
                responder.send(outcomes);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self::SnapshotBuilder {
        // A clone shares all counts with the state, so this does not delay spends.
        Builder { applied: self.applied.inner().clone(), files: self.files.clone() }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        bytes: Self::SnapshotData,
    ) -> Result<(), io::Error> {
        let (files, saved) = (self.files.clone(), meta.clone());
        let state = off_thread(move || {
            let state = snapshot::decode(&bytes).map_err(io::Error::other)?;
            files.save(&saved, &bytes)?;
            Ok(state)
        });
        let state = state.await?;
        self.applied.change(|inner| *inner = Inner::new(state, meta.clone()))
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        let newest = self.files.newest().map_err(io::Error::other)?;
        Ok(newest.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// Builds one snapshot.
#[derive(Debug)]
pub(crate) struct Builder {
    applied: Inner,
    files: SnapshotFiles,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let (applied, files) = (self.applied.clone(), self.files.clone());
        let built = off_thread(move || {
            let (meta, bytes) = (applied.meta(), snapshot::encode(&applied.state));
            files.save(&meta, &bytes)?;
            Ok(Snapshot { meta, snapshot: bytes })
        });
        built.await
    }
}
