//! Until when the applied state is known to be up to date.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::token::UnixSeconds;

/// At most this many confirmed entries wait until they are applied.
const PENDING_MAX: usize = 256;

/// A time by this node's clocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ClockReading {
    /// Goes on evenly, but may stand still while the machine is suspended.
    pub(crate) monotonic: Instant,
    /// Goes on while the machine is suspended, but may be set.
    pub(crate) wall: UnixSeconds,
}

impl ClockReading {
    /// Returns how long ago this was at `now`, by the clock that says longer.
    pub(crate) fn age(&self, now: Self) -> Duration {
        // Of two whole seconds, one may just have begun.
        let wall = now.wall.get().saturating_sub(self.wall.get()).saturating_sub(1);
        (now.monotonic - self.monotonic).max(Duration::from_secs(wall))
    }
}

/// The last time at which the applied state was known to be up to date: a time before the proposal
/// of an entry that is now committed and applied here.
#[derive(Debug, Default)]
pub(crate) struct Freshness(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    leader_heard_at: Option<Instant>,
    applied: Option<u64>,
    /// By index of the entry.
    pending: BTreeMap<u64, ClockReading>,
    fresh_at: Option<ClockReading>,
}

impl Freshness {
    /// Records that a leader's message was accepted at `at`.
    pub(crate) fn leader_heard(&self, at: Instant) {
        let mut inner = self.inner();
        inner.leader_heard_at = inner.leader_heard_at.max(Some(at));
    }

    /// Returns when the last message of a leader was accepted.
    pub(crate) fn leader_heard_at(&self) -> Option<Instant> {
        self.inner().leader_heard_at
    }

    /// Records that the committed entry `index` was proposed after `before`.
    pub(crate) fn confirm(&self, index: u64, before: ClockReading) {
        let mut inner = self.inner();
        if inner.pending.len() == PENDING_MAX {
            inner.pending.pop_first();
        }
        let pending = inner.pending.entry(index).or_insert(before);
        if pending.monotonic < before.monotonic {
            *pending = before;
        }
        inner.settle();
    }

    /// Records that all entries up to `index` are applied.
    pub(crate) fn set_applied(&self, index: u64) {
        let mut inner = self.inner();
        inner.applied = inner.applied.max(Some(index));
        inner.settle();
    }

    /// Returns the last time at which this node is known to have had everything that was committed.
    pub(crate) fn fresh_at(&self) -> Option<ClockReading> {
        self.inner().fresh_at
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn settle(&mut self) {
        while let Some(first) = self.pending.first_entry()
            && Some(*first.key()) <= self.applied
        {
            let before = first.remove();
            if self.fresh_at.is_none_or(|at| at.monotonic < before.monotonic) {
                self.fresh_at = Some(before);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: u64 = 1_790_000_000;

    #[test]
    fn only_a_confirmed_entry_that_is_applied_refreshes() {
        let start = Instant::now();
        let at = |seconds| ClockReading {
            monotonic: start + Duration::from_secs(seconds),
            wall: UnixSeconds::new(WALL + seconds),
        };
        let freshness = Freshness::default();
        freshness.set_applied(5);
        freshness.leader_heard(at(0).monotonic);
        assert_eq!(freshness.fresh_at(), None, "hearing a leader refreshes nothing");
        freshness.confirm(6, at(1));
        assert_eq!(freshness.fresh_at(), None, "not applied yet");
        freshness.set_applied(6);
        assert_eq!(freshness.fresh_at(), Some(at(1)));
        freshness.confirm(9, at(3));
        freshness.confirm(20, at(4));
        freshness.set_applied(10);
        assert_eq!(freshness.fresh_at(), Some(at(3)));
        freshness.set_applied(40);
        assert_eq!(freshness.fresh_at(), Some(at(4)));
        // Late confirmations, of whatever entry, are those of older messages.
        freshness.confirm(30, at(2));
        freshness.confirm(41, at(3));
        freshness.set_applied(41);
        assert_eq!(freshness.fresh_at(), Some(at(4)));
    }

    #[test]
    fn a_reading_is_as_old_as_the_clock_says_that_says_more() {
        let start = Instant::now();
        let at = |monotonic, wall| ClockReading {
            monotonic: start + Duration::from_secs(monotonic),
            wall: UnixSeconds::new(wall),
        };
        let reading = at(0, WALL);
        for (now, age) in [
            (at(5, WALL + 5), 5),
            // The machine was suspended for an hour.
            (at(5, WALL + 3_605), 3_604),
            // The clock was set back.
            (at(5, WALL - 3_600), 5),
        ] {
            assert_eq!(reading.age(now), Duration::from_secs(age));
        }
    }
}
