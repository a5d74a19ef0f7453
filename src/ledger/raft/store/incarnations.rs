//! Tells a folder that goes on from one that was put back or copied.
//!
//! Each start draws a number, and the folder keeps all it ever drew. A node
//! keeps the last number of each node it spoke to, and how far that one said that its
//! disk holds what is committed. Who comes with a new number has to show that it once
//! drew the one that is known: an old disk did not, and of a folder and its copy
//! only the one that spoke first after the parting did. It has to show too that its
//! log reaches as far as it said: a disk that was set back to a moment of its last run
//! does not. Such a node may have forgotten a vote or an entry that it acknowledged,
//! so it is refused before Raft hears of it.
//!
//! Every message says too what its sender knows of the other one, so that a node that
//! was set back, votes alone and therefore asks nobody still learns of it.
//!
//! How far a disk reaches is told with every message and kept in memory; it is written
//! down now and then, because a node that never stops needs no file to remember. No
//! message waits for that.
//!
//! ```text
//! DIR/runs = "jeton runs 2\n", then a Book as in sealed.rs
//! ```

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{io, mem};

use serde::{Deserialize, Serialize};

use super::sealed;
use crate::ledger::NodeId;
use crate::ledger::log::Disk;

const FILE: &str = "runs";
const UNFINISHED: &str = "runs.tmp";
const FIRST_LINE: &[u8] = b"jeton runs 2\n";

/// How many numbers are kept, newest last. A node that missed this many starts of
/// another one, each with some word sent, refuses it wrongly.
const KEPT: usize = 10_000;

/// The numbers of this folder and of those it met.
#[derive(Debug)]
pub(crate) struct Incarnations {
    run: u64,
    log_end: u64,
    /// Held by whoever writes the book down, and before `inner`.
    disk: Mutex<Box<dyn Disk>>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    book: Records,
    /// Whether the book says more than the file.
    is_ahead: bool,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Records {
    own: Vec<u64>,
    met: BTreeMap<NodeId, PeerRecord>,
}

/// What is known of another node.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct PeerRecord {
    /// The number of its last start.
    pub(crate) run: u64,
    /// The highest index up to which it said that its disk holds what is committed.
    pub(crate) holds: u64,
}

/// What a node shows of itself after a start.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct History {
    /// All numbers that its folder ever drew, newest last.
    runs: Vec<u64>,
    /// The last index that its log held when it was started.
    log_end: u64,
}

/// What is thought of a node that comes with a number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It is the one that was met before, or the first of its id.
    Known,
    /// It was started since; it has to show its history.
    Introduce,
    /// It does not go on from the one that was met before.
    Old,
}

