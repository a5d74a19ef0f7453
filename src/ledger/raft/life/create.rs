//! Makes a ledger directory: once, completely or not at all, by an explicit command.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use super::open::{JOINED, Opening, Options};
use super::restore::LedgerCopy;
use crate::clock::Clock;
use crate::ledger::log::{FileDisk, LedgerId, Log, SegmentLen};
use crate::ledger::raft::node::RaftLedger;
use crate::ledger::raft::store::{Identity, OpenError, write_clone_guard};

/// Makes a ledger in `dir`, which must not exist, and a cluster of this one node.
///
/// # Errors
///
/// [`OpenError`]; nothing is left behind then.
pub async fn create(
    dir: &Path,
    identity: Identity,
    clock: Arc<dyn Clock>,
) -> Result<(), OpenError> {
    put_in_place(dir, async |unfinished| {
        make(unfinished, identity)?;
        bootstrap(Opening::of(unfinished, clock, Options::default())?, async |_| Ok(())).await
    })
    .await
}

/// Makes a ledger as [`create`] does, which begins with what an older copy of a ledger knew. It
/// refuses links issued before the `born_at` of `identity`.
///
/// # Errors
///
/// [`OpenError`]; nothing is left behind then.
pub async fn create_from(
    dir: &Path,
    identity: Identity,
    clock: Arc<dyn Clock>,
    copy: &LedgerCopy,
) -> Result<(), OpenError> {
    put_in_place(dir, async |unfinished| {
        make(unfinished, identity)?;
        let opening = Opening::of(unfinished, clock, Options::default())?;
        let first = copy.with_new_birth(identity.born_at);
        // The log does not contain the state that the ledger begins with.
        bootstrap(Opening { first, ..opening }, RaftLedger::compact).await
    })
    .await
}

/// Makes a cluster of one node, runs `then` on it, and closes it.
async fn bootstrap(
    opening: Opening,
    then: impl AsyncFnOnce(&RaftLedger) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    let ledger = RaftLedger::start(opening).await?;
    let result = match ledger.bootstrap().await {
        Ok(()) => then(&ledger).await,
        failed => failed,
    };
    ledger.close().await;
    result
}

/// Makes a further node of an existing ledger in `dir`, which must not exist. It waits until a
/// member adds it. `identity` has the `ledger_id` and `born_at` of the ledger, and a fresh
/// `node_id`.
///
/// # Errors
///
/// [`OpenError`]; nothing is left behind then.
pub async fn create_joined(dir: &Path, identity: Identity) -> Result<(), OpenError> {
    put_in_place(dir, async |unfinished| {
        make(unfinished, identity)?;
        let path = unfinished.join(JOINED);
        File::create(&path).and_then(|file| file.sync_all()).map_err(OpenError::io("write", &path))
    })
    .await
}

/// Has `make` fill a directory next to `dir`, and renames it to `dir`.
async fn put_in_place(
    dir: &Path,
    make: impl AsyncFnOnce(&Path) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    if dir.exists() {
        return Err(OpenError::Exists(dir.to_owned()));
    }
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let unfinished = dir.with_file_name(name);
    // This fails if the directory exists: it is not ours to remove.
    FileDisk::create_dir(&unfinished).map_err(OpenError::io("create", &unfinished))?;
    let made = make(&unfinished).await.and_then(|()| {
        FileDisk::rename_dir(&unfinished, dir).map_err(OpenError::io("create", dir))
    });
    if made.is_err() {
        // The first error matters more than a failure to clean up.
        let _ = fs::remove_dir_all(&unfinished);
    }
    made
}

fn make(dir: &Path, identity: Identity) -> Result<(), OpenError> {
    for part in ["log", "snapshot"].map(|part| dir.join(part)) {
        FileDisk::create_dir(&part).map_err(OpenError::io("create", &part))?;
    }
    let (name, text) = identity.to_file();
    let path = dir.join(name);
    fs::write(&path, text)
        .and_then(|()| File::open(&path)?.sync_all())
        .map_err(OpenError::io("write", &path))?;
    let log = FileDisk::new(dir.join("log"));
    let log = Log::create(Box::new(log), LedgerId(identity.ledger_id), SegmentLen::default());
    log.map(drop).map_err(OpenError::log(dir))?;
    write_clone_guard(dir)
}
