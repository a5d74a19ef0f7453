//! Segments: one file each. Their names, and how they are created and read. The bytes are in
//! `mod.rs`.

use std::fmt;

use super::error::damage;
use super::frame::{self, ALIGN, Found, Link, Mismatch, SECTOR};
use super::record::{Input, put_u64};
use super::{Disk, DiskFile, Head, LogError, Record, VERSION};

const MAGIC: [u8; 8] = *b"jetonlog";
const HEADER_LEN: usize = 2 * ALIGN;
/// The offset of the segment's number in its header.
const NUMBER_AT: usize = 32;

/// The ledger that a log belongs to: 16 random bytes.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct LedgerId(pub [u8; 16]);

impl fmt::Display for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LedgerId({self})")
    }
}

/// The length of a new segment in bytes: a multiple of 512, from 4 KiB to 64 MiB.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SegmentLen(u32);

impl SegmentLen {
    const MIN: u32 = 4 * 1024;
    const MAX: u32 = 64 * 1024 * 1024;

    /// Returns the length, or `None` if a segment may not have it.
    #[must_use]
    pub fn new(bytes: u32) -> Option<Self> {
        let is_whole_sectors = usize::try_from(bytes).ok()?.is_multiple_of(SECTOR);
        ((Self::MIN..=Self::MAX).contains(&bytes) && is_whole_sectors).then_some(Self(bytes))
    }

    /// Returns the most payload bytes of a frame, and so of a record. Such a frame always fits in a
    /// segment after the head frame.
    #[must_use]
    pub const fn payload_len_max(self) -> usize {
        self.bytes() / 4
    }

    /// Returns the length in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.0 as usize
    }
}

/// 4 MiB.
impl Default for SegmentLen {
    fn default() -> Self {
        Self(4 * 1024 * 1024)
    }
}

/// Returns the name of a segment. Names sort like numbers.
pub(super) fn name(number: u64) -> String {
    format!("{number:020}")
}

/// Returns the number of the segment with this name, or `None` for other files.
pub(super) fn number(file_name: &str) -> Option<u64> {
    file_name.parse().ok().filter(|number| name(*number) == file_name)
}

/// Returns `true` if the name is that of an unfinished segment.
pub(super) fn is_unfinished(file_name: &str) -> bool {
    file_name.strip_suffix(".tmp").and_then(number).is_some()
}

/// Returns the link of the first frame of a new ledger.
pub(super) fn first_link(ledger: LedgerId) -> Link {
    Link { chain: crc32fast::hash(&ledger.0), segment: 1, sequence: 1 }
}

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) file: Box<dyn DiskFile>,
    pub(super) len: SegmentLen,
    /// Where the next frame goes.
    pub(super) end: usize,
    /// The link of the next frame.
    pub(super) next: Link,
}

impl Active {
    /// Creates the segment that begins with `link` and `head`, durably.
    pub(super) fn create(
        disk: &dyn Disk,
        len: SegmentLen,
        ledger: LedgerId,
        link: Link,
        head: &Head,
    ) -> Result<Self, LogError> {
        let mut bytes = encode_header(len, ledger, link);
        let payload = head.encode();
        // A head has at most 3 * 256 bytes and some numbers, a segment at least 4 KiB.
        let frame = frame::encode(link, HEADER_LEN, len.bytes(), &payload).ok_or_else(|| {
            LogError::TooLong { len: payload.len(), len_max: len.payload_len_max() }
        })?;
        bytes.extend_from_slice(&frame.bytes);
        Self::write_whole(disk, len, bytes, frame.next)
    }

    /// Creates or replaces a segment that has `bytes` and then zeros, durably and atomically.
    pub(super) fn write_whole(
        disk: &dyn Disk,
        len: SegmentLen,
        mut bytes: Vec<u8>,
        next: Link,
    ) -> Result<Self, LogError> {
        let end = bytes.len();
        bytes.resize(len.bytes(), 0);
        let name = name(next.segment);
        let file = disk
            .replace(&name, &format!("{name}.tmp"), &bytes)
            .map_err(LogError::io("write", disk.path(&name)))?;
        Ok(Self { file, len, end, next })
    }
}

