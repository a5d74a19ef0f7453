//! `/users`: who there is, who may have autologin profiles, and the button for
//! a new link.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::frame::Frame;
use super::link::link;
use super::{PageError, answer, query};
use crate::admin::{AdminDoor, AdminError};
use crate::api::users::UserInfo;
use crate::humanize::{KindWords, counted};
use crate::token::{Lifetime, ProfileKind, TrustedKeys as _, UserName};

/// How many users a page has.
const ROWS: usize = 100;

#[derive(Deserialize)]
pub(super) struct Wish {
    /// A part of the name.
    #[serde(default)]
    q: String,
    /// The last user of the page before.
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "admin/users.html")]
struct UsersPage<'a> {
    frame: Frame,
    q: &'a str,
    rows: Vec<Row>,
    /// How many users match.
    matching: String,
    is_first: bool,
    first: String,
    next: Option<String>,
    minting: Minting,
    kinds: [(ProfileKind, KindWords); 3],
    hours_max: u32,
}

/// Whether links can be made here, and if not, why.
#[derive(Eq, PartialEq)]
enum Minting {
    Possible,
    /// This node was given no signing key.
    NoKey,
    /// It does not trust the public half of its signing key.
    Untrusted,
}

struct Row {
    name: UserName,
    has_profile: bool,
    autologin: bool,
    tokens: String,
}

impl UsersPage<'_> {
    fn mints(&self) -> bool {
        self.minting == Minting::Possible
    }
}

impl Minting {
    fn of(door: &AdminDoor) -> Self {
        match door.minter.load().as_ref() {
            None => Self::NoKey,
            Some(minter) if door.redeemer.keys().find(minter.key_id()).is_none() => Self::Untrusted,
            Some(_) => Self::Possible,
        }
    }
}

pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<HttpResponse, PageError> {
    let frame = Frame::enter(&request, &door, "Users")?;
    let wish: Wish = query(&request)?;
    let part = wish.q.trim().to_lowercase();
    let mut matching = door.roster().map_err(AdminError::from)?;
    matching.retain(|entry| entry.user.as_str().to_lowercase().contains(&part));
    let total = matching.len();
    let rest = matching.into_iter().filter(|entry| entry.user.as_str() > wish.after.as_str());
    let mut rest = rest.peekable();
    let rows: Vec<_> = rest.by_ref().take(ROWS).map(Row::of).collect();
    let last = rows.last().filter(|_| rest.peek().is_some());
    let page = UsersPage {
        frame,
        q: &wish.q,
        next: last.map(|last| link("/users", &[("q", &wish.q), ("after", last.name.as_str())])),
        rows,
        matching: counted(total, "user"),
        is_first: wish.after.is_empty(),
        first: link("/users", &[("q", &wish.q)]),
        minting: Minting::of(&door),
        kinds: ProfileKind::ALL.map(|kind| (kind, KindWords::of(kind))),
        hours_max: Lifetime::MAX.seconds() / 3_600,
    };
    answer(StatusCode::OK, &page)
}

impl Row {
    fn of(UserInfo { user, autologin, profile }: UserInfo) -> Self {
        let tokens = link("/tokens", &[("user", user.as_str())]);
        Self { name: user, has_profile: profile, autologin, tokens }
    }
}
