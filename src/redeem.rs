//! Redemption: the whole way from the text of a token to a profile.
//!
//! [`Redeemer::redeem`] reads top to bottom like the specification. Nothing is
//! spent until everything else has passed, and a counted profile is delivered
//! only for a [`Grant`](crate::ledger::Grant). There is no HTTP here: who asks,
//! and what for, comes in as an [`Attempt`].

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

/// Everything that a redemption looks at.
#[derive(Debug)]
pub struct Redeemer {
    keys: ArcSwap<Keyring>,
    tokens: VerifiedTokens,
    profiles: ArcSwap<RenderedProfiles>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    sizes: CacheSizes,
}

/// Someone asks for what a token gives.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// The text that should be a token.
    pub token: &'a str,
    /// The address the request came from.
    pub client: IpAddr,
    /// What is wanted.
    pub intent: Intent,
}

/// What is wanted of a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Intent {
    /// To see what [`Intent::Spend`] would give, spending nothing.
    Look,
    /// To have the profile, for one use. The id makes a repeated wish the same.
    Spend(RequestId),
}

/// A profile that may go out, and what the holder may know about its token.
#[derive(Debug)]
#[must_use]
pub struct Delivery {
    /// The token.
    pub token: Arc<VerifiedToken>,
    /// The kind of profile it gives.
    pub kind: ProfileKind,
    /// The profile.
    pub profile: Profile,
    /// Uses left: after this one where one was spent, as they stand where not;
    /// `None` if any number is left.
    pub uses_left: Option<u32>,
}

/// The answer no: why, and to which token if it was a true one.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// The token, once its signature held.
    pub token: Option<Arc<VerifiedToken>>,
}

