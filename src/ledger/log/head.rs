//! The head: a log's state without the bytes of its entries, and the rules.
//!
//! Every segment begins with one, so that older segments can be deleted. The rules of the log need
//! nothing more, so they are here.

use std::sync::Arc;

use super::record::{Input, OPAQUE_LEN_MAX, put_bytes, put_u64};
use super::{Record, ReplayError};

/// The state of a log without the bytes of its entries.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Head {
    /// The last vote.
    pub vote: Option<Arc<[u8]>>,
    /// The last index that was purged, and its log id.
    pub purged: Option<(u64, Arc<[u8]>)>,
    /// The range of the entries.
    pub held: Option<Held>,
}

/// A range of entries without gaps: `first ..= last`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Held {
    /// The lowest index.
    pub first: u64,
    /// The highest index.
    pub last: u64,
}

impl Head {
    /// Returns the last index that was purged.
    #[must_use]
    pub fn purged_index(&self) -> Option<u64> {
        self.purged.as_ref().map(|(index, _)| *index)
    }

    /// Returns the index of the last entry or, if there is none, the last purged one.
    #[must_use]
    pub fn last_index(&self) -> Option<u64> {
        self.held.map(|held| held.last).or_else(|| self.purged_index())
    }

    /// Applies one record, or changes nothing and returns the rule that it breaks:
    ///
    /// - an entry has the index after [`Head::last_index`], or any if there is none;
    /// - a truncation has an index `>=` the last purged one;
    /// - a purge has an index `>=` the last purged one, and may go beyond the last entry;
    /// - a vote or a log id has at most [`OPAQUE_LEN_MAX`] bytes.
    ///
    /// # Errors
    ///
    /// [`ReplayError`], a variant for each rule.
    pub fn apply(&mut self, record: &Record) -> Result<(), ReplayError> {
        match record {
            Record::Vote(bytes) => self.vote = Some(opaque(bytes)?),
            Record::Entry { index, .. } => self.append(*index)?,
            Record::TruncateAfter(kept) => self.truncate_after(*kept)?,
            Record::Purge { index, bytes } => self.purge(*index, bytes)?,
        }
        Ok(())
    }

    fn append(&mut self, index: u64) -> Result<(), ReplayError> {
        if let Some(last) = self.last_index() {
            let expected = last.checked_add(1).ok_or(ReplayError::Full)?;
            if index != expected {
                return Err(ReplayError::Gap { expected, found: index });
            }
        }
        let first = self.held.map_or(index, |held| held.first);
        self.held = Some(Held { first, last: index });
        Ok(())
    }

    fn truncate_after(&mut self, kept: Option<u64>) -> Result<(), ReplayError> {
        if let Some(purged) = self.purged_index().filter(|purged| kept < Some(*purged)) {
            return Err(ReplayError::TruncatesPurged(purged));
        }
        self.held = self
            .held
            .and_then(|held| kept.map(|kept| Held { last: held.last.min(kept), ..held }))
            .filter(|held| held.first <= held.last);
        Ok(())
    }

    fn purge(&mut self, index: u64, bytes: &Arc<[u8]>) -> Result<(), ReplayError> {
        if let Some(purged) = self.purged_index().filter(|purged| index < *purged) {
            return Err(ReplayError::PurgesBack { purged, found: index });
        }
        self.purged = Some((index, opaque(bytes)?));
        self.held = self
            .held
            .filter(|held| index < held.last)
            .map(|held| Held { first: held.first.max(index.saturating_add(1)), ..held });
        Ok(())
    }

    /// Encodes the payload of a head frame.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_option(&mut out, self.vote.as_ref(), |out, vote| put_bytes(out, vote));
        put_option(&mut out, self.purged.as_ref(), |out, (index, id)| {
            put_u64(out, *index);
            put_bytes(out, id);
        });
        put_option(&mut out, self.held.as_ref(), |out, held| {
            put_u64(out, held.first);
            put_u64(out, held.last);
        });
        out
    }

    /// Decodes the payload of a head frame, with nothing after it.
    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        let mut input = Input(payload);
        let vote = option(&mut input, Input::bytes)?;
        let purged = option(&mut input, |input| Some((input.u64()?, input.bytes()?)))?;
        let held =
            option(&mut input, |input| Some(Held { first: input.u64()?, last: input.u64()? }))?;
        let head = Self { vote, purged, held };
        (input.is_empty() && head.is_possible()).then_some(head)
    }

    /// Returns `true` if records can have led to this head: entries begin right after the last
    /// purged one, and no vote or log id is too long.
    fn is_possible(&self) -> bool {
        let follows = match (self.purged_index(), self.held) {
            (Some(purged), Some(held)) => purged.checked_add(1) == Some(held.first),
            _ => true,
        };
        let ordered = self.held.is_none_or(|held| held.first <= held.last);
        let purged_id = self.purged.as_ref().map(|(_, id)| id);
        let mut opaques = [self.vote.as_ref(), purged_id].into_iter();
        follows && ordered && opaques.all(|bytes| bytes.is_none_or(|b| b.len() <= OPAQUE_LEN_MAX))
    }
}

