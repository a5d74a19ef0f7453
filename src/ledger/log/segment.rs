//! Segments: one file each. How they are named, made and read; the bytes are in
//! `mod.rs`.

use std::fmt;

use super::error::damage;
use super::frame::{self, ALIGN, Fault, Found, Link, SECTOR};
use super::record::{Input, put_u64};
use super::{Disk, DiskFile, Head, LogError, Record};

/// The one format version there is.
pub(super) const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"jetonlog";
const HEADER_LEN: usize = 2 * ALIGN;
/// Where a header names its ledger, and its segment.
const LEDGER_AT: usize = 16;
const NUMBER_AT: usize = 32;

/// What is expected where a segment of another ledger lies.
pub(super) const OTHER_LEDGER: &str = "the id of this ledger";

/// Which ledger a log belongs to: 16 random bytes, drawn when it was created.
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

    /// Returns the length, if a segment may have it.
    #[must_use]
    pub fn new(bytes: u32) -> Option<Self> {
        let is_whole_sectors = usize::try_from(bytes).ok()?.is_multiple_of(SECTOR);
        ((Self::MIN..=Self::MAX).contains(&bytes) && is_whole_sectors).then_some(Self(bytes))
    }

    /// Returns the most payload bytes that a frame has, and so the most that a
    /// record has: with a head frame, one such always fits in a segment.
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

/// Returns the name of a segment, which sorts as its number does.
pub(super) fn name(number: u64) -> String {
    format!("{number:020}")
}

/// Returns the number of the segment with this name, if it is one.
pub(super) fn number(file_name: &str) -> Option<u64> {
    file_name.parse().ok().filter(|number| name(*number) == file_name)
}

/// Tells whether the name is that of a segment in the making.
pub(super) fn is_unfinished(file_name: &str) -> bool {
    file_name.strip_suffix(".tmp").and_then(number).is_some()
}

/// Returns what the first frame of a new ledger is linked to.
pub(super) fn first_link(ledger: LedgerId) -> Link {
    Link { chain: crc32fast::hash(&ledger.0), segment: 1, sequence: 1 }
}

/// A segment that is being written to.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) file: Box<dyn DiskFile>,
    pub(super) len: SegmentLen,
    /// Where the next frame goes.
    pub(super) end: usize,
    /// What the next frame is linked to.
    pub(super) next: Link,
}

impl Active {
    /// Makes the segment that begins with `link` and `head`, durably.
    pub(super) fn create(
        disk: &dyn Disk,
        len: SegmentLen,
        ledger: LedgerId,
        link: Link,
        head: &Head,
    ) -> Result<Self, LogError> {
        let mut bytes = encode_header(len, ledger, link);
        let payload = head.encode();
        // A head is at most 3 * 256 bytes and some numbers, a segment at least 4 KiB.
        let frame = frame::encode(link, HEADER_LEN, len.bytes(), &payload).ok_or_else(|| {
            LogError::TooLong { len: payload.len(), len_max: len.payload_len_max() }
        })?;
        bytes.extend_from_slice(&frame.bytes);
        Self::write_whole(disk, len, bytes, frame.next)
    }

    /// Makes a segment of `bytes` and then zeros, durably and at once: it is not
    /// there under its name, or it is whole. It takes the place of one that is there.
    pub(super) fn write_whole(
        disk: &dyn Disk,
        len: SegmentLen,
        mut bytes: Vec<u8>,
        next: Link,
    ) -> Result<Self, LogError> {
        let end = bytes.len();
        bytes.resize(len.bytes(), 0);
        let name = name(next.segment);
        let unfinished = format!("{name}.tmp");
        let failed = |doing, name: &str| LogError::io(doing, disk.path(name));
        let file = disk.create(&unfinished).map_err(failed("create", &unfinished))?;
        file.write_all_at(&bytes, 0).map_err(failed("write", &unfinished))?;
        file.sync_data().map_err(failed("sync", &unfinished))?;
        disk.rename(&unfinished, &name).map_err(failed("rename", &unfinished))?;
        disk.sync_dir().map_err(failed("sync the folder of", &name))?;
        Ok(Self { file, len, end, next })
    }
}

/// What a segment holds.
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
    /// What the next frame is linked to.
    pub(super) next: Link,
    /// Where the torn frame at `end` ends, if there is one.
    pub(super) torn_end: Option<usize>,
}

/// What a frame holds, and where it is.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) at: usize,
    pub(super) len: usize,
    pub(super) records: Vec<Record>,
}

/// Reads a segment without changing it, and returns its bytes too. Only the last
/// segment may have a torn tail.
pub(super) fn read(
    disk: &dyn Disk,
    number: u64,
    ledger: LedgerId,
    is_last: bool,
) -> Result<(Vec<u8>, Contents), LogError> {
    let name = name(number);
    let path = disk.path(&name);
    // One byte more than any segment has, so as to see that a file is too long.
    let bytes = disk
        .read(&name, SegmentLen(SegmentLen::MAX).bytes() + 1)
        .map_err(LogError::io("read", path.clone()))?;
    if let Some(found) = other_version(&bytes) {
        return Err(LogError::Version { path, found });
    }
    let contents = decode(&bytes, number, ledger, is_last).map_err(|fault| damage(path, fault))?;
    Ok((bytes, contents))
}

