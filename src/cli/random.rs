//! Random bytes from the operating system.

use super::failure::Failure;

/// The system gave no random bytes; nothing was made with them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the system gives no random bytes: {0}")]
pub(crate) struct NoRandomness(getrandom::Error);

impl From<NoRandomness> for Failure {
    fn from(error: NoRandomness) -> Self {
        Self::new(&error, "nothing was made; try again once the machine has started up")
    }
}

/// Returns `N` fresh random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// Fills `bytes` with fresh random bytes.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    getrandom::fill(bytes).map_err(NoRandomness)
}

#[cfg(test)]
impl NoRandomness {
    /// Returns an error as a system without randomness gives it.
    pub(crate) const fn example() -> Self {
        Self(getrandom::Error::UNSUPPORTED)
    }
}
