//! `/users`: who there is, who may have autologin profiles, and the button for
//! a new link.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::frame::Frame;
use super::link::link;
use super::{PageError, answer, query};
use crate::admin::{AdminDoor, AdminError};
use crate::plain_words::{KindWords, grouped};
use crate::token::{Lifetime, ProfileKind, UserName};

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
    /// Whether this node was given a key to mint with.
    mints: bool,
    kinds: [(ProfileKind, KindWords); 3],
    hours_max: u32,
}

struct Row {
    name: UserName,
    has_profile: bool,
    autologin: bool,
    tokens: String,
}

pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<HttpResponse, PageError> {
    let frame = Frame::enter(&request, &door, "Users")?;
    let wish: Wish = query(&request)?;
    let with_profile: BTreeSet<_> =
        door.redeemer.users().map_err(AdminError::from)?.into_iter().collect();
    let autologin = door.ledger.autologin_users();
    let part = wish.q.trim().to_lowercase();
    let matching: Vec<_> = with_profile
        .union(&autologin)
        .filter(|user| part.is_empty() || user.as_str().to_lowercase().contains(&part))
        .collect();
    let mut rest = matching.iter().filter(|user| user.as_str() > wish.after.as_str()).peekable();
    let rows = rest.by_ref().take(ROWS).map(|&user| Row {
        name: user.clone(),
        has_profile: with_profile.contains(user),
        autologin: autologin.contains(user),
        tokens: link("/tokens", &[("user", user.as_str())]),
    });
    let rows: Vec<_> = rows.collect();
    let last = rows.last().filter(|_| rest.peek().is_some());
    let page = UsersPage {
        frame,
        q: &wish.q,
        next: last.map(|last| link("/users", &[("q", &wish.q), ("after", last.name.as_str())])),
        rows,
        matching: grouped(matching.len(), "user"),
        is_first: wish.after.is_empty(),
        first: link("/users", &[("q", &wish.q)]),
        mints: door.minter.load().is_some(),
        kinds: ProfileKind::ALL.map(|kind| (kind, KindWords::of(kind))),
        hours_max: Lifetime::MAX.seconds() / 3_600,
    };
    answer(StatusCode::OK, &page)
}
