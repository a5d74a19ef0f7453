//! The client of a node's admin API.
//!
//! It signs a fresh admin token for every request, good for a minute and never
//! shown, so whoever may read the admin key needs no login and leaves none
//! behind. It speaks to the address in the config and to nothing else: no proxy,
//! no redirect.
//!
//! [`query`] says which tokens are asked for, `answers` what comes back (`text`
//! reads the values that JSON carries as text), `error` why nothing helps.
//! [`reachable`] knows where to knock for what listens on all addresses. Tests
//! talk to a `fake_node`.

mod answers;
mod error;
#[cfg(test)]
pub(crate) mod fake_node;
pub(crate) mod query;
pub(crate) mod reachable;
mod text;

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};
use ureq::http::Response;
use ureq::typestate::WithBody;
use ureq::{Agent, Body, RequestBuilder};
use zeroize::Zeroizing;

use crate::cli::configured;
use crate::cli::login_name;
use crate::cli::terminal::moment;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::failure::Failure;
use crate::mint::{self, MintError};
use crate::percent;
use crate::random;
use crate::signing::passphrase::PassphraseArgs;
use crate::signing::signing_key;
use crate::token::{
    AdminRole, Batch, KeyId, KeyPurpose, Lifetime, NewUserName, Nonce, SigningKey, Token,
    UnixSeconds, UserName,
};

pub(crate) use answers::{Forecast, KnownToken, User, Would};
pub(crate) use error::ClientError;
use query::TokenFilter;
use text::plain;

/// How long a request's admin token lives, in seconds.
const TOKEN_LIFETIME: u32 = 60;

/// Who the client says it is if the login name is not known.
const NOBODY_ELSE: &str = "cli";

/// How long to wait for a connection, and for a whole answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The most bytes of an answer that are read: a million users and more.
const ANSWER_LEN_MAX: u64 = 256 << 20;

/// How many tokens are asked for at a time, the most that a node gives.
const PAGE_LEN: u32 = 1_000;

/// A door to one node's admin API.
pub(crate) struct AdminClient {
    agent: Agent,
    address: SocketAddr,
    key: SigningKey,
}

/// What to refuse from now on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Target {
    /// One token.
    Token {
        /// Its nonce.
        nonce: Nonce,
        /// When it expires, if that is certain.
        expires_at: Option<UnixSeconds>,
    },
    /// All tokens of one mint run.
    Batch(Batch),
    /// All tokens of a user that were minted until now.
    User(UserName),
    /// All tokens of a key.
    Key(KeyId),
}

impl Target {
    /// The least role that may refuse it.
    const fn role(&self) -> AdminRole {
        match self {
            Self::Token { .. } | Self::Batch(_) | Self::User(_) => AdminRole::Operator,
            Self::Key(_) => AdminRole::Admin,
        }
    }

    fn body(&self) -> Value {
        match self {
            Self::Token { nonce, expires_at: None } => json!({ "token": nonce.to_string() }),
            Self::Token { nonce, expires_at: Some(at) } => {
                json!({ "token": nonce.to_string(), "expires_at": at.to_string() })
            }
            Self::Batch(batch) => json!({ "batch": batch.to_string() }),
            Self::User(user) => json!({ "user": user }),
            Self::Key(id) => json!({ "key": id.to_string() }),
        }
    }
}

impl AdminClient {
    /// Takes the address and the admin key that the config names.
    pub(crate) fn open(config: &Config, passphrase: &PassphraseArgs) -> Result<Self, Failure> {
        let address = configured::admin_address(config)?;
        let folder = configured::folder_to_sign_with(&config.keys, KeyPurpose::Admin)?;
        let key = signing_key::load(folder, KeyPurpose::Admin, None, &passphrase.read()?)?;
        Ok(Self::new(address, key))
    }

