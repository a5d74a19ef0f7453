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

use crate::cache::{CacheSizes, RenderedProfiles, VerifiedTokens};
use crate::clock::Clock;
use crate::keyring::Keyring;
use crate::ledger::{Ledger, LedgerError, RequestId, Spend, SpendRefusal};
use crate::profile::{Profile, ProfileError, ProfileSource};
use crate::token::{
    Claims, IpNetwork, ProfileKind, Purpose, TimeError, UnixSeconds, UserName, VerifiedToken,
    VerifyError,
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

        let standing = self.ledger.standing(token);
        if standing.revoked {
            return Err(Refusal::Revoked);
        }
        if standing.before_ledger {
            return Err(Refusal::BeforeLedger);
        }

        if kind == ProfileKind::Autologin && !standing.autologin_permitted {
            return Err(Refusal::AutologinDenied);
        }

        let profile = self.profiles.load().load(&claims.user, kind, now);
        let profile = profile.map_err(Refusal::NoProfile)?;

        // What this node has applied can only lag behind the ledger, so what is
        // used up here is used up.
        let uses_left = standing.uses_left(claims.uses);
        if uses_left == Some(0) {
            return Err(Refusal::UsedUp);
        }
        let uses_left = match attempt.intent {
            Intent::Look => uses_left,
            Intent::Spend(request_id) => self.spend(token, request_id).await?,
        };

        Ok(Delivery { token: Arc::clone(token), kind, profile, uses_left })
    }

    /// Verifies, sparing the signature of a text that was verified before.
    fn verify(&self, text: &str) -> Result<Arc<VerifiedToken>, VerifyError> {
        self.tokens.verify(text, &self.keys.load())
    }

    /// The time that judges: this node's clock, but never a time that the
    /// ledger has left behind. So setting a clock back revives nothing.
    fn now(&self) -> UnixSeconds {
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
            SpendRefusal::Contradiction => Self::Contradiction,
            SpendRefusal::UsedUp => Self::UsedUp,
        }
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
