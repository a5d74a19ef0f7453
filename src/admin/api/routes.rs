//! The table of all routes. The router and the API document are built from it; a test checks that
//! the annotations of the handlers have the same paths.

use std::future::ready;
use std::sync::LazyLock;

use actix_web::http::{Method, header};
use actix_web::web::{self, Data, PayloadConfig, ServiceConfig};
use actix_web::{HttpResponse, Resource, ResponseError as _, Route, guard};
use utoipa::OpenApi;

use super::openapi::ApiDocument;
use super::{
    activity, health, inspect, invites, members, metrics, mint, openapi, records, revocations,
    session_info, state, status, tokens, users,
};
use crate::admin::error::AdminError;

/// The most bytes a request body may have.
const BODY_MAX: usize = 16 * 1024;

/// One entry of the table.
pub(in crate::admin) struct ApiRoute {
    pub(in crate::admin) method: Method,
    pub(in crate::admin) path: &'static str,
    handler: fn() -> Route,
}

/// Builds the routes and the operations of the document from one table.
macro_rules! routes {
    ($($method:ident $path:literal => $($handler:ident)::+;)*) => {
        /// All routes except the web pages.
        pub(in crate::admin) static ROUTES: &[ApiRoute] = &[$(ApiRoute {
            method: Method::$method,
            path: $path,
            handler: || web::to($($handler)::+),
        },)*];

        #[derive(OpenApi)]
        #[openapi(paths($($($handler)::+,)*))]
        struct Operations;
    };
}

routes! {
    GET "/api/v1/session" => session_info::show;
    GET "/api/v1/tokens" => tokens::list;
    POST "/api/v1/tokens" => mint::mint;
    POST "/api/v1/records" => records::record;
    POST "/api/v1/inspect" => inspect::inspect;
    POST "/api/v1/revocations" => revocations::revoke;
    GET "/api/v1/users" => users::list;
    PUT "/api/v1/users/{user}/autologin" => users::permit;
    GET "/api/v1/status" => status::show;
    GET "/api/v1/state" => state::show;
    GET "/api/v1/activity" => activity::list;
    GET "/api/v1/cluster" => members::list;
    POST "/api/v1/cluster/changes" => members::change;
    POST "/api/v1/cluster/invites" => invites::invite;
    GET "/metrics" => metrics::show;
    GET "/openapi.json" => openapi::show;
    GET "/healthz" => health::alive;
    GET "/readyz" => health::ready;
}

/// The API document.
pub(in crate::admin) static DOCUMENT: ApiDocument =
    LazyLock::new(|| openapi::describe(Operations::openapi()));

/// Adds the routes to an application. Requests without a route are answered in JSON.
pub(in crate::admin) fn configure(app: &mut ServiceConfig) {
    app.app_data(PayloadConfig::new(BODY_MAX)).app_data(Data::new(&DOCUMENT));
    let mut paths: Vec<_> = ROUTES.iter().map(|route| route.path).collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        app.service(resource(path));
    }
    app.default_service(web::to(not_found));
}

fn resource(path: &'static str) -> Resource {
    let mut resource = web::resource(path);
    let mut allowed = Vec::new();
    for route in ROUTES.iter().filter(|route| route.path == path) {
        resource = resource.route((route.handler)().method(route.method.clone()));
        allowed.push(route.method.as_str());
        if route.method == Method::GET {
            resource = resource.route((route.handler)().guard(guard::Head()));
            allowed.push("HEAD");
        }
    }
    let allowed = allowed.join(", ");
    resource.default_service(web::to(move || ready(not_allowed(&allowed))))
}

async fn not_found() -> HttpResponse {
    AdminError::NotFound.error_response()
}

fn not_allowed(allowed: &str) -> HttpResponse {
    let mut response = AdminError::Method.error_response();
    if let Ok(allowed) = header::HeaderValue::from_str(allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}
