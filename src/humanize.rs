//! What moments, spans, counts and kinds are to people, on the pages of both doors
//! and in what commands say.

use jiff::Timestamp;

use crate::token::{ProfileKind, UnixSeconds};

const MINUTE_S: u64 = 60;

/// From how many seconds on a clock is told to be off.
const CLOCK_OFFSET_MIN_S: u64 = 2;

/// A moment, for people and for programs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Moment {
    /// To the second, such as `2026-12-01T12:00:42Z`.
    pub(crate) exact: String,
    /// To the minute, such as `1 December 2026, 12:00 UTC`; that of an event to
    /// the second.
    pub(crate) date: String,
    /// As seen from now, such as `in 57 minutes` or `3 hours ago`.
    pub(crate) relative: String,
}

impl Moment {
    /// Writes when something ends, or ended. Both are rounded down, so that
    /// nobody counts on time that he does not have.
    pub(crate) fn end(at: UnixSeconds, now: UnixSeconds) -> Self {
        let relative = match at.get().checked_sub(now.get()) {
            Some(left) if left > 0 => format!("in {}", span(left)),
            _ => format!("{} ago", span(now.get().saturating_sub(at.get()))),
        };
        Self { exact: at.to_string(), date: date(at.get()), relative }
    }

    /// Writes when something happened, to the second.
    pub(crate) fn event(at: UnixSeconds, now: UnixSeconds) -> Self {
        Self { date: written(at.get(), "%-d %B %Y, %H:%M:%S UTC"), ..Self::end(at, now) }
    }

    /// Writes when something will begin. Both are rounded up, so that nobody
    /// comes too early.
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
    written(seconds, "%-d %B %Y, %H:%M UTC")
}

fn written(seconds: u64, format: &str) -> String {
    let stamp = i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok());
    match stamp {
        Some(stamp) => stamp.strftime(format).to_string(),
        None => UnixSeconds::new(seconds).to_string(),
    }
}

/// Writes a span in its one or two largest units, rounded down.
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

/// Writes `1 day`, `12,345 days`.
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

/// Writes how far a clock is off, such as `+3 s`; `None` if it is right, which it is
/// below two seconds.
pub(crate) fn clock_offset(seconds: i64) -> Option<String> {
    (seconds.unsigned_abs() >= CLOCK_OFFSET_MIN_S).then(|| format!("{seconds:+} s"))
}

/// What a kind of profile means for its holder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KindWords {
    pub(crate) name: &'static str,
    /// In three words.
    pub(crate) short: &'static str,
    /// For operators: what it has, and what it asks its holder for.
    pub(crate) asks: &'static str,
    /// Whether an admin must allow it to a user first.
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
    fn an_end_is_never_later_than_it_is() {
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
    fn events_of_one_minute_are_told_apart() {
        let moment = Moment::event(AT, AT.plus(7_300));
        assert_eq!(moment.date, "15 January 2027, 09:00:42 UTC");
        assert_eq!(moment.relative, "2 hours 1 minute ago");
    }

    #[test]
    fn a_beginning_is_never_earlier_than_it_is() {
        let moment = Moment::beginning(AT, AT.minus(61));
        assert_eq!(moment.relative, "in 2 minutes");
        assert_eq!(moment.date, "15 January 2027, 09:01 UTC");
        assert_eq!(Moment::beginning(AT, AT.minus(1)).relative, "in 1 minute");
    }

    #[test]
    fn large_numbers_are_counted() {
        for (number, text) in
            [(0, "0 users"), (1, "1 user"), (999, "999 users"), (1_234_567, "1,234,567 users")]
        {
            assert_eq!(counted(number, "user"), text);
        }
    }

    #[test]
    fn a_clock_is_off_from_two_seconds_on() {
        for (seconds, text) in
            [(0, None), (1, None), (-1, None), (2, Some("+2 s")), (-61, Some("-61 s"))]
        {
            assert_eq!(clock_offset(seconds).as_deref(), text);
        }
    }

    #[test]
    fn a_moment_beyond_all_calendars_is_still_written() {
        let moment = Moment::end(UnixSeconds::new(u64::MAX), AT);
        assert_eq!(moment.date, "unix second 18446744073709551615");
    }
}
