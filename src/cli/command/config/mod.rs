//! `jeton config`: shows what can be configured, and judges what is.

mod check;
mod tls;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::cli::global::Global;
use crate::cli::terminal::format::CheckFormat;
use crate::cli::terminal::{output, table};
use crate::clock::SystemClock;
use crate::config::{Config, EXAMPLE, Environment};
use crate::failure::Failure;
use crate::plain_text::one_line;

/// Show an example configuration, or check the one there is
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

Exit codes: 0 no fault, 1 faults, each on a line of its own on stderr.";

/// Tell everything that is wrong with the configuration, at once
///
/// It reads jeton.toml, the JETON_* variables, and the keys, certificates and
/// profiles that they name. It changes nothing, and a node may be running.
#[derive(Args, Debug)]
#[command(after_help = CHECK_EXAMPLES)]
struct CheckArgs {
    /// What the configuration is to be good for
    #[arg(long = "for", value_name = "USE", value_enum, default_value_t = Use::Serve)]
    wanted: Use,

    /// How to write the answer
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    format: CheckFormat,
}

/// What a configuration is to be good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Use {
    /// `jeton serve`
    Serve,
    /// `jeton mint`, without a node
    Mint,
}

pub(crate) fn run(args: ConfigArgs, global: &Global) -> Result<(), Failure> {
    match args.command {
        ConfigCommand::Check(args) => check(&args, global),
        ConfigCommand::Example(ExampleArgs {}) => output::show(EXAMPLE),
    }
}

fn check(args: &CheckArgs, global: &Global) -> Result<(), Failure> {
    let environment = Environment::from_variables(std::env::vars_os());
    let (config, faults) =
        Config::examine(global.config.as_deref(), &environment).map_err(|error| error.explain())?;
    let beyond = check::faults(&config, &faults, args.wanted, &SystemClock);
    let faults: Vec<String> = faults.iter().map(ToString::to_string).chain(beyond).collect();
    let file = config.file.display();
    match args.format {
        CheckFormat::Text if faults.is_empty() => output::show(&format!("{file}: no fault\n"))?,
        CheckFormat::Text => {}
        CheckFormat::Json => {
            let told = json!({ "file": file.to_string(), "faults": faults });
            output::show(&table::to_json(&told)?)?;
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    for fault in &faults {
        output::remark(&one_line(&format!("{file}: {fault}")));
    }
    let faults = match faults.len() {
        1 => "1 fault".to_owned(),
        more => format!("{more} faults"),
    };
    Err(Failure::say(
        format!("{faults} in {file}, see above"),
        "`jeton config example` shows every key",
    ))
}
