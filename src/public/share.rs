//! The share page:
//!
//! - `GET /t/T`: describes the link and how to use it; spends nothing, and has no https link to the
//!   profile that a scanner could follow
//! - `HEAD /t/T`: the headers that `GET` would return
//! - `POST /t/T`: its download button: the profile, for one use

use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{self, Data, ReqData};
use actix_web::{HttpRequest, HttpResponse};

use super::door::PublicDoor;
use super::page::{self, SharePage};
use super::refusal::Denial;
use super::{admission, attachment, response};
use crate::humanize::{KindWords, Moment};
use crate::ledger::RequestId;
use crate::qr::QrDrawing;
use crate::redeem::{Delivery, Intent};
use crate::token::url::{PublicUrl, SHARE_PATH, token_in_path};
use crate::web_security::{SEC_FETCH_SITE, is_own_site, values};

/// Matches any text after the path, so that text that is not a token is refused as such.
const TOKEN_IN_PATH: &str = "/t/{token:.*}";

/// The maximum size of the form in bytes. It has no fields, but some browsers send a few bytes.
const BODY_LEN_MAX: usize = 1024;

/// How long a client may take to send the form.
const BODY_TIME: Duration = Duration::from_secs(5);

pub(super) fn configure(config: &mut web::ServiceConfig) {
    let resource = web::resource(TOKEN_IN_PATH)
        .route(web::get().to(view))
        .route(web::head().to(view))
        .route(web::post().to(download))
        .default_service(web::to(not_allowed));
    config.service(resource);
}

async fn view(
    request: HttpRequest,
    door: Data<PublicDoor>,
    id: ReqData<RequestId>,
) -> HttpResponse {
    let token = token_in(&request);
    let delivery = admission::redeem(&request, &door, *id, Intent::Look, token).await;
    match delivery.and_then(|delivery| render(&request, &door, &delivery)) {
        Ok(page) => page,
        Err(denial) => response::refusal(&request, &door, &denial),
    }
}

async fn download(
    request: HttpRequest,
    body: web::Payload,
    door: Data<PublicDoor>,
    id: ReqData<RequestId>,
) -> HttpResponse {
    let token = match read_form(&request, body, door.public_url()).await {
        Ok(()) => token_in(&request),
        Err(denial) => Err(denial),
    };
    match admission::redeem(&request, &door, *id, Intent::Spend(*id), token).await {
        Ok(delivery) => attachment::profile(delivery),
        Err(denial) => response::refusal(&request, &door, &denial),
    }
}

async fn not_allowed(request: HttpRequest) -> HttpResponse {
    response::not_allowed(&request, "GET, HEAD, POST")
}

/// Returns the token in the path as it was sent, not as the router decoded it.
fn token_in(request: &HttpRequest) -> Result<&str, Denial> {
    token_in_path(request.uri().path(), SHARE_PATH).map_err(Denial::Link)
}

/// Returns the page of the link that `delivery` describes.
fn render(
    request: &HttpRequest,
    door: &PublicDoor,
    delivery: &Delivery,
) -> Result<HttpResponse, Denial> {
    let token = token_in(request)?;
    let import = door.public_url().import_by_path_of(token).map_err(Denial::Link)?;
    let claims = delivery.token.claims();
    Ok(page::share(&SharePage {
        site: door.public_url().host(),
        user: claims.user.as_str(),
        kind: KindWords::of(delivery.kind),
        uses_left: delivery.uses_left,
        expires: Moment::end(claims.expires_at(), door.now()),
        network: claims.network.map(|network| network.to_string()),
        import: &import,
        action: &format!("{SHARE_PATH}/{token}"),
        qr: QrDrawing::of(&import).ok(),
    }))
}

/// Checks where the form was sent from, and discards its content.
async fn read_form(
    request: &HttpRequest,
    body: web::Payload,
    own: &PublicUrl,
) -> Result<(), Denial> {
    if !is_same_site(request, own) {
        return Err(Denial::CrossSite);
    }
    let body = tokio::time::timeout(BODY_TIME, body.to_bytes_limited(BODY_LEN_MAX)).await;
    match body {
        Ok(Ok(Ok(_))) => Ok(()),
        Ok(Err(_too_large)) => Err(Denial::BodyTooLarge),
        // The connection broke, or was too slow.
        Ok(Ok(Err(_))) | Err(_) => Err(Denial::BodyIncomplete),
    }
}

/// Returns `true` if the form was sent by our own page, or by a program, which sends neither
/// header.
///
/// Our page has the policy `no-referrer`, so browsers send `Origin: null` for it. Other sites can
/// cause that as well, but `Sec-Fetch-Site` exposes them. A browser too old for that header is
/// accepted: a site that knows the link could simply open it.
fn is_same_site(request: &HttpRequest, own: &PublicUrl) -> bool {
    let all = |name| values(request.headers(), name).into_iter();
    let is_own = |origin: &str| origin == "null" || own.is_origin(origin);
    all(SEC_FETCH_SITE).all(is_own_site)
        && all(header::ORIGIN).all(|origin| origin.is_some_and(is_own))
}
