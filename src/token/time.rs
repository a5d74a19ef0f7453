//! Time in tokens: whole seconds since 1970, UTC.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::text_form::text_form;

/// How far a minter's clock may be ahead of a node's, in seconds.
///
/// A token becomes valid that much earlier. It never expires later.
pub const CLOCK_ALLOWANCE: u32 = 60;

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixSeconds(u64);

text_form!(UnixSeconds);

impl UnixSeconds {
    /// The last time whose year has four digits in every time zone, 9999-12-30T22:00:00Z. No token
    /// expires after it.
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
        let seconds = i64::try_from(self.0).ok();
        match seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()) {
            Some(timestamp) => timestamp.fmt(f),
            None => write!(f, "unix second {}", self.0),
        }
    }
}

/// Reads a date and time as RFC 3339 writes it, with any offset. A fraction of a second is cut off,
/// and a time before 1970 is read as 1970.
impl FromStr for UnixSeconds {
    type Err = TimeParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // jiff reads more than RFC 3339 has: a time without seconds, the name of a zone.
        let bytes = text.as_bytes();
        let is = |at: usize, byte: u8| bytes.get(at).is_some_and(|b| b.eq_ignore_ascii_case(&byte));
        let shape = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        let ends =
            bytes.last().is_some_and(|b| b.is_ascii_digit() || b.eq_ignore_ascii_case(&b'z'));
        if !ends || !shape.into_iter().all(|(at, byte)| is(at, byte)) {
            return Err(TimeParseError);
        }
        let time: jiff::Timestamp = text.parse().map_err(|_| TimeParseError)?;
        Ok(Self(time.as_second().try_into().unwrap_or(0)))
    }
}

/// A text is not a date and time of RFC 3339.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("expected a date and time such as 2026-12-01T12:00:00Z")]
pub struct TimeParseError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rfc_3339_with_any_offset() {
        for (text, seconds) in [
            ("1970-01-01T00:00:07Z", 7),
            ("1970-01-01t01:00:07.9+01:00", 7),
            ("1969-12-31T23:59:59Z", 0),
        ] {
            assert_eq!(text.parse(), Ok(UnixSeconds::new(seconds)), "{text}");
        }
        for text in ["2026-12-01T12:00Z", "2026-12-01", "2026-12-01T12:00:00[UTC]", "soon", ""] {
            assert_eq!(text.parse::<UnixSeconds>(), Err(TimeParseError), "{text}");
        }
    }

    #[test]
    fn writes_times_in_utc() {
        assert_eq!(UnixSeconds::new(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(UnixSeconds::MAX.to_string(), "9999-12-30T22:00:00Z");
        assert_eq!(UnixSeconds::new(u64::MAX).to_string(), "unix second 18446744073709551615");
    }
}
