//! Incarnations: how the nodes detect that a peer's directory was put back or copied.
//!
//! An incarnation is one start of a node, named by a random number. The directory stores the
//! numbers of all its incarnations. A node stores the last incarnation of each peer, and the peer's
//! durable index: how much of the committed log its disk holds.
//!
//! A peer with a new incarnation must show its history. The history must contain the stored
//! incarnation; that of an old disk does not, nor does that of a directory whose copy was accepted
//! first. And the peer's log must reach the stored durable index; that of a disk that was set back
//! within its last incarnation does not. A peer that fails either check may have forgotten a vote or
//! an entry that it acknowledged, so its messages never reach Raft.
//!
//! Every message also contains the sender's record of the receiver, so a sole voter, which asks no
//! other node, still learns that it was set back. And it contains the sender's durable index, which
//! the receiver keeps in memory and writes every 10 s; no message waits for that.
//!
//! ```text
//! DIR/runs = "jeton runs 2\n", then an IncarnationFile as in checksummed.rs
//! ```

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{io, mem};

use serde::{Deserialize, Serialize};

use super::checksummed;
use crate::ledger::NodeId;
use crate::ledger::log::Disk;

const FILE: &str = "runs";
const UNFINISHED: &str = "runs.tmp";
const FIRST_LINE: &[u8] = b"jeton runs 2\n";

/// How many incarnations a directory stores. A peer that heard from none of this many in a row
/// wrongly rejects the node.
const STORED_MAX: usize = 10_000;

/// The incarnations of this node, and the last ones of its peers.
#[derive(Debug)]
pub(crate) struct Incarnations {
    current: u64,
    log_end: u64,
    /// Locked while the file is written, and before `inner`.
    disk: Mutex<Box<dyn Disk>>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    known: IncarnationFile,
    /// Whether `known` has durable indexes that the file lacks.
    is_ahead: bool,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct IncarnationFile {
    /// The incarnations of this node, newest last.
    own: Vec<u64>,
    peers: BTreeMap<NodeId, PeerRecord>,
}

/// What is known of a peer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct PeerRecord {
    /// Its last incarnation.
    pub(crate) incarnation: u64,
    /// The greatest index up to which its disk holds the committed log.
    pub(crate) durable_index: u64,
}

/// What a node shows of its directory after a start.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct History {
    /// Its stored incarnations, newest last.
    incarnations: Vec<u64>,
    /// The last index in its log when it started.
    log_end: u64,
}

/// The result of checking a peer's incarnation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It is the stored one, continues it, or is the first from this peer.
    Known,
    /// It is a new one; the peer must show its history.
    HistoryNeeded,
    /// It does not continue the stored one.
    OldCopy,
}

