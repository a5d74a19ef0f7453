//! The passphrase of an encrypted signing key, from a file or the environment. It is never taken
//! from the command line, because `ps` and the shell history show that.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::ValueHint;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The variable with the passphrase, if there is no passphrase file.
const VARIABLE: &str = "JETON_PASSPHRASE";

/// The maximum length that is read from a passphrase file, in bytes.
const LEN_MAX: usize = 4_096;

/// Any access by group or others.
const OTHERS: u32 = 0o077;

/// The passphrase, if there is one. It is wiped when dropped.
pub(crate) struct Passphrase(Option<Zeroizing<String>>);

impl Passphrase {
    pub(crate) fn as_str(&self) -> Option<&str> {
        self.0.as_deref().map(String::as_str)
    }
}

/// The options that say where the passphrase is.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PassphraseArgs {
    /// File whose first line is the passphrase of an encrypted signing key [default: the variable
    /// JETON_PASSPHRASE]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseArgs {
    /// Returns `true` if the command line names a passphrase file.
    pub(crate) const fn names_a_file(&self) -> bool {
        self.passphrase_file.is_some()
    }

    /// Reads the passphrase, if there is one.
    pub(crate) fn read(&self) -> Result<Passphrase, Failure> {
        let passphrase = match &self.passphrase_file {
            Some(path) => Some(from_file(path)?),
            None => from_variable(std::env::var_os(VARIABLE))?,
        };
        Ok(Passphrase(passphrase))
    }
}

/// Reads the first line of a file that only its owner can access.
fn from_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::say(
            format!("cannot read the passphrase file {}: {error}", path.display()),
            "--passphrase-file must name a file whose first line is the passphrase",
        )
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_file() && metadata.mode() & OTHERS != 0 {
        return Err(Failure::say(
            format!("group or others can access the passphrase file {}", path.display()),
            format!("chmod 600 {}", path.display()),
        ));
    }
    // The capacity is reserved first, because a growing buffer would leave copies.
    let mut text = Zeroizing::new(String::with_capacity(LEN_MAX + 32));
    file.take(LEN_MAX as u64).read_to_string(&mut text).map_err(failed)?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(Failure::say(
            format!("the passphrase file {} has an empty first line", path.display()),
            "write the passphrase in its first line",
        ));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

/// Returns the value of the variable, or `None` if it is empty.
fn from_variable(value: Option<OsString>) -> Result<Option<Zeroizing<String>>, Failure> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let value = value.into_string().map_err(|_| {
        Failure::say(
            format!("{VARIABLE} is not UTF-8"),
            "use --passphrase-file, or another passphrase",
        )
    })?;
    Ok(Some(Zeroizing::new(value)))
}

#[cfg(test)]
impl Passphrase {
    /// Returns no passphrase, regardless of the environment.
    pub(crate) const fn none() -> Self {
        Self(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("passphrase");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (directory, path)
    }

    #[test]
    fn reads_the_first_line_as_the_passphrase() {
        for text in ["correct horse", "correct horse\n", "correct horse\r\nrest"] {
            let (_directory, path) = file(text, 0o600);
            assert_eq!(*from_file(&path).unwrap(), "correct horse");
        }
        let (_directory, path) = file("\nx", 0o600);
        assert!(from_file(&path).is_err());
    }

    #[test]
    fn refuses_a_file_that_others_can_read() {
        let (_directory, path) = file("correct horse", 0o640);
        let refused = from_file(&path).unwrap_err().to_string();
        assert!(refused.contains("hint: chmod 600"), "{refused}");
        assert!(!refused.contains("horse"), "{refused}");
    }

    #[test]
    fn treats_an_empty_variable_as_none() {
        assert!(from_variable(None).unwrap().is_none());
        assert!(from_variable(Some(OsString::new())).unwrap().is_none());
        assert_eq!(*from_variable(Some("x y".into())).unwrap().unwrap(), "x y");
    }
}
