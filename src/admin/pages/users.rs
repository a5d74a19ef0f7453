//! `/users`: the users, their autologin permission, and the button for a new link.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::error::PageError;
use super::frame::Frame;
use super::link::{TOKENS, USERS, link};
use super::query::parse_query;
use super::response::html;
use crate::admin::{AdminDoor, AdminError};
use crate::api::users::UserInfo;
use crate::humanize::{KindWords, counted};
use crate::token::{Lifetime, ProfileKind, TrustedKeys as _, UserName};

/// The number of users on a page.
const ROWS: usize = 100;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct UsersPageQuery {
    /// A part of the name.
    q: String,
    /// The last user of the previous page.
    after: String,
}

#[derive(Template)]
#[template(path = "admin/users.html")]
struct UsersPage<'a> {
    frame: Frame,
    q: &'a str,
    rows: Vec<UserRow>,
    /// The number of users that match, with the unit.
    matching: String,
    is_first: bool,
    first: String,
    next: Option<String>,
    minting: Minting,
    kinds: [(ProfileKind, KindWords); 3],
    hours_max: u32,
}

/// Whether this node can mint, and if not, why.
#[derive(Eq, PartialEq)]
enum Minting {
    Possible,
    /// This node has no signing key.
    NoKey,
    /// It does not trust the public half of its signing key.
    Untrusted,
}

struct UserRow {
    name: UserName,
    has_profile: bool,
    autologin: bool,
    /// The address of the user's tokens.
    tokens: String,
}

impl UsersPage<'_> {
    fn can_mint(&self) -> bool {
        self.minting == Minting::Possible
    }
}

impl Minting {
    fn of(door: &AdminDoor) -> Self {
        match door.mints_with() {
            None => Self::NoKey,
            Some(key_id) if door.redeemer.keys().find(key_id).is_none() => Self::Untrusted,
            Some(_) => Self::Possible,
        }
    }
}

pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<HttpResponse, PageError> {
    let frame = Frame::enter(&request, &door, USERS)?;
    let query: UsersPageQuery = parse_query(&request)?;
    let part = query.q.trim().to_lowercase();
    let mut matching = door.roster().map_err(AdminError::from)?;
    matching.retain(|entry| entry.user.as_str().to_lowercase().contains(&part));
    let total = matching.len();
    let rest = matching.into_iter().filter(|entry| entry.user.as_str() > query.after.as_str());
    let mut rest = rest.peekable();
    let rows: Vec<_> = rest.by_ref().take(ROWS).map(UserRow::of).collect();
    let last = rows.last().filter(|_| rest.peek().is_some());
    let page = UsersPage {
        frame,
        q: &query.q,
        next: last.map(|last| link(USERS.path, &[("q", &query.q), ("after", last.name.as_str())])),
        rows,
        matching: counted(total, "user"),
        is_first: query.after.is_empty(),
        first: link(USERS.path, &[("q", &query.q)]),
        minting: Minting::of(&door),
        kinds: ProfileKind::ALL.map(|kind| (kind, KindWords::of(kind))),
        hours_max: Lifetime::MAX.seconds() / 3_600,
    };
    Ok(html(StatusCode::OK, &page)?)
}

impl UserRow {
    fn of(UserInfo { user, autologin, profile }: UserInfo) -> Self {
        let tokens = link(TOKENS.path, &[("user", user.as_str())]);
        Self { name: user, has_profile: profile, autologin, tokens }
    }
}
