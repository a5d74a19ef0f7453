//! The log: an append-only store of records that survives a crash.
//!
//! This room keeps bytes. It knows nothing of Raft, tokens or counters: an
//! entry is an index and bytes, a vote is bytes, a log id is bytes. What it
//! promises is the order of things: a record is acknowledged after it is
//! durable, and a record that was acknowledged is either replayed or the log
//! refuses to open. It never loses one in silence.
//!
//! # The bytes, version 1
//!
//! All numbers are little-endian, all checksums CRC-32 (IEEE). A log is a
//! folder of its own:
//!
//! ```text
//! lock                      held by the one process that has the log open
//! 00000000000000000001      segments, consecutive; the last one is written to
//! 00000000000000000002
//! 00000000000000000003.tmp  a segment in the making; removed by the next open
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
//! Every byte of a segment is either checked by a checksum or must have one
//! known value, so every content has exactly one spelling.
//!
//! # How it is written
//!
//! - A frame is one unit of write and of sync: one write into zeros that are
//!   already there, one `fdatasync`, then the acknowledgement. The next frame is
//!   written after that. So at most one frame is in flight, ever.
//! - A segment is written whole to `NAME.tmp` (header, head frame, zeros), synced,
//!   renamed, and the folder synced. A segment under its own name therefore
//!   has its full length and a whole head frame, always.
//! - The head frame says everything older segments said but the entries. An older
//!   segment is deleted once each entry in it is purged: oldest first, one
//!   folder sync each.
//! - The first write, sync, rename or delete that fails ends it: the log is
//!   poisoned until it is opened again. A sync is never tried twice, because the
//!   second can succeed with the data gone.
//! - Every open writes the last segment anew, as above, whether or not there was
//!   something to cut. After a failed sync the page cache can show a frame that
//!   the disk does not hold; what an open has read and shown to its caller must be
//!   durable before anything is built on it. And a cut made in place could itself
//!   be torn; a rename cannot.
//!
//! # How it is read
//!
//! An open first reads everything and changes nothing (`replay.rs` has no write
//! in it). Where a frame is expected it judges, in this order:
//!
//! | what is found | last segment | others |
//! |---|---|---|
//! | only zeros to the end of the segment | end | end |
//! | a whole frame: header, marks, checksum, padding | go on | go on |
//! | the header of this very frame, at least one mark zero, all others whole, only zeros after the frame | torn | damage |
//! | the first 1 ..= 31 bytes of the header of this very frame, only zeros after | torn | damage |
//! | zeros to the end of the sector, then sectors that are zero or end in a mark, the last one perhaps cut short; no frame header in them | torn | damage |
//! | anything else | damage | damage |
//!
//! The head frame must be whole in every segment. Segment numbers and sequences
//! must have no gap, chains must link, each head frame must repeat the state
//! replayed so far, each record must keep the rules of [`LogState::apply`], and no
//! entry may be missing at the end. All else is damage: the open is refused, the
//! error names file, byte and what was expected, and nothing on disk is changed.
//!
//! # Why an acknowledged record is never cut
//!
//! The fault model: a write that was not synced when the process was killed, when it
//! failed, or when the power failed, leaves any 512-byte sectors of any prefix of its
//! bytes; a write that was synced stays; the other bytes of a sector survive a rewrite
//! of it; and a bit may have flipped anywhere.
//!
//! Only the one frame in flight is unsynced, so a torn frame has nothing but zeros
//! after it. If frame *n* was acknowledged, all its bytes are there. To be cut it
//! would have to look like one of the three torn rows:
//!
//! - *a zero mark*: a mark is never written as zero, and is four bit flips away from
//!   it. Payload bytes cannot pass for a missing sector, however many are zero;
//! - *the start of a header, then zeros*: frame *n* ends in a mark;
//! - *a missing first sector*: the header begins with a magic that is 15 bits away
//!   from zeros.
//!
//! And if *n + 1* was begun, its bytes stand after frame *n* and forbid the cut.
//!
//! A bit that flipped in the zeros behind the last frame takes nothing away. In the
//! sector where the next frame begins it is damage; farther behind it is no different
//! from what an interrupted write may leave, and is cut as such and reported.
//!
//! Outside the model, by need: a disk that says it synced and did not, or that
//! returns zeros for a sector it once held. Its last frame is then cut, or its last
//! segment missing, and no log can tell from its own bytes. So too the newest
//! segments removed, or the whole folder put back from a backup, by hand. Raft's
//! quorum and the ledger's `born_at` stand guard there. CRCs find accidents, not
//! forgers.
//!
//! # Where to read
//!
//! Pure: [`Record`] and its bytes (`record.rs`), the rules ([`Head`] in `head.rs`),
//! the state they build ([`LogState`]), frames and the torn-or-damaged judgement
//! (`frame.rs`). With a disk: [`Disk`] is the only door, [`FileDisk`] the real one;
//! `segment.rs` makes and reads one file, `replay.rs` reads a folder, [`Log`]
//! appends, [`Writer`] shares one sync among all who wait.

mod disk;
mod error;
mod file_disk;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod head;
#[expect(clippy::module_inception, reason = "the room holds more than the one type named so")]
mod log;
mod record;
mod replay;
mod segment;
mod state;
mod writer;

pub use disk::{Disk, DiskFile};
pub use error::{Damage, LogError, ReplayError};
pub use file_disk::FileDisk;
pub use head::{Head, Held, OPAQUE_LEN_MAX};
pub use log::{Log, Recovery};
pub use record::Record;
pub use replay::Cut;
pub use segment::{LedgerId, SegmentLen};
pub use state::LogState;
pub use writer::Writer;
