//! What the admin door needs to invite nodes.

use std::fmt::Debug;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::random::NoRandomness;

/// Creates invitations for new nodes.
pub trait Inviter: Debug + Send + Sync {
    /// Returns a join line and how long it is valid, in seconds.
    ///
    /// # Errors
    ///
    /// [`NoInvitation`].
    fn invite(&self) -> Result<(Zeroizing<String>, u64), NoInvitation>;
}

/// Why no invitation was created.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NoInvitation {
    /// The limit of open invitations is reached.
    #[error("too many invitations are open")]
    TooMany,
    /// There is no randomness for a secret.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}
