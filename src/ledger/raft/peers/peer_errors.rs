//! Why this node and another one do not talk, as it was last seen: told in the log
//! when it begins, and to whoever asks what is wrong for as long as it goes on.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::ledger::NodeId;

/// How long a trouble is told that is not seen again. Nodes that have to talk do so
/// many times in it.
const FRESH: Duration = Duration::from_secs(10);

/// The last trouble with each node.
#[derive(Debug, Default)]
pub(crate) struct PeerErrors(Mutex<BTreeMap<NodeId, Trouble>>);

#[derive(Debug)]
struct Trouble {
    why: String,
    at: Instant,
}

impl PeerErrors {
    /// Notes a trouble with `node_id`, and tells whether it is news.
    pub(crate) fn note(&self, node_id: NodeId, why: String) -> bool {
        let mut all = self.all();
        let is_news = all.get(&node_id).is_none_or(|known| known.is_over() || known.why != why);
        all.insert(node_id, Trouble { why, at: Instant::now() });
        is_news
    }

    /// Notes that `node_id` and this node talk.
    pub(crate) fn end(&self, node_id: NodeId) {
        self.all().remove(&node_id);
    }

    /// Returns what is wrong at present, by node.
    pub(crate) fn list(&self) -> Vec<(NodeId, String)> {
        let all = self.all();
        let present = all.iter().filter(|(_, trouble)| !trouble.is_over());
        present.map(|(node_id, trouble)| (*node_id, trouble.why.clone())).collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<NodeId, Trouble>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trouble {
    fn is_over(&self) -> bool {
        self.at.elapsed() > FRESH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_trouble_is_news_once_and_told_while_it_goes_on() {
        let troubles = PeerErrors::default();
        assert!(troubles.note(NodeId(1), "silent".to_owned()));
        for _ in 0..5 {
            tokio::time::advance(FRESH).await;
            assert_eq!(troubles.list(), [(NodeId(1), "silent".to_owned())]);
            assert!(!troubles.note(NodeId(1), "silent".to_owned()));
        }
        assert!(troubles.note(NodeId(1), "old".to_owned()));
        tokio::time::advance(FRESH + Duration::from_millis(1)).await;
        assert_eq!(troubles.list(), []);
        assert!(troubles.note(NodeId(1), "old".to_owned()));
        troubles.end(NodeId(1));
        assert_eq!(troubles.list(), []);
    }
}
