//! `jeton config`: prints an example configuration, and checks the current one.

mod check;
mod tls;

use clap::{Args, Subcommand};
use serde_json::json;

use check::Use;

use crate::cli::global::Global;
use crate::cli::terminal::format::CheckFormat;
use crate::cli::terminal::{output, table};
use crate::clock::SystemClock;
use crate::config::{Config, EXAMPLE, Environment};
use crate::failure::Failure;
use crate::humanize::counted;
use crate::plain_text::one_line;

/// Print an example configuration, or check the current one
#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    Check(CheckArgs),
    Example(ExampleArgs),
}

/// Print every key with its default and a comment
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  jeton config example
  jeton config example > jeton.toml")]
struct ExampleArgs {}

const CHECK_EXAMPLES: &str = "\
Examples:
  jeton config check
  jeton config check --config /etc/jeton/jeton.toml
  jeton config check --for mint              on a machine that only mints
  ExecStartPre=/usr/bin/jeton config check   in a systemd unit

Exit codes: 0 no problems; 1 problems, each on its own line on stderr.";

/// Report every problem of the configuration at once
///
/// Checks jeton.toml, the JETON_* variables, and the keys, certificates and profiles that they
/// name. It changes nothing, and works while a node is running.
#[derive(Args, Debug)]
#[command(after_help = CHECK_EXAMPLES)]
struct CheckArgs {
    /// What the configuration is for
    #[arg(long = "for", value_name = "USE", value_enum, default_value_t = Use::Serve)]
    wanted: Use,

    /// Output format
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    format: CheckFormat,
}

pub(crate) fn run(args: ConfigArgs, global: &Global) -> Result<(), Failure> {
    match args.command {
        ConfigCommand::Check(args) => check(&args, global),
        ConfigCommand::Example(ExampleArgs {}) => output::show(EXAMPLE),
    }
}

fn check(args: &CheckArgs, global: &Global) -> Result<(), Failure> {
    let environment = Environment::from_variables(std::env::vars_os());
    let (config, faults) = Config::examine(global.config.as_deref(), &environment)?;
    let further = check::faults(&config, &faults, args.wanted, &SystemClock);
    let faults: Vec<String> = faults.iter().map(ToString::to_string).chain(further).collect();
    let file = config.file.display();
    match args.format {
        CheckFormat::Text if faults.is_empty() => output::show(&format!("{file}: no problems\n"))?,
        CheckFormat::Text => {}
        CheckFormat::Json => {
            let result = json!({ "file": file.to_string(), "faults": faults });
            output::show(&table::to_json(&result)?)?;
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    for fault in &faults {
        output::remark(&one_line(&format!("{file}: {fault}")));
    }
    Err(Failure::say(
        format!("{} in {file}, see above", counted(faults.len(), "problem")),
        "`jeton config example` shows every key",
    ))
}
