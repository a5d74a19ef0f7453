//! How a request at the operators' door fails, and how that is said.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use super::{NoInvitation, RequestFault};
use crate::ledger::{LedgerError, MembershipError, NodeId};
use crate::mint::MintError;
use crate::profile::ProfileError;
use crate::redeem::Refusal;
use crate::token::{AdminRole, TimeError};

/// Why a request was not carried out.
#[derive(Debug, Error)]
pub(in crate::admin) enum AdminError {
    #[error("this door needs an admin token")]
    NoToken,
    #[error("the admin token is not admitted")]
    NotAdmitted,
    #[error(transparent)]
    Time(TimeError),
    #[error("the role {has} may not do this, it needs {needs}")]
    AdminRole { has: AdminRole, needs: AdminRole },
    #[error("that key signed the token this request came with")]
    OwnKey,
    #[error("the request comes from a page of another site")]
    CrossSite,
    #[error("the request is not understood: {0}")]
    Request(#[from] RequestFault),
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
    #[error("node {0} cannot take its own place")]
    OwnPlace(NodeId),
    #[error("this node does not listen for other nodes")]
    NoClusterDoor,
    #[error(transparent)]
    Invite(#[from] NoInvitation),
    #[error(transparent)]
    Cluster(#[from] MembershipError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Profiles(#[from] ProfileError),
}

/// One row of the table of failures.
struct Row {
    status: StatusCode,
    /// A word for programs.
    code: &'static str,
    /// The next step.
    hint: &'static str,
}

const fn row(status: StatusCode, code: &'static str, hint: &'static str) -> Row {
    Row { status, code, hint }
}

impl AdminError {
    /// Returns the next step.
    pub(in crate::admin) const fn hint(&self) -> &'static str {
        self.row().hint
    }

    /// Tells whether what was asked for may have been done.
    pub(in crate::admin) const fn is_outcome_unknown(&self) -> bool {
        matches!(
            self,
            Self::Ledger(LedgerError::OutcomeUnknown(_))
                | Self::Cluster(MembershipError::OutcomeUnknown(_))
        )
    }

    /// Finds the row. No arm is a `_`: a new error does not compile without one.
    const fn row(&self) -> Row {
        match self {
            Self::NoToken => row(
                StatusCode::UNAUTHORIZED,
                "no_token",
                "send the header `Authorization: Bearer TOKEN`",
            ),
            Self::NotAdmitted => row(
                StatusCode::UNAUTHORIZED,
                "not_admitted",
                "is the admin key trusted by this node, and the token not revoked?",
            ),
            Self::Time(_) => row(
                StatusCode::UNAUTHORIZED,
                "not_valid_now",
                "mint a new admin token; if that is new, compare the clocks",
            ),
            Self::AdminRole { .. } => {
                row(StatusCode::FORBIDDEN, "role", "ask for an admin token with that role")
            }
            Self::CrossSite => {
                let hint =
                    "do this on the page itself, or send an admin token instead of the cookie";
                row(StatusCode::FORBIDDEN, "cross_site", hint)
            }
            Self::OwnKey => row(
                StatusCode::CONFLICT,
                "own_key",
                "trust another admin key, and revoke this one with a token of that",
            ),
            Self::Request(_) => {
                row(StatusCode::BAD_REQUEST, "request", "/openapi.json tells what belongs here")
            }
            Self::TooLarge => {
                row(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "send no more than 16 KiB")
            }
            Self::ContentType => row(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content_type",
                "send the header `Content-Type: application/json`",
            ),
            Self::NotFound => {
                row(StatusCode::NOT_FOUND, "not_found", "/openapi.json tells what there is")
            }
            Self::Method => {
                row(StatusCode::METHOD_NOT_ALLOWED, "method", "the header `Allow` tells which do")
            }
            Self::NoSigningKey => {
                let hint = "mint with `jeton mint` where the key is, or give this node one: \
                            `admin.signing_key`";
                row(StatusCode::CONFLICT, "no_signing_key", hint)
            }
            Self::UntrustedSigningKey => row(
                StatusCode::CONFLICT,
                "untrusted_signing_key",
                "its public half belongs into the folder profile of `keys.trusted`",
            ),
            Self::NeedAutologin => {
                row(StatusCode::FORBIDDEN, "need_autologin", "an admin may allow autologin first")
            }
            Self::NoProfile(_) => {
                row(StatusCode::NOT_FOUND, "no_profile", "GET /api/v1/users tells who has one")
            }
            Self::NotAProfileToken => {
                row(StatusCode::NOT_FOUND, "no_profile_token", "is it whole, and its key trusted?")
            }
            Self::Dead(_) => row(StatusCode::CONFLICT, "dead", "mint a new one, later if need be"),
            Self::Mint(MintError::Random(_)) => {
                row(StatusCode::SERVICE_UNAVAILABLE, "no_randomness", "try again shortly")
            }
            Self::Mint(MintError::Claims(_)) => row(
                StatusCode::INTERNAL_SERVER_ERROR,
                "mint",
                "look at the clock and the log of the node",
            ),
            Self::OwnPlace(_) => {
                row(StatusCode::CONFLICT, "own_place", "name a learner that takes its place")
            }
            Self::NoClusterDoor => row(
                StatusCode::CONFLICT,
                "no_cluster_door",
                "set `listen` and `address` under [cluster] in its jeton.toml, and restart it",
            ),
            Self::Invite(_) => row(
                StatusCode::SERVICE_UNAVAILABLE,
                "no_invitation",
                "use the invitations that are open, or wait a quarter of an hour",
            ),
            Self::Cluster(error) => cluster_row(error),
            Self::Ledger(LedgerError::OutcomeUnknown(_)) => row(
                StatusCode::SERVICE_UNAVAILABLE,
                "outcome_unknown",
                "look whether it was carried out, then try again",
            ),
            Self::Ledger(LedgerError::Overloaded | LedgerError::Unavailable(_)) => row(
                StatusCode::SERVICE_UNAVAILABLE,
                "ledger_unavailable",
                "try again shortly; if it stays so, `jeton cluster status` and the log of the node \
                 tell why",
            ),
            Self::Profiles(_) => row(
                StatusCode::INTERNAL_SERVER_ERROR,
                "profiles",
                "run `jeton config check` on the node",
            ),
        }
    }
}

/// How a change of the members fails.
const fn cluster_row(error: &MembershipError) -> Row {
    let status = match error {
        MembershipError::Unavailable(_) | MembershipError::OutcomeUnknown(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        MembershipError::InProgress
        | MembershipError::NotAMember(_)
        | MembershipError::NotAVoter(_)
        | MembershipError::WasMember(_)
        | MembershipError::IsMember(_)
        | MembershipError::AddressTaken(..)
        | MembershipError::LastVoter
        | MembershipError::IsVoter(_)
        | MembershipError::EvenVoters(_)
        | MembershipError::NoAddress
        | MembershipError::Behind(..)
        | MembershipError::WrongClock(_)
        | MembershipError::Silent(_) => StatusCode::CONFLICT,
    };
    let (code, hint) = match error {
        MembershipError::Unavailable(_) => {
            ("cluster_unavailable", "try again once a majority of the voters runs")
        }
        MembershipError::OutcomeUnknown(_) => {
            ("outcome_unknown", "look with `jeton cluster status` whether it was carried out")
        }
        MembershipError::InProgress => ("in_progress", "try again once that is done"),
        MembershipError::NotAMember(_) | MembershipError::NotAVoter(_) => {
            ("not_member", "`jeton cluster status` tells who is what")
        }
        MembershipError::WasMember(_) => {
            ("was_member", "invite it again, and let it join with a new folder")
        }
        MembershipError::IsMember(_) => ("is_member", "`jeton cluster status` tells where it is"),
        MembershipError::AddressTaken(..) => (
            "address_taken",
            "say where the others reach the new node: `jeton cluster join --address HOST:PORT`",
        ),
        MembershipError::LastVoter => {
            ("last_voter", "promote two others first, or `jeton cluster replace` it by one")
        }
        MembershipError::IsVoter(_) => (
            "is_voter",
            "two voters are demoted at a time: `jeton cluster demote ID ID`; one is replaced: \
             `jeton cluster replace ID --by ID`",
        ),
        MembershipError::EvenVoters(_) => (
            "even_voters",
            "promote or demote two nodes at a time, or `jeton cluster replace` a voter",
        ),
        MembershipError::NoAddress => (
            "no_address",
            "set `listen` and `address` under [cluster] on the leader, and restart it",
        ),
        MembershipError::Behind(..) => ("behind", "wait until its lag is small, then try again"),
        MembershipError::WrongClock(_) => ("wrong_clock", "set its clock (NTP), then try again"),
        MembershipError::Silent(_) => ("silent", "is it started, and its address right?"),
    };
    row(status, code, hint)
}

impl ResponseError for AdminError {
    fn status_code(&self) -> StatusCode {
        self.row().status
    }

    fn error_response(&self) -> HttpResponse {
        let Row { status, code, hint } = self.row();
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
