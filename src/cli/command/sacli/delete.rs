//! `DeleteProfileToken`: revokes one link.
//!
//! The ledger accepts revocations of unknown tokens. So this looks for the token in the list first,
//! and reports a mistyped id.

use std::path::Path;

use crate::api::revocations::NewRevocation;
use crate::api::tokens::TokenInfo;
use crate::cli::client::AdminClient;
use crate::cli::client::query::TokenFilter;
use crate::cli::command::revoke;
use crate::cli::terminal::output;
use crate::clock::{Clock as _, SystemClock};
use crate::failure::Failure;
use crate::ledger::{StateFilter, TokenState};
use crate::token::{Nonce, UnixSeconds};

/// Revokes the token of `argument`, which is an id, a token or a link.
pub(super) fn run(node: &AdminClient, argument: &str, trusted: &Path) -> Result<(), Failure> {
    let target = revoke::token(argument, trusted)?;
    let nonce = delete(node, target, SystemClock.now())?;
    output::show(&format!("Deleted token {nonce}\n"))
}

/// Revokes a token that can still be used, if it is listed or if its expiry was `signed`.
fn delete(
    node: &AdminClient,
    (nonce, signed): (Nonce, Option<UnixSeconds>),
    now: UnixSeconds,
) -> Result<Nonce, Failure> {
    if let Some(expires_at) = signed.filter(|expires_at| *expires_at <= now) {
        return Err(expired(nonce, expires_at));
    }
    let expires_at = match listed(node, nonce)? {
        Some(token) => live(&token, now)?,
        // It was minted elsewhere and never used, and its signature is valid.
        None => signed.ok_or_else(|| unknown(nonce))?,
    };
    node.revoke(&NewRevocation::token(nonce, Some(expires_at)))?;
    Ok(nonce)
}

fn listed(node: &AdminClient, nonce: Nonce) -> Result<Option<TokenInfo>, Failure> {
    // The batch is part of the id and keeps the list short.
    let query = TokenFilter {
        batch: Some(nonce.batch()),
        state: StateFilter::All,
        ..TokenFilter::default()
    };
    Ok(node.tokens(&query)?.into_iter().find(|token| token.id == nonce))
}

/// Returns the expiry of a token that can still be used.
fn live(token: &TokenInfo, now: UnixSeconds) -> Result<UnixSeconds, Failure> {
    if token.expires_at <= now {
        return Err(expired(token.id, token.expires_at));
    }
    match token.state {
        TokenState::Unused | TokenState::InUse => Ok(token.expires_at),
        TokenState::UsedUp => Err(dead(format!("token {} is already used up", token.id))),
        TokenState::Revoked => Err(dead(format!("token {} is already deleted", token.id))),
    }
}

fn expired(nonce: Nonce, at: UnixSeconds) -> Failure {
    dead(format!("token {nonce} expired at {at}"))
}

fn dead(error: String) -> Failure {
    Failure::say(
        error,
        "there is nothing to delete; `sacli ListProfileTokens` lists the valid tokens",
    )
}

fn unknown(nonce: Nonce) -> Failure {
    Failure::say(
        format!("the node knows no token with the id {nonce}"),
        format!(
            "`sacli ListProfileTokens` shows the ids; for a link that was minted elsewhere and never \
             used, give its URL, or revoke the id without this check: `jeton revoke {nonce}`"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::fake_node::{FakeNode, client_of};
    use crate::token::Batch;

    /// One hour before the token below expires.
    const NOW: UnixSeconds = UnixSeconds::new(1_795_435_200);
    const EXPIRES_AT: UnixSeconds = UnixSeconds::new(1_795_438_800);
    const NONE: &str = r#"{"tokens":[],"next":null,"total":0}"#;

    fn nonce() -> Nonce {
        Nonce::new(Batch([1; 4]), [2; 12])
    }

    fn list(state: &str) -> String {
        format!(
            r#"{{"tokens":[{{"id":"AQEBAQICAgICAgICAgICAg","key_id":"3f2a9c01","batch":"01010101",
                "user":"alice","profile_type":"user-locked","uses":3,"used":1,"uses_left":2,
                "state":"{state}","note":"","issued_at":"2026-11-23T12:00:00Z",
                "expires_at":"2026-11-23T13:00:00Z"}}],"next":null,"total":1}}"#
        )
    }

    #[test]
    fn revokes_a_listed_token() {
        let list = list("in-use");
        let node = FakeNode::answering([(200, list.as_str()), (200, r#"{"revoked":"token"}"#)]);
        assert_eq!(delete(&node.client(), (nonce(), None), NOW).unwrap(), nonce());
        let requests = node.requests();
        assert_eq!(
            requests[0].line(),
            "GET /api/v1/tokens?limit=1000&state=all&batch=01010101 HTTP/1.1"
        );
        assert_eq!(requests[1].body()["token"], "AQEBAQICAgICAgICAgICAg");
        assert_eq!(requests[1].body()["expires_at"], "2026-11-23T13:00:00Z");
    }

    #[test]
    fn rejects_a_token_that_cannot_be_used_any_longer() {
        for (state, now, message) in [
            ("used-up", NOW, "is already used up"),
            ("revoked", NOW, "is already deleted"),
            ("unused", EXPIRES_AT, "expired at 2026-11-23T13:00:00Z"),
        ] {
            let list = list(state);
            let node = FakeNode::answering([(200, list.as_str())]);
            let failure = delete(&node.client(), (nonce(), None), now).unwrap_err().to_string();
            assert!(failure.contains(message), "{failure}");
            assert!(failure.contains("\nhint: there is nothing to delete"), "{failure}");
        }
        let unreachable = client_of(FakeNode::unused_address());
        let failure = delete(&unreachable, (nonce(), Some(NOW)), NOW).unwrap_err().to_string();
        assert!(failure.contains("expired at 2026-11-23T12:00:00Z"), "{failure}");
    }

    #[test]
    fn rejects_an_unknown_id_and_revokes_a_complete_token() {
        let node = FakeNode::answering([(200, NONE)]);
        let failure = delete(&node.client(), (nonce(), None), NOW).unwrap_err().to_string();
        assert!(failure.starts_with("error: the node knows no token with the id AQEBAQICAg"));
        let node = FakeNode::answering([(200, NONE), (200, r#"{"revoked":"token"}"#)]);
        delete(&node.client(), (nonce(), Some(EXPIRES_AT)), NOW).unwrap();
        assert_eq!(node.requests()[1].body()["expires_at"], "2026-11-23T13:00:00Z");
    }
}
