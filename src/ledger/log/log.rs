//! The log itself: creates, opens, appends, rotates and purges, one call at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use super::frame;
use super::replay::{self, Replay, SegmentStart};
use super::segment::{self, Active};
use super::{Cut, Disk, Head, LedgerId, LogError, LogState, Record, SegmentLen};

/// A log that is open for appending. It locks its directory until it is dropped.
#[derive(Debug)]
pub struct Log {
    disk: Box<dyn Disk>,
    ledger: LedgerId,
    /// The length of new segments.
    segment_len: SegmentLen,
    /// All segments, oldest first; the last is the active one.
    segments: VecDeque<SegmentStart>,
    active: Active,
    /// The durable state, without the entries' bytes.
    head: Head,
    bytes_since_purge: u64,
    /// The first failure. Nothing is written after it.
    failure: Option<Arc<LogError>>,
}

/// What an open found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recovery {
    /// The torn tail that was cut, if there was one.
    pub cut: Option<Cut>,
    /// How many segments were read.
    pub segments: usize,
    /// How many frames were replayed.
    pub frames: u64,
}

impl Log {
    /// Creates an empty log in a directory that exists and has none.
    ///
    /// # Errors
    ///
    /// [`LogError::Missing`], [`LogError::Locked`], [`LogError::Exists`] or [`LogError::Io`]. After
    /// the last one, there is an empty log or none.
    pub fn create(
        mut disk: Box<dyn Disk>,
        ledger: LedgerId,
        segment_len: SegmentLen,
    ) -> Result<Self, LogError> {
        let exists = |disk: &dyn Disk| replay::list(disk).map(|numbers| !numbers.is_empty());
        if exists(&*disk)? {
            return Err(LogError::Exists);
        }
        lock(&mut *disk)?;
        // Another process may have created one in between.
        if exists(&*disk)? {
            return Err(LogError::Exists);
        }
        let head = Head::default();
        let link = segment::first_link(ledger);
        let active = Active::create(&*disk, segment_len, ledger, link, &head)?;
        let start = SegmentStart { segment: link.segment, last_index: None };
        Ok(Self {
            disk,
            ledger,
            segment_len,
            segments: VecDeque::from([start]),
            active,
            head,
            bytes_since_purge: 0,
            failure: None,
        })
    }

    /// Reads the log of `ledger` without a torn tail, and changes nothing. The caller must hold a
    /// lock.
    ///
    /// # Errors
    ///
    /// [`LogError::Missing`], [`LogError::Damaged`], [`LogError::OtherLedger`],
    /// [`LogError::Version`] or [`LogError::Io`].
    pub fn read(disk: &dyn Disk, ledger: LedgerId) -> Result<LogState, LogError> {
        replay::replay(disk, ledger).map(|replay| replay.state)
    }

    /// Opens the log of `ledger`, and returns it with its state and what the open found. Existing
    /// segments keep their length; new ones have `segment_len`.
    ///
    /// # Errors
    ///
    /// [`LogError::Missing`], [`LogError::Locked`], [`LogError::Damaged`],
    /// [`LogError::OtherLedger`], [`LogError::Version`]: nothing was changed.
    /// [`LogError::Io`]: nothing was lost.
    pub fn open(
        mut disk: Box<dyn Disk>,
        ledger: LedgerId,
        segment_len: SegmentLen,
    ) -> Result<(Self, LogState, Recovery), LogError> {
        if replay::list(&*disk)?.is_empty() {
            return Err(LogError::Missing);
        }
        lock(&mut *disk)?;
        let Replay { state, segments, frames, bytes_since_purge, last, next, cut } =
            replay::replay(&*disk, ledger)?;
        let recovery = Recovery { cut, segments: segments.len(), frames };
        // The disk is written from here on; `mod.rs` says why also without a torn tail.
        remove_unfinished(&*disk)?;
        let (last_len, bytes) = last;
        let active = Active::write_whole(&*disk, last_len, bytes, next)?;
        let head = state.head().clone();
        let mut log = Self {
            disk,
            ledger,
            segment_len,
            segments,
            active,
            head,
            bytes_since_purge,
            failure: None,
        };
        log.delete_purged()?;
        Ok((log, state, recovery))
    }

    /// Appends records and returns once they are durable. They may take several frames: after a
    /// crash or a failure, any prefix of them may be durable.
    ///
    /// # Errors
    ///
    /// [`LogError::Rejected`] and [`LogError::TooLong`]: nothing was written, and the
    /// log remains usable. [`LogError::Io`]: any prefix of the records may be durable, and the log
    /// is poisoned. [`LogError::Poisoned`]: it was poisoned before.
    pub fn append(&mut self, records: &[Record]) -> Result<(), LogError> {
        if let Some(first) = &self.failure {
            return Err(LogError::Poisoned(Arc::clone(first)));
        }
        admit(&self.head, records, self.record_len_max())?;
        self.write(records).inspect_err(|error| self.failure = Some(Arc::new(error.clone())))
    }

