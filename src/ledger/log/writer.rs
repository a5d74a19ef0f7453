//! The writer: one thread that owns the log, and one sync for all who wait.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::thread::{self, JoinHandle};

use super::log::admit;
use super::{Log, LogError, LogState, Record};

/// Appends in the background. Dropping it writes what was submitted, then closes the
/// log.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    /// `None` only while the writer is dropped.
    queue: Option<Sender<Submission>>,
    thread: Option<JoinHandle<()>>,
    /// In place of the thread, where a test wants no thread.
    #[cfg(test)]
    inline: std::sync::Mutex<Option<(Log, Receiver<Submission>)>>,
    /// See [`Writer::keep_until_closed`]. The last field, so that it is dropped last.
    guard: Option<Box<dyn Any + Send + Sync>>,
}

/// What the writer's users and its thread both see.
#[derive(Debug)]
struct Shared {
    /// What was submitted. It runs ahead of the disk.
    state: RwLock<LogState>,
    /// Why nothing more can be appended.
    failure: OnceLock<Arc<LogError>>,
    bytes_since_purge: AtomicU64,
    last_durable: AtomicU64,
    record_len_max: usize,
}

/// Records, and whom to tell.
struct Submission {
    records: Vec<Record>,
    done: Done,
}

type Done = Box<dyn FnOnce(Result<(), LogError>) + Send>;

impl Writer {
    /// Starts the thread; `state` is what [`Log::open`] returned with `log`, or an
    /// empty one after [`Log::create`].
    ///
    /// # Errors
    ///
    /// [`LogError::Io`] if the system gives no thread.
    pub fn start(log: Log, state: LogState) -> Result<Self, LogError> {
        let shared = Arc::new(Shared::new(&log, state));
        let (queue, submissions) = mpsc::channel();
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("ledger-log".into())
            .spawn(move || run(log, &submissions, &for_thread))
            .map_err(LogError::io("start the thread of", "log".into()))?;
        Ok(Self {
            shared,
            queue: Some(queue),
            thread: Some(thread),
            #[cfg(test)]
            inline: std::sync::Mutex::default(),
            guard: None,
        })
    }

    /// Drops `guard` once this writer was dropped and has closed the log.
    pub fn keep_until_closed(&mut self, guard: impl Any + Send + Sync) {
        self.guard = Some(Box::new(guard));
    }

    /// Starts a writer without a thread: [`Writer::submit`] writes and tells before
    /// it returns, so that all order is the caller's.
    #[cfg(all(test, feature = "raft"))]
    #[expect(clippy::unnecessary_wraps, reason = "it stands in for `start`")]
    pub(crate) fn start_inline(log: Log, state: LogState) -> Result<Self, LogError> {
        let shared = Arc::new(Shared::new(&log, state));
        let (queue, submissions) = mpsc::channel();
        let inline = std::sync::Mutex::new(Some((log, submissions)));
        Ok(Self { shared, queue: Some(queue), thread: None, inline, guard: None })
    }

    #[cfg(test)]
    fn write_inline(&self) {
        let mut inline = self.inline.lock().unwrap();
        let Some((log, submissions)) = inline.as_mut() else { return };
        while let Ok(Submission { records, done }) = submissions.try_recv() {
            let result = log.append(&records);
            if let Err(error) = &result {
                let _ = self.shared.failure.set(Arc::new(error.clone()));
            }
            self.shared.note(log);
            done(result);
        }
    }

    /// Queues records. [`Writer::state`] shows them when this returns; `done` is called
    /// once they are durable, or failed. Calls of `done` come in the order of the
    /// submissions, from the writer's thread, and should be short. Only if the records
    /// are refused or the log failed earlier may `done` be called at once, by the caller.
    ///
    /// The errors are those of [`Log::append`], and [`LogError::Ended`]. After any but
    /// [`LogError::Rejected`] and [`LogError::TooLong`] every later submission fails.
    pub fn submit(&self, records: Vec<Record>, done: Done) {
        if let Err((error, done)) = self.enqueue(records, done) {
            done(Err(error));
        }
        #[cfg(test)]
        self.write_inline();
    }

