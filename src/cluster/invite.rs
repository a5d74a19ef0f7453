//! Invitations: secrets that admit one node each, within 15 minutes. The inviting node keeps only
//! their hashes, in memory.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::address::NodeAddress;
use super::authority::AuthorityFingerprint;

/// How many invitations may be open at a time.
const OPEN_MAX: usize = 100;

/// The start of a join line. The number is the version of the rest.
const PREFIX: &str = "jeton-join:1:";

/// The secret of an invitation. `Debug` does not show it.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(Zeroizing<[u8; 32]>);

/// The open invitations of a node: until when each secret's hash is valid.
#[derive(Debug, Default)]
pub struct Invites(Mutex<HashMap<[u8; 32], Instant>>);

/// A hundred invitations are open.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("too many invitations are open")]
pub struct NoMoreInvites;

/// An invitation in use, which can be given back.
#[derive(Debug)]
pub(super) struct TakenInvite {
    hash: [u8; 32],
    until: Instant,
}

/// What `jeton cluster invite` prints and `jeton cluster join` takes:
/// `jeton-join:1:HOST:PORT:FINGERPRINT:SECRET`.
#[derive(Clone, Eq, PartialEq)]
pub struct JoinLine {
    /// The address of the inviting node.
    pub address: NodeAddress,
    /// The authority of its certificate.
    pub fingerprint: AuthorityFingerprint,
    /// The secret that admits the new node.
    pub secret: Secret,
}

/// The text is not a join line.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("not a complete join line: expected jeton-join:1:HOST:PORT:FINGERPRINT:SECRET")]
pub struct JoinLineError;

impl Invites {
    /// How long an invitation is valid.
    pub const LIFETIME: Duration = Duration::from_secs(15 * 60);

    /// Opens an invitation for `secret`.
    ///
    /// # Errors
    ///
    /// Returns [`NoMoreInvites`] if too many are open.
    pub fn open(&self, secret: &Secret) -> Result<(), NoMoreInvites> {
        let mut open = self.live();
        if open.len() >= OPEN_MAX {
            return Err(NoMoreInvites);
        }
        open.insert(secret.hash(), Instant::now() + Self::LIFETIME);
        Ok(())
    }

    /// Takes the invitation for `secret`, if it is open.
    pub(super) fn take(&self, secret: &Secret) -> Option<TakenInvite> {
        let hash = secret.hash();
        let until = self.live().remove(&hash)?;
        Some(TakenInvite { hash, until })
    }

    /// Opens a taken invitation again.
    pub(super) fn give_back(&self, TakenInvite { hash, until }: TakenInvite) {
        self.live().insert(hash, until);
    }

    /// Returns the invitations that have not expired.
    fn live(&self) -> MutexGuard<'_, HashMap<[u8; 32], Instant>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        open.retain(|_, until| now < *until);
        open
    }
}

impl Secret {
    /// Makes a secret of 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the text, 43 characters.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*self.0))
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(*self.0).into()
    }
}

impl FromStr for Secret {
    type Err = JoinLineError;

    fn from_str(text: &str) -> Result<Self, JoinLineError> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| JoinLineError)?;
        bytes.as_slice().try_into().map(Self::new).map_err(|_| JoinLineError)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl JoinLine {
    /// Returns the line, secret included.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let Self { address, fingerprint, secret } = self;
        Zeroizing::new(format!("{PREFIX}{address}:{fingerprint}:{}", *secret.to_text()))
    }
}

impl FromStr for JoinLine {
    type Err = JoinLineError;

    fn from_str(text: &str) -> Result<Self, JoinLineError> {
        let rest = text.trim().strip_prefix(PREFIX).ok_or(JoinLineError)?;
        // The address may contain colons.
        let mut parts = rest.rsplitn(3, ':');
        let mut part = || parts.next().ok_or(JoinLineError);
        let secret = part()?.parse()?;
        let fingerprint = part()?.parse().map_err(|_| JoinLineError)?;
        let address = part()?.parse().map_err(|_| JoinLineError)?;
        Ok(Self { address, fingerprint, secret })
    }
}

impl fmt::Debug for JoinLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinLine").field("address", &self.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_invitation_is_valid_once_and_for_15_minutes() {
        let invites = Invites::default();
        let (one, two) = (Secret::new([1; 32]), Secret::new([2; 32]));
        invites.open(&one).unwrap();
        invites.open(&two).unwrap();
        assert!(invites.take(&Secret::new([3; 32])).is_none());
        let taken = invites.take(&one).unwrap();
        assert!(invites.take(&one).is_none());
        invites.give_back(taken);
        assert!(invites.take(&one).is_some());
        tokio::time::advance(Invites::LIFETIME - Duration::from_secs(1)).await;
        let taken = invites.take(&two).unwrap();
        invites.give_back(taken);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(invites.take(&two).is_none());
    }

    #[tokio::test]
    async fn limits_the_open_invitations() {
        let invites = Invites::default();
        for number in 0..100 {
            invites.open(&Secret::new([number; 32])).unwrap();
        }
        assert_eq!(invites.open(&Secret::new([100; 32])), Err(NoMoreInvites));
        invites.take(&Secret::new([7; 32])).unwrap();
        invites.open(&Secret::new([100; 32])).unwrap();
    }

    #[test]
    fn a_join_line_has_one_spelling() {
        for address in ["node1.example.com:7443", "[2001:db8::1]:7443", "192.0.2.1:7443"] {
            let line = JoinLine {
                address: address.parse().unwrap(),
                fingerprint: AuthorityFingerprint([0xab; 32]),
                secret: Secret::new([7; 32]),
            };
            let text = line.to_text();
            assert!(text.starts_with(&format!("jeton-join:1:{address}:abab")), "{}", *text);
            assert_eq!(text.parse::<JoinLine>().unwrap(), line);
            assert_eq!(format!(" {}\n", *text).parse::<JoinLine>().unwrap(), line);
            for wrong in [
                text.replace(":1:", ":2:"),
                text.replace("abab", "ABAB"),
                text[..text.len() - 1].to_owned(),
                format!("{}A", *text),
            ] {
                assert_eq!(wrong.parse::<JoinLine>(), Err(JoinLineError), "{wrong}");
            }
            assert!(!format!("{line:?}").contains("BwcH"), "{line:?}");
        }
    }
}
