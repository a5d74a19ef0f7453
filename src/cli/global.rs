//! What every command can be told, and the configuration that comes of it.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::cli::failure::Failure;
use crate::config::{Config, ConfigError, LogFormat, LogLevel};

/// What every command can be told.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The configuration [default: ./jeton.toml, else /etc/jeton/jeton.toml]
    #[arg(long, global = true, env = "JETON_CONFIG", value_name = "FILE")]
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,

    /// How log lines look: text, json [default: as configured, else text]
    #[arg(long, global = true, env = "JETON_LOG_FORMAT", value_name = "FORMAT")]
    #[arg(hide_possible_values = true)]
    pub(crate) log_format: Option<LogFormat>,

    /// How much is logged: error, warn, info, debug, trace [default: RUST_LOG, else as configured]
    #[arg(long, global = true, env = "JETON_LOG_LEVEL", value_name = "LEVEL")]
    #[arg(hide_possible_values = true)]
    pub(crate) log_level: Option<LogLevel>,
}

impl Global {
    /// Loads the configuration.
    pub(crate) fn load(&self) -> Result<Config, Failure> {
        Config::load(self.config.as_deref()).map_err(|error| refuse(&error))
    }
}

/// Says why there is no configuration, and what to do.
pub(crate) fn refuse(error: &ConfigError) -> Failure {
    let hint = match error {
        ConfigError::NotFound => "make one with `jeton init`, or name one with --config FILE",
        ConfigError::Io { .. } => "name a file that can be read with --config FILE",
        ConfigError::Faults { .. } => "`jeton config check` tells everything that is wrong",
    };
    Failure::new(error, hint)
}

/// Says that a command cannot do without `key`, such as `public_url`.
pub(crate) fn missing(config: &Config, key: &str) -> Failure {
    let variable = format!("JETON_{}", key.replace('.', "_").to_ascii_uppercase());
    let file = config.file.display();
    Failure::say(
        format!("`{key}` is not set in {file}"),
        format!("set it there, or in the variable {variable}; `jeton config example` shows how"),
    )
}