    /// Returns the most bytes that an encoded record may have. An entry has 17 more than its
    /// content.
    #[must_use]
    pub const fn record_len_max(&self) -> usize {
        self.segment_len.payload_len_max()
    }

    /// Returns how many bytes were appended since the last purge. A snapshot and a purge would
    /// spare the next replay from reading them.
    #[must_use]
    pub const fn bytes_since_purge(&self) -> u64 {
        self.bytes_since_purge
    }

    /// Returns the last index that is durable, 0 if there is none.
    pub(super) fn last_index(&self) -> u64 {
        self.head.last_index().unwrap_or_default()
    }

    /// Writes and syncs frame after frame.
    fn write(&mut self, mut records: &[Record]) -> Result<(), LogError> {
        while !records.is_empty() {
            let (payload, packed, rest) = pack(records, self.record_len_max());
            self.write_frame(&payload)?;
            for record in packed {
                self.head.apply(record)?;
            }
            if packed.iter().any(Record::is_purge) {
                self.bytes_since_purge = 0;
                self.delete_purged()?;
            }
            records = rest;
        }
        Ok(())
    }

    fn write_frame(&mut self, payload: &[u8]) -> Result<(), LogError> {
        let frame = match self.encode(payload) {
            Some(frame) => frame,
            None => {
                self.rotate()?;
                // A new segment has room for any admitted record.
                let len_max = self.record_len_max();
                self.encode(payload).ok_or(LogError::TooLong { len: payload.len(), len_max })?
            }
        };
        let failed =
            |doing| LogError::io(doing, self.disk.path(&segment::name(self.active.next.segment)));
        let Active { file, end, .. } = &self.active;
        file.write_all_at(&frame.bytes, *end as u64).map_err(failed("write"))?;
        file.sync_data().map_err(failed("sync"))?;
        self.active.end += frame.bytes.len();
        self.active.next = frame.next;
        self.bytes_since_purge += frame.bytes.len() as u64;
        Ok(())
    }

    fn encode(&self, payload: &[u8]) -> Option<frame::Encoded> {
        let Active { len, end, next, .. } = &self.active;
        frame::encode(*next, *end, len.bytes(), payload)
    }

    /// Starts a new segment. The old one is never written to again.
    fn rotate(&mut self) -> Result<(), LogError> {
        let link = self.active.next.next_segment();
        let disk = &*self.disk;
        self.active = Active::create(disk, self.segment_len, self.ledger, link, &self.head)?;
        let last_index = self.head.last_index();
        self.segments.push_back(SegmentStart { segment: link.segment, last_index });
        self.delete_purged()
    }

    /// Deletes the oldest segments in which all entries are purged, but never the active one.
    fn delete_purged(&mut self) -> Result<(), LogError> {
        while let Some(next) = self.segments.get(1) {
            if next.last_index > self.head.purged_index() {
                break;
            }
            let Some(oldest) = self.segments.pop_front() else { break };
            let name = segment::name(oldest.segment);
            let failed = |doing| LogError::io(doing, self.disk.path(&name));
            self.disk.remove(&name).map_err(failed("delete"))?;
            self.disk.sync_dir().map_err(failed("sync the directory of"))?;
        }
        Ok(())
    }
}

/// Rejects `records` that may not be appended to a log with this head.
pub(super) fn admit(head: &Head, records: &[Record], len_max: usize) -> Result<(), LogError> {
    let mut head = head.clone();
    for record in records {
        let len = record.encoded_len();
        if len > len_max {
            return Err(LogError::TooLong { len, len_max });
        }
        head.apply(record)?;
    }
    Ok(())
}

/// Encodes as many records as fit in a frame, at least one. Returns the payload, the records in it
/// and the others.
fn pack(records: &[Record], len_max: usize) -> (Vec<u8>, &[Record], &[Record]) {
    let mut payload = Vec::new();
    let mut count = 0;
    for record in records {
        if count > 0 && payload.len() + record.encoded_len() > len_max {
            break;
        }
        record.encode(&mut payload);
        count += 1;
    }
    let (packed, rest) = records.split_at(count);
    (payload, packed, rest)
}

fn lock(disk: &mut dyn Disk) -> Result<(), LogError> {
    let is_ours = disk.try_lock().map_err(LogError::io("lock", disk.path("lock")))?;
    if is_ours { Ok(()) } else { Err(LogError::Locked) }
}

/// Removes unfinished segments. They hold nothing that was acknowledged, so it does not matter when
/// their removal becomes durable.
fn remove_unfinished(disk: &dyn Disk) -> Result<(), LogError> {
    let names = disk.list().map_err(LogError::io("list", disk.path("")))?;
    for name in names.iter().filter(|name| segment::is_unfinished(name)) {
        disk.remove(name).map_err(LogError::io("delete", disk.path(name)))?;
    }
    Ok(())
}
