//! A disk in memory that forgets, tears, fails and fills up, by seed.
//!
//! It keeps what a program sees (`seen`) apart from what would survive a power
//! failure (`durable`), per file and for the folder. Like Linux, it drops what a
//! failed sync could not write: the bytes stay visible, the next sync succeeds, and
//! they never reach the disk.
//!
//! It never lies: a sync that returns `Ok` has made everything durable. A log cannot
//! know better than its disk; that one is out of the model.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use jeton::ledger::log::{Disk, DiskFile};

const SECTOR: usize = 512;

/// What happens at the n-th operation that changes anything.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    /// The power fails while it runs; nothing answers after it.
    PowerFailure,
    /// It fails with this error, once.
    Error(io::ErrorKind),
}

/// What survives of the bytes and names that were not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Survivors {
    Nothing,
    Everything,
    /// Each sector and each name as the seed says.
    Sectors(u64),
    /// A prefix of the bytes, as the seed says; all names or none.
    Prefix(u64),
}

/// A handle on the disk. Clones are the same disk; the lock goes with the handle
/// that took it.
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
    trouble: Option<(u64, Trouble)>,
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

/// Splitmix64: enough to toss coins.
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

    /// A disk that durably holds these files.
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

    /// Another handle on the same disk.
    pub(crate) fn handle(&self) -> Self {
        Self { machine: Arc::clone(&self.machine), is_locked_here: false }
    }

    /// Lets `trouble` happen at the n-th operation from now on; 0 is the next one.
    pub(crate) fn plan(&self, n: u64, trouble: Trouble) {
        let mut machine = self.machine();
        machine.trouble = Some((machine.operations + n, trouble));
    }

    /// The number of operations so far that change anything.
    pub(crate) fn operations(&self) -> u64 {
        self.machine().operations
    }

    /// The number of file syncs so far.
    pub(crate) fn syncs(&self) -> u64 {
        self.machine().syncs
    }

    /// What a program sees.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let machine = self.machine();
        let content = |id: &usize| machine.files[*id].seen.clone();
        machine.seen.iter().map(|(name, id)| (name.clone(), content(id))).collect()
    }

    /// What there is after the power comes back.
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

    /// Counts an operation and says what becomes of it.
    fn begin(&mut self) -> io::Result<Option<Trouble>> {
        self.must_be_on()?;
        let n = self.operations;
        self.operations += 1;
        let now = self.trouble.filter(|(at, _)| *at == n).map(|(_, trouble)| trouble);
        self.is_off = matches!(now, Some(Trouble::PowerFailure));
        Ok(now)
    }

    fn must_be_on(&self) -> io::Result<()> {
        if self.is_off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        self.seen.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// An error that was planned leaves the operation undone; a power failure may do it or
/// not, which is for [`SimDisk::reboot`] to say.
fn outcome(trouble: Option<Trouble>) -> io::Result<()> {
    match trouble {
        None => Ok(()),
        Some(Trouble::PowerFailure) => Err(io::Error::other("the power failed")),
        Some(Trouble::Error(kind)) => Err(kind.into()),
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
        let trouble = machine.begin()?;
        if !matches!(trouble, Some(Trouble::Error(_))) {
            let id = machine.files.len();
            machine.files.push(File::default());
            machine.seen.insert(name.to_string(), id);
        }
        outcome(trouble)?;
        let id = machine.find(name)?;
        Ok(Box::new(SimFile { machine: Arc::clone(&self.machine), id }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut machine = self.machine();
        let trouble = machine.begin()?;
        if !matches!(trouble, Some(Trouble::Error(_))) {
            let id = machine.find(from)?;
            machine.seen.remove(from);
            machine.seen.insert(to.to_string(), id);
        }
        outcome(trouble)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut machine = self.machine();
        let trouble = machine.begin()?;
        machine.find(name)?;
        if !matches!(trouble, Some(Trouble::Error(_))) {
            machine.seen.remove(name);
        }
        outcome(trouble)
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut machine = self.machine();
        outcome(machine.begin()?)?;
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
        let trouble = machine.begin()?;
        // A write that fails has got half-way.
        let is_short = matches!(trouble, Some(Trouble::Error(_)));
        let bytes = if is_short { &bytes[..bytes.len() / 2] } else { bytes };
        let file = &mut machine.files[self.id];
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        file.seen.resize(file.seen.len().max(end), 0);
        file.seen[start..end].copy_from_slice(bytes);
        file.dirty.extend(start / SECTOR..end.div_ceil(SECTOR));
        outcome(trouble)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut machine = self.machine.lock().unwrap();
        let trouble = machine.begin()?;
        machine.syncs += 1;
        let file = &mut machine.files[self.id];
        match trouble {
            None => {
                for sector in std::mem::take(&mut file.dirty) {
                    copy(&file.seen, &mut file.durable, sector, SECTOR);
                }
            }
            Some(Trouble::Error(_)) => file.dirty.clear(),
            Some(Trouble::PowerFailure) => {}
        }
        outcome(trouble)
    }
}
