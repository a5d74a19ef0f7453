//! `ListProfileTokens`: lists the tokens that are still valid.

use serde_json::Value;

use crate::api::tokens::TokenInfo;
use crate::cli::client::AdminClient;
use crate::cli::client::query::TokenFilter;
use crate::cli::terminal::format::ListFormat;
use crate::cli::terminal::output;
use crate::cli::terminal::table::Table;
use crate::failure::Failure;
use crate::token::UserName;

/// Lists the valid tokens of one user or of all users.
pub(super) fn run(
    node: &AdminClient,
    user: Option<UserName>,
    format: ListFormat,
) -> Result<(), Failure> {
    let tokens = node.tokens(&TokenFilter { user, ..TokenFilter::default() })?;
    if tokens.is_empty() && format == ListFormat::Text {
        output::remark("There are no valid tokens.");
        return Ok(());
    }
    output::show(&written(&tokens, format)?)
}

fn written(tokens: &[TokenInfo], format: ListFormat) -> Result<String, Failure> {
    match format {
        ListFormat::Text => Ok(for_people(tokens).to_text()),
        ListFormat::Json => for_programs(tokens).to_json(),
        ListFormat::Csv => for_programs(tokens).to_csv(),
    }
}

fn for_people(tokens: &[TokenInfo]) -> Table {
    table(tokens, ["token id", "type", "usages left", "expiration", "user"], |token| {
        token.uses_left.map_or_else(|| "unlimited".into(), Into::into)
    })
}

fn for_programs(tokens: &[TokenInfo]) -> Table {
    let names = ["id", "profile_type", "uses_left", "expires_at", "user"];
    table(tokens, names, |token| token.uses_left.into())
}

fn table(tokens: &[TokenInfo], names: [&'static str; 5], left: fn(&TokenInfo) -> Value) -> Table {
    let columns: [fn(&TokenInfo) -> Value; 5] = [
        |token| token.id.to_string().into(),
        |token| token.profile_type.as_str().into(),
        left,
        |token| token.expires_at.to_string().into(),
        |token| token.user.as_str().into(),
    ];
    Table::of(tokens, &names.into_iter().zip(columns).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::fake_node::tokens;

    #[test]
    fn each_format_has_the_five_columns_of_access_server() {
        let tokens = tokens();
        let text = written(&tokens, ListFormat::Text).unwrap();
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "\
TOKEN ID                TYPE         USAGES LEFT  EXPIRATION            USER
AQEBAQICAgICAgICAgICAg  user-locked  2            2026-11-23T13:00:00Z  alice
AQEBAQMDAwMDAwMDAwMDAw  autologin    unlimited    2026-11-23T13:00:00Z  bob
"
        );
        let csv = written(&tokens, ListFormat::Csv).unwrap();
        assert_eq!(csv.lines().next(), Some("id,profile_type,uses_left,expires_at,user"));
        let json = written(&tokens[1..], ListFormat::Json).unwrap();
        assert!(json.contains(r#""profile_type":"autologin","uses_left":null,"#), "{json}");
    }
}
