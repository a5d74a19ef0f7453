//! Time as the token knows it: whole seconds since 1970, UTC.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far a minter's clock may be ahead of a node's, in seconds.
///
/// It opens the window of a token earlier and never closes it later.
pub const CLOCK_ALLOWANCE: u32 = 60;

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct UnixSeconds(u64);

impl UnixSeconds {
    /// The last moment whose calendar date has four digits in every time zone,
    /// 9999-12-30T22:00:00Z. No claim reaches past it.
    pub const MAX: Self = Self(253_402_207_200);

    /// Takes `seconds` since 1970 as they are.
    #[must_use]
    pub const fn new(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Returns the number of seconds since 1970.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the moment `seconds` later, held at [`u64::MAX`].
    #[must_use]
    pub const fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Returns the moment `seconds` earlier, held at 1970.
    #[must_use]
    pub const fn minus(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }
}

/// Writes UTC as `2026-12-01T12:00:00Z`; a moment past [`UnixSeconds::MAX`] as
/// its number.
impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamp = i64::try_from(self.0)
            .ok()
            .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        match stamp {
            Some(stamp) => write!(f, "{stamp}"),
            None => write!(f, "unix second {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        assert_eq!(UnixSeconds::new(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(UnixSeconds::MAX.to_string(), "9999-12-30T22:00:00Z");
        assert_eq!(UnixSeconds::new(u64::MAX).to_string(), "unix second 18446744073709551615");
    }
}
