//! `jeton ledger`: the ledger's life, where it is not `serve`'s business.

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::global::Global;
use super::{output, seams};
use crate::clock::{Clock, SystemClock};
use crate::token::CLOCK_ALLOWANCE;

/// Make a new ledger for keys that have minted before
#[derive(Args, Debug)]
pub(crate) struct LedgerArgs {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    New(NewArgs),
}

const EXAMPLES: &str = "\
Examples:
  jeton ledger new                                 make the ledger that jeton.toml names
  jeton ledger new --config /etc/jeton/jeton.toml

After a lost disk: every link minted before the moment that this prints is
refused, because nobody knows any more which of them were used. Mint new ones
behind that moment.";

/// Make an empty ledger in place of a lost one
///
/// A ledger counts the uses of links. A new one knows nothing of the uses before
/// it, so it refuses counted links that were minted before its birth, which is a
/// minute from now: a minter's clock may be that far ahead. A ledger that exists
/// is never touched.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
struct NewArgs {}

pub(crate) fn run(LedgerArgs { command }: LedgerArgs, global: &Global) -> Result<(), Failure> {
    match command {
        LedgerCommand::New(NewArgs {}) => new(global, &SystemClock),
    }
}

fn new(global: &Global, clock: &dyn Clock) -> Result<(), Failure> {
    let dir = global.load()?.ledger.dir;
    let exists = seams::ledger_exists(&dir).map_err(|error| {
        let words = format!("cannot read {}: {error}", dir.display());
        Failure::say(words, "name a folder as `ledger.dir` that can be read")
    })?;
    if exists {
        return Err(Failure::say(
            format!("there is a ledger in {}", dir.display()),
            "keep it: a new one would refuse all links minted so far. If it is damaged, \
             move it away first",
        ));
    }
    let born_at = clock.now().plus(CLOCK_ALLOWANCE.into());
    seams::create_ledger(&dir, born_at)?;
    output::show(&format!("{}\n", dir.display()))?;
    output::remark(&format!("Counted links minted before {born_at} are refused."));
    Ok(())
}
