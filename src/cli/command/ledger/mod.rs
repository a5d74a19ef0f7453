//! `jeton ledger`: the ledger itself, where it is not `serve`'s business.

mod hash;
mod moved;
mod new;
mod restore;

use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};

use self::hash::HashArgs;
use self::moved::MovedArgs;
use self::new::NewArgs;
use self::restore::RestoreArgs;
use crate::cli::command::serve::runtime;
use crate::cli::global::Global;
use crate::clock::SystemClock;
use crate::failure::Failure;
use crate::ledger::NodeId;
use crate::ledger::raft::{self, Identity, OpenError};
use crate::random;
use crate::token::UnixSeconds;

/// Make a new ledger for keys that have minted before, or bring one back
#[derive(Args, Debug)]
pub(crate) struct LedgerArgs {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    New(NewArgs),
    Restore(RestoreArgs),
    Moved(MovedArgs),
    Hash(HashArgs),
}

pub(crate) fn run(LedgerArgs { command }: LedgerArgs, global: &Global) -> Result<(), Failure> {
    match command {
        LedgerCommand::New(args) => new::run(&args, global),
        LedgerCommand::Restore(args) => restore::run(&args, global),
        LedgerCommand::Moved(args) => moved::run(&args, global),
        LedgerCommand::Hash(args) => hash::run(&args, global),
    }
}

/// Makes a ledger in `dir`, which must not be there, whole or not at all. It
/// refuses links that were minted before `born_at`.
pub(crate) fn create(dir: &Path, born_at: UnixSeconds) -> Result<(), Failure> {
    let identity = identity(born_at)?;
    let created = runtime()?.block_on(raft::create(dir, identity, Arc::new(SystemClock)));
    created.map_err(|error| refused(&error))
}

/// Draws the names of a new ledger and of its first node.
fn identity(born_at: UnixSeconds) -> Result<Identity, Failure> {
    Ok(Identity { ledger_id: random::bytes()?, node_id: draw_node_id()?, born_at })
}

/// Draws the name of a node that nobody knows yet.
pub(crate) fn draw_node_id() -> Result<NodeId, Failure> {
    // Zero would be no name for a node.
    Ok(NodeId(u64::from_be_bytes(random::bytes()?).max(1)))
}

/// Says what to do about a ledger that was not made.
fn refused(error: &OpenError) -> Failure {
    let hint = if matches!(error, OpenError::Exists(_)) {
        "keep it: a new ledger refuses all links minted so far. If it is damaged, move it away \
         first"
    } else {
        "nothing was made; is the disk full, or the folder someone else's?"
    };
    Failure::new(error, hint)
}
