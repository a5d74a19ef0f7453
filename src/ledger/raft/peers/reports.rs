//! The clocks and versions that the other nodes report, and when each was last heard from.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::ledger::{CLOCK_OFFSET_MAX, NodeId};
use crate::token::UnixSeconds;

/// How long a reported clock is used.
const FRESH: Duration = Duration::from_secs(10);

/// The last report of each other node.
#[derive(Debug, Default)]
pub(crate) struct PeerReports(Mutex<BTreeMap<NodeId, PeerReport>>);

/// The last report of one node.
#[derive(Clone, Debug)]
pub(crate) struct PeerReport {
    pub(crate) at: Instant,
    /// Its clock at that moment.
    clock: UnixSeconds,
    /// This node's clock at that moment.
    own: UnixSeconds,
    pub(crate) version: String,
}

impl PeerReport {
    /// Returns how far its clock is ahead of this node's, in seconds, while this node's shows
    /// `own`.
    ///
    /// The difference accounts for steps of this node's clock since the report.
    pub(crate) fn offset(&self, own: UnixSeconds) -> i64 {
        let then = ahead(self.clock, self.own);
        let step = ahead(own, self.own.plus(self.at.elapsed().as_secs()));
        // Two readings in whole seconds may differ by one.
        if step.unsigned_abs() <= 1 { then } else { then.saturating_sub(step) }
    }
}

/// Returns how far `one` is ahead of `other`, in seconds.
fn ahead(one: UnixSeconds, other: UnixSeconds) -> i64 {
    let ahead = i128::from(one.get()) - i128::from(other.get());
    i64::try_from(ahead.clamp(i64::MIN.into(), i64::MAX.into())).unwrap_or(0)
}

impl PeerReports {
    /// Notes a report of `node_id`, made when this node's clock showed `own`.
    pub(crate) fn note(
        &self,
        node_id: NodeId,
        clock: UnixSeconds,
        version: String,
        own: UnixSeconds,
    ) {
        self.all().insert(node_id, PeerReport { at: Instant::now(), clock, own, version });
    }

    /// Returns the last report of `node_id`.
    pub(crate) fn of(&self, node_id: NodeId) -> Option<PeerReport> {
        self.all().get(&node_id).cloned()
    }

    /// Returns how far the clock of `node_id` is ahead of this node's, which shows `own`, in
    /// seconds, if there is a fresh report.
    pub(crate) fn offset(&self, node_id: NodeId, own: UnixSeconds) -> Option<i64> {
        let fresh = self.of(node_id).filter(|one| one.at.elapsed() <= FRESH);
        fresh.map(|one| one.offset(own))
    }

    /// Returns how far the clocks with a fresh report are ahead of this node's, which shows `own`,
    /// in seconds.
    pub(crate) fn offsets(&self, own: UnixSeconds) -> Vec<i64> {
        let all = self.all();
        let fresh = all.values().filter(|one| one.at.elapsed() <= FRESH);
        fresh.map(|one| one.offset(own)).collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<NodeId, PeerReport>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns `true` if this node's clock is off: more than half of all clocks, its own included,
/// differ from it by more than [`CLOCK_OFFSET_MAX`].
pub(crate) fn is_off(offsets: &[i64]) -> bool {
    let far = offsets.iter().filter(|offset| offset.unsigned_abs() > CLOCK_OFFSET_MAX).count();
    far * 2 > offsets.len() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_account_for_steps_of_the_own_clock() {
        let now = 1_790_000_000;
        let at = UnixSeconds::new;
        let reports = PeerReports::default();
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
    fn a_clock_is_off_if_most_others_contradict_it() {
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
