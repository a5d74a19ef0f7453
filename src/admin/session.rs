//! Sessions, so that a browser does not have to keep a token.
//!
//! A session lasts no longer than its token. It keeps the token and the key that verified it, and
//! no verdict: [`AdminDoor::enter`](super::AdminDoor::enter) checks time, network, revocation and
//! trust at every request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::random::NoRandomness;
use crate::token::{TokenId, TrustedKey, UnixSeconds, VerifiedToken};

/// The prefix makes browsers reject the cookie unless it is secure and limited to this host, with
/// the path `/`.
const COOKIE: &str = "__Host-jeton";

/// The most sessions that are kept. The least recently used one is dropped first.
const SESSIONS_MAX: u64 = 10_000;

/// The most sessions of one token; a further one ends the oldest. One token can therefore neither
/// push out the sessions of others nor fill the log with sign-ins.
const PER_TOKEN_MAX: usize = 8;

/// The seconds within which one token opens at most [`PER_TOKEN_MAX`] sessions.
const OPENING_WINDOW: u64 = 60;

/// How long a session may be idle.
const IDLE_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// Why no session was opened.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(super) enum SessionError {
    #[error(transparent)]
    Random(#[from] NoRandomness),
    #[error("this token signed in too often within a minute")]
    TooOften,
}

/// The sessions of this node, in memory only. The keys are the SHA-256 of the session ids, so that
/// a copy of the memory signs no one in.
#[derive(Debug)]
pub(super) struct Sessions {
    kept: Cache<[u8; 32], Session>,
    /// When the sessions of a token were opened, and their hashes, oldest first.
    opened: Cache<TokenId, Arc<Mutex<Opened>>>,
}

type Opened = VecDeque<(UnixSeconds, [u8; 32])>;

/// A browser that has signed in.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// The token it signed in with.
    pub(super) token: Arc<VerifiedToken>,
    /// The key that verified it.
    pub(super) key: TrustedKey,
}

impl Default for Sessions {
    fn default() -> Self {
        // Other policies may reject a new entry when the cache is full.
        let kept = Cache::builder()
            .max_capacity(SESSIONS_MAX)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(IDLE_MAX)
            .build();
        let opened = Cache::builder()
            .max_capacity(SESSIONS_MAX)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { kept, opened }
    }
}

impl Sessions {
    /// Opens a session at `now` and returns its cookie. `random` must return fresh random bytes.
    pub(super) fn open(
        &self,
        session: Session,
        now: UnixSeconds,
        random: impl FnOnce() -> Result<[u8; 32], NoRandomness>,
    ) -> Result<Cookie<'static>, SessionError> {
        let opened = self.opened.get_with(session.token.id(), Arc::default);
        let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.len() == PER_TOKEN_MAX
            && let Some((first, oldest)) = opened.front()
        {
            if now < first.plus(OPENING_WINDOW) {
                return Err(SessionError::TooOften);
            }
            self.kept.invalidate(oldest);
            opened.pop_front();
        }
        let id = BASE64_URL_SAFE_NO_PAD.encode(random()?);
        opened.push_back((now, hash(&id)));
        self.kept.insert(hash(&id), session);
        Ok(cookie(id))
    }

    /// Returns the session in the cookie of a request, unless its token has expired at `now`.
    pub(super) fn find(&self, request: &HttpRequest, now: UnixSeconds) -> Option<Session> {
        let hash = hash(request.cookie(COOKIE)?.value());
        let session = self.kept.get(&hash)?;
        if now < session.token.claims().expires_at() {
            return Some(session);
        }
        self.kept.invalidate(&hash);
        None
    }

    /// Returns `true` if a request has a session cookie, valid or not.
    pub(super) fn has_cookie(request: &HttpRequest) -> bool {
        request.cookie(COOKIE).is_some()
    }

    /// Ends the session in the cookie of a request and returns the cookie that makes the browser
    /// forget it.
    pub(super) fn end(&self, request: &HttpRequest) -> Cookie<'static> {
        if let Some(id) = request.cookie(COOKIE) {
            self.kept.invalidate(&hash(id.value()));
        }
        let mut gone = cookie(String::new());
        gone.make_removal();
        gone
    }
}

/// Builds the cookie. It has no lifetime, so it ends with the browser at the latest.
fn cookie(id: String) -> Cookie<'static> {
    Cookie::build(COOKIE, id)
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Strict)
        .finish()
}

fn hash(id: &str) -> [u8; 32] {
    Sha256::digest(id).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_limited_to_this_host_and_hidden_from_scripts() {
        assert_eq!(
            cookie("ID".to_owned()).to_string(),
            "__Host-jeton=ID; HttpOnly; SameSite=Strict; Secure; Path=/"
        );
    }
}
