//! `jeton ledger`: creates, restores and compares ledgers.

pub(super) mod creation;
mod hash;
mod moved;
mod new;
mod restore;

use clap::{Args, Subcommand};

use crate::cli::global::Global;
use crate::failure::Failure;

/// Replace a lost ledger, accept a moved one, or compare ledgers
#[derive(Args, Debug)]
pub(crate) struct LedgerArgs {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    New(new::NewArgs),
    Restore(restore::RestoreArgs),
    Moved(moved::MovedArgs),
    Hash(hash::HashArgs),
}

pub(crate) fn run(LedgerArgs { command }: LedgerArgs, global: &Global) -> Result<(), Failure> {
    match command {
        LedgerCommand::New(args) => new::run(&args, global),
        LedgerCommand::Restore(args) => restore::run(&args, global),
        LedgerCommand::Moved(args) => moved::run(&args, global),
        LedgerCommand::Hash(args) => hash::run(&args, global),
    }
}
