//! `POST /api/v1/records`: records a token that was minted elsewhere, so that lists show it before
//! its first use.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};

use super::body::RequestBody;
use super::error_responses::RecordErrors;
use super::fields::Fields;
use crate::admin::door::{AdminDoor, Changeable};
use crate::admin::error::AdminError;
use crate::api::tokens::{NewRecord, RecordedToken};
use crate::ledger::{Note, TokenRecord};
use crate::redeem::Refusal;
use crate::token::{AdminRole, Claims, ProfileKind, Purpose, TimeError, TokenId};

/// Record a token that was minted elsewhere
///
/// Role: operator.
#[utoipa::path(
    post,
    path = "/api/v1/records",
    operation_id = "record_token",
    request_body = NewRecord,
    responses(
        (status = 200, description = "The claims of the token", body = RecordedToken),
        RecordErrors,
    ),
)]
pub(super) async fn record(
    request: HttpRequest,
    door: Data<AdminDoor>,
    body: RequestBody,
) -> Result<Json<RecordedToken>, AdminError> {
    let operator = door.enter(&request, AdminRole::Operator)?;
    let (token, note): (String, Option<Note>) = Fields::of_body(&request, &body)?
        .read(|fields| Ok((fields.required("token")?, fields.optional("note")?)))?;
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
    let (record, kept_note) = (TokenRecord::of(token.id(), kind, claims), note.clone());
    let record = |node: Changeable| async move { node.ledger.record(record, kept_note).await };
    door.change(operator, what, record).await?;
    Ok(Json(RecordedToken::of(token.id(), kind, claims, note)))
}

impl RecordedToken {
    pub(super) fn of(token: TokenId, kind: ProfileKind, claims: &Claims, note: Note) -> Self {
        Self {
            id: token.nonce,
            key_id: token.key_id,
            batch: token.nonce.batch(),
            user: claims.user.clone(),
            profile_type: kind,
            uses: claims.uses.count(),
            network: claims.network,
            note,
            issued_at: claims.issued_at,
            expires_at: claims.expires_at(),
        }
    }
}
