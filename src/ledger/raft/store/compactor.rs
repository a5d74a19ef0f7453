//! Takes a snapshot when the log has grown enough.

use std::sync::Arc;

use super::machine::Raft;
use super::snapshot_files::SnapshotFiles;
use crate::ledger::log::Writer;

/// Triggers snapshots, which keep the log short.
pub(crate) struct Compactor {
    pub(crate) raft: Raft,
    pub(crate) snapshots: SnapshotFiles,
    pub(crate) log: Arc<Writer>,
    /// The least bytes of log between two snapshots.
    pub(crate) snapshot_every: u64,
}

impl Compactor {
    /// Triggers a snapshot if the log has grown enough since the last one.
    pub(crate) async fn make_snapshot_if_due(&self) {
        // A large snapshot is due only after as much log.
        let due = self.snapshot_every.max(self.snapshots.newest_len());
        if self.log.bytes_since_purge() > due {
            // Has no effect while one is being taken.
            let _ = self.raft.trigger().snapshot().await;
        }
    }
}
