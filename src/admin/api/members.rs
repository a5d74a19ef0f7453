//! `GET /api/v1/cluster` and `POST /api/v1/cluster/changes`: the nodes that share the ledger, and
//! changes to them.

use std::collections::BTreeSet;
use std::fmt;

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde_json::Value;

use super::body::RequestBody;
use super::error_responses::{ChangeErrors, ReadErrors};
use super::fields::Fields;
use crate::admin::door::{AdminDoor, Changeable};
use crate::admin::error::AdminError;
use crate::admin::membership::{MembershipReport, is_reachable};
use crate::admin::request_fault::RequestFault;
use crate::api::cluster::{
    Demotion, Leading, MemberInfo, Members, MembersChanged, NewMemberChange, Promotion, Removal,
    Replacement,
};
use crate::ledger::{
    MemberList, MemberRole, MemberStatus, Membership, MembershipError, NodeId, NodeIdError,
};
use crate::token::AdminRole;

/// The most nodes in one change.
const NODES_MAX: usize = 100;

/// List the nodes that share the ledger
///
/// A node that is cut off from the others also answers. Role: viewer.
#[utoipa::path(
    get,
    path = "/api/v1/cluster",
    operation_id = "list_members",
    responses((status = 200, description = "All of them", body = Members), ReadErrors),
)]
pub(super) async fn list(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<Json<Members>, AdminError> {
    door.enter_to_look(&request)?;
    Fields::none(&request)?;
    let MembershipReport { this, list, alarms } = door.membership().await;
    let staleness = door.ledger.status().staleness;
    Ok(Json(Members {
        members: list.members.iter().map(|member| MemberInfo::of(member, &list, this)).collect(),
        is_by_leader: list.is_by_leader,
        is_stale: staleness.is_stale(),
        last_heard: door.last_heard(&staleness),
        alarms,
    }))
}

/// Promote, demote, replace or remove nodes
///
/// The response comes when the change is durable on a majority. No change leaves an even number of
/// voters. Nodes that already are as requested are left as they are. Role: admin.
#[utoipa::path(
    post,
    path = "/api/v1/cluster/changes",
    operation_id = "change_members",
    request_body = NewMemberChange,
    responses((status = 200, description = "It is done", body = MembersChanged), ChangeErrors),
)]
pub(super) async fn change(
    request: HttpRequest,
    door: Data<AdminDoor>,
    body: RequestBody,
) -> Result<Json<MembersChanged>, AdminError> {
    let operator = door.enter(&request, AdminRole::Admin)?;
    let change = Fields::of_body(&request, &body)?.read(NewMemberChange::read)?;
    let (change, already) = change.split_done(&door.cluster.members().await);
    let Some(change) = change else {
        let already = already.unwrap_or_default();
        return Ok(Json(MembersChanged { changed: format!("nothing changed: {already}") }));
    };
    let done = change.to_string();
    let what = format!("cluster: {done}");
    let changed = already.map_or_else(|| done.clone(), |already| format!("{done}; {already}"));
    let carry_out = |node: Changeable| async move { change.carry_out(node.cluster.as_ref()).await };
    door.change(operator, what, carry_out).await?;
    Ok(Json(MembersChanged { changed }))
}

impl MemberInfo {
    fn of(member: &MemberStatus, list: &MemberList, this: NodeId) -> Self {
        Self {
            node_id: member.node_id,
            address: member.address.clone(),
            role: member.role,
            is_leader: member.is_leader,
            is_this: member.node_id == this,
            is_reachable: is_reachable(member, list, this),
            lag: member.lag,
            clock_offset: member.clock_offset,
            version: member.version.clone(),
        }
    }
}

impl NewMemberChange {
    /// Reads the one of the five that is given.
    fn read(fields: &mut Fields) -> Result<Self, AdminError> {
        Ok(if fields.has("promote") {
            Self::Promote(Promotion { promote: nodes(fields, "promote")? })
        } else if fields.has("demote") {
            Self::Demote(Demotion { demote: nodes(fields, "demote")? })
        } else if fields.has("remove") {
            Self::Remove(Removal { remove: nodes(fields, "remove")? })
        } else if fields.has("replace") {
            let (replace, by) = (fields.required("replace")?, fields.required("by")?);
            if replace == by {
                return Err(AdminError::OwnPlace(replace));
            }
            Self::Replace(Replacement { replace, by })
        } else if fields.has("lead") {
            Self::Lead(Leading { lead: fields.required("lead")? })
        } else {
            return Err(RequestFault::NothingToChange.into());
        })
    }

