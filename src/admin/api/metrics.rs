//! `GET /metrics`: the metrics, for a monitoring system without a token. They contain no user, no
//! token and no address, but the ids of nodes.

use actix_web::HttpResponse;
use actix_web::web::Data;

use crate::admin::door::AdminDoor;
use crate::admin::membership::is_reachable;
use crate::ledger::{LedgerStatus, MemberRole, MemberStatus};
use crate::metrics::{CONTENT_TYPE, ClusterReadings, MemberReading, Readings};
use crate::token::KeyPurpose;

/// Show the metrics of this node
///
/// The format is OpenMetrics text. `docs/metrics.md` explains each metric.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    security(()),
    responses((status = 200, description = "The metrics", body = String,
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
            cluster: self.cluster_readings(&facts.ledger),
        }
    }

    /// Returns what this node knows by itself, without asking the leader.
    fn cluster_readings(&self, ledger: &LedgerStatus) -> ClusterReadings {
        let list = self.cluster.members_known_here();
        let count = |role| list.members.iter().filter(|member| member.role == role).count();
        let member = |member: &MemberStatus| MemberReading {
            node: member.node_id.to_string(),
            is_reachable: is_reachable(member, &list, ledger.node_id) == Some(true),
            lag: member.lag,
            clock_offset_s: member.clock_offset,
        };
        ClusterReadings {
            voters: count(MemberRole::Voter),
            learners: count(MemberRole::Learner),
            is_leader: ledger.leader == Some(ledger.node_id),
            knows_leader: ledger.leader.is_some(),
            staleness: ledger.staleness.age,
            is_stale: ledger.staleness.is_stale(),
            term: ledger.term,
            is_clock_off: self.cluster.is_clock_off(),
            spends_forwarded: self.cluster.spends_forwarded(),
            members: list.members.iter().filter(|_| list.is_by_leader).map(member).collect(),
        }
    }
}
