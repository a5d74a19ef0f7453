//! The writer: one thread that owns the log, and one sync for all waiting submissions.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::thread::{self, JoinHandle};

use super::log::admit;
use super::{Log, LogError, LogState, Record};

/// Appends in the background. Dropping it writes what was submitted, then closes the log.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    /// `None` only while the writer is dropped.
    queue: Option<Sender<Submission>>,
    thread: Option<JoinHandle<()>>,
    /// The worker, if no thread has it.
    inline: Option<Mutex<Worker>>,
    /// See [`Writer::keep_until_closed`]. The last field, so that it is dropped last.
    guard: Option<Box<dyn Any + Send + Sync>>,
}

/// What the writer's users and its worker share.
#[derive(Debug)]
struct Shared {
    /// The state with all submissions, ahead of the disk.
    state: RwLock<LogState>,
    /// Why nothing more can be appended.
    failure: OnceLock<Arc<LogError>>,
    bytes_since_purge: AtomicU64,
    last_durable: AtomicU64,
    record_len_max: usize,
}

/// Writes what is in the queue.
#[derive(Debug)]
struct Worker {
    log: Log,
    submissions: Receiver<Submission>,
    shared: Arc<Shared>,
}

/// Records, and the callback for the result.
struct Submission {
    records: Vec<Record>,
    done: Done,
}

type Done = Box<dyn FnOnce(Result<(), LogError>) + Send>;

impl Writer {
    /// Starts the thread. `state` is what [`Log::open`] returned with `log`, or the default after
    /// [`Log::create`].
    ///
    /// # Errors
    ///
    /// [`LogError::Io`] if the system cannot start a thread.
    pub fn start(log: Log, state: LogState) -> Result<Self, LogError> {
        let (queue, worker) = Worker::new(log, state);
        let shared = Arc::clone(&worker.shared);
        let thread = thread::Builder::new()
            .name("ledger-log".into())
            .spawn(move || worker.run())
            .map_err(LogError::io("start the thread of", "log".into()))?;
        Ok(Self { shared, queue: Some(queue), thread: Some(thread), inline: None, guard: None })
    }

    /// Keeps `guard` until this writer is dropped and has closed the log.
    pub fn keep_until_closed(&mut self, guard: impl Any + Send + Sync) {
        self.guard = Some(Box::new(guard));
    }

    /// Starts a writer without a thread: [`Writer::submit`] writes and calls `done` before it
    /// returns, so that simulations are deterministic.
    #[cfg(all(test, feature = "raft"))]
    #[expect(clippy::unnecessary_wraps, reason = "it stands in for `start`")]
    pub(crate) fn start_inline(log: Log, state: LogState) -> Result<Self, LogError> {
        let (queue, worker) = Worker::new(log, state);
        let shared = Arc::clone(&worker.shared);
        let inline = Some(Mutex::new(worker));
        Ok(Self { shared, queue: Some(queue), thread: None, inline, guard: None })
    }

    /// Queues records. [`Writer::state`] contains them when this returns. `done` is called once
    /// they are durable or have failed. The worker calls it in the order of submissions, so it
    /// should be short. If the records are refused or the log failed earlier, this function may
    /// call it at once.
    ///
    /// The errors are those of [`Log::append`], and [`LogError::Ended`]. After any error but
    /// [`LogError::Rejected`] and [`LogError::TooLong`], every later submission fails.
    pub fn submit(&self, records: Vec<Record>, done: Done) {
        if let Err((error, done)) = self.enqueue(records, done) {
            done(Err(error));
        }
        if let Some(worker) = &self.inline {
            worker.lock().unwrap_or_else(PoisonError::into_inner).write_queued();
        }
    }

    /// Checks, applies and queues records under one lock, so that all three happen in one order.
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

    /// Returns the state with all submissions, durable or not. Submissions wait while the guard is
    /// held.
    pub fn state(&self) -> RwLockReadGuard<'_, LogState> {
        self.shared.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the error after which nothing more can be appended, if there was one. Parts of
    /// [`Writer::state`] may then not be durable. This call is cheap.
    #[must_use]
    pub fn failure(&self) -> Option<Arc<LogError>> {
        self.shared.failure.get().map(Arc::clone)
    }

    /// Returns [`Log::bytes_since_purge`], as of the last write.
    #[must_use]
    pub fn bytes_since_purge(&self) -> u64 {
        self.shared.bytes_since_purge.load(Ordering::Relaxed)
    }

    /// Returns the last durable index, 0 if there is none.
    #[must_use]
    pub fn last_durable(&self) -> u64 {
        self.shared.last_durable.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // If a callback panicked, its thread has reported that.
            let _ = thread.join();
        }
    }
}

impl Worker {
    fn new(log: Log, state: LogState) -> (Sender<Submission>, Self) {
        let (queue, submissions) = mpsc::channel();
        let shared = Arc::new(Shared {
            state: RwLock::new(state),
            failure: OnceLock::new(),
            bytes_since_purge: AtomicU64::new(log.bytes_since_purge()),
            last_durable: AtomicU64::new(log.last_index()),
            record_len_max: log.record_len_max(),
        });
        (queue, Self { log, submissions, shared })
    }

    /// Writes until the queue is closed and empty.
    fn run(mut self) {
        let _guard = FailWhenEnded(Arc::clone(&self.shared));
        while let Ok(first) = self.submissions.recv() {
            self.write(first);
        }
    }

    /// Writes until the queue is empty.
    fn write_queued(&mut self) {
        while let Ok(first) = self.submissions.try_recv() {
            self.write(first);
        }
    }

    /// Writes `first` and what waits after it, up to about one frame: more would only make `first`
    /// wait for another sync.
    fn write(&mut self, first: Submission) {
        let len = |records: &[Record]| records.iter().map(Record::encoded_len).sum::<usize>();
        let mut total = len(&first.records);
        let (mut records, mut waiting) = (first.records, vec![first.done]);
        while total < self.log.record_len_max() {
            let Ok(mut next) = self.submissions.try_recv() else { break };
            total += len(&next.records);
            records.append(&mut next.records);
            waiting.push(next.done);
        }
        let result = self.log.append(&records);
        let Shared { failure, bytes_since_purge, last_durable, .. } = &*self.shared;
        if let Err(error) = &result {
            // Before the callbacks, so that each of them finds it set.
            let _ = failure.set(Arc::new(error.clone()));
        }
        bytes_since_purge.store(self.log.bytes_since_purge(), Ordering::Relaxed);
        last_durable.store(self.log.last_index(), Ordering::Relaxed);
        for done in waiting {
            done(result.clone());
        }
    }
}

/// Sets the failure when the thread ends, also by a panic.
struct FailWhenEnded(Arc<Shared>);

impl Drop for FailWhenEnded {
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
    fn threads_can_share_a_writer() {
        const fn is_shared<T: Send + Sync>() {}
        is_shared::<Writer>();
    }

    #[test]
    fn a_submission_is_visible_at_once_and_durable_when_done() {
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
    fn dropping_the_writer_writes_all_submissions() {
        let dir = tempfile::tempdir().unwrap();
        let writer = create(dir.path());
        (0..100).for_each(|index| writer.submit(vec![entry(index)], Box::new(|r| r.unwrap())));
        drop(writer);
        assert_eq!(reopen(dir.path()).entries().len(), 100);
    }

    #[test]
    fn waiting_submissions_share_one_frame() {
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
    fn a_refused_submission_changes_nothing_and_is_not_a_failure() {
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
