//! `/tokens`: the links that the ledger knows, those that expire first coming
//! first.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::frame::Frame;
use super::link::link;
use super::{PageError, answer, given, query};
use crate::admin::AdminDoor;
use crate::humanize::{KindWords, Moment, counted};
use crate::ledger::{ListedToken, StateFilter, TokenQuery, TokenState};
use crate::token::{ProfileKind, UnixSeconds, UserName};

/// Where this page is.
const PAGE: &str = "/tokens";

/// What is wanted; an empty value is as good as none, because forms send it.
#[derive(Deserialize)]
pub(super) struct Wish {
    #[serde(default)]
    user: String,
    #[serde(default)]
    profile_type: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    batch: String,
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "admin/tokens.html")]
struct TokensPage<'a> {
    frame: Frame,
    wish: &'a Wish,
    /// The user whose links are shown, if it is just one.
    user: Option<UserName>,
    rows: Vec<Row>,
    /// How many links match.
    total: String,
    is_filtered: bool,
    /// Where the same links are shown whatever became of them, if that is more.
    every_state: Option<String>,
    /// Whose links can all be revoked: that of one user who is known here.
    revocable: Option<UserName>,
    first: String,
    next: Option<String>,
    kinds: [(ProfileKind, KindWords); 3],
}

struct Row {
    id: String,
    key_id: String,
    batch: String,
    user: UserName,
    of_user: String,
    kind: KindWords,
    state: &'static str,
    state_word: &'static str,
    /// Nothing can be done with it any more.
    is_over: bool,
    /// How often it may be used, and how often it still can; `None` for any
    /// number.
    uses: Option<(u32, u32)>,
    expires: Moment,
    issued: Moment,
    note: String,
}

pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<HttpResponse, PageError> {
    let frame = Frame::enter(&request, &door, "Tokens")?;
    let wish: Wish = query(&request)?;
    let wanted = wish.understand()?;
    let now = frame.now;
    let list = door.ledger.tokens(&wanted, now);
    let every = TokenQuery { state: StateFilter::All, after: None, ..wanted.clone() };
    let has_more = list.total == 0 && door.ledger.tokens(&every, now).total > 0;
    // A user without links in the list may have some that were minted offline.
    let is_known = |user: &UserName| {
        list.total > 0
            || has_more
            || door.ledger.autologin_users().contains(user)
            || door.redeemer.users().is_ok_and(|users| users.contains(user))
    };
    let page = TokensPage {
        first: wish.link(""),
        next: list.next.map(|next| wish.link(&next.to_string())),
        is_filtered: TokenQuery { after: None, ..wanted.clone() } != TokenQuery::default(),
        every_state: has_more.then(|| wish.in_every_state()),
        revocable: wanted.user.clone().filter(|user| frame.operates() && is_known(user)),
        frame,
        user: wanted.user,
        wish: &wish,
        rows: list.tokens.iter().map(|token| Row::of(token, now)).collect(),
        total: counted(list.total, "link"),
        kinds: ProfileKind::ALL.map(|kind| (kind, KindWords::of(kind))),
    };
    answer(StatusCode::OK, &page)
}

impl Wish {
    fn understand(&self) -> Result<TokenQuery, PageError> {
        Ok(TokenQuery {
            user: given(&self.user, "user", PAGE)?,
            kind: given(&self.profile_type, "profile kind", PAGE)?,
            state: given(&self.state, "state", PAGE)?.unwrap_or_default(),
            batch: given(&self.batch, "batch", PAGE)?,
            after: given(&self.after, "place to go on from", PAGE)?,
            limit: TokenQuery::LIMIT,
        })
    }

    fn link(&self, after: &str) -> String {
        self.link_to(&self.state, after)
    }

    fn in_every_state(&self) -> String {
        self.link_to("all", "")
    }

    fn link_to(&self, state: &str, after: &str) -> String {
        let Self { user, profile_type, state: _, batch, after: _ } = self;
        let query = [
            ("user", user.trim()),
            ("profile_type", profile_type),
            ("state", state),
            ("batch", batch),
            ("after", after),
        ];
        link("/tokens", &query)
    }

    fn states(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let wanted = if self.state.is_empty() { "live" } else { &self.state };
        StateFilter::ALL.into_iter().map(move |filter| {
            let name = match filter {
                StateFilter::Live => "Live",
                StateFilter::Only(state) => word(state),
                StateFilter::All => "All",
            };
            (filter.as_str(), name, filter.as_str() == wanted)
        })
    }
}

impl Row {
    fn of(listed: &ListedToken, now: UnixSeconds) -> Self {
        let record = &listed.token.record;
        let left = listed.token.uses_left();
        Self {
            id: record.token.nonce.to_string(),
            key_id: record.token.key_id.to_string(),
            batch: record.token.nonce.batch().to_string(),
            user: record.user.clone(),
            of_user: link("/tokens", &[("user", record.user.as_str())]),
            kind: KindWords::of(record.kind),
            state: listed.state.as_str(),
            state_word: word(listed.state),
            is_over: matches!(listed.state, TokenState::Revoked | TokenState::UsedUp),
            uses: record.uses.count().zip(left),
            expires: Moment::end(record.expires_at, now),
            issued: Moment::end(record.issued_at, now),
            note: listed.token.note.as_str().to_owned(),
        }
    }
}

const fn word(state: TokenState) -> &'static str {
    match state {
        TokenState::Unused => "Unused",
        TokenState::InUse => "In use",
        TokenState::UsedUp => "Used up",
        TokenState::Revoked => "Revoked",
    }
}
