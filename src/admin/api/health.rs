//! `GET /healthz` and `GET /readyz`: whether this node is running, and whether it could grant a use
//! now. They need no token: monitoring systems have none, and a node that cannot check tokens must
//! still say why. This door is on loopback, so the reason is complete; the public door leaves out
//! paths and nodes.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;

use crate::admin::door::AdminDoor;

/// Whether this node is running
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    security(()),
    responses((status = 200, description = "It is", body = String, content_type = "text/plain")),
)]
pub(super) async fn alive() -> HttpResponse {
    text(StatusCode::OK, "ok\n")
}

/// Whether this node could grant a use now
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    security(()),
    responses(
        (status = 200, description = "It could", body = String, content_type = "text/plain"),
        (status = 503, description = "It could not, for instance because the ledger has no \
            majority or its disk failed",
            body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn ready(door: Data<AdminDoor>) -> HttpResponse {
    match door.ledger.status().ready {
        Ok(()) => text(StatusCode::OK, "ok\n"),
        Err(why) => {
            let reasons = [vec![why.to_string()], door.cluster.peer_errors()].concat().join("; ");
            text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reasons}\n"))
        }
    }
}

fn text(status: StatusCode, text: impl Into<String>) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(text.into())
}
