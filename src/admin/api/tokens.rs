//! `GET /api/v1/tokens`: the tokens that the ledger knows, filtered and in pages.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};

use super::error_responses::ReadErrors;
use super::fields::Fields;
use crate::admin::{AdminDoor, AdminError};
use crate::api::tokens::{TokenInfo, TokenList};
use crate::ledger::{Cursor, ListedToken, StateFilter, TokenQuery};
use crate::token::{AdminRole, Batch, ProfileKind, UserName};

/// The most tokens of one page.
const LIMIT_MAX: u32 = 1_000;

/// Which tokens to list.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct TokenListQuery {
    /// Only those of this user.
    #[param(value_type = UserName, required = false)]
    user: Option<UserName>,
    /// Only those of this profile kind.
    #[param(value_type = ProfileKind, required = false)]
    profile_type: Option<ProfileKind>,
    /// Only those in this state. The default is `live`, which is `unused` and `in-use`.
    #[param(value_type = StateFilter, required = false)]
    state: StateFilter,
    /// Only those of this mint run.
    #[param(value_type = Batch, required = false)]
    batch: Option<Batch>,
    /// At most this many; the default is 100.
    #[param(value_type = u32, required = false, minimum = 1, maximum = 1000)]
    limit: u32,
    /// Only those after this position, the `next` of another response.
    #[param(value_type = Cursor, required = false)]
    after: Option<Cursor>,
}

/// List tokens
///
/// Lists the tokens that were minted on a node, recorded, or used at least once, and that are not
/// expired. Role: viewer.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    operation_id = "list_tokens",
    params(TokenListQuery),
    responses((status = 200, description = "A page of the list", body = TokenList), ReadErrors),
)]
pub(super) async fn list(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<Json<TokenList>, AdminError> {
    door.enter(&request, AdminRole::Viewer)?;
    let query = Fields::of_query(&request)?.read(TokenListQuery::read)?.query();
    let page = door.ledger.tokens(&query, door.now());
    Ok(Json(TokenList {
        tokens: page.tokens.into_iter().map(TokenInfo::of).collect(),
        next: page.next,
        total: page.total,
    }))
}

impl TokenListQuery {
    fn read(fields: &mut Fields) -> Result<Self, AdminError> {
        let state = fields.one_of("state", &StateFilter::ALL, StateFilter::as_str)?;
        Ok(Self {
            user: fields.optional("user")?,
            profile_type: fields.one_of("profile_type", &ProfileKind::ALL, ProfileKind::as_str)?,
            state: state.unwrap_or_default(),
            batch: fields.optional("batch")?,
            limit: fields.number("limit", 1..=LIMIT_MAX)?.unwrap_or(100),
            after: fields.optional("after")?,
        })
    }

    fn query(self) -> TokenQuery {
        let Self { user, profile_type: kind, state, batch, limit, after } = self;
        let limit = usize::try_from(limit).unwrap_or(TokenQuery::LIMIT);
        TokenQuery { user, kind, state, batch, after, limit }
    }
}

impl TokenInfo {
    fn of(ListedToken { token, state }: ListedToken) -> Self {
        let uses_left = token.uses_left();
        let record = token.record;
        Self {
            id: record.token.nonce,
            key_id: record.token.key_id,
            batch: record.token.nonce.batch(),
            user: record.user,
            profile_type: record.kind,
            uses: record.uses.count(),
            used: token.used,
            uses_left,
            state,
            note: token.note,
            issued_at: record.issued_at,
            expires_at: record.expires_at,
        }
    }
}
