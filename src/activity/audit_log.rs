//! The audit log: a queue, and one thread that writes the file.
//!
//! Recording an event never waits. If the disk is full or too slow, lines are lost and counted:
//! delivering a profile takes precedence over logging it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Serialize;

use super::audit_file::{AuditError, AuditFile};
use super::event::{Event, EventKind};
use super::line::EventLine;
use crate::token::{TokenId, UnixSeconds};

/// How many lines may wait for the disk, at about 300 bytes each.
const QUEUE_MAX: usize = 10_000;

/// How many refusals without a verified token are written per second. Any client can cause them,
/// and they must not fill the disk.
const UNVERIFIED_PER_SECOND_MAX: u32 = 10;

/// How many refusals of one verified token are written per [`REPEAT_WINDOW`]. A client with a dead
/// link can cause any number of them.
const REPEATS_MAX: u32 = 10;

/// The window in which refusals of one token are counted, in seconds.
const REPEAT_WINDOW: u64 = 10;

/// How many tokens are tracked for that, at about 60 bytes each.
const REPEATING_MAX: usize = 10_000;

/// An audit log that is written in the background.
#[derive(Debug)]
pub(super) struct AuditLog {
    intake: Mutex<Intake>,
    state: Arc<AuditState>,
    /// Disconnected by the thread after it has written everything.
    done: Mutex<Receiver<()>>,
}

/// The sending end: admits events, or leaves them out.
#[derive(Debug, Default)]
struct Intake {
    /// `None` once closed.
    queue: Option<SyncSender<Queued>>,
    /// The second that `unverified` counts.
    second: UnixSeconds,
    unverified: u32,
    /// Recently refused tokens: the start of the window, and the count in it.
    repeating: HashMap<TokenId, (UnixSeconds, u32)>,
    /// How many events were left out since the last line.
    left_out: u64,
}

/// State that the intake and the thread share.
#[derive(Debug, Default)]
struct AuditState {
    lost: AtomicU64,
    is_full: AtomicBool,
    reopen: AtomicBool,
}

/// An item of the queue.
#[derive(Debug)]
enum Queued {
    Event {
        event: Event,
        left_out: u64,
    },
    /// Wakes the thread to check `reopen`.
    Wake,
}

/// A line of the audit log.
#[derive(Serialize)]
struct AuditLine {
    #[serde(flatten)]
    event: EventLine,
    #[serde(skip_serializing_if = "is_zero")]
    left_out: u64,
}

impl AuditLog {
    /// Opens or creates the file at `path`, and starts the thread.
    pub(super) fn open(path: &Path) -> Result<Self, AuditError> {
        let file = AuditFile::open(path)?;
        let state = Arc::<AuditState>::default();
        let (queue, queued) = mpsc::sync_channel(QUEUE_MAX);
        let (ending, done) = mpsc::channel();
        let writer =
            AuditWriter { path: path.to_owned(), file, state: Arc::clone(&state), failed: 0 };
        let run = move || {
            writer.run(&queued);
            drop(ending);
        };
        thread::Builder::new().name("audit-log".into()).spawn(run).map_err(AuditError::Thread)?;
        let intake = Intake { queue: Some(queue), ..Intake::default() };
        Ok(Self { intake: Mutex::new(intake), state, done: Mutex::new(done) })
    }

    /// Queues an event.
    pub(super) fn record(&self, event: Event) {
        if self.intake().put(event) {
            return;
        }
        self.state.lost.fetch_add(1, Ordering::Relaxed);
        if !self.state.is_full.swap(true, Ordering::Relaxed) {
            tracing::error!(
                target: "jeton::audit", max = QUEUE_MAX,
                "the disk does not keep up: audit log lines are lost"
            );
        }
    }

    /// Reopens the file after it was moved away.
    pub(super) fn reopen(&self) {
        self.state.reopen.store(true, Ordering::Relaxed);
        if let Some(queue) = &self.intake().queue {
            // The thread is awake if the queue is full.
            let _ = queue.try_send(Queued::Wake);
        }
    }

    /// Returns how many lines were lost.
    pub(super) fn lost(&self) -> u64 {
        self.state.lost.load(Ordering::Relaxed)
    }

    /// Closes the queue and waits at most `timeout` until everything is written. Returns `true` if
    /// it was.
    pub(super) fn close(&self, timeout: Duration) -> bool {
        self.intake().queue = None;
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.recv_timeout(timeout) != Err(mpsc::RecvTimeoutError::Timeout)
    }

