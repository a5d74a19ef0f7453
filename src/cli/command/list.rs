//! `jeton list`: the tokens that the ledger knows.

use crate::api::tokens::TokenInfo;
use crate::cli::client::AdminClient;
use crate::cli::client::query::TokenFilter;
use crate::cli::global::Global;
use crate::cli::terminal::format::ListFormat;
use crate::cli::terminal::table::Table;
use crate::cli::terminal::{moment, output};
use crate::failure::Failure;
use crate::ledger::StateFilter;
use crate::signing::passphrase::PassphraseArgs;
use crate::token::{Batch, ProfileKind, UserName};

const EXAMPLES: &str = "\
Examples:
  jeton list
  jeton list --user alice
  jeton list --state unused --profile-type autologin
  jeton list --state all --batch 0a1b2c3d    what became of a mint run
  jeton list --format json | jq -r '.[] | select(.uses_left == null) | .id'
  jeton list --format csv > links.csv

A link that was minted offline is known from its first use on, or from the start if
`jeton mint --record` told the node. Expired links are forgotten. The result is a
table for people wherever it goes; programs ask for json or csv by --format. Expiry
is shown in UTC and in local time.";

/// List the links that may still be used, or others that the ledger knows
///
/// Asks the admin API of the node on this machine, as the admin key allows.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListArgs {
    /// Only the links of this user
    #[arg(long)]
    user: Option<UserName>,

    /// Only links that give this kind of profile: user-locked, autologin or
    /// server-locked
    #[arg(long, value_name = "KIND")]
    profile_type: Option<ProfileKind>,

    /// What became of the links
    #[arg(long, value_enum, default_value_t = StateFilter::Live)]
    state: StateFilter,

    /// Only the links of this mint run
    #[arg(long, value_name = "ID")]
    batch: Option<Batch>,

    /// How to write the result
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    format: ListFormat,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Asks for the tokens and shows them.
pub(crate) fn run(args: ListArgs, global: &Global) -> Result<(), Failure> {
    let ListArgs { user, profile_type, state, batch, format, passphrase } = args;
    let node = AdminClient::open(&global.load()?, &passphrase)?;
    let query = TokenFilter { user, profile_type, state, batch };
    let tokens = node.tokens(&query)?;
    if tokens.is_empty() && format == ListFormat::Text {
        output::remark(none(&query));
        return Ok(());
    }
    output::show(&written(&tokens, state, format)?)
}

/// Says that there is nothing to show.
fn none(query: &TokenFilter) -> &'static str {
    match query {
        TokenFilter { user: None, profile_type: None, state: StateFilter::Live, batch: None } => {
            "The ledger knows no link that may still be used."
        }
        TokenFilter { state: StateFilter::Live, .. } => {
            "The ledger knows no such link that may still be used; --state all looks further."
        }
        TokenFilter { .. } => "The ledger knows no such link.",
    }
}

fn written(
    tokens: &[TokenInfo],
    state: StateFilter,
    format: ListFormat,
) -> Result<String, Failure> {
    match format {
        ListFormat::Text => Ok(for_people(tokens, state).to_text()),
        ListFormat::Json => for_programs(tokens).to_json(),
        ListFormat::Csv => for_programs(tokens).to_csv(),
    }
}

/// Shows what tells the tokens apart: no state where all are live, and no notes
/// where there are none.
fn for_people(tokens: &[TokenInfo], state: StateFilter) -> Table {
    let mut table =
        Table::new(&["id", "user", "kind", "uses left", "state", "expires", "local time", "note"]);
    for token in tokens {
        table.add([
            token.id.to_string().into(),
            token.user.as_str().into(),
            token.profile_type.as_str().into(),
            uses_left(token).into(),
            token.state.as_str().into(),
            token.expires_at.to_string().into(),
            moment::local(token.expires_at).into(),
            note(token).into(),
        ]);
    }
    if state == StateFilter::Live {
        table = table.without("state");
    }
    if tokens.iter().all(|token| token.note.is_empty()) {
        table = table.without("note");
    }
    table
}