fn opaque(bytes: &Arc<[u8]>) -> Result<Arc<[u8]>, ReplayError> {
    if bytes.len() > OPAQUE_LEN_MAX {
        return Err(ReplayError::OpaqueTooLong(bytes.len()));
    }
    Ok(Arc::clone(bytes))
}

fn put_option<T>(out: &mut Vec<u8>, value: Option<&T>, put: impl FnOnce(&mut Vec<u8>, &T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

fn option<'a, T>(
    input: &mut Input<'a>,
    read: impl FnOnce(&mut Input<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match input.u8()? {
        0 => Some(None),
        1 => read(input).map(Some),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64) -> Record {
        Record::Entry { index, bytes: [].into() }
    }

    fn purge(index: u64) -> Record {
        Record::Purge { index, bytes: (*b"id").into() }
    }

    /// Applies the records, of which only the last may be refused.
    fn apply_all(records: &[Record]) -> Result<Head, ReplayError> {
        let mut head = Head::default();
        let (last, before) = records.split_last().unwrap();
        for record in before {
            head.apply(record).unwrap();
        }
        head.apply(last).map(|()| head)
    }

    fn held(records: &[Record]) -> Option<(u64, u64)> {
        apply_all(records).unwrap().held.map(|held| (held.first, held.last))
    }

    #[test]
    fn refuses_entries_that_are_not_consecutive() {
        assert_eq!(held(&[entry(5), entry(6)]), Some((5, 6)));
        let gap = |expected, found| Err(ReplayError::Gap { expected, found });
        assert_eq!(apply_all(&[entry(5), entry(7)]), gap(6, 7));
        assert_eq!(apply_all(&[entry(5), entry(5)]), gap(6, 5));
        assert_eq!(apply_all(&[purge(9), entry(9)]), gap(10, 9));
        assert_eq!(apply_all(&[purge(9), entry(11)]), gap(10, 11));
        assert_eq!(held(&[purge(9), entry(10)]), Some((10, 10)));
        assert_eq!(apply_all(&[entry(u64::MAX), entry(0)]), Err(ReplayError::Full));
    }

    #[test]
    fn refuses_a_truncation_of_purged_entries() {
        let log = [entry(1), entry(2), entry(3)];
        let after = |more: &[Record]| [&log[..], more].concat();
        assert_eq!(held(&after(&[Record::TruncateAfter(Some(2))])), Some((1, 2)));
        assert_eq!(held(&after(&[Record::TruncateAfter(Some(9))])), Some((1, 3)));
        assert_eq!(held(&after(&[Record::TruncateAfter(Some(0))])), None);
        assert_eq!(held(&after(&[Record::TruncateAfter(None)])), None);
        assert_eq!(held(&after(&[purge(2), Record::TruncateAfter(Some(2))])), None);
        let refused = Err(ReplayError::TruncatesPurged(2));
        assert_eq!(apply_all(&after(&[purge(2), Record::TruncateAfter(Some(1))])), refused);
        assert_eq!(apply_all(&after(&[purge(2), Record::TruncateAfter(None)])), refused);
    }

    #[test]
    fn a_purge_never_goes_back_but_may_go_beyond_the_last_entry() {
        let log = [entry(1), entry(2), entry(3)];
        let after = |more: &[Record]| [&log[..], more].concat();
        assert_eq!(held(&after(&[purge(0)])), Some((1, 3)));
        assert_eq!(held(&after(&[purge(1), purge(1)])), Some((2, 3)));
        assert_eq!(held(&after(&[purge(3)])), None);
        assert_eq!(held(&after(&[purge(u64::MAX)])), None);
        assert_eq!(held(&after(&[purge(9), entry(10)])), Some((10, 10)));
        let refused = Err(ReplayError::PurgesBack { purged: 2, found: 1 });
        assert_eq!(apply_all(&after(&[purge(2), purge(1)])), refused);
    }

    #[test]
    fn refuses_votes_and_log_ids_that_are_too_long() {
        let bytes = |len: usize| -> Arc<[u8]> { vec![1; len].into() };
        assert!(apply_all(&[Record::Vote(bytes(OPAQUE_LEN_MAX))]).is_ok());
        let len = OPAQUE_LEN_MAX + 1;
        let refused = Err(ReplayError::OpaqueTooLong(len));
        assert_eq!(apply_all(&[Record::Vote(bytes(len))]), refused);
        assert_eq!(apply_all(&[Record::Purge { index: 1, bytes: bytes(len) }]), refused);
    }

    #[test]
    fn a_head_round_trips_and_has_one_encoding() {
        let head =
            apply_all(&[Record::Vote((*b"vote").into()), entry(1), purge(1), entry(2)]).unwrap();
        for head in [head, Head::default()] {
            let mut payload = head.encode();
            assert_eq!(Head::decode(&payload), Some(head));
            for len in 0..payload.len() {
                assert_eq!(Head::decode(&payload[..len]), None);
            }
            payload.push(0);
            assert_eq!(Head::decode(&payload), None);
        }
    }
}
