//! Lets the news of a commit ride along with the entries that follow it.
//!
//! openraft tells each follower of each commit by a message without entries, and one
//! message is under way to it at a time: the entries that come next would wait until
//! an empty one was answered. No client waits for that news, since the leader answers
//! those; it makes followers apply what they hold. So it waits for a moment, in which
//! entries may come that say the same.

use std::time::Duration;

use futures_util::stream::{Stream, StreamExt as _, unfold};
use openraft::raft::AppendEntriesRequest;
use tokio::time::{Instant, timeout_at};

use crate::ledger::raft::types::TypeConfig;

/// How long the news of a commit waits for entries. Revocations reach the other nodes
/// later by this at most.
const RIDE_WITHIN: Duration = Duration::from_millis(5);

/// Returns `requests` without those that carry no entry and are followed by another
/// one in time: every request says all that the one before it said.
///
/// None is taken before it can be sent: openraft counts from then what an answer adds
/// to the leader's lease.
pub(crate) fn with_commits_aboard<S>(
    requests: S,
) -> impl Stream<Item = AppendEntriesRequest<TypeConfig>>
where
    S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Unpin,
{
    unfold(requests.fuse(), async |mut requests| {
        let mut request = requests.next().await?;
        let departure = Instant::now() + RIDE_WITHIN;
        while request.entries.is_empty() {
            match timeout_at(departure, requests.next()).await {
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

    fn request(committed: u64, entries: &[u64]) -> AppendEntriesRequest<TypeConfig> {
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

    /// Returns what is sent, as commit and number of entries, and when, in milliseconds.
    async fn sent(
        requests: Vec<(u64, AppendEntriesRequest<TypeConfig>)>,
    ) -> Vec<(u64, usize, u128)> {
        let begun = Instant::now();
        let requests = stream::iter(requests).then(async |(after_ms, request)| {
            sleep(Duration::from_millis(after_ms)).await;
            request
        });
        let sent = with_commits_aboard(Box::pin(requests)).map(|request| {
            let committed = request.leader_commit.unwrap().index();
            (committed, request.entries.len(), begun.elapsed().as_millis())
        });
        sent.collect().await
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_rides_along_with_entries_that_come_in_time() {
        let requests = vec![(0, request(1, &[2])), (0, request(2, &[])), (4, request(2, &[3]))];
        assert_eq!(sent(requests).await, [(1, 1, 0), (2, 1, 4)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_that_nothing_follows_is_told_alone() {
        let requests = vec![(0, request(1, &[])), (50, request(2, &[]))];
        assert_eq!(sent(requests).await, [(1, 0, 5), (2, 0, 50)]);
    }

    #[tokio::test(start_paused = true)]
    async fn commits_without_end_do_not_hold_each_other_up() {
        let requests = (1..=10).map(|commit| (2, request(commit, &[]))).collect();
        let told: Vec<_> = sent(requests).await.into_iter().map(|(_, _, at)| at).collect();
        assert!(told.len() >= 3, "{told:?}");
        assert!(told.windows(2).all(|pair| pair[1] - pair[0] <= 8), "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn entries_never_wait() {
        let requests = vec![(0, request(1, &[2])), (0, request(1, &[3, 4]))];
        assert_eq!(sent(requests).await, [(1, 1, 0), (1, 2, 0)]);
    }
}