impl Incarnations {
    /// Reads the file. `current` is the incarnation that starts now, and `log_end` the last index
    /// in its log.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidData`] for a damaged file, and any of the disk.
    pub(crate) fn open(disk: Box<dyn Disk>, current: u64, log_end: u64) -> io::Result<Self> {
        let known = match disk.read(FILE, usize::MAX) {
            Ok(bytes) => checksummed::decode(FIRST_LINE, &bytes).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "the file `runs` is damaged")
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => IncarnationFile::default(),
            Err(error) => return Err(error),
        };
        let inner = Mutex::new(Inner { known, is_ahead: false });
        Ok(Self { current, log_end, disk: Mutex::new(disk), inner })
    }

    /// Returns the current incarnation, and stores it first. A lone node never calls this.
    pub(crate) fn current(&self) -> io::Result<u64> {
        let is_stored = || self.inner().known.own.last() == Some(&self.current);
        if !is_stored() {
            let disk = self.disk();
            // Another thread may have stored it meanwhile.
            if !is_stored() {
                self.change(&**disk, |known| {
                    let excess = (known.own.len() + 1).saturating_sub(STORED_MAX);
                    known.own.drain(..excess);
                    known.own.push(self.current);
                })?;
            }
        }
        Ok(self.current)
    }

    pub(crate) fn history(&self) -> io::Result<History> {
        self.current()?;
        Ok(History { incarnations: self.inner().known.own.clone(), log_end: self.log_end })
    }

    pub(crate) fn peer(&self, node_id: NodeId) -> Option<PeerRecord> {
        self.inner().known.peers.get(&node_id).copied()
    }

    /// Checks what a peer sent of itself, and stores it if it is [`Verdict::Known`].
    pub(crate) fn check(
        &self,
        node_id: NodeId,
        sent: PeerRecord,
        history: Option<&History>,
    ) -> io::Result<Verdict> {
        if self.inner().update(node_id, sent) {
            return Ok(Verdict::Known);
        }
        // One at a time, so that the later of two incarnations is stored in the end.
        let disk = self.disk();
        let mut record = sent;
        if let Some(stored) = self.peer(node_id) {
            match history {
                None => return Ok(Verdict::HistoryNeeded),
                Some(history) if !history.continues(stored, sent.incarnation) => {
                    return Ok(Verdict::OldCopy);
                }
                Some(_) => record.durable_index = stored.durable_index.max(sent.durable_index),
            }
        }
        self.change(&**disk, |known| {
            known.peers.insert(node_id, record);
        })?;
        Ok(Verdict::Known)
    }

    /// Returns `true` if this directory lacks what a peer has recorded of this node: an
    /// incarnation, or entries that were durable.
    pub(crate) fn lacks(&self, recorded: PeerRecord) -> bool {
        let is_own = || self.inner().known.own.contains(&recorded.incarnation);
        recorded.incarnation != self.current
            && !(is_own() && self.log_end >= recorded.durable_index)
    }

    /// Updates the durable index of a peer, if its incarnation is the stored one.
    pub(crate) fn update(&self, node_id: NodeId, sent: PeerRecord) {
        self.inner().update(node_id, sent);
    }

    /// Writes the durable indexes of the peers, if any has changed.
    pub(crate) fn persist(&self) -> io::Result<()> {
        let disk = self.disk();
        if !mem::take(&mut self.inner().is_ahead) {
            return Ok(());
        }
        let persisted = self.change(&**disk, |_| ());
        self.inner().is_ahead |= persisted.is_err();
        persisted
    }

    /// Makes a change on the disk, then in memory.
    fn change(&self, disk: &dyn Disk, change: impl Fn(&mut IncarnationFile)) -> io::Result<()> {
        let mut known = self.inner().known.clone();
        change(&mut known);
        let bytes = checksummed::encode(FIRST_LINE, &known).map_err(io::Error::other)?;
        disk.replace(FILE, UNFINISHED, &bytes)?;
        // Durable indexes in memory may have advanced meanwhile.
        change(&mut self.inner().known);
        Ok(())
    }

    fn disk(&self) -> MutexGuard<'_, Box<dyn Disk>> {
        // A panic leaves the file whole.
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic leaves nothing half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl History {
    /// Returns `true` if it ends in incarnation `current` and continues what is `stored`.
    fn continues(&self, stored: PeerRecord, current: u64) -> bool {
        self.incarnations.contains(&stored.incarnation)
            && self.incarnations.last() == Some(&current)
            && self.log_end >= stored.durable_index
    }
}

