//! Profiles: where a user's OpenVPN profile comes from and what it must be.
//!
//! This room reads files and renders text. It knows nothing of tokens beyond
//! the user and the kind they name, and nothing of ledgers or HTTP. It issues
//! no certificates and changes no file.
//!
//! # Where to read
//!
//! [`EasyRsa`] and [`Directory`] are the two sources. A text is read into parts
//! once, in `document.rs`; `kind.rs` says what a kind has and must not have,
//! `render.rs` makes a profile of that kind, and [`lint()`] tells what clients
//! would reject. A source lints what it reads and again what it gives.

mod certificate;
mod directive;
mod directory;
mod document;
mod easy_rsa;
mod error;
mod file;
mod finding;
#[doc(hidden)]
pub mod fuzzing;
mod index;
#[cfg(feature = "server")]
#[cfg(test)]
pub(crate) mod invented;
mod kind;
mod lint;
mod pem;
mod render;
mod template;

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::token::{ProfileKind, UnixSeconds, UserName};

pub use directory::Directory;
pub use easy_rsa::{EasyRsa, EasyRsaFiles, TlsKeyFile, TlsKeyKind};
pub use error::ProfileError;
pub use finding::{Finding, Findings, Rule};
pub use index::IndexFault;
pub use lint::{Subject, lint};

/// A place that profiles come from.
pub trait ProfileSource: fmt::Debug + Send + Sync {
    /// Returns the users this place has profiles for, sorted.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] if the place cannot be read.
    fn users(&self) -> Result<Vec<UserName>, ProfileError>;

    /// Finds, renders, checks and lints the profile of `kind` for `user`.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] if there is none, if its certificate is revoked, or is
    /// not valid at `now` (`not_before <= now < not_after` must hold), or if
    /// clients would reject it.
    fn load(
        &self,
        user: &UserName,
        kind: ProfileKind,
        now: UnixSeconds,
    ) -> Result<Profile, ProfileError>;

    /// Returns what tells whether [`ProfileSource::load`] could give anything
    /// else than it did before, without reading a file's content.
    fn fingerprint(&self, user: &UserName, kind: ProfileKind) -> Fingerprint;
}

/// Loads every user's profile of every kind, and returns what stands in the
/// way: for each user the first problem, apart from kinds that are simply not
/// there.
#[must_use]
pub fn check_all(source: &dyn ProfileSource, now: UnixSeconds) -> Vec<ProfileError> {
    let first_problem = |user: &UserName| {
        let loaded = ProfileKind::ALL.iter().map(|kind| source.load(user, *kind, now));
        loaded.filter_map(Result::err).find(|error| !matches!(error, ProfileError::NotFound { .. }))
    };
    match source.users() {
        Ok(users) => users.iter().filter_map(first_problem).collect(),
        Err(error) => vec![error],
    }
}

/// A profile that is ready to be sent. It holds private keys: `Debug` shows
/// its length only, and the text is wiped from memory with the last copy.
#[derive(Clone, Eq, PartialEq)]
pub struct Profile {
    text: Arc<Zeroizing<String>>,
    not_after: Option<UnixSeconds>,
}

impl Profile {
    /// Takes a finished text and the first moment at which its certificate is
    /// no longer valid.
    #[must_use]
    pub fn new(text: Zeroizing<String>, not_after: Option<UnixSeconds>) -> Self {
        Self { text: Arc::new(text), not_after }
    }

    /// Returns the text of the `.ovpn` file.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the first moment at which the certificate in it is no longer
    /// valid; `None` for a profile without one.
    #[must_use]
    pub const fn not_after(&self) -> Option<UnixSeconds> {
        self.not_after
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

/// What the files behind a profile looked like from outside: which exist, and
/// each one's inode, length and time of change. Two equal fingerprints mean
/// that nothing was replaced, edited, added or removed in between.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fingerprint(Vec<Option<FileStamp>>);

/// One file's part of a [`Fingerprint`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct FileStamp {
    inode: u64,
    len: u64,
    changed_s: i64,
    changed_ns: i64,
}
