//! Puts all commands that wait into one entry, so that one sync of the disk
//! serves them all.

use std::sync::Arc;
use std::time::Duration;

use openraft::errors::{ClientWriteError, RaftError};
use openraft::type_config::async_runtime::watch::WatchReceiver as _;
use tokio::sync::{mpsc, oneshot};

use super::types::{Raft, TypeConfig};
use crate::clock::Clock;
use crate::ledger::{Command, Entry, LedgerError, Outcome};

/// How many commands may wait before more are turned away.
const QUEUE_MAX: usize = 16_384;

/// How many commands one entry may carry. At some 100 bytes each it stays far
/// below what one frame of the log holds.
const ENTRY_MAX: usize = 2_048;

/// How long whoever asks waits for an answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// How long to wait before an entry that was surely not appended is offered
/// again: a leader that was just elected may not be sure of itself yet.
const RETRY: Duration = Duration::from_millis(20);

/// The way into the log.
#[derive(Clone, Debug)]
pub(super) struct Batcher(mpsc::Sender<Waiting>);

/// A command, and who waits for its outcome.
#[derive(Debug)]
struct Waiting {
    command: Command,
    reply: oneshot::Sender<Result<Outcome, LedgerError>>,
}

impl Batcher {
    /// Starts the task that writes entries. It ends when the last clone of the
    /// batcher is dropped.
    ///
    /// After each entry a snapshot is asked for if `snapshot_is_due`.
    pub(super) fn start(
        raft: Raft,
        clock: Arc<dyn Clock>,
        snapshot_is_due: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(write_entries(raft, clock, snapshot_is_due, receiver));
        Self(sender)
    }

    /// Has `command` carried out and returns its outcome once it is durable.
    pub(super) async fn submit(&self, command: Command) -> Result<Outcome, LedgerError> {
        let (reply, outcome) = oneshot::channel();
        self.0.try_send(Waiting { command, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LedgerError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        match tokio::time::timeout(DEADLINE, outcome).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(unknown("the ledger stopped meanwhile")),
            Err(_) => Err(unknown("the ledger took too long")),
        }
    }
}

async fn write_entries(
    raft: Raft,
    clock: Arc<dyn Clock>,
    snapshot_is_due: impl Fn() -> bool,
    mut queue: mpsc::Receiver<Waiting>,
) {
    let mut waiting = Vec::new();
    while queue.recv_many(&mut waiting, ENTRY_MAX).await > 0 {
        // Whoever gave up waiting is not charged.
        waiting.retain(|one| !one.reply.is_closed());
        let batch = std::mem::take(&mut waiting);
        if !batch.is_empty() {
            write_entry(&raft, clock.as_ref(), batch).await;
        }
        if snapshot_is_due() {
            // Asking again while one is made changes nothing.
            let _ = raft.trigger().snapshot().await;
        }
    }
}

async fn write_entry(raft: &Raft, clock: &dyn Clock, batch: Vec<Waiting>) {
    let (commands, replies): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|one| (one.command, one.reply)).unzip();
    let written = offer(raft, clock, commands).await;
    for (index, reply) in replies.into_iter().enumerate() {
        let answer = match &written {
            Ok(outcomes) => outcomes.get(index).copied().ok_or_else(|| unknown("no outcome")),
            Err(error) => Err(error.clone()),
        };
        // Who does not wait any more loses the outcome: a burnt use, never a second one.
        let _ = reply.send(answer);
    }
}

/// Offers one entry until it is applied, or until it is certain or possible
/// that it will not be.
async fn offer(
    raft: &Raft,
    clock: &dyn Clock,
    commands: Vec<Command>,
) -> Result<Vec<Outcome>, LedgerError> {
    let give_up = tokio::time::Instant::now() + DEADLINE;
    loop {
        let entry = Entry { stamp: clock.now(), commands: commands.clone() };
        let error = match raft.client_write(entry).await {
            Ok(written) => return Ok(written.response().clone()),
            Err(error) => error,
        };
        let error = judge(error);
        let try_again = matches!(error, LedgerError::Unavailable(_)) && raft_runs(raft);
        if !try_again || tokio::time::Instant::now() + RETRY >= give_up {
            return Err(error);
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Tells what an error of openraft says about the entry: surely not appended,
/// or not known. In doubt it is not known.
fn judge(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> LedgerError {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => {
            LedgerError::Unavailable("no leader is known to have a majority".to_owned())
        }
        RaftError::APIError(error) => unknown(&error.to_string()),
        RaftError::Fatal(error) => {
            // Said once: whatever comes later is turned away before it gets here.
            tracing::error!(%error, "the ledger has stopped: nothing is granted until a restart");
            unknown(&error.to_string())
        }
    }
}

/// Tells whether the engine still runs: after a failed write it has stopped
/// and nothing is appended any more.
pub(super) fn raft_runs(raft: &Raft) -> bool {
    raft.metrics().borrow_watched().running_state.is_ok()
}

/// What is said of a command that was never offered because the engine stopped.
pub(super) fn stopped() -> LedgerError {
    LedgerError::Unavailable("the ledger has stopped, see the log and restart".to_owned())
}

fn unknown(why: &str) -> LedgerError {
    LedgerError::OutcomeUnknown(why.to_owned())
}
