//! Time in tokens: whole seconds since 1970, UTC.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far a minter's clock may be ahead of a node's, in seconds.
///
/// A token becomes valid that much earlier. It never expires later.
pub const CLOCK_ALLOWANCE: u32 = 60;

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct UnixSeconds(u64);

impl UnixSeconds {
    /// The last time whose year has four digits in every time zone,
    /// 9999-12-30T22:00:00Z. No token expires after it.
    pub const MAX: Self = Self(253_402_207_200);

    /// Makes the time `seconds` after the start of 1970.
    #[must_use]
    pub const fn new(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Returns the number of seconds since 1970.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the time `seconds` later, at most [`u64::MAX`].
    #[must_use]
    pub const fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Returns the time `seconds` earlier, at least 0.
    #[must_use]
    pub const fn minus(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }
}

/// Writes UTC as `2026-12-01T12:00:00Z`, and times beyond jiff's range as a number.
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
    fn writes_times_in_utc() {
        assert_eq!(UnixSeconds::new(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(UnixSeconds::MAX.to_string(), "9999-12-30T22:00:00Z");
        assert_eq!(UnixSeconds::new(u64::MAX).to_string(), "unix second 18446744073709551615");
    }
}
