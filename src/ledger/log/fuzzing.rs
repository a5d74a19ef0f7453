//! The bodies of the fuzz targets. Each function panics if a property does not hold for `data`.

use std::ops::Range;

use super::frame::{self, Found};
use super::segment::{self, LedgerId};
use super::{Head, LogState, Record};

const LEDGER: LedgerId = LedgerId([7; 16]);

/// Decodes a payload: what decodes must encode to the same bytes, and the records that the rules
/// accept must leave no gap.
pub fn record(data: &[u8]) {
    if let Some(head) = Head::decode(data) {
        assert_eq!(head.encode(), data, "a head has a second encoding");
    }
    let Some(records) = Record::decode_all(data) else { return };
    let mut payload = Vec::new();
    let mut state = LogState::default();
    for record in &records {
        record.encode(&mut payload);
        let before = state.clone();
        if state.apply(record).is_err() {
            assert_eq!(state, before, "a refused record changed the state");
        }
        assert!(state.is_whole(), "entries are missing");
    }
    assert_eq!(payload, data, "records have a second encoding");
}

/// Decodes frames one after the other: each must encode to the same bytes.
pub fn frames(data: &[u8]) {
    let len = data.len().next_multiple_of(frame::SECTOR);
    let mut bytes = data.to_vec();
    bytes.resize(len, 0);
    let mut link = segment::first_link(LEDGER);
    let mut at = 0;
    while let Ok(Found::Frame { payload, end, next }) = frame::find(&bytes, at, link) {
        let again = frame::encode(link, at, len, &payload);
        let again = again.map(|frame| (frame.bytes, frame.next));
        let found = bytes.get(at..end).map(<[u8]>::to_vec);
        assert_eq!(again, found.map(|bytes| (bytes, next)), "a frame has a second encoding");
        (at, link) = (end, next);
    }
    // As a whole file it is almost always damaged, which must not panic.
    let _ = segment::decode(&bytes, 1, true);
}

/// Damages three frames as `data` says: each four bytes are an offset (2), a length (1) and a value
/// (1). No frame must read as another, and a cut must never take a frame that has a whole one after
/// it.
pub fn damage(data: &[u8]) {
    const LEN: usize = 4096;
    let payloads: [&[u8]; 3] = [b"first", &[0; 1200], &[0xa5; 700]];
    let mut written = Vec::new();
    let mut ranges = Vec::new();
    let mut link = segment::first_link(LEDGER);
    for payload in payloads {
        let Some(frame) = frame::encode(link, written.len(), LEN, payload) else { return };
        ranges.push(written.len()..written.len() + frame.bytes.len());
        written.extend_from_slice(&frame.bytes);
        link = frame.next;
    }
    written.resize(LEN, 0);
    let mut bytes = written.clone();
    for change in data.chunks_exact(4) {
        let &[low, high, len, value] = change else { continue };
        let at = usize::from(u16::from_le_bytes([low, high])) % LEN;
        bytes.iter_mut().skip(at).take(usize::from(len)).for_each(|byte| *byte = value);
    }
    let mut link = segment::first_link(LEDGER);
    for (i, (payload, range)) in payloads.iter().zip(&ranges).enumerate() {
        match frame::find(&bytes, range.start, link) {
            Ok(Found::Frame { payload: found, end, next }) => {
                assert_eq!((&*found, end), (*payload, range.end), "a frame reads as another");
                link = next;
            }
            Ok(Found::Torn { .. } | Found::End) => {
                let mut later = ranges.iter().skip(i + 1).cloned();
                let is_whole = |range: Range<usize>| bytes.get(range.clone()) == written.get(range);
                assert!(!later.any(is_whole), "a cut would take an acknowledged frame");
                return;
            }
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_keep_the_properties(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            super::record(&data);
            super::frames(&data);
        }

        #[test]
        fn arbitrary_damage_keeps_the_properties(
            changes in proptest::collection::vec((0..2200_u16, any::<u8>(), 0..3_u8), 0..8),
        ) {
            let change = |(at, len, value): (u16, u8, u8)| {
                [at.to_le_bytes(), [len, [0, 1, 0xa5][usize::from(value)]]].concat()
            };
            super::damage(&changes.into_iter().flat_map(change).collect::<Vec<u8>>());
        }
    }
}