impl Incarnations {
    /// Reads what the folder kept; `run` is the number of this start, and `log_end`
    /// the last index that its log holds.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidData`] for a damaged file, and any of the disk.
    pub(crate) fn open(disk: Box<dyn Disk>, run: u64, log_end: u64) -> io::Result<Self> {
        let book = match disk.read(FILE, usize::MAX) {
            Ok(bytes) => sealed::decode(FIRST_LINE, &bytes).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "the file `runs` is damaged")
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Records::default(),
            Err(error) => return Err(error),
        };
        let inner = Mutex::new(Inner { book, is_ahead: false });
        Ok(Self { run, log_end, disk: Mutex::new(disk), inner })
    }

    /// Returns the number of this start. It is durable before anybody hears of it;
    /// a node that is alone never writes it.
    pub(crate) fn run(&self) -> io::Result<u64> {
        let is_written = || self.inner().book.own.last() == Some(&self.run);
        if !is_written() {
            let disk = self.disk();
            // Somebody may have been faster.
            if !is_written() {
                self.change(&**disk, |book| {
                    let excess = (book.own.len() + 1).saturating_sub(KEPT);
                    book.own.drain(..excess);
                    book.own.push(self.run);
                })?;
            }
        }
        Ok(self.run)
    }

    /// Returns what this node shows of itself.
    pub(crate) fn introduction(&self) -> io::Result<History> {
        self.run()?;
        Ok(History { runs: self.inner().book.own.clone(), log_end: self.log_end })
    }

    /// Returns what is known of `node_id`.
    pub(crate) fn of(&self, node_id: NodeId) -> Option<PeerRecord> {
        self.inner().book.met.get(&node_id).copied()
    }

    /// Judges a node by what it comes with, and remembers that if it may.
    pub(crate) fn judge(
        &self,
        node_id: NodeId,
        comes: PeerRecord,
        introduction: Option<&History>,
    ) -> io::Result<Verdict> {
        if self.inner().hear(node_id, comes) {
            return Ok(Verdict::Known);
        }
        // One at a time: of two starts the later one is to be known in the end.
        let disk = self.disk();
        let mut known = comes;
        if let Some(met) = self.of(node_id) {
            match introduction {
                None => return Ok(Verdict::Introduce),
                Some(shown) if !shown.goes_on_from(met, comes.run) => return Ok(Verdict::Old),
                Some(_) => known.holds = met.holds.max(comes.holds),
            }
        }
        self.change(&**disk, |book| {
            book.met.insert(node_id, known);
        })?;
        Ok(Verdict::Known)
    }

    /// Tells whether this folder lacks what another node `met` of it: a start that it
    /// does not remember, or entries that it said it holds.
    pub(crate) fn lacks(&self, met: PeerRecord) -> bool {
        let remembers = || self.inner().book.own.contains(&met.run);
        met.run != self.run && !(remembers() && self.log_end >= met.holds)
    }

    /// Takes note of what a node says in an answer.
    pub(crate) fn hear(&self, node_id: NodeId, comes: PeerRecord) {
        self.inner().hear(node_id, comes);
    }

    /// Writes down how far the disks of the others reach, if that is news.
    pub(crate) fn keep(&self) -> io::Result<()> {
        let disk = self.disk();
        if !mem::take(&mut self.inner().is_ahead) {
            return Ok(());
        }
        let kept = self.change(&**disk, |_| ());
        self.inner().is_ahead |= kept.is_err();
        kept
    }

    /// Changes the book, first on the disk.
    fn change(&self, disk: &dyn Disk, change: impl Fn(&mut Records)) -> io::Result<()> {
        let mut book = self.inner().book.clone();
        change(&mut book);
        write(disk, &book)?;
        // Others may have been heard meanwhile.
        change(&mut self.inner().book);
        Ok(())
    }

    fn disk(&self) -> MutexGuard<'_, Box<dyn Disk>> {
        // A file is replaced whole.
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // No change of it stops half-way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl History {
    /// Tells whether who shows this, having drawn `run`, is the one that was `met`.
    fn goes_on_from(&self, met: PeerRecord, run: u64) -> bool {
        self.runs.contains(&met.run) && self.runs.last() == Some(&run) && self.log_end >= met.holds
    }
}

impl Inner {
    /// Tells whether it is the start that is known, and remembers how far it reaches.
    fn hear(&mut self, node_id: NodeId, comes: PeerRecord) -> bool {
        let Some(met) = self.book.met.get_mut(&node_id).filter(|met| met.run == comes.run) else {
            return false;
        };
        self.is_ahead |= comes.holds > met.holds;
        met.holds = met.holds.max(comes.holds);
        true
    }
}

