//! The body of a request, as bytes.
//!
//! It is parsed only after the sender was admitted, so that others learn nothing from what is wrong
//! with it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};

use crate::admin::error::AdminError;
use crate::admin::request_fault::RequestFault;

/// How long a client may take to send its body. The client has not been admitted yet, so it must
/// not hold a connection for longer.
pub(in crate::admin) const BODY_TIME: Duration = Duration::from_secs(5);

/// The bytes of a body. They may hold a token, so there is no `Debug`.
pub(super) struct RequestBody(Bytes);

impl RequestBody {
    /// Returns the bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromRequest for RequestBody {
    type Error = AdminError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, AdminError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = Bytes::from_request(request, payload);
        Box::pin(async move {
            let bytes = tokio::time::timeout(BODY_TIME, bytes).await;
            let bytes = bytes.map_err(|_timed_out| RequestFault::BodyIncomplete)?;
            bytes.map(Self).map_err(|error| incomplete(&error))
        })
    }
}

fn incomplete(error: &actix_web::Error) -> AdminError {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => AdminError::TooLarge,
        _ => RequestFault::BodyIncomplete.into(),
    }
}
