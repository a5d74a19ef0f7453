//! Caches that save work. Losing an entry never changes a decision.
//!
//! There are three bounded caches: verified tokens, which saves the signature check; dead tokens,
//! the same for tokens that are used up or revoked, so that requests for them evict no live one;
//! and rendered profiles. After every hit, the clock and the ledger's state decide whether a token
//! is expired, revoked or used up.

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
    /// Verified tokens that are used up or revoked, some 300 bytes each.
    pub dead_tokens: u64,
    /// Rendered profiles, some 10 KiB each.
    pub profiles: u64,
}

impl Default for CacheSizes {
    fn default() -> Self {
        Self { verified_tokens: 100_000, dead_tokens: 20_000, profiles: 1_000 }
    }
}

/// A cache of verified tokens. The key is the SHA-256 of the text, so that no token stays in memory
/// longer than its request.
#[derive(Debug)]
pub(crate) struct VerifiedTokens {
    live: Cache<[u8; 32], Verified>,
    dead: Cache<[u8; 32], Verified>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// How often a cache was looked up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lookups {
    /// Lookups that found a valid entry.
    pub hits: u64,
    /// Lookups that found none, or one that is no longer valid.
    pub misses: u64,
}

/// A token and the key that verified it.
#[derive(Clone, Debug)]
struct Verified {
    trusted: TrustedKey,
    token: Arc<VerifiedToken>,
}

impl VerifiedTokens {
    pub(crate) fn new(sizes: CacheSizes) -> Self {
        Self {
            live: Cache::new(sizes.verified_tokens),
            dead: Cache::new(sizes.dead_tokens),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Verifies `text` with `keys`, as [`token::verify`] does. An entry is valid while its key is
    /// trusted for the same purpose.
    pub(crate) fn verify(
        &self,
        text: &str,
        keys: &Keyring,
    ) -> Result<Arc<VerifiedToken>, VerifyError> {
        let hash = hash(text);
        let cached = self.live.get(&hash).or_else(|| self.dead.get(&hash));
        let is_valid =
            |cached: &Verified| keys.find(cached.trusted.key.id()) == Some(&cached.trusted);
        if let Some(cached) = cached.filter(is_valid) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(cached.token);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let token = Arc::new(token::verify(text, keys)?);
        if let Some(trusted) = keys.find(token.id().key_id) {
            self.live.insert(hash, Verified { trusted: *trusted, token: Arc::clone(&token) });
        }
        Ok(token)
    }

    /// Returns the lookups since the start.
    pub(crate) fn lookups(&self) -> Lookups {
        Lookups {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }

    /// Moves a token that is used up or revoked to the cache of dead tokens.
    pub(crate) fn mark_dead(&self, text: &str) {
        let hash = hash(text);
        if let Some(verified) = self.live.remove(&hash) {
            self.dead.insert(hash, verified);
        }
    }
}

/// A source of profiles with a cache of the rendered ones.
#[derive(Debug)]
pub(crate) struct RenderedProfiles {
    source: Box<dyn ProfileSource>,
    rendered: Cache<(UserName, ProfileKind), (Fingerprint, Profile)>,
}

impl RenderedProfiles {
    pub(crate) fn new(source: Box<dyn ProfileSource>, sizes: CacheSizes) -> Self {
        Self { source, rendered: Cache::new(sizes.profiles) }
    }

    /// Loads a profile, as [`ProfileSource::load`] does. An entry is valid while the files are
    /// unchanged and the certificate has not expired.
    pub(crate) fn load(
        &self,
        user: &UserName,
        kind: ProfileKind,
        now: UnixSeconds,
    ) -> Result<Profile, ProfileError> {
        // Taken before the files are read, so that a change during the read makes the next lookup
        // miss.
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
