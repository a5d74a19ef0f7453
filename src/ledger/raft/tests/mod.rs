//! `RaftLedger`: openraft's own test suite, restarts, refusals.

mod copies;
mod faults;
mod history;
mod members;
pub(super) mod runtime;
mod seeds;
#[path = "../../../../tests/support/sim_disk.rs"]
#[expect(
    dead_code,
    clippy::cast_possible_truncation,
    reason = "the log's tests use more of it, and its numbers are small"
)]
mod sim_disk;
mod simulation;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};

use sim_disk::{DiskFailure, SimDisk};

use super::life::Opening;
use super::store::{Applied, LogStore, SnapshotFiles, StateMachine};
use super::types::{SnapshotMeta, TypeConfig};
use super::*;
use crate::clock::ManualClock;
use crate::ledger::log::{FileDisk, LedgerId, Log, LogError, LogState, SegmentLen, Writer};
use crate::ledger::{
    Ledger, LedgerError, NodeId, RequestId, Revocation, Spend, SpendRefusal, State, snapshot,
};
use crate::token::{
    Batch, Claims, KeyId, KeyPurpose, Lifetime, Nonce, ProfileKind, Purpose, SigningKey, TokenId,
    TrustedKey, TrustedKeys, UnixSeconds, UseLimit, UserName, VerifiedToken, sign, verify,
};

const NOW: u64 = 1_790_000_000;

/// How long to wait for the engine.
const WAIT_MAX: Duration = Duration::from_secs(10);

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(UnixSeconds::new(NOW)))
}

fn identity() -> Identity {
    Identity {
        ledger_id: [7; 16],
        node_id: NodeId(0x1234_5678_9abc_def0),
        born_at: UnixSeconds::new(NOW),
    }
}

/// Creates a ledger. Returns its directory, and the parent, which must be kept.
async fn created() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("ledger");
    create(&dir, identity(), clock()).await.unwrap();
    (parent, dir)
}

async fn open(dir: &Path) -> Result<RaftLedger, OpenError> {
    RaftLedger::open(dir, clock(), Options::default()).await
}

fn spend(number: u8, max: u32, request: u32) -> Spend {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&request.to_be_bytes());
    Spend {
        token: TokenId { key_id: KeyId([1; 4]), nonce: Nonce::new(Batch([0; 4]), [number; 12]) },
        max: NonZeroU32::new(max).unwrap(),
        kind: ProfileKind::UserLocked,
        user: UserName::new("alice").unwrap(),
        issued_at: UnixSeconds::new(NOW),
        expires_at: UnixSeconds::new(NOW + 3_600),
        request_id: RequestId(id),
    }
}

struct OneKey(TrustedKey);

impl TrustedKeys for OneKey {
    fn find(&self, _id: KeyId) -> Option<&TrustedKey> {
        Some(&self.0)
    }
}

/// Returns a token with the claims of `spend`.
fn token_of(spend: &Spend) -> VerifiedToken {
    let claims = Claims {
        purpose: Purpose::Profile(spend.kind),
        nonce: spend.token.nonce,
        issued_at: spend.issued_at,
        lifetime: Lifetime::from_seconds(3_600).unwrap(),
        uses: UseLimit::Limited(spend.max),
        user: spend.user.clone(),
        network: None,
    };
    let key = SigningKey::from_seed(&[1; 32]);
    let trusted = TrustedKey { key: *key.verifying_key(), purpose: KeyPurpose::Profile };
    verify(sign(&claims, &key).unwrap().as_str(), &OneKey(trusted)).unwrap()
}

struct Stores;

/// openraft's suite builds new stores for each of its tests.
impl StoreBuilder<TypeConfig, LogStore, StateMachine, tempfile::TempDir> for Stores {
    async fn build(
        &self,
    ) -> Result<(tempfile::TempDir, LogStore, StateMachine), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().unwrap();
        for part in ["log", "snapshot"] {
            FileDisk::create_dir(&dir.path().join(part)).unwrap();
        }
        let disk = Box::new(FileDisk::new(dir.path().join("log")));
        let log =
            Log::create(disk, LedgerId([7; 16]), SegmentLen::new(64 * 1024).unwrap()).unwrap();
        let writer = Writer::start(log, LogState::default()).unwrap();
        let applied = Applied::new(State::new(UnixSeconds::new(NOW)), SnapshotMeta::default());
        let files = SnapshotFiles::new(Box::new(FileDisk::new(dir.path().join("snapshot"))));
        Ok((dir, LogStore::new(Arc::new(writer)), StateMachine::new(applied, files)))
    }
}

