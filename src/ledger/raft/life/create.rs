//! The making of a ledger: once, whole, by an explicit command.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use super::open::{JOINED, Opening, Options};
use super::restore::LedgerCopy;
use crate::clock::Clock;
use crate::ledger::log::{FileDisk, LedgerId, Log, SegmentLen};
use crate::ledger::raft::node::RaftLedger;
use crate::ledger::raft::store::{Identity, OpenError, write_clone_guard};

/// Makes a ledger in `dir`, which must not be there, and founds a cluster of
/// this one node. It is there whole, or not at all.
///
/// # Errors
///
/// [`OpenError`]; nothing is left behind then.
pub async fn create(
    dir: &Path,
    identity: Identity,
    clock: Arc<dyn Clock>,
) -> Result<(), OpenError> {
    put(dir, async |making| {
        make(making, identity)?;
        found(Opening::of(making, clock, Options::default())?, async |_| Ok(())).await
    })
    .await
}

/// Makes a ledger as [`create`] does, which begins with what an older copy of one
/// knew. Links issued before the `born_at` of `identity` are refused.
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
    put(dir, async |making| {
        make(making, identity)?;
        let opening = Opening::of(making, clock, Options::default())?;
        let first = copy.with_new_birth(identity.born_at);
        // The log alone does not tell what the ledger began with.
        found(Opening { first, ..opening }, RaftLedger::compact).await
    })
    .await
}

/// Founds a cluster of one node, has `then` done with it, and closes it.
async fn found(
    opening: Opening,
    then: impl AsyncFnOnce(&RaftLedger) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    let started = RaftLedger::start(opening).await?;
    let founded = match started.found().await {
        Ok(()) => then(&started).await,
        failed => failed,
    };
    started.close().await;
    founded
}

/// Makes a further node of an existing ledger in `dir`, which must not be there.
/// It founds nothing: it waits until a member adds it. `identity` has the
/// `ledger_id` and `born_at` of the ledger, and a fresh `node_id`.
///
/// # Errors
///
/// [`OpenError`]; nothing is left behind then.
pub async fn create_joined(dir: &Path, identity: Identity) -> Result<(), OpenError> {
    put(dir, async |making| {
        make(making, identity)?;
        let path = making.join(JOINED);
        File::create(&path).and_then(|file| file.sync_all()).map_err(OpenError::io("write", &path))
    })
    .await
}

async fn put(
    dir: &Path,
    make: impl AsyncFnOnce(&Path) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    if dir.exists() {
        return Err(OpenError::Exists(dir.to_owned()));
    }
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let making = dir.with_file_name(name);
    // What somebody else put there is not ours to remove.
    FileDisk::create_dir(&making).map_err(OpenError::io("create", &making))?;
    let made = make(&making).await;
    let made = made
        .and_then(|()| FileDisk::rename_dir(&making, dir).map_err(OpenError::io("create", dir)));
    if made.is_err() {
        // What failed is said; that it cannot be removed either is not news.
        let _ = fs::remove_dir_all(&making);
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