impl Inner {
    /// Updates the durable index of a peer. Returns `false` if `sent` has another incarnation than
    /// the stored one.
    fn update(&mut self, node_id: NodeId, sent: PeerRecord) -> bool {
        let stored = self.known.peers.get_mut(&node_id);
        let Some(stored) = stored.filter(|stored| stored.incarnation == sent.incarnation) else {
            return false;
        };
        self.is_ahead |= sent.durable_index > stored.durable_index;
        stored.durable_index = stored.durable_index.max(sent.durable_index);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ledger::log::FileDisk;

    fn open(dir: &Path, current: u64) -> Incarnations {
        open_at(dir, current, 0)
    }

    fn open_at(dir: &Path, current: u64, log_end: u64) -> Incarnations {
        Incarnations::open(Box::new(FileDisk::new(dir)), current, log_end).unwrap()
    }

    fn record(incarnation: u64, durable_index: u64) -> PeerRecord {
        PeerRecord { incarnation, durable_index }
    }

    /// Returns what `peer` decides about `node`, whose durable index is 0.
    fn check(peer: &Incarnations, node: &Incarnations) -> Verdict {
        check_at(peer, node, 0)
    }

    /// Returns what `peer` decides about `node`.
    fn check_at(peer: &Incarnations, node: &Incarnations, durable_index: u64) -> Verdict {
        let sent = record(node.current().unwrap(), durable_index);
        match peer.check(NodeId(1), sent, None).unwrap() {
            Verdict::HistoryNeeded => {
                peer.check(NodeId(1), sent, Some(&node.history().unwrap())).unwrap()
            }
            verdict @ (Verdict::Known | Verdict::OldCopy) => verdict,
        }
    }

    #[test]
    fn a_directory_that_continues_is_known_and_one_that_was_put_back_is_not() {
        let [dir, peer, old] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
        assert_eq!(check(&open(peer.path(), 7), &open(dir.path(), 1)), Verdict::Known);
        std::fs::copy(dir.path().join(FILE), old.path().join(FILE)).unwrap();
        // The peer misses an incarnation, and is itself restarted.
        open(dir.path(), 2).current().unwrap();
        assert_eq!(check(&open(peer.path(), 8), &open(dir.path(), 3)), Verdict::Known);
        let peer = open(peer.path(), 9);
        assert_eq!(peer.peer(NodeId(1)), Some(record(3, 0)));
        for incarnation in 4..9 {
            assert_eq!(check(&peer, &open(old.path(), incarnation)), Verdict::OldCopy);
        }
        assert_eq!(check(&peer, &open(dir.path(), 9)), Verdict::Known);
    }

    #[test]
    fn of_a_directory_and_its_copy_only_the_first_to_send_a_message_is_known() {
        let [dir, copy, peer] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
        let peer = open(peer.path(), 0);
        assert_eq!(check(&peer, &open(dir.path(), 1)), Verdict::Known);
        std::fs::copy(dir.path().join(FILE), copy.path().join(FILE)).unwrap();
        assert_eq!(check(&peer, &open(copy.path(), 2)), Verdict::Known);
        assert_eq!(check(&peer, &open(dir.path(), 3)), Verdict::OldCopy);
    }

    #[test]
    fn a_disk_that_was_set_back_within_an_incarnation_is_an_old_copy() {
        let (dir, peer_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (node, peer) = (open_at(dir.path(), 1, 10), open(peer_dir.path(), 0));
        for (sent, stored) in [(10, 10), (25, 25), (20, 25)] {
            assert_eq!(check_at(&peer, &node, sent), Verdict::Known);
            assert_eq!(peer.peer(NodeId(1)), Some(record(1, stored)));
        }
        // A log may end after the durable index that was sent, never before it.
        assert_eq!(check(&peer, &open_at(dir.path(), 2, 25)), Verdict::Known);
        assert_eq!(peer.peer(NodeId(1)), Some(record(2, 25)));
        assert_eq!(check(&peer, &open_at(dir.path(), 3, 24)), Verdict::OldCopy);
        // The peer remembers after its own restart what it has persisted.
        let node = open_at(dir.path(), 4, 30);
        assert_eq!(check_at(&peer, &node, 30), Verdict::Known);
        assert_eq!(check_at(&peer, &node, 40), Verdict::Known);
        assert_eq!(open(peer_dir.path(), 1).peer(NodeId(1)), Some(record(4, 30)));
        peer.persist().unwrap();
        let peer = open(peer_dir.path(), 2);
        assert_eq!(check(&peer, &open_at(dir.path(), 5, 39)), Verdict::OldCopy);
        assert_eq!(check(&peer, &open_at(dir.path(), 6, 40)), Verdict::Known);
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path(), 5).current().unwrap();
        let whole = std::fs::read(dir.path().join(FILE)).unwrap();
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 1;
            std::fs::write(dir.path().join(FILE), &damaged).unwrap();
            let opened = Incarnations::open(Box::new(FileDisk::new(dir.path())), 6, 0);
            assert!(opened.is_err(), "byte {index}");
        }
    }
}
