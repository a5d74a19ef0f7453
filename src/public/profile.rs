//! The route that gives a profile:
//!
//! - `GET /rest/GetProfileViaToken?token=T` and `.../T`: the profile, for one use
//! - `HEAD` on both: what `GET` would answer, spending nothing

use actix_web::http::Uri;
use actix_web::{HttpRequest, HttpResponse, web};

use super::door::PublicDoor;
use super::refusal::Denial;
use super::{admission, answer, attachment, request_log};
use crate::redeem::Intent;
use crate::token::url::{REST_PATH, UrlError, token_in_path, token_in_query};

/// Behind the path comes the token. Whatever else comes there is caught as
/// well, to be refused like any other text that is no token.
const TOKEN_IN_PATH: &str = "/rest/GetProfileViaToken/{token:.*}";

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
    let token = token_in(request.uri()).map_err(Denial::Link);
    match admission::redeem(&request, &door, request_id, Intent::Spend(request_id), token).await {
        Ok(delivery) => attachment::profile(delivery),
        Err(denial) => answer::refusal(&request, &door, &denial),
    }
}

async fn head(request: HttpRequest, door: web::Data<PublicDoor>) -> HttpResponse {
    let Some(request_id) = request_log::id_of(&request) else {
        return answer::out_of_order(&request);
    };
    let token = token_in(request.uri()).map_err(Denial::Link);
    match admission::redeem(&request, &door, request_id, Intent::Look, token).await {
        Ok(delivery) => attachment::standing(&delivery),
        Err(denial) => answer::refusal(&request, &door, &denial),
    }
}

async fn not_allowed(request: HttpRequest) -> HttpResponse {
    answer::not_allowed(&request, "GET, HEAD")
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
