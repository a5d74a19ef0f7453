//! Copies of a ledger on a real disk: refused where they stand, and what a new
//! ledger takes over of them.

use std::collections::BTreeSet;

use super::*;

/// Copies a folder as a backup does.
fn copy(from: &Path, to: &Path) {
    FileDisk::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

/// Returns names and contents of all files below a folder.
fn files(dir: &Path) -> BTreeSet<(PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let found = paths.flat_map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            BTreeSet::from([(path.clone(), fs::read(&path).unwrap())])
        }
    });
    found.collect()
}

async fn open(dir: &Path) -> Result<RaftLedger, OpenError> {
    RaftLedger::open(dir, clock(), Options::default()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_refused_unchanged_until_somebody_vouches_for_it() {
    let parent = tempfile::tempdir().unwrap();
    let dir = created(parent.path()).await;
    open(&dir).await.unwrap().close().await;
    let moved = parent.path().join("moved");
    fs::rename(&dir, &moved).unwrap();
    open(&moved).await.unwrap().close().await;

    copy(&moved, &dir);
    let before = files(&dir);
    for _ in 0..2 {
        let refused = open(&dir).await.unwrap_err();
        assert!(matches!(refused, OpenError::Copied(_)), "{refused:?}");
    }
    assert_eq!(files(&dir), before);
    let ledger = open(&moved).await.unwrap();
    let refused = accept_clone(&moved).unwrap_err();
    assert!(matches!(refused, OpenError::Log { source: LogError::Locked, .. }), "{refused:?}");
    ledger.close().await;
    assert!(!accept_clone(&moved).unwrap());
    assert!(accept_clone(&dir).unwrap());
    fs::write(dir.join("log/place"), "not ours").unwrap();
    let refused = open(&dir).await.unwrap_err();
    assert!(matches!(refused, OpenError::CloneGuard(_)), "{refused:?}");
    assert!(accept_clone(&dir).unwrap());
    open(&dir).await.unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_log_in_a_folder_that_stayed_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let dir = created(parent.path()).await;
    let old = parent.path().join("old");
    for forget in [false, true] {
        open(&dir).await.unwrap().close().await;
        copy(&dir, &old);
        open(&dir).await.unwrap().close().await;
        fs::remove_dir_all(dir.join("log")).unwrap();
        fs::rename(old.join("log"), dir.join("log")).unwrap();
        if forget {
            fs::remove_file(dir.join("log/place")).unwrap();
        }
        let refused = open(&dir).await.unwrap_err();
        assert!(matches!(refused, OpenError::Copied(_)), "{refused:?}");
        fs::remove_dir_all(&old).unwrap();
        assert!(accept_clone(&dir).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_ours_is_not_removed() {
    let parent = tempfile::tempdir().unwrap();
    let dir = created(parent.path()).await;
    let aside = parent.path().join("ledger.new");
    fs::rename(&dir, &aside).unwrap();
    let before = files(&aside);
    let making = create(&parent.path().join("ledger"), identity(), clock()).await.unwrap_err();
    assert!(matches!(making, OpenError::Io { .. }), "{making:?}");
    assert_eq!(files(&aside), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_ledger_keeps_what_was_forbidden_and_refuses_what_was_minted() {
    let parent = tempfile::tempdir().unwrap();
    let dir = created(parent.path()).await;
    let alice = || UserName::new("alice").unwrap();
    let ledger = open(&dir).await.unwrap();
    ledger.revoke(Revocation::Key(KeyId([9; 4]))).await.unwrap();
    assert!(ledger.spend(spend(1, 9, 1)).await.unwrap().is_ok());
    // One half of it stands in a snapshot, the other in the log behind that.
    ledger.compact().await.unwrap();
    ledger.permit(alice(), true).await.unwrap();
    ledger.revoke(Revocation::Batch(Batch([7; 4]))).await.unwrap();
    let served = LedgerCopy::read(&dir).unwrap_err();
    assert!(matches!(served, OpenError::Log { source: LogError::Locked, .. }), "{served:?}");
    ledger.close().await;

    let before = files(&dir);
    let old = LedgerCopy::read(&dir).unwrap();
    assert_eq!((old.revocations(), old.autologin_users()), (2, 1));
    assert_eq!(old.log_time(), UnixSeconds::new(NOW));
    let born_at = UnixSeconds::new(NOW + 60);
    let identity = Identity { ledger_id: [8; 16], node_id: NodeId(5), born_at };
    let new = parent.path().join("new");
    create_from(&new, identity, clock(), &old).await.unwrap();
    assert_eq!(files(&dir), before);
    drop(old);

    let born_later = |number, request| Spend { issued_at: born_at, ..spend(number, 1, request) };
    let foreign = Spend {
        token: TokenId { key_id: KeyId([9; 4]), ..spend(3, 1, 0).token },
        ..born_later(3, 12)
    };
    // The second time it comes from the snapshot alone.
    for again in [false, true] {
        let ledger = open(&new).await.unwrap();
        // A repeated request does not get its old verdict.
        for request in [1, 10] {
            let refused = ledger.spend(spend(1, 9, request)).await.unwrap();
            assert_eq!(refused, Err(SpendRefusal::BeforeLedger));
        }
        let granted = ledger.spend(born_later(2, 20 + u32::from(again))).await.unwrap();
        assert_eq!(granted.is_ok(), !again);
        assert_eq!(ledger.spend(foreign.clone()).await.unwrap(), Err(SpendRefusal::Revoked));
        assert_eq!(ledger.autologin_users(), BTreeSet::from([alice()]));
        assert_eq!(ledger.status().born_at, born_at);
        ledger.close().await;
    }
    // Without what it began with it is not believed.
    fs::remove_dir_all(new.join("snapshot")).unwrap();
    FileDisk::create_dir(&new.join("snapshot")).unwrap();
    let refused = open(&new).await.unwrap_err();
    assert!(matches!(refused, OpenError::SnapshotMissing(_)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_not_whole_is_not_read() {
    let parent = tempfile::tempdir().unwrap();
    let dir = created(parent.path()).await;
    let ledger = open(&dir).await.unwrap();
    assert!(ledger.spend(spend(1, 9, 1)).await.unwrap().is_ok());
    ledger.compact().await.unwrap();
    ledger.close().await;
    LedgerCopy::read(&dir).unwrap();
    let none = LedgerCopy::read(&parent.path().join("none")).unwrap_err();
    assert!(matches!(none, OpenError::Identity(IdentityError::Missing(_))), "{none:?}");
    for part in ["identity.toml", "log", "snapshot"] {
        let (path, away) = (dir.join(part), parent.path().join(part));
        fs::rename(&path, &away).unwrap();
        LedgerCopy::read(&dir).unwrap_err();
        fs::rename(&away, &path).unwrap();
    }
    let segments = fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let segment = segments.min().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    bytes[70] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let damaged = LedgerCopy::read(&dir).unwrap_err();
    let is_damage = matches!(damaged, OpenError::Log { source: LogError::Damaged(_), .. });
    assert!(is_damage, "{damaged:?}");
}
