//! Tokens: listed, recorded and minted.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plain::plain_note;
use super::schemas;
use crate::ledger::{Cursor, Note, TokenState};
use crate::token::{
    Batch, IpNetwork, KeyId, Lifetime, NewUserName, Nonce, ProfileKind, UnixSeconds, UseLimit,
    UserName,
};

/// One page of a list.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct TokenList {
    /// The tokens, ordered by expiry.
    pub(crate) tokens: Vec<TokenInfo>,
    /// The `after` of the next page; `null` if this is the last one.
    #[schema(required = true)]
    pub(crate) next: Option<Cursor>,
    /// The number of tokens on all pages.
    pub(crate) total: usize,
}

/// What the ledger knows of a token.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = Token)]
pub(crate) struct TokenInfo {
    pub(crate) id: Nonce,
    pub(crate) key_id: KeyId,
    pub(crate) batch: Batch,
    pub(crate) user: UserName,
    pub(crate) profile_type: ProfileKind,
    /// How many uses it has in all; `null` if they are not limited.
    #[schema(required = true)]
    pub(crate) uses: Option<u32>,
    /// How many uses are spent; always 0 if they are not limited, because they are not counted.
    pub(crate) used: u32,
    /// How many uses are left; `null` if they are not limited.
    #[schema(required = true)]
    pub(crate) uses_left: Option<u32>,
    pub(crate) state: TokenState,
    #[serde(deserialize_with = "plain_note")]
    pub(crate) note: Note,
    pub(crate) issued_at: UnixSeconds,
    pub(crate) expires_at: UnixSeconds,
}

/// A token to record, which was minted elsewhere.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRecord {
    /// The token. It is verified, and only its claims are kept.
    pub(crate) token: String,
    /// What lists show beside it. It replaces an earlier note.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<Note>,
}

/// The claims of a token, and its note.
#[derive(Serialize, ToSchema)]
#[schema(as = Record)]
pub(crate) struct RecordedToken {
    pub(crate) id: Nonce,
    pub(crate) key_id: KeyId,
    pub(crate) batch: Batch,
    pub(crate) user: UserName,
    pub(crate) profile_type: ProfileKind,
    /// How many uses it has; `null` if they are not limited.
    #[schema(required = true)]
    pub(crate) uses: Option<u32>,
    /// The network it is limited to; `null` if it may be used from anywhere.
    #[schema(required = true)]
    pub(crate) network: Option<IpNetwork>,
    pub(crate) note: Note,
    pub(crate) issued_at: UnixSeconds,
    pub(crate) expires_at: UnixSeconds,
}

/// A token to mint.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// The user whose profile it gives.
    pub(crate) user: NewUserName,
    /// The kind of profile; the default is `user-locked`.
    pub(crate) profile_type: Option<ProfileKind>,
    /// For how many seconds it is valid; the default is an hour.
    #[schema(schema_with = schemas::lifetime, required = false)]
    pub(crate) lifetime: Lifetime,
    /// How many uses it has, or `"unlimited"`; the default is one.
    #[schema(schema_with = schemas::uses, required = false)]
    pub(crate) uses: UseLimit,
    /// The network it is limited to; by default it may be used from anywhere.
    pub(crate) network: Option<IpNetwork>,
    /// What lists show beside it.
    pub(crate) note: Option<Note>,
}

/// A new token, and the links that carry it. This is the only response that has them.
#[derive(Serialize, ToSchema)]
pub(crate) struct MintedToken {
    #[serde(flatten)]
    pub(crate) recorded: RecordedToken,
    /// The token. With it, anyone can download the profile.
    pub(crate) token: String,
    /// The link that OpenVPN Connect imports.
    pub(crate) import_url: String,
    /// The link that clients and scripts fetch.
    pub(crate) download_url: String,
    /// The page for people.
    pub(crate) share_url: String,
    /// The link in the QR code.
    pub(crate) scan_url: String,
    /// The QR code, a complete SVG document.
    pub(crate) qr_svg: String,
}
