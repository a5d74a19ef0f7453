//! Tells a folder that goes on from one that was put back or copied.
//!
//! Each start draws a number, and the folder keeps all it ever drew. A node
//! keeps the last number of each node it spoke to. Who comes with a new number
//! has to show that it once drew the one that is known: an old disk did not, and
//! of a folder and its copy only the one that spoke first after the parting
//! did. Such a node may have forgotten a vote or an entry that it acknowledged,
//! so it is refused before Raft hears of it.
//!
//! ```text
//! DIR/runs = "jeton runs 1\n", then a Book as in sealed.rs
//! ```

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::sealed;
use crate::ledger::NodeId;
use crate::ledger::log::Disk;

const FILE: &str = "runs";
const UNFINISHED: &str = "runs.tmp";
const FIRST_LINE: &[u8] = b"jeton runs 1\n";

/// How many numbers are kept, newest last. A node that missed this many starts of
/// another one, each with some word sent, refuses it wrongly.
const KEPT: usize = 10_000;

/// The numbers of this folder and of those it met.
#[derive(Debug)]
pub(super) struct Runs {
    run: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    disk: Box<dyn Disk>,
    book: Book,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Book {
    own: Vec<u64>,
    met: BTreeMap<NodeId, u64>,
}

/// What is thought of a node that comes with a number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Judgement {
    /// It is the one that was met before, or the first of its id.
    Known,
    /// It was started since; it has to show its history.
    Introduce,
    /// It does not go on from the one that was met before.
    Old,
}

impl Runs {
    /// Reads what the folder kept; `run` is the number of this start.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidData`] for a damaged file, and any of the disk.
    pub(super) fn open(disk: Box<dyn Disk>, run: u64) -> io::Result<Self> {
        let book = match disk.read(FILE, usize::MAX) {
            Ok(bytes) => sealed::decode(FIRST_LINE, &bytes).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "the file `runs` is damaged")
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Book::default(),
            Err(error) => return Err(error),
        };
        Ok(Self { run, inner: Mutex::new(Inner { disk, book }) })
    }

    /// Returns the number of this start. It is durable before anybody hears of it;
    /// a node that is alone never writes it.
    pub(super) fn run(&self) -> io::Result<u64> {
        let mut inner = self.inner();
        if inner.book.own.last() != Some(&self.run) {
            let mut book = inner.book.clone();
            let excess = (book.own.len() + 1).saturating_sub(KEPT);
            book.own.drain(..excess);
            book.own.push(self.run);
            inner.save(book)?;
        }
        Ok(self.run)
    }

    /// Returns all numbers of this folder.
    pub(super) fn history(&self) -> io::Result<Vec<u64>> {
        self.run()?;
        Ok(self.inner().book.own.clone())
    }

    /// Returns the number by which `node_id` is known.
    pub(super) fn of(&self, node_id: NodeId) -> Option<u64> {
        self.inner().book.met.get(&node_id).copied()
    }

    /// Judges a node that comes with `run`, and remembers it if it may.
    pub(super) fn judge(
        &self,
        node_id: NodeId,
        run: u64,
        history: &[u64],
    ) -> io::Result<Judgement> {
        let mut inner = self.inner();
        match inner.book.met.get(&node_id) {
            Some(known) if *known == run => return Ok(Judgement::Known),
            Some(_) if history.is_empty() => return Ok(Judgement::Introduce),
            Some(known) if !history.contains(known) || history.last() != Some(&run) => {
                return Ok(Judgement::Old);
            }
            Some(_) | None => {}
        }
        let mut book = inner.book.clone();
        book.met.insert(node_id, run);
        inner.save(book)?;
        Ok(Judgement::Known)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A book is replaced whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn save(&mut self, book: Book) -> io::Result<()> {
        let bytes = sealed::encode(FIRST_LINE, &book).map_err(io::Error::other)?;
        let file = self.disk.create(UNFINISHED)?;
        file.write_all_at(&bytes, 0)?;
        file.sync_data()?;
        self.disk.rename(UNFINISHED, FILE)?;
        self.disk.sync_dir()?;
        self.book = book;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ledger::log::FileDisk;

    fn open(dir: &Path, run: u64) -> Runs {
        Runs::open(Box::new(FileDisk::new(dir)), run).unwrap()
    }

    /// What `peer` thinks of a start of `node`.
    fn meet(peer: &Runs, node: &Runs) -> Judgement {
        match peer.judge(NodeId(1), node.run().unwrap(), &[]).unwrap() {
            Judgement::Introduce => {
                peer.judge(NodeId(1), node.run().unwrap(), &node.history().unwrap()).unwrap()
            }
            judgement @ (Judgement::Known | Judgement::Old) => judgement,
        }
    }

    #[test]
    fn a_folder_that_goes_on_is_known_and_one_that_was_put_back_is_not() {
        let (dir, peer, old) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir());
        let old = old.unwrap();
        assert_eq!(meet(&open(peer.path(), 7), &open(dir.path(), 1)), Judgement::Known);
        std::fs::copy(dir.path().join(FILE), old.path().join(FILE)).unwrap();
        // Starts that nobody heard of are no gap, and a peer remembers over its own starts.
        open(dir.path(), 2).run().unwrap();
        assert_eq!(meet(&open(peer.path(), 8), &open(dir.path(), 3)), Judgement::Known);
        let peer = open(peer.path(), 9);
        assert_eq!(peer.of(NodeId(1)), Some(3));
        for run in 4..9 {
            assert_eq!(meet(&peer, &open(old.path(), run)), Judgement::Old);
        }
        assert_eq!(meet(&peer, &open(dir.path(), 9)), Judgement::Known);
    }

    #[test]
    fn of_a_folder_and_its_copy_only_the_first_to_speak_goes_on() {
        let (dir, copy, peer) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir(), tempfile::tempdir().unwrap());
        let (copy, peer) = (copy.unwrap(), open(peer.path(), 0));
        assert_eq!(meet(&peer, &open(dir.path(), 1)), Judgement::Known);
        std::fs::copy(dir.path().join(FILE), copy.path().join(FILE)).unwrap();
        assert_eq!(meet(&peer, &open(copy.path(), 2)), Judgement::Known);
        assert_eq!(meet(&peer, &open(dir.path(), 3)), Judgement::Old);
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
            assert!(Runs::open(Box::new(FileDisk::new(dir.path())), 6).is_err(), "byte {index}");
        }
    }
}
