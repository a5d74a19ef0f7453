//! `/nodes`: how the nodes are that hand out profiles. At present each node
//! tells of itself.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::frame::Frame;
use super::{PageError, answer};
use crate::admin::AdminDoor;
use crate::admin::node_facts::NodeFacts;
use crate::ledger::NodeId;
use crate::plain_words::Moment;
use crate::token::{KeyId, KeyPurpose, UnixSeconds};

/// Where this page is.
pub(super) const NODES: &str = "/nodes";

#[derive(Template)]
#[template(path = "admin/nodes.html")]
struct NodesPage {
    frame: Frame,
    nodes: Vec<Node>,
}

/// What is told of one node.
struct Node {
    id: NodeId,
    is_this: bool,
    is_leader: bool,
    leader: Option<NodeId>,
    version: &'static str,
    /// Why it is not ready.
    trouble: Option<String>,
    born_at: Moment,
    /// `None` if the log has no entry yet.
    last_entry: Option<Moment>,
    applied: u64,
    /// `None` if something else in front of it has the certificate.
    certificate_expires: Option<Moment>,
    keys: Vec<Key>,
    mints_with: Option<String>,
    /// Whether its own links work here.
    trusts_its_own: bool,
}

struct Key {
    id: String,
    what: &'static str,
}

pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<HttpResponse, PageError> {
    let frame = Frame::enter_to_look(&request, &door, "Nodes")?;
    let nodes = vec![this(door.facts(), frame.now)];
    answer(StatusCode::OK, &NodesPage { frame, nodes })
}

fn this(facts: NodeFacts, now: UnixSeconds) -> Node {
    let NodeFacts { ledger, keys, .. } = facts;
    Node {
        id: ledger.node_id,
        is_this: true,
        is_leader: ledger.leader == Some(ledger.node_id),
        leader: ledger.leader,
        version: facts.version,
        trouble: ledger.ready.err().map(|why| why.to_string()),
        born_at: Moment::end(ledger.born_at, now),
        last_entry: (ledger.log_time > UnixSeconds::default())
            .then(|| Moment::end(ledger.log_time, now)),
        applied: ledger.applied,
        certificate_expires: facts.certificate_expires_at.map(|at| Moment::end(at, now)),
        keys: keys.into_iter().map(Key::of).collect(),
        trusts_its_own: facts.trusts_its_own,
        mints_with: facts.mints_with.map(|key| key.to_string()),
    }
}

impl Key {
    fn of((id, purpose): (KeyId, KeyPurpose)) -> Self {
        let what = match purpose {
            KeyPurpose::Profile => "profiles",
            KeyPurpose::Admin => "this door",
        };
        Self { id: id.to_string(), what }
    }
}
