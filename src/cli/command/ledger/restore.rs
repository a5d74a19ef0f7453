//! `jeton ledger restore`: creates a ledger from an older copy.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueHint};
use serde_json::{Value, json};

use super::creation::{draw_identity, explain};
use crate::cli::command::serve::runtime;
use crate::cli::global::Global;
use crate::cli::terminal::format::ChangeFormat;
use crate::cli::terminal::output;
use crate::clock::{Clock as _, SystemClock};
use crate::failure::Failure;
use crate::ledger::log::LogError;
use crate::ledger::raft::{self, LedgerCopy, OpenError};
use crate::node::opening;
use crate::token::{CLOCK_ALLOWANCE, UnixSeconds};

const EXAMPLES: &str = "\
Examples:
  mv ledger ledger.old                             an existing ledger is never replaced
  jeton ledger restore ledger.old                  create the ledger that jeton.toml names
  jeton ledger restore ledger.old --others-are-gone   the same, for a member of a cluster
  jeton ledger restore /backup/ledger --config /etc/jeton/jeton.toml

Use this for the backup of a single node. If most voters of a cluster are lost for good,
use it for a remaining one: stop all nodes, and take the directory with the newest time.
The restored node is a single node. The others join it again with new directories: `jeton
cluster invite`, `jeton cluster join`.";

/// Create a ledger from an older copy
///
/// The copy lacks the uses after it was made, so the restored ledger refuses every link that was
/// minted before its start time, which is one minute from now. Mint new links after that.
/// Revocations, permissions and notes are restored as they were in the copy; the members are not.
/// The copy is only read. An existing ledger is never changed.
///
/// If other nodes still serve the old ledger, do not restore it: both would grant the uses of a
/// link. Let this machine join them again instead.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct RestoreArgs {
    /// Directory of the copy, which no node may serve
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,

    /// Confirm that the other nodes are stopped and will never serve the old ledger again
    #[arg(long)]
    others_are_gone: bool,

    /// Output format
    #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
    format: ChangeFormat,
}

pub(super) fn run(args: &RestoreArgs, global: &Global) -> Result<(), Failure> {
    let dir = global.load()?.ledger.dir;
    if dir.exists() {
        return Err(explain(&OpenError::Exists(dir)));
    }
    let copy = LedgerCopy::read(&args.dir).map_err(|error| unreadable(&error))?;
    if !args.others_are_gone && !copy.others().is_empty() {
        return Err(shared(&copy));
    }
    // Even if the clock was set back, `born_at` must be later than the log.
    let now = SystemClock.now().max(copy.log_time());
    let born_at = now.plus(CLOCK_ALLOWANCE.into());
    let created = runtime()?.block_on(raft::create_from(
        &dir,
        draw_identity(born_at)?,
        Arc::new(SystemClock),
        &copy,
    ));
    created.map_err(|error| explain(&error))?;
    output::show_change(args.format, dir.display(), &for_programs(&dir, &copy, born_at))?;
    output::remark(&summary(&copy, born_at));
    Ok(())
}

fn for_programs(dir: &Path, copy: &LedgerCopy, born_at: UnixSeconds) -> Value {
    json!({
        "dir": dir.display().to_string(),
        "born_at": born_at.to_string(),
        "known_until": known_until(copy).map(|at| at.to_string()),
        "revocations": copy.revocations(),
        "autologin_users": copy.autologin_users(),
    })
}

/// Returns the time of the last entry of a copy; `None` if it has none.
fn known_until(copy: &LedgerCopy) -> Option<UnixSeconds> {
    Some(copy.log_time()).filter(|at| *at > UnixSeconds::default())
}

/// Describes what was restored, what was not, and what to do next.
fn summary(copy: &LedgerCopy, born_at: UnixSeconds) -> String {
    let (revocations, users) = (copy.revocations(), copy.autologin_users());
    let end = known_until(copy).map_or_else(
        || "The copy has no entries.".to_owned(),
        |at| format!("The copy ends at {at}. Repeat all later revocations and autologin changes."),
    );
    format!(
        "Links minted before {born_at} are refused.\n\
         Revocations restored: {revocations}. Users who may have autologin: {users}.\n\
         {end}\n\
         Wait until {born_at} before you mint, and check this machine's clock, which decides what \
         is older.\n\
         This node is now a single node. Start it. Nodes that shared the old ledger join again, \
         with new directories."
    )
}

/// Returns the failure of a copy that other nodes may still serve.
fn shared(copy: &LedgerCopy) -> Failure {
    let others = copy.others().join(", ");
    Failure::say(
        format!("according to the copy, other nodes share this ledger: {others}"),
        "if they still run, let this machine join them again: `jeton cluster invite` there, `jeton \
         cluster join` here. If they are lost for good, use --others-are-gone; if they ran again, a \
         link would work both there and here",
    )
}

/// Adds a hint to the error of a copy that cannot be read.
fn unreadable(error: &OpenError) -> Failure {
    let hint = if matches!(error, OpenError::Log { source: LogError::Locked, .. }) {
        "a node serves it: name a copy, or stop the node and move its directory aside"
    } else if matches!(error, OpenError::Permissions(_)) {
        opening::CLOSE_TO_OTHERS
    } else {
        "nothing was created. Name the directory of a ledger that was copied as a whole while no node \
         wrote to it. Without one, use `jeton ledger new`, which has no revocations"
    };
    Failure::new(error, hint)
}
