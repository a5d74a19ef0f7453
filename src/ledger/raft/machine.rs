//! The state machine as openraft drives it: applies what is committed, and
//! keeps snapshots.
//!
//! The state is in memory only. A restart reads the newest snapshot and applies
//! the log from there.

use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use futures_util::{Stream, TryStreamExt as _};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};

use super::snapshot_files::SnapshotFiles;
use super::types::{LogId, RaftEntry, Snapshot, SnapshotMeta, StoredMembership, TypeConfig};
use crate::ledger::{LedgerError, Outcome, State, snapshot};

/// What this node has applied so far, shared with everybody who reads.
#[derive(Clone, Debug)]
pub(super) struct Applied(Arc<RwLock<Inner>>);

#[derive(Clone, Debug)]
struct Inner {
    state: State,
    last: Option<LogId>,
    membership: StoredMembership,
}

impl Applied {
    /// Begins with what a snapshot held, or with nothing.
    pub(super) fn new(state: State, meta: SnapshotMeta) -> Self {
        let (last, membership) = (meta.last_log_id, meta.last_membership);
        Self(Arc::new(RwLock::new(Inner { state, last, membership })))
    }

    /// Reads the state.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Unavailable`] if applying an entry panicked: the state
    /// may be half changed and vouches for nothing any more.
    pub(super) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> Result<T, LedgerError> {
        match self.0.read() {
            Ok(inner) => Ok(look(&inner.state)),
            Err(_) => Err(LedgerError::Unavailable("the state machine broke".to_owned())),
        }
    }

    /// Reads the state to show it, broken or not.
    pub(super) fn show<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.inner().state)
    }

    /// Returns the index of the last entry applied.
    pub(super) fn index(&self) -> u64 {
        self.inner().last.map_or(0, |last| last.index())
    }

    fn inner(&self) -> RwLockReadGuard<'_, Inner> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> Result<RwLockWriteGuard<'_, Inner>, io::Error> {
        self.0.write().map_err(|_| io::Error::other("the state machine broke"))
    }
}

impl Inner {
    fn apply(&mut self, entry: RaftEntry) -> Vec<Outcome> {
        self.last = Some(entry.log_id);
        match entry.payload {
            EntryPayload::Blank => Vec::new(),
            EntryPayload::Normal(entry) => self.state.apply(&entry),
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
pub(super) struct Machine {
    applied: Applied,
    files: SnapshotFiles,
}

impl Machine {
    pub(super) const fn new(applied: Applied, files: SnapshotFiles) -> Self {
        Self { applied, files }
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let inner = self.applied.change()?;
        Ok((inner.last, inner.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let outcomes = self.applied.change()?.apply(entry);
            if let Some(responder) = responder {
                responder.send(outcomes);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self::SnapshotBuilder {
        // A clone shares all counts with the state, so this does not hold up spends.
        Builder { of: self.applied.inner().clone(), files: self.files.clone() }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        bytes: Self::SnapshotData,
    ) -> Result<(), io::Error> {
        let state = snapshot::decode(&bytes).map_err(io::Error::other)?;
        self.files.save(meta, &bytes)?;
        let mut inner = self.applied.change()?;
        *inner = Inner { state, last: meta.last_log_id, membership: meta.last_membership.clone() };
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        let newest = self.files.newest().map_err(io::Error::other)?;
        Ok(newest.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// Writes one snapshot.
#[derive(Debug)]
pub(super) struct Builder {
    of: Inner,
    files: SnapshotFiles,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let (of, files) = (self.of.clone(), self.files.clone());
        tokio::task::spawn_blocking(move || {
            let (meta, bytes) = (of.meta(), snapshot::encode(&of.state));
            files.save(&meta, &bytes)?;
            Ok(Snapshot { meta, snapshot: bytes })
        })
        .await
        .map_err(io::Error::other)?
    }
}