/// The contents of a segment.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) len: SegmentLen,
    /// The link of its head frame.
    pub(super) link: Link,
    pub(super) head: Head,
    /// Each frame after the head frame.
    pub(super) frames: Vec<Records>,
    /// Where the next frame would go.
    pub(super) end: usize,
    /// The link of the next frame.
    pub(super) next: Link,
    /// Where the torn frame at `end` ends, if there is one.
    pub(super) torn_end: Option<usize>,
}

/// The records of a frame, and its position.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) at: usize,
    pub(super) len: usize,
    pub(super) records: Vec<Record>,
}

/// Reads a segment and returns its bytes and contents. Only the last segment may have a torn tail.
pub(super) fn read(
    disk: &dyn Disk,
    number: u64,
    ledger: LedgerId,
    is_last: bool,
) -> Result<(Vec<u8>, Contents), LogError> {
    let name = name(number);
    let path = disk.path(&name);
    // One byte more than any segment has shows that a file is too long.
    let bytes = disk
        .read(&name, SegmentLen(SegmentLen::MAX).bytes() + 1)
        .map_err(LogError::io("read", path.clone()))?;
    if let Some(found) = other_version(&bytes) {
        return Err(LogError::Version { path, found });
    }
    if decode_header(&bytes).is_ok_and(|header| header.ledger != ledger) {
        return Err(LogError::OtherLedger(path));
    }
    let contents = decode(&bytes, number, is_last).map_err(|mismatch| damage(path, mismatch))?;
    Ok((bytes, contents))
}

/// Decodes a segment, which may be of any ledger.
pub(super) fn decode(bytes: &[u8], number: u64, is_last: bool) -> Result<Contents, Mismatch> {
    let Header { len, link, .. } = decode_header(bytes)?;
    if link.segment != number {
        return Err(Mismatch { offset: NUMBER_AT, expected: "the number in the file's name" });
    }
    if bytes.len() != len.bytes() {
        let offset = bytes.len().min(len.bytes());
        return Err(Mismatch { offset, expected: "a file of the length in its header" });
    }
    let no_head = Mismatch { offset: HEADER_LEN, expected: "a whole head frame" };
    let Found::Frame { payload, end, next } = frame::find(bytes, HEADER_LEN, link)? else {
        return Err(no_head);
    };
    let head = Head::decode(&payload).ok_or(no_head)?;
    let mut contents = Contents { len, link, head, frames: Vec::new(), end, next, torn_end: None };
    loop {
        let at = contents.end;
        match frame::find(bytes, at, contents.next)? {
            Found::Frame { payload, end, next } => {
                let records = Record::decode_all(&payload)
                    .ok_or(Mismatch { offset: at, expected: "a frame of known records" })?;
                contents.frames.push(Records { at, len: end - at, records });
                (contents.end, contents.next) = (end, next);
            }
            Found::End => return Ok(contents),
            Found::Torn { end } if is_last => {
                return Ok(Contents { torn_end: Some(end), ..contents });
            }
            Found::Torn { .. } => {
                let expected = "a whole frame, as this is not the last segment";
                return Err(Mismatch { offset: at, expected });
            }
        }
    }
}

struct Header {
    len: SegmentLen,
    ledger: LedgerId,
    link: Link,
}

fn encode_header(len: SegmentLen, ledger: LedgerId, link: Link) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&len.0.to_le_bytes());
    header.extend_from_slice(&ledger.0);
    put_u64(&mut header, link.segment);
    put_u64(&mut header, link.sequence);
    header.extend_from_slice(&link.chain.to_le_bytes());
    put_u64(&mut header, 0);
    let crc = crc32fast::hash(&header);
    header.extend_from_slice(&crc.to_le_bytes());
    header
}

/// Returns the version in the header, if it is an unknown one. Nothing after it can then be
/// interpreted.
fn other_version(bytes: &[u8]) -> Option<u32> {
    let mut input = Input(bytes);
    let magic: [u8; MAGIC.len()] = input.array()?;
    let version = input.u32()?;
    (magic == MAGIC && version != VERSION).then_some(version)
}

