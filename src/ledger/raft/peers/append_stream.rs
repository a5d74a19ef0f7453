//! Merges the announcement of a commit into the entries that follow it.
//!
//! openraft announces each commit to each follower in a message without entries, and only one
//! message is under way to a follower at a time. The next entries would wait until the empty
//! message is answered. No client waits for the announcement: the leader answers clients, and
//! followers only apply what they already hold. So an announcement waits briefly for entries, which
//! carry the same commit index.

use std::time::Duration;

use futures_util::stream::{Stream, StreamExt as _, unfold};
use tokio::time::{Instant, timeout_at};

use crate::ledger::raft::types::AppendEntriesRequest;

/// How long the announcement of a commit waits for entries. It delays revocations on the other nodes by at
/// most this.
const WAIT_MAX: Duration = Duration::from_millis(5);

/// Returns `requests` without those that carry no entry and are followed by another one within
/// [`WAIT_MAX`]: no request has a lower commit index than the one before it.
///
/// A request is taken only when it can be sent, because openraft measures the leader's lease from
/// that moment.
pub(crate) fn merge_commits(
    requests: impl Stream<Item = AppendEntriesRequest> + Unpin,
) -> impl Stream<Item = AppendEntriesRequest> {
    unfold(requests.fuse(), async |mut requests| {
        let mut request = requests.next().await?;
        let deadline = Instant::now() + WAIT_MAX;
        while request.entries.is_empty() {
            match timeout_at(deadline, requests.next()).await {
                Ok(Some(later)) => request = later,
                Ok(None) | Err(_) => break,
            }
        }
        Some((request, requests))
    })
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use openraft::EntryPayload;
    use openraft::vote::RaftLeaderId as _;
    use tokio::time::sleep;

    use super::*;
    use crate::ledger::NodeId;
    use crate::ledger::raft::types::{LogId, RaftEntry, Vote};

    fn request(committed: u64, entries: &[u64]) -> AppendEntriesRequest {
        let vote = Vote::new_committed(1, NodeId(1));
        let at = |index| LogId::new(vote.leader_id.to_committed(), index);
        let entry = |index: &u64| RaftEntry { log_id: at(*index), payload: EntryPayload::Blank };
        AppendEntriesRequest {
            vote,
            prev_log_id: None,
            entries: entries.iter().map(entry).collect(),
            leader_commit: Some(at(committed)),
        }
    }

    /// Returns the commit, the number of entries and the time in milliseconds of each request that
    /// is sent.
    async fn sent(requests: Vec<(u64, AppendEntriesRequest)>) -> Vec<(u64, usize, u128)> {
        let begun = Instant::now();
        let requests = stream::iter(requests).then(async |(after_ms, request)| {
            sleep(Duration::from_millis(after_ms)).await;
            request
        });
        let sent = merge_commits(Box::pin(requests)).map(|request| {
            let committed = request.leader_commit.unwrap().index();
            (committed, request.entries.len(), begun.elapsed().as_millis())
        });
        sent.collect().await
    }

    #[tokio::test(start_paused = true)]
    async fn merges_a_commit_into_entries_that_follow_in_time() {
        let requests = vec![(0, request(1, &[2])), (0, request(2, &[])), (4, request(2, &[3]))];
        assert_eq!(sent(requests).await, [(1, 1, 0), (2, 1, 4)]);
    }

    #[tokio::test(start_paused = true)]
    async fn sends_a_commit_alone_if_nothing_follows() {
        let requests = vec![(0, request(1, &[])), (50, request(2, &[]))];
        assert_eq!(sent(requests).await, [(1, 0, 5), (2, 0, 50)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_of_commits_is_not_held_back() {
        let requests = (1..=10).map(|commit| (2, request(commit, &[]))).collect();
        let sent_at: Vec<_> = sent(requests).await.into_iter().map(|(_, _, at)| at).collect();
        assert!(sent_at.len() >= 3, "{sent_at:?}");
        assert!(sent_at.windows(2).all(|pair| pair[1] - pair[0] <= 8), "{sent_at:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn does_not_delay_entries() {
        let requests = vec![(0, request(1, &[2])), (0, request(1, &[3, 4]))];
        assert_eq!(sent(requests).await, [(1, 1, 0), (1, 2, 0)]);
    }
}
