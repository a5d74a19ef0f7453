//! The way of events into the audit log: a queue, and one thread that writes.
//!
//! Whoever notes an event never waits. If the disk is too slow or full, lines
//! are lost, and counted: a profile is worth more than the line about it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Serialize;

use super::audit_file::{AuditError, AuditFile};
use super::{Event, EventLine, What};
use crate::token::{TokenId, UnixSeconds};

/// How many lines may wait for the disk, some 300 bytes each.
const QUEUE_MAX: usize = 10_000;

/// How many refusals of what was no token are written each second. Anybody can
/// cause them, and they must not fill a disk.
const STRANGE_PER_SECOND_MAX: u32 = 10;

/// How many refusals of one true token are written within [`REPEAT_WINDOW`].
/// Whoever has a dead link can cause them.
const REPEATS_MAX: u32 = 10;

/// Seconds within which refusals of one token are counted.
const REPEAT_WINDOW: u64 = 10;

/// How many tokens are remembered for that, some 60 bytes each.
const REPEATING_MAX: usize = 10_000;

/// A log that is written in the background.
#[derive(Debug)]
pub(super) struct AuditLog {
    entrance: Mutex<Entrance>,
    state: Arc<State>,
    /// Closed by the thread when it has written all.
    done: Mutex<Receiver<()>>,
}

/// Where lines go in.
#[derive(Debug, Default)]
struct Entrance {
    /// `None` once closed.
    queue: Option<SyncSender<Item>>,
    /// The second in which `strange` refusals were let through.
    second: UnixSeconds,
    strange: u32,
    /// The tokens that were refused of late: since when, and how often.
    repeating: HashMap<TokenId, (UnixSeconds, u32)>,
    /// What was not let through since the last line.
    left_out: u64,
}

/// What the entrance and the thread share.
#[derive(Debug, Default)]
struct State {
    lost: AtomicU64,
    is_full: AtomicBool,
    reopen: AtomicBool,
}

/// What waits in the queue.
#[derive(Debug)]
enum Item {
    Event {
        event: Event,
        left_out: u64,
    },
    /// Look whether the file is to be opened anew.
    Wake,
}

/// A line of the file.
#[derive(Serialize)]
struct AuditLine {
    #[serde(flatten)]
    event: EventLine,
    #[serde(skip_serializing_if = "is_zero")]
    left_out: u64,
}

impl AuditLog {
    /// Opens the file at `path`, or makes it, and starts the thread.
    pub(super) fn open(path: &Path) -> Result<Self, AuditError> {
        let file = AuditFile::open(path)?;
        let state = Arc::<State>::default();
        let (queue, items) = mpsc::sync_channel(QUEUE_MAX);
        let (ending, done) = mpsc::channel();
        let writer = Writer { path: path.to_owned(), file, state: Arc::clone(&state), failed: 0 };
        let run = move || {
            writer.run(&items);
            drop(ending);
        };
        thread::Builder::new().name("audit-log".into()).spawn(run).map_err(AuditError::Thread)?;
        let entrance = Entrance { queue: Some(queue), ..Entrance::default() };
        Ok(Self { entrance: Mutex::new(entrance), state, done: Mutex::new(done) })
    }

    /// Takes an event to be written.
    pub(super) fn note(&self, event: Event) {
        if self.entrance().put(event) {
            return;
        }
        self.state.lost.fetch_add(1, Ordering::Relaxed);
        if !self.state.is_full.swap(true, Ordering::Relaxed) {
            tracing::error!(
                target: "jeton::audit", max = QUEUE_MAX,
                "the disk does not keep up: lines of the audit log are lost"
            );
        }
    }

    /// Opens the file anew, because it was moved away.
    pub(super) fn reopen(&self) {
        self.state.reopen.store(true, Ordering::Relaxed);
        if let Some(queue) = &self.entrance().queue {
            // A full queue wakes the thread by itself.
            let _ = queue.try_send(Item::Wake);
        }
    }

