//! `/nodes`: the members of the cluster as the leader sees them, and the state of this node. It is
//! read-only: members are changed with commands.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::error::{PageError, sentence};
use super::frame::Frame;
use super::link::NODES;
use super::response::html;
use crate::admin::AdminDoor;
use crate::admin::membership::{MembershipReport, is_reachable};
use crate::admin::node_facts::NodeFacts;
use crate::humanize::{Moment, clock_offset, counted};
use crate::ledger::{MemberList, MemberRole, MemberStatus, NodeId};
use crate::token::{KeyId, KeyPurpose, UnixSeconds};

#[derive(Template)]
#[template(path = "admin/nodes.html")]
struct NodesPage {
    frame: Frame,
    alarms: Vec<String>,
    /// If this node's knowledge is stale, when it last heard from a majority, if ever.
    stale: Option<Option<Moment>>,
    /// Such as `3 voters, 1 learner`.
    count: String,
    members: Vec<MemberRow>,
    /// Whether the leader reports the members.
    is_by_leader: bool,
    node: ThisNode,
}

struct MemberRow {
    id: NodeId,
    address: String,
    role: &'static str,
    is_leader: bool,
    is_this: bool,
    is_reachable: Option<bool>,
    /// The number of log entries that it is behind.
    lag: Option<u64>,
    clock: Option<String>,
    version: Option<String>,
}

struct ThisNode {
    id: NodeId,
    is_leader: bool,
    is_ready: bool,
    leader: Option<NodeId>,
    version: &'static str,
    born_at: Moment,
    /// `None` if the log has no entry yet.
    last_entry: Option<Moment>,
    applied: u64,
    /// `None` if the public door has no TLS.
    certificate_expires: Option<Moment>,
    keys: Vec<KeyRow>,
    mints_with: Option<String>,
    /// Whether this node accepts the links that it mints.
    trusts_its_own: bool,
}

struct KeyRow {
    id: String,
    purpose: &'static str,
}

pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<HttpResponse, PageError> {
    let frame = Frame::enter_stale(&request, &door, NODES)?;
    let MembershipReport { this, list, alarms } = door.membership().await;
    let facts = door.facts();
    let staleness = facts.ledger.staleness;
    let last_heard = || door.last_heard(&staleness).map(|at| Moment::event(at, frame.now));
    let page = NodesPage {
        alarms: alarms.iter().map(|alarm| sentence(alarm)).collect(),
        stale: staleness.is_stale().then(last_heard),
        count: count(&list),
        members: list.members.iter().map(|member| MemberRow::of(member, &list, this)).collect(),
        is_by_leader: list.is_by_leader,
        node: ThisNode::of(facts, frame.now),
        frame,
    };
    Ok(html(StatusCode::OK, &page)?)
}

fn count(list: &MemberList) -> String {
    let voters = list.members.iter().filter(|member| member.role == MemberRole::Voter).count();
    let learners = list.members.len() - voters;
    let voters = counted(voters, "voter");
    if learners == 0 { voters } else { format!("{voters}, {}", counted(learners, "learner")) }
}

impl MemberRow {
    fn of(member: &MemberStatus, list: &MemberList, this: NodeId) -> Self {
        let clock = |offset| clock_offset(offset).unwrap_or_else(|| "Correct".to_owned());
        Self {
            id: member.node_id,
            address: member.address.clone(),
            role: match member.role {
                MemberRole::Voter => "Voter",
                MemberRole::Learner => "Learner",
            },
            is_leader: member.is_leader,
            is_this: member.node_id == this,
            is_reachable: is_reachable(member, list, this),
            lag: member.lag,
            clock: member.clock_offset.map(clock),
            version: member.version.clone(),
        }
    }
}

impl ThisNode {
    fn of(facts: NodeFacts, now: UnixSeconds) -> Self {
        let NodeFacts { ledger, keys, .. } = facts;
        Self {
            id: ledger.node_id,
            is_leader: ledger.leader == Some(ledger.node_id),
            is_ready: ledger.ready.is_ok(),
            leader: ledger.leader,
            version: facts.version,
            born_at: Moment::end(ledger.born_at, now),
            last_entry: (ledger.log_time > UnixSeconds::default())
                .then(|| Moment::end(ledger.log_time, now)),
            applied: ledger.applied,
            certificate_expires: facts.certificate_expires_at.map(|at| Moment::end(at, now)),
            keys: keys.into_iter().map(KeyRow::of).collect(),
            trusts_its_own: facts.trusts_its_own,
            mints_with: facts.mints_with.map(|key| key.to_string()),
        }
    }
}

impl KeyRow {
    fn of((id, purpose): (KeyId, KeyPurpose)) -> Self {
        let purpose = match purpose {
            KeyPurpose::Profile => "profile tokens",
            KeyPurpose::Admin => "admin tokens",
        };
        Self { id: id.to_string(), purpose }
    }
}