/// Returns the node ids of these numbers.
fn nodes<const N: usize>(numbers: [u64; N]) -> BTreeSet<NodeId> {
    BTreeSet::from(numbers.map(NodeId))
}

/// openraft's suite creates node ids from numbers.
impl From<u64> for NodeId {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stores_pass_openrafts_suite() {
    Suite::test_all(Stores).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_three_of_64_concurrent_spends_are_granted_and_a_restart_keeps_the_count() {
    let (_parent, dir) = created().await;
    let ledger = Arc::new(open(&dir).await.unwrap());
    let spends = (0..64).map(|request| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move { (request, ledger.spend(spend(1, 3, request)).await.unwrap()) })
    });
    let mut granted = Vec::new();
    for spend in spends.collect::<Vec<_>>() {
        match spend.await.unwrap() {
            (request, Ok(grant)) => granted.push((grant.used(), grant.left(), request)),
            (_, Err(refusal)) => assert_eq!(refusal, SpendRefusal::UsedUp),
        }
    }
    granted.sort_unstable();
    let counts: Vec<_> = granted.iter().map(|(used, left, _)| (*used, *left)).collect();
    assert_eq!(counts, [(1, 2), (2, 1), (3, 0)]);
    Arc::into_inner(ledger).unwrap().close().await;

