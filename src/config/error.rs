//! Why there is no configuration to work with.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::failure::Failure;

/// Why there is no configuration to work with.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// No file was named, and none of the usual places has one.
    #[error("there is no configuration: neither ./jeton.toml nor /etc/jeton/jeton.toml exists")]
    NotFound,
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file was read and is wrong in at least one place.
    #[error("{}", first_of(path, faults))]
    Faults {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it, in the order of its lines.
        faults: Vec<ConfigFault>,
    },
}

impl ConfigError {
    /// Returns the error for the command line, with what to do next.
    pub(crate) fn explain(&self) -> Failure {
        let hint = match self {
            Self::NotFound => "make one with `jeton init`, or name one with --config FILE",
            Self::Io { .. } => "name a file that can be read with --config FILE",
            Self::Faults { .. } => "`jeton config check` lists everything that is wrong",
        };
        Failure::new(self, hint)
    }
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigFault {
    /// Where it was said.
    pub origin: Origin,
    /// What is wrong; it names the key.
    pub what: String,
}

/// Where a setting comes from.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Origin {
    /// This line of the file, counted from 1.
    Line(usize),
    /// This environment variable.
    Environment(String),
    /// Nowhere: it is missing, or it is about the file as a whole.
    Nowhere,
}

impl ConfigFault {
    /// Tells whether this names `key`.
    #[must_use]
    pub fn is_about(&self, key: &str) -> bool {
        self.what.contains(&format!("`{key}`"))
    }

    /// Tells whether this is why there is no [`ProfilesConfig`](super::Profiles).
    #[must_use]
    pub fn is_about_profiles(&self) -> bool {
        self.what.contains("`profiles.")
    }
}

/// Writes `line 3: what`, `JETON_X: what` or `what`.
impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Line(line) => write!(f, "line {line}: {}", self.what),
            Origin::Environment(name) => write!(f, "{name}: {}", self.what),
            Origin::Nowhere => f.write_str(&self.what),
        }
    }
}

fn first_of(path: &std::path::Path, faults: &[ConfigFault]) -> String {
    let path = path.display();
    match faults {
        [] => format!("{path} is wrong"),
        [only] => format!("{path}: {only}"),
        [first, rest @ ..] => format!("{path}: {first} (and {} more)", rest.len()),
    }
}
