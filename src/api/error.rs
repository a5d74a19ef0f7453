//! The body of every response that is an error.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plain::plain;

/// Why a request failed.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = Failure)]
pub(crate) struct ErrorBody {
    pub(crate) error: ErrorInfo,
}

/// What is wrong, and what to do about it.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = Reason)]
pub(crate) struct ErrorInfo {
    /// One word for programs, which does not change between versions.
    #[schema(example = "role")]
    pub(crate) code: String,
    /// What is wrong, for people.
    #[serde(deserialize_with = "plain")]
    pub(crate) message: String,
    /// What to do about it, for people.
    #[serde(deserialize_with = "plain")]
    pub(crate) hint: String,
}