/// Why there is no profile, in the order of the checks. Exhaustive on purpose:
/// a new reason does not compile until it has an answer, a log level and a
/// metric label.
#[derive(Debug, Error)]
pub enum Refusal {
    /// No trusted key signed this text as a token.
    #[error("token not verified")]
    Unverified(#[source] VerifyError),
    /// It is a true token, but for the operators' door.
    #[error("an admin token gives no profile")]
    NotAProfileToken,
    /// It becomes valid at this moment.
    #[error("not valid before {0}")]
    NotYet(UnixSeconds),
    /// It stopped being valid at this moment.
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
    /// It gives `autologin`, which its user is not allowed.
    #[error("the user lacks the autologin privilege")]
    AutologinDenied,
    /// There is no profile to deliver.
    #[error("no profile to deliver")]
    NoProfile(#[source] ProfileError),
    /// The profile cannot be read now: the disk or the system has a problem.
    #[error("the profile cannot be read")]
    ProfileUnreadable(#[source] ProfileError),
    /// All its uses are spent.
    #[error("used up")]
    UsedUp,
    /// The same nonce was seen with other claims: someone signs nonces twice.
    #[error("another token with this nonce was used before")]
    Contradiction,
    /// The ledger cannot decide now; nothing was spent.
    #[error("the ledger cannot decide")]
    LedgerUnavailable(#[source] LedgerError),
    /// Too much waits for the ledger; nothing was spent.
    #[error("the ledger is overloaded")]
    LedgerOverloaded,
    /// The ledger did not answer in time; a use may have been spent.
    #[error("the ledger did not answer in time")]
    OutcomeUnknown(#[source] LedgerError),
}

impl Redeemer {
    /// Puts together what a redemption looks at.
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

    /// Trusts `keys` and no others from now on.
    pub fn replace_keys(&self, keys: Keyring) {
        self.keys.store(Arc::new(keys));
    }

    /// Returns the keys that are trusted now.
    #[must_use]
    pub fn keys(&self) -> Arc<Keyring> {
        self.keys.load_full()
    }

    /// Tells whether any key is trusted for `purpose`.
    #[must_use]
    pub fn trusts_keys_for(&self, purpose: KeyPurpose) -> bool {
        self.keys.load().has(purpose)
    }

    /// Tells how often a signature check was saved, since the start.
    #[must_use]
    pub fn verify_cache_lookups(&self) -> Lookups {
        self.tokens.lookups()
    }

    /// Takes profiles from `profiles` from now on.
    pub fn replace_profiles(&self, profiles: Box<dyn ProfileSource>) {
        self.profiles.store(Arc::new(RenderedProfiles::new(profiles, self.sizes)));
    }

    /// Returns the users there are profiles for, sorted.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] if the source cannot be read.
    pub fn users(&self) -> Result<Vec<UserName>, ProfileError> {
        self.profiles.load().users()
    }

    /// Redeems a token, or tells what redeeming it would give.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the first check that fails. A refusal costs no use,
    /// but for [`Refusal::OutcomeUnknown`], which may have cost one.
    pub async fn redeem(&self, attempt: Attempt<'_>) -> Result<Delivery, Refused> {
        let token = self.verify(attempt.token).map_err(Refused::unverified)?;
        let decision = self.decide(attempt, &token).await;
        if let Err(Refusal::Revoked | Refusal::UsedUp) = decision {
            self.tokens.bury(attempt.token);
        }
        decision.map_err(|refusal| Refused { refusal, token: Some(token) })
    }

    /// Judges a verified token. The order of the checks is the specification's.
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
        // What this node has applied can only lag behind the ledger, so what is
        // used up here is used up, and a dead link touches no file.
        let uses_left = standing.uses_left(claims.uses);
        if uses_left == Some(0) {
            return Err(Refusal::UsedUp);
        }

        if kind == ProfileKind::Autologin && !standing.autologin_permitted {
            return Err(Refusal::AutologinDenied);
        }

        let profile = self.profiles.load().load(&claims.user, kind, now);
        let profile = profile?;

        let uses_left = match attempt.intent {
            Intent::Look => uses_left,
            Intent::Spend(request_id) => self.spend(token, request_id).await?,
        };

        Ok(Delivery { token: Arc::clone(token), kind, profile, uses_left })
    }

    /// Verifies, sparing the signature of a text that was verified before.
    ///
    /// # Errors
    ///
    /// As [`token::verify`](crate::token::verify()).
    pub fn verify(&self, text: &str) -> Result<Arc<VerifiedToken>, VerifyError> {
        self.tokens.verify(text, &self.keys.load())
    }

    /// The time that judges: this node's clock, but never a time that the
    /// ledger has left behind. So setting a clock back revives nothing.
    #[must_use]
    pub fn now(&self) -> UnixSeconds {
        self.clock.now().max(self.ledger.log_time())
    }

    /// Spends one use of a counted token and returns how many are left; an
    /// uncounted one has nothing to spend.
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
    /// Says for the holder what the ledger refused.
    const fn of_spend(refusal: SpendRefusal, claims: &Claims) -> Self {
        match refusal {
            SpendRefusal::BeforeLedger => Self::BeforeLedger,
            SpendRefusal::Expired => Self::Expired(claims.expires_at()),
            SpendRefusal::Revoked => Self::Revoked,
            SpendRefusal::AutologinDenied => Self::AutologinDenied,
            SpendRefusal::ClaimsMismatch => Self::Contradiction,
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

impl Refused {
    fn unverified(error: VerifyError) -> Self {
        Self { refusal: Refusal::Unverified(error), token: None }
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
    use crate::ledger::{ListedToken, Revocation, StateFilter, TokenQuery};
    use crate::profile::invented::InventedProfiles;
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
        let profiles = InventedProfiles { not_after, ..InventedProfiles::default() };
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
        async fn click(&self, token: &str) -> Result<Delivery, Refused> {
            let request = self.requests.fetch_add(1, Ordering::SeqCst);
            let mut id = [0; 16];
            id[..4].copy_from_slice(&request.to_be_bytes());
            self.ask(token, Intent::Spend(RequestId(id))).await
        }

        async fn ask(&self, token: &str, intent: Intent) -> Result<Delivery, Refused> {
            let client = "192.0.2.7".parse().unwrap();
            self.redeemer.redeem(Attempt { token, client, intent }).await
        }

        fn listed(&self, now: u64) -> Vec<ListedToken> {
            let all = TokenQuery { state: StateFilter::All, ..TokenQuery::default() };
            self.ledger.tokens(&all, UnixSeconds::new(now)).tokens
        }

        async fn refusal(&self, token: &str) -> Refusal {
            self.click(token).await.expect_err("a refusal").refusal
        }
    }

    #[actix_web::test]
    async fn two_uses_are_two_and_looking_costs_nothing() {
        let world = world();
        let token = text(&claims(1));
        for _ in 0..10 {
            assert_eq!(world.ask(&token, Intent::Look).await.unwrap().uses_left, Some(2));
        }
        let delivery = world.click(&token).await.unwrap();
        assert_eq!((delivery.profile.text(), delivery.uses_left), ("profile of alice", Some(1)));
        assert_eq!(world.click(&token).await.unwrap().uses_left, Some(0));
        assert!(matches!(world.refusal(&token).await, Refusal::UsedUp));
        let looked = world.ask(&token, Intent::Look).await.unwrap_err();
        assert!(matches!(looked.refusal, Refusal::UsedUp));
    }

    #[actix_web::test]
    async fn an_unlimited_token_is_not_counted() {
        let world = world();
        let token = text(&Claims { uses: UseLimit::Unlimited, ..claims(1) });
        for _ in 0..5 {
            assert_eq!(world.click(&token).await.unwrap().uses_left, None);
        }
        assert!(world.listed(NOW).is_empty());
    }

    #[actix_web::test]
    async fn nothing_is_spent_when_a_later_check_fails() {
        let world = world();
        let nobody = Claims { user: UserName::new("nobody").unwrap(), ..claims(1) };
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
        assert!(matches!(world.refusal(&text(&nobody)).await, Refusal::NoProfile(_)));
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
    async fn a_permission_counts_from_the_next_click() {
        let world = world();
        let token =
            text(&Claims { purpose: Purpose::Profile(ProfileKind::Autologin), ..claims(1) });
        let alice = UserName::new("alice").unwrap();
        assert!(matches!(world.refusal(&token).await, Refusal::AutologinDenied));
        world.ledger.permit(alice.clone(), true).await.unwrap();
        assert_eq!(world.click(&token).await.unwrap().kind, ProfileKind::Autologin);
        world.ledger.permit(alice, false).await.unwrap();
        assert!(matches!(world.refusal(&token).await, Refusal::AutologinDenied));
    }

    #[actix_web::test]
    async fn a_cached_token_dies_with_its_revocation_its_key_or_its_time() {
        let world = world();
        let revoked = claims(1);
        let token = text(&revoked);
        assert!(world.click(&token).await.is_ok());
        let line = Revocation::Token { nonce: revoked.nonce, expires_at: None };
        world.ledger.revoke(line).await.unwrap();
        assert!(matches!(world.refusal(&token).await, Refusal::Revoked));
        assert!(matches!(world.refusal(&token).await, Refusal::Revoked), "also when buried");

        let expiring = text(&claims(2));
        assert!(world.click(&expiring).await.is_ok());
        world.clock.set(UnixSeconds::new(NOW + 3_600));
        assert!(matches!(world.refusal(&expiring).await, Refusal::Expired(_)));
        world.clock.set(UnixSeconds::new(NOW));

        let other = text(&claims(3));
        assert!(world.click(&other).await.is_ok());
        world.redeemer.replace_keys(Keyring::new([]).unwrap());
        assert!(matches!(world.refusal(&other).await, Refusal::Unverified(_)));
    }

    #[actix_web::test]
    async fn a_clock_set_back_behind_the_ledger_revives_nothing() {
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
    async fn a_ledger_that_cannot_decide_gives_nothing() {
        let world = world();
        let token = text(&claims(1));
        for (fault, expected) in [
            (LedgerError::Unavailable("x".to_owned()), "the ledger cannot decide"),
            (LedgerError::Overloaded, "the ledger is overloaded"),
            (LedgerError::OutcomeUnknown("x".to_owned()), "the ledger did not answer in time"),
        ] {
            *world.ledger.fault.lock().unwrap() = Some(fault);
            assert_eq!(world.refusal(&token).await.to_string(), expected);
        }
        *world.ledger.fault.lock().unwrap() = None;
        assert_eq!(world.click(&token).await.unwrap().uses_left, Some(1));
    }

    #[actix_web::test]
    async fn a_profile_is_rendered_once_until_its_certificate_expires() {
        let world = world();
        let token = text(&Claims { uses: UseLimit::Unlimited, ..claims(1) });
        for _ in 0..3 {
            assert!(world.click(&token).await.is_ok());
        }
        assert_eq!(world.loads.load(Ordering::SeqCst), 1);
        world.clock.set(UnixSeconds::new(NOW + 1_000));
        assert!(world.click(&token).await.is_ok());
        assert_eq!(world.loads.load(Ordering::SeqCst), 2);
    }

    /// The caches may be of any size, also of none.
    #[actix_web::test]
    async fn verdicts_do_not_depend_on_the_caches() {
        let mut world = world();
        let sizes = CacheSizes { verified_tokens: 0, dead_tokens: 0, profiles: 0 };
        world.redeemer.tokens = VerifiedTokens::new(sizes);
        world
            .redeemer
            .profiles
            .store(Arc::new(RenderedProfiles::new(Box::new(InventedProfiles::default()), sizes)));
        let token = text(&claims(1));
        assert_eq!(world.click(&token).await.unwrap().uses_left, Some(1));
        assert_eq!(world.click(&token).await.unwrap().uses_left, Some(0));
        for _ in 0..3 {
            assert!(matches!(world.refusal(&token).await, Refusal::UsedUp));
        }
    }
}
