//! Redemption: from the text of a token to a profile.
//!
//! [`Redeemer::redeem`] makes the checks of `docs/token.md`, section *Redemption*, in that order. A
//! use is spent only after all other checks have passed. A counted profile is delivered only for a
//! [`Grant`](crate::ledger::Grant). This room does not know HTTP: a request is an [`Attempt`].

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use thiserror::Error;

use crate::cache::{CacheSizes, Lookups, RenderedProfiles, VerifiedTokens};
use crate::clock::Clock;
use crate::keyring::Keyring;
use crate::ledger::{Ledger, LedgerError, RequestId, Spend, SpendRefusal};
use crate::profile::{Profile, ProfileError, ProfileSource};
use crate::token::{
    Claims, IpNetwork, KeyPurpose, ProfileKind, Purpose, TimeError, UnixSeconds, UserName,
    VerifiedToken, VerifyError,
};

/// Redeems tokens: the keys, profiles, ledger and clock that a decision needs.
#[derive(Debug)]
pub struct Redeemer {
    keys: ArcSwap<Keyring>,
    tokens: VerifiedTokens,
    profiles: ArcSwap<RenderedProfiles>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    sizes: CacheSizes,
}

/// One attempt to redeem a token.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// The text of the token, not verified.
    pub token: &'a str,
    /// The address the request came from.
    pub client: IpAddr,
    /// Whether to spend a use.
    pub intent: Intent,
}

/// What an attempt is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Intent {
    /// Decides as [`Intent::Spend`] would, but spends nothing.
    Look,
    /// Spends one use. A repeated attempt with the same id spends it only once.
    Spend(RequestId),
}

/// A profile to deliver, and what the holder may know about the token.
#[derive(Debug)]
#[must_use]
pub struct Delivery {
    /// The token.
    pub token: Arc<VerifiedToken>,
    /// The kind of profile.
    pub kind: ProfileKind,
    /// The profile.
    pub profile: Profile,
    /// The uses left, after the one that was spent, if any; `None` if unlimited.
    pub uses_left: Option<u32>,
}

/// A refused attempt.
#[derive(Debug)]
pub struct RefusedAttempt {
    /// The reason.
    pub refusal: Refusal,
    /// The token, if it was verified.
    pub token: Option<Arc<VerifiedToken>>,
}

