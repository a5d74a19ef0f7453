//! How a node learns how fresh its state is, however long messages are under way.
//!
//! Every message has a number. Before a leader proposes an entry, it notes the last message that it
//! received from each node. Once the entry is committed, it tells each node which entry that was,
//! and which message: a [`Confirmation`]. Everything committed before the node sent that message is
//! in the log before the entry. So the state of a node that has applied the entry is as fresh as
//! the node's own message, whenever the confirmation arrives.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ledger::NodeId;
use crate::ledger::raft::store::ClockReading;

/// The least distance between two times of messages that are kept.
const RESOLUTION: Duration = Duration::from_millis(50);

/// How many times are kept: those of the last 51 seconds at least.
const TIMES_KEPT: usize = 1_024;

/// A message or an answer, by its sender's incarnation and its number.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct MessageId {
    pub(crate) incarnation: u64,
    pub(crate) number: u64,
}

/// The statement that the entry `index` is committed, and that its proposer had received `message`
/// before it proposed the entry. It stays true, and does not depend on its sender.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Confirmation {
    pub(crate) index: u64,
    pub(crate) message: MessageId,
}

/// The last message received from each node.
pub(crate) type LastReceived = BTreeMap<NodeId, MessageId>;

#[derive(Debug, Default)]
pub(crate) struct Echoes {
    sent: Mutex<SentTimes>,
    received: Mutex<LastReceived>,
    /// The last own entry that was committed, and what was received before it was proposed.
    confirmed: Mutex<(u64, LastReceived)>,
}

/// The number of messages sent, and when some of them were.
#[derive(Debug, Default)]
struct SentTimes {
    count: u64,
    times: VecDeque<(u64, ClockReading)>,
}

impl Echoes {
    /// Returns the number of the next message, which is sent at `now`.
    pub(crate) fn next_number(&self, now: ClockReading) -> u64 {
        let mut sent = lock(&self.sent);
        let number = sent.count;
        sent.count += 1;
        if sent.times.back().is_none_or(|(_, last)| last.age(now) >= RESOLUTION) {
            if sent.times.len() == TIMES_KEPT {
                sent.times.pop_front();
            }
            sent.times.push_back((number, now));
        }
        number
    }

    /// Returns when message `number` was sent, or a time before that; `None` if it is too old.
    pub(crate) fn sent_at(&self, number: u64) -> Option<ClockReading> {
        let sent = lock(&self.sent);
        let later = sent.times.partition_point(|(first, _)| *first <= number);
        sent.times.get(later.checked_sub(1)?).map(|(_, at)| *at)
    }

    /// Records a message of the running incarnation of `from`.
    pub(crate) fn receive(&self, from: NodeId, message: MessageId) {
        let mut received = lock(&self.received);
        let last = received.entry(from).or_insert(message);
        if last.incarnation != message.incarnation || last.number < message.number {
            *last = message;
        }
    }

    /// Returns the last message received from each node.
    pub(crate) fn received(&self) -> LastReceived {
        lock(&self.received).clone()
    }

    /// Records that an entry is committed that this node proposed after it had received `received`.
    pub(crate) fn confirm(&self, index: u64, received: LastReceived) {
        let mut confirmed = lock(&self.confirmed);
        if index > confirmed.0 {
            *confirmed = (index, received);
        }
    }

    /// Returns the latest confirmation for `to`.
    pub(crate) fn confirmation(&self, to: NodeId) -> Option<Confirmation> {
        let confirmed = lock(&self.confirmed);
        let message = confirmed.1.get(&to).copied()?;
        Some(Confirmation { index: confirmed.0, message })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::token::UnixSeconds;

    #[test]
    fn a_message_counts_as_sent_at_the_last_kept_time_before_it() {
        let (start, wall) = (Instant::now(), UnixSeconds::new(1_790_000_000));
        let at = |ms| ClockReading { monotonic: start + Duration::from_millis(ms), wall };
        let echoes = Echoes::default();
        assert_eq!(echoes.sent_at(0), None);
        for (number, ms) in [0, 49, 50, 120].into_iter().enumerate() {
            assert_eq!(echoes.next_number(at(ms)), number as u64);
        }
        for (number, ms) in [(0, 0), (1, 0), (2, 50), (3, 120), (9, 120)] {
            assert_eq!(echoes.sent_at(number), Some(at(ms)), "{number}");
        }
        for step in 0..2 * TIMES_KEPT as u64 {
            echoes.next_number(at(1_000 + 50 * step));
        }
        assert_eq!(echoes.sent_at(3), None, "too old");
    }

    #[test]
    fn a_confirmation_is_the_last_message_received_before_the_proposal() {
        let message = |incarnation, number| MessageId { incarnation, number };
        let echoes = Echoes::default();
        assert_eq!(echoes.confirmation(NodeId(2)), None);
        echoes.receive(NodeId(2), message(7, 5));
        echoes.receive(NodeId(2), message(7, 4));
        let received = echoes.received();
        echoes.receive(NodeId(2), message(7, 6));
        echoes.confirm(10, received);
        let confirmation = Confirmation { index: 10, message: message(7, 5) };
        assert_eq!(echoes.confirmation(NodeId(2)), Some(confirmation));
        assert_eq!(echoes.confirmation(NodeId(3)), None);
        echoes.confirm(9, echoes.received());
        assert_eq!(echoes.confirmation(NodeId(2)), Some(confirmation), "an older entry");
        // After a restart of that node, its numbers begin at 0 again.
        echoes.receive(NodeId(2), message(8, 0));
        echoes.confirm(11, echoes.received());
        let confirmation = Confirmation { index: 11, message: message(8, 0) };
        assert_eq!(echoes.confirmation(NodeId(2)), Some(confirmation));
    }
}
