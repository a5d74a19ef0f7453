//! Which request goes where, in one table: both the routes and the document are
//! made from it. That the handlers name the same paths, a test sees to.

use std::future::ready;

use actix_web::http::{Method, header};
use actix_web::web::{self, PayloadConfig, ServiceConfig};
use actix_web::{HttpResponse, Resource, ResponseError as _, Route, guard};
use utoipa::OpenApi;

use super::{
    AdminError, activity, health, inspect, invites, members, metrics, mint, openapi, records,
    revocations, session_info, state, status, tokens, users,
};

/// The most bytes a request body may have.
const BODY_MAX: usize = 16 * 1024;

/// One way in.
pub(in crate::admin) struct Row {
    pub(in crate::admin) method: Method,
    pub(in crate::admin) path: &'static str,
    handler: fn() -> Route,
}

/// Makes of one table what is routed and what the document is made of.
macro_rules! routes {
    ($($method:ident $path:literal => $($handler:ident)::+;)*) => {
        /// All ways in but the web pages.
        pub(in crate::admin) static ROUTES: &[Row] = &[$(Row {
            method: Method::$method,
            path: $path,
            handler: || web::to($($handler)::+),
        },)*];

        /// The same, as the document tells it.
        #[derive(OpenApi)]
        #[openapi(paths($($($handler)::+,)*))]
        pub(super) struct Operations;
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

/// Adds the routes to an application. What no route takes is answered in JSON.
pub(in crate::admin) fn configure(app: &mut ServiceConfig) {
    app.app_data(PayloadConfig::new(BODY_MAX));
    let mut paths: Vec<_> = ROUTES.iter().map(|row| row.path).collect();
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
    for row in ROUTES.iter().filter(|row| row.path == path) {
        resource = resource.route((row.handler)().method(row.method.clone()));
        allowed.push(row.method.as_str());
        if row.method == Method::GET {
            resource = resource.route((row.handler)().guard(guard::Head()));
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
