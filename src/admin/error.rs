//! How a request at the operators' door fails, and how that is said.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use super::NoInvitation;
use crate::ledger::{ClusterError, LedgerError};
use crate::mint::MintError;
use crate::profile::ProfileError;
use crate::redeem::Refusal;
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
    #[error("the body is too large")]
    TooLarge,
    #[error("the content type is not application/json")]
    ContentType,
    #[error("there is nothing here")]
    NotFound,
    #[error("this method does nothing here")]
    Method,
    #[error("this node does not mint")]
    NoSigningKey,
    #[error("this node does not trust the key it signs with")]
    UntrustedSigningKey,
    #[error("need autologin")]
    NeedAutologin,
    #[error("there is no profile to deliver: {0}")]
    NoProfile(ProfileError),
    #[error("no key that this node trusts signed that as a profile token")]
    NotAProfileToken,
    #[error("such a token would give no profile: {0}")]
    Dead(Refusal),
    #[error("nothing was minted: {0}")]
    Mint(#[from] MintError),
    #[error("this node does not listen for other nodes")]
    NoClusterDoor,
    #[error(transparent)]
    Invite(#[from] NoInvitation),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Profiles(#[from] ProfileError),
}

impl AdminError {
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
                (StatusCode::BAD_REQUEST, "request", "/openapi.json tells what belongs here")
            }
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too_large", "send no more than 16 KiB")
            }
            Self::ContentType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content_type",
                "send the header `Content-Type: application/json`",
            ),
            Self::NotFound => {
                (StatusCode::NOT_FOUND, "not_found", "/openapi.json tells what there is")
            }
            Self::Method => {
                (StatusCode::METHOD_NOT_ALLOWED, "method", "the header `Allow` tells which do")
            }
            Self::NoSigningKey => (
                StatusCode::CONFLICT,
                "no_signing_key",
                "mint with `jeton mint` where the key is, or give this node one: \
                 `admin.signing_key`",
            ),
            Self::UntrustedSigningKey => (
                StatusCode::CONFLICT,
                "untrusted_signing_key",
                "its public half belongs into the folder profile of `keys.trusted`",
            ),
            Self::NeedAutologin => {
                (StatusCode::FORBIDDEN, "need_autologin", "an admin may allow autologin first")
            }
            Self::NoProfile(_) => {
                (StatusCode::NOT_FOUND, "no_profile", "GET /api/v1/users tells who has one")
            }
            Self::NotAProfileToken => {
                (StatusCode::NOT_FOUND, "no_profile_token", "is it whole, and its key trusted?")
            }
            Self::Dead(_) => (StatusCode::CONFLICT, "dead", "mint a new one, later if need be"),
            Self::Mint(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "mint",
                "look at the clock and the log of the node",
            ),
            Self::NoClusterDoor => (
                StatusCode::CONFLICT,
                "no_cluster_door",
                "set `listen` and `address` under [cluster] in its jeton.toml, and restart it",
            ),
            Self::Invite(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "no_invitation",
                "use the invitations that are open, or wait a quarter of an hour",
            ),
            Self::Cluster(error) => cluster_answer(error),
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

/// How a change of the members fails.
fn cluster_answer(error: &ClusterError) -> (StatusCode, &'static str, &'static str) {
    let status = match error {
        ClusterError::Unavailable(_) | ClusterError::OutcomeUnknown(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ClusterError::InProgress
        | ClusterError::Not(..)
        | ClusterError::WasMember(_)
        | ClusterError::IsMember(_)
        | ClusterError::EvenVoters(_)
        | ClusterError::NoAddress
        | ClusterError::Behind(..)
        | ClusterError::WrongClock(_)
        | ClusterError::Silent(_) => StatusCode::CONFLICT,
    };
    let (code, hint) = match error {
        ClusterError::Unavailable(_) => {
            ("cluster_unavailable", "try again once a majority of the voters runs")
        }
        ClusterError::OutcomeUnknown(_) => {
            ("outcome_unknown", "look with `jeton cluster status` whether it was carried out")
        }
        ClusterError::InProgress => ("in_progress", "try again once that is done"),
        ClusterError::Not(..) => ("not_member", "`jeton cluster status` tells who is what"),
        ClusterError::WasMember(_) => {
            ("was_member", "invite it again, and let it join with a new directory")
        }
        ClusterError::IsMember(_) => ("is_member", "`jeton cluster status` tells where it is"),
        ClusterError::EvenVoters(_) => (
            "even_voters",
            "promote or demote two nodes at a time, or `jeton cluster replace` a voter",
        ),
        ClusterError::NoAddress => (
            "no_address",
            "set `listen` and `address` under [cluster] on the leader, and restart it",
        ),
        ClusterError::Behind(..) => ("behind", "wait until its lag is small, then try again"),
        ClusterError::WrongClock(_) => ("wrong_clock", "set its clock (NTP), then try again"),
        ClusterError::Silent(_) => ("silent", "is it started, and its address right?"),
    };
    (status, code, hint)
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
        let mut response = HttpResponse::build(status);
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        response.json(Failure { error: Reason { code, message: self.to_string(), hint } })
    }
}

/// Why a request was not carried out.
#[derive(Serialize, ToSchema)]
pub(super) struct Failure {
    error: Reason,
}

/// What is wrong, and what helps.
#[derive(Serialize, ToSchema)]
struct Reason {
    /// One word for programs; it stays the same.
    #[schema(example = "role")]
    code: &'static str,
    /// What is wrong, for people.
    message: String,
    /// What to do about it, for people.
    hint: &'static str,
}
