//! The share page, which people are sent:
//!
//! - `GET /t/T`: what the link gives and how to take it; spends nothing, and
//!   holds no https link to the profile that a scanner could follow
//! - `HEAD /t/T`: what `GET` would answer
//! - `POST /t/T`: the button on it: the profile, for one use

use std::time::Duration;

use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};

use super::door::PublicDoor;
use super::page::{self, SharePage};
use super::refusal::Denial;
use super::{admission, answer, attachment, request_log};
use crate::humanize::{KindWords, Moment};
use crate::qr::QrDrawing;
use crate::redeem::{Delivery, Intent};
use crate::token::url::{PublicUrl, SHARE_PATH, token_in_path};

/// Behind the path comes the token. Whatever else comes there is caught as
/// well, to be refused like any other text that is no token.
const TOKEN_IN_PATH: &str = "/t/{token:.*}";

/// The most bytes of a form. Ours has none; some browsers send a little.
const BODY_LEN_MAX: usize = 1024;

/// How long a client may take for its form.
const BODY_TIME: Duration = Duration::from_secs(5);

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(super) fn configure(config: &mut web::ServiceConfig) {
    let resource = web::resource(TOKEN_IN_PATH)
        .route(web::get().to(look))
        .route(web::head().to(look))
        .route(web::post().to(download))
        .default_service(web::to(not_allowed));
    config.service(resource);
}

async fn look(request: HttpRequest, door: web::Data<PublicDoor>) -> HttpResponse {
    let Some(request_id) = request_log::id_of(&request) else {
        return answer::out_of_order(&request);
    };
    let token = token_in(&request);
    let delivery = admission::redeem(&request, &door, request_id, Intent::Look, token).await;
    match delivery.and_then(|delivery| show(&request, &door, &delivery)) {
        Ok(page) => page,
        Err(denial) => answer::refusal(&request, &door, &denial),
    }
}

async fn download(
    request: HttpRequest,
    body: web::Payload,
    door: web::Data<PublicDoor>,
) -> HttpResponse {
    let Some(request_id) = request_log::id_of(&request) else {
        return answer::out_of_order(&request);
    };
    let token = match form(&request, body, door.public_url()).await {
        Ok(()) => token_in(&request),
        Err(denial) => Err(denial),
    };
    let intent = Intent::Spend(request_id);
    match admission::redeem(&request, &door, request_id, intent, token).await {
        Ok(delivery) => attachment::profile(delivery),
        Err(denial) => answer::refusal(&request, &door, &denial),
    }
}

async fn not_allowed(request: HttpRequest) -> HttpResponse {
    answer::not_allowed(&request, "GET, HEAD, POST")
}

/// Finds the token in the path as it was sent, not as the router decoded it.
fn token_in(request: &HttpRequest) -> Result<&str, Denial> {
    token_in_path(request.uri().path(), SHARE_PATH).map_err(Denial::Link)
}

/// Makes the page of a link that `delivery` tells of.
fn show(
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

/// Takes the form, which says nothing: that it was sent is what counts.
async fn form(request: &HttpRequest, body: web::Payload, own: &PublicUrl) -> Result<(), Denial> {
    if !is_same_site(request, own) {
        return Err(Denial::CrossSite);
    }
    let body = tokio::time::timeout(BODY_TIME, body.to_bytes_limited(BODY_LEN_MAX)).await;
    match body {
        Ok(Ok(Ok(_))) => Ok(()),
        Ok(Err(_too_large)) => Err(Denial::BodyTooLarge),
        // It broke off, or was too slow.
        Ok(Ok(Err(_))) | Err(_) => Err(Denial::BodyIncomplete),
    }
}

/// Tells whether the button was pressed on a page of ours, or by a program,
/// which says nothing about pages.
///
/// `Origin: null` is what browsers say on our own page, because its policy is
/// to send no referrer. Pages of others can make a browser say so too, and then
/// `Sec-Fetch-Site` tells them from ours. A browser too old for that header is
/// let pass: who can name the link could as well open it.
fn is_same_site(request: &HttpRequest, own: &PublicUrl) -> bool {
    let all = |name: HeaderName, is_good: &dyn Fn(&str) -> bool| {
        request.headers().get_all(name).all(|value| value.to_str().is_ok_and(is_good))
    };
    all(SEC_FETCH_SITE, &|site| matches!(site, "same-origin" | "none"))
        && all(header::ORIGIN, &|origin| origin == "null" || own.is_origin(origin))
}
