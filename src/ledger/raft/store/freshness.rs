//! Until when the applied state is known to be up to date.
//!
//! A node is fresh as of the last message in which a leader's commit index had advanced, once it
//! has applied up to that index. Only a leader with a majority can advance it, so a leader that is
//! cut off refreshes no node, nor does catching up with old entries.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::ledger::NodeId;

/// At most this many commit indexes wait until they are applied.
const PENDING_MAX: usize = 256;

/// After a longer silence, the next message of a leader counts as its first one.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// The last time at which the applied state was known to be up to date.
#[derive(Debug, Default)]
pub(crate) struct Freshness(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    last: Option<Last>,
    applied: Option<u64>,
    pending: VecDeque<(u64, Instant)>,
    fresh_at: Option<Instant>,
}

/// The last message of a leader.
#[derive(Clone, Copy, Debug)]
struct Last {
    leader: (u64, NodeId),
    commit: u64,
    at: Instant,
}

impl Freshness {
    /// Records a message from `leader` (its term and id), received at `at`, with its commit index.
    pub(crate) fn set_commit(&self, leader: (u64, NodeId), commit: u64, at: Instant) {
        let mut inner = self.inner();
        let last = inner.last.replace(Last { leader, commit, at });
        // The first message after a silence may be an old one of a leader that was cut off.
        if last.is_some_and(|last| {
            last.leader == leader && at - last.at <= SILENCE_MAX && last.commit < commit
        }) {
            if inner.pending.len() == PENDING_MAX {
                inner.pending.pop_front();
            }
            inner.pending.push_back((commit, at));
            inner.settle();
        }
    }

    /// Returns when the last message of a leader was received.
    pub(crate) fn leader_heard_at(&self) -> Option<Instant> {
        self.inner().last.map(|last| last.at)
    }

    /// Records that all entries up to `index` are applied.
    pub(crate) fn set_applied(&self, index: u64) {
        let mut inner = self.inner();
        inner.applied = inner.applied.max(Some(index));
        inner.settle();
    }

    /// Returns the last time at which this node is known to have had everything that was committed.
    pub(crate) fn fresh_at(&self) -> Option<Instant> {
        self.inner().fresh_at
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn settle(&mut self) {
        while let Some((commit, at)) = self.pending.front()
            && Some(*commit) <= self.applied
        {
            self.fresh_at = Some(*at);
            self.pending.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_commit_that_advances_and_is_applied_refreshes() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let freshness = Freshness::default();
        freshness.set_applied(5);
        freshness.set_commit((1, NodeId(1)), 5, at(0));
        assert_eq!(freshness.fresh_at(), None, "a first message may be old");
        freshness.set_commit((1, NodeId(1)), 6, at(1));
        assert_eq!(freshness.fresh_at(), None, "not applied yet");
        freshness.set_applied(6);
        assert_eq!(freshness.fresh_at(), Some(at(1)));
        // The same commit index refreshes nothing: a leader that is cut off repeats it.
        freshness.set_commit((1, NodeId(1)), 6, at(2));
        assert_eq!(freshness.fresh_at(), Some(at(1)));
        freshness.set_commit((1, NodeId(1)), 9, at(3));
        freshness.set_commit((1, NodeId(1)), 20, at(4));
        freshness.set_applied(10);
        assert_eq!(freshness.fresh_at(), Some(at(3)));
        freshness.set_applied(40);
        assert_eq!(freshness.fresh_at(), Some(at(4)));
        // After a silence, and from another leader, the first message may be old.
        freshness.set_commit((1, NodeId(1)), 30, at(7));
        freshness.set_commit((2, NodeId(2)), 31, at(8));
        assert_eq!(freshness.fresh_at(), Some(at(4)));
        freshness.set_commit((2, NodeId(2)), 32, at(9));
        assert_eq!(freshness.fresh_at(), Some(at(9)));
    }
}
