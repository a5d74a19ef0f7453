//! Chooses the key that a command signs with: the one that `--key` names, or the newest.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use crate::cli::configured::{self, LazyConfig};
use crate::failure::Failure;
use crate::signing::passphrase::PassphraseArgs;
use crate::signing::signing_key::{load, load_file};
use crate::token::{KeyId, KeyPurpose, SigningKey};

/// The key that `--key` names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum KeyChoice {
    /// The key in the signing directory that has this id.
    Id(KeyId),
    /// The key in this file.
    File(PathBuf),
}

/// Parses 8 hex digits as an id, and anything else as a path. Write `./0a1b2c3d` for a file that
/// has such a name.
impl FromStr for KeyChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::File(text.into()), Self::Id))
    }
}

/// Opens the signing key for `purpose` that `--key` names, or the newest one. Loads the
/// configuration only if `--key` does not name a file.
pub(crate) fn choose(
    choice: Option<&KeyChoice>,
    purpose: KeyPurpose,
    config: &LazyConfig<'_>,
    passphrase: &PassphraseArgs,
) -> Result<SigningKey, Failure> {
    let passphrase = passphrase.read()?;
    let id = match choice {
        Some(KeyChoice::File(path)) => return load_file(path, purpose, &passphrase),
        Some(KeyChoice::Id(id)) => Some(*id),
        None => None,
    };
    load(configured::dir_to_sign_with(&config.get()?.keys, purpose)?, purpose, id, &passphrase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_eight_hex_digits_as_an_id_and_the_rest_as_files() {
        let choice = |text: &str| text.parse::<KeyChoice>().unwrap();
        assert_eq!(choice("0a1b2c3d"), KeyChoice::Id(KeyId([0x0a, 0x1b, 0x2c, 0x3d])));
        assert_eq!(choice("./0a1b2c3d"), KeyChoice::File("./0a1b2c3d".into()));
        assert_eq!(choice("profile.pem"), KeyChoice::File("profile.pem".into()));
    }
}
