//! How a request at the admin door fails: its status, code, message and hint.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use thiserror::Error;

use super::NoInvitation;
use super::request_fault::RequestFault;
use crate::api::error::{ErrorBody, ErrorInfo};
use crate::ledger::{LedgerError, MembershipError, NodeId};
use crate::mint::MintError;
use crate::profile::ProfileError;
use crate::redeem::Refusal;
use crate::token::{AdminRole, TimeError, UserNameError};

/// Why a request failed.
#[derive(Debug, Error)]
pub(super) enum AdminError {
    #[error("an admin token is required")]
    NoToken,
    #[error("the admin token is not accepted")]
    NotAdmitted,
    #[error(transparent)]
    Time(TimeError),
    #[error("this needs the role {needs}; the admin token has the role {has}")]
    AdminRole { has: AdminRole, needs: AdminRole },
    #[error("this key signed the admin token of this request")]
    OwnKey,
    #[error("the request comes from a page of another site")]
    CrossSite,
    #[error("invalid request: {0}")]
    Request(#[from] RequestFault),
    #[error("the body is too large")]
    TooLarge,
    #[error("the content type is not application/json")]
    ContentType,
    #[error("there is nothing at this path")]
    NotFound,
    #[error("this path does not support the method")]
    Method,
    #[error("this node does not mint")]
    NoSigningKey,
    #[error("this node does not trust its own signing key")]
    UntrustedSigningKey,
    #[error("need autologin")]
    NeedAutologin,
    #[error("there is no profile to deliver: {0}")]
    NoProfile(ProfileError),
    #[error("this is not a profile token of a key that this node trusts")]
    NotAProfileToken,
    #[error("the token would give no profile: {0}")]
    Dead(Refusal),
    #[error("nothing was minted: {0}")]
    Mint(#[from] MintError),
    #[error(transparent)]
    UnsafeName(UserNameError),
    #[error("node {0} cannot replace itself")]
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

impl AdminError {
    /// Returns what to do about it.
    pub(super) const fn hint(&self) -> &'static str {
        self.code_and_hint().1
    }

    /// Returns `true` if the request may have been carried out.
    pub(super) const fn is_outcome_unknown(&self) -> bool {
        matches!(
            self,
            Self::Ledger(LedgerError::OutcomeUnknown(_))
                | Self::Cluster(MembershipError::OutcomeUnknown(_))
        )
    }

    /// Returns a word for programs, and what to do. No arm is a `_`: a new error does not compile
    /// without them.
    const fn code_and_hint(&self) -> (&'static str, &'static str) {
        match self {
            Self::NoToken => ("no_token", "send the header `Authorization: Bearer TOKEN`"),
            Self::NotAdmitted => (
                "not_admitted",
                "check that this node trusts the admin key and that the token is not revoked",
            ),
            Self::Time(_) => {
                ("not_valid_now", "mint a new admin token; if it is new, compare the clocks")
            }
            Self::AdminRole { .. } => ("role", "use an admin token with that role"),
            Self::CrossSite => (
                "cross_site",
                "use the page of this node, or send an admin token instead of the cookie",
            ),
            Self::OwnKey => {
                ("own_key", "trust another admin key and revoke this one with a token of that key")
            }
            Self::Request(_) => ("request", "see /openapi.json for the fields and their formats"),
            Self::TooLarge => ("too_large", "send at most 16 KiB"),
            Self::ContentType => ("content_type", "send `Content-Type: application/json`"),
            Self::NotFound => ("not_found", "see /openapi.json for the paths"),
            Self::Method => ("method", "the header `Allow` lists the supported methods"),
            Self::NoSigningKey => (
                "no_signing_key",
                "run `jeton mint` where the key is, or set `admin.signing_key` on this node",
            ),
            Self::UntrustedSigningKey => (
                "untrusted_signing_key",
                "copy its public half into the directory `profile` of `keys.trusted`",
            ),
            Self::NeedAutologin => {
                ("need_autologin", "an admin can allow autologin for this user first")
            }
            Self::NoProfile(_) => {
                ("no_profile", "GET /api/v1/users lists the users with a profile")
            }
            Self::NotAProfileToken => (
                "no_profile_token",
                "check that the token is complete and that this node trusts its key",
            ),
            Self::Dead(_) => ("dead", "mint a new token, later if necessary"),
            Self::Mint(MintError::Random(_)) => ("no_randomness", "try again in a moment"),
            Self::Mint(MintError::Claims(_)) => ("mint", "check the clock and the log of the node"),
            Self::UnsafeName(_) => ("unsafe_name", "give the user another name"),
            Self::OwnPlace(_) => ("own_place", "name a learner to replace it with"),
            Self::NoClusterDoor => (
                "no_cluster_door",
                "set `listen` and `address` under [cluster] in its jeton.toml and restart it",
            ),
            Self::Invite(_) => {
                ("no_invitation", "use an open invitation, or wait 15 minutes until it expires")
            }
            Self::Cluster(error) => membership_code_and_hint(error),
            Self::Ledger(LedgerError::OutcomeUnknown(_)) => {
                ("outcome_unknown", "check whether it was done, then try again")
            }
            Self::Ledger(LedgerError::Overloaded | LedgerError::Unavailable(_)) => (
                "ledger_unavailable",
                "try again in a moment; if it lasts, see `jeton cluster status` and the log of the \
                 node",
            ),
            Self::Profiles(_) => ("profiles", "run `jeton config check` on the node"),
        }
    }
}

const fn membership_code_and_hint(error: &MembershipError) -> (&'static str, &'static str) {
    match error {
        MembershipError::Unavailable(_) => {
            ("cluster_unavailable", "try again when a majority of the voters is running")
        }
        MembershipError::OutcomeUnknown(_) => {
            ("outcome_unknown", "check with `jeton cluster status` whether it was done")
        }
        MembershipError::InProgress => ("in_progress", "try again when that change is done"),
        MembershipError::NotAMember(_) | MembershipError::NotAVoter(_) => {
            ("not_member", "`jeton cluster status` lists the members")
        }
        MembershipError::WasMember(_) => {
            ("was_member", "invite it again and let it join with a new directory")
        }
        MembershipError::IsMember(_) => ("is_member", "`jeton cluster status` shows its address"),
        MembershipError::AddressTaken(..) => (
            "address_taken",
            "name another address for the new node: `jeton cluster join --address HOST:PORT`",
        ),
        MembershipError::LastVoter => {
            ("last_voter", "promote two other nodes first, or run `jeton cluster replace`")
        }
        MembershipError::IsVoter(_) => (
            "is_voter",
            "demote two voters at a time: `jeton cluster demote ID ID`; or replace this one: \
             `jeton cluster replace ID --by ID`",
        ),
        MembershipError::EvenVoters(_) => (
            "even_voters",
            "promote or demote two nodes at a time, or `jeton cluster replace` a voter",
        ),
        MembershipError::NoAddress => (
            "no_address",
            "set `listen` and `address` under [cluster] on the leader and restart it",
        ),
        MembershipError::Behind(..) => ("behind", "wait until its lag is small, then try again"),
        MembershipError::WrongClock(_) => ("wrong_clock", "set its clock (NTP), then try again"),
        MembershipError::Silent(_) => {
            ("silent", "check that it is running and that its address is right")
        }
    }
}

impl ResponseError for AdminError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Request(_) => StatusCode::BAD_REQUEST,
            Self::NoToken | Self::NotAdmitted | Self::Time(_) => StatusCode::UNAUTHORIZED,
            Self::AdminRole { .. } | Self::CrossSite | Self::NeedAutologin => StatusCode::FORBIDDEN,
            Self::NotFound | Self::NoProfile(_) | Self::NotAProfileToken => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Mint(MintError::Claims(_)) | Self::Profiles(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Mint(MintError::Random(_))
            | Self::Invite(_)
            | Self::Ledger(_)
            | Self::Cluster(MembershipError::Unavailable(_) | MembershipError::OutcomeUnknown(_)) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::OwnKey
            | Self::NoSigningKey
            | Self::UntrustedSigningKey
            | Self::Dead(_)
            | Self::UnsafeName(_)
            | Self::OwnPlace(_)
            | Self::NoClusterDoor
            | Self::Cluster(_) => StatusCode::CONFLICT,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let (status, (code, hint)) = (self.status_code(), self.code_and_hint());
        let mut response = HttpResponse::build(status);
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        let (code, hint) = (code.to_owned(), hint.to_owned());
        response.json(ErrorBody { error: ErrorInfo { code, message: self.to_string(), hint } })
    }
}
