//! The errors of requests to a node, with their hints.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

use crate::api::error::ErrorBody;
use crate::failure::Failure;
use crate::mint::MintError;

/// Why a request to a node failed.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    #[error("cannot reach the admin API at http://{address}")]
    Unreachable { address: SocketAddr, source: ureq::Error },
    /// The connection ended before the response was complete.
    #[error("the admin API at http://{address} did not answer")]
    NoResponse { address: SocketAddr, source: ureq::Error },
    #[error("the server at http://{address} is not an admin API (status {status})")]
    NotAnAdminApi { address: SocketAddr, status: u16 },
    /// The node rejected the request, with this message and hint.
    #[error("{message}")]
    Refused { message: String, hint: String },
    /// No admin token can be minted.
    #[error(transparent)]
    Mint(#[from] MintError),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let hint = match &error {
            ClientError::Unreachable { .. } => {
                "check that `jeton serve` runs on this machine, and that `listen` in [admin] of its \
                 configuration is this address"
            }
            ClientError::NoResponse { .. } => {
                "the node may have done it all the same. It is safe to try again; see also its log"
            }
            ClientError::NotAnAdminApi { .. } => {
                "check whether another program uses the address in `listen` of [admin]"
            }
            ClientError::Refused { hint, .. } => hint,
            ClientError::Mint(_) => {
                "nothing was sent; set this machine's clock, or try again when it has finished booting"
            }
        };
        Self::new(&error, hint)
    }
}

impl ClientError {
    /// Returns the error of a connection without a response.
    pub(super) fn unanswered(address: SocketAddr, source: ureq::Error) -> Self {
        if is_unreachable(&source) {
            Self::Unreachable { address, source }
        } else {
            Self::NoResponse { address, source }
        }
    }

    /// Reads the error in a response.
    ///
    /// # Errors
    ///
    /// [`serde_json::Error`] if the response has none.
    pub(super) fn refusal(body: &[u8]) -> Result<Self, serde_json::Error> {
        let ErrorBody { error } = serde_json::from_slice(body)?;
        Ok(Self::Refused { message: error.message, hint: error.hint })
    }
}

/// Returns `true` if nothing can have reached the node.
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
