//! `[log]`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::document::Settings;
use super::setting::{FromSetting, Raw};

/// `[log]`: how to log.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LogConfig {
    /// The format of log lines.
    pub format: LogFormat,
    /// The least important level that is logged.
    pub level: LogLevel,
    /// The audit log, with one JSON line for each event; `None` if it is off.
    pub audit: Option<PathBuf>,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// Text for people, in color on a terminal.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// The importance of a log line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum LogLevel {
    /// Something does not work.
    Error,
    /// Something needs attention.
    Warn,
    /// Normal operation.
    #[default]
    Info,
    /// Details for debugging.
    Debug,
    /// Everything.
    Trace,
}

impl LogConfig {
    pub(super) fn read(settings: &mut Settings<'_>) -> Self {
        Self {
            format: settings.take("log.format").unwrap_or_default(),
            level: settings.take("log.level").unwrap_or_default(),
            audit: settings.take_path("log.audit"),
        }
    }
}

impl FromSetting for LogFormat {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        let expected = "must be \"text\" or \"json\"";
        <Self as ValueEnum>::from_str(raw.text()?, false).map_err(|_| expected.to_owned())
    }
}

impl FromSetting for LogLevel {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        let expected = "must be one of error, warn, info, debug, trace";
        <Self as ValueEnum>::from_str(raw.text()?, false).map_err(|_| expected.to_owned())
    }
}
