//! Request ids: where they come from and how logs show them.

use std::fmt::Debug;
use std::io;

use crate::ledger::RequestId;
use crate::random;

/// A source of request ids. Each id must be new: the ledger takes two requests with the same id for
/// one.
pub trait RequestIds: Debug + Send + Sync {
    /// Returns the next id.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no id. The request is then refused unread.
    fn next(&self) -> io::Result<RequestId>;
}

/// Request ids from the system's random source.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomRequestIds;

impl RequestIds for RandomRequestIds {
    fn next(&self) -> io::Result<RequestId> {
        random::bytes().map(RequestId).map_err(io::Error::other)
    }
}

/// Returns a request id as 32 hexadecimal digits.
pub(super) fn to_hex(id: RequestId) -> String {
    format!("{:032x}", u128::from_be_bytes(id.0))
}