    /// Checks, shows and queues under one lock, so that all three have one order.
    fn enqueue(&self, records: Vec<Record>, done: Done) -> Result<(), (LogError, Done)> {
        let mut state = self.shared.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = self.failure() {
            return Err((LogError::Poisoned(failure), done));
        }
        let fits = admit(state.head(), &records, self.shared.record_len_max).and_then(|()| {
            records.iter().try_for_each(|record| state.apply(record).map_err(LogError::from))
        });
        let Some(queue) = self.queue.as_ref().filter(|_| fits.is_ok()) else {
            return Err((fits.err().unwrap_or(LogError::Ended), done));
        };
        queue.send(Submission { records, done }).map_err(|unsent| (LogError::Ended, unsent.0.done))
    }

    /// Returns what was submitted so far, durable or not. Submissions wait for as long
    /// as the guard is held.
    pub fn state(&self) -> RwLockReadGuard<'_, LogState> {
        self.shared.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns why nothing more can be appended, if so. It is cheap, and it is final:
    /// what [`Writer::state`] shows may then never have become durable.
    #[must_use]
    pub fn failure(&self) -> Option<Arc<LogError>> {
        self.shared.failure.get().map(Arc::clone)
    }

    /// Returns [`Log::bytes_since_purge`], as of the last write.
    #[must_use]
    pub fn bytes_since_purge(&self) -> u64 {
        self.shared.bytes_since_purge.load(Ordering::Relaxed)
    }

    /// Returns the last index that a restart would find, 0 if there is none.
    #[must_use]
    pub fn last_durable(&self) -> u64 {
        self.shared.last_durable.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn new(log: &Log, state: LogState) -> Self {
        Self {
            state: RwLock::new(state),
            failure: OnceLock::new(),
            bytes_since_purge: AtomicU64::new(log.bytes_since_purge()),
            last_durable: AtomicU64::new(log.last_index()),
            record_len_max: log.record_len_max(),
        }
    }

    /// Shows how the log is after a write.
    fn note(&self, log: &Log) {
        self.bytes_since_purge.store(log.bytes_since_purge(), Ordering::Relaxed);
        self.last_durable.store(log.last_index(), Ordering::Relaxed);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // If a callback panicked there, its panic was reported there.
            let _ = thread.join();
        }
    }
}

/// Writes until the queue is closed and empty.
fn run(mut log: Log, submissions: &Receiver<Submission>, shared: &Shared) {
    let _ended = EndsWithThread(shared);
    while let Ok(first) = submissions.recv() {
        let (records, waiting) = drain(first, submissions, log.record_len_max());
        let result = log.append(&records);
        if let Err(error) = &result {
            // Before anyone is told, so that who was told finds it set.
            let _ = shared.failure.set(Arc::new(error.clone()));
        }
        shared.note(&log);
        for done in waiting {
            done(result.clone());
        }
    }
}

/// Takes all that waits, up to about one frame: more would only make the first wait
/// for another sync.
fn drain(
    first: Submission,
    submissions: &Receiver<Submission>,
    len_max: usize,
) -> (Vec<Record>, Vec<Done>) {
    let len = |records: &[Record]| records.iter().map(Record::encoded_len).sum::<usize>();
    let mut total = len(&first.records);
    let (mut records, mut waiting) = (first.records, vec![first.done]);
    while total < len_max {
        let Ok(mut next) = submissions.try_recv() else { break };
        total += len(&next.records);
        records.append(&mut next.records);
        waiting.push(next.done);
    }
    (records, waiting)
}

/// However the thread ends, nobody takes its log for a live one.
struct EndsWithThread<'a>(&'a Shared);

