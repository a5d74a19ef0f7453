//! Who a ledger folder is: drawn once when it is made, never derived from a
//! host name or a config, and never made up by a start.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ledger::NodeId;
use crate::token::UnixSeconds;

const FILE: &str = "identity.toml";

/// The identity of a ledger folder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity {
    /// Names the ledger: the same on all nodes that share it.
    pub ledger_id: [u8; 16],
    /// Names this node among them. Never zero.
    pub node_id: NodeId,
    /// When the ledger began to count.
    pub born_at: UnixSeconds,
}

/// Why a folder has no identity to be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// There is no ledger in the folder.
    #[error("there is no ledger in {0}")]
    Missing(PathBuf),
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what was written when the ledger was made.
    #[error("{0} is damaged")]
    Damaged(PathBuf),
}

/// How the identity stands in its file.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Wire {
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
    /// [`IdentityError`] if there is none, or none that is whole.
    pub fn read(dir: &Path) -> Result<Self, IdentityError> {
        let path = dir.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                IdentityError::Missing(dir.to_owned())
            } else {
                IdentityError::Io { path: path.clone(), source }
            }
        })?;
        toml::from_str::<Wire>(&text)
            .ok()
            .and_then(|wire| wire.identity())
            .ok_or(IdentityError::Damaged(path))
    }

    /// Returns the name of the file and what it holds.
    #[must_use]
    pub fn to_file(self) -> (&'static str, String) {
        let Wire { format, ledger_id, node_id, born_at, checksum } = Wire::of(self);
        let text = format!(
            "# Who this ledger is. Made once; do not edit or copy to another node.\n\
             # born_at is {}: tokens issued before are refused.\n\
             format = {format}\n\
             ledger_id = \"{ledger_id}\"\n\
             node_id = \"{node_id}\"\n\
             born_at = {born_at}\n\
             checksum = \"{checksum}\"\n",
            self.born_at
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

impl Wire {
    fn of(identity: Identity) -> Self {
        Self {
            format: 1,
            ledger_id: format!("{:032x}", u128::from_be_bytes(identity.ledger_id)),
            node_id: identity.node_id.to_string(),
            born_at: identity.born_at.get(),
            checksum: format!("{:08x}", identity.checksum()),
        }
    }

    fn identity(&self) -> Option<Identity> {
        let identity = Identity {
            ledger_id: u128::from_str_radix(&self.ledger_id, 16).ok()?.to_be_bytes(),
            node_id: self.node_id.parse().ok()?,
            born_at: UnixSeconds::new(self.born_at),
        };
        let checksum = u32::from_str_radix(&self.checksum, 16).ok()?;
        let whole =
            self.format == 1 && identity.node_id != NodeId(0) && checksum == identity.checksum();
        whole.then_some(identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_as_it_was_written_or_not_at_all() {
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
