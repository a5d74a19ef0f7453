//! A snapshot, sent to another node in pieces.
//!
//! A snapshot can have hundreds of megabytes. Each piece is a request of its own, so that other
//! messages can be sent in between. The receiver asks for the byte that it wants next, so a piece
//! that is lost or arrives twice does no harm.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::ledger::raft::types::{Snapshot, SnapshotMeta, Vote};

/// How many bytes of a snapshot one message carries.
#[cfg(not(test))]
pub(crate) const PIECE_LEN: usize = 4 * 1024 * 1024;
/// Tests split small snapshots, too.
#[cfg(test)]
pub(crate) const PIECE_LEN: usize = 1_024;

/// A piece of a snapshot.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct SnapshotPiece {
    /// The vote of the leader that sends it.
    pub(crate) vote: Vote,
    /// Identifies the snapshot.
    pub(crate) meta: SnapshotMeta,
    /// How many bytes the whole snapshot has.
    pub(crate) len: u64,
    /// The CRC-32 of the whole snapshot.
    pub(crate) crc: u32,
    /// Where this piece begins.
    pub(crate) offset: u64,
    /// The bytes of this piece.
    pub(crate) bytes: Vec<u8>,
}

/// The response to a piece.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum SnapshotProgress {
    /// The receiver wants the piece that begins at this byte.
    Next(u64),
    /// The transfer is over, and this is the receiver's vote. If it is higher than the sender's,
    /// the snapshot was not installed.
    Installed(Vote),
}

impl SnapshotPiece {
    /// Returns the piece of `snapshot` that begins at `offset`.
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

/// The snapshot that is being received. A piece of another one replaces it.
#[derive(Debug, Default)]
pub(crate) struct IncomingSnapshot(Mutex<Option<(SnapshotPiece, Vec<u8>)>>);

impl IncomingSnapshot {
    /// Takes a piece. Returns the snapshot once it is complete, else the byte that is wanted next.
    pub(crate) fn take(&self, piece: &SnapshotPiece) -> Result<Snapshot, u64> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, mut bytes) = match held.take() {
            Some((first, bytes)) if first.is_of(piece) => (first, bytes),
            Some(_) | None => (SnapshotPiece { bytes: Vec::new(), ..piece.clone() }, Vec::new()),
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
            // Damaged: start again.
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

    fn piece(of: &(Snapshot, u32), offset: usize) -> SnapshotPiece {
        SnapshotPiece::of(Vote::new(1, NodeId(1)), &of.0, of.1, offset as u64)
    }

    #[test]
    fn pieces_in_any_order_and_number_make_the_snapshot_once() {
        let sent = snapshot(2 * PIECE_LEN + 5);
        let incoming = IncomingSnapshot::default();
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
    fn another_snapshot_replaces_it_and_a_damaged_one_starts_again() {
        let (old, new) = (snapshot(PIECE_LEN + 1), snapshot(PIECE_LEN + 2));
        let incoming = IncomingSnapshot::default();
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