    /// Returns how many lines were lost so far.
    pub(super) fn lost(&self) -> u64 {
        self.state.lost.load(Ordering::Relaxed)
    }

    /// Takes no more events and waits until all are written, but no longer than
    /// `patience`. Tells whether they are.
    pub(super) fn close(&self, patience: Duration) -> bool {
        self.entrance().queue = None;
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.recv_timeout(patience) != Err(mpsc::RecvTimeoutError::Timeout)
    }

    fn entrance(&self) -> MutexGuard<'_, Entrance> {
        self.entrance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entrance {
    /// Puts an event into the queue, or leaves it out; `false` if it is lost.
    fn put(&mut self, event: Event) -> bool {
        if !self.lets_through(&event) {
            self.left_out += 1;
            return true;
        }
        let item = Item::Event { event, left_out: self.left_out };
        let is_queued = self.queue.as_ref().is_some_and(|queue| queue.try_send(item).is_ok());
        if is_queued {
            self.left_out = 0;
        }
        is_queued
    }

    fn lets_through(&mut self, event: &Event) -> bool {
        match &event.what {
            What::Refused { token: None, .. } => self.lets_strange_through(event.at),
            What::Refused { token: Some(token), .. } => {
                self.lets_repeat_through(token.id, event.at)
            }
            What::Delivered { .. } | What::Done { .. } => true,
        }
    }

    fn lets_repeat_through(&mut self, token: TokenId, now: UnixSeconds) -> bool {
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

    fn lets_strange_through(&mut self, now: UnixSeconds) -> bool {
        if self.second != now {
            (self.second, self.strange) = (now, 0);
        }
        self.strange += 1;
        self.strange <= STRANGE_PER_SECOND_MAX
    }
}

/// The thread that writes.
struct Writer {
    path: PathBuf,
    file: AuditFile,
    state: Arc<State>,
    /// How many lines could not be written since the last one that could.
    failed: u64,
}

impl Writer {
    /// Writes until the queue is closed and empty.
    fn run(mut self, items: &Receiver<Item>) {
        while let Some(item) = self.next(items) {
            if self.state.reopen.swap(false, Ordering::Relaxed) {
                self.reopen();
            }
            if let Item::Event { event, left_out } = item {
                self.write(&AuditLine { event: EventLine::of(&event), left_out });
            }
        }
        if let Err(error) = self.file.sync() {
            tracing::debug!(target: "jeton::audit", %error, "the audit log is not synced");
        }
    }

    fn next(&self, items: &Receiver<Item>) -> Option<Item> {
        match items.try_recv() {
            Ok(item) => Some(item),
            Err(TryRecvError::Empty) => {
                if self.state.is_full.swap(false, Ordering::Relaxed) {
                    let lost = self.state.lost.load(Ordering::Relaxed);
                    tracing::warn!(target: "jeton::audit", lost, "the disk keeps up again");
                }
                items.recv().ok()
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
                tracing::warn!(target: "jeton::audit", lost, "the audit log is written again");
            }
            Ok(()) => {}
            Err(error) => {
                self.state.lost.fetch_add(1, Ordering::Relaxed);
                self.failed += 1;
                if self.failed == 1 {
                    let path = self.path.display();
                    tracing::error!(
                        target: "jeton::audit", %path, %error,
                        "lines of the audit log are lost"
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
                tracing::info!(target: "jeton::audit", %path, "audit log opened anew");
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(
                    target: "jeton::audit", %error, cause,
                    "the audit log cannot be opened anew, the old file stays in use"
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

    /// Longer than any disk here takes.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn done(what: &str) -> Event {
        let operator = UserName::new("root").unwrap();
        let what = What::Done { operator, role: AdminRole::Admin, what: what.to_owned() };
        Event { at: UnixSeconds::new(7), client: None, what }
    }

    fn strange(at: u64) -> Event {
        let what = What::Refused { token: None, reason: Reason::Unverified };
        Event { at: UnixSeconds::new(at), client: None, what }
    }

    fn lines(path: &Path) -> Vec<Value> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn all_that_was_noted_is_in_the_file_when_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let log = AuditLog::open(&path).unwrap();
        (0..500).for_each(|number| log.note(done(&number.to_string())));
        assert!(log.close(PATIENCE));
        let did: Vec<_> = lines(&path).iter().map(|line| line["did"].clone()).collect();
        assert_eq!(did, (0..500).map(|number| number.to_string()).collect::<Vec<_>>());
        assert_eq!(log.lost(), 0);
        log.note(done("too late"));
        assert_eq!(log.lost(), 1);
    }

    /// A dead link that is hammered fills neither the disk nor the view.
    #[test]
    fn a_token_that_is_refused_again_and_again_is_ten_lines_and_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let log = AuditLog::open(&path).unwrap();
        let id = TokenId { key_id: KeyId([1; 4]), nonce: Nonce::new(Batch([2; 4]), [3; 12]) };
        let token = TokenSeen { id, user: UserName::new("alice").unwrap(), kind: None };
        let refused = |at| {
            let what = What::Refused { token: Some(token.clone()), reason: Reason::UsedUp };
            Event { at: UnixSeconds::new(at), client: None, what }
        };
        (0..1_000).for_each(|_| log.note(refused(100)));
        log.note(refused(110));
        assert!(log.close(PATIENCE));
        let lines = lines(&path);
        assert_eq!((lines.len(), &lines[10]["left_out"]), (11, &990.into()));
    }

    #[test]
    fn garbage_is_ten_lines_a_second_and_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let log = AuditLog::open(&path).unwrap();
        for at in [100, 101] {
            (0..1_000).for_each(|_| log.note(strange(at)));
        }
        log.note(done("x"));
        log.note(done("y"));
        assert!(log.close(PATIENCE));
        let lines = lines(&path);
        let left_out: Vec<_> =
            lines.iter().filter_map(|line| Some((&line["at"], line.get("left_out")?))).collect();
        assert_eq!(lines.len(), 10 + 10 + 2);
        assert_eq!(left_out.iter().filter_map(|(_, n)| n.as_u64()).collect::<Vec<_>>(), [990, 990]);
        assert_eq!(lines.last().unwrap().get("left_out"), None);
    }

    #[test]
    fn a_file_that_was_moved_away_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let [path, old] = ["audit.jsonl", "audit.jsonl.1"].map(|name| folder.path().join(name));
        let log = AuditLog::open(&path).unwrap();
        log.note(done("before"));
        let begun = std::time::Instant::now();
        while lines(&path).is_empty() {
            assert!(begun.elapsed() < PATIENCE);
            thread::sleep(Duration::from_millis(1));
        }
        fs::rename(&path, &old).unwrap();
        log.reopen();
        // Without any event: whoever rotates a log compresses the old file soon.
        while !path.exists() {
            assert!(begun.elapsed() < PATIENCE);
            thread::sleep(Duration::from_millis(1));
        }
        log.note(done("after"));
        assert!(log.close(PATIENCE));
        assert_eq!((lines(&old).len(), lines(&path).len()), (1, 1));
    }

    #[test]
    fn a_full_disk_loses_lines_and_counts_them() {
        let log = AuditLog::open(Path::new("/dev/full")).unwrap();
        (0..5).for_each(|_| log.note(done("x")));
        assert!(log.close(PATIENCE));
        assert_eq!(log.lost(), 5);
    }

    /// The reader of a pipe that reads nothing is the slowest disk there is.
    #[test]
    fn nobody_waits_for_a_disk_that_hangs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let reader = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let log = AuditLog::open(&path).unwrap();
        (0..2 * QUEUE_MAX).for_each(|_| log.note(done("x")));
        assert!(log.lost() > 0);
        assert!(!log.close(Duration::from_millis(1)));
        drop(reader);
    }
}
