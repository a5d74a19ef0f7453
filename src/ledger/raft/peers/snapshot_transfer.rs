//! A snapshot on its way to another node, in pieces.
//!
//! A snapshot can have hundreds of megabytes. Each piece is a call of its own, so
//! that other messages pass between them, and the receiver says which byte it
//! wants next, so that a piece that came twice or never does no harm.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::ledger::raft::types::{Snapshot, SnapshotMeta, Vote};

/// How many bytes of a snapshot one message carries.
#[cfg(not(test))]
pub(crate) const PIECE_LEN: usize = 4 * 1024 * 1024;
/// In tests small snapshots go in pieces too.
#[cfg(test)]
pub(crate) const PIECE_LEN: usize = 1_024;

/// A part of a snapshot.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Piece {
    /// The leader that sends it.
    pub(crate) vote: Vote,
    /// What the snapshot is of; it names it.
    pub(crate) meta: SnapshotMeta,
    /// How many bytes the whole has.
    pub(crate) len: u64,
    /// The CRC-32 of the whole.
    pub(crate) crc: u32,
    /// Where this part begins.
    pub(crate) offset: u64,
    /// The part; empty to ask what is wanted.
    pub(crate) bytes: Vec<u8>,
}

/// What the receiver says.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Taken {
    /// Go on from this byte.
    Next(u64),
    /// All of it came, and this node's vote is now this one. If that is higher
    /// than the sender's, it was not installed.
    Installed(Vote),
}

impl Piece {
    /// Returns the part of `snapshot` that begins at `offset`.
    pub(crate) fn of(vote: Vote, snapshot: &Snapshot, crc: u32, offset: u64) -> Self {
        let bytes = usize::try_from(offset).ok().and_then(|from| snapshot.snapshot.get(from..));
        let bytes = bytes.unwrap_or_default();
        let bytes = bytes.get(..PIECE_LEN).unwrap_or(bytes).to_vec();
        let (meta, len) = (snapshot.meta.clone(), snapshot.snapshot.len() as u64);
        Self { vote, meta, len, crc, offset, bytes }
    }

    fn is_of(&self, other: &Self) -> bool {
        (self.len, self.crc) == (other.len, other.crc) && self.meta == other.meta
    }
}

/// The snapshot that is being received: one at a time, the newest.
#[derive(Debug, Default)]
pub(crate) struct Incoming(Mutex<Option<(Piece, Vec<u8>)>>);

impl Incoming {
    /// Takes a piece. Returns the snapshot once it is whole, else the byte that is
    /// wanted next.
    pub(crate) fn take(&self, piece: &Piece) -> Result<Snapshot, u64> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, mut bytes) = match held.take() {
            Some((first, bytes)) if first.is_of(piece) => (first, bytes),
            Some(_) | None => (Piece { bytes: Vec::new(), ..piece.clone() }, Vec::new()),
        };
        if piece.offset == bytes.len() as u64 {
            bytes.extend_from_slice(&piece.bytes);
        }
        let next = bytes.len() as u64;
        if next < first.len {
            *held = Some((first, bytes));
            return Err(next);
        }
        if next > first.len || crc32fast::hash(&bytes) != first.crc {
            // Not what was sent: all again.
            return Err(0);
        }
        Ok(Snapshot { meta: first.meta, snapshot: bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::NodeId;

    fn snapshot(len: usize) -> (Snapshot, u32) {
        let bytes: Vec<u8> = (0..len).map(|index| u8::try_from(index % 251).unwrap()).collect();
        let crc = crc32fast::hash(&bytes);
        (Snapshot { meta: SnapshotMeta::default(), snapshot: bytes }, crc)
    }

    fn piece(of: &(Snapshot, u32), offset: usize) -> Piece {
        Piece::of(Vote::new(1, NodeId(1)), &of.0, of.1, offset as u64)
    }

    #[test]
    fn pieces_in_any_order_and_number_give_the_whole_once() {
        let sent = snapshot(2 * PIECE_LEN + 5);
        let incoming = Incoming::default();
        let step = PIECE_LEN as u64;
        assert_eq!(incoming.take(&piece(&sent, PIECE_LEN)).unwrap_err(), 0);
        assert_eq!(incoming.take(&piece(&sent, 0)).unwrap_err(), step);
        assert_eq!(incoming.take(&piece(&sent, 0)).unwrap_err(), step, "twice");
        assert_eq!(incoming.take(&piece(&sent, 2 * PIECE_LEN)).unwrap_err(), step, "too early");
        assert_eq!(incoming.take(&piece(&sent, PIECE_LEN)).unwrap_err(), 2 * step);
        let got = incoming.take(&piece(&sent, 2 * PIECE_LEN)).unwrap();
        assert!(got.snapshot == sent.0.snapshot);
    }

    #[test]
    fn a_newer_snapshot_takes_over_and_a_damaged_one_begins_again() {
        let (old, new) = (snapshot(PIECE_LEN + 1), snapshot(PIECE_LEN + 2));
        let incoming = Incoming::default();
        assert_eq!(incoming.take(&piece(&old, 0)).unwrap_err(), PIECE_LEN as u64);
        assert_eq!(incoming.take(&piece(&new, PIECE_LEN)).unwrap_err(), 0);
        assert_eq!(incoming.take(&piece(&new, 0)).unwrap_err(), PIECE_LEN as u64);
        let mut damaged = piece(&new, PIECE_LEN);
        damaged.bytes[0] ^= 1;
        assert_eq!(incoming.take(&damaged).unwrap_err(), 0);
        assert_eq!(incoming.take(&piece(&new, 0)).unwrap_err(), PIECE_LEN as u64);
        assert!(incoming.take(&piece(&new, PIECE_LEN)).is_ok());
        let empty = snapshot(0);
        assert!(incoming.take(&piece(&empty, 0)).is_ok());
    }
}
