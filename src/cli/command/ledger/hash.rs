//! `jeton ledger hash`: prints the hash of a node's state.

use clap::Args;
use serde_json::json;

use crate::api::node::StateHash;
use crate::cli::client::AdminClient;
use crate::cli::global::Global;
use crate::cli::terminal::facts::Facts;
use crate::cli::terminal::format::InspectFormat;
use crate::cli::terminal::output;
use crate::failure::Failure;
use crate::signing::passphrase::PassphraseArgs;

const EXAMPLES: &str = "\
Examples:
  jeton ledger hash
  jeton ledger hash --format json            on each node of a cluster, at the same time

The hash covers all uses, revocations and permissions. Nodes that have applied the same log
entries have the same hash. A cluster writes an entry each second, so compare only hashes
with the same `applied`; run the command again if these numbers differ.";

/// Print a hash of everything that the node on this machine has counted
///
/// Use it to compare the nodes of a cluster, or a node before and after a move.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct HashArgs {
    /// Output format
    #[arg(long, value_enum, default_value_t = InspectFormat::Text)]
    format: InspectFormat,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

pub(super) fn run(args: &HashArgs, global: &Global) -> Result<(), Failure> {
    let node = AdminClient::open(&global.load()?, &args.passphrase)?;
    let StateHash { applied, hash } = node.get("state")?;
    output::show(&match args.format {
        InspectFormat::Text => {
            let mut facts = Facts::default();
            facts.add("applied", applied.to_string());
            facts.add("hash", hash);
            facts.to_text()
        }
        InspectFormat::Json => format!("{}\n", json!({ "applied": applied, "hash": hash })),
    })
}
