//! Why there is no profile to deliver.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::{Findings, IndexFault};
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
    /// The certificate is not valid yet.
    #[error("the certificate of {user} is not valid before {from}")]
    CertificateNotYetValid {
        /// The user who was asked for.
        user: UserName,
        /// The first moment at which it is valid.
        from: UnixSeconds,
    },
    /// The authority's index does not list the certificate.
    #[error("{index} does not list the certificate of {user}, serial {serial}")]
    CertificateUnlisted {
        /// The user who was asked for.
        user: UserName,
        /// The serial number in hex.
        serial: String,
        /// The index.
        index: PathBuf,
    },
    /// The certificate is another's, or is not for clients.
    #[error("{path} is no client certificate of {user}")]
    CertificateOfAnother {
        /// The user who was asked for.
        user: UserName,
        /// The file.
        path: PathBuf,
    },
    /// The certificate cannot be decoded.
    #[error("the certificate in {path} is damaged")]
    Certificate {
        /// The file.
        path: PathBuf,
    },
    /// The authority's index cannot be read line by line, so that nobody is
    /// known to be not revoked.
    #[error("{path} is damaged")]
    Index {
        /// The file.
        path: PathBuf,
        /// The damaged line.
        source: IndexFault,
    },
    /// A file lacks the PEM block it is for.
    #[error("{path} holds no {what} in PEM")]
    NoPem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// Clients would reject the profile.
    #[error("the {kind} profile of {user} from {path} is rejected: {findings}")]
    Rejected {
        /// The user who was asked for.
        user: UserName,
        /// The kind that was asked for.
        kind: ProfileKind,
        /// The profile or the template behind it.
        path: PathBuf,
        /// The rules it breaks. Where it was rendered, the lines are those of
        /// the rendered profile.
        findings: Findings,
    },
    /// Clients would reject every profile made from this template.
    #[error("the template {path} is rejected: {findings}")]
    Template {
        /// The file.
        path: PathBuf,
        /// The rules it breaks.
        findings: Findings,
    },
    /// A folder is missing, or is something else.
    #[error("{path} is no folder")]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A file is too long to be what it is taken for.
    #[error("{path} has more than {len_max} bytes")]
    FileTooLong {
        /// The file.
        path: PathBuf,
        /// The most bytes it may have.
        len_max: u64,
    },
    /// A file is no text.
    #[error("{path} is not UTF-8")]
    NotUtf8 {
        /// The file.
        path: PathBuf,
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

impl ProfileError {
    /// Whether a file or folder is simply not there.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}
