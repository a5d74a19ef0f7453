//! When so much log has come that a snapshot is worth its writing.

use std::sync::Arc;

use super::machine::Raft;
use super::snapshot_files::SnapshotFiles;
use crate::ledger::log::Writer;

/// Keeps the log short.
pub(crate) struct Compactor {
    pub(crate) raft: Raft,
    pub(crate) snapshots: SnapshotFiles,
    pub(crate) log: Arc<Writer>,
    /// How many bytes of log make a snapshot due.
    pub(crate) snapshot_every: u64,
}

impl Compactor {
    /// Asks for a snapshot if the log has grown enough.
    pub(crate) async fn make_snapshot_if_due(&self) {
        // A snapshot is not worth its writing before as much log has come since.
        let due = self.snapshot_every.max(self.snapshots.newest_len());
        if self.log.bytes_since_purge() > due {
            // Asking again while one is made changes nothing.
            let _ = self.raft.trigger().snapshot().await;
        }
    }
}
