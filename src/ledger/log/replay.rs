//! Replay: from the files to the state that follows from them. Changes nothing.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use super::error::damage;
use super::frame::{Link, Mismatch};
use super::segment::{self, Contents, Records};
use super::{Disk, LedgerId, LogError, LogState, Record, SegmentLen};

/// A torn tail: a write that was interrupted before it was acknowledged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cut {
    /// The last segment.
    pub path: PathBuf,
    /// Where the interrupted write began.
    pub offset: u64,
    /// At most how many bytes of it were written.
    pub bytes: u64,
}

/// The contents of a directory.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) state: LogState,
    /// All segments, oldest first.
    pub(super) segments: VecDeque<SegmentStart>,
    /// The number of frames, without head frames.
    pub(super) frames: u64,
    /// The bytes of the frames after the last one with a purge.
    pub(super) bytes_since_purge: u64,
    /// The length of the last segment, and its bytes without a torn tail.
    pub(super) last: (SegmentLen, Vec<u8>),
    /// The link of the next frame in the last segment.
    pub(super) next: Link,
    pub(super) cut: Option<Cut>,
}

/// A segment, and the log's last index when it was started.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentStart {
    pub(super) segment: u64,
    pub(super) last_index: Option<u64>,
}

/// Returns the numbers of the segments, in order.
pub(super) fn list(disk: &dyn Disk) -> Result<Vec<u64>, LogError> {
    let names = match disk.list() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(LogError::Missing),
        names => names.map_err(LogError::io("list", disk.path("")))?,
    };
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment::number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Reads the whole log.
pub(super) fn replay(disk: &dyn Disk, ledger: LedgerId) -> Result<Replay, LogError> {
    let numbers = list(disk)?;
    let (&oldest, &newest) = numbers.first().zip(numbers.last()).ok_or(LogError::Missing)?;
    let damaged = |number, mismatch| damage(disk.path(&segment::name(number)), mismatch);
    if let Some((missing, _)) = (oldest..=newest).zip(&numbers).find(|(want, have)| want != *have) {
        let expected = "this segment, as there are older and newer ones";
        return Err(damaged(missing, Mismatch { offset: 0, expected }).into());
    }
    let mut replay: Option<Replay> = None;
    for &number in &numbers {
        let (bytes, contents) = segment::read(disk, number, ledger, number == newest)?;
        let cut = contents.torn_end.map(|torn_end| Cut {
            path: disk.path(&segment::name(number)),
            offset: contents.end as u64,
            bytes: (torn_end - contents.end) as u64,
        });
        let so_far = replay.get_or_insert_with(|| Replay::before(&contents));
        so_far.append(bytes, &contents).map_err(|mismatch| damaged(number, mismatch))?;
        so_far.cut = cut;
    }
    let replay = replay.ok_or(LogError::Missing)?;
    if !replay.state.is_whole() {
        let expected = "an older segment, as its entries were not purged";
        return Err(damaged(oldest, Mismatch { offset: 0, expected }).into());
    }
    Ok(replay)
}

impl Replay {
    /// Returns the replay of nothing, to which `first` can be appended.
    fn before(first: &Contents) -> Self {
        Self {
            state: LogState::after(first.head.clone()),
            segments: VecDeque::new(),
            frames: 0,
            bytes_since_purge: 0,
            last: (first.len, Vec::new()),
            next: Link { segment: first.link.segment.wrapping_sub(1), ..first.link },
            cut: None,
        }
    }

    /// Appends the next segment.
    fn append(&mut self, mut bytes: Vec<u8>, contents: &Contents) -> Result<(), Mismatch> {
        if contents.link != self.next.next_segment() || contents.head != *self.state.head() {
            let expected = "a segment that continues the one before";
            return Err(Mismatch { offset: 0, expected });
        }
        let last_index = self.state.head().last_index();
        self.segments.push_back(SegmentStart { segment: contents.link.segment, last_index });
        for Records { at, len, records } in &contents.frames {
            for record in records {
                let expected = "records that obey the rules of the log";
                self.state.apply(record).map_err(|_| Mismatch { offset: *at, expected })?;
            }
            self.frames += 1;
            self.bytes_since_purge += *len as u64;
            if records.iter().any(Record::is_purge) {
                self.bytes_since_purge = 0;
            }
        }
        bytes.truncate(contents.end);
        self.last = (contents.len, bytes);
        self.next = contents.next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::segment::Active;
    use super::super::{FileDisk, Head, Log, LogError};
    use super::*;

    const LEDGER: LedgerId = LedgerId([7; 16]);

    /// Replays an empty log with a second segment that has this link and head.
    fn replay_with(change: impl FnOnce(Link, Head) -> (Link, Head)) -> Result<Replay, LogError> {
        let dir = tempfile::tempdir().unwrap();
        let disk = FileDisk::new(dir.path());
        let len = SegmentLen::new(4096).unwrap();
        drop(Log::create(Box::new(FileDisk::new(dir.path())), LEDGER, len).unwrap());
        let next = replay(&disk, LEDGER).unwrap().next.next_segment();
        let (link, head) = change(next, Head::default());
        Active::create(&disk, len, LEDGER, link, &head).unwrap();
        replay(&disk, LEDGER)
    }

    #[test]
    fn a_segment_that_continues_the_log_is_replayed() {
        let replay = replay_with(|link, head| (link, head)).unwrap();
        assert_eq!(replay.segments.len(), 2);
    }

    #[test]
    fn a_segment_that_does_not_continue_the_log_is_damage() {
        let vote = || Some((*b"vote").into());
        for result in [
            replay_with(|link, head| (Link { chain: link.chain ^ 1, ..link }, head)),
            replay_with(|link, head| (Link { sequence: link.sequence + 1, ..link }, head)),
            replay_with(|link, head| (link, Head { vote: vote(), ..head })),
        ] {
            let Err(LogError::Damaged(damage)) = result else { panic!("{result:?}") };
            assert!(damage.path.ends_with("00000000000000000002"));
        }
    }
}
