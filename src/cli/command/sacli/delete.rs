//! `DeleteProfileToken`: has one link refused from now on.
//!
//! The ledger takes any revocation, known token or not. So the list is asked
//! first, and whoever mistypes an id learns of it.

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

/// Revokes the token that `argument` is, carries or names.
pub(super) fn run(node: &AdminClient, argument: &str, trusted: &Path) -> Result<(), Failure> {
    let target = revoke::token(argument, trusted)?;
    let nonce = delete(node, target, SystemClock.now())?;
    output::show(&format!("Deleted token {nonce}\n"))
}

/// Revokes a token that is listed, or that was shown whole, if it still lives.
fn delete(
    node: &AdminClient,
    (nonce, shown): (Nonce, Option<UnixSeconds>),
    now: UnixSeconds,
) -> Result<Nonce, Failure> {
    if let Some(expires_at) = shown.filter(|expires_at| *expires_at <= now) {
        return Err(expired(nonce, expires_at));
    }
    let expires_at = match listed(node, nonce)? {
        Some(token) => alive(&token, now)?,
        // One that was minted elsewhere and never used; its signature holds.
        None => shown.ok_or_else(|| unknown(nonce))?,
    };
    node.revoke(&NewRevocation::token(nonce, Some(expires_at)))?;
    Ok(nonce)
}

fn listed(node: &AdminClient, nonce: Nonce) -> Result<Option<TokenInfo>, Failure> {
    // The batch is a part of the id, and keeps the list short.
    let query = TokenFilter {
        batch: Some(nonce.batch()),
        state: StateFilter::All,
        ..TokenFilter::default()
    };
    Ok(node.tokens(&query)?.into_iter().find(|token| token.id == nonce))
}

/// Returns when a token expires that may still be used.
fn alive(token: &TokenInfo, now: UnixSeconds) -> Result<UnixSeconds, Failure> {
    if token.expires_at <= now {
        return Err(expired(token.id, token.expires_at));
    }
    match token.state {
        TokenState::Unused | TokenState::InUse => Ok(token.expires_at),
        TokenState::UsedUp => Err(dead(format!("token {} is used up already", token.id))),
        TokenState::Revoked => Err(dead(format!("token {} is deleted already", token.id))),
    }
}

fn expired(nonce: Nonce, at: UnixSeconds) -> Failure {
    dead(format!("token {nonce} expired at {at}"))
}

fn dead(error: String) -> Failure {
    Failure::say(
        error,
        "nothing is left to delete; `sacli ListProfileTokens` shows the valid tokens",
    )
}

fn unknown(nonce: Nonce) -> Failure {
    Failure::say(
        format!("no token has the id {nonce}, as far as the node knows"),
        format!(
            "`sacli ListProfileTokens` shows the ids; of a link that was minted elsewhere and never \
             used give the URL, or have the id refused unseen by `jeton revoke {nonce}`"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::fake_node::FakeNode;
    use crate::token::{Batch, SigningKey};

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

    fn client(node: &FakeNode) -> AdminClient {
        AdminClient::new(node.address(), SigningKey::from_seed(&[9; 32]))
    }

    #[test]
    fn a_listed_token_is_revoked() {
        let list = list("in-use");
        let node = FakeNode::answering([(200, list.as_str()), (200, r#"{"revoked":"token"}"#)]);
        assert_eq!(delete(&client(&node), (nonce(), None), NOW).unwrap(), nonce());
        let requests = node.requests();
        assert_eq!(
            requests[0].line(),
            "GET /api/v1/tokens?limit=1000&state=all&batch=01010101 HTTP/1.1"
        );
        assert_eq!(requests[1].body()["token"], "AQEBAQICAgICAgICAgICAg");
        assert_eq!(requests[1].body()["expires_at"], "2026-11-23T13:00:00Z");
    }

    #[test]
    fn a_dead_token_is_told_and_not_revoked_again() {
        for (state, now, said) in [
            ("used-up", NOW, "is used up already"),
            ("revoked", NOW, "is deleted already"),
            ("unused", EXPIRES_AT, "expired at 2026-11-23T13:00:00Z"),
        ] {
            let list = list(state);
            let node = FakeNode::answering([(200, list.as_str())]);
            let failure = delete(&client(&node), (nonce(), None), now).unwrap_err().to_string();
            assert!(failure.contains(said), "{failure}");
            assert!(failure.contains("\nhint: nothing is left to delete"), "{failure}");
        }
        let nobody = AdminClient::new(FakeNode::unused_address(), SigningKey::from_seed(&[9; 32]));
        let failure = delete(&nobody, (nonce(), Some(NOW)), NOW).unwrap_err().to_string();
        assert!(failure.contains("expired at 2026-11-23T12:00:00Z"), "{failure}");
    }

    #[test]
    fn an_unknown_id_is_no_success_but_a_whole_token_is_one() {
        let node = FakeNode::answering([(200, NONE)]);
        let failure = delete(&client(&node), (nonce(), None), NOW).unwrap_err().to_string();
        assert!(failure.starts_with("error: no token has the id AQEBAQICAgICAgICAgICAg"));
        let node = FakeNode::answering([(200, NONE), (200, r#"{"revoked":"token"}"#)]);
        delete(&client(&node), (nonce(), Some(EXPIRES_AT)), NOW).unwrap();
        assert_eq!(node.requests()[1].body()["expires_at"], "2026-11-23T13:00:00Z");
    }
}
