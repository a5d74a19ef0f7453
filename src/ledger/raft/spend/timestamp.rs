//! The time that a leader puts on an entry: its own clock, held back where it
//! would carry the whole ledger into the future.
//!
//! `log_time` never goes back, so a leader whose clock is ahead would expire
//! tokens for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::ledger::raft::peers::{Peers, SKEW_MAX, is_off};
use crate::token::UnixSeconds;

/// A step of the clock that is a longer outage, in seconds, not a difference
/// between two clocks. It is taken at once.
const OUTAGE: u64 = 2 * SKEW_MAX;

/// A step of a lone node's clock that is worth a line in the log, in seconds.
const LEAP: u64 = 3_600;

/// Puts the time on the entries of a node.
pub(crate) struct LeaderClock {
    peers: Arc<Peers>,
    leap_is_logged: AtomicBool,
}

impl LeaderClock {
    pub(crate) const fn new(peers: Arc<Peers>) -> Self {
        Self { peers, leap_is_logged: AtomicBool::new(false) }
    }

    /// Returns the time to put on an entry of a node that has other members, or of a
    /// lone one.
    pub(crate) fn stamp(&self, is_lone: bool) -> UnixSeconds {
        let own = self.peers.clock.now();
        let log_time = self.peers.applied.log_time();
        let since = log_time.since.elapsed();
        if !is_lone {
            return stamp(own, log_time.now, since, &self.peers.reports.offsets(own));
        }
        // Nobody can contradict a lone node, which may have been off for months.
        self.log_leap(own, log_time.now, since);
        own
    }

    /// Says once that the clock is where nobody would expect it.
    fn log_leap(&self, own: UnixSeconds, log_time: UnixSeconds, since: Duration) {
        let expected = log_time.get().saturating_add(since.as_secs());
        let leapt = log_time > UnixSeconds::default() && own.get() > expected + LEAP;
        if leapt && !self.leap_is_logged.swap(true, Ordering::Relaxed) {
            let ahead = own.get() - expected;
            tracing::warn!(
                clock = %own, %log_time, ahead_seconds = ahead,
                "the clock is far ahead of the ledger: was this node off for so long?"
            );
        }
    }
}

impl Peers {
    /// Tells whether this node's clock is off, by what the others say.
    pub(crate) fn is_clock_off(&self) -> bool {
        is_off(&self.reports.offsets(self.clock.now()))
    }
}

/// Returns the stamp for an entry of a leader with other members.
///
/// `own` is its clock, `log_time` the latest time of the log, `since` how long
/// ago that time was reached, `offsets` how far the others' clocks are ahead.
///
/// - It is at most [`SKEW_MAX`] ahead of what the log's time and the clocks of the
///   others allow.
/// - A clock that most of the others contradict is not taken at all: the log's time
///   goes on from what it was.
/// - A smaller step is not taken at once but at twice the speed of time: whoever
///   leads next, a verdict is still remembered when its retry comes.
pub(crate) fn stamp(
    own: UnixSeconds,
    log_time: UnixSeconds,
    since: Duration,
    offsets: &[i64],
) -> UnixSeconds {
    let expected = log_time.get().saturating_add(since.as_secs());
    let others = offsets.iter().map(|offset| own.get().saturating_add_signed(*offset));
    let ceiling = others.fold(expected, u64::max).saturating_add(SKEW_MAX);
    let wanted = if is_off(offsets) { expected } else { own.get().min(ceiling) };
    let stamp = if wanted > expected.saturating_add(OUTAGE) {
        wanted
    } else {
        let doubled = since.saturating_mul(2).as_secs();
        wanted.min(log_time.get().saturating_add(doubled))
    };
    UnixSeconds::new(stamp.max(log_time.get()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: u64 = 1_790_000_000;

    fn at(own: u64, since_ms: u64, offsets: &[i64]) -> i64 {
        let since = Duration::from_millis(since_ms);
        let stamp = stamp(UnixSeconds::new(own), UnixSeconds::new(LOG), since, offsets);
        stamp.get().cast_signed() - LOG.cast_signed()
    }

    #[test]
    fn a_good_clock_is_taken_as_it_is() {
        assert_eq!(at(LOG, 300, &[0, 0]), 0);
        assert_eq!(at(LOG + 1, 1_000, &[0, 1]), 1);
        assert_eq!(at(LOG + 10, 9_800, &[0, 0]), 10);
        assert_eq!(at(LOG - 500, 5_000, &[0, 0]), 0, "never back");
    }

    #[test]
    fn a_fast_clock_gains_at_most_one_second_a_second_and_sixty_in_all() {
        assert_eq!(at(LOG + 50, 400, &[-50]), 0);
        assert_eq!(at(LOG + 50, 1_000, &[-50]), 2);
        assert_eq!(at(LOG + 3_600, 1_000, &[-3_600]), 2);
        // With time it is let run ahead, but never farther than this.
        assert_eq!(at(LOG + 3_600, 100_000, &[-3_500]), 160);
    }

    #[test]
    fn a_clock_that_most_contradict_is_not_taken_even_if_one_is_as_wrong() {
        assert_eq!(at(LOG + 2_910, 5_000, &[501, -2_904, -2_904]), 5);
        assert_eq!(at(LOG + 2_910, 5_000, &[501, -2_904]), 5);
        assert_eq!(at(LOG - 2_910, 5_000, &[2_914, 2_915]), 5);
    }

    #[test]
    fn after_an_outage_of_all_the_time_is_caught_up_at_once() {
        let month = 30 * 86_400;
        assert_eq!(at(LOG + month, 3_000, &[0, -2]), month.cast_signed());
        assert_eq!(at(LOG + month + 3_600, 3_000, &[-3_600]), month.cast_signed() + 60);
    }
}
