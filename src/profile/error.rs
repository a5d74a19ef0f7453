//! Why a profile cannot be delivered.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{Findings, IndexFault};
use crate::token::{ProfileKind, UnixSeconds, UserName};

/// Why a profile cannot be delivered. It names files and rules, but shows no file content.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The source has no profile of this kind for this user.
    #[error("there is no {kind} profile for {user}")]
    NotFound {
        /// The requested user.
        user: UserName,
        /// The requested kind.
        kind: ProfileKind,
    },
    /// The PKI's index lists the user's certificate as revoked.
    #[error("the certificate of {user} is revoked")]
    CertificateRevoked {
        /// The requested user.
        user: UserName,
    },
    /// The certificate has expired.
    #[error("the certificate of {user} expired at {at}")]
    CertificateExpired {
        /// The requested user.
        user: UserName,
        /// The first moment at which it was no longer valid.
        at: UnixSeconds,
    },
    /// The certificate is not valid yet.
    #[error("the certificate of {user} is not valid before {from}")]
    CertificateNotYetValid {
        /// The requested user.
        user: UserName,
        /// The first moment at which it is valid.
        from: UnixSeconds,
    },
    /// The PKI's index does not list the certificate.
    #[error("{index} does not list the certificate of {user}, serial {serial}")]
    CertificateUnlisted {
        /// The requested user.
        user: UserName,
        /// The serial number in hex.
        serial: String,
        /// The index.
        index: PathBuf,
    },
    /// The certificate belongs to another user, or is not for clients.
    #[error("{path} is not a client certificate of {user}")]
    WrongCertificate {
        /// The requested user.
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
    /// The PKI's index has a malformed line, so any certificate may be revoked.
    #[error("{path} is damaged")]
    Index {
        /// The file.
        path: PathBuf,
        /// The malformed line.
        source: IndexFault,
    },
    /// A file lacks the PEM block that it is for.
    #[error("{path} contains no {what} in PEM format")]
    NoPem {
        /// The file.
        path: PathBuf,
        /// What it should contain.
        what: &'static str,
    },
    /// Clients would reject the profile.
    #[error("clients would reject the {kind} profile of {user} from {path}: {findings}")]
    Rejected {
        /// The requested user.
        user: UserName,
        /// The requested kind.
        kind: ProfileKind,
        /// The stored profile, or the template.
        path: PathBuf,
        /// The rules it breaks, with line numbers of the rendered profile if it was rendered.
        findings: Findings,
    },
    /// Clients would reject every profile rendered from this template.
    #[error("clients would reject the template {path}: {findings}")]
    Template {
        /// The file.
        path: PathBuf,
        /// The rules it breaks.
        findings: Findings,
    },
    /// A directory is missing, or is something else.
    #[error("{path} is not a directory")]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// A file is too long.
    #[error("{path} is longer than {len_max} bytes")]
    FileTooLong {
        /// The file.
        path: PathBuf,
        /// The most bytes that it may have.
        len_max: u64,
    },
    /// A file is not UTF-8 text.
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
        /// The system's error.
        source: io::Error,
    },
}

impl ProfileError {
    pub(super) fn rejected(
        user: &UserName,
        kind: ProfileKind,
        path: &Path,
        findings: Findings,
    ) -> Self {
        Self::Rejected { user: user.clone(), kind, path: path.to_owned(), findings }
    }

    /// Returns `true` if a file does not exist.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}
