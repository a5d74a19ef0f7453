//! The last error with each other node. It is logged when it begins, and is an alarm of this node
//! for as long as it lasts.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::ledger::NodeId;

/// How long an error is listed after it was last seen. Nodes that need to exchange messages do so
/// many times in this period.
const FRESH: Duration = Duration::from_secs(10);

/// The last error with each node.
#[derive(Debug, Default)]
pub(crate) struct PeerErrors(Mutex<BTreeMap<NodeId, PeerError>>);

#[derive(Debug)]
struct PeerError {
    why: String,
    at: Instant,
}

impl PeerErrors {
    /// Notes an error with `node_id`. Returns `true` if it is new.
    pub(crate) fn note(&self, node_id: NodeId, why: String) -> bool {
        let mut all = self.all();
        let is_new = all.get(&node_id).is_none_or(|known| known.is_over() || known.why != why);
        all.insert(node_id, PeerError { why, at: Instant::now() });
        is_new
    }

    /// Notes that `node_id` and this node exchange messages.
    pub(crate) fn end(&self, node_id: NodeId) {
        self.all().remove(&node_id);
    }

    /// Returns the present error of each node that has one.
    pub(crate) fn list(&self) -> Vec<(NodeId, String)> {
        let all = self.all();
        let present = all.iter().filter(|(_, error)| !error.is_over());
        present.map(|(node_id, error)| (*node_id, error.why.clone())).collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<NodeId, PeerError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PeerError {
    fn is_over(&self) -> bool {
        self.at.elapsed() > FRESH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_error_is_new_once_and_listed_while_it_lasts() {
        let errors = PeerErrors::default();
        assert!(errors.note(NodeId(1), "silent".to_owned()));
        for _ in 0..5 {
            tokio::time::advance(FRESH).await;
            assert_eq!(errors.list(), [(NodeId(1), "silent".to_owned())]);
            assert!(!errors.note(NodeId(1), "silent".to_owned()));
        }
        assert!(errors.note(NodeId(1), "old".to_owned()));
        tokio::time::advance(FRESH + Duration::from_millis(1)).await;
        assert_eq!(errors.list(), []);
        assert!(errors.note(NodeId(1), "old".to_owned()));
        errors.end(NodeId(1));
        assert_eq!(errors.list(), []);
    }
}
