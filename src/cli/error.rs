//! The error of the whole command line.

use crate::failure::Failure;

/// Why a command line did not succeed.
#[derive(Debug)]
pub enum CliError {
    /// A command failed.
    Failed(Failure),
    /// The command line is wrong, or it asks for help or the version, which clap reports in the
    /// same way.
    Usage(clap::Error),
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
