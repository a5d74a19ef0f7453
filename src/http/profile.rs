//! The route that gives a profile:
//!
//! - `GET /rest/GetProfileViaToken?token=T` and `.../T`: the profile, for one use
//! - `HEAD` on both: what `GET` would answer, spending nothing

use std::net::IpAddr;

use actix_web::http::Uri;
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};

use super::client_address::UnknownClient;
use super::door::PublicDoor;
use super::redemption_log::{self, Asker};
use super::refusal::Denial;
use super::{answer, attachment, request_log};
use crate::ledger::RequestId;
use crate::redeem::{Delivery, Intent};
use crate::token::url::{REST_PATH, UrlError, token_in_path, token_in_query};

/// Behind the path comes the token. Whatever else comes there is caught as
/// well, to be refused like any other text that is no token.
const TOKEN_IN_PATH: &str = "/rest/GetProfileViaToken/{token:.*}";

/// Where browsers say that they only prepare for a click.
const PURPOSES: [HeaderName; 2] =
    [HeaderName::from_static("sec-purpose"), HeaderName::from_static("purpose")];

pub(super) fn configure(config: &mut web::ServiceConfig) {
    for path in [REST_PATH, TOKEN_IN_PATH] {
        let resource = web::resource(path)
            .route(web::get().to(get))
            .route(web::head().to(head))
            .default_service(web::to(not_allowed));
        config.service(resource);
    }
}

async fn get(request: HttpRequest, door: web::Data<PublicDoor>) -> HttpResponse {
    let Some(request_id) = request_log::id_of(&request) else {
        return answer::out_of_order(&request);
    };
    match redeem(&request, &door, request_id, Intent::Spend(request_id)).await {
        Ok(delivery) => attachment::profile(delivery),
        Err(denial) => answer::refusal(&request, &denial.row()),
    }
}

async fn head(request: HttpRequest, door: web::Data<PublicDoor>) -> HttpResponse {
    let Some(request_id) = request_log::id_of(&request) else {
        return answer::out_of_order(&request);
    };
    match redeem(&request, &door, request_id, Intent::Look).await {
        Ok(delivery) => attachment::standing(&delivery),
        Err(denial) => answer::refusal(&request, &denial.row()),
    }
}

async fn not_allowed(request: HttpRequest) -> HttpResponse {
    answer::not_allowed(&request, "GET, HEAD")
}

/// Redeems the token in the request, once the door's own reasons to refuse are
/// out of the way. Each decision is written down once.
async fn redeem(
    request: &HttpRequest,
    door: &PublicDoor,
    request_id: RequestId,
    intent: Intent,
) -> Result<Delivery, Denial> {
    let client = door.client(request);
    let asker = Asker { client: client.ok(), request_id, intent };
    match admit(request, door, client, intent) {
        Ok((token, client)) => door.redeem(token, client, asker).await,
        Err(denial) => {
            redemption_log::refused(&denial, asker);
            Err(denial)
        }
    }
}

/// Returns the text that should be a token, and who brought it.
fn admit<'a>(
    request: &'a HttpRequest,
    door: &PublicDoor,
    client: Result<IpAddr, UnknownClient>,
    intent: Intent,
) -> Result<(&'a str, IpAddr), Denial> {
    if intent != Intent::Look && is_prefetch(request.headers()) {
        return Err(Denial::Prefetch);
    }
    let client = client.map_err(|UnknownClient| Denial::UnknownClient)?;
    door.admit(client).map_err(Denial::TooManyRequests)?;
    let token = token_in(request.uri()).map_err(Denial::Link)?;
    Ok((token, client))
}

/// Finds the token in the request as it was sent. The router has decoded its
/// copy of the path, so that copy is not looked at.
fn token_in(uri: &Uri) -> Result<&str, UrlError> {
    if uri.path() == REST_PATH {
        token_in_query(uri.query().unwrap_or_default())
    } else {
        token_in_path(uri.path(), REST_PATH)
    }
}

fn is_prefetch(headers: &HeaderMap) -> bool {
    PURPOSES
        .iter()
        .flat_map(|name| headers.get_all(name))
        .any(|purpose| purpose.as_bytes().to_ascii_lowercase().windows(8).any(|w| w == b"prefetch"))
}
