//! `jeton ledger new`: an empty ledger in place of a lost one.

use clap::Args;
use serde_json::json;

use super::create;
use crate::cli::global::Global;
use crate::cli::terminal::format::ChangeFormat;
use crate::cli::terminal::{output, table};
use crate::clock::{Clock as _, SystemClock};
use crate::failure::Failure;
use crate::token::CLOCK_ALLOWANCE;

const EXAMPLES: &str = "\
Examples:
  jeton ledger new                                 make the ledger that jeton.toml names
  jeton ledger new --config /etc/jeton/jeton.toml

For a lost disk without a backup; of a backup, `jeton ledger restore` makes more.
Every link minted before the moment that this prints is refused, because nobody
knows any more which of them were used. Mint new ones behind that moment.";

/// Make an empty ledger in place of a lost one
///
/// A ledger counts the uses of links. A new one knows nothing of the uses before
/// it, nor of the revocations, so it refuses every link that was minted before its
/// birth, which is a minute from now: a minter's clock may be that far ahead. A
/// ledger that exists is never touched.
///
/// Revoked keys and permissions are forgotten with the old ledger: take the public
/// halves of stolen keys away before serving, and allow autologin again.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct NewArgs {
    /// How to write the result
    #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
    format: ChangeFormat,
}

pub(super) fn run(args: &NewArgs, global: &Global) -> Result<(), Failure> {
    let dir = global.load()?.ledger.dir;
    let born_at = SystemClock.now().plus(CLOCK_ALLOWANCE.into());
    create(&dir, born_at)?;
    let dir = dir.display();
    output::show(&match args.format {
        ChangeFormat::Text => format!("{dir}\n"),
        ChangeFormat::Json => {
            table::to_json(&json!({ "dir": dir.to_string(), "born_at": born_at.to_string() }))?
        }
    })?;
    output::remark(&format!(
        "Links minted before {born_at} are refused.\n\
         It knows no revocation: take the public halves of stolen keys out of keys.trusted before \
         you serve.\n\
         It knows no permission: `jeton user allow-autologin` those who may.\n\
         Wait until then before you mint, and see to it that this clock is right: it says what \
         is older."
    ));
    Ok(())
}
