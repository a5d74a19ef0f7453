//! `GET /api/v1/tokens`: the live tokens that the ledger knows.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;

use super::{AdminDoor, AdminError};
use crate::ledger::{TokenQuery, TokenUse};
use crate::token::Role;

#[derive(Serialize)]
pub(super) struct TokenList {
    tokens: Vec<Token>,
}

#[derive(Serialize)]
struct Token {
    id: String,
    key_id: String,
    batch: String,
    user: String,
    kind: &'static str,
    /// `null` for unlimited.
    uses: Option<u32>,
    used: u32,
    uses_left: Option<u32>,
    issued_at: String,
    expires_at: String,
}

pub(super) async fn list(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<Json<TokenList>, AdminError> {
    door.enter(&request, Role::Viewer)?;
    let all = TokenQuery { limit: usize::MAX, ..TokenQuery::default() };
    let tokens = door.ledger.tokens(&all, door.now()).tokens;
    let tokens = tokens.iter().map(|listed| Token::of(&listed.token)).collect();
    Ok(Json(TokenList { tokens }))
}

impl Token {
    fn of(token: &TokenUse) -> Self {
        let record = &token.record;
        Self {
            id: record.token.nonce.to_string(),
            key_id: record.token.key_id.to_string(),
            batch: record.token.nonce.batch().to_string(),
            user: record.user.to_string(),
            kind: record.kind.as_str(),
            uses: record.uses.count(),
            used: token.used,
            uses_left: token.uses_left(),
            issued_at: record.issued_at.to_string(),
            expires_at: record.expires_at.to_string(),
        }
    }
}