    /// Talks to the node at `address`, with `key`.
    pub(crate) fn new(address: SocketAddr, key: SigningKey) -> Self {
        let agent = Agent::config_builder()
            // A proxy would read the token, and may be anywhere.
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(ANSWER_TIMEOUT))
            .build()
            .new_agent();
        Self { agent, address, key }
    }

    /// Returns the id of the key that it signs with.
    pub(crate) const fn key_id(&self) -> KeyId {
        self.key.verifying_key().id()
    }

    /// Asks for all tokens that `query` means, page by page.
    pub(crate) fn tokens(&self, query: &TokenFilter) -> Result<Vec<KnownToken>, ClientError> {
        #[derive(Deserialize)]
        struct Page {
            tokens: Vec<KnownToken>,
            next: Option<String>,
        }
        let filter = query.to_text();
        let mut tokens = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut path = format!("tokens?limit={PAGE_LEN}{filter}");
            if let Some(after) = &after {
                path += &format!("&after={}", percent::encode(after));
            }
            let page: Page = self.get(&path)?;
            tokens.extend(page.tokens);
            if page.next.is_none() {
                break;
            }
            // A place that does not move would be asked for again for ever.
            if page.next == after {
                return Err(ClientError::Stranger { address: self.address, status: 200 });
            }
            after = page.next;
        }
        for token in &mut tokens {
            token.note = token.note.take().map(|note| plain(&note)).filter(|note| !note.is_empty());
        }
        Ok(tokens)
    }

    /// Asks whether the node knows any token that `query` means.
    pub(crate) fn knows(&self, query: &TokenFilter) -> Result<bool, ClientError> {
        #[derive(Deserialize)]
        struct Page {
            total: u64,
        }
        let page: Page = self.get(&format!("tokens?limit=1{}", query.to_text()))?;
        Ok(page.total > 0)
    }

    /// Tells the node of a token that was minted here, so that it is listed before
    /// its first use.
    pub(crate) fn record(&self, token: &Token, note: Option<&str>) -> Result<(), ClientError> {
        let request = self.agent.post(self.url("records"));
        let mut body = json!({ "token": token.as_str() });
        if let (Some(note), Value::Object(fields)) = (note, &mut body) {
            fields.insert("note".to_owned(), note.into());
        }
        let IgnoredAny = self.send(AdminRole::Operator, request, &body)?;
        Ok(())
    }

    /// Has tokens refused; for a user, returns the last second whose tokens are.
    pub(crate) fn revoke(&self, target: &Target) -> Result<Option<UnixSeconds>, ClientError> {
        #[derive(Deserialize)]
        struct Answer {
            issued_until: Option<Moment>,
        }
        #[derive(Deserialize)]
        struct Moment(#[serde(deserialize_with = "moment::from_rfc3339")] UnixSeconds);
        let request = self.agent.post(self.url("revocations"));
        let answer: Answer = self.send(target.role(), request, &target.body())?;
        Ok(answer.issued_until.map(|until| until.0))
    }

    /// Asks for all users.
    pub(crate) fn users(&self) -> Result<Vec<User>, ClientError> {
        #[derive(Deserialize)]
        struct Answer {
            users: Vec<User>,
        }
        let answer: Answer = self.get("users")?;
        Ok(answer.users)
    }

    /// Allows or denies `user` autologin profiles.
    pub(crate) fn permit(&self, user: &UserName, allowed: bool) -> Result<(), ClientError> {
        let request = self
            .agent
            .put(self.url(&format!("users/{}/autologin", percent::encode(user.as_str()))));
        let IgnoredAny = self.send(AdminRole::Admin, request, &json!({ "allowed": allowed }))?;
        Ok(())
    }

    /// Asks what a click would do with `token`, spending nothing.
    pub(crate) fn inspect(&self, token: &str) -> Result<Forecast, ClientError> {
        let request = self.agent.post(self.url("inspect"));
        let forecast: Forecast =
            self.send(AdminRole::Viewer, request, &json!({ "token": token }))?;
        Ok(Forecast { reason: forecast.reason.map(|reason| plain(&reason)), ..forecast })
    }

    /// Tells the node something at `path`, in `role`, and returns what it answers.
    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        role: AdminRole,
        path: &str,
        body: &Value,
    ) -> Result<T, ClientError> {
        self.send(role, self.agent.post(self.url(path)), body)
    }

    /// Asks the node for what stands at `path`.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let request = self.agent.get(self.url(path));
        self.answer(request.header("Authorization", &*self.bearer(AdminRole::Viewer)?).call())
    }

    fn send<T: DeserializeOwned>(
        &self,
        role: AdminRole,
        request: RequestBuilder<WithBody>,
        body: &Value,
    ) -> Result<T, ClientError> {
        self.answer(request.header("Authorization", &*self.bearer(role)?).send_json(body))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/api/v1/{path}", self.address)
    }

    /// Mints the token of one request, which may do that and no more: whoever
    /// listens in the node's place is given nothing else.
    fn bearer(&self, role: AdminRole) -> Result<Zeroizing<String>, ClientError> {
        #[expect(clippy::expect_used, reason = "the constant is a name")]
        let user = login_name::get()
            .unwrap_or_else(|| NewUserName::new(NOBODY_ELSE).expect("a good name"));
        let lifetime = Lifetime::from_seconds(TOKEN_LIFETIME).map_err(MintError::from)?;
        let token =
            mint::mint_admin(&self.key, role, user, lifetime, SystemClock.now(), random::fill)?;
        Ok(Zeroizing::new(format!("Bearer {}", token.as_str())))
    }

    /// Reads an answer, or why there is none.
    fn answer<T: DeserializeOwned>(
        &self,
        response: Result<Response<Body>, ureq::Error>,
    ) -> Result<T, ClientError> {
        let address = self.address;
        let mut response = response.map_err(|source| ClientError::unanswered(address, source))?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(ANSWER_LEN_MAX).read_to_vec();
        let body = body.map_err(|source| ClientError::Silent { address, source })?;
        let stranger = |_| ClientError::Stranger { address, status: status.as_u16() };
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(stranger);
        }
        Err(ClientError::refusal(&body).map_err(stranger)?)
    }
}

