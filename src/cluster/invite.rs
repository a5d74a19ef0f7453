//! What lets one node in: a secret, good once and for a quarter of an hour. The
//! node that made it remembers only its hash, and forgets it when it stops.

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

/// How many may be open at a time.
const OPEN_MAX: usize = 100;

/// What a join line begins with; the number is the version of what follows.
const PREFIX: &str = "jeton-join:1:";

/// What an invited node knows and a stranger does not. It is not shown by `Debug`.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(Zeroizing<[u8; 32]>);

/// The invitations of a node that nobody has used yet.
#[derive(Debug, Default)]
pub struct Invites(Mutex<HashMap<[u8; 32], Instant>>);

/// A hundred nodes are invited already and have not come.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("too many invitations are open")]
pub struct NoMoreInvites;

/// An invitation in use. Unless it is used up, it can be given back.
#[derive(Debug)]
pub(super) struct Taken {
    hash: [u8; 32],
    until: Instant,
}

/// What `jeton cluster invite` prints and `jeton cluster join` takes:
/// `jeton-join:1:HOST:PORT:FINGERPRINT:SECRET`.
#[derive(Clone, Eq, PartialEq)]
pub struct JoinLine {
    /// Where the inviting node is.
    pub address: NodeAddress,
    /// The authority that it must be under.
    pub fingerprint: AuthorityFingerprint,
    /// What lets the new node in.
    pub secret: Secret,
}

/// A text is no join line.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("that is no join line, or not a whole one: jeton-join:1:HOST:PORT:FINGERPRINT:SECRET")]
pub struct JoinLineError;

impl Invites {
    /// How long an invitation is good for.
    pub const LIFETIME: Duration = Duration::from_secs(15 * 60);

    /// Lets in whoever knows `secret`, once, until [`LIFETIME`](Self::LIFETIME)
    /// has passed.
    ///
    /// # Errors
    ///
    /// [`NoMoreInvites`].
    pub fn open(&self, secret: &Secret) -> Result<(), NoMoreInvites> {
        let mut open = self.live();
        if open.len() >= OPEN_MAX {
            return Err(NoMoreInvites);
        }
        open.insert(secret.hash(), Instant::now() + Self::LIFETIME);
        Ok(())
    }

    /// Takes the invitation that `secret` opens; nobody else can meanwhile.
    pub(super) fn take(&self, secret: &Secret) -> Option<Taken> {
        let hash = secret.hash();
        let until = self.live().remove(&hash)?;
        Some(Taken { hash, until })
    }

    /// Lets the invitation be used after all, because nobody came in.
    pub(super) fn give_back(&self, Taken { hash, until }: Taken) {
        self.live().insert(hash, until);
    }

    /// Returns those that are still good.
    fn live(&self) -> MutexGuard<'_, HashMap<[u8; 32], Instant>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        open.retain(|_, until| now < *until);
        open
    }
}

impl Secret {
    /// Takes 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the text of it: 43 characters.
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
    /// Returns the line, which holds the secret.
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
        // An address may have colons in it.
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
    async fn an_invitation_is_good_once_and_for_a_quarter_of_an_hour() {
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
    async fn invitations_do_not_pile_up() {
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
