//! The client of a node's admin API.
//!
//! It signs each request with a new admin token, which is valid for a minute and never shown. So no
//! one has to sign in, and no session remains. It connects to the address in the configuration and
//! to nothing else: no proxy, no redirect.
//!
//! [`query`] selects tokens. [`reachable`] returns the address to connect to for a listener on all
//! addresses. Tests use a `fake_node`.

mod error;
#[cfg(test)]
pub(crate) mod fake_node;
pub(crate) mod query;
pub(crate) mod reachable;

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use ureq::http::Response;
use ureq::typestate::WithBody;
use ureq::{Agent, Body, RequestBuilder};
use zeroize::Zeroizing;

use crate::api::inspection::{Prospect, Question};
use crate::api::revocations::{NewRevocation, RevocationInfo};
use crate::api::tokens::{NewRecord, TokenInfo, TokenList};
use crate::api::users::{Permission, UserInfo, UserList};
use crate::cli::configured;
use crate::cli::login_name;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::failure::Failure;
use crate::ledger::{Cursor, Note};
use crate::mint::{self, MintError};
use crate::percent;
use crate::random;
use crate::signing::passphrase::PassphraseArgs;
use crate::signing::signing_key;
use crate::token::{
    AdminRole, KeyId, KeyPurpose, Lifetime, NewUserName, SigningKey, Token, UnixSeconds, UserName,
};

pub(crate) use error::ClientError;
use query::TokenFilter;

/// The lifetime of a request's admin token, in seconds.
const TOKEN_LIFETIME: u32 = 60;

/// The user of the admin token if the login name is unknown.
const DEFAULT_USER: &str = "cli";

/// The timeouts for a connection and for a whole response.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

/// The most bytes of a response that are read: more than a million users.
const RESPONSE_LEN_MAX: u64 = 256 << 20;

/// The number of tokens in one request, the most that a node returns.
const PAGE_LEN: u32 = 1_000;

/// A client of one node's admin API.
pub(crate) struct AdminClient {
    agent: Agent,
    address: SocketAddr,
    key: SigningKey,
}

impl AdminClient {
    /// Creates a client with the address and the admin key that the configuration names.
    pub(crate) fn open(config: &Config, passphrase: &PassphraseArgs) -> Result<Self, Failure> {
        let address = configured::admin_address(config)?;
        let dir = configured::dir_to_sign_with(&config.keys, KeyPurpose::Admin)?;
        let key = signing_key::load(dir, KeyPurpose::Admin, None, &passphrase.read()?)?;
        Ok(Self::new(address, key))
    }

