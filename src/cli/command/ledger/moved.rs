//! `jeton ledger moved`: somebody vouches for a ledger that lies elsewhere now.

use clap::Args;
use serde_json::json;

use crate::cli::global::Global;
use crate::cli::terminal::format::ChangeFormat;
use crate::cli::terminal::{output, table};
use crate::failure::Failure;
use crate::ledger::raft;
use crate::node::opening;

const EXAMPLES: &str = "\
Examples:
  jeton ledger moved --is-newest                   after moving it to another disk

Not for a backup, nor for a copy of a ledger that was served since: its node would
give away uses that are spent. `jeton ledger restore` is for these.";

/// Vouch for a ledger that was moved to another disk
///
/// A ledger notices that its files are not those it wrote, and a node does not start
/// on it: a copy does not know what was counted since it was made. If the whole
/// folder was copied while no node ran, and none has served it elsewhere since, say
/// so; nothing else can know it. Nothing has to be said where it was only renamed. The
/// same word is needed where the file `log/place`, which tells all this, is damaged.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct MovedArgs {
    /// Yes: no node has served this ledger since it was copied, and none will
    /// elsewhere
    #[arg(long)]
    is_newest: bool,

    /// How to write the result
    #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
    format: ChangeFormat,
}

pub(super) fn run(args: &MovedArgs, global: &Global) -> Result<(), Failure> {
    let dir = global.load()?.ledger.dir;
    if !args.is_newest {
        return Err(Failure::say(
            "only you can know whether this ledger is the newest and the only one",
            "if no node has served it since it was copied, and none will elsewhere: `jeton ledger \
             moved --is-newest`. Otherwise move it aside, and `jeton ledger restore` it",
        ));
    }
    let needed = raft::accept_clone(&dir).map_err(|error| opening::explain_ledger(&error))?;
    let dir = dir.display();
    output::show(&match args.format {
        ChangeFormat::Text => format!("{dir}\n"),
        ChangeFormat::Json => {
            table::to_json(&json!({ "dir": dir.to_string(), "was_needed": needed }))?
        }
    })?;
    output::remark(if needed {
        "Taken for the newest and only copy of this ledger."
    } else {
        "It was not copied: nothing had to be said."
    });
    Ok(())
}
