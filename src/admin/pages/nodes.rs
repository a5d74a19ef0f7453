//! `/nodes`: how the nodes are that hand out profiles. At present each node
//! tells of itself.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::frame::Frame;
use super::{PageError, answer};
use crate::admin::AdminDoor;
use crate::admin::members::NodeId;
use crate::plain_words::Moment;
use crate::token::{KeyPurpose, TrustedKeys as _};

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
    log_time: Moment,
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
    let frame = Frame::enter(&request, &door, "Nodes")?;
    let nodes = vec![this(&door, &frame)];
    answer(StatusCode::OK, &NodesPage { frame, nodes })
}

fn this(door: &AdminDoor, frame: &Frame) -> Node {
    let status = door.ledger.status();
    let keys = door.redeemer.keys();
    let minter = door.minter.load();
    Node {
        id: NodeId(status.node_id),
        is_this: true,
        is_leader: status.leader == Some(status.node_id),
        leader: status.leader.map(NodeId),
        version: env!("CARGO_PKG_VERSION"),
        trouble: status.ready.err(),
        born_at: Moment::end(status.born_at, frame.now),
        log_time: Moment::end(status.log_time, frame.now),
        applied: status.applied,
        certificate_expires: door
            .certificate
            .as_ref()
            .map(|certificate| Moment::end(certificate.not_after(), frame.now)),
        keys: keys
            .iter()
            .map(|(_path, key)| Key {
                id: key.key.id().to_string(),
                what: match key.purpose {
                    KeyPurpose::Profile => "profiles",
                    KeyPurpose::Admin => "this door",
                },
            })
            .collect(),
        trusts_its_own: minter.as_ref().is_some_and(|minter| keys.find(minter.key_id()).is_some()),
        mints_with: minter.as_ref().map(|minter| minter.key_id().to_string()),
    }
}
