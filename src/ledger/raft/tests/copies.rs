//! Copies of a ledger directory on a real disk: their refusal, and what a restored ledger takes
//! from them.

use std::collections::BTreeSet;

use super::*;

/// Copies a directory as a backup does, without its inode numbers.
fn copy_dir(from: &Path, to: &Path) {
    FileDisk::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_dir(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

/// Returns the paths and contents of all files below a directory.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_refused_and_left_unchanged_until_it_is_accepted() {
    let (parent, dir) = created().await;
    open(&dir).await.unwrap().close().await;
    let moved = parent.path().join("moved");
    fs::rename(&dir, &moved).unwrap();
    open(&moved).await.unwrap().close().await;

    copy_dir(&moved, &dir);
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
async fn an_older_log_in_the_original_directory_is_refused() {
    let (parent, dir) = created().await;
    let old = parent.path().join("old");
    for loses_mark in [false, true] {
        open(&dir).await.unwrap().close().await;
        copy_dir(&dir, &old);
        open(&dir).await.unwrap().close().await;
        fs::remove_dir_all(dir.join("log")).unwrap();
        fs::rename(old.join("log"), dir.join("log")).unwrap();
        if loses_mark {
            fs::remove_file(dir.join("log/place")).unwrap();
        }
        let refused = open(&dir).await.unwrap_err();
        assert!(matches!(refused, OpenError::Copied(_)), "{refused:?}");
        fs::remove_dir_all(&old).unwrap();
        assert!(accept_clone(&dir).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creating_a_ledger_does_not_remove_an_existing_staging_directory() {
    let (parent, dir) = created().await;
    let staging = parent.path().join("ledger.new");
    fs::rename(&dir, &staging).unwrap();
    let before = files(&staging);
    let refused = create(&parent.path().join("ledger"), identity(), clock()).await.unwrap_err();
    assert!(matches!(refused, OpenError::Io { .. }), "{refused:?}");
    assert_eq!(files(&staging), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_ledger_keeps_revocations_and_refuses_earlier_tokens() {
    let (parent, dir) = created().await;
    let alice = || UserName::new("alice").unwrap();
    let ledger = open(&dir).await.unwrap();
    ledger.revoke(Revocation::Key(KeyId([9; 4]))).await.unwrap();
    assert!(ledger.spend(spend(1, 9, 1)).await.unwrap().is_ok());
    // Half of the changes are in a snapshot, the others in the log after it.
    ledger.compact().await.unwrap();
    ledger.permit(alice(), true).await.unwrap();
    ledger.revoke(Revocation::Batch(Batch([7; 4]))).await.unwrap();
    let in_use = LedgerCopy::read(&dir).unwrap_err();
    assert!(matches!(in_use, OpenError::Log { source: LogError::Locked, .. }), "{in_use:?}");
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

    let issued_later = |number, request| Spend { issued_at: born_at, ..spend(number, 1, request) };
    let revoked = Spend {
        token: TokenId { key_id: KeyId([9; 4]), ..spend(3, 1, 0).token },
        ..issued_later(3, 12)
    };
    // The second round follows a restart.
    for is_restarted in [false, true] {
        let ledger = open(&new).await.unwrap();
        // A repeated request does not get its old verdict.
        for request in [1, 10] {
            let refused = ledger.spend(spend(1, 9, request)).await.unwrap();
            assert_eq!(refused, Err(SpendRefusal::BeforeLedger));
        }
        let granted = ledger.spend(issued_later(2, 20 + u32::from(is_restarted))).await.unwrap();
        assert_eq!(granted.is_ok(), !is_restarted);
        assert_eq!(ledger.spend(revoked.clone()).await.unwrap(), Err(SpendRefusal::Revoked));
        assert_eq!(ledger.autologin_users(), BTreeSet::from([alice()]));
        assert_eq!(ledger.status().born_at, born_at);
        ledger.close().await;
    }
    // Without the snapshot that it started from, it is refused.
    fs::remove_dir_all(new.join("snapshot")).unwrap();
    FileDisk::create_dir(&new.join("snapshot")).unwrap();
    let refused = open(&new).await.unwrap_err();
    assert!(matches!(refused, OpenError::SnapshotMissing(_)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incomplete_or_damaged_copy_is_not_restored() {
    let (parent, dir) = created().await;
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
