//! `jeton ledger moved`: the operator confirms that a moved ledger is the newest copy.

use clap::Args;
use serde_json::json;

use crate::cli::global::Global;
use crate::cli::terminal::format::ChangeFormat;
use crate::cli::terminal::output;
use crate::failure::Failure;
use crate::ledger::raft;
use crate::node::opening;

const EXAMPLES: &str = "\
Examples:
  jeton ledger moved --is-newest             after moving it to another disk

Do not use this for a backup, or for a copy of a ledger that was served since: the node
would grant uses that are already spent. Use `jeton ledger restore` for these.";

/// Accept a ledger that was moved to another disk
///
/// A node does not start on a copied ledger, because a copy lacks the uses that were counted after
/// it was made. If the whole directory was copied while no node served it, and no node has served
/// the original since, confirm that with this command; jeton cannot check it. A ledger whose
/// directory was only renamed needs no confirmation. The command is also needed if the file
/// `log/place`, which detects copies, is damaged.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct MovedArgs {
    /// Confirm that no node has served this ledger since it was copied, and that none will serve
    /// another copy
    #[arg(long)]
    is_newest: bool,

    /// Output format
    #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
    format: ChangeFormat,
}

pub(super) fn run(args: &MovedArgs, global: &Global) -> Result<(), Failure> {
    let dir = global.load()?.ledger.dir;
    if !args.is_newest {
        return Err(Failure::say(
            "only you can know whether this is the newest and only copy of the ledger",
            "if no node has served it since it was copied, and none will serve another copy, run \
             `jeton ledger moved --is-newest`. Otherwise move it aside and run `jeton ledger restore` \
             on it",
        ));
    }
    let needed = raft::accept_clone(&dir).map_err(|error| opening::explain_ledger(&error))?;
    let dir = dir.display();
    let json = json!({ "dir": dir.to_string(), "was_needed": needed });
    output::show_change(args.format, dir, &json)?;
    output::remark(if needed {
        "Accepted as the newest and only copy of this ledger."
    } else {
        "The ledger was not copied. Nothing was changed."
    });
    Ok(())
}
