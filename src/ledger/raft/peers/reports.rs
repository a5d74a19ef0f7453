//! What the other nodes told of themselves: their clocks, their versions, and
//! when they were last heard.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::ledger::{CLOCK_OFFSET_MAX, NodeId};
use crate::token::UnixSeconds;

/// How far a clock may be from the others, in seconds, with equality.
pub(crate) const SKEW_MAX: u64 = CLOCK_OFFSET_MAX;

/// How long what a node told of its clock is believed.
const FRESH: Duration = Duration::from_secs(10);

/// What is known of the others by their own words.
#[derive(Debug, Default)]
pub(crate) struct Reports(Mutex<BTreeMap<NodeId, Report>>);

/// The last word of one node.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) at: Instant,
    /// What its clock showed then.
    clock: UnixSeconds,
    /// What this node's clock showed then.
    own: UnixSeconds,
    pub(crate) version: String,
}

impl Report {
    /// Returns how far its clock is ahead of this node's, in seconds, when this
    /// node's shows `own`.
    ///
    /// If this node's clock was set since, the difference is another one than it was.
    pub(crate) fn offset(&self, own: UnixSeconds) -> i64 {
        let then = ahead(self.clock, self.own);
        let step = ahead(own, self.own.plus(self.at.elapsed().as_secs()));
        // Whole seconds, read twice, differ by one at times.
        if step.unsigned_abs() <= 1 { then } else { then.saturating_sub(step) }
    }
}

/// Returns how far `one` is ahead of `other`, in seconds.
fn ahead(one: UnixSeconds, other: UnixSeconds) -> i64 {
    let ahead = i128::from(one.get()) - i128::from(other.get());
    i64::try_from(ahead.clamp(i64::MIN.into(), i64::MAX.into())).unwrap_or(0)
}

impl Reports {
    /// Notes what `node_id` said, when this node's clock showed `own`.
    pub(crate) fn note(
        &self,
        node_id: NodeId,
        clock: UnixSeconds,
        version: String,
        own: UnixSeconds,
    ) {
        self.all().insert(node_id, Report { at: Instant::now(), clock, own, version });
    }

    /// Returns the last word of `node_id`.
    pub(crate) fn of(&self, node_id: NodeId) -> Option<Report> {
        self.all().get(&node_id).cloned()
    }

    /// Returns how far the clock of `node_id` is ahead of this node's, which shows
    /// `own`, in seconds, if it said so of late.
    pub(crate) fn offset(&self, node_id: NodeId, own: UnixSeconds) -> Option<i64> {
        let fresh = self.of(node_id).filter(|one| one.at.elapsed() <= FRESH);
        fresh.map(|one| one.offset(own))
    }

    /// Returns how far the clocks of those of whom it is known are ahead of this
    /// node's, which shows `own`, in seconds.
    pub(crate) fn offsets(&self, own: UnixSeconds) -> Vec<i64> {
        let all = self.all();
        let fresh = all.values().filter(|one| one.at.elapsed() <= FRESH);
        fresh.map(|one| one.offset(own)).collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<NodeId, Report>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells whether this node's clock is off: more than half of all clocks, its own
/// among them, are more than [`SKEW_MAX`] away from it.
pub(crate) fn is_off(offsets: &[i64]) -> bool {
    let far = offsets.iter().filter(|offset| offset.unsigned_abs() > SKEW_MAX).count();
    far * 2 > offsets.len() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_not_believed_to_agree_by_what_was_said_before() {
        let now = 1_790_000_000;
        let at = UnixSeconds::new;
        let reports = Reports::default();
        reports.note(NodeId(1), at(now + 5), String::new(), at(now));
        reports.note(NodeId(2), at(now), String::new(), at(now));
        for (own, offsets) in [
            (now, [5, 0]),
            (now + 1, [5, 0]),
            (now + 3_600, [-3_595, -3_600]),
            (now - 3_600, [3_605, 3_600]),
        ] {
            assert_eq!(reports.offsets(at(own)), offsets, "{own}");
        }
    }

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