    fn intake(&self) -> MutexGuard<'_, Intake> {
        self.intake.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intake {
    /// Queues an event, or leaves it out. Returns `false` if the event is lost.
    fn put(&mut self, event: Event) -> bool {
        if !self.admits(&event) {
            self.left_out += 1;
            return true;
        }
        let item = Queued::Event { event, left_out: self.left_out };
        let is_queued = self.queue.as_ref().is_some_and(|queue| queue.try_send(item).is_ok());
        if is_queued {
            self.left_out = 0;
        }
        is_queued
    }

    fn admits(&mut self, event: &Event) -> bool {
        match &event.kind {
            EventKind::Refused { token: None, .. } => self.admits_unverified(event.at),
            EventKind::Refused { token: Some(token), .. } => self.admits_repeat(token.id, event.at),
            EventKind::Delivered { .. } | EventKind::Operation { .. } => true,
        }
    }

    fn admits_repeat(&mut self, token: TokenId, now: UnixSeconds) -> bool {
        if self.repeating.len() == REPEATING_MAX {
            self.repeating.clear();
        }
        let (since, count) = self.repeating.entry(token).or_insert((now, 0));
        if now >= since.plus(REPEAT_WINDOW) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= REPEATS_MAX
    }

    fn admits_unverified(&mut self, now: UnixSeconds) -> bool {
        if self.second != now {
            (self.second, self.unverified) = (now, 0);
        }
        self.unverified += 1;
        self.unverified <= UNVERIFIED_PER_SECOND_MAX
    }
}

/// The state of the writing thread.
struct AuditWriter {
    path: PathBuf,
    file: AuditFile,
    state: Arc<AuditState>,
    /// How many writes have failed since the last successful one.
    failed: u64,
}

impl AuditWriter {
    /// Writes until the queue is closed and empty.
    fn run(mut self, queued: &Receiver<Queued>) {
        while let Some(item) = self.next(queued) {
            if self.state.reopen.swap(false, Ordering::Relaxed) {
                self.reopen();
            }
            if let Queued::Event { event, left_out } = item {
                self.write(&AuditLine { event: EventLine::of(&event), left_out });
            }
        }
        if let Err(error) = self.file.sync() {
            tracing::debug!(target: "jeton::audit", %error, "the audit log could not be synced");
        }
    }

    fn next(&self, queued: &Receiver<Queued>) -> Option<Queued> {
        match queued.try_recv() {
            Ok(item) => Some(item),
            Err(TryRecvError::Empty) => {
                if self.state.is_full.swap(false, Ordering::Relaxed) {
                    let lost = self.state.lost.load(Ordering::Relaxed);
                    tracing::warn!(target: "jeton::audit", lost, "the disk keeps up again: audit log lines were lost");
                }
                queued.recv().ok()
            }
            Err(TryRecvError::Disconnected) => None,
        }
    }

    fn write(&mut self, line: &AuditLine) {
        let written = serde_json::to_vec(line)
            .map_err(std::io::Error::other)
            .and_then(|line| self.file.append(&line));
        match written {
            Ok(()) if self.failed > 0 => {
                let lost = std::mem::take(&mut self.failed);
                tracing::warn!(target: "jeton::audit", lost, "the audit log can be written again");
            }
            Ok(()) => {}
            Err(error) => {
                self.state.lost.fetch_add(1, Ordering::Relaxed);
                self.failed += 1;
                if self.failed == 1 {
                    let path = self.path.display();
                    tracing::error!(
                        target: "jeton::audit", %path, %error,
                        "audit log lines are lost"
                    );
                }
            }
        }
    }

