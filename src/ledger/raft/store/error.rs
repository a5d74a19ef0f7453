//! Why a ledger could not be made or opened.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::identity::IdentityError;
use super::snapshot_files::SnapshotFileError;
use crate::ledger::log::LogError;
use crate::ledger::snapshot::SnapshotError;

/// Why a ledger could not be made or opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is something where the ledger should be made.
    #[error("{0} is there already")]
    Exists(PathBuf),
    /// The folder has no identity, or none that is whole.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The log cannot be opened.
    #[error("the log of the ledger {dir} cannot be opened")]
    Log {
        /// The ledger's folder.
        dir: PathBuf,
        /// Why.
        source: LogError,
    },
    /// The newest snapshot cannot be read.
    #[error(transparent)]
    SnapshotFile(#[from] SnapshotFileError),
    /// The newest snapshot holds no state.
    #[error("the newest snapshot of the ledger {dir} cannot be read")]
    Snapshot {
        /// The ledger's folder.
        dir: PathBuf,
        /// Why.
        source: SnapshotError,
    },
    /// The log goes on from a snapshot that is not there.
    #[error("the snapshot that the log of {0} goes on from is missing")]
    SnapshotMissing(PathBuf),
    /// A ledger is readable by others than its owner.
    #[error("{0} can be read or written by group or world")]
    Permissions(PathBuf),
    /// The folder is not the one that counted last.
    #[error("the ledger {0} was copied or put back: others may have been counted since")]
    Copied(PathBuf),
    /// The file that tells a folder from its copies is damaged.
    #[error("{0} is damaged: whether the ledger was copied or put back is not known")]
    Place(PathBuf),
    /// The making of the ledger was never finished.
    #[error("the ledger {0} was never founded")]
    NotFounded(PathBuf),
    /// The disk failed.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The engine did not start.
    #[error("the ledger does not start: {0}")]
    Engine(String),
}

impl OpenError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    pub(crate) fn log(dir: &Path) -> impl FnOnce(LogError) -> Self {
        let dir = dir.to_owned();
        move |source| Self::Log { dir, source }
    }

    pub(crate) fn engine(error: impl fmt::Display) -> Self {
        Self::Engine(error.to_string())
    }
}
