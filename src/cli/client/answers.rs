//! What a node answers.

use serde::{Deserialize, Serialize};

use super::text;
use crate::cli::terminal::moment;
use crate::ledger::TokenState;
use crate::token::{Batch, KeyId, Nonce, ProfileKind, UnixSeconds, UserName};

/// A token that the ledger knows.
#[derive(Debug, Deserialize)]
pub(crate) struct KnownToken {
    /// Its nonce.
    #[serde(deserialize_with = "text::value")]
    pub id: Nonce,
    /// The key that signed it.
    #[serde(deserialize_with = "text::value")]
    pub key_id: KeyId,
    /// The mint run it came from.
    #[serde(deserialize_with = "text::value")]
    pub batch: Batch,
    /// Whose profile it gives.
    pub user: UserName,
    /// What kind of profile.
    #[serde(deserialize_with = "text::value")]
    pub profile_type: ProfileKind,
    /// How often it may be used in all; `None` for any number.
    pub uses: Option<u32>,
    /// How often it was used.
    pub used: u32,
    /// How often it may still be used; `None` for any number.
    pub uses_left: Option<u32>,
    /// What became of it.
    #[serde(deserialize_with = "text::value")]
    pub state: TokenState,
    /// What was noted about it.
    pub note: Option<String>,
    /// When it was minted.
    #[serde(deserialize_with = "moment::from_rfc3339")]
    pub issued_at: UnixSeconds,
    /// The first moment at which it is no longer valid.
    #[serde(deserialize_with = "moment::from_rfc3339")]
    pub expires_at: UnixSeconds,
}

/// A user whom the node knows.
#[derive(Debug, Deserialize)]
pub(crate) struct User {
    /// The name.
    pub user: UserName,
    /// Whether autologin profiles are allowed.
    pub autologin: bool,
    /// Whether there is a profile to give.
    pub profile: bool,
}

/// What a click on a link would do.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Forecast {
    /// `deliver` or `refuse`.
    pub would: Would,
    /// Why it would be refused.
    pub reason: Option<String>,
    /// How many uses are left; `None` for any number, or where nothing is known.
    pub uses_left: Option<u32>,
}

/// The two things a click can do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Would {
    /// Give the profile.
    Deliver,
    /// Give a reason.
    Refuse,
}
