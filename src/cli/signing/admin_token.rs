//! Admin tokens: what opens the operators' door. The command line signs one for
//! each of its own requests, and one for each link that signs somebody in.

use crate::mint::MintError;
use crate::random;
use crate::token::{
    Batch, Claims, Lifetime, Nonce, Purpose, Role, SigningKey, Token, UnixSeconds, UseLimit,
    UserName, sign,
};

/// Mints the token that lets `user` act as `role`, from `now` on.
///
/// # Errors
///
/// [`MintError`] without random bytes, or with a clock that is out of range.
pub(crate) fn mint(
    key: &SigningKey,
    role: Role,
    user: UserName,
    lifetime: Lifetime,
    now: UnixSeconds,
) -> Result<Token, MintError> {
    let claims = Claims {
        purpose: Purpose::Admin(role),
        nonce: Nonce::new(Batch(random::bytes()?), random::bytes()?),
        issued_at: now,
        lifetime,
        uses: UseLimit::Unlimited,
        user,
        network: None,
    };
    Ok(sign(&claims, key)?)
}
