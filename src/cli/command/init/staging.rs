//! Creates files all or nothing: in a hidden directory inside the target, from which they move to
//! the target at the end. An earlier failure leaves nothing behind.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::failure::Failure;

const FULL_OR_FORBIDDEN: &str =
    "check that the disk is not full and that you may write there; nothing was created";

/// A hidden directory whose content will move to the target.
#[derive(Debug)]
pub(in crate::cli) struct Staging {
    hidden: TempDir,
    target: TargetDir,
}

/// The directory for which files are created.
#[derive(Debug)]
struct TargetDir {
    path: PathBuf,
    /// Whether to remove it on drop: this process created it and has published nothing.
    is_ours: bool,
}

impl Staging {
    /// Prepares to create `names` in `target`. Creates `target` if it does not exist.
    pub(in crate::cli) fn begin(target: &Path, names: &[&str]) -> Result<Self, Failure> {
        for name in names {
            let path = target.join(name);
            if path.symlink_metadata().is_ok() {
                return Err(Failure::say(
                    format!("{} already exists", path.display()),
                    "nothing was changed; name a new directory with --dir DIR",
                ));
            }
        }
        let is_ours = match DirBuilder::new().mode(0o700).create(target) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(cannot("create", target, &error)),
        };
        let target = TargetDir { path: target.to_owned(), is_ours };
        let hidden = tempfile::Builder::new()
            .prefix(".jeton-init-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&target.path);
        let hidden = hidden.map_err(|error| cannot("write to", &target.path, &error))?;
        Ok(Self { hidden, target })
    }

    /// Returns the path of `name` in the hidden directory.
    pub(in crate::cli) fn path(&self, name: &str) -> PathBuf {
        self.hidden.path().join(name)
    }

    /// Writes a file. Directories above it are created for their owner only.
    pub(in crate::cli) fn write(&self, name: &str, mode: u32, text: &str) -> Result<(), Failure> {
        let path = self.path(name);
        self.write_file(&path, mode, text).map_err(|error| cannot("write", &path, &error))
    }

    fn write_file(&self, path: &Path, mode: u32, text: &str) -> io::Result<()> {
        let dir = path.parent().unwrap_or_else(|| self.hidden.path());
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        sync(dir)
    }

    /// Moves `names` to the target. If one cannot be moved, moves the others back.
    pub(in crate::cli) fn publish(mut self, names: &[&str]) -> Result<(), Failure> {
        for (at, name) in names.iter().enumerate() {
            let to = self.target.path.join(name);
            if let Err(error) = move_new(&self.path(name), &to) {
                for name in names.iter().take(at) {
                    // The first error is the one to report.
                    let _ = fs::rename(self.target.path.join(name), self.path(name));
                }
                return Err(cannot("create", &to, &error));
            }
        }
        self.target.is_ours = false;
        sync(&self.target.path).map_err(|error| cannot("write to", &self.target.path, &error))
    }
}

impl Drop for TargetDir {
    /// The hidden directory is an earlier field, so it has been removed already.
    fn drop(&mut self) {
        if self.is_ours {
            // Fails if another process has created something in it, which stays.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Moves a file or directory and never replaces another one, even if another process creates it at
/// the same time.
fn move_new(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        // Fails if a file or a directory that is not empty exists.
        return fs::rename(from, to);
    }
    // A rename would replace another file; a link fails instead.
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

/// Makes the entries of `dir` durable.
fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::say(format!("cannot {what} {}: {error}", path.display()), FULL_OR_FORBIDDEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_what_is_not_published() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("target");
        let staging = Staging::begin(&target, &["a"]).unwrap();
        staging.write("a/b", 0o600, "text").unwrap();
        let mode = fs::metadata(staging.path("")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(target.exists());
        drop(staging);
        assert!(!target.exists());
    }

    #[test]
    fn moves_everything_back_if_one_name_cannot_be_published() {
        let temp = tempfile::tempdir().unwrap();
        let staging = Staging::begin(temp.path(), &["a", "b"]).unwrap();
        staging.write("a/x", 0o600, "text").unwrap();
        staging.write("b", 0o600, "text").unwrap();
        fs::write(temp.path().join("b"), "another was faster").unwrap();
        staging.publish(&["a", "b"]).unwrap_err();
        let left: Vec<_> = fs::read_dir(temp.path()).unwrap().map(Result::unwrap).collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(fs::read_to_string(temp.path().join("b")).unwrap(), "another was faster");
    }
}
