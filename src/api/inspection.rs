//! What a download would do.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plain::plain;
use super::schemas;
use crate::token::{ProfileKind, UnixSeconds, UserName};

/// A download to judge.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// The token. Any text is judged.
    pub(crate) token: String,
    /// The address that the download would come from, for a token that is limited to a network. The
    /// default is the address that this request comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schemas::address, required = false)]
    pub(crate) client: Option<IpAddr>,
}

/// What the download would do.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct Prospect {
    pub(crate) would: Would,
    /// Why it would be refused; `null` if it would not.
    #[serde(default, deserialize_with = "plain")]
    #[schema(required = true)]
    pub(crate) reason: Option<String>,
    /// The user in the token; `null` if this is not a token.
    #[schema(required = true)]
    pub(crate) user: Option<UserName>,
    /// The kind of profile; `null` if this is not a profile token.
    #[schema(required = true)]
    pub(crate) profile_type: Option<ProfileKind>,
    /// How many uses are left; `null` if they are not limited, or if it would be refused.
    #[schema(required = true)]
    pub(crate) uses_left: Option<u32>,
    /// When the token expires; `null` if this is not a token.
    #[schema(required = true)]
    pub(crate) expires_at: Option<UnixSeconds>,
}

/// The outcome of a download.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Would {
    /// It would deliver the profile.
    Deliver,
    /// It would be refused.
    Refuse,
}
