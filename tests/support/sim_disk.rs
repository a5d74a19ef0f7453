//! A simulated disk that loses unsynced data, tears writes and fails, by seed.
//!
//! For each file and for the directory, it keeps what a program sees (`seen`) apart from what would
//! survive a power failure (`durable`). Like Linux, it drops what a failed sync could not write:
//! the bytes stay visible and the next sync succeeds, but they never reach the disk.
//!
//! A sync that returns `Ok` has always made everything durable.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use jeton::ledger::log::{Disk, DiskFile};

const SECTOR: usize = 512;

/// A failure of one operation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DiskFailure {
    /// The power fails during the operation; all later ones fail.
    PowerFailure,
    /// This operation alone fails with this error.
    Error(io::ErrorKind),
}

/// What survives of the bytes and names that were not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Survivors {
    Nothing,
    Everything,
    /// Sectors and names chosen by the seed.
    Sectors(u64),
    /// A prefix of the bytes, chosen by the seed, and all names or none.
    Prefix(u64),
}

/// A handle to the disk. It holds the lock that it took.
#[derive(Debug, Default)]
pub(crate) struct SimDisk {
    machine: Arc<Mutex<Machine>>,
    is_locked_here: bool,
}

#[derive(Debug, Default)]
struct Machine {
    files: Vec<File>,
    seen: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    failure: Option<(u64, DiskFailure)>,
    operations: u64,
    syncs: u64,
    is_off: bool,
    is_locked: bool,
}

#[derive(Clone, Debug, Default)]
struct File {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// The sectors that the next sync writes.
    dirty: BTreeSet<usize>,
}

/// A splitmix64 generator.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.roll(2) == 1
    }
}

impl SimDisk {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Returns a disk that durably holds these files.
    pub(crate) fn with_files(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let disk = Self::new();
        let mut machine = disk.machine();
        for (name, bytes) in files {
            let id = machine.files.len();
            let file = File { seen: bytes.clone(), durable: bytes.clone(), ..File::default() };
            machine.files.push(file);
            machine.seen.insert(name.clone(), id);
            machine.durable.insert(name.clone(), id);
        }
        drop(machine);
        disk
    }

    /// Returns another handle to the same disk.
    pub(crate) fn handle(&self) -> Self {
        Self { machine: Arc::clone(&self.machine), is_locked_here: false }
    }

    /// Plans a failure of the n-th operation from now on; 0 is the next one.
    pub(crate) fn plan(&self, n: u64, failure: DiskFailure) {
        let mut machine = self.machine();
        machine.failure = Some((machine.operations + n, failure));
    }

    /// Returns the number of operations so far, without reads.
    pub(crate) fn operations(&self) -> u64 {
        self.machine().operations
    }

    /// Returns the number of file syncs so far.
    pub(crate) fn syncs(&self) -> u64 {
        self.machine().syncs
    }

    /// Returns the files that a program sees.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let machine = self.machine();
        let content = |id: &usize| machine.files[*id].seen.clone();
        machine.seen.iter().map(|(name, id)| (name.clone(), content(id))).collect()
    }

    /// Returns the disk after a power failure.
    pub(crate) fn reboot(&self, survivors: Survivors) -> Self {
        let machine = self.machine();
        let mut dice = match survivors {
            Survivors::Sectors(seed) | Survivors::Prefix(seed) => Dice(seed),
            Survivors::Nothing | Survivors::Everything => Dice(0),
        };
        let names = machine.surviving_names(survivors, &mut dice);
        let files: Vec<_> =
            machine.files.iter().map(|file| file.survivor(survivors, &mut dice)).collect();
        Self::with_files(&names.into_iter().map(|(name, id)| (name, files[id].clone())).collect())
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap()
    }
}

impl Machine {
    fn surviving_names(&self, survivors: Survivors, dice: &mut Dice) -> BTreeMap<String, usize> {
        let all_or_none = dice.coin();
        let all: BTreeSet<&String> = self.seen.keys().chain(self.durable.keys()).collect();
        let mut names = BTreeMap::new();
        for name in all {
            let is_new = match survivors {
                Survivors::Nothing => false,
                Survivors::Everything => true,
                Survivors::Sectors(_) => dice.coin(),
                Survivors::Prefix(_) => all_or_none,
            };
            let dir = if is_new { &self.seen } else { &self.durable };
            names.extend(dir.get(name).map(|id| (name.clone(), *id)));
        }
        names
    }

    /// Counts an operation and returns its failure, if one is planned.
    fn begin(&mut self) -> io::Result<Option<DiskFailure>> {
        self.must_be_on()?;
        let n = self.operations;
        self.operations += 1;
        let failure = self.failure.filter(|(at, _)| *at == n).map(|(_, failure)| failure);
        self.is_off = matches!(failure, Some(DiskFailure::PowerFailure));
        Ok(failure)
    }

