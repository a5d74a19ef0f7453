//! All or nothing: files are made in a hidden folder beside the place they are
//! for, and moved there together at the end. Whatever goes wrong before leaves
//! nothing behind.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::failure::Failure;

const FULL_OR_FORBIDDEN: &str = "is the disk full, or the folder someone else's? Nothing was made";

/// A hidden folder that is to become part of `target`.
#[derive(Debug)]
pub(in crate::cli) struct Staging {
    hidden: TempDir,
    target: Target,
}

/// The folder that things are made for.
#[derive(Debug)]
struct Target {
    path: PathBuf,
    /// Whether to remove it again: it was not there before and is still empty.
    is_ours: bool,
}

impl Staging {
    /// Begins to make `names` in `target`, which is made if it does not exist.
    pub(in crate::cli) fn begin(target: &Path, names: &[&str]) -> Result<Self, Failure> {
        for name in names {
            let path = target.join(name);
            if path.symlink_metadata().is_ok() {
                return Err(Failure::say(
                    format!("{} exists already", path.display()),
                    "nothing was touched; name a new folder with --dir DIR",
                ));
            }
        }
        let is_ours = match DirBuilder::new().mode(0o700).create(target) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(cannot("make", target, &error)),
        };
        let target = Target { path: target.to_owned(), is_ours };
        let hidden = tempfile::Builder::new()
            .prefix(".jeton-init-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&target.path);
        let hidden = hidden.map_err(|error| cannot("write to", &target.path, &error))?;
        Ok(Self { hidden, target })
    }

    /// Returns where `name` is being made.
    pub(in crate::cli) fn path(&self, name: &str) -> PathBuf {
        self.hidden.path().join(name)
    }

    /// Writes a file, and makes the folders above it for its owner only.
    pub(in crate::cli) fn write(&self, name: &str, mode: u32, text: &str) -> Result<(), Failure> {
        let path = self.path(name);
        self.write_file(&path, mode, text).map_err(|error| cannot("write", &path, &error))
    }

    fn write_file(&self, path: &Path, mode: u32, text: &str) -> io::Result<()> {
        let folder = path.parent().unwrap_or_else(|| self.hidden.path());
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        sync(folder)
    }

    /// Moves `names` to the target. If one cannot be moved, those moved before
    /// it are taken back.
    pub(in crate::cli) fn publish(mut self, names: &[&str]) -> Result<(), Failure> {
        for (at, name) in names.iter().enumerate() {
            let to = self.target.path.join(name);
            if let Err(error) = move_new(&self.path(name), &to) {
                for name in names.iter().take(at) {
                    // The first fault is the one to report.
                    let _ = fs::rename(self.target.path.join(name), self.path(name));
                }
                return Err(cannot("make", &to, &error));
            }
        }
        self.target.is_ours = false;
        sync(&self.target.path).map_err(|error| cannot("write to", &self.target.path, &error))
    }
}

impl Drop for Target {
    /// Runs after the hidden folder is gone, because it is the later field.
    fn drop(&mut self) {
        if self.is_ours {
            // What is not empty is not ours alone any more, and stays.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Moves a file or folder to a name that nothing has, even if someone else makes
/// the same at the same time.
fn move_new(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        // Fails if a folder that is not empty, or a file, has the name.
        return fs::rename(from, to);
    }
    // A rename would take the place of another file; a link does not.
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

/// Makes the names in `folder` last.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::say(format!("cannot {what} {}: {error}", path.display()), FULL_OR_FORBIDDEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_published_vanishes() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let staging = Staging::begin(&target, &["a"]).unwrap();
        staging.write("a/b", 0o600, "text").unwrap();
        let mode = fs::metadata(staging.path("")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(target.exists());
        drop(staging);
        assert!(!target.exists());
    }

    #[test]
    fn what_cannot_be_published_whole_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let staging = Staging::begin(folder.path(), &["a", "b"]).unwrap();
        staging.write("a/x", 0o600, "text").unwrap();
        staging.write("b", 0o600, "text").unwrap();
        fs::write(folder.path().join("b"), "another was faster").unwrap();
        staging.publish(&["a", "b"]).unwrap_err();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(fs::read_to_string(folder.path().join("b")).unwrap(), "another was faster");
    }
}
