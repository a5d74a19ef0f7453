//! What is kept to save work, and could be lost at any time without changing
//! one verdict.
//!
//! Three bounded caches: verified tokens (saves the signature check), dead
//! tokens (the same for links that are used up or revoked, so that hammering
//! them pushes no living one out) and rendered profiles. Whether a token is
//! expired, revoked or used up is judged after every hit, by the clock and by
//! the ledger's own state, never from here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;
use sha2::{Digest as _, Sha256};

use crate::keyring::Keyring;
use crate::profile::{Fingerprint, Profile, ProfileError, ProfileSource};
use crate::token::{
    self, ProfileKind, TrustedKey, TrustedKeys as _, UnixSeconds, UserName, VerifiedToken,
    VerifyError,
};

/// How many entries each cache may hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CacheSizes {
    /// Verified tokens, some 300 bytes each.
    pub verified_tokens: u64,
    /// Dead tokens, some 300 bytes each.
    pub dead_tokens: u64,
    /// Rendered profiles, some 10 KiB each.
    pub profiles: u64,
}

impl Default for CacheSizes {
    fn default() -> Self {
        Self { verified_tokens: 100_000, dead_tokens: 20_000, profiles: 1_000 }
    }
}

/// Tokens that were verified before.
///
/// They are found by the SHA-256 of their text, so that no token lies in
/// memory longer than its request.
#[derive(Debug)]
pub(crate) struct VerifiedTokens {
    alive: Cache<[u8; 32], Verified>,
    dead: Cache<[u8; 32], Verified>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// How often something was found in a cache, and how often not.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lookups {
    /// Found.
    pub hits: u64,
    /// Not found, or not good any more.
    pub misses: u64,
}

/// A token, and the key it was verified with.
#[derive(Clone, Debug)]
struct Verified {
    by: TrustedKey,
    token: Arc<VerifiedToken>,
}

impl VerifiedTokens {
    pub(crate) fn new(sizes: CacheSizes) -> Self {
        Self {
            alive: Cache::new(sizes.verified_tokens),
            dead: Cache::new(sizes.dead_tokens),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Verifies `text` under `keys`, as [`token::verify`] does. A hit counts
    /// only while the key that verified it is still trusted for the same.
    pub(crate) fn verify(
        &self,
        text: &str,
        keys: &Keyring,
    ) -> Result<Arc<VerifiedToken>, VerifyError> {
        let hash = hash(text);
        let known = self.alive.get(&hash).or_else(|| self.dead.get(&hash));
        if let Some(known) = known.filter(|known| keys.find(known.by.key.id()) == Some(&known.by)) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(known.token);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let token = Arc::new(token::verify(text, keys)?);
        if let Some(by) = keys.find(token.id().key_id) {
            self.alive.insert(hash, Verified { by: *by, token: Arc::clone(&token) });
        }
        Ok(token)
    }

    /// Tells how often a signature check was saved.
    pub(crate) fn lookups(&self) -> Lookups {
        Lookups {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }

    /// Moves a token that was found used up or revoked to the dead ones.
    pub(crate) fn bury(&self, text: &str) {
        let hash = hash(text);
        if let Some(verified) = self.alive.remove(&hash) {
            self.dead.insert(hash, verified);
        }
    }
}

/// A source of profiles, and what it rendered before.
#[derive(Debug)]
pub(crate) struct RenderedProfiles {
    source: Box<dyn ProfileSource>,
    rendered: Cache<(UserName, ProfileKind), (Fingerprint, Profile)>,
}

impl RenderedProfiles {
    pub(crate) fn new(source: Box<dyn ProfileSource>, sizes: CacheSizes) -> Self {
        Self { source, rendered: Cache::new(sizes.profiles) }
    }

    /// Loads a profile, as [`ProfileSource::load`] does. A hit counts only
    /// while the files are untouched and the certificate is valid.
    pub(crate) fn load(
        &self,
        user: &UserName,
        kind: ProfileKind,
        now: UnixSeconds,
    ) -> Result<Profile, ProfileError> {
        // Taken before the files are read: a file that changes meanwhile makes
        // the next look-up miss.
        let fingerprint = self.source.fingerprint(user, kind);
        let key = (user.clone(), kind);
        if let Some((rendered_from, profile)) = self.rendered.get(&key)
            && rendered_from == fingerprint
            && profile.not_after().is_none_or(|not_after| now < not_after)
        {
            return Ok(profile);
        }
        let profile = self.source.load(user, kind, now)?;
        self.rendered.insert(key, (fingerprint, profile.clone()));
        Ok(profile)
    }

    /// Returns the users of the source, sorted.
    pub(crate) fn users(&self) -> Result<Vec<UserName>, ProfileError> {
        self.source.users()
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}
