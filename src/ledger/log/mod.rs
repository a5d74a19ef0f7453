//! The log: an append-only store of records that survives a crash.
//!
//! This room stores bytes. It knows nothing of Raft, tokens or counters: an entry is an index and
//! bytes, a vote is bytes, a log id is bytes. A record is acknowledged only after it is durable. An
//! acknowledged record is always replayed, or the log refuses to open.
//!
//! # The bytes, version 1
//!
//! All numbers are little-endian, all checksums CRC-32 (IEEE). A log is a directory of its own:
//!
//! ```text
//! lock                      locked by the process that has the log open
//! 00000000000000000001      segments, consecutive; the last one is written to
//! 00000000000000000002
//! 00000000000000000003.tmp  an unfinished segment; the next open removes it
//!
//! segment = header(64) | head frame | frame ... | zeros up to its full length
//! header  = "jetonlog" | version u32 | segment length u32 | ledger id [u8; 16]
//!           | segment u64 | sequence u64 | chain u32 | 8 zeros | crc u32
//!             segment .. chain: what the head frame's header repeats
//!             crc: of the 60 bytes before it
//!
//! frame   = header(32) | body, a multiple of 32 bytes at a multiple of 32
//! header  = "jfr1" | chain u32 | segment u64 | sequence u64 | length u32 | crc u32
//!             chain: the checksum in the body of the frame before; of the very
//!                    first frame: the crc of the ledger id
//!             sequence: 1 for the very first frame, then one more each
//!             length: of the payload
//!             crc: of the 28 bytes before it
//! body    = payload | checksum u32 of (header without its crc | payload) | zeros,
//!           cut by a mark byte 0xa5 as the last byte of the body in each
//!           512-byte sector of the file, and as the last byte of the frame
//!
//! payload of a head frame   = vote? | purged? | held?
//!           x? = 0x00, or 0x01 and x;  bytes = length u64 | the bytes
//!           vote = bytes;  purged = index u64 | bytes
//!           held = first index u64 | last index u64
//! payload of another frame  = one or more records:
//!           0x01 Vote           bytes
//!           0x02 Entry          index u64 | bytes
//!           0x03 TruncateAfter  index u64
//!           0x04 TruncateAfter  (nothing: all entries go)
//!           0x05 Purge          index u64 | bytes
//! ```
//!
//! Every byte of a segment is covered by a checksum or must have one known value, so each content
//! has exactly one encoding.
//!
//! # How it is written
//!
//! - A frame is the unit of writing and syncing: one write over zeros that are already there, one
//!   `fdatasync`, then the acknowledgement. Only then is the next frame written, so at most one
//!   frame is in flight.
//! - A segment is written whole to `NAME.tmp` (header, head frame, zeros), synced and renamed, and
//!   then the directory is synced. A segment under its own name therefore always has its full
//!   length and a whole head frame.
//! - The head frame repeats the state from older segments, without their entries. A segment is
//!   deleted once all its entries are purged: oldest first, with one directory sync each.
//! - After the first write, sync, rename or delete that fails, the log is poisoned until it is
//!   opened again. No sync is retried: the second one may succeed although the data is gone.
//! - Every open rewrites the last segment, as above, even if there is nothing to cut. After a
//!   failed sync the page cache can show a frame that the disk does not have; what an open returns
//!   must be durable before anything builds on it. And a cut made in place could itself be torn; a
//!   rename cannot.
//!
//! # How it is read
//!
//! An open first reads everything and changes nothing (`replay.rs` writes nothing). Where it
//! expects a frame, it decides in this order:
//!
//! | what is found | last segment | others |
//! |---|---|---|
//! | only zeros to the end of the segment | end | end |
//! | a whole frame: header, marks, checksum, padding | continue | continue |
//! | the header of this very frame, at least one mark zero, all others whole, only zeros after the frame | torn | damage |
//! | the first 1 ..= 31 bytes of the header of this very frame, only zeros after | torn | damage |
//! | zeros to the end of the sector, then sectors that are zero or end in a mark, the last one perhaps cut short; no frame header in them | torn | damage |
//! | anything else | damage | damage |
//!
//! The head frame must be whole in every segment. Segment numbers and sequences must have no gap,
//! chains must link, each head frame must repeat the state replayed so far, each record must obey
//! the rules of [`LogState::apply`], and no entry may be missing at the end. Anything else is
//! damage: the log does not open, the error names the file, the byte and what was expected, and
//! nothing on disk is changed.
//!
//! # Why an acknowledged record is never cut
//!
//! The fault model: the process is killed, a write fails, or the power fails. A write that was not
//! synced then leaves any 512-byte sectors of any prefix of its bytes. A write that was synced
//! stays. Rewriting part of a sector keeps its other bytes. Any bit may flip.
//!
//! Only the one frame in flight is unsynced, so a torn frame has only zeros after it. If frame *n*
//! was acknowledged, all its bytes are there. To be cut, it would have to look like one of the
//! three torn rows:
//!
//! - *a zero mark*: a mark is never written as zero, and is four bit flips away from it. Payload
//!   bytes, even if all are zero, cannot look like a missing sector;
//! - *the start of a header, then zeros*: frame *n* ends in a mark;
//! - *a missing first sector*: the header begins with a magic that is 15 bits away from zeros.
//!
//! And once writing frame *n + 1* has begun, its bytes follow frame *n* and prevent the cut.
//!
//! A flipped bit in the zeros after the last frame loses nothing. In the sector where the next
//! frame begins, it is damage. Farther on it looks like the rest of an interrupted write, and is
//! cut and reported like one.
//!
//! Outside the model: a disk that reports a sync it did not make, or returns zeros for a sector
//! that it once held. The last frame is then cut, or the last segment missing, and no log can
//! detect that from its own bytes. The same holds if someone deletes the newest segments or
//! restores the whole directory from a backup. Raft's quorum and the ledger's `born_at` protect
//! against these. CRCs detect accidents, not forgery.
//!
//! # Where to read
//!
//! Pure: [`Record`] and its bytes (`record.rs`), the rules ([`Head`] in `head.rs`), the state they
//! build ([`LogState`]), frames and the decision between torn and damaged (`frame.rs`). On disk:
//! all access is through [`Disk`], of which [`FileDisk`] is the real one; `segment.rs` creates and
//! reads one file, `replay.rs` reads a directory, [`Log`] appends, [`Writer`] shares one sync among
//! all waiting submissions.

mod disk;
mod error;
mod file_disk;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod head;
#[expect(clippy::module_inception, reason = "the room has more than this one type")]
mod log;
mod record;
mod replay;
mod segment;
mod state;
mod writer;

pub use disk::{Disk, DiskFile};
pub use error::{Damage, LogError, ReplayError};
pub use file_disk::FileDisk;
pub use head::{Head, Held};
pub use log::{Log, Recovery};
pub use record::{OPAQUE_LEN_MAX, Record};
pub use replay::Cut;
pub use segment::{LedgerId, SegmentLen};
pub use state::LogState;
pub use writer::Writer;

/// The only format version.
const VERSION: u32 = 1;
