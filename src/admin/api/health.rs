//! `GET /healthz` and `GET /readyz`: whether this node is alive, and whether it
//! could decide now, else why not. Nobody has to sign in for it: what asks is a
//! monitoring system, or an operator of a node that cannot tell who he is. The door is
//! on loopback, so the reason is whole; the public one leaves out paths and nodes.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::Data;

use super::AdminDoor;

/// Whether this node is alive
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    security(()),
    responses((status = 200, description = "It is", body = String, content_type = "text/plain")),
)]
pub(super) async fn alive() -> HttpResponse {
    line(StatusCode::OK, "ok\n")
}

/// Whether this node could decide about a link now
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    security(()),
    responses(
        (status = 200, description = "It could", body = String, content_type = "text/plain"),
        (status = 503, description = "It could not: the ledger has no majority, or its disk failed",
            body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn ready(door: Data<AdminDoor>) -> HttpResponse {
    match door.ledger.status().ready {
        Ok(()) => line(StatusCode::OK, "ok\n"),
        Err(why) => {
            let mut said = format!("not ready: {why}");
            for trouble in door.cluster.peer_errors() {
                said.push_str("; ");
                said.push_str(&trouble);
            }
            said.push('\n');
            line(StatusCode::SERVICE_UNAVAILABLE, said)
        }
    }
}

fn line(status: StatusCode, text: impl Into<String>) -> HttpResponse {
    let text_plain = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
    HttpResponse::build(status).insert_header(text_plain).body(text.into())
}