    fn must_be_on(&self) -> io::Result<()> {
        if self.is_off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        self.seen.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Returns the result of an operation. A planned error leaves it undone. After a power failure,
/// [`SimDisk::reboot`] decides whether it was done.
fn result(failure: Option<DiskFailure>) -> io::Result<()> {
    match failure {
        None => Ok(()),
        Some(DiskFailure::PowerFailure) => Err(io::Error::other("the power failed")),
        Some(DiskFailure::Error(kind)) => Err(kind.into()),
    }
}

impl File {
    fn survivor(&self, survivors: Survivors, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let mut left = match survivors {
            Survivors::Prefix(_) => dice.roll(self.dirty.len() * SECTOR + 1),
            Survivors::Nothing | Survivors::Everything | Survivors::Sectors(_) => usize::MAX,
        };
        for sector in &self.dirty {
            let survives = match survivors {
                Survivors::Nothing => false,
                Survivors::Everything | Survivors::Prefix(_) => true,
                Survivors::Sectors(_) => dice.coin(),
            };
            if survives {
                copy(&self.seen, &mut bytes, *sector, left.min(SECTOR));
                left = left.saturating_sub(SECTOR);
            }
        }
        bytes
    }
}

/// Copies the first `len` bytes of a sector.
fn copy(from: &[u8], to: &mut Vec<u8>, sector: usize, len: usize) {
    let start = sector * SECTOR;
    let end = (start + len).min(from.len());
    if start < end {
        to.resize(to.len().max(end), 0);
        to[start..end].copy_from_slice(&from[start..end]);
    }
}

impl Disk for SimDisk {
    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("sim").join(name)
    }

    fn try_lock(&mut self) -> io::Result<bool> {
        let mut machine = self.machine.lock().unwrap();
        machine.must_be_on()?;
        let is_free = !machine.is_locked;
        machine.is_locked = true;
        self.is_locked_here |= is_free;
        Ok(is_free)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let machine = self.machine();
        machine.must_be_on()?;
        Ok(machine.seen.keys().cloned().collect())
    }

    fn read(&self, name: &str, len_max: usize) -> io::Result<Vec<u8>> {
        let machine = self.machine();
        machine.must_be_on()?;
        let bytes = &machine.files[machine.find(name)?].seen;
        Ok(bytes[..bytes.len().min(len_max)].to_vec())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut machine = self.machine();
        let failure = machine.begin()?;
        if !matches!(failure, Some(DiskFailure::Error(_))) {
            let id = machine.files.len();
            machine.files.push(File::default());
            machine.seen.insert(name.to_string(), id);
        }
        result(failure)?;
        let id = machine.find(name)?;
        Ok(Box::new(SimFile { machine: Arc::clone(&self.machine), id }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut machine = self.machine();
        let failure = machine.begin()?;
        if !matches!(failure, Some(DiskFailure::Error(_))) {
            let id = machine.find(from)?;
            machine.seen.remove(from);
            machine.seen.insert(to.to_string(), id);
        }
        result(failure)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut machine = self.machine();
        let failure = machine.begin()?;
        machine.find(name)?;
        if !matches!(failure, Some(DiskFailure::Error(_))) {
            machine.seen.remove(name);
        }
        result(failure)
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut machine = self.machine();
        result(machine.begin()?)?;
        machine.durable = machine.seen.clone();
        Ok(())
    }
}

impl Drop for SimDisk {
    fn drop(&mut self) {
        if self.is_locked_here {
            self.machine().is_locked = false;
        }
    }
}

#[derive(Debug)]
struct SimFile {
    machine: Arc<Mutex<Machine>>,
    id: usize,
}

impl DiskFile for SimFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut machine = self.machine.lock().unwrap();
        let failure = machine.begin()?;
        // A write that fails is half done.
        let is_short = matches!(failure, Some(DiskFailure::Error(_)));
        let bytes = if is_short { &bytes[..bytes.len() / 2] } else { bytes };
        let file = &mut machine.files[self.id];
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        file.seen.resize(file.seen.len().max(end), 0);
        file.seen[start..end].copy_from_slice(bytes);
        file.dirty.extend(start / SECTOR..end.div_ceil(SECTOR));
        result(failure)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut machine = self.machine.lock().unwrap();
        let failure = machine.begin()?;
        machine.syncs += 1;
        let file = &mut machine.files[self.id];
        match failure {
            None => {
                for sector in std::mem::take(&mut file.dirty) {
                    copy(&file.seen, &mut file.durable, sector, SECTOR);
                }
            }
            Some(DiskFailure::Error(_)) => file.dirty.clear(),
            Some(DiskFailure::PowerFailure) => {}
        }
        result(failure)
    }
}
