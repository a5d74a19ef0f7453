//! The client of a node's admin API.
//!
//! It signs a fresh admin token for every request, good for a minute and never
//! shown, so whoever may read the admin key needs no login and leaves none
//! behind. It speaks to the address in the config and to nothing else: no proxy,
//! no redirect.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;
use ureq::http::Response;
use ureq::typestate::WithBody;
use ureq::{Agent, Body, RequestBuilder};
use zeroize::Zeroizing;

use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::mint::MintError;
use crate::token::{
    Batch, KeyId, KeyPurpose, Lifetime, Nonce, ProfileKind, Role, SigningKey, Token, UnixSeconds,
    UserName,
};

use super::failure::Failure;
use super::passphrase::PassphraseArgs;
use super::reachable::reachable;
use super::token_query::TokenQuery;
use super::{admin_token, configured, moment, signing_key, text};

/// How long a request's admin token lives, in seconds.
const TOKEN_LIFETIME: u32 = 60;

/// Who the client says it is.
const TOKEN_USER: &str = "cli";

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

/// A token that the ledger knows.
#[derive(Debug, Deserialize)]
pub(crate) struct KnownToken {
    /// Its nonce.
    #[serde(deserialize_with = "text::value")]
    pub id: Nonce,
    /// The key that signed it.
    #[serde(deserialize_with = "text::value")]
    pub key_id: KeyId,
    /// The mint run it came from.
    #[serde(deserialize_with = "text::value")]
    pub batch: Batch,
    /// Whose profile it gives.
    pub user: UserName,
    /// What kind of profile.
    #[serde(deserialize_with = "text::value")]
    pub profile_type: ProfileKind,
    /// How often it may be used in all; `None` for any number.
    pub uses: Option<u32>,
    /// How often it was used.
    pub used: u32,
    /// How often it may still be used; `None` for any number.
    pub uses_left: Option<u32>,
    /// What became of it.
    pub state: TokenState,
    /// What was noted about it.
    pub note: Option<String>,
    /// When it was minted.
    #[serde(deserialize_with = "moment::from_rfc3339")]
    pub issued_at: UnixSeconds,
    /// The first moment at which it is no longer valid.
    #[serde(deserialize_with = "moment::from_rfc3339")]
    pub expires_at: UnixSeconds,
}

/// What became of a token.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TokenState {
    /// Nobody used it yet.
    Unused,
    /// It was used, and may be again.
    InUse,
    /// No use is left.
    UsedUp,
    /// It was revoked.
    Revoked,
}

impl TokenState {
    /// Returns the word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::InUse => "in-use",
            Self::UsedUp => "used-up",
            Self::Revoked => "revoked",
        }
    }
}

/// A user whom the node knows.
#[derive(Debug, Deserialize)]
pub(crate) struct User {
    /// The name.
    pub user: UserName,
    /// Whether autologin profiles are allowed.
    pub autologin: bool,
    /// Whether there is a profile to give.
    pub profile: bool,
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

/// What a click on a link would do.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Forecast {
    /// `deliver` or `refuse`.
    pub would: Would,
    /// Why it would be refused.
    pub reason: Option<String>,
    /// How many uses are left; `None` for any number, or where nothing is known.
    pub uses_left: Option<u32>,
}

/// The two things a click can do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Would {
    /// Give the profile.
    Deliver,
    /// Give a reason.
    Refuse,
}

/// Why the node gave no answer that helps.
#[derive(Debug, Error)]
pub(crate) enum AdminError {
    /// Nobody answers at the address.
    #[error("cannot reach the admin API at http://{address}")]
    Unreachable {
        /// The address.
        address: SocketAddr,
        /// What happened.
        source: ureq::Error,
    },
    /// The connection broke before the answer was there.
    #[error("the admin API at http://{address} did not answer")]
    Silent {
        /// The address.
        address: SocketAddr,
        /// What happened.
        source: ureq::Error,
    },
    /// What came is no answer of the admin API.
    #[error("what answers at http://{address} is no admin API (status {status})")]
    Stranger {
        /// The address.
        address: SocketAddr,
        /// The HTTP status.
        status: u16,
    },
    /// The node says no.
    #[error("{message}")]
    Refused {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// No admin token can be minted.
    #[error(transparent)]
    Mint(#[from] MintError),
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        let hint = match &error {
            AdminError::Unreachable { .. } => {
                "is `jeton serve` running on this machine, and does [admin] in its config say \
                 `listen` with this address?"
            }
            AdminError::Silent { .. } => {
                "it is not known whether the node did it; asking again does no harm, and its log \
                 may tell more"
            }
            AdminError::Stranger { .. } => {
                "does another program use the address of [admin] `listen`?"
            }
            AdminError::Refused { hint, .. } => hint,
            AdminError::Mint(_) => {
                "nothing was asked; set this machine's clock, or try again once it has started up"
            }
        };
        Self::new(&error, hint)
    }
}

/// The admin API's way to say no.
#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    message: String,
    #[serde(default)]
    hint: String,
}

