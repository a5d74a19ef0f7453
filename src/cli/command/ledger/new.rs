//! `jeton ledger new`: creates an empty ledger in place of a lost one.

use clap::Args;
use serde_json::json;

use super::creation::create;
use crate::cli::global::Global;
use crate::cli::terminal::format::ChangeFormat;
use crate::cli::terminal::output;
use crate::clock::{Clock as _, SystemClock};
use crate::failure::Failure;
use crate::token::CLOCK_ALLOWANCE;

const EXAMPLES: &str = "\
Examples:
  jeton ledger new                                 create the ledger that jeton.toml names
  jeton ledger new --config /etc/jeton/jeton.toml

Use this if the disk is lost and there is no backup; from a backup, `jeton ledger restore`
recovers more. The new ledger refuses every link minted before the time that this prints,
because it cannot know which of them were used. Mint new links after that time.";

/// Create an empty ledger in place of a lost one
///
/// A ledger counts the uses of links. A new one lacks earlier uses and revocations, so it refuses
/// every link that was minted before its start time. That is one minute from now, because the clock
/// of a minter may be that far ahead. An existing ledger is never changed.
///
/// Revoked keys and permissions are lost with the old ledger. Before serving, remove the public
/// halves of stolen keys; then allow autologin again.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct NewArgs {
    /// Output format
    #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
    format: ChangeFormat,
}

pub(super) fn run(args: &NewArgs, global: &Global) -> Result<(), Failure> {
    let dir = global.load()?.ledger.dir;
    let born_at = SystemClock.now().plus(CLOCK_ALLOWANCE.into());
    create(&dir, born_at)?;
    let dir = dir.display();
    let json = json!({ "dir": dir.to_string(), "born_at": born_at.to_string() });
    output::show_change(args.format, dir, &json)?;
    output::remark(&format!(
        "Links minted before {born_at} are refused.\n\
         The ledger has no revocations: remove the public halves of stolen keys from keys.trusted \
         before you serve.\n\
         The ledger has no permissions: run `jeton user allow-autologin` for each user who needs \
         it.\n\
         Wait until that time before you mint, and check this machine's clock, which decides what \
         is older."
    ));
    Ok(())
}
