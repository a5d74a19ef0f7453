//! Random bytes from the operating system.

use super::failure::Failure;

/// Returns `N` fresh random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// Fills `bytes` with fresh random bytes.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Failure> {
    getrandom::fill(bytes).map_err(|error| {
        Failure::say(
            format!("the system gives no random bytes: {error}"),
            "nothing was made; try again once the machine has started up",
        )
    })
}
