//! Reads an older copy of a ledger, from which a new ledger can begin.
//!
//! A copy is read without the engine: its newest snapshot, and all of the log after it, committed
//! or not. The copy does not say which entries a majority had. Accepting too many is safe: the new
//! ledger refuses every link issued before it, and what was revoked stays revoked.

use std::fmt;
use std::path::{Path, PathBuf};

use openraft::EntryPayload;

use super::open::{check_permissions, last_state};
use crate::ledger::State;
use crate::ledger::log::{FileDisk, LedgerId, Log, LogError};
use crate::ledger::raft::store::{Identity, OpenError, SnapshotFiles, log_store};
use crate::ledger::raft::types::RaftEntry;
use crate::token::UnixSeconds;

/// An older copy of a ledger. It is locked until this is dropped, so no node can serve it.
pub struct LedgerCopy {
    dir: PathBuf,
    state: State,
    others: Vec<String>,
    _locked: FileDisk,
}

impl LedgerCopy {
    /// Reads the copy in `dir`, and changes nothing there. It may be the directory of a lone node
    /// or of any member of a cluster.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the ledger is incomplete or damaged, or if a node serves it.
    pub fn read(dir: &Path) -> Result<Self, OpenError> {
        let identity = Identity::read(dir)?;
        check_permissions(dir)?;
        let log_dir = dir.join("log");
        let mut disk = FileDisk::new(&log_dir);
        if !disk.try_lock_shared().map_err(OpenError::io("lock", &log_dir))? {
            return Err(OpenError::log(dir)(LogError::Locked));
        }
        let log = Log::read(&disk, LedgerId(identity.ledger_id)).map_err(OpenError::log(dir))?;
        let snapshots = SnapshotFiles::new(Box::new(FileDisk::new(dir.join("snapshot"))));
        let born = State::new(identity.born_at);
        let (mut state, meta) = last_state(dir, born, &snapshots, log.head())?;
        let first = meta.last_log_id.map_or(0, |last| last.index().saturating_add(1));
        let mut members = meta.last_membership.membership().clone();
        for bytes in log.entries().range(first..).map(|(_, bytes)| bytes) {
            let entry: RaftEntry = log_store::decode(bytes).map_err(OpenError::engine)?;
            match entry.payload {
                EntryPayload::Normal(entry) => drop(state.apply(&entry)),
                EntryPayload::Membership(changed) => members = changed,
                EntryPayload::Blank => {}
            }
        }
        let others = members.nodes().filter(|(id, _)| **id != identity.node_id);
        let others = others.map(|(_, other)| other.address.clone()).collect();
        Ok(Self { dir: dir.to_owned(), state, others, _locked: disk })
    }

    /// Returns the greatest timestamp of its log; zero if it has none.
    #[must_use]
    pub const fn log_time(&self) -> UnixSeconds {
        self.state.log_time()
    }

    /// Returns the addresses of the other members, as far as the copy knows.
    #[must_use]
    pub fn others(&self) -> &[String] {
        &self.others
    }

    /// Returns the number of revocations: of tokens, batches, users and keys.
    #[must_use]
    pub fn revocations(&self) -> usize {
        self.state.revocations()
    }

    /// Returns the number of users who may have `autologin` profiles.
    #[must_use]
    pub fn autologin_users(&self) -> usize {
        self.state.autologin_users().len()
    }

    /// Returns the state that a ledger in place of this one begins with.
    pub(crate) fn with_new_birth(&self, born_at: UnixSeconds) -> State {
        self.state.clone().with_new_birth(born_at)
    }
}

impl fmt::Debug for LedgerCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerCopy").field("dir", &self.dir).finish_non_exhaustive()
    }
}
