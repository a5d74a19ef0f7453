//! `jeton ledger restore`: a new ledger of an older copy of one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueHint};
use serde_json::{Value, json};

use super::{identity, refused};
use crate::cli::command::serve::runtime;
use crate::cli::global::Global;
use crate::cli::terminal::format::ChangeFormat;
use crate::cli::terminal::{output, table};
use crate::clock::{Clock as _, SystemClock};
use crate::failure::Failure;
use crate::ledger::log::LogError;
use crate::ledger::raft::{self, LedgerCopy, OpenError};
use crate::node::opening;
use crate::token::{CLOCK_ALLOWANCE, UnixSeconds};

const EXAMPLES: &str = "\
Examples:
  mv ledger ledger.old                             what is there is never replaced
  jeton ledger restore ledger.old                  make the ledger that jeton.toml names
  jeton ledger restore ledger.old --others-are-gone   the same, of one of several nodes
  jeton ledger restore /backup/ledger --config /etc/jeton/jeton.toml

For the backup of a node that was alone; and where most voters of a cluster are lost
for good, for the folder of one that is left: stop all of them, and take the one with
the newest time. The restored node is alone. The others join it anew, in fresh
folders: `jeton cluster invite`, `jeton cluster join`.";

/// Make a ledger of an older copy of one
///
/// Nobody knows which links were used after the copy was made, so every link that was
/// minted before the birth of the restored ledger, a minute from now, is refused:
/// mint new ones. Revocations, permissions and notes are taken over, as they were
/// in the copy, and none of the nodes that shared the old ledger. The copy is only
/// read. A ledger that exists is never touched.
///
/// While other nodes still share the old ledger, two would count apart, and each give
/// a link its uses: have this machine join them anew instead.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct RestoreArgs {
    /// The copy: the folder of a ledger that no node serves
    #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    folder: PathBuf,

    /// Yes: the other nodes that shared the ledger are stopped, and never start on it
    /// again
    #[arg(long)]
    others_are_gone: bool,

    /// How to write the result
    #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
    format: ChangeFormat,
}

pub(super) fn run(args: &RestoreArgs, global: &Global) -> Result<(), Failure> {
    let dir = global.load()?.ledger.dir;
    if dir.exists() {
        return Err(refused(&OpenError::Exists(dir)));
    }
    let copy = LedgerCopy::read(&args.folder).map_err(|error| unreadable(&error))?;
    if !args.others_are_gone && !copy.others().is_empty() {
        return Err(shared(&copy));
    }
    // A clock that was set back must not bring the birth before what was counted.
    let now = SystemClock.now().max(copy.log_time());
    let born_at = now.plus(CLOCK_ALLOWANCE.into());
    let made = runtime()?.block_on(raft::create_from(
        &dir,
        identity(born_at)?,
        Arc::new(SystemClock),
        &copy,
    ));
    made.map_err(|error| refused(&error))?;
    output::show(&match args.format {
        ChangeFormat::Text => format!("{}\n", dir.display()),
        ChangeFormat::Json => table::to_json(&for_programs(&dir, &copy, born_at))?,
    })?;
    output::remark(&taken_over(&copy, born_at));
    Ok(())
}

/// What programs need to know of a restored ledger.
fn for_programs(dir: &Path, copy: &LedgerCopy, born_at: UnixSeconds) -> Value {
    json!({
        "dir": dir.display().to_string(),
        "born_at": born_at.to_string(),
        "known_until": known_until(copy).map(|at| at.to_string()),
        "revocations": copy.revocations(),
        "autologin_users": copy.autologin_users(),
    })
}

/// Returns the moment up to which a copy knows what happened; `None` if it had
/// counted nothing yet.
fn known_until(copy: &LedgerCopy) -> Option<UnixSeconds> {
    Some(copy.log_time()).filter(|at| *at > UnixSeconds::default())
}

/// Says what a restored ledger knows, what it does not, and what comes next.
fn taken_over(copy: &LedgerCopy, born_at: UnixSeconds) -> String {
    let (revocations, users) = (copy.revocations(), copy.autologin_users());
    let until = |at| {
        format!(
            "It knows what happened until {at}: what was revoked, allowed or denied later has to be \
             done again."
        )
    };
    let since =
        known_until(copy).map_or_else(|| "The copy had counted nothing yet.".to_owned(), until);
    format!(
        "Links minted before {born_at} are refused.\n\
         Revocations taken over: {revocations}. Users who may have autologin: {users}.\n\
         {since}\n\
         Wait until {born_at} before you mint, and see to it that this clock is right: it says \
         what is older.\n\
         This node is alone now. Start it; nodes that shared the old ledger join anew, in fresh \
         folders."
    )
}

/// Says that others may go on counting.
fn shared(copy: &LedgerCopy) -> Failure {
    let others = copy.others().join(", ");
    Failure::say(
        format!("other nodes share this ledger, as far as the copy knows: {others}"),
        "if they run, have this machine join them anew: `jeton cluster invite` there, `jeton cluster \
         join` here. If they are lost for good, `--others-are-gone`: a link would work there and \
         here if they came back",
    )
}

/// Says what to do about a copy that cannot be read.
fn unreadable(error: &OpenError) -> Failure {
    let hint = if matches!(error, OpenError::Log { source: LogError::Locked, .. }) {
        "a node serves it: name a copy, or stop the node and move its folder aside"
    } else if matches!(error, OpenError::Permissions(_)) {
        opening::CLOSE_TO_OTHERS
    } else {
        "nothing was made. Name the folder of a ledger, copied whole while no node wrote to it; \
         without one, `jeton ledger new`, which knows no revocation"
    };
    Failure::new(error, hint)
}