impl AdminClient {
    /// Takes the address and the admin key that the config names.
    pub(crate) fn open(config: &Config, passphrase: &PassphraseArgs) -> Result<Self, Failure> {
        let listen = config.admin.listen.ok_or_else(|| {
            Failure::say(
                "the config names no address of an admin API",
                "set `listen` under [admin], for instance \"127.0.0.1:8444\", and restart `jeton \
                 serve`",
            )
        })?;
        let folder = configured::signing_folder(&config.keys)?;
        let key = signing_key::load(folder, KeyPurpose::Admin, None, &passphrase.read()?)?;
        Ok(Self::new(listen, key))
    }

    /// Talks to the node that listens at `listen`, with `key`.
    pub(crate) fn new(listen: SocketAddr, key: SigningKey) -> Self {
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
        Self { agent, address: reachable(listen), key }
    }

    /// Returns the id of the key that it signs with.
    pub(crate) const fn key_id(&self) -> KeyId {
        self.key.verifying_key().id()
    }

    /// Asks for nothing, to learn whether the node answers this key.
    pub(crate) fn knock(&self) -> Result<(), AdminError> {
        let IgnoredAny = self.get("session")?;
        Ok(())
    }

    /// Asks for all tokens that `query` means, page by page.
    pub(crate) fn tokens(&self, query: &TokenQuery) -> Result<Vec<KnownToken>, AdminError> {
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
                path += &format!("&after={}", escaped(after));
            }
            let page: Page = self.get(&path)?;
            tokens.extend(page.tokens);
            if page.next.is_none() {
                break;
            }
            // A place that does not move would be asked for again for ever.
            if page.next == after {
                return Err(AdminError::Stranger { address: self.address, status: 200 });
            }
            after = page.next;
        }
        for token in &mut tokens {
            token.note = token.note.take().map(|note| plain(&note)).filter(|note| !note.is_empty());
        }
        Ok(tokens)
    }

    /// Tells the node of a token that was minted here, so that it is listed before
    /// its first use.
    pub(crate) fn record(&self, token: &Token, note: Option<&str>) -> Result<(), AdminError> {
        let request = self.agent.post(self.url("records"));
        let mut body = json!({ "token": token.as_str() });
        if let (Some(note), Value::Object(fields)) = (note, &mut body) {
            fields.insert("note".to_owned(), note.into());
        }
        let IgnoredAny = self.send(request, &body)?;
        Ok(())
    }

    /// Has tokens refused; for a user, returns the last second whose tokens are.
    pub(crate) fn revoke(&self, target: &Target) -> Result<Option<UnixSeconds>, AdminError> {
        #[derive(Deserialize)]
        struct Answer {
            issued_until: Option<Moment>,
        }
        #[derive(Deserialize)]
        struct Moment(#[serde(deserialize_with = "moment::from_rfc3339")] UnixSeconds);
        let request = self.agent.post(self.url("revocations"));
        let answer: Answer = self.send(request, &target.body())?;
        Ok(answer.issued_until.map(|until| until.0))
    }

    /// Asks for all users.
    pub(crate) fn users(&self) -> Result<Vec<User>, AdminError> {
        #[derive(Deserialize)]
        struct Answer {
            users: Vec<User>,
        }
        let answer: Answer = self.get("users")?;
        Ok(answer.users)
    }

    /// Allows or denies `user` autologin profiles.
    pub(crate) fn permit(&self, user: &UserName, allowed: bool) -> Result<(), AdminError> {
        let request =
            self.agent.put(self.url(&format!("users/{}/autologin", escaped(user.as_str()))));
        let IgnoredAny = self.send(request, &json!({ "allowed": allowed }))?;
        Ok(())
    }

    /// Asks what a click would do with `token`, spending nothing.
    pub(crate) fn inspect(&self, token: &str) -> Result<Forecast, AdminError> {
        let request = self.agent.post(self.url("inspect"));
        let forecast: Forecast = self.send(request, &json!({ "token": token }))?;
        Ok(Forecast { reason: forecast.reason.map(|reason| plain(&reason)), ..forecast })
    }

    /// Tells the node something at `path` and returns what it answers.
    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<T, AdminError> {
        self.send(self.agent.post(self.url(path)), body)
    }

    /// Asks the node for what stands at `path`.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, AdminError> {
        let request = self.agent.get(self.url(path));
        self.answer(request.header("Authorization", &*self.bearer()?).call())
    }

    fn send<T: DeserializeOwned>(
        &self,
        request: RequestBuilder<WithBody>,
        body: &Value,
    ) -> Result<T, AdminError> {
        self.answer(request.header("Authorization", &*self.bearer()?).send_json(body))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/api/v1/{path}", self.address)
    }

    /// Mints the token of one request.
    fn bearer(&self) -> Result<Zeroizing<String>, AdminError> {
        #[expect(clippy::expect_used, reason = "the constant is a name")]
        let user = UserName::new(TOKEN_USER).expect("a good name");
        let lifetime = Lifetime::from_seconds(TOKEN_LIFETIME).map_err(MintError::from)?;
        let token = admin_token::mint(&self.key, Role::Admin, user, lifetime, SystemClock.now())?;
        Ok(Zeroizing::new(format!("Bearer {}", token.as_str())))
    }

    /// Reads an answer, or why there is none.
    fn answer<T: DeserializeOwned>(
        &self,
        response: Result<Response<Body>, ureq::Error>,
    ) -> Result<T, AdminError> {
        let address = self.address;
        let mut response = response.map_err(|source| {
            if is_unreachable(&source) {
                AdminError::Unreachable { address, source }
            } else {
                AdminError::Silent { address, source }
            }
        })?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(ANSWER_LEN_MAX).read_to_vec();
        let body = body.map_err(|source| AdminError::Silent { address, source })?;
        let stranger = |_| AdminError::Stranger { address, status: status.as_u16() };
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(stranger);
        }
        let ErrorBody { error } = serde_json::from_slice(&body).map_err(stranger)?;
        Err(AdminError::Refused { message: plain(&error.message), hint: plain(&error.hint) })
    }
}

