//! One line for each request: which route, how it ended, how long it took.
//!
//! The path, the query and the headers are not in it, because a token lies in
//! them. Health checks are not logged.

use std::time::Instant;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest, web};

use super::door::PublicDoor;
use super::{answer, health};
use crate::ledger::RequestId;

/// Names the request, lets it pass, and writes its line.
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
            let answer = answer::out_of_order(request.request());
            return Ok(request.into_response(answer).map_into_right_body());
        }
    };
    request.extensions_mut().insert(id);
    let response = next.call(request).await?;
    write_line(&response, id, begun);
    Ok(response.map_into_left_body())
}

/// Returns the id that [`log`] gave to `request`.
pub(super) fn id_of(request: &HttpRequest) -> Option<RequestId> {
    request.extensions().get().copied()
}

/// Writes a request id as the logs show it, 32 hex digits.
pub(super) fn shown(id: RequestId) -> String {
    format!("{:032x}", u128::from_be_bytes(id.0))
}

fn write_line<B>(response: &ServiceResponse<B>, id: RequestId, begun: Instant) {
    let route = response.request().match_pattern().filter(|pattern| !pattern.is_empty());
    let route = route.as_deref().unwrap_or("none");
    if health::PATHS.contains(&route) {
        return;
    }
    let status = response.status();
    // The level of an event is fixed where it is written.
    macro_rules! event {
        ($level:ident) => {
            tracing::event!(
                target: "jeton::request",
                tracing::Level::$level,
                route,
                method = known(response.request().method()),
                status = status.as_u16(),
                micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
                request_id = shown(id),
            )
        };
    }
    // Anybody can cause refusals, and no rate limit stands before some of them:
    // they must not fill a disk. What matters of them is in the redemption log.
    if status.is_client_error() { event!(DEBUG) } else { event!(INFO) }
}

/// Names a method, but none that a client made up.
fn known(method: &Method) -> &'static str {
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
