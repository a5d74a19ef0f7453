//! Which request goes where, in one table: the doors of the API are built from
//! it, and a test compares it with the document.

use std::future::ready;

use actix_web::http::{Method, header};
use actix_web::web::{self, PayloadConfig, ServiceConfig};
use actix_web::{HttpResponse, Resource, ResponseError as _, Route, guard};

use super::{
    AdminError, activity, health, inspect, invites, members, metrics, mint, openapi, records,
    revocations, session_info, status, tokens, users,
};

/// The most bytes a request body may have.
const BODY_MAX: usize = 16 * 1024;

/// One way in.
pub(super) struct Row {
    pub(super) method: Method,
    pub(super) path: &'static str,
    handler: fn() -> Route,
}

/// All ways in but the web pages.
pub(super) static ROUTES: [Row; 17] = [
    get("/api/v1/session", || web::to(session_info::show)),
    get("/api/v1/tokens", || web::to(tokens::list)),
    post("/api/v1/tokens", || web::to(mint::mint)),
    post("/api/v1/records", || web::to(records::record)),
    post("/api/v1/inspect", || web::to(inspect::inspect)),
    post("/api/v1/revocations", || web::to(revocations::revoke)),
    get("/api/v1/users", || web::to(users::list)),
    put("/api/v1/users/{user}/autologin", || web::to(users::permit)),
    get("/api/v1/status", || web::to(status::show)),
    get("/api/v1/cluster", || web::to(members::list)),
    post("/api/v1/cluster/changes", || web::to(members::change)),
    post("/api/v1/cluster/invites", || web::to(invites::invite)),
    get("/api/v1/activity", || web::to(activity::list)),
    get("/metrics", || web::to(metrics::show)),
    get(openapi::PATH, || web::to(openapi::show)),
    get("/healthz", || web::to(health::alive)),
    get("/readyz", || web::to(health::ready)),
];

const fn get(path: &'static str, handler: fn() -> Route) -> Row {
    Row { method: Method::GET, path, handler }
}

const fn post(path: &'static str, handler: fn() -> Route) -> Row {
    Row { method: Method::POST, path, handler }
}

const fn put(path: &'static str, handler: fn() -> Route) -> Row {
    Row { method: Method::PUT, path, handler }
}

/// Adds the routes to an application. What no route takes is answered in JSON.
pub(super) fn configure(app: &mut ServiceConfig) {
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