/// Reads the bytes of a segment.
pub(super) fn decode(
    bytes: &[u8],
    number: u64,
    ledger: LedgerId,
    is_last: bool,
) -> Result<Contents, Fault> {
    let (len, link) = decode_header(bytes, number, ledger)?;
    let no_head = Fault { offset: HEADER_LEN, expected: "a whole head frame" };
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
                    .ok_or(Fault { offset: at, expected: "a frame of known records" })?;
                contents.frames.push(Records { at, len: end - at, records });
                (contents.end, contents.next) = (end, next);
            }
            Found::End => return Ok(contents),
            Found::Torn { end } if is_last => {
                return Ok(Contents { torn_end: Some(end), ..contents });
            }
            Found::Torn { .. } => {
                let expected = "a whole frame, as this is not the last segment";
                return Err(Fault { offset: at, expected });
            }
        }
    }
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

/// Returns the version that the segment says it has, if that is not ours: then
/// nothing after it can be judged.
fn other_version(bytes: &[u8]) -> Option<u32> {
    let mut input = Input(bytes);
    let magic: [u8; MAGIC.len()] = input.array()?;
    let version = input.u32()?;
    (magic == MAGIC && version != VERSION).then_some(version)
}

fn decode_header(bytes: &[u8], number: u64, ledger: LedgerId) -> Result<(SegmentLen, Link), Fault> {
    let fault = Fault { offset: 0, expected: "the header of a segment" };
    let mut input = Input(bytes.get(MAGIC.len() + 4..).ok_or(fault)?);
    let mut fields = || {
        let len = input.u32()?;
        let ledger = LedgerId(input.array()?);
        let (segment, sequence, chain) = (input.u64()?, input.u64()?, input.u32()?);
        Some((SegmentLen::new(len)?, ledger, Link { chain, segment, sequence }))
    };
    let (len, found, link) = fields().ok_or(fault)?;
    // To write it again is the strictest way to read it.
    if !bytes.starts_with(&encode_header(len, found, link)) {
        return Err(fault);
    }
    if found != ledger {
        return Err(Fault { offset: LEDGER_AT, expected: OTHER_LEDGER });
    }
    if link.segment != number {
        return Err(Fault { offset: NUMBER_AT, expected: "the number in the name of the file" });
    }
    if bytes.len() != len.bytes() {
        return Err(Fault {
            offset: bytes.len().min(len.bytes()),
            expected: "a file of exactly the length in its header",
        });
    }
    Ok((len, link))
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

    fn fault(bytes: &[u8]) -> Fault {
        decode(bytes, 1, LEDGER, true).unwrap_err()
    }

    #[test]
    fn segment_reads_back_as_made() {
        let contents = decode(&segment(), 1, LEDGER, false).unwrap();
        assert_eq!(contents.link, first_link(LEDGER));
        assert_eq!(contents.head, Head::default());
        assert_eq!(contents.frames.len(), 0);
    }

    #[test]
    fn version_1_has_these_bytes_for_good() {
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
    fn segment_of_another_ledger_or_under_another_name_is_damage() {
        let fault = |number, ledger| decode(&segment(), number, ledger, true).unwrap_err().offset;
        assert_eq!(fault(1, LedgerId([8; 16])), 16);
        assert_eq!(fault(2, LEDGER), 32);
    }

    #[test]
    fn file_of_any_other_length_is_damage() {
        let mut bytes = segment();
        for len in 0..bytes.len() {
            assert!(fault(&bytes[..len]).offset <= len);
        }
        bytes.push(0);
        assert_eq!(fault(&bytes).offset, 4096);
    }

    #[test]
    fn every_flipped_bit_is_damage_where_nothing_can_be_torn() {
        let whole = segment();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bytes, 1, LEDGER, false).unwrap_err().offset <= bit / 8);
        }
    }

    #[test]
    fn other_version_is_told_from_damage() {
        let mut bytes = segment();
        assert_eq!(other_version(&bytes), None);
        bytes[8] = 2;
        assert_eq!(other_version(&bytes), Some(2));
    }

    #[test]
    fn names_sort_as_numbers_and_have_one_spelling() {
        assert_eq!(name(7), "00000000000000000007");
        assert_eq!(number(&name(u64::MAX)), Some(u64::MAX));
        for other in ["7", "00000000000000000007.tmp", "lock", "+0000000000000000007", ""] {
            assert_eq!(number(other), None);
        }
        assert!(is_unfinished("00000000000000000007.tmp"));
        assert!(!is_unfinished("7.tmp"));
    }

    #[test]
    fn segment_length_is_whole_sectors_within_its_bounds() {
        for bytes in [4096, 4608, 64 * 1024 * 1024] {
            assert_eq!(SegmentLen::new(bytes).unwrap().bytes(), bytes as usize);
        }
        for bytes in [0, 3584, 4097, 64 * 1024 * 1024 + 512, u32::MAX] {
            assert_eq!(SegmentLen::new(bytes), None);
        }
    }
}