    fn reopen(&mut self) {
        let path = self.path.display();
        match AuditFile::open(&self.path) {
            Ok(file) => {
                self.file = file;
                tracing::info!(target: "jeton::audit", %path, "reopened the audit log");
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(
                    target: "jeton::audit", %error, cause,
                    "the audit log cannot be reopened; the old file stays in use"
                );
            }
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;

    use super::*;
    use crate::activity::{Reason, TokenSeen};
    use crate::token::{AdminRole, Batch, KeyId, Nonce, UserName};

    /// Longer than any disk takes here.
    const TIMEOUT: Duration = Duration::from_secs(20);

    fn done(did: &str) -> Event {
        let operator = UserName::new("root").unwrap();
        let kind = EventKind::Operation { operator, role: AdminRole::Admin, did: did.to_owned() };
        Event { at: UnixSeconds::new(7), client: None, kind }
    }

    fn unverified(at: u64) -> Event {
        let kind = EventKind::Refused { token: None, reason: Reason::Unverified };
        Event { at: UnixSeconds::new(at), client: None, kind }
    }

    /// Opens a new audit log in a temporary directory.
    fn open() -> (tempfile::TempDir, PathBuf, AuditLog) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let log = AuditLog::open(&path).unwrap();
        (dir, path, log)
    }

    fn lines(path: &Path) -> Vec<Value> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn writes_every_recorded_event_before_it_closes() {
        let (_dir, path, log) = open();
        (0..500).for_each(|number| log.record(done(&number.to_string())));
        assert!(log.close(TIMEOUT));
        let did: Vec<_> = lines(&path).iter().map(|line| line["did"].clone()).collect();
        assert_eq!(did, (0..500).map(|number| number.to_string()).collect::<Vec<_>>());
        assert_eq!(log.lost(), 0);
        log.record(done("too late"));
        assert_eq!(log.lost(), 1);
    }

    #[test]
    fn writes_ten_refusals_of_one_token_and_counts_the_rest() {
        let (_dir, path, log) = open();
        let id = TokenId { key_id: KeyId([1; 4]), nonce: Nonce::new(Batch([2; 4]), [3; 12]) };
        let token = TokenSeen { id, user: UserName::new("alice").unwrap(), kind: None };
        let refused = |at| {
            let kind = EventKind::Refused { token: Some(token.clone()), reason: Reason::UsedUp };
            Event { at: UnixSeconds::new(at), client: None, kind }
        };
        (0..1_000).for_each(|_| log.record(refused(100)));
        log.record(refused(110));
        assert!(log.close(TIMEOUT));
        let lines = lines(&path);
        assert_eq!((lines.len(), &lines[10]["left_out"]), (11, &990.into()));
    }

    #[test]
    fn writes_ten_unverified_refusals_a_second_and_counts_the_rest() {
        let (_dir, path, log) = open();
        for at in [100, 101] {
            (0..1_000).for_each(|_| log.record(unverified(at)));
        }
        log.record(done("x"));
        log.record(done("y"));
        assert!(log.close(TIMEOUT));
        let lines = lines(&path);
        let left_out: Vec<_> =
            lines.iter().filter_map(|line| Some((&line["at"], line.get("left_out")?))).collect();
        assert_eq!(lines.len(), 10 + 10 + 2);
        assert_eq!(left_out.iter().filter_map(|(_, n)| n.as_u64()).collect::<Vec<_>>(), [990, 990]);
        assert_eq!(lines.last().unwrap().get("left_out"), None);
    }

    #[test]
    fn reopens_a_file_that_was_moved_away() {
        let (dir, path, log) = open();
        let old = dir.path().join("audit.jsonl.1");
        log.record(done("before"));
        let begun = std::time::Instant::now();
        let wait_until = |done: &dyn Fn() -> bool| {
            while !done() {
                assert!(begun.elapsed() < TIMEOUT);
                thread::sleep(Duration::from_millis(1));
            }
        };
        wait_until(&|| !lines(&path).is_empty());
        fs::rename(&path, &old).unwrap();
        log.reopen();
        // No event is needed: after a rotation the old file is soon compressed.
        wait_until(&|| path.exists());
        log.record(done("after"));
        assert!(log.close(TIMEOUT));
        assert_eq!((lines(&old).len(), lines(&path).len()), (1, 1));
    }

    #[test]
    fn counts_the_lines_that_a_full_disk_loses() {
        let log = AuditLog::open(Path::new("/dev/full")).unwrap();
        (0..5).for_each(|_| log.record(done("x")));
        assert!(log.close(TIMEOUT));
        assert_eq!(log.lost(), 5);
    }

    /// A pipe whose reader never reads stands for a disk that hangs.
    #[test]
    fn recording_does_not_wait_for_a_disk_that_hangs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let reader = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let log = AuditLog::open(&path).unwrap();
        (0..2 * QUEUE_MAX).for_each(|_| log.record(done("x")));
        assert!(log.lost() > 0);
        assert!(!log.close(Duration::from_millis(1)));
        drop(reader);
    }
}
