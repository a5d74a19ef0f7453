//! `ListProfileTokens`: lists the tokens that are still valid.

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
        ListFormat::Text => {
            Ok(table(["token id", "type", "usages left", "expiration", "user"], tokens, |left| {
                left.map_or_else(|| "unlimited".into(), Into::into)
            })
            .to_text())
        }
        ListFormat::Json => for_programs(tokens).to_json(),
        ListFormat::Csv => for_programs(tokens).to_csv(),
    }
}

fn for_programs(tokens: &[TokenInfo]) -> Table {
    table(["id", "profile_type", "uses_left", "expires_at", "user"], tokens, Into::into)
}

fn table(
    head: [&'static str; 5],
    tokens: &[TokenInfo],
    left: impl Fn(Option<u32>) -> serde_json::Value,
) -> Table {
    let mut table = Table::new(&head);
    for token in tokens {
        table.add([
            token.id.to_string().into(),
            token.profile_type.as_str().into(),
            left(token.uses_left),
            token.expires_at.to_string().into(),
            token.user.as_str().into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_has_the_five_columns_of_access_server() {
        let tokens: Vec<TokenInfo> = serde_json::from_str(
            r#"[{"id":"AQEBAQICAgICAgICAgICAg","key_id":"3f2a9c01","batch":"01010101",
                 "user":"alice","profile_type":"user-locked","uses":3,"used":1,"uses_left":2,
                 "state":"in-use","note":"",
                 "issued_at":"2026-11-23T12:00:00Z","expires_at":"2026-11-23T13:00:00Z"},
                {"id":"AQEBAQMDAwMDAwMDAwMDAw","key_id":"3f2a9c01","batch":"01010101",
                 "user":"bob","profile_type":"autologin","uses":null,"used":0,"uses_left":null,
                 "state":"unused","note":"",
                 "issued_at":"2026-11-23T12:00:00Z","expires_at":"2026-11-23T13:00:00Z"}]"#,
        )
        .unwrap();
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
