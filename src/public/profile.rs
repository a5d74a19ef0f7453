//! The route that delivers a profile:
//!
//! - `GET /rest/GetProfileViaToken?token=T` and `.../T`: the profile, for one use
//! - `HEAD` on both: the headers that `GET` would return; spends nothing

use actix_web::http::Uri;
use actix_web::web::{self, Data, ReqData};
use actix_web::{HttpRequest, HttpResponse};

use super::door::PublicDoor;
use super::refusal::Denial;
use super::{admission, attachment, response};
use crate::ledger::RequestId;
use crate::redeem::Intent;
use crate::token::url::{REST_PATH, UrlError, token_in_path, token_in_query};

/// Matches any text after the path, so that text that is not a token is refused as such.
const TOKEN_IN_PATH: &str = "/rest/GetProfileViaToken/{token:.*}";

pub(super) fn configure(config: &mut web::ServiceConfig) {
    for path in [REST_PATH, TOKEN_IN_PATH] {
        let resource = web::resource(path)
            .route(web::get().to(get))
            .route(web::head().to(head))
            .default_service(web::to(response::only_get_and_head));
        config.service(resource);
    }
}

async fn get(request: HttpRequest, door: Data<PublicDoor>, id: ReqData<RequestId>) -> HttpResponse {
    let token = token_in(request.uri()).map_err(Denial::Link);
    match admission::redeem(&request, &door, *id, Intent::Spend(*id), token).await {
        Ok(delivery) => attachment::profile(delivery),
        Err(denial) => response::refusal(&request, &door, &denial),
    }
}

async fn head(
    request: HttpRequest,
    door: Data<PublicDoor>,
    id: ReqData<RequestId>,
) -> HttpResponse {
    let token = token_in(request.uri()).map_err(Denial::Link);
    match admission::redeem(&request, &door, *id, Intent::Look, token).await {
        Ok(delivery) => attachment::head(&delivery),
        Err(denial) => response::refusal(&request, &door, &denial),
    }
}

/// Returns the token in the request target as it was sent. The router's copy of the path is
/// percent-decoded, so it is not used.
fn token_in(uri: &Uri) -> Result<&str, UrlError> {
    if uri.path() == REST_PATH {
        token_in_query(uri.query().unwrap_or_default())
    } else {
        token_in_path(uri.path(), REST_PATH)
    }
}
