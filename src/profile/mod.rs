//! Profiles: where a user's OpenVPN profile comes from and what it must contain.
//!
//! This module reads files and renders text. It knows users and profile kinds, but no tokens,
//! ledgers or HTTP. It issues no certificates and changes no files.
//!
//! # Where to start reading
//!
//! [`EasyRsa`] and [`Directory`] are the two sources. `document.rs` parses a text once, `kind.rs`
//! defines what each kind requires and forbids, `render.rs` writes a profile of a kind, and
//! [`lint()`] finds what clients would reject. A source lints both its input and its output.

mod certificate;
mod directive;
mod directory;
mod document;
mod easy_rsa;
mod error;
#[cfg(all(test, feature = "server"))]
pub(crate) mod fake;
mod file;
mod finding;
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod kind;
mod lint;
mod pem;
mod render;
mod serial;
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

/// A source of profiles.
pub trait ProfileSource: fmt::Debug + Send + Sync {
    /// Returns the users that have a profile, sorted.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] if the source cannot be read.
    fn users(&self) -> Result<Vec<UserName>, ProfileError>;

    /// Finds, renders, checks and lints the profile of `kind` for `user`.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] if there is no such profile, if its certificate is revoked or not valid at
    /// `now` (`not_before <= now < not_after`), or if clients would reject the profile.
    fn load(
        &self,
        user: &UserName,
        kind: ProfileKind,
        now: UnixSeconds,
    ) -> Result<Profile, ProfileError>;

    /// Returns a value that changes when [`ProfileSource::load`] could return another profile.
    /// Reads no file's content.
    fn fingerprint(&self, user: &UserName, kind: ProfileKind) -> Fingerprint;
}

/// Loads every user's profiles of all kinds and returns the first error of each user. A kind that
/// is not available is not an error.
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

/// A profile that is ready to be sent. It contains private keys, so `Debug` shows only its length,
/// and dropping the last copy wipes the text from memory.
#[derive(Clone, Eq, PartialEq)]
pub struct Profile {
    text: Arc<Zeroizing<String>>,
    not_after: Option<UnixSeconds>,
}

impl Profile {
    /// Creates a profile from its final text and the first moment at which its certificate is no
    /// longer valid.
    #[must_use]
    pub fn new(text: Zeroizing<String>, not_after: Option<UnixSeconds>) -> Self {
        Self { text: Arc::new(text), not_after }
    }

    /// Returns the text of the `.ovpn` file.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the first moment at which its certificate is no longer valid; `None` for a profile
    /// without a certificate.
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

/// The metadata of the files behind a profile: which of them exist, and the inode, length and
/// change time of each. If two fingerprints are equal, no file was replaced, edited, added or
/// removed in between.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fingerprint(Vec<Option<FileStamp>>);

/// The metadata of one file in a [`Fingerprint`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct FileStamp {
    inode: u64,
    len: u64,
    changed_s: i64,
    changed_ns: i64,
}
