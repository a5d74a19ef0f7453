//! The claims: the content of a token.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    CLOCK_ALLOWANCE, ClaimsError, IpNetwork, KeyPurpose, Nonce, TimeError, UnixSeconds, UserName,
};

/// The claims of a token, in the order in which they are encoded.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Claims {
    /// What the token allows.
    pub purpose: Purpose,
    /// Distinguishes this token from all others of its key.
    pub nonce: Nonce,
    /// The time at which it was minted, by the minter's clock.
    pub issued_at: UnixSeconds,
    /// The time from `issued_at` to the expiry.
    pub lifetime: Lifetime,
    /// How many profiles it gives in total.
    pub uses: UseLimit,
    /// The user whose profile it gives, or the operator who signs in with it.
    pub user: UserName,
    /// If set, only clients in this network may redeem it.
    pub network: Option<IpNetwork>,
}

impl Claims {
    /// Returns the time from which the token is no longer valid.
    #[must_use]
    pub const fn expires_at(&self) -> UnixSeconds {
        self.issued_at.plus(self.lifetime.seconds() as u64)
    }

    /// Returns the time from which the token is valid: [`CLOCK_ALLOWANCE`] before it was issued,
    /// because a minter's clock may be ahead of a node's.
    #[must_use]
    pub const fn valid_from(&self) -> UnixSeconds {
        self.issued_at.minus(CLOCK_ALLOWANCE as u64)
    }

    /// Checks that `valid_from <= now < expires_at`.
    ///
    /// # Errors
    ///
    /// [`TimeError::NotYet`] if `now` is earlier, [`TimeError::Expired`] if it is later.
    pub const fn validate_time(&self, now: UnixSeconds) -> Result<(), TimeError> {
        if now.get() < self.valid_from().get() {
            return Err(TimeError::NotYet(self.valid_from()));
        }
        if now.get() >= self.expires_at().get() {
            return Err(TimeError::Expired(self.expires_at()));
        }
        Ok(())
    }

    /// Checks that the token expires at [`UnixSeconds::MAX`] or earlier.
    pub(super) fn check_expiry(&self) -> Result<(), ClaimsError> {
        if self.expires_at() > UnixSeconds::MAX { Err(ClaimsError::Time) } else { Ok(()) }
    }

    /// Encodes the claims with postcard.
    pub(super) fn encode(&self) -> Vec<u8> {
        // A growing vector takes all bytes, and postcard can encode the type of every claim.
        #[expect(clippy::expect_used, reason = "cannot fail, see above")]
        postcard::to_stdvec(self).expect("claims always encode")
    }

    /// Decodes claims. Accepts only the bytes that [`Claims::encode`] returns for them.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ClaimsError> {
        let claims: Self = postcard::from_bytes(bytes).map_err(|_| ClaimsError::Malformed)?;
        if claims.encode() != bytes {
            return Err(ClaimsError::NotCanonical);
        }
        claims.check_expiry()?;
        Ok(claims)
    }
}

/// What a token allows. Each purpose has its own keys.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Purpose {
    /// Downloading a profile of this kind.
    Profile(ProfileKind),
    /// Signing in at the admin door in this role.
    Admin(AdminRole),
}

impl Purpose {
    /// Returns the purpose that a key must have to sign such a token.
    #[must_use]
    pub const fn key_purpose(self) -> KeyPurpose {
        match self {
            Self::Profile(_) => KeyPurpose::Profile,
            Self::Admin(_) => KeyPurpose::Admin,
        }
    }
}

/// The three kinds of profile, as in OpenVPN Access Server.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileKind {
    /// Has a certificate and key of its own; the user also enters a password.
    #[default]
    UserLocked,
    /// Has a certificate and key of its own; the user enters nothing.
    Autologin,
    /// Has no certificate: any user of the server connects with a password.
    ServerLocked,
}

impl ProfileKind {
    /// All kinds, in protocol order.
    pub const ALL: [Self; 3] = [Self::UserLocked, Self::Autologin, Self::ServerLocked];

    /// Returns the name that the command line and file names use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserLocked => "user-locked",
            Self::Autologin => "autologin",
            Self::ServerLocked => "server-locked",
        }
    }
}

impl fmt::Display for ProfileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Reads jeton's names and those of Access Server's CLI and Web API: `userlogin`, `auto-login` and
/// `generic`.
impl FromStr for ProfileKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "user-locked" | "userlocked" | "userlogin" => Ok(Self::UserLocked),
            "autologin" | "auto-login" => Ok(Self::Autologin),
            "server-locked" | "serverlocked" | "generic" => Ok(Self::ServerLocked),
            _ => Err(UnknownKind(name.to_owned())),
        }
    }
}

/// A name that is not a kind of profile.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("`{0}` is not a profile type: use user-locked, autologin or server-locked")]
pub struct UnknownKind(pub String);

