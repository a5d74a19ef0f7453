//! Why a node gave no answer that helps, and what to do about it.

use std::io;
use std::net::SocketAddr;

use serde::Deserialize;
use thiserror::Error;

use super::text::plain;
use crate::failure::Failure;
use crate::mint::MintError;

/// Why the node gave no answer that helps.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    /// Nobody answers at the address.
    #[error("cannot reach the admin API at http://{address}")]
    Unreachable {
        /// The address.
        address: SocketAddr,
        /// What happened.
        source: ureq::Error,
    },
    /// The connection broke before the answer was there.
    #[error("the admin API at http://{address} did not answer")]
    Silent {
        /// The address.
        address: SocketAddr,
        /// What happened.
        source: ureq::Error,
    },
    /// What came is no answer of the admin API.
    #[error("what answers at http://{address} is no admin API (status {status})")]
    Stranger {
        /// The address.
        address: SocketAddr,
        /// The HTTP status.
        status: u16,
    },
    /// The node says no.
    #[error("{message}")]
    Refused {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// No admin token can be minted.
    #[error(transparent)]
    Mint(#[from] MintError),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let hint = match &error {
            ClientError::Unreachable { .. } => {
                "is `jeton serve` running on this machine, and does [admin] in its config say \
                 `listen` with this address?"
            }
            ClientError::Silent { .. } => {
                "it is not known whether the node did it; asking again does no harm, and its log \
                 may tell more"
            }
            ClientError::Stranger { .. } => {
                "does another program use the address of [admin] `listen`?"
            }
            ClientError::Refused { hint, .. } => hint,
            ClientError::Mint(_) => {
                "nothing was asked; set this machine's clock, or try again once it has started up"
            }
        };
        Self::new(&error, hint)
    }
}

impl ClientError {
    /// Makes one of a connection that gave no answer.
    pub(super) fn unanswered(address: SocketAddr, source: ureq::Error) -> Self {
        if is_unreachable(&source) {
            Self::Unreachable { address, source }
        } else {
            Self::Silent { address, source }
        }
    }

    /// Reads the node's way to say no.
    ///
    /// # Errors
    ///
    /// One of JSON, if that is not it.
    pub(super) fn refusal(body: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct ErrorBody {
            error: ErrorDetail,
        }
        #[derive(Deserialize)]
        struct ErrorDetail {
            message: String,
            #[serde(default)]
            hint: String,
        }
        let ErrorBody { error } = serde_json::from_slice(body)?;
        Ok(Self::Refused { message: plain(&error.message), hint: plain(&error.hint) })
    }
}

/// Tells whether nothing can have reached the node.
fn is_unreachable(error: &ureq::Error) -> bool {
    if let ureq::Error::Io(error) = error {
        return matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::AddrNotAvailable
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
        );
    }
    matches!(
        error,
        ureq::Error::ConnectionFailed
            | ureq::Error::HostNotFound
            | ureq::Error::Timeout(ureq::Timeout::Connect)
    )
}
