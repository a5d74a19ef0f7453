//! `jeton ledger`: the ledger's life, where it is not `serve`'s business.

use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};
use tokio::runtime::Runtime;

use crate::cli::failure::Failure;
use crate::cli::global::Global;
use crate::cli::terminal::output;
use crate::clock::{Clock, SystemClock};
use crate::ledger::raft::{self, Identity, OpenError};
use crate::random;
use crate::token::{CLOCK_ALLOWANCE, UnixSeconds};

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
/// it, nor of the revocations, so it refuses every link that was minted before its
/// birth, which is a minute from now: a minter's clock may be that far ahead. A
/// ledger that exists is never touched.
///
/// Revoked keys and permissions are forgotten with the old ledger: take the public
/// halves of stolen keys away before serving, and allow autologin again.
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
    let born_at = clock.now().plus(CLOCK_ALLOWANCE.into());
    create(&dir, born_at)?;
    output::show(&format!("{}\n", dir.display()))?;
    output::remark(&format!(
        "Links minted before {born_at} are refused.\n\
         It knows no revocation: take the public halves of stolen keys out of keys.trusted before \
         you serve.\n\
         It knows no permission: `jeton user allow-autologin` those who may."
    ));
    Ok(())
}

/// Makes a ledger in `dir`, which must not be there, whole or not at all. It
/// refuses links that were minted before `born_at`.
pub(crate) fn create(dir: &Path, born_at: UnixSeconds) -> Result<(), Failure> {
    // Zero would be no name for a node.
    let node_id = u64::from_be_bytes(random::bytes()?).max(1);
    let identity = Identity { ledger_id: random::bytes()?, node_id, born_at };
    let runtime = Runtime::new()
        .map_err(|error| Failure::new(&error, "the system gives no threads; nothing was made"))?;
    let created = runtime.block_on(raft::create(dir, identity, Arc::new(SystemClock)));
    created.map_err(|error| {
        let hint = if matches!(error, OpenError::Exists(_)) {
            "keep it: a new ledger refuses all links minted so far. If it is damaged, move it away \
             first"
        } else {
            "nothing was made; is the disk full, or the folder someone else's?"
        };
        Failure::new(&error, hint)
    })
}
