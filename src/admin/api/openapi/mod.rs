//! `GET /openapi.json`: the API as a document (OpenAPI 3.1).
//!
//! It is made of what stands at the handlers and their types, so it says what
//! the program does; a copy lies in `docs/openapi.json`.

mod errors;
pub(super) mod words;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::error;
use super::routes::Operations;
use crate::activity::EventName;
use crate::ledger::StateFilter;

pub(super) use errors::{
    BodyErrors, ChangeErrors, MintErrors, ReadErrors, RecordErrors, RevokeErrors, UserErrors,
};

/// The document, as text.
pub(in crate::admin) static TEXT: LazyLock<String> = LazyLock::new(|| {
    let text = Api::openapi().merge_from(Operations::openapi()).to_pretty_json();
    text.map_or_else(|_| "{}\n".to_owned(), |text| text + "\n")
});

#[derive(OpenApi)]
#[openapi(
    info(
        title = "jeton",
        description = "The operators' door of a jeton node: counted, signed links for OpenVPN \
            profiles.\n\nOne enters with an admin token, signed offline by a key that the node \
            trusts. There are three roles: a viewer reads; an operator also mints, records and \
            revokes; an admin also permits autologin, revokes keys and changes the cluster. Unknown fields and query \
            keys are refused. Times are UTC."
    ),
    components(schemas(
        StateFilter,
        error::Failure,
        EventName,
    )),
    security(("admin_token" = [])),
    modifiers(&Bearer),
)]
struct Api;

/// This document
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    security(()),
    responses((status = 200, description = "The document", body = Object)),
)]
pub(super) async fn show() -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::json()).body(TEXT.as_str())
}

/// What one enters with.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("jeton admin token")
            .description(Some("An admin token, as `jeton admin-link` makes one."));
        let scheme = SecurityScheme::Http(bearer.build());
        let components = document.components.get_or_insert_default();
        components.security_schemes.insert("admin_token".to_owned(), scheme.into());
    }
}
