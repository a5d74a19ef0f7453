//! `jeton ledger hash`: all that a node has counted, by one name.

use clap::Args;
use serde_json::json;

use crate::api::node::StateName;
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

The hash is over all uses, revocations and permissions. Nodes that applied the same
entries of the log have the same one. A cluster writes an entry each second, so
compare only those with the same `applied`; ask again if they differ.";

/// Name all that the node on this machine has counted, by one hash
///
/// So nodes of a cluster are compared, or a node before and after a move.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct HashArgs {
    /// How to write the result
    #[arg(long, value_enum, default_value_t = InspectFormat::Text)]
    format: InspectFormat,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

pub(super) fn run(args: &HashArgs, global: &Global) -> Result<(), Failure> {
    let node = AdminClient::open(&global.load()?, &args.passphrase)?;
    let StateName { applied, hash } = node.get("state")?;
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
