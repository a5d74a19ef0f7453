//! The only place that draws randomness, from the operating system. Code that makes decisions takes
//! random bytes as an argument, as it takes the time.

use thiserror::Error;

/// The system gave no random bytes.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the system gives no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

/// Returns `N` fresh random bytes.
///
/// # Errors
///
/// [`NoRandomness`] if the system gives none.
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// Fills `bytes` with fresh random bytes.
///
/// # Errors
///
/// [`NoRandomness`] if the system gives none. The content of `bytes` is then undefined.
pub fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    getrandom::fill(bytes).map_err(NoRandomness)
}

#[cfg(all(test, feature = "server"))]
impl NoRandomness {
    /// Returns the error of a system without a random source.
    pub(crate) const fn example() -> Self {
        Self(getrandom::Error::UNSUPPORTED)
    }
}
