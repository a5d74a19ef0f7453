//! `jeton list`: lists the tokens that the ledger knows.

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
  jeton list --state all --batch 0a1b2c3d    every link of a batch
  jeton list --format json | jq -r '.[] | select(.uses_left == null) | .id'
  jeton list --format csv > links.csv

A link that was minted offline is listed from its first use on, or at once if it was
minted with --record. Expired links are not listed. The default output is a table for
people, even in a pipe; in scripts, use --format json or csv. The expiry is in UTC and in
local time.";

/// List the links that can still be used, or other links in the ledger
///
/// Asks the admin API of the node on this machine, and signs in with the admin key.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListArgs {
    /// Only links of this user
    #[arg(long)]
    user: Option<UserName>,

    /// Only links to profiles of this kind: user-locked, autologin or server-locked
    #[arg(long, value_name = "KIND")]
    profile_type: Option<ProfileKind>,

    /// Only links in this state
    #[arg(long, value_enum, default_value_t = StateFilter::Live)]
    state: StateFilter,

    /// Only links of this batch
    #[arg(long, value_name = "ID")]
    batch: Option<Batch>,

    /// Output format
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    format: ListFormat,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

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

fn none(query: &TokenFilter) -> &'static str {
    match query {
        TokenFilter { user: None, profile_type: None, state: StateFilter::Live, batch: None } => {
            "The ledger has no links that can still be used."
        }
        TokenFilter { state: StateFilter::Live, .. } => {
            "The ledger has no such links that can still be used; --state all lists the others."
        }
        TokenFilter { .. } => "The ledger has no such links.",
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

/// Omits the state where all tokens are live, and the notes if there are none.
fn for_people(tokens: &[TokenInfo], state: StateFilter) -> Table {
    let mut table = Table::of(
        tokens,
        &[
            ("id", |token| token.id.to_string().into()),
            ("user", |token| token.user.as_str().into()),
            ("kind", |token| token.profile_type.as_str().into()),
            ("uses left", |token| uses_left(token).into()),
            ("state", |token| token.state.as_str().into()),
            ("expires", |token| token.expires_at.to_string().into()),
            ("local time", |token| moment::local(token.expires_at).into()),
            ("note", |token| note(token).into()),
        ],
    );
    if state == StateFilter::Live {
        table = table.without("state");
    }
    if tokens.iter().all(|token| token.note.is_empty()) {
        table = table.without("note");
    }
    table
}

fn for_programs(tokens: &[TokenInfo]) -> Table {
    Table::of(
        tokens,
        &[
            ("id", |token| token.id.to_string().into()),
            ("key_id", |token| token.key_id.to_string().into()),
            ("batch", |token| token.batch.to_string().into()),
            ("user", |token| token.user.as_str().into()),
            ("profile_type", |token| token.profile_type.as_str().into()),
            ("uses", |token| token.uses.into()),
            ("used", |token| token.used.into()),
            ("uses_left", |token| token.uses_left.into()),
            ("state", |token| token.state.as_str().into()),
            ("note", |token| note(token).into()),
            ("issued_at", |token| token.issued_at.to_string().into()),
            ("expires_at", |token| token.expires_at.to_string().into()),
        ],
    )
}

fn note(token: &TokenInfo) -> Option<&str> {
    Some(token.note.as_str()).filter(|note| !note.is_empty())
}

/// Returns `2 of 3`, or `unlimited`.
fn uses_left(token: &TokenInfo) -> String {
    match (token.uses_left, token.uses) {
        (Some(left), Some(uses)) => format!("{left} of {uses}"),
        _ => "unlimited".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::fake_node::tokens;

    fn plain(tokens: &[TokenInfo], state: StateFilter) -> String {
        let text = written(tokens, state, ListFormat::Text).unwrap();
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn the_table_has_the_uses_left() {
        let plain = plain(&tokens(), StateFilter::Live);
        assert!(plain.contains("AQEBAQICAgICAgICAgICAg  alice  user-locked  2 of 3"), "{plain}");
        assert!(plain.contains("bob    autologin    unlimited"), "{plain}");
        assert!(plain.contains("2026-11-23T13:00:00Z"), "{plain}");
    }

    #[test]
    fn the_table_has_states_and_notes_only_if_they_differ() {
        let (all, live) = (StateFilter::All, StateFilter::Live);
        let head = |text: String| text.lines().next().unwrap().to_owned();
        assert!(head(plain(&tokens(), all)).contains("STATE"));
        assert!(!head(plain(&tokens(), live)).contains("STATE"));
        assert!(head(plain(&tokens(), live)).ends_with("NOTE"));
        assert!(head(plain(&tokens()[1..], live)).ends_with("LOCAL TIME"));
    }

    #[test]
    fn json_and_csv_have_every_field() {
        let json = written(&tokens(), StateFilter::Live, ListFormat::Json).unwrap();
        let list: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&list[0]["uses_left"], &list[1]["uses_left"]), (&2.into(), &().into()));
        assert_eq!((&list[0]["note"], &list[1]["note"]), (&"her phone".into(), &().into()));
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
