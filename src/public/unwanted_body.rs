//! Rejects requests whose method has no use for a body.
//!
//! A `GET` with a body can smuggle a request: one hop takes the bytes after the head for a body,
//! the next one for a request. So nothing that follows on the connection is processed.

use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest};

use super::response;

/// Whether a connection had an unwanted body. actix closes a connection only after it has answered
/// the requests that were pipelined on it.
#[derive(Debug, Default)]
struct Ended(AtomicBool);

/// Prepares a new connection for [`reject`].
pub(super) fn prepare(data: &mut Extensions) {
    data.insert(Ended::default());
}

/// Rejects a `GET` or `HEAD` with a body, and each request after it on the same connection.
pub(super) async fn reject<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let ended = request.request().conn_data::<Ended>();
    let is_unwanted = has_unwanted_body(request.request());
    if let Some(Ended(ended)) = ended.filter(|_| is_unwanted) {
        ended.store(true, Ordering::Relaxed);
    }
    if is_unwanted || ended.is_some_and(|Ended(ended)| ended.load(Ordering::Relaxed)) {
        let rejected = response::unwanted_body(request.request());
        return Ok(request.into_response(rejected).map_into_right_body());
    }
    next.call(request).await.map(ServiceResponse::map_into_left_body)
}

/// Returns `true` for a `GET` or `HEAD` with a body.
fn has_unwanted_body(request: &HttpRequest) -> bool {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return false;
    }
    let headers = request.headers();
    let is_zero = |length: &HeaderValue| length.as_bytes().iter().all(|digit| *digit == b'0');
    headers.contains_key(header::TRANSFER_ENCODING)
        || !headers.get_all(header::CONTENT_LENGTH).all(is_zero)
}