fn write(disk: &dyn Disk, book: &Records) -> io::Result<()> {
    let bytes = sealed::encode(FIRST_LINE, book).map_err(io::Error::other)?;
    let file = disk.create(UNFINISHED)?;
    file.write_all_at(&bytes, 0)?;
    file.sync_data()?;
    disk.rename(UNFINISHED, FILE)?;
    disk.sync_dir()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ledger::log::FileDisk;

    fn open(dir: &Path, run: u64) -> Incarnations {
        open_at(dir, run, 0)
    }

    fn open_at(dir: &Path, run: u64, log_end: u64) -> Incarnations {
        Incarnations::open(Box::new(FileDisk::new(dir)), run, log_end).unwrap()
    }

    /// What `peer` thinks of a start of `node`.
    fn meet(peer: &Incarnations, node: &Incarnations) -> Verdict {
        hear(peer, node, 0)
    }

    /// What `peer` thinks of `node`, which says how far its disk holds the log.
    fn hear(peer: &Incarnations, node: &Incarnations, holds: u64) -> Verdict {
        let comes = PeerRecord { run: node.run().unwrap(), holds };
        match peer.judge(NodeId(1), comes, None).unwrap() {
            Verdict::Introduce => {
                peer.judge(NodeId(1), comes, Some(&node.introduction().unwrap())).unwrap()
            }
            judgement @ (Verdict::Known | Verdict::Old) => judgement,
        }
    }

    #[test]
    fn a_folder_that_goes_on_is_known_and_one_that_was_put_back_is_not() {
        let (dir, peer, old) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir());
        let old = old.unwrap();
        assert_eq!(meet(&open(peer.path(), 7), &open(dir.path(), 1)), Verdict::Known);
        std::fs::copy(dir.path().join(FILE), old.path().join(FILE)).unwrap();
        // Starts that nobody heard of are no gap, and a peer remembers over its own starts.
        open(dir.path(), 2).run().unwrap();
        assert_eq!(meet(&open(peer.path(), 8), &open(dir.path(), 3)), Verdict::Known);
        let peer = open(peer.path(), 9);
        assert_eq!(peer.of(NodeId(1)), Some(PeerRecord { run: 3, holds: 0 }));
        for run in 4..9 {
            assert_eq!(meet(&peer, &open(old.path(), run)), Verdict::Old);
        }
        assert_eq!(meet(&peer, &open(dir.path(), 9)), Verdict::Known);
    }

    #[test]
    fn of_a_folder_and_its_copy_only_the_first_to_speak_goes_on() {
        let (dir, copy, peer) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir(), tempfile::tempdir().unwrap());
        let (copy, peer) = (copy.unwrap(), open(peer.path(), 0));
        assert_eq!(meet(&peer, &open(dir.path(), 1)), Verdict::Known);
        std::fs::copy(dir.path().join(FILE), copy.path().join(FILE)).unwrap();
        assert_eq!(meet(&peer, &open(copy.path(), 2)), Verdict::Known);
        assert_eq!(meet(&peer, &open(dir.path(), 3)), Verdict::Old);
    }

    #[test]
    fn a_disk_that_was_set_back_within_a_run_is_told_by_how_far_it_reaches() {
        let (dir, peer) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (node, at) = (open_at(dir.path(), 1, 10), open(peer.path(), 0));
        for (holds, run) in [(10, 1), (25, 1), (20, 1)] {
            assert_eq!(hear(&at, &node, holds), Verdict::Known);
            assert_eq!(
                at.of(NodeId(1)),
                Some(PeerRecord { run, holds: holds.max(at.of(NodeId(1)).unwrap().holds) })
            );
        }
        // It never says what it does not hold, and may hold what it does not say.
        assert_eq!(hear(&at, &open_at(dir.path(), 2, 25), 0), Verdict::Known);
        assert_eq!(at.of(NodeId(1)), Some(PeerRecord { run: 2, holds: 25 }));
        assert_eq!(hear(&at, &open_at(dir.path(), 3, 24), 0), Verdict::Old);
        // Over a start of the peer's own that is known if it was written down.
        let node = open_at(dir.path(), 4, 30);
        assert_eq!(hear(&at, &node, 30), Verdict::Known);
        assert_eq!(hear(&at, &node, 40), Verdict::Known);
        assert_eq!(open(peer.path(), 1).of(NodeId(1)), Some(PeerRecord { run: 4, holds: 30 }));
        at.keep().unwrap();
        let at = open(peer.path(), 2);
        assert_eq!(hear(&at, &open_at(dir.path(), 5, 39), 0), Verdict::Old);
        assert_eq!(hear(&at, &open_at(dir.path(), 6, 40), 0), Verdict::Known);
    }

    #[test]
    fn a_damaged_book_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path(), 5).run().unwrap();
        let whole = std::fs::read(dir.path().join(FILE)).unwrap();
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 1;
            std::fs::write(dir.path().join(FILE), &damaged).unwrap();
            assert!(
                Incarnations::open(Box::new(FileDisk::new(dir.path())), 6, 0).is_err(),
                "byte {index}"
            );
        }
    }
}
