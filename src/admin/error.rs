//! How a request at the operators' door fails, and how that is said.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use thiserror::Error;

use crate::ledger::LedgerError;
use crate::profile::ProfileError;
use crate::token::{Role, TimeError};

/// Why a request was not carried out.
#[derive(Debug, Error)]
pub(super) enum AdminError {
    #[error("this door needs an admin token")]
    NoToken,
    #[error("the admin token is not admitted")]
    NotAdmitted,
    #[error(transparent)]
    Time(TimeError),
    #[error("the role {has} may not do this, it needs {needs}")]
    Role { has: Role, needs: Role },
    #[error("that key signed the token this request came with")]
    OwnKey,
    #[error("the request comes from a page of another site")]
    CrossSite,
    #[error("the request is not understood: {0}")]
    Request(String),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Profiles(#[from] ProfileError),
}

impl AdminError {
    /// Makes the error of a body that does not parse. The body may hold a
    /// token, so it is not repeated.
    pub(super) fn body(error: &actix_web::error::JsonPayloadError) -> Self {
        use actix_web::error::JsonPayloadError as Json;
        let too_large = matches!(error, Json::OverflowKnownLength { .. } | Json::Overflow { .. });
        let what = if too_large {
            "the body is too large"
        } else if matches!(error, Json::ContentType) {
            "the content type is not application/json"
        } else {
            "the body is not the JSON that belongs here"
        };
        Self::Request(what.to_owned())
    }

    /// The status, a word for programs, and the next step.
    fn answer(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NoToken => (
                StatusCode::UNAUTHORIZED,
                "no_token",
                "send the header `Authorization: Bearer TOKEN`",
            ),
            Self::NotAdmitted => (
                StatusCode::UNAUTHORIZED,
                "not_admitted",
                "is the admin key trusted by this node, and the token not revoked?",
            ),
            Self::Time(_) => (
                StatusCode::UNAUTHORIZED,
                "not_valid_now",
                "mint a new admin token; if that is new, compare the clocks",
            ),
            Self::Role { .. } => {
                (StatusCode::FORBIDDEN, "role", "ask for an admin token with that role")
            }
            Self::CrossSite => (
                StatusCode::FORBIDDEN,
                "cross_site",
                "do this on the page itself, or send an admin token instead of the cookie",
            ),
            Self::OwnKey => (
                StatusCode::CONFLICT,
                "own_key",
                "trust another admin key, and revoke this one with a token of that",
            ),
            Self::Request(_) => {
                (StatusCode::BAD_REQUEST, "request", "see the documentation of /api/v1")
            }
            Self::Ledger(LedgerError::OutcomeUnknown(_)) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "outcome_unknown",
                "look whether it was carried out, then try again",
            ),
            Self::Ledger(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "ledger_unavailable",
                "try again shortly; if it stays so, see the log of the node",
            ),
            Self::Profiles(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "profiles",
                "run `jeton config check` on the node",
            ),
        }
    }
}

impl AdminError {
    /// Returns the next step.
    pub(super) fn hint(&self) -> &'static str {
        self.answer().2
    }
}

impl ResponseError for AdminError {
    fn status_code(&self) -> StatusCode {
        self.answer().0
    }

    fn error_response(&self) -> HttpResponse {
        let (status, code, hint) = self.answer();
        HttpResponse::build(status)
            .json(Body { error: ErrorBody { code, message: self.to_string(), hint } })
    }
}

#[derive(Serialize)]
struct Body {
    error: ErrorBody,
}

#[derive(Serialize)]
struct ErrorBody {
    code: &'static str,
    message: String,
    hint: &'static str,
}
