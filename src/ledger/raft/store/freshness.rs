//! How fresh what this node has applied is.
//!
//! A node is as fresh as the last moment at which it heard that a leader's commit
//! had advanced, once it has applied that far. Only a leader with a majority can
//! advance a commit, so one that was cut off makes nobody fresh; and old entries
//! that are being caught up do not count as news.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::ledger::NodeId;

/// How many commits are remembered that are not applied yet.
const PENDING_MAX: usize = 256;

/// How long a leader may be silent before its next word is a first one again.
const TALK: Duration = Duration::from_secs(2);

/// The last moment that the applied state was known to be up to date.
#[derive(Debug, Default)]
pub(crate) struct Freshness(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    last: Option<Last>,
    applied: Option<u64>,
    pending: VecDeque<(u64, Instant)>,
    fresh_at: Option<Instant>,
}

/// The last word of a leader.
#[derive(Clone, Copy, Debug)]
struct Last {
    leader: (u64, NodeId),
    commit: u64,
    at: Instant,
}

impl Freshness {
    /// Notes that `leader` (its term and id) said, in a message that came `at`,
    /// that all up to `commit` is committed.
    pub(crate) fn heard(&self, leader: (u64, NodeId), commit: u64, at: Instant) {
        let mut inner = self.inner();
        let talking = inner.last.is_some_and(|last| last.leader == leader && at - last.at <= TALK);
        let advanced = inner.last.is_some_and(|last| last.commit < commit);
        inner.last = Some(Last { leader, commit, at });
        // The first word after a silence may be old news of a leader that was cut off.
        if talking && advanced {
            if inner.pending.len() == PENDING_MAX {
                inner.pending.pop_front();
            }
            inner.pending.push_back((commit, at));
            inner.settle();
        }
    }

    /// Returns when a leader last said something.
    pub(crate) fn heard_at(&self) -> Option<Instant> {
        self.inner().last.map(|last| last.at)
    }

    /// Notes that all up to `index` is applied.
    pub(crate) fn applied(&self, index: u64) {
        let mut inner = self.inner();
        inner.applied = inner.applied.max(Some(index));
        inner.settle();
    }

    /// Returns the last moment at which all that was committed had come here.
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
    fn only_a_commit_that_advances_and_is_applied_makes_fresh() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let freshness = Freshness::default();
        freshness.applied(5);
        freshness.heard((1, NodeId(1)), 5, at(0));
        assert_eq!(freshness.fresh_at(), None, "a first word may be old");
        freshness.heard((1, NodeId(1)), 6, at(1));
        assert_eq!(freshness.fresh_at(), None, "not applied yet");
        freshness.applied(6);
        assert_eq!(freshness.fresh_at(), Some(at(1)));
        // The same commit again is no news: a leader that was cut off says no more.
        freshness.heard((1, NodeId(1)), 6, at(2));
        assert_eq!(freshness.fresh_at(), Some(at(1)));
        freshness.heard((1, NodeId(1)), 9, at(3));
        freshness.heard((1, NodeId(1)), 20, at(4));
        freshness.applied(10);
        assert_eq!(freshness.fresh_at(), Some(at(3)));
        freshness.applied(40);
        assert_eq!(freshness.fresh_at(), Some(at(4)));
        // After a silence, and from another leader, the first word is old again.
        freshness.heard((1, NodeId(1)), 30, at(7));
        freshness.heard((2, NodeId(2)), 31, at(8));
        assert_eq!(freshness.fresh_at(), Some(at(4)));
        freshness.heard((2, NodeId(2)), 32, at(9));
        assert_eq!(freshness.fresh_at(), Some(at(9)));
    }
}