fn for_programs(tokens: &[TokenInfo]) -> Table {
    let mut table = Table::new(&[
        "id",
        "key_id",
        "batch",
        "user",
        "profile_type",
        "uses",
        "used",
        "uses_left",
        "state",
        "note",
        "issued_at",
        "expires_at",
    ]);
    for token in tokens {
        table.add([
            token.id.to_string().into(),
            token.key_id.to_string().into(),
            token.batch.to_string().into(),
            token.user.as_str().into(),
            token.profile_type.as_str().into(),
            token.uses.into(),
            token.used.into(),
            token.uses_left.into(),
            token.state.as_str().into(),
            note(token).into(),
            token.issued_at.to_string().into(),
            token.expires_at.to_string().into(),
        ]);
    }
    table
}

fn note(token: &TokenInfo) -> Option<&str> {
    Some(token.note.as_str()).filter(|note| !note.is_empty())
}

/// Says `2 of 3`, or `unlimited`.
fn uses_left(token: &TokenInfo) -> String {
    match (token.uses_left, token.uses) {
        (Some(left), Some(uses)) => format!("{left} of {uses}"),
        _ => "unlimited".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Vec<TokenInfo> {
        serde_json::from_str(
            r#"[{"id":"AQEBAQICAgICAgICAgICAg","key_id":"3f2a9c01","batch":"01010101",
                 "user":"alice","profile_type":"user-locked","uses":3,"used":1,"uses_left":2,
                 "state":"in-use","note":"her phone",
                 "issued_at":"2026-11-23T12:00:00Z","expires_at":"2026-11-23T13:00:00Z"},
                {"id":"AQEBAQMDAwMDAwMDAwMDAw","key_id":"3f2a9c01","batch":"01010101",
                 "user":"bob","profile_type":"autologin","uses":null,"used":0,"uses_left":null,
                 "state":"unused","note":"",
                 "issued_at":"2026-11-23T12:00:00Z","expires_at":"2026-11-23T13:00:00Z"}]"#,
        )
        .unwrap()
    }

    fn plain(tokens: &[TokenInfo], state: StateFilter) -> String {
        let text = written(tokens, state, ListFormat::Text).unwrap();
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn people_see_what_is_left() {
        let plain = plain(&tokens(), StateFilter::Live);
        assert!(plain.contains("AQEBAQICAgICAgICAgICAg  alice  user-locked  2 of 3"), "{plain}");
        assert!(plain.contains("bob    autologin    unlimited"), "{plain}");
        assert!(plain.contains("2026-11-23T13:00:00Z"), "{plain}");
    }

    #[test]
    fn states_and_notes_are_shown_where_they_tell_something() {
        let (all, live) = (StateFilter::All, StateFilter::Live);
        let head = |text: String| text.lines().next().unwrap().to_owned();
        assert!(head(plain(&tokens(), all)).contains("STATE"));
        assert!(!head(plain(&tokens(), live)).contains("STATE"));
        assert!(head(plain(&tokens(), live)).ends_with("NOTE"));
        assert!(head(plain(&tokens()[1..], live)).ends_with("LOCAL TIME"));
    }

    #[test]
    fn programs_see_what_the_node_said() {
        let json = written(&tokens(), StateFilter::Live, ListFormat::Json).unwrap();
        let said: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&said[0]["uses_left"], &said[1]["uses_left"]), (&2.into(), &().into()));
        assert_eq!((&said[0]["note"], &said[1]["note"]), (&"her phone".into(), &().into()));
        assert!(
            json.starts_with(r#"[{"id":"AQEBAQICAgICAgICAgICAg","key_id":"3f2a9c01","#),
            "{json}"
        );
        let csv = written(&tokens(), StateFilter::Live, ListFormat::Csv).unwrap();
        assert_eq!(
            csv.lines().nth(2),
            Some(
                "AQEBAQMDAwMDAwMDAwMDAw,3f2a9c01,01010101,bob,autologin,,0,,unused,,\
                 2026-11-23T12:00:00Z,2026-11-23T13:00:00Z"
            )
        );
    }
}
