//! Why there is no profile to deliver.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::token::{ProfileKind, UnixSeconds, UserName};

/// Why there is no profile to deliver. It names files and rules, never their
/// content.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The place has no profile of this kind for this user.
    #[error("there is no {kind} profile for {user}")]
    NotFound {
        /// The user who was asked for.
        user: UserName,
        /// The kind that was asked for.
        kind: ProfileKind,
    },
    /// The user's certificate is revoked in the PKI.
    #[error("the certificate of {user} is revoked")]
    CertificateRevoked {
        /// The user who was asked for.
        user: UserName,
    },
    /// The certificate expired.
    #[error("the certificate of {user} expired at {at}")]
    CertificateExpired {
        /// The user who was asked for.
        user: UserName,
        /// The first moment at which it was no longer valid.
        at: UnixSeconds,
    },
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
