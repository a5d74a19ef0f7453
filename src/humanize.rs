//! Times, spans, counts and profile kinds in words, for pages and command output.

use jiff::Timestamp;

use crate::token::{ProfileKind, UnixSeconds};

const MINUTE_S: u64 = 60;

/// A clock offset below this many seconds is not shown.
const CLOCK_OFFSET_MIN_S: u64 = 2;

/// A time, in forms for people and for programs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Moment {
    /// To the second, such as `2026-12-01T12:00:42Z`.
    pub(crate) exact: String,
    /// To the minute, such as `1 December 2026, 12:00 UTC`; for an event, to the second.
    pub(crate) date: String,
    /// Relative to now, such as `in 57 minutes` or `3 hours ago`.
    pub(crate) relative: String,
}

impl Moment {
    /// Formats an end, past or future. Rounds down, so that the time left is never overstated.
    pub(crate) fn end(at: UnixSeconds, now: UnixSeconds) -> Self {
        let relative = match at.get().checked_sub(now.get()) {
            Some(left) if left > 0 => format!("in {}", span(left)),
            _ => format!("{} ago", span(now.get().saturating_sub(at.get()))),
        };
        Self { exact: at.to_string(), date: date(at.get()), relative }
    }

    /// Formats the time of an event, to the second.
    pub(crate) fn event(at: UnixSeconds, now: UnixSeconds) -> Self {
        Self { date: format_utc(at.get(), "%-d %B %Y, %H:%M:%S UTC"), ..Self::end(at, now) }
    }

    /// Formats a beginning. Rounds up, so that it is never announced too early.
    pub(crate) fn beginning(at: UnixSeconds, now: UnixSeconds) -> Self {
        let rounded_up = |seconds: u64| seconds.div_ceil(MINUTE_S).saturating_mul(MINUTE_S);
        let wait = rounded_up(at.get().saturating_sub(now.get()));
        Self {
            exact: at.to_string(),
            date: date(rounded_up(at.get())),
            relative: format!("in {}", span(wait)),
        }
    }
}

fn date(seconds: u64) -> String {
    format_utc(seconds, "%-d %B %Y, %H:%M UTC")
}

fn format_utc(seconds: u64, format: &str) -> String {
    let timestamp = i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok());
    match timestamp {
        Some(timestamp) => timestamp.strftime(format).to_string(),
        None => UnixSeconds::new(seconds).to_string(),
    }
}

/// Formats a span in its one or two largest units, rounded down.
fn span(seconds: u64) -> String {
    let minutes = seconds / MINUTE_S;
    let (hours, days) = (minutes / 60, minutes / (24 * 60));
    let (large, small) = if days > 0 {
        (counted(days, "day"), (hours % 24, "hour"))
    } else if hours > 0 {
        (counted(hours, "hour"), (minutes % 60, "minute"))
    } else if minutes > 0 {
        (counted(minutes, "minute"), (0, ""))
    } else {
        return "less than a minute".to_owned();
    };
    match small {
        (0, _) => large,
        (number, unit) => format!("{large} {}", counted(number, unit)),
    }
}

/// Formats a count with its unit: `1 day`, `12,345 days`.
pub(crate) fn counted(number: impl TryInto<u64>, unit: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    let plural = if number == 1 { "" } else { "s" };
    format!("{text} {unit}{plural}")
}

/// Formats a clock offset, such as `+3 s`. Returns `None` below two seconds, which count as right.
pub(crate) fn clock_offset(seconds: i64) -> Option<String> {
    (seconds.unsigned_abs() >= CLOCK_OFFSET_MIN_S).then(|| format!("{seconds:+} s"))
}

/// A profile kind in words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KindWords {
    pub(crate) name: &'static str,
    /// In three words.
    pub(crate) short: &'static str,
    /// For operators: what the profile holds and what it asks for.
    pub(crate) asks: &'static str,
    /// Whether an admin must permit it first.
    pub(crate) needs_permission: bool,
    /// In a sentence.
    pub(crate) long: &'static str,
}

impl KindWords {
    pub(crate) const fn of(kind: ProfileKind) -> Self {
        match kind {
            ProfileKind::UserLocked => Self {
                name: "User-locked",
                short: "With your password",
                asks: "Own certificate, asks for the password",
                needs_permission: false,
                long: "It is made for this user only and asks for the password \
                       when you connect.",
            },
            ProfileKind::Autologin => Self {
                name: "Autologin",
                short: "No password needed",
                asks: "Own certificate, asks for nothing",
                needs_permission: true,
                long: "It is made for this user only and connects without a password, \
                       so keep it to yourself.",
            },
            ProfileKind::ServerLocked => Self {
                name: "Server-locked",
                short: "Name and password",
                asks: "No certificate of its own, asks for name and password",
                needs_permission: false,
                long: "It works for every user of this server and asks for user name \
                       and password when you connect.",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: UnixSeconds = UnixSeconds::new(1_800_003_642);

    #[test]
    fn rounds_the_time_left_down() {
        for (seconds_left, relative) in [
            (1, "in less than a minute"),
            (59, "in less than a minute"),
            (60, "in 1 minute"),
            (3_599, "in 59 minutes"),
            (3_600, "in 1 hour"),
            (5_100, "in 1 hour 25 minutes"),
            (86_399, "in 23 hours 59 minutes"),
            (90_000, "in 1 day 1 hour"),
            (7 * 86_400, "in 7 days"),
        ] {
            let moment = Moment::end(AT, AT.minus(seconds_left));
            assert_eq!(moment.relative, relative);
            assert_eq!(moment.date, "15 January 2027, 09:00 UTC");
            assert_eq!(moment.exact, "2027-01-15T09:00:42Z");
        }
        assert_eq!(Moment::end(AT, AT).relative, "less than a minute ago");
        assert_eq!(Moment::end(AT, AT.plus(7_300)).relative, "2 hours 1 minute ago");
    }

    #[test]
    fn formats_events_to_the_second() {
        let moment = Moment::event(AT, AT.plus(7_300));
        assert_eq!(moment.date, "15 January 2027, 09:00:42 UTC");
        assert_eq!(moment.relative, "2 hours 1 minute ago");
    }

    #[test]
    fn rounds_a_beginning_up() {
        let moment = Moment::beginning(AT, AT.minus(61));
        assert_eq!(moment.relative, "in 2 minutes");
        assert_eq!(moment.date, "15 January 2027, 09:01 UTC");
        assert_eq!(Moment::beginning(AT, AT.minus(1)).relative, "in 1 minute");
    }

    #[test]
    fn groups_the_digits_of_counts() {
        for (number, text) in
            [(0, "0 users"), (1, "1 user"), (999, "999 users"), (1_234_567, "1,234,567 users")]
        {
            assert_eq!(counted(number, "user"), text);
        }
    }

    #[test]
    fn shows_clock_offsets_from_two_seconds() {
        for (seconds, text) in
            [(0, None), (1, None), (-1, None), (2, Some("+2 s")), (-61, Some("-61 s"))]
        {
            assert_eq!(clock_offset(seconds).as_deref(), text);
        }
    }

    #[test]
    fn formats_a_time_beyond_the_calendar() {
        let moment = Moment::end(UnixSeconds::new(u64::MAX), AT);
        assert_eq!(moment.date, "unix second 18446744073709551615");
    }
}
