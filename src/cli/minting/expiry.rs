//! `--expires`: a span or a point in time.

use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, civil};
use thiserror::Error;

use crate::token::{Lifetime, UnixSeconds};

/// When a token expires.
#[derive(Clone, Debug)]
pub(crate) enum Expiry {
    /// This long after it is minted; calendar units are counted in UTC.
    After(Span),
    /// At this time.
    At(Timestamp),
}

impl Expiry {
    /// Returns the lifetime of a token that is minted `now`.
    pub(crate) fn lifetime(&self, now: UnixSeconds) -> Result<Lifetime, ExpiryError> {
        let issued_at = i64::try_from(now.get()).map_err(|_| ExpiryError::TooLate)?;
        let expires_at = self.expires_at(issued_at)?.as_second();
        match expires_at - issued_at {
            0 if matches!(self, Self::After(_)) => Err(ExpiryError::Zero),
            ..=0 => Err(ExpiryError::Past),
            seconds => {
                let seconds = u32::try_from(seconds).map_err(|_| ExpiryError::TooLate)?;
                Lifetime::from_seconds(seconds).map_err(|_| ExpiryError::TooLate)
            }
        }
    }

    fn expires_at(&self, issued_at: i64) -> Result<Timestamp, ExpiryError> {
        match self {
            Self::At(timestamp) => Ok(*timestamp),
            Self::After(span) => {
                let issued_at =
                    Timestamp::from_second(issued_at).map_err(|_| ExpiryError::TooLate)?;
                let expires_at = issued_at.to_zoned_datetime(TimeZone::UTC).checked_add(*span);
                Ok(expires_at.map_err(|_| ExpiryError::TooLate)?.timestamp())
            }
        }
    }
}

/// Parses `90m`, `1h`, `7d`, `2 weeks`, or `2026-12-01T12:00Z`.
impl FromStr for Expiry {
    type Err = ExpiryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(timestamp) = text.parse() {
            return Ok(Self::At(timestamp));
        }
        if let Ok(span) = text.parse() {
            return Ok(Self::After(span));
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ExpiryError::NoUnit(text.to_owned()));
        }
        match text.parse::<civil::DateTime>() {
            Ok(civil) => Err(ExpiryError::NoZone(civil)),
            Err(_) => Err(ExpiryError::Syntax),
        }
    }
}

/// Why a text is not an expiry that a token can have.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub(crate) enum ExpiryError {
    #[error(
        "expected a span such as 90m, 1h, 7d or `2 weeks`, or a time such as 2026-12-01T12:00Z"
    )]
    Syntax,
    #[error("{0} has no unit: write {0}m, {0}h or {0}d")]
    NoUnit(String),
    #[error("the time zone is missing: write {0}Z for UTC, or an offset such as {0}+02:00")]
    NoZone(civil::DateTime),
    #[error("a token must be valid for at least 1 second")]
    Zero,
    #[error("that time is in the past")]
    Past,
    #[error("a token can be valid for at most 366 days")]
    TooLate,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23T12:00:00Z.
    const NOW: UnixSeconds = UnixSeconds::new(1_795_435_200);

    fn seconds(text: &str) -> Result<u32, ExpiryError> {
        text.parse::<Expiry>()?.lifetime(NOW).map(Lifetime::seconds)
    }

    #[test]
    fn spans_count_from_now() {
        for (text, expected) in [
            ("90s", 90),
            ("90m", 5_400),
            ("1h", 3_600),
            ("1h 30m", 5_400),
            ("1.5h", 5_400),
            ("PT1H", 3_600),
            ("7d", 604_800),
            ("2 weeks", 1_209_600),
            ("1 month", 30 * 86_400),
            ("366d", 366 * 86_400),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn accepts_times_with_and_without_seconds() {
        for text in [
            "2026-11-23T13:00:00Z",
            "2026-11-23T13:00Z",
            "2026-11-23 13:00Z",
            "2026-11-23T14:00+01:00",
            " 2026-11-23T13:00:00.9Z ",
        ] {
            assert_eq!(seconds(text), Ok(3_600), "{text}");
        }
    }

    #[test]
    fn rejects_texts_that_are_not_expiries() {
        let date = |text: &str| ExpiryError::NoZone(text.parse().unwrap());
        for (text, expected) in [
            ("", ExpiryError::Syntax),
            ("soon", ExpiryError::Syntax),
            ("1x", ExpiryError::Syntax),
            ("90", ExpiryError::NoUnit("90".to_owned())),
            ("2026-12-01", date("2026-12-01T00:00")),
            ("2026-12-01T12:00", date("2026-12-01T12:00")),
            ("0s", ExpiryError::Zero),
            ("500ms", ExpiryError::Zero),
            ("-1h", ExpiryError::Past),
            ("1h ago", ExpiryError::Past),
            ("2026-11-23T12:00:00Z", ExpiryError::Past),
            ("2020-01-01T00:00Z", ExpiryError::Past),
            ("367d", ExpiryError::TooLate),
            ("366d 1s", ExpiryError::TooLate),
            ("9000y", ExpiryError::TooLate),
            ("9999-01-01T00:00Z", ExpiryError::TooLate),
        ] {
            assert_eq!(seconds(text), Err(expected), "{text}");
        }
    }
}