/// Why a redemption gives no profile, in the order of the checks. The enum is exhaustive, so that a
/// new reason does not compile until it has an HTTP answer, a log level and a metric label.
#[derive(Debug, Error)]
pub enum Refusal {
    /// The text is not a token that a trusted key signed.
    #[error("token not verified")]
    Unverified(#[from] VerifyError),
    /// It is an admin token.
    #[error("an admin token gives no profile")]
    NotAProfileToken,
    /// It becomes valid at this time.
    #[error("not valid before {0}")]
    NotYet(UnixSeconds),
    /// It stopped being valid at this time.
    #[error("expired at {0}")]
    Expired(UnixSeconds),
    /// The client is not in the token's network.
    #[error("the client is not in {0}")]
    OutsideNetwork(IpNetwork),
    /// The token, its batch, its user or its key is revoked.
    #[error("revoked")]
    Revoked,
    /// It was issued before this ledger began to count.
    #[error("issued before this ledger")]
    BeforeLedger,
    /// It is for an autologin profile, and its user is not permitted to have one.
    #[error("the user lacks the autologin privilege")]
    AutologinDenied,
    /// There is no profile to deliver.
    #[error("no profile to deliver")]
    NoProfile(#[source] ProfileError),
    /// An I/O error prevents reading the profile.
    #[error("the profile cannot be read")]
    ProfileUnreadable(#[source] ProfileError),
    /// All its uses are spent.
    #[error("used up")]
    UsedUp,
    /// A token with this nonce and other claims was used before: a minter signed one nonce twice.
    #[error("another token with this nonce was used before")]
    ClaimsMismatch,
    /// The ledger cannot decide now; nothing was spent.
    #[error("the ledger cannot decide")]
    LedgerUnavailable(#[source] LedgerError),
    /// Too many requests wait for the ledger; nothing was spent.
    #[error("the ledger is overloaded")]
    LedgerOverloaded,
    /// The ledger did not answer in time; a use may have been spent.
    #[error("the ledger did not answer in time")]
    OutcomeUnknown(#[source] LedgerError),
}

impl Redeemer {
    /// Makes a redeemer with empty caches.
    #[must_use]
    pub fn new(
        keys: Keyring,
        profiles: Box<dyn ProfileSource>,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        sizes: CacheSizes,
    ) -> Self {
        Self {
            keys: ArcSwap::from_pointee(keys),
            tokens: VerifiedTokens::new(sizes),
            profiles: ArcSwap::from_pointee(RenderedProfiles::new(profiles, sizes)),
            ledger,
            clock,
            sizes,
        }
    }

    /// Replaces the trusted keys.
    pub fn replace_keys(&self, keys: Keyring) {
        self.keys.store(Arc::new(keys));
    }

    /// Returns the trusted keys.
    #[must_use]
    pub fn keys(&self) -> Arc<Keyring> {
        self.keys.load_full()
    }

    /// Returns `true` if any key is trusted for `purpose`.
    #[must_use]
    pub fn trusts_keys_for(&self, purpose: KeyPurpose) -> bool {
        self.keys.load().has(purpose)
    }

    /// Returns the lookups in the cache of verified tokens, since the start.
    #[must_use]
    pub fn verify_cache_lookups(&self) -> Lookups {
        self.tokens.lookups()
    }

    /// Replaces the source of profiles.
    pub fn replace_profiles(&self, profiles: Box<dyn ProfileSource>) {
        self.profiles.store(Arc::new(RenderedProfiles::new(profiles, self.sizes)));
    }

    /// Returns the users that have profiles, sorted.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] if the source cannot be read.
    pub fn users(&self) -> Result<Vec<UserName>, ProfileError> {
        self.profiles.load().users()
    }

    /// Redeems a token, or decides without spending a use.
    ///
    /// # Errors
    ///
    /// [`RefusedAttempt`] with the first check that fails. A refusal spends no use, except that
    /// [`Refusal::OutcomeUnknown`] may have spent one.
    pub async fn redeem(&self, attempt: Attempt<'_>) -> Result<Delivery, RefusedAttempt> {
        let token = self
            .verify(attempt.token)
            .map_err(|error| RefusedAttempt { refusal: error.into(), token: None })?;
        let decision = self.decide(attempt, &token).await;
        if let Err(Refusal::Revoked | Refusal::UsedUp) = decision {
            self.tokens.mark_dead(attempt.token);
        }
        decision.map_err(|refusal| RefusedAttempt { refusal, token: Some(token) })
    }

    /// Decides about a verified token.
    async fn decide(
        &self,
        attempt: Attempt<'_>,
        token: &Arc<VerifiedToken>,
    ) -> Result<Delivery, Refusal> {
        let claims = token.claims();
        let Purpose::Profile(kind) = claims.purpose else {
            return Err(Refusal::NotAProfileToken);
        };

        let now = self.now();
        claims.validate_time(now)?;

        if let Some(network) = claims.network.filter(|network| !network.contains(attempt.client)) {
            return Err(Refusal::OutsideNetwork(network));
        }

        let standing = self.ledger.standing(token)?;
        if standing.revoked {
            return Err(Refusal::Revoked);
        }
        if standing.before_ledger {
            return Err(Refusal::BeforeLedger);
        }
        // This node's state can only lag behind the ledger. A token that is used up here is used up
        // everywhere, and then no file is read.
        let uses_left = standing.uses_left(claims.uses);
        if uses_left == Some(0) {
            return Err(Refusal::UsedUp);
        }

        if kind == ProfileKind::Autologin && !standing.autologin_permitted {
            return Err(Refusal::AutologinDenied);
        }

        let profile = self.profiles.load().load(&claims.user, kind, now)?;

        let uses_left = match attempt.intent {
            Intent::Look => uses_left,
            Intent::Spend(request_id) => self.spend(token, request_id).await?,
        };

        Ok(Delivery { token: Arc::clone(token), kind, profile, uses_left })
    }

    /// Verifies a token. The signature of a cached token is not checked again.
    ///
    /// # Errors
    ///
    /// As [`token::verify`](crate::token::verify()).
    pub fn verify(&self, text: &str) -> Result<Arc<VerifiedToken>, VerifyError> {
        self.tokens.verify(text, &self.keys.load())
    }

    /// Returns the time for all decisions: the later of this node's clock and the ledger's time.
    /// Setting a clock back therefore revives nothing.
    #[must_use]
    pub fn now(&self) -> UnixSeconds {
        self.clock.now().max(self.ledger.log_time())
    }

    /// Spends one use and returns how many are left, or `None` if the uses of the token are not
    /// counted.
    async fn spend(
        &self,
        token: &VerifiedToken,
        request_id: RequestId,
    ) -> Result<Option<u32>, Refusal> {
        let Some(spend) = Spend::of(token.id(), token.claims(), request_id) else {
            return Ok(None);
        };
        match self.ledger.spend(spend).await? {
            Ok(grant) => Ok(Some(grant.left())),
            Err(refusal) => Err(Refusal::of_spend(refusal, token.claims())),
        }
    }
}

impl Refusal {
    /// Returns the refusal for one of the ledger.
    const fn of_spend(refusal: SpendRefusal, claims: &Claims) -> Self {
        match refusal {
            SpendRefusal::BeforeLedger => Self::BeforeLedger,
            SpendRefusal::Expired => Self::Expired(claims.expires_at()),
            SpendRefusal::Revoked => Self::Revoked,
            SpendRefusal::AutologinDenied => Self::AutologinDenied,
            SpendRefusal::ClaimsMismatch => Self::ClaimsMismatch,
            SpendRefusal::UsedUp => Self::UsedUp,
        }
    }
}

impl From<ProfileError> for Refusal {
    fn from(error: ProfileError) -> Self {
        if matches!(error, ProfileError::Io { .. }) {
            return Self::ProfileUnreadable(error);
        }
        Self::NoProfile(error)
    }
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Overloaded => Self::LedgerOverloaded,
            LedgerError::Unavailable(_) => Self::LedgerUnavailable(error),
            LedgerError::OutcomeUnknown(_) => Self::OutcomeUnknown(error),
        }
    }
}

impl From<TimeError> for Refusal {
    fn from(error: TimeError) -> Self {
        match error {
            TimeError::NotYet(at) => Self::NotYet(at),
            TimeError::Expired(at) => Self::Expired(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::clock::ManualClock;
    use crate::ledger::volatile::VolatileLedger;
    use crate::ledger::{
        ListedToken, OutcomeUnknown, Revocation, StateFilter, TokenQuery, Unavailable,
    };
    use crate::profile::fake::FakeProfiles;
    use crate::token::{
        AdminRole, Batch, KeyPurpose, Lifetime, Nonce, SigningKey, TrustedKey, UseLimit, sign,
    };

    const NOW: u64 = 1_790_000_000;

    struct World {
        redeemer: Redeemer,
        ledger: Arc<VolatileLedger>,
        clock: Arc<ManualClock>,
        loads: Arc<AtomicU32>,
        requests: AtomicU32,
    }

    fn key(purpose: KeyPurpose) -> SigningKey {
        SigningKey::from_seed(&[purpose as u8 + 1; 32])
    }

    fn world() -> World {
        let clock = Arc::new(ManualClock::at(UnixSeconds::new(NOW)));
        let ledger = Arc::new(VolatileLedger::new(UnixSeconds::new(NOW - 100), clock.clone()));
        let not_after = Some(UnixSeconds::new(NOW + 1_000));
        let profiles = FakeProfiles { not_after, ..FakeProfiles::default() };
        let loads = Arc::clone(&profiles.loads);
        let keys = KeyPurpose::ALL.map(|purpose| {
            let trusted = TrustedKey { purpose, key: *key(purpose).verifying_key() };
            (purpose.to_string().into(), trusted)
        });
        let redeemer = Redeemer::new(
            Keyring::new(keys).unwrap(),
            Box::new(profiles),
            ledger.clone(),
            clock.clone(),
            CacheSizes::default(),
        );
        World { redeemer, ledger, clock, loads, requests: AtomicU32::new(0) }
    }

    fn claims(random: u8) -> Claims {
        Claims {
            purpose: Purpose::Profile(ProfileKind::UserLocked),
            nonce: Nonce::new(Batch([0; 4]), [random; 12]),
            issued_at: UnixSeconds::new(NOW),
            lifetime: Lifetime::from_seconds(3_600).unwrap(),
            uses: UseLimit::Limited(NonZeroU32::new(2).unwrap()),
            user: UserName::new("alice").unwrap(),
            network: None,
        }
    }

    fn text(claims: &Claims) -> String {
        sign(claims, &key(claims.purpose.key_purpose())).unwrap().as_str().to_owned()
    }

    impl World {
        async fn spend(&self, token: &str) -> Result<Delivery, RefusedAttempt> {
            let request = self.requests.fetch_add(1, Ordering::SeqCst);
            let mut id = [0; 16];
            id[..4].copy_from_slice(&request.to_be_bytes());
            self.attempt(token, Intent::Spend(RequestId(id))).await
        }

        async fn attempt(&self, token: &str, intent: Intent) -> Result<Delivery, RefusedAttempt> {
            let client = "192.0.2.7".parse().unwrap();
            self.redeemer.redeem(Attempt { token, client, intent }).await
        }

        fn listed(&self, now: u64) -> Vec<ListedToken> {
            let all = TokenQuery { state: StateFilter::All, ..TokenQuery::default() };
            self.ledger.tokens(&all, UnixSeconds::new(now)).tokens
        }

        async fn refusal(&self, token: &str) -> Refusal {
            self.spend(token).await.expect_err("a refusal").refusal
        }
    }

    #[actix_web::test]
    async fn a_limit_of_two_allows_two_uses_and_looking_spends_none() {
        let world = world();
        let token = text(&claims(1));
        for _ in 0..10 {
            assert_eq!(world.attempt(&token, Intent::Look).await.unwrap().uses_left, Some(2));
        }
        let delivery = world.spend(&token).await.unwrap();
        assert_eq!((delivery.profile.text(), delivery.uses_left), ("profile of alice", Some(1)));
        assert_eq!(world.spend(&token).await.unwrap().uses_left, Some(0));
        assert!(matches!(world.refusal(&token).await, Refusal::UsedUp));
        let looked = world.attempt(&token, Intent::Look).await.unwrap_err();
        assert!(matches!(looked.refusal, Refusal::UsedUp));
    }

    #[actix_web::test]
    async fn does_not_count_an_unlimited_token() {
        let world = world();
        let token = text(&Claims { uses: UseLimit::Unlimited, ..claims(1) });
        for _ in 0..5 {
            assert_eq!(world.spend(&token).await.unwrap().uses_left, None);
        }
        assert!(world.listed(NOW).is_empty());
    }

    #[actix_web::test]
    async fn spends_nothing_when_a_check_fails() {
        let world = world();
        let no_profile = Claims { user: UserName::new("absent").unwrap(), ..claims(1) };
        let outside = Claims { network: Some("198.51.100.0/24".parse().unwrap()), ..claims(2) };
        let autologin = Claims { purpose: Purpose::Profile(ProfileKind::Autologin), ..claims(3) };
        let old = Claims { issued_at: UnixSeconds::new(NOW - 101), ..claims(4) };
        let early = Claims { issued_at: UnixSeconds::new(NOW + 61), ..claims(5) };
        let late = Claims {
            issued_at: UnixSeconds::new(NOW - 90),
            lifetime: Lifetime::from_seconds(90).unwrap(),
            ..claims(6)
        };
        let admin = Claims { purpose: Purpose::Admin(AdminRole::Admin), ..claims(7) };
        assert!(matches!(world.refusal(&text(&no_profile)).await, Refusal::NoProfile(_)));
        assert!(matches!(world.refusal(&text(&outside)).await, Refusal::OutsideNetwork(_)));
        assert!(matches!(world.refusal(&text(&autologin)).await, Refusal::AutologinDenied));
        assert!(matches!(world.refusal(&text(&old)).await, Refusal::BeforeLedger));
        assert!(
            matches!(world.refusal(&text(&early)).await, Refusal::NotYet(at) if at.get() == NOW + 1)
        );
        assert!(
            matches!(world.refusal(&text(&late)).await, Refusal::Expired(at) if at.get() == NOW)
        );
        assert!(matches!(world.refusal(&text(&admin)).await, Refusal::NotAProfileToken));
        assert!(matches!(world.refusal("x").await, Refusal::Unverified(_)));
        assert!(world.listed(0).is_empty());
    }

    #[actix_web::test]
    async fn a_permission_change_applies_to_the_next_attempt() {
        let world = world();
        let token =
            text(&Claims { purpose: Purpose::Profile(ProfileKind::Autologin), ..claims(1) });
        let alice = UserName::new("alice").unwrap();
        assert!(matches!(world.refusal(&token).await, Refusal::AutologinDenied));
        world.ledger.permit(alice.clone(), true).await.unwrap();
        assert_eq!(world.spend(&token).await.unwrap().kind, ProfileKind::Autologin);
        world.ledger.permit(alice, false).await.unwrap();
        assert!(matches!(world.refusal(&token).await, Refusal::AutologinDenied));
    }

    #[actix_web::test]
    async fn a_cached_token_is_refused_after_revocation_expiry_or_key_removal() {
        let world = world();
        let revoked = claims(1);
        let token = text(&revoked);
        assert!(world.spend(&token).await.is_ok());
        let revocation = Revocation::Token { nonce: revoked.nonce, expires_at: None };
        world.ledger.revoke(revocation).await.unwrap();
        assert!(matches!(world.refusal(&token).await, Refusal::Revoked));
        assert!(
            matches!(world.refusal(&token).await, Refusal::Revoked),
            "also from the cache of dead tokens"
        );

        let expiring = text(&claims(2));
        assert!(world.spend(&expiring).await.is_ok());
        world.clock.set(UnixSeconds::new(NOW + 3_600));
        assert!(matches!(world.refusal(&expiring).await, Refusal::Expired(_)));
        world.clock.set(UnixSeconds::new(NOW));

        let other = text(&claims(3));
        assert!(world.spend(&other).await.is_ok());
        world.redeemer.replace_keys(Keyring::new([]).unwrap());
        assert!(matches!(world.refusal(&other).await, Refusal::Unverified(_)));
    }

    #[actix_web::test]
    async fn setting_the_clock_back_does_not_revive_an_expired_token() {
        let world = world();
        let short = text(&Claims {
            lifetime: Lifetime::from_seconds(10).unwrap(),
            uses: UseLimit::Unlimited,
            ..claims(1)
        });
        let alice = UserName::new("alice").unwrap();
        world.clock.set(UnixSeconds::new(NOW + 10));
        world.ledger.permit(alice, false).await.unwrap();
        world.clock.set(UnixSeconds::new(NOW));
        assert!(matches!(world.refusal(&short).await, Refusal::Expired(_)));
    }

    #[actix_web::test]
    async fn a_failing_ledger_refuses_without_spending() {
        let world = world();
        let token = text(&claims(1));
        for (fault, expected) in [
            (LedgerError::Unavailable(Unavailable::NoLeader), "the ledger cannot decide"),
            (LedgerError::Overloaded, "the ledger is overloaded"),
            (
                LedgerError::OutcomeUnknown(OutcomeUnknown::TimedOut),
                "the ledger did not answer in time",
            ),
        ] {
            *world.ledger.fault.lock().unwrap() = Some(fault);
            assert_eq!(world.refusal(&token).await.to_string(), expected);
        }
        *world.ledger.fault.lock().unwrap() = None;
        assert_eq!(world.spend(&token).await.unwrap().uses_left, Some(1));
    }

    #[actix_web::test]
    async fn renders_a_profile_once_until_its_certificate_expires() {
        let world = world();
        let token = text(&Claims { uses: UseLimit::Unlimited, ..claims(1) });
        for _ in 0..3 {
            assert!(world.spend(&token).await.is_ok());
        }
        assert_eq!(world.loads.load(Ordering::SeqCst), 1);
        world.clock.set(UnixSeconds::new(NOW + 1_000));
        assert!(world.spend(&token).await.is_ok());
        assert_eq!(world.loads.load(Ordering::SeqCst), 2);
    }

    #[actix_web::test]
    async fn decides_the_same_without_caches() {
        let mut world = world();
        let sizes = CacheSizes { verified_tokens: 0, dead_tokens: 0, profiles: 0 };
        world.redeemer.tokens = VerifiedTokens::new(sizes);
        world
            .redeemer
            .profiles
            .store(Arc::new(RenderedProfiles::new(Box::new(FakeProfiles::default()), sizes)));
        let token = text(&claims(1));
        assert_eq!(world.spend(&token).await.unwrap().uses_left, Some(1));
        assert_eq!(world.spend(&token).await.unwrap().uses_left, Some(0));
        for _ in 0..3 {
            assert!(matches!(world.refusal(&token).await, Refusal::UsedUp));
        }
    }
}
