//! The time that a leader puts on an entry: its own clock, limited so that a wrong clock cannot
//! carry the ledger into the future.
//!
//! `log_time` never goes back, so a leader whose clock is ahead would expire tokens for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::ledger::CLOCK_OFFSET_MAX;
use crate::ledger::raft::peers::{Peers, is_off};
use crate::token::UnixSeconds;

/// A longer step of the clock, in seconds, means that the whole cluster was down, not that two
/// clocks differ. It is taken at once.
const OUTAGE: u64 = 2 * CLOCK_OFFSET_MAX;

/// A longer step of a lone node's clock is logged, in seconds.
const LEAP: u64 = 3_600;

/// The clock for the timestamps of entries.
pub(crate) struct LeaderClock {
    peers: Arc<Peers>,
    leap_is_logged: AtomicBool,
}

impl LeaderClock {
    pub(crate) const fn new(peers: Arc<Peers>) -> Self {
        Self { peers, leap_is_logged: AtomicBool::new(false) }
    }

    /// Returns the timestamp for an entry; `is_lone` if there are no other members.
    pub(crate) fn now(&self, is_lone: bool) -> UnixSeconds {
        let own = self.peers.clock.now();
        let log_time = self.peers.applied.log_time();
        let since = log_time.since.elapsed();
        if !is_lone {
            return entry_time(own, log_time.now, since, &self.peers.reports.offsets(own));
        }
        // No clock can contradict a lone node's, and it may have been off for months.
        self.log_leap(own, log_time.now, since);
        own
    }

    /// Logs once that the clock is far ahead of the ledger.
    fn log_leap(&self, own: UnixSeconds, log_time: UnixSeconds, since: Duration) {
        let expected = log_time.get().saturating_add(since.as_secs());
        let leapt = log_time > UnixSeconds::default() && own.get() > expected + LEAP;
        if leapt && !self.leap_is_logged.swap(true, Ordering::Relaxed) {
            let ahead = own.get() - expected;
            tracing::warn!(
                clock = %own, %log_time, ahead_seconds = ahead,
                "the clock is far ahead of the ledger; if this node was not off for so long, set the clock"
            );
        }
    }
}

/// Returns the timestamp for an entry of a leader with other members.
///
/// `own` is its clock, `log_time` the latest time of the log, `since` how long ago that time was
/// reached, and `offsets` how far the other clocks are ahead.
///
/// - It is at most [`CLOCK_OFFSET_MAX`] ahead of the latest of the expected time (`log_time` plus
///   `since`) and the other clocks.
/// - If most other clocks contradict this one, it is the expected time.
/// - It gains at most one second a second on the log, unless the step is longer than [`OUTAGE`]. So
///   the next leader still remembers a verdict when its retry arrives.
fn entry_time(
    own: UnixSeconds,
    log_time: UnixSeconds,
    since: Duration,
    offsets: &[i64],
) -> UnixSeconds {
    let expected = log_time.get().saturating_add(since.as_secs());
    let others = offsets.iter().map(|offset| own.get().saturating_add_signed(*offset));
    let ceiling = others.fold(expected, u64::max).saturating_add(CLOCK_OFFSET_MAX);
    let wanted = if is_off(offsets) { expected } else { own.get().min(ceiling) };
    let time = if wanted > expected.saturating_add(OUTAGE) {
        wanted
    } else {
        let doubled = since.saturating_mul(2).as_secs();
        wanted.min(log_time.get().saturating_add(doubled))
    };
    UnixSeconds::new(time.max(log_time.get()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: u64 = 1_790_000_000;

    fn at(own: u64, since_ms: u64, offsets: &[i64]) -> i64 {
        let since = Duration::from_millis(since_ms);
        let time = entry_time(UnixSeconds::new(own), UnixSeconds::new(LOG), since, offsets);
        time.get().cast_signed() - LOG.cast_signed()
    }

    #[test]
    fn takes_a_good_clock_as_it_is() {
        assert_eq!(at(LOG, 300, &[0, 0]), 0);
        assert_eq!(at(LOG + 1, 1_000, &[0, 1]), 1);
        assert_eq!(at(LOG + 10, 9_800, &[0, 0]), 10);
        assert_eq!(at(LOG - 500, 5_000, &[0, 0]), 0, "never back");
    }

    #[test]
    fn a_fast_clock_gains_one_second_a_second_and_at_most_sixty() {
        assert_eq!(at(LOG + 50, 400, &[-50]), 0);
        assert_eq!(at(LOG + 50, 1_000, &[-50]), 2);
        assert_eq!(at(LOG + 3_600, 1_000, &[-3_600]), 2);
        // In time it gets ahead, but never farther than this.
        assert_eq!(at(LOG + 3_600, 100_000, &[-3_500]), 160);
    }

    #[test]
    fn ignores_a_clock_that_most_contradict_even_if_one_is_as_wrong() {
        assert_eq!(at(LOG + 2_910, 5_000, &[501, -2_904, -2_904]), 5);
        assert_eq!(at(LOG + 2_910, 5_000, &[501, -2_904]), 5);
        assert_eq!(at(LOG - 2_910, 5_000, &[2_914, 2_915]), 5);
    }

    #[test]
    fn catches_up_at_once_after_an_outage_of_the_whole_cluster() {
        let month = 30 * 86_400;
        assert_eq!(at(LOG + month, 3_000, &[0, -2]), month.cast_signed());
        assert_eq!(at(LOG + month + 3_600, 3_000, &[-3_600]), month.cast_signed() + 60);
    }
}
