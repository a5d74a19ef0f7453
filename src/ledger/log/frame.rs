//! Frames: one write, one sync. Pure. The bytes, and the table of what is torn and what is damaged,
//! are in `mod.rs`.

use std::ops::Range;

/// Frames begin and end at multiples of this, so no header spans two sectors.
pub(super) const ALIGN: usize = 32;

/// The unit that a disk writes whole or not at all, in bytes.
pub(super) const SECTOR: usize = 512;

const HEADER_LEN: usize = 32;
/// The length of the part of a header that does not depend on the payload.
const LINK_LEN: usize = 24;
const MAGIC: [u8; 4] = *b"jfr1";
/// The last byte of a body in each sector: it shows that the sector was written.
const MARK: u8 = 0xa5;

/// The position of a frame. No other frame of this or any ledger has the same link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Link {
    /// The checksum of the previous frame.
    pub(super) chain: u32,
    /// The number of the segment.
    pub(super) segment: u64,
    /// The number of the frame in the whole log.
    pub(super) sequence: u64,
}

impl Link {
    fn encode(self) -> Vec<u8> {
        let numbers = [self.segment.to_le_bytes(), self.sequence.to_le_bytes()];
        [&MAGIC, &self.chain.to_le_bytes(), numbers.as_flattened()].concat()
    }

    /// Returns the link of the next frame in the same segment, after the frame with this link and
    /// `checksum`.
    const fn next(self, checksum: u32) -> Self {
        // No disk lives long enough for 2^64 syncs.
        Self { chain: checksum, sequence: self.sequence.wrapping_add(1), ..self }
    }

    /// Returns the link that the same frame has in the next segment.
    pub(super) const fn next_segment(self) -> Self {
        Self { segment: self.segment.wrapping_add(1), ..self }
    }
}

/// The bytes of a frame, and the link of the next frame.
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    pub(super) next: Link,
}

/// Encodes the frame with `payload` at offset `at` of a segment of `limit` bytes. Returns `None` if
/// it does not fit there.
pub(super) fn encode(link: Link, at: usize, limit: usize, payload: &[u8]) -> Option<Encoded> {
    let len = u32::try_from(payload.len()).ok()?;
    let end = end(at, payload.len(), limit)?;
    let header = encode_header(link, len);
    let checksum = checksum(&header, payload);
    let mut content = payload.iter().copied().chain(checksum.to_le_bytes());
    let mut bytes = header;
    for part in parts(at + HEADER_LEN, end) {
        let data_len = part.len() - 1;
        let data_end = bytes.len() + data_len;
        bytes.extend(content.by_ref().take(data_len));
        bytes.resize(data_end, 0);
        bytes.push(MARK);
    }
    Some(Encoded { bytes, next: link.next(checksum) })
}

/// What was found where a frame may be.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// A whole frame.
    Frame { payload: Vec<u8>, end: usize, next: Link },
    /// Zeros to the end of the segment.
    End,
    /// What an interrupted write of this very frame can have left, up to `end`.
    Torn { end: usize },
}

/// Bytes of a segment that are not what was `expected` at `offset`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Mismatch {
    pub(super) offset: usize,
    pub(super) expected: &'static str,
}