impl Drop for EndsWithThread<'_> {
    fn drop(&mut self) {
        let _ = self.0.failure.set(Arc::new(LogError::Ended));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{FileDisk, LedgerId, ReplayError, SegmentLen};
    use super::*;

    const LEDGER: LedgerId = LedgerId([7; 16]);

    fn create(dir: &Path) -> Writer {
        let disk = Box::new(FileDisk::new(dir));
        let log = Log::create(disk, LEDGER, SegmentLen::new(4096).unwrap()).unwrap();
        Writer::start(log, LogState::default()).unwrap()
    }

    fn reopen(dir: &Path) -> LogState {
        Log::open(Box::new(FileDisk::new(dir)), LEDGER, SegmentLen::default()).unwrap().1
    }

    fn entry(index: u64) -> Record {
        Record::Entry { index, bytes: vec![b'x'; 100].into() }
    }

    #[test]
    fn writer_can_be_shared_by_threads() {
        const fn is_shared<T: Send + Sync>() {}
        is_shared::<Writer>();
    }

    #[test]
    fn submission_is_shown_at_once_and_durable_when_done() {
        let dir = tempfile::tempdir().unwrap();
        let writer = create(dir.path());
        let (sender, receiver) = mpsc::channel();
        for index in 0..200 {
            let sender = sender.clone();
            let done = move |result: Result<(), LogError>| sender.send((index, result)).unwrap();
            writer.submit(vec![entry(index)], Box::new(done));
            assert!(writer.state().entries().contains_key(&index));
        }
        for index in 0..200 {
            let (done, result) = receiver.recv().unwrap();
            assert_eq!(done, index);
            result.unwrap();
        }
        assert!(writer.bytes_since_purge() > 20_000);
        assert_eq!(writer.last_durable(), 199);
        let shown = writer.state().clone();
        drop(writer);
        assert_eq!(reopen(dir.path()), shown);
    }

    #[test]
    fn dropped_writer_has_written_all_it_took() {
        let dir = tempfile::tempdir().unwrap();
        let writer = create(dir.path());
        (0..100).for_each(|index| writer.submit(vec![entry(index)], Box::new(|r| r.unwrap())));
        drop(writer);
        assert_eq!(reopen(dir.path()).entries().len(), 100);
    }

    #[test]
    fn those_who_wait_share_one_frame() {
        let dir = tempfile::tempdir().unwrap();
        let writer = create(dir.path());
        let (entered, has_entered) = mpsc::channel();
        let (release, is_released) = mpsc::channel::<()>();
        let hold = move |_| {
            entered.send(()).unwrap();
            is_released.recv().unwrap();
        };
        writer.submit(vec![entry(0)], Box::new(hold));
        has_entered.recv().unwrap();
        (1..9).for_each(|index| writer.submit(vec![entry(index)], Box::new(|r| r.unwrap())));
        release.send(()).unwrap();
        drop(writer);
        let disk = Box::new(FileDisk::new(dir.path()));
        let (_, _, recovery) = Log::open(disk, LEDGER, SegmentLen::default()).unwrap();
        assert_eq!(recovery.frames, 2);
    }

    #[test]
    fn refused_submission_changes_nothing_and_is_no_failure() {
        let dir = tempfile::tempdir().unwrap();
        let writer = create(dir.path());
        let (sender, receiver) = mpsc::channel();
        let done = || -> Done {
            let sender = sender.clone();
            Box::new(move |result| sender.send(result).unwrap())
        };
        writer.submit(vec![entry(4), entry(6)], done());
        let gap = ReplayError::Gap { expected: 5, found: 6 };
        assert!(matches!(receiver.recv().unwrap(), Err(LogError::Rejected(e)) if e == gap));
        let long = Record::Entry { index: 4, bytes: vec![0; 1024].into() };
        writer.submit(vec![entry(3), long], done());
        assert!(matches!(receiver.recv().unwrap(), Err(LogError::TooLong { len: 1041, .. })));
        assert_eq!(*writer.state(), LogState::default());
        assert!(writer.failure().is_none());
        writer.submit(vec![entry(3)], done());
        receiver.recv().unwrap().unwrap();
    }
}