    pub(crate) fn new(address: SocketAddr, key: SigningKey) -> Self {
        let agent = Agent::config_builder()
            // A proxy could read the token.
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(RESPONSE_TIMEOUT))
            .build()
            .new_agent();
        Self { agent, address, key }
    }

    /// Returns the id of the key that it signs with.
    pub(crate) const fn key_id(&self) -> KeyId {
        self.key.verifying_key().id()
    }

    /// Requests all tokens that match `filter`, page by page.
    pub(crate) fn tokens(&self, filter: &TokenFilter) -> Result<Vec<TokenInfo>, ClientError> {
        let filter = filter.to_text();
        let mut tokens = Vec::new();
        let mut after: Option<Cursor> = None;
        loop {
            let mut path = format!("tokens?limit={PAGE_LEN}{filter}");
            if let Some(after) = &after {
                path += &format!("&after={after}");
            }
            let page: TokenList = self.get(&path)?;
            tokens.extend(page.tokens);
            if page.next.is_none() {
                return Ok(tokens);
            }
            // A cursor that stays the same would be requested forever.
            if page.next == after {
                return Err(ClientError::NotAnAdminApi { address: self.address, status: 200 });
            }
            after = page.next;
        }
    }

    /// Returns `true` if the node knows a token that matches `filter`.
    pub(crate) fn knows(&self, filter: &TokenFilter) -> Result<bool, ClientError> {
        let page: TokenList = self.get(&format!("tokens?limit=1{}", filter.to_text()))?;
        Ok(page.total > 0)
    }

    /// Records a token that was minted here, so that it is listed before its first use.
    pub(crate) fn record(&self, token: &Token, note: Option<&Note>) -> Result<(), ClientError> {
        let record = NewRecord { token: token.as_str().to_owned(), note: note.cloned() };
        let IgnoredAny = self.post(AdminRole::Operator, "records", &record)?;
        Ok(())
    }

    /// Revokes tokens; for a user, returns the last second whose tokens are refused.
    pub(crate) fn revoke(
        &self,
        revocation: &NewRevocation,
    ) -> Result<Option<UnixSeconds>, ClientError> {
        let revoked: RevocationInfo =
            self.post(revocation.needed_role(), "revocations", revocation)?;
        Ok(revoked.issued_until)
    }

    pub(crate) fn users(&self) -> Result<Vec<UserInfo>, ClientError> {
        let list: UserList = self.get("users")?;
        Ok(list.users)
    }

    /// Allows or denies `user` autologin profiles.
    pub(crate) fn permit(&self, user: &UserName, allowed: bool) -> Result<(), ClientError> {
        let path = format!("users/{}/autologin", percent::encode(user.as_str()));
        let request = self.agent.put(self.url(&path));
        let IgnoredAny = self.send(AdminRole::Admin, request, &Permission { allowed })?;
        Ok(())
    }

    /// Asks what a download with `token` would do, and spends nothing.
    pub(crate) fn inspect(&self, token: &str) -> Result<Prospect, ClientError> {
        let question = Question { token: token.to_owned(), client: None };
        self.post(AdminRole::Viewer, "inspect", &question)
    }

    /// Sends `body` to `path` in `role` and returns the response.
    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        role: AdminRole,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.send(role, self.agent.post(self.url(path)), body)
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let request = self.agent.get(self.url(path));
        self.read(request.header("Authorization", &*self.bearer(AdminRole::Viewer)?).call())
    }

    fn send<T: DeserializeOwned>(
        &self,
        role: AdminRole,
        request: RequestBuilder<WithBody>,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.read(request.header("Authorization", &*self.bearer(role)?).send_json(body))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/api/v1/{path}", self.address)
    }

    /// Mints the token of one request, with no more than the role it needs: a program that listens
    /// in the node's place gets nothing else.
    fn bearer(&self, role: AdminRole) -> Result<Zeroizing<String>, ClientError> {
        #[expect(clippy::expect_used, reason = "the constant is a name")]
        let user = login_name::get()
            .unwrap_or_else(|| NewUserName::new(DEFAULT_USER).expect("it is a user name"));
        let lifetime = Lifetime::from_seconds(TOKEN_LIFETIME).map_err(MintError::from)?;
        let token =
            mint::mint_admin(&self.key, role, user, lifetime, SystemClock.now(), random::fill)?;
        Ok(Zeroizing::new(format!("Bearer {}", token.as_str())))
    }

    /// Reads a response, or the error in it.
    fn read<T: DeserializeOwned>(
        &self,
        response: Result<Response<Body>, ureq::Error>,
    ) -> Result<T, ClientError> {
        let address = self.address;
        let mut response = response.map_err(|source| ClientError::unanswered(address, source))?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(RESPONSE_LEN_MAX).read_to_vec();
        let body = body.map_err(|source| ClientError::NoResponse { address, source })?;
        let unreadable = |_| ClientError::NotAnAdminApi { address, status: status.as_u16() };
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(unreadable);
        }
        Err(ClientError::refusal(&body).map_err(unreadable)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::fake_node::{FakeNode, client_of};
    use super::*;
    use crate::ledger::TokenState;
    use crate::token::{Batch, Nonce, Purpose, UntrustedToken};

    fn failure<T: std::fmt::Debug>(response: Result<T, ClientError>) -> String {
        Failure::from(response.unwrap_err()).to_string()
    }

    #[test]
    fn each_request_carries_its_own_admin_token() {
        let node = FakeNode::answering([
            (200, r#"{"tokens":[],"next":null,"total":0}"#),
            (200, r#"{"users":[]}"#),
        ]);
        let client = node.client();
        assert!(client.tokens(&TokenFilter::default()).unwrap().is_empty());
        assert!(client.users().unwrap().is_empty());
        let requests = node.requests();
        let tokens: Vec<_> = requests.iter().map(|request| request.bearer()).collect();
        assert_ne!(tokens[0], tokens[1]);
        for token in tokens {
            let claims = UntrustedToken::parse(token).unwrap().untrusted_claims().unwrap();
            assert_eq!(claims.purpose, Purpose::Admin(AdminRole::Viewer), "the least role");
            assert_eq!(claims.lifetime.seconds(), 60);
        }
        assert_eq!(requests[0].line(), "GET /api/v1/tokens?limit=1000&state=live HTTP/1.1");
        assert_eq!(requests[1].line(), "GET /api/v1/users HTTP/1.1");
    }

    /// Returns a token as a node writes it. Each `byte` makes another token.
    fn token_json(byte: u8, note: &str) -> String {
        let id = Nonce::new(Batch([1; 4]), [byte; 12]);
        format!(
            r#"{{"id":"{id}","key_id":"3f2a9c01","batch":"01010101","user":"alice","profile_type":"user-locked","uses":3,"used":1,"uses_left":2,"state":"in-use","note":{note},"issued_at":"2026-11-23T12:00:00Z","expires_at":"2026-11-23T13:00:00Z"}}"#
        )
    }

    #[test]
    fn tokens_are_read_page_by_page() {
        let first = format!(
            r#"{{"tokens":[{},{}],"next":"7.3f2a9c01.AQEBAQMDAwMDAwMDAwMDAw","total":3}}"#,
            token_json(2, "\"\""),
            token_json(3, r#""her \u001b\u202e phone""#)
        );
        let last = format!(r#"{{"tokens":[{}],"next":null,"total":3}}"#, token_json(4, "\"\""));
        let node = FakeNode::answering([(200, first.as_str()), (200, last.as_str())]);
        let filter =
            TokenFilter { user: Some(UserName::new("a b").unwrap()), ..Default::default() };
        let tokens = node.client().tokens(&filter).unwrap();
        let ids: Vec<_> = tokens.iter().map(|token| token.id).collect();
        assert_eq!(ids, [2, 3, 4].map(|byte| Nonce::new(Batch([1; 4]), [byte; 12])));
        assert_eq!(tokens[0].batch, Batch([1; 4]));
        assert_eq!((tokens[0].uses, tokens[0].used, tokens[0].uses_left), (Some(3), 1, Some(2)));
        assert_eq!((tokens[0].state, tokens[0].note.is_empty()), (TokenState::InUse, true));
        assert_eq!(tokens[1].note.as_str(), "her \u{fffd}\u{fffd} phone");
        assert_eq!(tokens[0].expires_at, UnixSeconds::new(1_795_438_800));
        let lines: Vec<_> =
            node.requests().iter().map(|request| request.line().to_owned()).collect();
        assert_eq!(
            lines,
            [
                "GET /api/v1/tokens?limit=1000&state=live&user=a%20b HTTP/1.1",
                "GET /api/v1/tokens?limit=1000&state=live&user=a%20b&after=7.3f2a9c01.AQEBAQMDAwMDAwMDAwMDAw HTTP/1.1",
            ]
        );
    }

    #[test]
    fn a_cursor_that_does_not_move_ends_the_listing() {
        let page = r#"{"tokens":[],"next":"7.3f2a9c01.AQEBAQMDAwMDAwMDAwMDAw","total":9}"#;
        let node = FakeNode::answering([(200, page), (200, page)]);
        let failure = failure(node.client().tokens(&TokenFilter::default()));
        assert!(failure.contains("is not an admin API"), "{failure}");
        assert_eq!(node.requests().len(), 2);
    }

    #[test]
    fn a_minted_token_is_recorded_with_its_note() {
        let node = FakeNode::answering([(200, r#"{"id":"x"}"#), (200, r#"{"id":"x"}"#)]);
        let client = node.client();
        let order = [mint::tests::order("alice")];
        let minted = mint::tests::minter()
            .mint(&order, UnixSeconds::new(1_000), mint::tests::counting())
            .unwrap();
        let token = &minted[0].token;
        client.record(token, None).unwrap();
        client.record(token, Some(&"her phone".parse().unwrap())).unwrap();
        let requests = node.requests();
        assert_eq!(requests[0].line(), "POST /api/v1/records HTTP/1.1");
        assert_eq!(requests[0].body(), json!({ "token": token.as_str() }));
        let with_note = json!({ "token": token.as_str(), "note": "her phone" });
        assert_eq!(requests[1].body(), with_note);
    }

    #[test]
    fn revoking_a_user_returns_the_last_second() {
        let node = FakeNode::answering([
            (200, r#"{"revoked":"user alice","issued_until":"2026-11-23T13:00:00Z"}"#),
            (200, r#"{"revoked":"batch 0a1b2c3d"}"#),
        ]);
        let client = node.client();
        let until = client.revoke(&NewRevocation::user(UserName::new("alice").unwrap())).unwrap();
        assert_eq!(until, Some(UnixSeconds::new(1_795_438_800)));
        assert_eq!(client.revoke(&NewRevocation::batch(Batch([10, 27, 44, 61]))).unwrap(), None);
        let requests = node.requests();
        assert_eq!(requests[0].line(), "POST /api/v1/revocations HTTP/1.1");
        assert_eq!(requests[0].body(), json!({ "user": "alice" }));
    }

    #[test]
    fn a_user_name_is_one_path_segment() {
        let node = FakeNode::answering([(200, r#"{"user":"x","autologin":true}"#)]);
        let user = UserName::new("a b?#%\u{fc}@example.com").unwrap();
        node.client().permit(&user, true).unwrap();
        let requests = node.requests();
        assert_eq!(
            requests[0].line(),
            "PUT /api/v1/users/a%20b%3F%23%25%C3%BC%40example.com/autologin HTTP/1.1"
        );
        assert_eq!(requests[0].body(), json!({ "allowed": true }));
    }

    #[test]
    fn a_refusal_has_the_message_and_hint_of_the_node() {
        let body = r#"{"error":{"code":"forbidden","message":"no \u001b[31mway","hint":"ask"}}"#;
        let node = FakeNode::answering([(403, body)]);
        let failure = failure(node.client().tokens(&TokenFilter::default()));
        assert_eq!(failure, "error: no \u{fffd}[31mway\nhint: ask");
    }

    #[test]
    fn other_responses_are_rejected() {
        for response in [(200, "<html>"), (404, "not found"), (302, ""), (200, "{}")] {
            let node = FakeNode::answering([response]);
            let failure = failure(node.client().tokens(&TokenFilter::default()));
            assert!(failure.contains("is not an admin API"), "{failure}");
        }
    }

    #[test]
    fn a_refused_connection_names_the_address() {
        let address = FakeNode::unused_address();
        let failure = failure(client_of(address).tokens(&TokenFilter::default()));
        let reason = format!("cannot reach the admin API at http://{address}");
        assert!(failure.contains(&reason), "{failure}");
        assert!(failure.contains("hint: check that `jeton serve` runs"), "{failure}");
    }
}