/// What the holder of an admin token may do. Each role includes the one before it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AdminRole {
    /// May read.
    Viewer,
    /// May also revoke, and mint if the node may.
    Operator,
    /// May also change permissions.
    Admin,
}

impl fmt::Display for AdminRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        })
    }
}

/// The seconds from issue to expiry, 1 ..= [`Lifetime::MAX`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "u32")]
pub struct Lifetime(u32);

impl Lifetime {
    /// The longest lifetime, 366 days.
    pub const MAX: Self = Self(366 * 24 * 60 * 60);

    /// Makes a lifetime of `seconds`.
    ///
    /// # Errors
    ///
    /// [`ClaimsError::Lifetime`] unless `seconds` are in 1 ..= 366 days.
    pub const fn from_seconds(seconds: u32) -> Result<Self, ClaimsError> {
        if seconds == 0 || seconds > Self::MAX.0 {
            return Err(ClaimsError::Lifetime);
        }
        Ok(Self(seconds))
    }

    /// Returns the number of seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Lifetime {
    type Error = ClaimsError;

    fn try_from(seconds: u32) -> Result<Self, Self::Error> {
        Self::from_seconds(seconds)
    }
}

/// How many profiles a token gives in total.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum UseLimit {
    /// At most this many; the ledger counts them.
    Limited(NonZeroU32),
    /// Any number until the token expires; the ledger does not count them.
    Unlimited,
}

impl UseLimit {
    /// One use, the default everywhere.
    pub const ONCE: Self = Self::Limited(NonZeroU32::MIN);

    /// Returns the number, or `None` if it is unlimited.
    #[must_use]
    pub const fn count(self) -> Option<u32> {
        match self {
            Self::Limited(uses) => Some(uses.get()),
            Self::Unlimited => None,
        }
    }
}

impl fmt::Display for UseLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limited(uses) => write!(f, "{uses}"),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

impl FromStr for UseLimit {
    type Err = ClaimsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "unlimited" {
            return Ok(Self::Unlimited);
        }
        text.parse().map(Self::Limited).map_err(|_| ClaimsError::Uses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Batch;

    fn claims(issued_at: u64, lifetime: u32) -> Claims {
        Claims {
            purpose: Purpose::Profile(ProfileKind::UserLocked),
            nonce: Nonce::new(Batch([0; 4]), [7; 12]),
            issued_at: UnixSeconds::new(issued_at),
            lifetime: Lifetime::from_seconds(lifetime).unwrap(),
            uses: UseLimit::ONCE,
            user: UserName::new("alice").unwrap(),
            network: None,
        }
    }

    #[test]
    fn a_token_is_valid_from_60_s_before_its_issue_until_its_expiry() {
        let claims = claims(1_000, 100);
        let validate = |now| claims.validate_time(UnixSeconds::new(now));
        assert_eq!(validate(939), Err(TimeError::NotYet(UnixSeconds::new(940))));
        assert_eq!(validate(940), Ok(()));
        assert_eq!(validate(1_099), Ok(()));
        assert_eq!(validate(1_100), Err(TimeError::Expired(UnixSeconds::new(1_100))));
    }

    #[test]
    fn refuses_claims_that_expire_after_the_year_9999() {
        let last = UnixSeconds::MAX.get();
        assert!(Claims::decode(&claims(last - 1, 1).encode()).is_ok());
        for issued_at in [last, u64::MAX] {
            let bytes = claims(issued_at, 1).encode();
            assert_eq!(Claims::decode(&bytes), Err(ClaimsError::Time));
        }
    }

    #[test]
    fn refuses_other_encodings_of_the_same_claims() {
        let bytes = claims(1_000, 100).encode();
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(Claims::decode(&longer), Err(ClaimsError::NotCanonical));
        // The purpose `00` as the over-long varint `80 00`.
        let mut overlong = vec![0x80, 0x00];
        overlong.extend_from_slice(&bytes[1..]);
        assert_eq!(Claims::decode(&overlong), Err(ClaimsError::NotCanonical));
        for len in 0..bytes.len() {
            assert!(Claims::decode(&bytes[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn checks_the_bounds_of_lifetimes_and_uses() {
        assert!(Lifetime::from_seconds(0).is_err());
        assert!(Lifetime::from_seconds(366 * 86_400).is_ok());
        assert!(Lifetime::from_seconds(366 * 86_400 + 1).is_err());
        assert_eq!("unlimited".parse(), Ok(UseLimit::Unlimited));
        assert_eq!("1".parse(), Ok(UseLimit::ONCE));
        for text in ["0", "-1", "4294967296", "", "many"] {
            assert_eq!(text.parse::<UseLimit>(), Err(ClaimsError::Uses), "{text}");
        }
    }
}
