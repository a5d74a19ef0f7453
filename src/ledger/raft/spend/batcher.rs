//! Puts all commands that wait into one entry, so that one sync of the disk
//! serves them all. On a node that does not lead, the leader does, and one
//! message carries them all there.
//!
//! What is not decided is tried again with the same request ids, which the state
//! machine remembers: so a lost answer costs no second use.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::forward::{Forwarder, Tried};
use crate::ledger::raft::peers::View;
use crate::ledger::raft::store::Compactor;
use crate::ledger::{Command, LedgerError, Outcome};

/// How many commands may wait before more are turned away.
const QUEUE_MAX: usize = 16_384;

/// How many commands one entry may carry. At some 100 bytes each it stays far
/// below what one frame of the log holds.
const ENTRY_MAX: usize = 2_048;

/// How long whoever asks waits for an answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// How long a node waits that forwarded a command; it asks again after
/// [`FORWARD_WITHIN`](super::forward::FORWARD_WITHIN), which is longer.
const FORWARDED_DEADLINE: Duration = Duration::from_millis(1_500);

/// How long to wait before what was not decided is offered again: a leader that
/// was just elected may not be sure of itself yet.
const RETRY: Duration = Duration::from_millis(20);

/// How many batches are under way side by side where an answer takes a way over
/// the network. A lone node has one: meanwhile the next one gathers.
const UNDER_WAY_MAX: u32 = 4;

/// The way into the log.
#[derive(Clone, Debug)]
pub(crate) struct Batcher(mpsc::Sender<Waiting>);

/// A command, and who waits for its outcome.
#[derive(Debug)]
struct Waiting {
    command: Command,
    /// Another node sent it here; it is not sent any farther.
    is_forwarded: bool,
    give_up: Instant,
    /// Why it may have been carried out, if so.
    unknown: Option<String>,
    reply: oneshot::Sender<Result<Outcome, LedgerError>>,
}

impl Batcher {
    /// Starts the task that writes entries. It ends when the last clone of the
    /// batcher is dropped.
    ///
    /// After each batch a snapshot is asked for if one is due.
    pub(crate) fn start(view: View, forwarder: Arc<Forwarder>, compactor: Arc<Compactor>) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(write_entries(view, forwarder, compactor, receiver));
        Self(sender)
    }

    /// Has `command` carried out and returns its outcome once it is durable.
    pub(crate) async fn submit(&self, command: Command) -> Result<Outcome, LedgerError> {
        self.enqueue(command, false, DEADLINE).await
    }

    /// Has another node's command carried out, if this node leads.
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
        let waiting = Waiting { command, is_forwarded, give_up, unknown: None, reply };
        self.0.try_send(waiting).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LedgerError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        match tokio::time::timeout_at(give_up, outcome).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(unknown("the ledger stopped meanwhile")),
            Err(_) => Err(unknown("the ledger took too long")),
        }
    }
}

impl Waiting {
    /// Answers. Who does not wait any more loses the outcome: a burnt use, never a
    /// second one.
    fn answer(self, answer: Result<Outcome, LedgerError>) {
        let _ = self.reply.send(answer);
    }

    /// Gives up, and says what is known.
    fn give_up(self, why: &str) {
        let answer = match &self.unknown {
            Some(why) => unknown(why),
            None => LedgerError::Unavailable(why.to_owned()),
        };
        self.answer(Err(answer));
    }
}

async fn write_entries(
    view: View,
    forwarder: Arc<Forwarder>,
    compactor: Arc<Compactor>,
    mut queue: mpsc::Receiver<Waiting>,
) {
    let under_way = Arc::new(Semaphore::new(UNDER_WAY_MAX as usize));
    let mut waiting = Vec::new();
    loop {
        let share = if view.is_lone() { UNDER_WAY_MAX } else { 1 };
        // It is never closed.
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

/// Tries until all have their outcome, or gave up.
async fn carry_out(view: &View, forwarder: &Forwarder, mut batch: Vec<Waiting>) {
    let mut why = "it was busy for too long".to_owned();
    loop {
        let soon = Instant::now() + RETRY;
        let (over, left): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|one| one.give_up <= soon || one.reply.is_closed());
        over.into_iter().for_each(|one| one.give_up(&why));
        let Some(give_up) = left.iter().map(|one| one.give_up).max() else { return };
        let (forwarded, own): (Vec<_>, Vec<_>) = if view.is_leader() {
            (Vec::new(), left)
        } else {
            left.into_iter().partition(|one| one.is_forwarded)
        };
        forwarded.into_iter().for_each(|one| one.give_up("this node does not lead any more"));
        if own.is_empty() {
            return;
        }
        let commands = own.iter().map(|one| one.command.clone()).collect();
        let tried = forwarder.offer(commands, give_up).await;
        if let Tried::Stopped(error) = tried {
            return own.into_iter().for_each(|one| match &one.unknown {
                // An earlier try may have been carried out by another node.
                Some(_) => one.give_up("the ledger has stopped"),
                None => one.answer(Err(error.clone())),
            });
        }
        (batch, why) = hand_out(own, tried);
        if batch.is_empty() {
            return;
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Gives each its outcome; returns those that have none yet, and why.
fn hand_out(batch: Vec<Waiting>, tried: Tried) -> (Vec<Waiting>, String) {
    match tried {
        Tried::Answered(answers) => {
            let mut answers = answers.into_iter();
            let mut left = Vec::new();
            for mut one in batch {
                match answers.next() {
                    Some(Ok(outcome)) => one.answer(Ok(outcome)),
                    Some(Err(LedgerError::Overloaded | LedgerError::Unavailable(_))) => {
                        left.push(one);
                    }
                    Some(Err(LedgerError::OutcomeUnknown(why))) => {
                        one.unknown = Some(why);
                        left.push(one);
                    }
                    None => {
                        one.unknown = Some("there was no outcome".to_owned());
                        left.push(one);
                    }
                }
            }
            (left, "the leader could not decide".to_owned())
        }
        Tried::NotAppended(why) => (batch, why),
        Tried::Unknown(why) => {
            let note = |one: Waiting| Waiting { unknown: Some(why.clone()), ..one };
            (batch.into_iter().map(note).collect(), why.clone())
        }
        // It was answered before this is called.
        Tried::Stopped(error) => (batch, error.to_string()),
    }
}

/// What is said of a command that was never offered because the engine stopped.
pub(crate) fn stopped() -> LedgerError {
    LedgerError::Unavailable("the ledger has stopped, see the log and restart".to_owned())
}

pub(crate) fn unknown(why: &str) -> LedgerError {
    LedgerError::OutcomeUnknown(why.to_owned())
}
