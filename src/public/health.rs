//! Health checks: whether this node is alive and whether it can deliver profiles.
//!
//! Anyone may ask, so the reason contains no path, name or system error. The log and the admin door
//! have the details.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, Resource, web};

use super::door::PublicDoor;
use super::response;

const ALIVE: &str = "/healthz";
const READY: &str = "/readyz";

/// The routes of this file.
pub(super) const PATHS: [&str; 2] = [ALIVE, READY];

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.service(resource(ALIVE).route(web::get().to(alive)).route(web::head().to(alive)));
    config.service(resource(READY).route(web::get().to(ready)).route(web::head().to(ready)));
}

fn resource(path: &'static str) -> Resource {
    web::resource(path).default_service(web::to(response::only_get_and_head))
}

async fn alive() -> HttpResponse {
    line(StatusCode::OK, "ok\n")
}

async fn ready(door: web::Data<PublicDoor>) -> HttpResponse {
    match door.readiness() {
        Ok(()) => line(StatusCode::OK, "ok\n"),
        Err(why) => line(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}

fn line(status: StatusCode, text: impl Into<String>) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(text.into())
}
