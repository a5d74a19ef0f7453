//! `make bench`: jeton's operations, each next to its lower bound.
//!
//! Each line alternates between two measurements and prints the medians of both and of their ratio.
//! On a shared machine only the ratio means much.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a benchmark prints its results and panics on errors"
)]

mod clients;

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jeton::cache::CacheSizes;
use jeton::clock::{Clock as _, SystemClock};
use jeton::keyring::Keyring;
use jeton::ledger::raft::{Identity, Options, RaftLedger, create};
use jeton::ledger::{Ledger, NodeId, RequestId};
use jeton::profile::{Fingerprint, Profile, ProfileError, ProfileSource};
use jeton::redeem::{Attempt, Intent, Redeemer};
use jeton::token::{
    Batch, Claims, KeyPurpose, Lifetime, Nonce, ProfileKind, Purpose, SigningKey, Token,
    TrustedKey, UnixSeconds, UseLimit, UserName, sign, verify,
};
use sha2::{Digest as _, Sha256};

use self::clients::spend_for;

const ROUNDS: usize = 15;

fn main() {
    println!("{:<44} {:>12} {:>12} {:>8}", "jeton | its bound", "jeton", "bound", "ratio");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let token = token();
    let dir = tempfile::tempdir_in(".").unwrap();
    let ledger = runtime.block_on(ledger(dir.path()));
    let redeemer = redeemer(Arc::clone(&ledger));

    let keys = keyring();
    let (public, message, signature) = raw_signature();
    pair(
        "verify a token | dalek's verify_strict",
        || per_second(2_000, || drop(black_box(verify(black_box(token.as_str()), &keys)))),
        || per_second(2_000, || drop(black_box(public.verify_strict(&message, &signature)))),
    );
    pair(
        "verify it again, cached | SHA-256 of its text",
        || per_second(20_000, || drop(black_box(redeemer.verify(black_box(token.as_str()))))),
        || {
            per_second(20_000, || {
                black_box(Sha256::digest(black_box(token.as_str())));
            })
        },
    );
    pair(
        "redeem an unlimited token | dalek's verify_strict",
        || runtime.block_on(redemptions_per_second(&redeemer, &token)),
        || per_second(2_000, || drop(black_box(public.verify_strict(&message, &signature)))),
    );
    for clients in [1, 64, 1_024] {
        pair(
            &format!("spend, {clients} at once | write + fdatasync"),
            || runtime.block_on(spends_per_second(&ledger, clients)),
            || syncs_per_second(dir.path()),
        );
    }
}

/// Alternates between both measurements; prints the medians, in operations per second.
fn pair(name: &str, mut ours: impl FnMut() -> f64, mut bound: impl FnMut() -> f64) {
    let rounds: Vec<_> = (0..ROUNDS).map(|_| (ours(), bound())).collect();
    let ours = median(rounds.iter().map(|(ours, _)| *ours));
    let bound = median(rounds.iter().map(|(_, bound)| *bound));
    let ratio = median(rounds.iter().map(|(ours, bound)| ours / bound));
    println!("{name:<44} {ours:>10.0}/s {bound:>10.0}/s {ratio:>7.2}x");
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn per_second(times: u32, mut operation: impl FnMut()) -> f64 {
    let started = Instant::now();
    for _ in 0..times {
        operation();
    }
    f64::from(times) / started.elapsed().as_secs_f64()
}

async fn redemptions_per_second(redeemer: &Redeemer, token: &Token) -> f64 {
    let started = Instant::now();
    let times = 5_000;
    for _ in 0..times {
        let intent = Intent::Spend(RequestId([0; 16]));
        let client = [127, 0, 0, 1].into();
        let attempt = Attempt { token: token.as_str(), client, intent };
        black_box(redeemer.redeem(attempt).await.unwrap().profile.text());
    }
    f64::from(times) / started.elapsed().as_secs_f64()
}

async fn spends_per_second(ledger: &Arc<dyn Ledger>, clients: u32) -> f64 {
    let started = Instant::now();
    let granted = spend_for(Duration::from_millis(300), ledger, clients).await;
    f64::from(granted) / started.elapsed().as_secs_f64()
}

/// Measures the lower bound for a durable record on this disk: one sector written over zeros that
/// are already allocated, and one `fdatasync`.
fn syncs_per_second(dir: &Path) -> f64 {
    let path = dir.join("bound");
    let file = File::create(&path).unwrap();
    file.write_all_at(&vec![0; 1 << 20], 0).unwrap();
    file.sync_all().unwrap();
    let started = Instant::now();
    let mut times = 0_u32;
    while started.elapsed() < Duration::from_millis(300) {
        let offset = u64::from(times % 2_048) * 512;
        file.write_all_at(&[0xa5; 512], offset).unwrap();
        file.sync_data().unwrap();
        times += 1;
    }
    f64::from(times) / started.elapsed().as_secs_f64()
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

fn keyring() -> Keyring {
    let trusted = TrustedKey { purpose: KeyPurpose::Profile, key: *key().verifying_key() };
    Keyring::new([("bench".into(), trusted)]).unwrap()
}

fn token() -> Token {
    let claims = Claims {
        purpose: Purpose::Profile(ProfileKind::UserLocked),
        nonce: Nonce::new(Batch([0; 4]), [1; 12]),
        issued_at: SystemClock.now(),
        lifetime: Lifetime::MAX,
        uses: UseLimit::Unlimited,
        user: UserName::new("alice").unwrap(),
        network: None,
    };
    sign(&claims, &key()).unwrap()
}

/// Returns a key, a message as long as a token's signed part, and its signature.
fn raw_signature() -> (ed25519_dalek::VerifyingKey, [u8; 54], ed25519_dalek::Signature) {
    use ed25519_dalek::Signer as _;
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let message = [3; 54];
    (key.verifying_key(), message, key.sign(&message))
}

async fn ledger(dir: &Path) -> Arc<dyn Ledger> {
    let clock = Arc::new(SystemClock);
    let identity = Identity {
        ledger_id: [1; 16],
        node_id: NodeId(1),
        born_at: UnixSeconds::new(clock.now().get() - 1),
    };
    let dir = dir.join("ledger");
    create(&dir, identity, clock.clone()).await.unwrap();
    Arc::new(RaftLedger::open(&dir, clock, Options::default()).await.unwrap())
}

fn redeemer(ledger: Arc<dyn Ledger>) -> Redeemer {
    let sizes = CacheSizes::default();
    Redeemer::new(keyring(), Box::new(OneProfile), ledger, Arc::new(SystemClock), sizes)
}

/// One profile of typical length, held in memory.
#[derive(Debug)]
struct OneProfile;

impl ProfileSource for OneProfile {
    fn users(&self) -> Result<Vec<UserName>, ProfileError> {
        Ok(Vec::new())
    }

    fn load(&self, _: &UserName, _: ProfileKind, _: UnixSeconds) -> Result<Profile, ProfileError> {
        Ok(Profile::new("x".repeat(6_000).into(), None))
    }

    fn fingerprint(&self, _: &UserName, _: ProfileKind) -> Fingerprint {
        Fingerprint::default()
    }
}
