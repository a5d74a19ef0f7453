//! The options of every command, and the configuration that they select.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::config::{Config, LogFormat, LogLevel};
use crate::failure::Failure;

/// The options of every command.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Configuration file [default: ./jeton.toml, else /etc/jeton/jeton.toml]
    #[arg(long, global = true, env = "JETON_CONFIG", value_name = "FILE")]
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,

    /// Format of log lines: text, json [default: as configured, else text]
    #[arg(long, global = true, env = "JETON_LOG_FORMAT", value_name = "FORMAT")]
    #[arg(hide_possible_values = true)]
    pub(crate) log_format: Option<LogFormat>,

    /// What to log: error, warn, info, debug, trace [default: RUST_LOG, else as configured]
    #[arg(long, global = true, env = "JETON_LOG_LEVEL", value_name = "LEVEL")]
    #[arg(hide_possible_values = true)]
    pub(crate) log_level: Option<LogLevel>,
}

impl Global {
    pub(crate) fn load(&self) -> Result<Config, Failure> {
        Ok(Config::load(self.config.as_deref())?)
    }
}