#[cfg(test)]
mod tests {
    use super::fake_node::FakeNode;
    use super::*;
    use crate::ledger::TokenState;
    use crate::token::{Purpose, UntrustedToken};

    fn client(node: &FakeNode) -> AdminClient {
        AdminClient::new(node.address(), SigningKey::from_seed(&[9; 32]))
    }

    fn said<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> String {
        Failure::from(answer.unwrap_err()).to_string()
    }

    #[test]
    fn each_request_carries_its_own_admin_token() {
        let node = FakeNode::answering([
            (200, r#"{"tokens":[],"next":null,"total":0}"#),
            (200, r#"{"users":[]}"#),
        ]);
        let client = client(&node);
        assert!(client.tokens(&TokenFilter::default()).unwrap().is_empty());
        assert!(client.users().unwrap().is_empty());
        let requests = node.requests();
        let tokens: Vec<_> = requests.iter().map(|request| request.bearer()).collect();
        assert_ne!(tokens[0], tokens[1]);
        for token in tokens {
            let claims = UntrustedToken::parse(token).unwrap().untrusted_claims().unwrap();
            assert_eq!(claims.purpose, Purpose::Admin(AdminRole::Viewer), "reading needs no more");
            assert_eq!(claims.lifetime.seconds(), 60);
        }
        assert_eq!(requests[0].line(), "GET /api/v1/tokens?limit=1000&state=live HTTP/1.1");
        assert_eq!(requests[1].line(), "GET /api/v1/users HTTP/1.1");
    }

    /// Returns a token as a node tells it; the byte makes it another one.
    fn line(byte: u8, note: &str) -> String {
        let id = Nonce::new(Batch([1; 4]), [byte; 12]);
        format!(
            r#"{{"id":"{id}","key_id":"3f2a9c01","batch":"01010101","user":"alice","profile_type":"user-locked","uses":3,"used":1,"uses_left":2,"state":"in-use","note":{note},"issued_at":"2026-11-23T12:00:00Z","expires_at":"2026-11-23T13:00:00Z"}}"#
        )
    }

    #[test]
    fn tokens_are_read_page_by_page() {
        let first = format!(
            r#"{{"tokens":[{},{}],"next":"a+b/c","total":3}}"#,
            line(2, "null"),
            line(3, r#""her \u001b phone""#)
        );
        let last = format!(r#"{{"tokens":[{}],"next":null,"total":3}}"#, line(4, "null"));
        let node = FakeNode::answering([(200, first.as_str()), (200, last.as_str())]);
        let query = TokenFilter { user: Some(UserName::new("a b").unwrap()), ..Default::default() };
        let tokens = client(&node).tokens(&query).unwrap();
        let ids: Vec<_> = tokens.iter().map(|token| token.id).collect();
        assert_eq!(ids, [2, 3, 4].map(|byte| Nonce::new(Batch([1; 4]), [byte; 12])));
        assert_eq!(tokens[0].batch, Batch([1; 4]));
        assert_eq!((tokens[0].uses, tokens[0].used, tokens[0].uses_left), (Some(3), 1, Some(2)));
        assert_eq!((tokens[0].state, tokens[0].note.as_deref()), (TokenState::InUse, None));
        assert_eq!(tokens[1].note.as_deref(), Some("her   phone"));
        assert_eq!(tokens[0].expires_at, UnixSeconds::new(1_795_438_800));
        let lines: Vec<_> =
            node.requests().iter().map(|request| request.line().to_owned()).collect();
        assert_eq!(
            lines,
            [
                "GET /api/v1/tokens?limit=1000&state=live&user=a%20b HTTP/1.1",
                "GET /api/v1/tokens?limit=1000&state=live&user=a%20b&after=a%2Bb%2Fc HTTP/1.1",
            ]
        );
    }

    #[test]
    fn a_node_that_turns_in_circles_is_asked_no_more() {
        let page = r#"{"tokens":[],"next":"x","total":9}"#;
        let node = FakeNode::answering([(200, page), (200, page)]);
        assert!(said(client(&node).tokens(&TokenFilter::default())).contains("is no admin API"));
        assert_eq!(node.requests().len(), 2);
    }

    #[test]
    fn a_minted_token_is_recorded_with_its_note() {
        let node = FakeNode::answering([(200, r#"{"id":"x"}"#), (200, r#"{"id":"x"}"#)]);
        let client = client(&node);
        let order = [mint::tests::order("alice")];
        let minted = mint::tests::minter()
            .mint(&order, UnixSeconds::new(1_000), mint::tests::counting())
            .unwrap();
        let token = &minted[0].token;
        client.record(token, None).unwrap();
        client.record(token, Some("her phone")).unwrap();
        let requests = node.requests();
        assert_eq!(requests[0].line(), "POST /api/v1/records HTTP/1.1");
        assert_eq!(requests[0].body(), json!({ "token": token.as_str() }));
        let with_note = json!({ "token": token.as_str(), "note": "her phone" });
        assert_eq!(requests[1].body(), with_note);
    }

    #[test]
    fn a_target_has_one_form_each() {
        let nonce = Nonce::new(Batch([1; 4]), [2; 12]);
        let at = UnixSeconds::new(1_795_438_800);
        for (target, body) in [
            (Target::Token { nonce, expires_at: None }, r#"{"token":"AQEBAQICAgICAgICAgICAg"}"#),
            (
                Target::Token { nonce, expires_at: Some(at) },
                r#"{"expires_at":"2026-11-23T13:00:00Z","token":"AQEBAQICAgICAgICAgICAg"}"#,
            ),
            (Target::Batch(Batch([10, 27, 44, 61])), r#"{"batch":"0a1b2c3d"}"#),
            (Target::User(UserName::new("alice").unwrap()), r#"{"user":"alice"}"#),
            (Target::Key(KeyId([63, 42, 156, 1])), r#"{"key":"3f2a9c01"}"#),
        ] {
            assert_eq!(target.body().to_string(), body);
        }
    }

    #[test]
    fn revoking_a_user_tells_until_when() {
        let node = FakeNode::answering([
            (200, r#"{"revoked":"user alice","issued_until":"2026-11-23T13:00:00Z"}"#),
            (200, r#"{"revoked":"batch 0a1b2c3d"}"#),
        ]);
        let client = client(&node);
        let until = client.revoke(&Target::User(UserName::new("alice").unwrap())).unwrap();
        assert_eq!(until, Some(UnixSeconds::new(1_795_438_800)));
        assert_eq!(client.revoke(&Target::Batch(Batch([10, 27, 44, 61]))).unwrap(), None);
        let requests = node.requests();
        assert_eq!(requests[0].line(), "POST /api/v1/revocations HTTP/1.1");
        assert_eq!(requests[0].body(), json!({ "user": "alice" }));
    }

    #[test]
    fn a_user_is_one_segment_of_the_path() {
        let node = FakeNode::answering([(200, r#"{"user":"x","autologin":true}"#)]);
        let user = UserName::new("a b?#%\u{fc}@example.com").unwrap();
        client(&node).permit(&user, true).unwrap();
        let requests = node.requests();
        assert_eq!(
            requests[0].line(),
            "PUT /api/v1/users/a%20b%3F%23%25%C3%BC%40example.com/autologin HTTP/1.1"
        );
        assert_eq!(requests[0].body(), json!({ "allowed": true }));
    }

    #[test]
    fn a_refusal_is_passed_on_in_the_node_s_words() {
        let body = r#"{"error":{"code":"forbidden","message":"no \u001b[31mway","hint":"ask"}}"#;
        let node = FakeNode::answering([(403, body)]);
        let said = said(client(&node).tokens(&TokenFilter::default()));
        assert_eq!(said, "error: no [31mway\nhint: ask");
    }

    #[test]
    fn a_stranger_is_not_believed() {
        for answer in [(200, "<html>"), (404, "not found"), (302, ""), (200, "{}")] {
            let node = FakeNode::answering([answer]);
            let said = said(client(&node).tokens(&TokenFilter::default()));
            assert!(said.contains("is no admin API"), "{said}");
        }
    }

    #[test]
    fn a_refused_connection_names_the_address() {
        let address = FakeNode::nobody();
        let client = AdminClient::new(address, SigningKey::from_seed(&[9; 32]));
        let said = said(client.tokens(&TokenFilter::default()));
        assert!(
            said.contains(&format!("cannot reach the admin API at http://{address}")),
            "{said}"
        );
        assert!(said.contains("hint: is `jeton serve` running"), "{said}");
    }
}
