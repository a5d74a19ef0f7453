//! `GET /openapi.json`: the description of the API (OpenAPI 3.1).
//!
//! It is built from the annotations of the handlers and their types. `docs/openapi.json` is a copy,
//! which a test compares.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use actix_web::web::Data;
use utoipa::openapi::OpenApi as Description;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::activity::EventName;
use crate::api::error::ErrorBody;
use crate::ledger::StateFilter;

/// The API document, which is built when it is first requested.
pub(super) type ApiDocument = LazyLock<String>;

/// Returns the description of the API with these operations.
pub(super) fn describe(operations: Description) -> String {
    let text = Api::openapi().merge_from(operations).to_pretty_json();
    text.map_or_else(|_| "{}\n".to_owned(), |text| text + "\n")
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "jeton",
        description = "The admin API of a jeton node: counted, signed links for OpenVPN \
            profiles.\n\nEvery request needs an admin token, which is signed offline by a key that \
            the node trusts. There are three roles: a viewer reads; an operator also mints, records \
            and revokes; an admin also permits autologin, revokes keys and changes the cluster. \
            Unknown fields and query keys are rejected. Times are UTC."
    ),
    components(schemas(StateFilter, ErrorBody, EventName)),
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
pub(super) async fn show(document: Data<&'static ApiDocument>) -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::json()).body(document.as_str())
}

/// Adds the security scheme.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, description: &mut Description) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("jeton admin token")
            .description(Some("An admin token, such as `jeton admin-link` makes."));
        let scheme = SecurityScheme::Http(bearer.build());
        let components = description.components.get_or_insert_default();
        components.security_schemes.insert("admin_token".to_owned(), scheme.into());
    }
}
