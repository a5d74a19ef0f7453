//! Puts all waiting commands into one entry, so that one sync of the disk serves them all. A node
//! that does not lead sends them to the leader in one message.
//!
//! A command without an outcome is tried again with the same request id. The state machine
//! remembers its verdict by that id, so a lost answer costs no second use.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::forward::{BatchResult, Forwarder};
use crate::ledger::raft::peers::View;
use crate::ledger::raft::store::Compactor;
use crate::ledger::{Command, LedgerError, Outcome, OutcomeUnknown, Unavailable};

/// How many commands may wait before more are rejected.
const QUEUE_MAX: usize = 16_384;

/// How many commands one entry may carry. At some 100 bytes each, they stay far below the limit of
/// a frame of the log.
const ENTRY_MAX: usize = 2_048;

/// How long a caller waits for an outcome.
const DEADLINE: Duration = Duration::from_secs(5);

/// How long a forwarded command waits for an outcome here. The node that forwarded it asks again
/// after [`FORWARD_WITHIN`](super::forward::FORWARD_WITHIN), which is longer.
const FORWARDED_DEADLINE: Duration = Duration::from_millis(1_500);

/// How long to wait before the next attempt: a leader that was just elected may not be able to
/// decide yet.
const RETRY: Duration = Duration::from_millis(20);

/// How many batches may be under way at a time on a node with other members, where an answer takes
/// a network round trip. On a lone node it is one: the next one fills up in the meantime.
const UNDER_WAY_MAX: u32 = 4;

/// The queue of commands for the log.
#[derive(Clone, Debug)]
pub(crate) struct Batcher(mpsc::Sender<PendingCommand>);

/// A command whose caller waits for the outcome.
#[derive(Debug)]
struct PendingCommand {
    command: Command,
    /// Another node forwarded it to this one; it is not forwarded again.
    is_forwarded: bool,
    give_up: Instant,
    /// Why it may have been carried out, if an earlier attempt left that open.
    unknown: Option<OutcomeUnknown>,
    reply: oneshot::Sender<Result<Outcome, LedgerError>>,
}

impl Batcher {
    /// Starts the task that writes entries. It ends when the last clone of the batcher is dropped.
    /// After each batch it makes a snapshot if one is due.
    pub(crate) fn start(view: View, forwarder: Arc<Forwarder>, compactor: Arc<Compactor>) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(write_entries(view, forwarder, compactor, receiver));
        Self(sender)
    }

    /// Carries out `command` and returns its outcome once that is durable.
    pub(crate) async fn submit(&self, command: Command) -> Result<Outcome, LedgerError> {
        self.enqueue(command, false, DEADLINE).await
    }

    /// Carries out another node's command, if this node leads.
    pub(crate) async fn submit_for_peer(&self, command: Command) -> Result<Outcome, LedgerError> {
        self.enqueue(command, true, FORWARDED_DEADLINE).await
    }

    async fn enqueue(
        &self,
        command: Command,
        is_forwarded: bool,
        within: Duration,
    ) -> Result<Outcome, LedgerError> {
        let (reply, outcome) = oneshot::channel();
        let give_up = Instant::now() + within;
        let pending = PendingCommand { command, is_forwarded, give_up, unknown: None, reply };
        self.0.try_send(pending).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LedgerError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => LedgerError::Unavailable(Unavailable::Stopped),
        })?;
        match tokio::time::timeout_at(give_up, outcome).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(LedgerError::OutcomeUnknown(OutcomeUnknown::Stopped)),
            Err(_) => Err(LedgerError::OutcomeUnknown(OutcomeUnknown::TimedOut)),
        }
    }
}

impl PendingCommand {
    /// Answers the caller. If the caller has gone, the outcome is dropped. That can burn a use; it
    /// cannot add one.
    fn answer(self, answer: Result<Outcome, LedgerError>) {
        let _ = self.reply.send(answer);
    }

    /// Gives up for `reason`, unless an earlier attempt may have been carried out.
    fn give_up(mut self, reason: Unavailable) {
        let answer = match self.unknown.take() {
            Some(unknown) => LedgerError::OutcomeUnknown(unknown),
            None => LedgerError::Unavailable(reason),
        };
        self.answer(Err(answer));
    }

    fn with_unknown(mut self, unknown: OutcomeUnknown) -> Self {
        self.unknown = Some(unknown);
        self
    }
}

async fn write_entries(
    view: View,
    forwarder: Arc<Forwarder>,
    compactor: Arc<Compactor>,
    mut queue: mpsc::Receiver<PendingCommand>,
) {
    let under_way = Arc::new(Semaphore::new(UNDER_WAY_MAX as usize));
    let mut waiting = Vec::new();
    loop {
        let share = if view.is_lone() { UNDER_WAY_MAX } else { 1 };
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&under_way).acquire_many_owned(share).await else { return };
        if queue.recv_many(&mut waiting, ENTRY_MAX).await == 0 {
            return;
        }
        let batch = std::mem::take(&mut waiting);
        let view = view.clone();
        let (forwarder, compactor) = (Arc::clone(&forwarder), Arc::clone(&compactor));
        tokio::spawn(async move {
            carry_out(&view, &forwarder, batch).await;
            drop(permit);
            compactor.make_snapshot_if_due().await;
        });
    }
}

/// Offers a batch until each command has an outcome or has run out of time.
async fn carry_out(view: &View, forwarder: &Forwarder, mut batch: Vec<PendingCommand>) {
    let mut reason = Unavailable::Busy;
    loop {
        let soon = Instant::now() + RETRY;
        let (over, left): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|one| one.give_up <= soon || one.reply.is_closed());
        over.into_iter().for_each(|one| one.give_up(reason.clone()));
        let Some(give_up) = left.iter().map(|one| one.give_up).max() else { return };
        let (forwarded, own): (Vec<_>, Vec<_>) = if view.is_leader() {
            (Vec::new(), left)
        } else {
            left.into_iter().partition(|one| one.is_forwarded)
        };
        forwarded.into_iter().for_each(|one| one.give_up(Unavailable::NotLeader));
        if own.is_empty() {
            return;
        }
        if !view.runs() {
            return own.into_iter().for_each(|one| one.give_up(Unavailable::Stopped));
        }
        let commands = own.iter().map(|one| one.command.clone()).collect();
        (batch, reason) = match forwarder.offer(commands, give_up).await {
            BatchResult::Answered(answers) => (hand_out(own, answers), Unavailable::NotAppended),
            BatchResult::NotAppended(reason) => (own, reason),
            BatchResult::Unknown(unknown) => {
                let open = own.into_iter().map(|one| one.with_unknown(unknown.clone()));
                (open.collect(), Unavailable::NotAppended)
            }
        };
        if batch.is_empty() {
            return;
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Answers each command that has an outcome; returns those that have none yet.
fn hand_out(
    batch: Vec<PendingCommand>,
    answers: Vec<Result<Outcome, LedgerError>>,
) -> Vec<PendingCommand> {
    let mut answers = answers.into_iter();
    let mut left = Vec::new();
    for one in batch {
        match answers.next() {
            Some(Ok(outcome)) => one.answer(Ok(outcome)),
            Some(Err(LedgerError::Overloaded | LedgerError::Unavailable(_))) => left.push(one),
            Some(Err(LedgerError::OutcomeUnknown(unknown))) => left.push(one.with_unknown(unknown)),
            None => left.push(one.with_unknown(OutcomeUnknown::Missing)),
        }
    }
    left
}
