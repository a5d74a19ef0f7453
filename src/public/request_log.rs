//! One log line for each request: its route, status and duration.
//!
//! Path, query and headers are not logged, because they may contain a token. Health checks are not
//! logged either.

use std::time::Instant;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, web};

use super::door::PublicDoor;
use super::{health, request_id, response};
use crate::ledger::RequestId;

/// Gives the request an id, handles it, and writes its line.
pub(super) async fn log<B: MessageBody>(
    door: web::Data<PublicDoor>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let begun = Instant::now();
    let id = match door.request_ids.next() {
        Ok(id) => id,
        Err(error) => {
            tracing::error!(target: "jeton::request", %error, "no randomness for a request id");
            let refused = response::unavailable(request.request());
            return Ok(request.into_response(refused).map_into_right_body());
        }
    };
    request.extensions_mut().insert(id);
    let response = next.call(request).await?;
    write_line(&response, id, begun);
    Ok(response.map_into_left_body())
}

fn write_line<B>(response: &ServiceResponse<B>, id: RequestId, begun: Instant) {
    let route = response.request().match_pattern().filter(|pattern| !pattern.is_empty());
    let route = route.as_deref().unwrap_or("none");
    if health::PATHS.contains(&route) {
        return;
    }
    let status = response.status();
    // The level of a tracing event must be a constant.
    macro_rules! event {
        ($level:ident) => {
            tracing::event!(
                target: "jeton::request",
                tracing::Level::$level,
                route,
                method = name_of(response.request().method()),
                status = status.as_u16(),
                micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
                request_id = request_id::to_hex(id),
            )
        };
    }
    // Any client can cause refusals, some without a rate limit, so they must not fill the disk. The
    // redemption log has those that matter.
    if status.is_client_error() { event!(DEBUG) } else { event!(INFO) }
}

/// Returns the name of a standard method, or `OTHER`: clients can invent names.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "OTHER",
    }
}
