//! `jeton ledger`: the ledger's life, where it is not `serve`'s business.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand, ValueHint};

use crate::cli::command::serve::runtime;
use crate::cli::failure::Failure;
use crate::cli::global::Global;
use crate::cli::node::opening;
use crate::cli::terminal::output;
use crate::clock::{Clock as _, SystemClock};
use crate::ledger::log::LogError;
use crate::ledger::raft::{self, Identity, LedgerCopy, OpenError};
use crate::random;
use crate::token::{CLOCK_ALLOWANCE, UnixSeconds};

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
}

const EXAMPLES: &str = "\
Examples:
  jeton ledger new                                 make the ledger that jeton.toml names
  jeton ledger new --config /etc/jeton/jeton.toml

For a lost disk without a backup; of a backup, `jeton ledger restore` makes more.
Every link minted before the moment that this prints is refused, because nobody
knows any more which of them were used. Mint new ones behind that moment.";

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

const RESTORE_EXAMPLES: &str = "\
Examples:
  mv ledger ledger.old                             what is there is never replaced
  jeton ledger restore ledger.old                  make the ledger that jeton.toml names
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
#[derive(Args, Debug)]
#[command(after_help = RESTORE_EXAMPLES)]
struct RestoreArgs {
    /// The copy: the folder of a ledger that no node serves
    #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    folder: PathBuf,
}

const MOVED_EXAMPLES: &str = "\
Examples:
  jeton ledger moved --is-newest                   after moving it to another disk

Not for a backup, nor for a copy of a ledger that was served since: its node would
give away uses that are spent. `jeton ledger restore` is for these.";

/// Vouch for a ledger that was moved to another disk
///
/// A ledger notices that its files are not those it wrote, and a node does not start
/// on it: a copy does not know what was counted since it was made. If the whole
/// folder was copied while no node ran, and none has served it elsewhere since, say
/// so; nothing else can know it. Nothing has to be said where it was only renamed.
#[derive(Args, Debug)]
#[command(after_help = MOVED_EXAMPLES)]
struct MovedArgs {
    /// Yes: no node has served this ledger since it was copied, and none will
    /// elsewhere
    #[arg(long)]
    is_newest: bool,
}

pub(crate) fn run(LedgerArgs { command }: LedgerArgs, global: &Global) -> Result<(), Failure> {
    match command {
        LedgerCommand::New(NewArgs {}) => new(global),
        LedgerCommand::Restore(args) => restore(&args.folder, global),
        LedgerCommand::Moved(args) => moved(args.is_newest, global),
    }
}

fn new(global: &Global) -> Result<(), Failure> {
    let dir = global.load()?.ledger.dir;
    let born_at = SystemClock.now().plus(CLOCK_ALLOWANCE.into());
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

fn restore(folder: &Path, global: &Global) -> Result<(), Failure> {
    let dir = global.load()?.ledger.dir;
    if dir.exists() {
        return Err(refused(&OpenError::Exists(dir)));
    }
    let copy = LedgerCopy::read(folder).map_err(|error| unreadable(&error))?;
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
    output::show(&format!("{}\n", dir.display()))?;
    output::remark(&taken_over(&copy, born_at));
    Ok(())
}

/// Says what a restored ledger knows, what it does not, and what comes next.
fn taken_over(copy: &LedgerCopy, born_at: UnixSeconds) -> String {
    let (revocations, users) = (copy.revocations(), copy.autologin_users());
    let since = if copy.log_time() == UnixSeconds::default() {
        "The copy had counted nothing yet.".to_owned()
    } else {
        let at = copy.log_time();
        format!(
            "It knows what happened until {at}: what was revoked, allowed or denied later has to be \
             done again."
        )
    };
    format!(
        "Links minted before {born_at} are refused.\n\
         Revocations taken over: {revocations}. Users who may have autologin: {users}.\n\
         {since}\n\
         This node is alone now. Start it; nodes that shared the old ledger join anew, in fresh \
         folders."
    )
}

fn moved(is_newest: bool, global: &Global) -> Result<(), Failure> {
    let dir = global.load()?.ledger.dir;
    if !is_newest {
        return Err(Failure::say(
            "only you can know whether this ledger is the newest and the only one",
            "if no node has served it since it was copied, and none will elsewhere: `jeton ledger \
             moved --is-newest`. Otherwise move it aside, and `jeton ledger restore` it",
        ));
    }
    let needed = raft::accept_place(&dir).map_err(|error| opening::explain_ledger(&error))?;
    output::show(&format!("{}\n", dir.display()))?;
    output::remark(if needed {
        "Taken for the newest and only copy of this ledger."
    } else {
        "It was not copied: nothing had to be said."
    });
    Ok(())
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
pub(crate) fn draw_node_id() -> Result<u64, Failure> {
    // Zero would be no name for a node.
    Ok(u64::from_be_bytes(random::bytes()?).max(1))
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