/// Reads the frame with this link at offset `at` of a whole segment.
pub(super) fn find(segment: &[u8], at: usize, link: Link) -> Result<Found, Mismatch> {
    let rest = segment.get(at..).unwrap_or_default();
    if is_zero(rest) {
        return Ok(Found::End);
    }
    let Some((header, len)) = decode_header(rest) else {
        if is_start_of_header(rest, link) || is_without_first_sector(segment, at) {
            return Ok(Found::Torn { end: at + len_without_zeros(rest) });
        }
        return Err(Mismatch { offset: at, expected: "a frame header, or zeros to the end" });
    };
    if !header.starts_with(&link.encode()) {
        return Err(Mismatch { offset: at, expected: "the frame that follows the one before" });
    }
    let Some(end) = end(at, len, segment.len()) else {
        return Err(Mismatch { offset: at, expected: "a frame that ends inside the segment" });
    };
    let Some(body) = decode_body(segment, at + HEADER_LEN, end)? else {
        if is_zero(segment.get(end..).unwrap_or_default()) {
            return Ok(Found::Torn { end: at + len_without_zeros(rest) });
        }
        return Err(Mismatch { offset: at, expected: "a whole frame, as bytes follow it" });
    };
    let mismatch = Mismatch { offset: at, expected: "a frame that matches its checksum" };
    let (payload, after) = body.split_at_checked(len).ok_or(mismatch)?;
    let (stored, padding) = after.split_first_chunk().ok_or(mismatch)?;
    let checksum = checksum(header, payload);
    if u32::from_le_bytes(*stored) != checksum || !is_zero(padding) {
        return Err(mismatch);
    }
    Ok(Found::Frame { payload: payload.to_vec(), end, next: link.next(checksum) })
}

/// Returns the body without its marks, or `None` if a mark is zero: that sector, or the end of it,
/// was then not written.
fn decode_body(segment: &[u8], start: usize, end: usize) -> Result<Option<Vec<u8>>, Mismatch> {
    let mut body = Vec::with_capacity(end - start);
    let mut is_torn = false;
    for part in parts(start, end) {
        let mismatch = Mismatch { offset: part.end - 1, expected: "the mark that ends a sector" };
        let part = segment.get(part).unwrap_or_default();
        let (mark, data) = part.split_last().ok_or(mismatch)?;
        match *mark {
            MARK => body.extend_from_slice(data),
            0 => is_torn = true,
            _ => return Err(mismatch),
        }
    }
    Ok((!is_torn).then_some(body))
}

/// Returns `true` if a write was interrupted inside the header: the bytes up to the last one that
/// is not zero are those of `link`, then any of a length and a checksum.
fn is_start_of_header(rest: &[u8], link: Link) -> bool {
    let written = rest.get(..len_without_zeros(rest)).unwrap_or_default();
    let (written_link, more) = written.split_at(written.len().min(LINK_LEN));
    link.encode().starts_with(written_link) && more.len() < HEADER_LEN - LINK_LEN
}

/// Returns `true` if the first sector of a frame at `at` may be missing, and all later bytes may
/// belong to that frame: each of its sectors is zero or marked, except the last, where the write
/// may have been interrupted.
fn is_without_first_sector(segment: &[u8], at: usize) -> bool {
    let first_end = sector_end(at);
    let written_end = len_without_zeros(segment);
    let last_start = written_end.saturating_sub(1) / SECTOR * SECTOR;
    let mut headers = (first_end..written_end).step_by(ALIGN);
    is_zero(segment.get(at..first_end).unwrap_or_default())
        && parts(first_end, last_start).all(|part| {
            let part = segment.get(part).unwrap_or_default();
            is_zero(part) || part.last() == Some(&MARK)
        })
        && !headers.any(|at| segment.get(at..).and_then(decode_header).is_some())
}

fn encode_header(link: Link, len: u32) -> Vec<u8> {
    let mut header = link.encode();
    header.extend(len.to_le_bytes());
    let crc = crc32fast::hash(&header);
    header.extend(crc.to_le_bytes());
    header
}

/// Returns the header that `bytes` begin with and the length in it, if it is whole. The caller
/// checks that it belongs here.
fn decode_header(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (header, _) = bytes.split_at_checked(HEADER_LEN)?;
    let (checked, crc) = header.split_last_chunk()?;
    let (_, len) = checked.split_last_chunk()?;
    let is_whole =
        header.starts_with(&MAGIC) && crc32fast::hash(checked) == u32::from_le_bytes(*crc);
    is_whole.then_some((header, usize::try_from(u32::from_le_bytes(*len)).ok()?))
}

