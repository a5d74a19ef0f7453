//! The state that follows from a log's records. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{Head, Record, ReplayError};

/// The contents of a log: its [`Head`], and its entries by index.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct LogState {
    head: Head,
    entries: BTreeMap<u64, Arc<[u8]>>,
}

impl LogState {
    /// Returns the state at the start of a segment. The entries that `head` lists are in older
    /// segments, and missing here.
    pub(super) const fn after(head: Head) -> Self {
        Self { head, entries: BTreeMap::new() }
    }

    /// Returns the vote, what was purged, and the range of entries.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the entries by index, without gaps.
    #[must_use]
    pub const fn entries(&self) -> &BTreeMap<u64, Arc<[u8]>> {
        &self.entries
    }

    /// Applies one record by the rules of [`Head::apply`], or changes nothing.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] if the record breaks a rule.
    pub fn apply(&mut self, record: &Record) -> Result<(), ReplayError> {
        self.head.apply(record)?;
        match record {
            Record::Entry { index, bytes } => {
                self.entries.insert(*index, Arc::clone(bytes));
            }
            Record::TruncateAfter(_) | Record::Purge { .. } => self.drop_entries_not_held(),
            Record::Vote(_) => {}
        }
        Ok(())
    }

    /// Returns `true` if all entries that the head lists are present.
    pub(super) fn is_whole(&self) -> bool {
        self.entries.keys().next().copied() == self.head.held.map(|held| held.first)
    }

    /// Takes time in proportion to the entries dropped, not to those kept.
    fn drop_entries_not_held(&mut self) {
        let Some(held) = self.head.held else { return self.entries.clear() };
        while let Some(first) = self.entries.first_entry().filter(|e| *e.key() < held.first) {
            first.remove();
        }
        while let Some(last) = self.entries.last_entry().filter(|e| *e.key() > held.last) {
            last.remove();
        }
    }
}

/// Leaves out the entries, which contain user names.
impl fmt::Debug for LogState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogState").field("head", &self.head).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64) -> Record {
        Record::Entry { index, bytes: index.to_le_bytes().into() }
    }

    fn state(records: &[Record]) -> LogState {
        let mut state = LogState::default();
        records.iter().for_each(|record| state.apply(record).unwrap());
        state
    }

    fn indexes(state: &LogState) -> Vec<u64> {
        state.entries().keys().copied().collect()
    }

    #[test]
    fn entries_follow_the_head() {
        let mut log = state(&[entry(1), entry(2), entry(3), entry(4)]);
        log.apply(&Record::Purge { index: 1, bytes: [].into() }).unwrap();
        assert_eq!(indexes(&log), [2, 3, 4]);
        log.apply(&Record::TruncateAfter(Some(2))).unwrap();
        assert_eq!(indexes(&log), [2]);
        log.apply(&entry(3)).unwrap();
        assert_eq!(indexes(&log), [2, 3]);
        log.apply(&Record::Purge { index: 9, bytes: [].into() }).unwrap();
        assert_eq!(indexes(&log), [0_u64; 0]);
    }

    #[test]
    fn a_refused_record_changes_nothing() {
        let mut log = state(&[entry(1), entry(2)]);
        let before = log.clone();
        assert!(log.apply(&entry(2)).is_err());
        assert_eq!(log, before);
    }

    #[test]
    fn a_state_that_starts_at_a_head_is_whole_once_all_older_entries_are_gone() {
        let head = state(&[entry(1), entry(2), entry(3)]).head().clone();
        let mut log = LogState::after(head.clone());
        log.apply(&entry(4)).unwrap();
        assert!(!log.is_whole());
        log.apply(&Record::Purge { index: 2, bytes: [].into() }).unwrap();
        assert!(!log.is_whole());
        log.apply(&Record::Purge { index: 3, bytes: [].into() }).unwrap();
        assert!(log.is_whole());

        let mut log = LogState::after(head);
        log.apply(&Record::TruncateAfter(None)).unwrap();
        assert!(log.is_whole());
        assert!(LogState::default().is_whole());
    }
}
