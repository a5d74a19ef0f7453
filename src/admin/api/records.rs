//! `POST /api/v1/records`: tells the ledger of a token that was minted elsewhere,
//! so that lists show it before its first use.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::fields::Fields;
use super::openapi::RecordErrors;
use super::{AdminDoor, AdminError};
use crate::admin::door::Changeable;
use crate::ledger::{Note, TokenRecord};
use crate::redeem::Refusal;
use crate::token::{
    AdminRole, Batch, Claims, IpNetwork, KeyId, Nonce, ProfileKind, Purpose, TimeError, TokenId,
    UnixSeconds, UserName,
};

/// A token that was minted elsewhere.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRecord {
    /// The token itself. It is verified, and only what it says is kept.
    token: String,
    /// What lists show beside it. A later one takes its place.
    note: Option<Note>,
}

/// What a token says, and what stands beside it.
#[derive(Serialize, ToSchema)]
pub(super) struct Record {
    #[schema(value_type = Nonce)]
    id: String,
    #[schema(value_type = KeyId)]
    key_id: String,
    #[schema(value_type = Batch)]
    batch: String,
    user: UserName,
    #[schema(value_type = ProfileKind)]
    profile_type: &'static str,
    /// How often it may be used; `null` for any number.
    #[schema(required = true)]
    uses: Option<u32>,
    /// From where it may be used; `null` for everywhere.
    #[schema(value_type = Option<IpNetwork>, required = true)]
    network: Option<String>,
    note: Note,
    #[schema(value_type = UnixSeconds)]
    issued_at: String,
    #[schema(value_type = UnixSeconds)]
    expires_at: String,
}

/// Record a token that was minted elsewhere
///
/// Role: operator.
#[utoipa::path(
    post,
    path = "/api/v1/records",
    operation_id = "record_token",
    request_body = NewRecord,
    responses((status = 200, description = "What the token says", body = Record), RecordErrors),
)]
pub(super) async fn record(
    request: HttpRequest,
    door: Data<AdminDoor>,
    body: Body,
) -> Result<Json<Record>, AdminError> {
    let operator = door.enter(&request, AdminRole::Operator)?;
    let NewRecord { token, note } = NewRecord::read(Fields::of_body(&request, &body)?)?;
    let token = door.redeemer.verify(&token).map_err(|_| AdminError::NotAProfileToken)?;
    let claims = token.claims();
    let Purpose::Profile(kind) = claims.purpose else {
        return Err(AdminError::NotAProfileToken);
    };
    if let Err(TimeError::Expired(at)) = claims.validate_time(door.now()) {
        return Err(AdminError::Dead(Refusal::Expired(at)));
    }
    if door.ledger.standing(&token)?.before_ledger {
        return Err(AdminError::Dead(Refusal::BeforeLedger));
    }
    let note = note.unwrap_or_default();
    let what = format!("recorded {kind} token {} for {}", claims.nonce, claims.user);
    let (record, beside) = (TokenRecord::of(token.id(), kind, claims), note.clone());
    let keep = |it: Changeable| async move { it.ledger.record(record, beside).await };
    door.change(operator, what, keep).await?;
    Ok(Json(Record::of(token.id(), kind, claims, note)))
}

impl NewRecord {
    fn read(mut fields: Fields) -> Result<Self, AdminError> {
        let record = Self { token: fields.required("token")?, note: fields.optional("note")? };
        fields.finish()?;
        Ok(record)
    }
}

impl Record {
    pub(super) fn of(token: TokenId, kind: ProfileKind, claims: &Claims, note: Note) -> Self {
        Self {
            id: token.nonce.to_string(),
            key_id: token.key_id.to_string(),
            batch: token.nonce.batch().to_string(),
            user: claims.user.clone(),
            profile_type: kind.as_str(),
            uses: claims.uses.count(),
            network: claims.network.map(|network| network.to_string()),
            note,
            issued_at: claims.issued_at.to_string(),
            expires_at: claims.expires_at().to_string(),
        }
    }
}