/// Tells whether nothing can have reached the node.
fn is_unreachable(error: &ureq::Error) -> bool {
    if let ureq::Error::Io(error) = error {
        return matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::AddrNotAvailable
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
        );
    }
    matches!(
        error,
        ureq::Error::ConnectionFailed
            | ureq::Error::HostNotFound
            | ureq::Error::Timeout(ureq::Timeout::Connect)
    )
}

/// Escapes a text for one segment of a path, or one value of a query (RFC 3986,
/// section 2.3).
pub(super) fn escaped(plain: &str) -> String {
    let mut text = String::new();
    for byte in plain.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            // Writing to a string cannot fail.
            _ => _ = write!(text, "%{byte:02X}"),
        }
    }
    text
}

/// Takes out what could steer a terminal.
fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::super::fake_node::FakeNode;
    use super::*;
    use crate::token::{Purpose, UntrustedToken};

    fn client(node: &FakeNode) -> AdminClient {
        AdminClient::new(node.address(), SigningKey::from_seed(&[9; 32]))
    }

    fn said<T: std::fmt::Debug>(answer: Result<T, AdminError>) -> String {
        Failure::from(answer.unwrap_err()).to_string()
    }

    #[test]
    fn each_request_carries_its_own_admin_token() {
        let node = FakeNode::answering([
            (200, r#"{"tokens":[],"next":null,"total":0}"#),
            (200, r#"{"users":[]}"#),
        ]);
        let client = client(&node);
        assert!(client.tokens(&TokenQuery::default()).unwrap().is_empty());
        assert!(client.users().unwrap().is_empty());
        let requests = node.requests();
        let tokens: Vec<_> = requests.iter().map(|request| request.bearer()).collect();
        assert_ne!(tokens[0], tokens[1]);
        for token in tokens {
            let claims = UntrustedToken::parse(token).unwrap().untrusted_claims().unwrap();
            assert_eq!(claims.purpose, Purpose::Admin(Role::Admin));
            assert_eq!((claims.user.as_str(), claims.lifetime.seconds()), ("cli", 60));
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
        let query = TokenQuery { user: Some(UserName::new("a b").unwrap()), ..Default::default() };
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
        assert!(said(client(&node).tokens(&TokenQuery::default())).contains("is no admin API"));
        assert_eq!(node.requests().len(), 2);
    }

    #[test]
    fn a_minted_token_is_recorded_with_its_note() {
        let node = FakeNode::answering([(200, r#"{"id":"x"}"#), (200, r#"{"id":"x"}"#)]);
        let client = client(&node);
        let order = [crate::mint::tests::order("alice")];
        let minted = crate::mint::tests::minter()
            .mint(&order, UnixSeconds::new(1_000), crate::mint::tests::counting())
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
        let said = said(client(&node).tokens(&TokenQuery::default()));
        assert_eq!(said, "error: no [31mway\nhint: ask");
    }

    #[test]
    fn a_stranger_is_not_believed() {
        for answer in [(200, "<html>"), (404, "not found"), (302, ""), (200, "{}")] {
            let node = FakeNode::answering([answer]);
            let said = said(client(&node).tokens(&TokenQuery::default()));
            assert!(said.contains("is no admin API"), "{said}");
        }
    }

    #[test]
    fn a_refused_connection_names_the_address() {
        let address = FakeNode::nobody();
        let client = AdminClient::new(address, SigningKey::from_seed(&[9; 32]));
        let said = said(client.tokens(&TokenQuery::default()));
        assert!(
            said.contains(&format!("cannot reach the admin API at http://{address}")),
            "{said}"
        );
        assert!(said.contains("hint: is `jeton serve` running"), "{said}");
    }
}