    /// Returns what is left to do, and a text about the nodes that already are as requested. This
    /// is checked before the change: afterwards, a node may be as requested because of the change.
    fn split_done(self, list: &MemberList) -> (Option<Self>, Option<String>) {
        // Without the leader's answer nothing is known, and the leader finds out itself.
        let known = if list.is_by_leader { list.members.as_slice() } else { &[] };
        let find = |id: NodeId| known.iter().find(|member| member.node_id == id);
        let (nodes, role) = match self {
            Self::Promote(Promotion { promote }) => (promote, MemberRole::Voter),
            Self::Demote(Demotion { demote }) => (demote, MemberRole::Learner),
            Self::Lead(Leading { lead }) if find(lead).is_some_and(|member| member.is_leader) => {
                return (None, Some(format!("{lead} leads already")));
            }
            Self::Remove(_) | Self::Replace(_) | Self::Lead(_) => return (Some(self), None),
        };
        let is_done = |id: &NodeId| find(*id).is_some_and(|member| member.role == role);
        let (done, left): (Vec<_>, Vec<_>) = nodes.into_iter().partition(is_done);
        if left.is_empty() {
            return (None, already(&done, role));
        }
        let change = match role {
            MemberRole::Voter => Self::Promote(Promotion { promote: left }),
            MemberRole::Learner => Self::Demote(Demotion { demote: left }),
        };
        (Some(change), already(&done, role))
    }

    async fn carry_out(self, cluster: &dyn Membership) -> Result<(), MembershipError> {
        let ids = |nodes: Vec<NodeId>| nodes.into_iter().collect();
        match self {
            Self::Promote(Promotion { promote }) => cluster.promote(ids(promote)).await,
            Self::Demote(Demotion { demote }) => cluster.demote(ids(demote)).await,
            Self::Remove(Removal { remove }) => cluster.remove(ids(remove)).await,
            Self::Replace(Replacement { replace, by }) => cluster.replace(replace, by).await,
            Self::Lead(Leading { lead }) => cluster.transfer_leader(Some(lead)).await,
        }
    }
}

/// Writes what was done.
impl fmt::Display for NewMemberChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Promote(Promotion { promote }) => write!(f, "promoted {}", names(promote)),
            Self::Demote(Demotion { demote }) => write!(f, "demoted {}", names(demote)),
            Self::Remove(Removal { remove }) => write!(f, "removed {}", names(remove)),
            Self::Replace(Replacement { replace, by }) => write!(f, "replaced {replace} by {by}"),
            Self::Lead(Leading { lead }) => write!(f, "let {lead} lead"),
        }
    }
}

/// Returns the text that nodes already have a role, if there are any.
fn already(nodes: &[NodeId], role: MemberRole) -> Option<String> {
    let role = role.as_str();
    match nodes {
        [] => None,
        [one] => Some(format!("{one} is a {role} already")),
        several => Some(format!("{} are {role}s already", names(several))),
    }
}

fn names(nodes: &[NodeId]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Takes a list of 1 to [`NODES_MAX`] nodes, and drops repetitions.
fn nodes(fields: &mut Fields, name: &'static str) -> Result<Vec<NodeId>, AdminError> {
    let given = fields.take(name);
    let list = given.as_ref().and_then(Value::as_array);
    let list = list.filter(|list| (1..=NODES_MAX).contains(&list.len()));
    let list = list
        .ok_or_else(|| fields.wrong(name, format!("must be a list of 1 to {NODES_MAX} nodes")))?;
    let node = |value: &Value| {
        let text = value.as_str().ok_or_else(|| "expected strings".to_owned())?;
        text.parse().map_err(|error: NodeIdError| error.to_string())
    };
    let nodes: Result<Vec<NodeId>, String> = list.iter().map(node).collect();
    let nodes = nodes.map_err(|error| fields.wrong(name, format!("is invalid: {error}")))?;
    let mut seen = BTreeSet::new();
    Ok(nodes.into_iter().filter(|id| seen.insert(*id)).collect())
}
