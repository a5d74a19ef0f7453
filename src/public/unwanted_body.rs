//! Refusing bodies where there is nothing to do with them.
//!
//! A `GET` with a body is how one request is smuggled behind another: what
//! follows its head may be a body to one hop and a request to the next. So
//! nothing that follows on its connection is looked at.

use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest};

use super::answer;

/// What is known of a connection: whether it is at its end. actix closes a
/// connection only after it has answered what was pipelined on it.
#[derive(Debug, Default)]
struct Ended(AtomicBool);

/// Prepares a new connection for [`refuse`].
pub(super) fn prepare(data: &mut Extensions) {
    data.insert(Ended::default());
}

/// Answers a `GET` or `HEAD` that brings a body, and whatever follows it on
/// the same connection; lets all others pass.
pub(super) async fn refuse<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let ended = request.request().conn_data::<Ended>();
    let is_unwanted = has_unwanted_body(request.request());
    if let Some(Ended(ended)) = ended.filter(|_| is_unwanted) {
        ended.store(true, Ordering::Relaxed);
    }
    if is_unwanted || ended.is_some_and(|Ended(ended)| ended.load(Ordering::Relaxed)) {
        let answer = answer::unwanted_body(request.request());
        return Ok(request.into_response(answer).map_into_right_body());
    }
    next.call(request).await.map(ServiceResponse::map_into_left_body)
}

/// Tells whether a request has a body although its method has no use for one.
fn has_unwanted_body(request: &HttpRequest) -> bool {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return false;
    }
    let headers = request.headers();
    let is_zero = |length: &HeaderValue| length.as_bytes().iter().all(|digit| *digit == b'0');
    headers.contains_key(header::TRANSFER_ENCODING)
        || !headers.get_all(header::CONTENT_LENGTH).all(is_zero)
}
