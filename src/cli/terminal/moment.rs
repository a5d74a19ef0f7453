//! Formats times in UTC and in the local time zone.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::token::UnixSeconds;

/// Formats a time in UTC, and also in the local time zone if that differs:
/// `2026-12-01T12:00:00Z (2026-12-01 13:00:00 CET)`.
pub(crate) fn both(at: UnixSeconds) -> String {
    both_in(at, &TimeZone::system())
}

/// Formats a time in the local time zone: `2026-12-01 13:00:00 CET`.
pub(crate) fn local(at: UnixSeconds) -> String {
    local_in(at, &TimeZone::system()).unwrap_or_else(|| at.to_string())
}

/// Formats a time for paper, in the local time zone and rounded down to the minute:
/// `1 December 2026, 13:00 CET`.
pub(crate) fn on_paper(at: UnixSeconds) -> String {
    on_paper_in(at, &TimeZone::system())
}

fn both_in(at: UnixSeconds, zone: &TimeZone) -> String {
    match local_in(at, zone) {
        Some(local) if offset_seconds(at, zone) != Some(0) => format!("{at} ({local})"),
        _ => at.to_string(),
    }
}

fn on_paper_in(at: UnixSeconds, zone: &TimeZone) -> String {
    let zoned = timestamp(at).map(|at| at.to_zoned_datetime(zone.clone()));
    zoned.map_or_else(|| at.to_string(), |at| at.strftime("%-d %B %Y, %H:%M %Z").to_string())
}

fn local_in(at: UnixSeconds, zone: &TimeZone) -> Option<String> {
    let zoned = timestamp(at)?.to_zoned_datetime(zone.clone());
    Some(zoned.strftime("%Y-%m-%d %H:%M:%S %Z").to_string())
}

fn offset_seconds(at: UnixSeconds, zone: &TimeZone) -> Option<i32> {
    Some(zone.to_offset(timestamp(at)?).seconds())
}

fn timestamp(at: UnixSeconds) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(at.get()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_utc_and_local_time() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let at = UnixSeconds::new(1_796_126_400);
        assert_eq!(both_in(at, &zone), "2026-12-01T12:00:00Z (2026-12-01 13:00:00 +01)");
        assert_eq!(both_in(at, &TimeZone::UTC), "2026-12-01T12:00:00Z");
        assert_eq!(both_in(UnixSeconds::new(u64::MAX), &zone), "unix second 18446744073709551615");
    }

    #[test]
    fn a_time_on_paper_has_its_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let at = UnixSeconds::new(1_796_126_459);
        assert_eq!(on_paper_in(at, &zone), "1 December 2026, 13:00 +01");
    }
}
