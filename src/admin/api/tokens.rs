//! `GET /api/v1/tokens`: the tokens that the ledger knows, filtered and in pages.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::fields::{Fields, ProfileType};
use super::openapi::ReadErrors;
use super::{AdminDoor, AdminError};
use crate::ledger::{Cursor, ListedToken, Note, StateFilter, TokenQuery, TokenState};
use crate::token::{AdminRole, Batch, KeyId, Nonce, ProfileKind, UnixSeconds, UserName};

/// The most tokens of one page.
const LIMIT_MAX: u32 = 1_000;

/// Which tokens are wanted.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wish {
    /// Only this user's.
    #[param(value_type = UserName, required = false)]
    user: Option<UserName>,
    /// Only those of this profile kind.
    #[param(value_type = ProfileKind, required = false)]
    profile_type: Option<ProfileKind>,
    /// Only those that stand so; `live` are `unused` and `in-use`, and what is
    /// listed if nothing is said.
    #[param(value_type = StateFilter, required = false)]
    state: StateFilter,
    /// Only those of this mint run.
    #[param(value_type = Batch, required = false)]
    batch: Option<Batch>,
    /// At most this many; 100 if nothing is said.
    #[param(value_type = u32, required = false, minimum = 1, maximum = 1000)]
    limit: u32,
    /// Only those behind this place, which is the `next` of an answer.
    #[param(value_type = Cursor, required = false)]
    after: Option<Cursor>,
}

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenList {
    /// Those that expire first come first.
    tokens: Vec<ListedTokenInfo>,
    /// The `after` of the next page; `null` if this is the last.
    #[schema(value_type = Option<Cursor>, required = true)]
    next: Option<String>,
    /// How many there are on all pages.
    total: usize,
}

/// What the ledger knows of a token.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
struct ListedTokenInfo {
    #[schema(value_type = Nonce)]
    id: String,
    #[schema(value_type = KeyId)]
    key_id: String,
    #[schema(value_type = Batch)]
    batch: String,
    user: UserName,
    #[schema(value_type = ProfileKind)]
    profile_type: &'static str,
    /// How often it may be used in all; `null` for any number.
    #[schema(required = true)]
    uses: Option<u32>,
    /// How often it was used; always 0 for any number, which is not counted.
    used: u32,
    /// How often it may still be used; `null` for any number.
    #[schema(required = true)]
    uses_left: Option<u32>,
    #[schema(value_type = TokenState)]
    state: &'static str,
    note: Note,
    #[schema(value_type = UnixSeconds)]
    issued_at: String,
    #[schema(value_type = UnixSeconds)]
    expires_at: String,
}

/// List tokens
///
/// Those that were minted on a node, recorded, or used at least once, and that
/// are not expired. Role: viewer.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    operation_id = "list_tokens",
    params(Wish),
    responses((status = 200, description = "A page of the list", body = TokenList), ReadErrors),
)]
pub(super) async fn list(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<Json<TokenList>, AdminError> {
    door.enter(&request, AdminRole::Viewer)?;
    let query = Wish::read(Fields::of_query(&request)?)?.query();
    let page = door.ledger.tokens(&query, door.now());
    Ok(Json(TokenList {
        tokens: page.tokens.into_iter().map(ListedTokenInfo::of).collect(),
        next: page.next.map(|next| next.to_string()),
        total: page.total,
    }))
}

impl Wish {
    fn read(mut fields: Fields) -> Result<Self, AdminError> {
        let wish = Self {
            user: fields.optional("user")?,
            profile_type: fields.optional("profile_type")?.map(|ProfileType(kind)| kind),
            state: fields.optional("state")?.unwrap_or_default(),
            batch: fields.optional("batch")?,
            limit: fields.number("limit", 1..=LIMIT_MAX)?.unwrap_or(100),
            after: fields.optional("after")?,
        };
        fields.finish()?;
        Ok(wish)
    }

    fn query(self) -> TokenQuery {
        let Self { user, profile_type: kind, state, batch, limit, after } = self;
        let limit = usize::try_from(limit).unwrap_or(TokenQuery::LIMIT);
        TokenQuery { user, kind, state, batch, after, limit }
    }
}

impl ListedTokenInfo {
    fn of(ListedToken { token, state }: ListedToken) -> Self {
        let uses_left = token.uses_left();
        let record = token.record;
        Self {
            id: record.token.nonce.to_string(),
            key_id: record.token.key_id.to_string(),
            batch: record.token.nonce.batch().to_string(),
            user: record.user,
            profile_type: record.kind.as_str(),
            uses: record.uses.count(),
            used: token.used,
            uses_left,
            state: state.as_str(),
            note: token.note,
            issued_at: record.issued_at.to_string(),
            expires_at: record.expires_at.to_string(),
        }
    }
}
