//! `GET /metrics`: numbers for a monitoring system, which has no token. So they
//! name no user, no token and no address.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::AdminDoor;
use crate::metrics::{CONTENT_TYPE, Readings};
use crate::token::KeyPurpose;

/// Numbers for a monitoring system
///
/// OpenMetrics text; `docs/metrics.md` tells what each number is.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    security(()),
    responses((status = 200, description = "The numbers", body = String,
        content_type = "application/openmetrics-text")),
)]
pub(super) async fn show(door: Data<AdminDoor>) -> HttpResponse {
    match door.metrics.show(&door.readings()) {
        Ok(text) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(text),
        Err(std::fmt::Error) => HttpResponse::InternalServerError().finish(),
    }
}

impl AdminDoor {
    fn readings(&self) -> Readings {
        let facts = self.facts();
        let lookups = self.redeemer.verify_cache_lookups();
        let count =
            |purpose| (purpose, facts.keys.iter().filter(|(_id, of)| *of == purpose).count());
        Readings {
            verify_cache_hits: lookups.hits,
            verify_cache_misses: lookups.misses,
            certificate_expires_at: facts.certificate_expires_at,
            trusted_keys: KeyPurpose::ALL.map(count).into(),
            ledger_ready: facts.ledger.ready.is_ok(),
            ledger_applied_index: facts.ledger.applied,
            audit_lines_lost: self.activity.audit_lines_lost(),
        }
    }
}