fn decode_header(bytes: &[u8]) -> Result<Header, Mismatch> {
    let mismatch = Mismatch { offset: 0, expected: "the header of a segment" };
    let mut input = Input(bytes.get(MAGIC.len() + 4..).ok_or(mismatch)?);
    let mut fields = || {
        let len = SegmentLen::new(input.u32()?)?;
        let ledger = LedgerId(input.array()?);
        let (segment, sequence, chain) = (input.u64()?, input.u64()?, input.u32()?);
        Some(Header { len, ledger, link: Link { chain, segment, sequence } })
    };
    let header = fields().ok_or(mismatch)?;
    // Encoding it again checks every byte.
    let is_whole = bytes.starts_with(&encode_header(header.len, header.ledger, header.link));
    if is_whole { Ok(header) } else { Err(mismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEDGER: LedgerId = LedgerId([7; 16]);

    fn segment() -> Vec<u8> {
        let len = SegmentLen::new(4096).unwrap();
        let link = first_link(LEDGER);
        let mut bytes = encode_header(len, LEDGER, link);
        let frame =
            frame::encode(link, HEADER_LEN, len.bytes(), &Head::default().encode()).unwrap();
        bytes.extend_from_slice(&frame.bytes);
        bytes.resize(len.bytes(), 0);
        bytes
    }

    #[test]
    fn a_segment_round_trips() {
        assert_eq!(decode_header(&segment()).unwrap().ledger, LEDGER);
        let contents = decode(&segment(), 1, false).unwrap();
        assert_eq!(contents.link, first_link(LEDGER));
        assert_eq!(contents.head, Head::default());
        assert_eq!(contents.frames.len(), 0);
    }

    #[test]
    fn version_1_has_these_bytes() {
        let hex: String = segment()[..128].iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = concat!(
            "6a65746f6e6c6f67010000000010000007070707070707070707070707070707",
            "01000000000000000100000000000000796c196000000000000000002e93a685",
            "6a667231796c19600100000000000000010000000000000003000000837283b5",
            "00000090b58a75000000000000000000000000000000000000000000000000a5",
        );
        assert_eq!(hex, expected);
    }

    #[test]
    fn a_segment_under_another_name_is_damage() {
        assert_eq!(decode(&segment(), 2, true).unwrap_err().offset, 32);
    }

    #[test]
    fn a_file_of_any_other_length_is_damage() {
        let mut bytes = segment();
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len], 1, true).unwrap_err().offset <= len);
        }
        bytes.push(0);
        assert_eq!(decode(&bytes, 1, true).unwrap_err().offset, 4096);
    }

    #[test]
    fn every_flipped_bit_is_damage_in_a_segment_that_is_not_the_last() {
        let whole = segment();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bytes, 1, false).unwrap_err().offset <= bit / 8);
        }
    }

    #[test]
    fn another_version_is_not_damage() {
        let mut bytes = segment();
        assert_eq!(other_version(&bytes), None);
        bytes[8] = 2;
        assert_eq!(other_version(&bytes), Some(2));
    }

    #[test]
    fn names_sort_like_numbers_and_have_one_spelling() {
        assert_eq!(name(7), "00000000000000000007");
        assert_eq!(number(&name(u64::MAX)), Some(u64::MAX));
        for other in ["7", "00000000000000000007.tmp", "lock", "+0000000000000000007", ""] {
            assert_eq!(number(other), None);
        }
        assert!(is_unfinished("00000000000000000007.tmp"));
        assert!(!is_unfinished("7.tmp"));
    }

    #[test]
    fn a_segment_length_is_whole_sectors_within_bounds() {
        for bytes in [4096, 4608, 64 * 1024 * 1024] {
            assert_eq!(SegmentLen::new(bytes).unwrap().bytes(), bytes as usize);
        }
        for bytes in [0, 3584, 4097, 64 * 1024 * 1024 + 512, u32::MAX] {
            assert_eq!(SegmentLen::new(bytes), None);
        }
    }
}
