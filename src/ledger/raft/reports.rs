//! What the other nodes told of themselves: their clocks, their versions, and
//! when they were last heard.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::ledger::CLOCK_OFFSET_MAX;
use crate::token::UnixSeconds;

/// How far a clock may be from the others, in seconds, with equality.
pub(super) const SKEW_MAX: u64 = CLOCK_OFFSET_MAX;

/// How long what a node told of its clock is believed.
const FRESH: Duration = Duration::from_secs(10);

/// What is known of the others by their own words.
#[derive(Debug, Default)]
pub(super) struct Reports(Mutex<BTreeMap<u64, Report>>);

/// The last word of one node.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) at: Instant,
    /// How far its clock was ahead of this node's, in seconds.
    pub(super) offset: i64,
    pub(super) version: String,
}

impl Reports {
    /// Notes what `node_id` said, when this node's clock showed `own`.
    pub(super) fn note(&self, node_id: u64, clock: UnixSeconds, version: String, own: UnixSeconds) {
        let offset = i128::from(clock.get()) - i128::from(own.get());
        let offset = offset.clamp(i64::MIN.into(), i64::MAX.into());
        let report =
            Report { at: Instant::now(), offset: i64::try_from(offset).unwrap_or(0), version };
        self.all().insert(node_id, report);
    }

    /// Returns the last word of `node_id`.
    pub(super) fn of(&self, node_id: u64) -> Option<Report> {
        self.all().get(&node_id).cloned()
    }

    /// Returns how far the clock of `node_id` is ahead of this node's, in seconds, if
    /// it said so of late.
    pub(super) fn offset(&self, node_id: u64) -> Option<i64> {
        self.of(node_id).filter(|one| one.at.elapsed() <= FRESH).map(|one| one.offset)
    }

    /// Returns how far the clocks of those of whom it is known are ahead of this
    /// node's, in seconds.
    pub(super) fn offsets(&self) -> Vec<i64> {
        self.all().values().filter(|one| one.at.elapsed() <= FRESH).map(|one| one.offset).collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Report>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells whether this node's clock is off: more than half of all clocks, its own
/// among them, are more than [`SKEW_MAX`] away from it.
pub(super) fn is_off(offsets: &[i64]) -> bool {
    let far = offsets.iter().filter(|offset| offset.unsigned_abs() > SKEW_MAX).count();
    far * 2 > offsets.len() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_that_most_contradict_is_off() {
        for (offsets, off) in [
            (&[][..], false),
            (&[3_600], false),
            (&[0, 3_600], false),
            (&[-60, 60], false),
            (&[-61, -61], true),
            (&[61, 3_600], true),
            (&[0, 0, 61, 61], false),
            (&[0, 61, 61, 61], true),
        ] {
            assert_eq!(is_off(offsets), off, "{offsets:?}");
        }
    }
}
