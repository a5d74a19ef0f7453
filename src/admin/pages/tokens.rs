//! `/tokens`: the links in the ledger, ordered by expiry.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::error::PageError;
use super::frame::Frame;
use super::link::{TOKENS, link};
use super::query::{parse_optional, parse_query};
use super::response::html;
use crate::admin::AdminDoor;
use crate::humanize::{KindWords, Moment, counted};
use crate::ledger::{ListedToken, StateFilter, TokenQuery, TokenState};
use crate::token::{ProfileKind, UnixSeconds, UserName};

/// The query. Forms send empty values, which mean the default.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TokensPageQuery {
    user: String,
    profile_type: String,
    state: String,
    batch: String,
    after: String,
}

#[derive(Template)]
#[template(path = "admin/tokens.html")]
struct TokensPage<'a> {
    frame: Frame,
    query: &'a TokensPageQuery,
    /// Set if only the links of one user are shown.
    user: Option<UserName>,
    rows: Vec<TokenRow>,
    /// The number of links that match, with the unit.
    total: String,
    is_filtered: bool,
    /// The address of the list with all states, if only that has matches.
    every_state: Option<String>,
    /// The user whose links can be revoked all at once. The node must know the user.
    revocable: Option<UserName>,
    first: String,
    next: Option<String>,
    kinds: [(ProfileKind, KindWords); 3],
}

struct TokenRow {
    id: String,
    key_id: String,
    batch: String,
    user: UserName,
    /// The address of the user's tokens.
    user_tokens: String,
    kind: KindWords,
    state: &'static str,
    state_name: &'static str,
    /// Whether it is revoked or used up.
    is_over: bool,
    /// The uses granted and the uses left; `None` if unlimited.
    uses: Option<(u32, u32)>,
    expires: Moment,
    issued: Moment,
    note: String,
}

pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<HttpResponse, PageError> {
    let frame = Frame::enter(&request, &door, TOKENS)?;
    let query: TokensPageQuery = parse_query(&request)?;
    let filter = query.to_token_query()?;
    let now = frame.now;
    let list = door.ledger.tokens(&filter, now);
    let every = TokenQuery { state: StateFilter::All, after: None, ..filter.clone() };
    let has_more = list.total == 0 && door.ledger.tokens(&every, now).total > 0;
    // A user without links in the ledger may have links that were minted offline.
    let is_known = |user: &UserName| {
        list.total > 0
            || has_more
            || door.ledger.autologin_users().contains(user)
            || door.redeemer.users().is_ok_and(|users| users.contains(user))
    };
    let page = TokensPage {
        first: query.link(&query.state, ""),
        next: list.next.map(|next| query.link(&query.state, &next.to_string())),
        is_filtered: TokenQuery { after: None, ..filter.clone() } != TokenQuery::default(),
        every_state: has_more.then(|| query.link("all", "")),
        revocable: filter.user.clone().filter(|user| frame.is_operator() && is_known(user)),
        frame,
        user: filter.user,
        query: &query,
        rows: list.tokens.iter().map(|token| TokenRow::of(token, now)).collect(),
        total: counted(list.total, "link"),
        kinds: ProfileKind::ALL.map(|kind| (kind, KindWords::of(kind))),
    };
    Ok(html(StatusCode::OK, &page)?)
}

impl TokensPageQuery {
    fn to_token_query(&self) -> Result<TokenQuery, PageError> {
        Ok(TokenQuery {
            user: parse_optional(&self.user, "user", TOKENS)?,
            kind: parse_optional(&self.profile_type, "profile kind", TOKENS)?,
            state: parse_optional(&self.state, "state", TOKENS)?.unwrap_or_default(),
            batch: parse_optional(&self.batch, "batch", TOKENS)?,
            after: parse_optional(&self.after, "list position", TOKENS)?,
            limit: TokenQuery::LIMIT,
        })
    }

    fn link(&self, state: &str, after: &str) -> String {
        let Self { user, profile_type, state: _, batch, after: _ } = self;
        let query = [
            ("user", user.trim()),
            ("profile_type", profile_type),
            ("state", state),
            ("batch", batch),
            ("after", after),
        ];
        link(TOKENS.path, &query)
    }

    fn states(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let selected = if self.state.is_empty() { "live" } else { &self.state };
        StateFilter::ALL.into_iter().map(move |filter| {
            let name = match filter {
                StateFilter::Live => "Live",
                StateFilter::Only(state) => state_name(state),
                StateFilter::All => "All",
            };
            (filter.as_str(), name, filter.as_str() == selected)
        })
    }
}

impl TokenRow {
    fn of(listed: &ListedToken, now: UnixSeconds) -> Self {
        let record = &listed.token.record;
        let left = listed.token.uses_left();
        Self {
            id: record.token.nonce.to_string(),
            key_id: record.token.key_id.to_string(),
            batch: record.token.nonce.batch().to_string(),
            user: record.user.clone(),
            user_tokens: link(TOKENS.path, &[("user", record.user.as_str())]),
            kind: KindWords::of(record.kind),
            state: listed.state.as_str(),
            state_name: state_name(listed.state),
            is_over: matches!(listed.state, TokenState::Revoked | TokenState::UsedUp),
            uses: record.uses.count().zip(left),
            expires: Moment::end(record.expires_at, now),
            issued: Moment::end(record.issued_at, now),
            note: listed.token.note.as_str().to_owned(),
        }
    }
}

const fn state_name(state: TokenState) -> &'static str {
    match state {
        TokenState::Unused => "Unused",
        TokenState::InUse => "In use",
        TokenState::UsedUp => "Used up",
        TokenState::Revoked => "Revoked",
    }
}
