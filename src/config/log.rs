//! `[log]`: how to log.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

use super::document::Document;

/// `[log]`: how to log.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LogConfig {
    /// For people or for programs.
    pub format: LogFormat,
    /// The least important lines that are still written.
    pub level: LogLevel,
    /// The file with one JSON line for each event; `None` for no such file.
    pub audit: Option<PathBuf>,
}

/// For whom log lines are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// One line of text each, for people; in colour on a terminal.
    #[default]
    Text,
    /// One JSON object each, for programs.
    Json,
}

/// How important a log line is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum LogLevel {
    /// Something does not work.
    Error,
    /// Something should be looked after.
    Warn,
    /// What an operator likes to know.
    #[default]
    Info,
    /// What helps to find a fault.
    Debug,
    /// Everything.
    Trace,
}

impl LogConfig {
    pub(super) fn read(doc: &mut Document<'_>) -> Self {
        Self {
            format: doc.take("log.format").unwrap_or_default(),
            level: doc.take("log.level").unwrap_or_default(),
            audit: doc.take_path("log.audit"),
        }
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        <Self as ValueEnum>::from_str(name, false)
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        <Self as ValueEnum>::from_str(name, false)
    }
}
