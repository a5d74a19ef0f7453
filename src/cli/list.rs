//! `jeton list`: the live tokens that the ledger knows.

use crate::token::UserName;

use super::Global;
use super::admin_client::{AdminClient, LiveToken};
use super::failure::Failure;
use super::format::ListFormat;
use super::passphrase::PassphraseArgs;
use super::table::Table;
use super::{moment, output};

const EXAMPLES: &str = "\
Examples:
  jeton list
  jeton list --user alice
  jeton list --format json | jq -r '.[] | select(.uses_left == null) | .id'
  jeton list --format csv > links.csv

A link that was minted offline is known from its first use on. Links that are used
up, revoked or expired are not listed. Expiry is shown in UTC and in local time.";

/// List the links that may still be used
///
/// Asks the admin API of the node on this machine, as the admin key allows.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListArgs {
    /// Only the links of this user
    #[arg(long)]
    user: Option<UserName>,

    /// How to write the result
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    format: ListFormat,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Asks for the tokens and shows them.
pub(crate) fn run(args: ListArgs, global: &Global) -> Result<(), Failure> {
    let ListArgs { user, format, passphrase } = args;
    let node = AdminClient::open(&global.load()?, &passphrase)?;
    let mut tokens = node.tokens()?;
    tokens.retain(|token| user.as_ref().is_none_or(|user| token.user == *user));
    if tokens.is_empty() && format == ListFormat::Text {
        output::remark("The ledger knows no link that may still be used.");
        return Ok(());
    }
    output::show(&written(&tokens, format)?)
}

fn written(tokens: &[LiveToken], format: ListFormat) -> Result<String, Failure> {
    match format {
        ListFormat::Text => Ok(for_people(tokens).to_text()),
        ListFormat::Json => for_programs(tokens).to_json(),
        ListFormat::Csv => for_programs(tokens).to_csv(),
    }
}

fn for_people(tokens: &[LiveToken]) -> Table {
    let mut table = Table::new(&["id", "user", "kind", "uses left", "expires", "local time"]);
    for token in tokens {
        table.add([
            token.id.to_string().into(),
            token.user.as_str().into(),
            token.kind.as_str().into(),
            uses_left(token).into(),
            token.expires_at.to_string().into(),
            moment::local(token.expires_at).into(),
        ]);
    }
    table
}

fn for_programs(tokens: &[LiveToken]) -> Table {
    let mut table = Table::new(&[
        "id",
        "key_id",
        "batch",
        "user",
        "kind",
        "uses",
        "used",
        "uses_left",
        "issued_at",
        "expires_at",
    ]);
    for token in tokens {
        table.add([
            token.id.to_string().into(),
            token.key_id.to_string().into(),
            token.batch.to_string().into(),
            token.user.as_str().into(),
            token.kind.as_str().into(),
            token.uses.into(),
            token.used.into(),
            token.uses_left.into(),
            token.issued_at.to_string().into(),
            token.expires_at.to_string().into(),
        ]);
    }
    table
}

/// Says `2 of 3`, or `unlimited`.
fn uses_left(token: &LiveToken) -> String {
    match (token.uses_left, token.uses) {
        (Some(left), Some(uses)) => format!("{left} of {uses}"),
        _ => "unlimited".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Vec<LiveToken> {
        serde_json::from_str(
            r#"[{"id":"AQEBAQICAgICAgICAgICAg","key_id":"3f2a9c01","batch":"01010101",
                 "user":"alice","kind":"user-locked","uses":3,"used":1,"uses_left":2,
                 "issued_at":"2026-11-23T12:00:00Z","expires_at":"2026-11-23T13:00:00Z"},
                {"id":"AQEBAQMDAwMDAwMDAwMDAw","key_id":"3f2a9c01","batch":"01010101",
                 "user":"bob","kind":"autologin","uses":null,"used":0,"uses_left":null,
                 "issued_at":"2026-11-23T12:00:00Z","expires_at":"2026-11-23T13:00:00Z"}]"#,
        )
        .unwrap()
    }

    #[test]
    fn people_see_what_is_left() {
        let text = written(&tokens(), ListFormat::Text).unwrap();
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert!(plain.contains("AQEBAQICAgICAgICAgICAg  alice  user-locked  2 of 3"), "{plain}");
        assert!(plain.contains("bob    autologin    unlimited"), "{plain}");
        assert!(plain.contains("2026-11-23T13:00:00Z"), "{plain}");
    }

    #[test]
    fn programs_see_what_the_node_said() {
        let json = written(&tokens(), ListFormat::Json).unwrap();
        let said: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&said[0]["uses_left"], &said[1]["uses_left"]), (&2.into(), &().into()));
        assert!(
            json.starts_with(r#"[{"id":"AQEBAQICAgICAgICAgICAg","key_id":"3f2a9c01","#),
            "{json}"
        );
        let csv = written(&tokens(), ListFormat::Csv).unwrap();
        assert_eq!(
            csv.lines().nth(2),
            Some(
                "AQEBAQMDAwMDAwMDAwMDAw,3f2a9c01,01010101,bob,autologin,,0,,\
                 2026-11-23T12:00:00Z,2026-11-23T13:00:00Z"
            )
        );
    }
}