/// Returns the checksum of a body. It covers the header, so the chain covers all.
fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    // Without the header's own crc: bytes followed by their CRC all have the same CRC, so the chain
    // would not depend on the header.
    hasher.update(header.get(..HEADER_LEN - 4).unwrap_or_default());
    hasher.update(payload);
    hasher.finalize()
}

/// Returns the end of the frame that begins at `at` and has `len` payload bytes, or `None` if that
/// is beyond `limit`.
fn end(at: usize, len: usize, limit: usize) -> Option<usize> {
    let mut missing = len.checked_add(4)?;
    let mut end = at.checked_add(HEADER_LEN)?;
    while end < limit {
        let part_len = sector_end(end) - end;
        if missing < part_len {
            end += (missing + 1).next_multiple_of(ALIGN);
            return (end <= limit).then_some(end);
        }
        missing -= part_len - 1;
        end += part_len;
    }
    None
}

/// Splits a range of a file at the ends of its sectors.
fn parts(start: usize, end: usize) -> impl Iterator<Item = Range<usize>> {
    let mut at = start;
    std::iter::from_fn(move || {
        let part = at..sector_end(at).min(end);
        at = part.end;
        (!part.is_empty()).then_some(part)
    })
}

const fn sector_end(at: usize) -> usize {
    (at / SECTOR + 1) * SECTOR
}

/// Returns `true` if all bytes are zero.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    // Compared by sectors: an open looks at megabytes of zeros.
    const ZEROS: [u8; SECTOR] = [0; SECTOR];
    bytes.chunks(SECTOR).all(|chunk| ZEROS.starts_with(chunk))
}

