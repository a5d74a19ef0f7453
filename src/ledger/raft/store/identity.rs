//! The identity of a ledger directory. It is drawn at random when the directory is created, never
//! derived from a host name or the configuration.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use crate::ledger::NodeId;
use crate::token::UnixSeconds;

const FILE: &str = "identity.toml";

/// The identity of a ledger directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The id of the ledger, the same on all nodes that share it.
    pub ledger_id: [u8; 16],
    /// The id of this node. Never zero.
    pub node_id: NodeId,
    /// When the ledger began to count.
    pub born_at: UnixSeconds,
}

/// Why the identity of a directory could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// There is no ledger in the directory.
    #[error("there is no ledger in {0}")]
    Missing(PathBuf),
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not what was written when the ledger was created.
    #[error("{0} is damaged")]
    Damaged(PathBuf),
}

/// The fields of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityFile {
    format: u8,
    ledger_id: String,
    node_id: String,
    born_at: u64,
    checksum: String,
}

impl Identity {
    /// Reads the identity of the ledger in `dir`.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] if it is missing or damaged.
    pub fn read(dir: &Path) -> Result<Self, IdentityError> {
        let path = dir.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                IdentityError::Missing(dir.to_owned())
            } else {
                IdentityError::Io { path: path.clone(), source }
            }
        })?;
        toml::from_str::<IdentityFile>(&text)
            .ok()
            .and_then(|file| file.identity())
            .ok_or(IdentityError::Damaged(path))
    }

    /// Returns the name and the content of the file.
    #[must_use]
    pub fn to_file(self) -> (&'static str, String) {
        let Self { ledger_id, node_id, born_at } = self;
        let text = format!(
            "# Who this ledger is. Made once; do not edit or copy to another node.\n\
             # born_at is {born_at}: tokens issued before are refused.\n\
             format = 1\n\
             ledger_id = \"{:032x}\"\n\
             node_id = \"{node_id}\"\n\
             born_at = {}\n\
             checksum = \"{:08x}\"\n",
            u128::from_be_bytes(ledger_id),
            born_at.get(),
            self.checksum()
        );
        (FILE, text)
    }

    fn checksum(self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.ledger_id);
        hasher.update(&self.node_id.0.to_be_bytes());
        hasher.update(&self.born_at.get().to_be_bytes());
        hasher.finalize()
    }
}

impl IdentityFile {
    fn identity(&self) -> Option<Identity> {
        let identity = Identity {
            ledger_id: u128::from_str_radix(&self.ledger_id, 16).ok()?.to_be_bytes(),
            node_id: self.node_id.parse().ok()?,
            born_at: UnixSeconds::new(self.born_at),
        };
        let checksum = u32::from_str_radix(&self.checksum, 16).ok()?;
        let is_whole =
            self.format == 1 && identity.node_id != NodeId(0) && checksum == identity.checksum();
        is_whole.then_some(identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_round_trips_and_damage_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity {
            ledger_id: [7; 16],
            node_id: NodeId(9),
            born_at: UnixSeconds::new(1_790_000_000),
        };
        assert!(matches!(Identity::read(dir.path()), Err(IdentityError::Missing(_))));
        let (name, text) = identity.to_file();
        let path = dir.path().join(name);
        std::fs::write(&path, &text).unwrap();
        assert_eq!(Identity::read(dir.path()).unwrap(), identity);
        for (from, to) in
            [("179", "178"), ("0707", "0706"), ("format = 1", "format = 2"), ("=", "")]
        {
            std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
            if text.replacen(from, to, 1) != text {
                let read = Identity::read(dir.path());
                assert!(matches!(read, Err(IdentityError::Damaged(_))), "{from}: {read:?}");
            }
        }
    }
}
