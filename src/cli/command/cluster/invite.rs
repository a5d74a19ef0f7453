//! `jeton cluster invite`: a line that lets one further node in.

use clap::Args;
use serde_json::json;

use crate::api::cluster::{Invite, NewInvite};
use crate::cli::client::AdminClient;
use crate::cli::global::Global;
use crate::cli::terminal::format::ChangeFormat;
use crate::cli::terminal::{output, table};
use crate::failure::Failure;
use crate::signing::passphrase::PassphraseArgs;
use crate::token::AdminRole;

const EXAMPLES: &str = "\
Examples:
  jeton cluster invite
  jeton cluster invite | ssh node2 jeton cluster join - --dir /etc/jeton

The line names this node, says by which certificate authority the new one knows it,
and holds a secret. It is good once, for 15 minutes, while this node runs.";

/// Print a line that lets one further node in
///
/// Whoever uses the line becomes a member and holds the key of the cluster: give it
/// to nobody else.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InviteArgs {
    /// How to write the result
    #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
    format: ChangeFormat,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

pub(super) fn run(args: &InviteArgs, global: &Global) -> Result<(), Failure> {
    let node = AdminClient::open(&global.load()?, &args.passphrase)?;
    let Invite { line, expires_at } =
        node.post(AdminRole::Admin, "cluster/invites", &NewInvite {})?;
    if args.format == ChangeFormat::Json {
        let invite = json!({ "line": line.as_str(), "expires_at": expires_at.to_string() });
        return output::show(&table::to_json(&invite)?);
    }
    output::show(&format!("{}\n", *line))?;
    output::remark(&format!(
        "Good once, until {expires_at}. On the new machine:\n  jeton cluster join LINE --dir \
         /etc/jeton"
    ));
    Ok(())
}
