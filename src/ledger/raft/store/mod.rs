//! What is on disk, and what is applied.

mod checksummed;
mod clone_guard;
mod compactor;
mod error;
mod freshness;
mod identity;
mod incarnations;
pub(crate) mod log_store;
mod machine;
mod snapshot_files;

pub(crate) use clone_guard::write_clone_guard;
pub use clone_guard::{accept_clone, check_clone_guard};
pub(crate) use compactor::Compactor;
pub use error::OpenError;
pub(crate) use freshness::ClockReading;
pub use identity::{Identity, IdentityError};
pub(crate) use incarnations::{History, Incarnations, PeerRecord, Verdict};
pub(crate) use log_store::LogStore;
pub(crate) use machine::{Applied, Raft, StateMachine};
pub use snapshot_files::SnapshotFileError;
pub(crate) use snapshot_files::SnapshotFiles;
