//! `jeton cluster invite`: prints a join line for one new node.

use clap::Args;
use serde_json::json;

use crate::api::cluster::{Invite, NewInvite};
use crate::cli::client::AdminClient;
use crate::cli::global::Global;
use crate::cli::terminal::format::ChangeFormat;
use crate::cli::terminal::output;
use crate::failure::Failure;
use crate::signing::passphrase::PassphraseArgs;
use crate::token::AdminRole;

const EXAMPLES: &str = "\
Examples:
  jeton cluster invite
  jeton cluster invite | ssh node2 jeton cluster join - --dir /etc/jeton

The line has the address of this node, the fingerprint of the cluster's certificate
authority, and a secret. It works once, within 15 minutes, while this node runs.";

/// Print a join line for one new node
///
/// The machine that uses the line becomes a member and receives the private key of the cluster's
/// certificate authority. Keep the line secret.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InviteArgs {
    /// Output format
    #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
    format: ChangeFormat,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

pub(super) fn run(args: &InviteArgs, global: &Global) -> Result<(), Failure> {
    let node = AdminClient::open(&global.load()?, &args.passphrase)?;
    let Invite { line, expires_at } =
        node.post(AdminRole::Admin, "cluster/invites", &NewInvite {})?;
    let json = json!({ "line": line.as_str(), "expires_at": expires_at.to_string() });
    output::show_change(args.format, &*line, &json)?;
    if args.format == ChangeFormat::Text {
        output::remark(&format!(
            "This line works once, until {expires_at}. On the new machine:\n  jeton cluster join \
             LINE --dir /etc/jeton"
        ));
    }
    Ok(())
}