    let ledger = open(&dir).await.unwrap();
    assert_eq!(ledger.spend(spend(1, 3, 99)).await.unwrap(), Err(SpendRefusal::UsedUp));
    // A repeated request gets its old verdict, even after a restart.
    for (used, _, request) in granted {
        let again = ledger.spend(spend(1, 3, request)).await.unwrap().unwrap();
        assert_eq!(again.used(), used);
    }
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_node_grants_as_soon_as_it_is_open() {
    let (_parent, dir) = created().await;
    for request in 0..3 {
        let ledger = open(&dir).await.unwrap();
        assert_eq!(ledger.status().ready, Ok(()));
        let grant = ledger.spend(spend(1, 9, request)).await.unwrap().unwrap();
        assert_eq!(grant.used(), request + 1);
        ledger.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_one_failed_sync_nothing_is_granted_until_a_restart() {
    let (_parent, dir) = created().await;
    let segment = "00000000000000000001".to_owned();
    let bytes = fs::read(dir.join("log").join(&segment)).unwrap();
    let disk = SimDisk::with_files(&BTreeMap::from([(segment, bytes)]));
    let start = async || {
        let opening = Opening::of(&dir, clock(), Options::default()).unwrap();
        let ledger = RaftLedger::start(Opening { log: Box::new(disk.handle()), ..opening });
        let ledger = ledger.await.unwrap();
        ledger.raft.wait_for_recovery(Some(WAIT_MAX)).await.unwrap();
        ledger
    };
    let ledger = start().await;
    assert_eq!(ledger.spend(spend(1, 9, 1)).await.unwrap().unwrap().used(), 1);

    // The next operation is a write, the one after it a sync.
    disk.plan(1, DiskFailure::Error(io::ErrorKind::Other));
    let syncs = disk.syncs();
    let unknown = ledger.spend(spend(1, 9, 2)).await.unwrap_err();
    assert!(matches!(unknown, LedgerError::OutcomeUnknown(_)), "{unknown:?}");
    assert_eq!(disk.syncs(), syncs + 1);
    for request in 3..20 {
        let refused = ledger.spend(spend(1, 9, request)).await.unwrap_err();
        assert!(matches!(refused, LedgerError::Unavailable(_)), "{refused:?}");
    }
    assert!(ledger.status().ready.is_err());
    ledger.close().await;

    let ledger = start().await;
    let used = ledger.spend(spend(1, 9, 99)).await.unwrap().unwrap().used();
    assert!(used == 2 || used == 3, "expected use 2 or 3, got {used}");
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_replaces_the_log_and_loses_nothing() {
    let (_parent, dir) = created().await;
    let ledger = open(&dir).await.unwrap();
    for number in 0..200 {
        let spent = ledger.spend(spend(number, 2, u32::from(number))).await.unwrap();
        assert!(spent.is_ok());
    }
    ledger.revoke(Revocation::Key(KeyId([9; 4]))).await.unwrap();
    ledger.permit(UserName::new("alice").unwrap(), true).await.unwrap();
    let before = ledger.applied.show(snapshot::state_hash);
    ledger.compact().await.unwrap();
    ledger.close().await;

    let ledger = open(&dir).await.unwrap();
    assert_eq!(ledger.applied.show(snapshot::state_hash), before);
    assert_eq!(ledger.spend(spend(7, 2, 1_000)).await.unwrap().unwrap().used(), 2);
    assert_eq!(ledger.spend(spend(7, 2, 1_001)).await.unwrap(), Err(SpendRefusal::UsedUp));
    ledger.close().await;

    // A purged log without its snapshot is refused.
    fs::remove_dir_all(dir.join("snapshot")).unwrap();
    FileDisk::create_dir(&dir.join("snapshot")).unwrap();
    let refused = open(&dir).await.unwrap_err();
    assert!(matches!(refused, OpenError::SnapshotMissing(_)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_keep_the_log_short_and_lose_no_uses() {
    let (_parent, dir) = created().await;
    let opening = Opening::of(&dir, clock(), Options::default()).unwrap();
    let opening = Opening { snapshot_every: 20_000, ..opening };
    let ledger = RaftLedger::start(opening).await.unwrap();
    ledger.raft.wait_for_recovery(Some(WAIT_MAX)).await.unwrap();
    for request in 0..1_000 {
        assert!(ledger.spend(spend(1, 1_000, request)).await.unwrap().is_ok());
    }
    // On a slow disk, the last snapshot may still be in progress.
    let is_short = || {
        let is_purged = ledger.view.metrics(|m| m.purged.is_some_and(|at| at.index() > 500));
        is_purged && ledger.writer.bytes_since_purge() < 100_000
    };
    let started = std::time::Instant::now();
    while !is_short() {
        let len = ledger.writer.bytes_since_purge();
        assert!(started.elapsed() < WAIT_MAX, "the log still has {len} bytes");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(fs::read_dir(dir.join("snapshot")).unwrap().count() <= 3);
    ledger.close().await;

    let ledger = open(&dir).await.unwrap();
    assert_eq!(ledger.spend(spend(1, 1_000, 5_000)).await.unwrap(), Err(SpendRefusal::UsedUp));
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_snapshot_is_refused() {
    let (_parent, dir) = created().await;
    let ledger = open(&dir).await.unwrap();
    assert!(ledger.spend(spend(1, 2, 1)).await.unwrap().is_ok());
    ledger.raft.trigger().snapshot().await.unwrap();
    let wait = ledger.raft.wait(Some(WAIT_MAX));
    wait.metrics(|m| m.snapshot.is_some(), "snapshot").await.unwrap();
    ledger.close().await;
    let file = fs::read_dir(dir.join("snapshot")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    for index in (0..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[index] ^= 0x10;
        fs::write(&file, &damaged).unwrap();
        assert!(open(&dir).await.is_err(), "byte {index}");
    }
    fs::write(&file, &whole).unwrap();
    open(&dir).await.unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_ledger_cannot_be_opened_again() {
    let (_parent, dir) = created().await;
    let ledger = open(&dir).await.unwrap();
    let refused = open(&dir).await.unwrap_err();
    assert!(matches!(refused, OpenError::Log { source: LogError::Locked, .. }), "{refused:?}");
    ledger.close().await;
    open(&dir).await.unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incomplete_ledger_is_refused_and_left_unchanged() {
    let (parent, dir) = created().await;
    let exists = create(&dir, identity(), clock()).await.unwrap_err();
    assert!(matches!(exists, OpenError::Exists(_)), "{exists:?}");

    let none = open(&parent.path().join("none")).await.unwrap_err();
    assert!(matches!(none, OpenError::Identity(IdentityError::Missing(_))), "{none:?}");

    fs::remove_dir_all(dir.join("log")).unwrap();
    assert!(open(&dir).await.is_err());
    FileDisk::create_dir(&dir.join("log")).unwrap();
    let empty = open(&dir).await.unwrap_err();
    assert!(matches!(empty, OpenError::Log { source: LogError::Missing, .. }), "{empty:?}");
    assert!(
        fs::read_dir(dir.join("log")).unwrap().all(|entry| entry.unwrap().file_name() == "lock")
    );
}
