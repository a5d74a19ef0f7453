//! Errors of the configuration.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::failure::Failure;

/// Why the configuration cannot be loaded.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// No file was named, and none of the default paths exists.
    #[error("no configuration found: neither ./jeton.toml nor /etc/jeton/jeton.toml exists")]
    NotFound,
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// At least one setting is wrong or unknown.
    #[error("{}", first_of(path, faults))]
    Faults {
        /// The file.
        path: PathBuf,
        /// All faults, in the order of the lines.
        faults: Vec<ConfigFault>,
    },
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let hint = match &error {
            ConfigError::NotFound => "create one with `jeton init`, or name one with --config FILE",
            ConfigError::Io { .. } => "name a readable file with --config FILE",
            ConfigError::Faults { .. } => "`jeton config check` lists every problem",
        };
        Self::new(&error, hint)
    }
}

/// A problem in a configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigFault {
    /// The setting, such as `public.listen`, which may be an unknown one; `None` for a syntax
    /// error.
    pub key: Option<String>,
    /// Where the setting is.
    pub origin: Origin,
    /// What is wrong; it names the key.
    pub what: String,
}

/// Where a setting comes from.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Origin {
    /// A line of the file, counted from 1.
    Line(usize),
    /// An environment variable.
    Environment(String),
    /// Neither: the setting is missing, or the fault is one of the whole file.
    Nowhere,
}

impl ConfigFault {
    /// Returns `true` if this is a fault of `key`.
    #[must_use]
    pub fn is_about(&self, key: &str) -> bool {
        self.key.as_deref() == Some(key)
    }

    /// Returns `true` if this is a fault of a key in `[profiles]`.
    #[must_use]
    pub fn is_about_profiles(&self) -> bool {
        self.key.as_deref().is_some_and(|key| key.starts_with("profiles."))
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
        [] => format!("{path} is invalid"),
        [only] => format!("{path}: {only}"),
        [first, rest @ ..] => format!("{path}: {first} (and {} more)", rest.len()),
    }
}