/// Returns the number of bytes without the zeros at the end.
pub(super) fn len_without_zeros(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 8 * SECTOR;
    const LINK: Link = Link { chain: 0x1234_5678, segment: 3, sequence: 17 };

    /// Returns a segment with one frame at `at` and nothing else, and the frame's end.
    fn segment(at: usize, payload: &[u8]) -> (Vec<u8>, usize) {
        let frame = encode(LINK, at, LIMIT, payload).unwrap();
        let mut segment = vec![0; LIMIT];
        let end = at + frame.bytes.len();
        segment[at..end].copy_from_slice(&frame.bytes);
        (segment, end)
    }

    fn payload(len: usize) -> Vec<u8> {
        (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect()
    }

    #[test]
    fn a_frame_of_any_length_at_any_offset_round_trips() {
        for at in (0..2 * SECTOR).step_by(ALIGN) {
            for len in (0..100).chain(400..600).chain(1000..1100) {
                let (segment, end) = segment(at, &payload(len));
                let Ok(Found::Frame { payload: found, end: found_end, .. }) =
                    find(&segment, at, LINK)
                else {
                    panic!("no frame of {len} bytes at {at}");
                };
                assert_eq!((found, found_end), (payload(len), end));
                assert!(end.is_multiple_of(ALIGN));
            }
        }
    }

    #[test]
    fn a_frame_that_does_not_fit_is_not_encoded() {
        let room = (LIMIT - HEADER_LEN) - LIMIT / SECTOR - 4;
        assert!(encode(LINK, 0, LIMIT, &payload(room)).is_some());
        assert!(encode(LINK, 0, LIMIT, &payload(room + 1)).is_none());
        assert!(encode(LINK, LIMIT, LIMIT, &[]).is_none());
        assert!(encode(LINK, LIMIT - 32, LIMIT, &[]).is_none());
    }

    #[test]
    fn a_payload_with_a_sector_of_zeros_is_not_torn() {
        let (mut segment, _) = segment(64, &[0; 3 * SECTOR]);
        assert!(matches!(find(&segment, 64, LINK), Ok(Found::Frame { .. })));
        segment[2 * SECTOR + 100] = 1;
        assert_eq!(find(&segment, 64, LINK).unwrap_err().offset, 64);
    }

    #[test]
    fn any_sectors_of_any_prefix_of_a_frame_are_torn() {
        for (at, len) in [(64, 10), (480, 10), (480, 1000), (512, 1400), (96, 700)] {
            let (whole, end) = segment(at, &payload(len));
            let sectors: Vec<_> = parts(at, end).collect();
            for (written, lost) in (at + 1..=end)
                .flat_map(|written| (0..1 << sectors.len()).map(move |l| (written, l)))
            {
                let mut segment = whole.clone();
                segment[written..].fill(0);
                for (i, sector) in sectors.iter().enumerate() {
                    if lost & (1_u32 << i) != 0 {
                        segment[sector.clone()].fill(0);
                    }
                }
                match find(&segment, at, LINK) {
                    Ok(Found::Torn { .. }) => assert_ne!(segment, whole),
                    Ok(Found::End) => assert!(is_zero(&segment)),
                    Ok(Found::Frame { .. }) => assert_eq!(segment, whole),
                    Err(error) => panic!("{written} bytes at {at} without {lost:b}: {error:?}"),
                }
            }
        }
    }

    #[test]
    fn a_flipped_bit_never_cuts_a_frame() {
        for (at, len) in [(64, 10), (480, 10), (480, 1000)] {
            let (whole, _) = segment(at, &payload(len));
            for bit in at * 8..whole.len() * 8 {
                let mut segment = whole.clone();
                segment[bit / 8] ^= 1 << (bit % 8);
                match find(&segment, at, LINK) {
                    Err(mismatch) => assert!(mismatch.offset <= bit / 8),
                    // A bit in the zeros after it is found with the next frame.
                    Ok(Found::Frame { end, next, .. }) => {
                        assert!(bit / 8 >= end);
                        let is_in_sector = bit / 8 < sector_end(end);
                        assert_eq!(find(&segment, end, next).is_err(), is_in_sector);
                    }
                    Ok(found) => panic!("bit {bit} is read as {found:?}"),
                }
            }
        }
    }

    #[test]
    fn a_torn_frame_with_anything_after_it_is_damage() {
        let (whole, end) = segment(64, &payload(1000));
        for lost in [64..96, 64..512, 512..1024, end - 32..end] {
            let mut segment = whole.clone();
            segment[lost].fill(0);
            let after = encode(Link { sequence: 18, ..LINK }, end, LIMIT, b"next").unwrap();
            segment[end..end + after.bytes.len()].copy_from_slice(&after.bytes);
            find(&segment, 64, LINK).unwrap_err();
        }
    }

    #[test]
    fn the_chain_depends_on_every_earlier_frame() {
        let next = |link| encode(link, 0, LIMIT, b"payload").unwrap().next;
        let chain = next(LINK).chain;
        assert_ne!(next(Link { chain: 0, ..LINK }).chain, chain);
        assert_ne!(next(Link { segment: 4, ..LINK }).chain, chain);
        assert_ne!(next(Link { sequence: 18, ..LINK }).chain, chain);
    }

    #[test]
    fn a_frame_from_another_position_is_damage() {
        let (segment, _) = segment(64, b"payload");
        for link in [
            Link { chain: 0, ..LINK },
            Link { segment: 4, ..LINK },
            Link { sequence: 16, ..LINK },
            Link { sequence: 18, ..LINK },
        ] {
            assert_eq!(find(&segment, 64, link).unwrap_err().offset, 64);
        }
    }

    #[test]
    fn a_sector_without_its_mark_in_the_middle_is_damage() {
        let (mut segment, _) = segment(64, &payload(1400));
        segment[64..512].fill(0);
        assert!(matches!(find(&segment, 64, LINK), Ok(Found::Torn { .. })));
        segment[1023] = 0;
        assert_eq!(find(&segment, 64, LINK).unwrap_err().offset, 64);
    }
}
