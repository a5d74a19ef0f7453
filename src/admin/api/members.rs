//! `GET /api/v1/cluster` and `POST /api/v1/cluster/changes`: the nodes that share
//! the ledger, and what they are to become.

use std::collections::BTreeSet;
use std::fmt;

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Body;
use super::fields::Fields;
use super::openapi::{ChangeErrors, ReadErrors};
use super::{AdminDoor, AdminError, RequestFault};
use crate::admin::door::Changeable;
use crate::admin::membership::{Membership, is_reachable};
use crate::ledger::{self, MemberList, MemberStatus, MembershipError, NodeId, NodeIdError};
use crate::token::{AdminRole, UnixSeconds};

/// The nodes that share the ledger.
#[derive(Serialize, ToSchema)]
pub(super) struct Members {
    /// All of them, by id.
    members: Vec<Member>,
    /// Whether the leader tells it. If not, no leader can be asked, and it is what
    /// the node that was asked knows by itself.
    is_by_leader: bool,
    /// Whether the node that was asked has not heard from a majority for so long
    /// that it gives nothing. Then all of this may be old, and so may be what it
    /// knows of revoked admin tokens.
    is_stale: bool,
    /// When that node last heard from a majority; `null` if it has not since its
    /// start.
    #[schema(value_type = Option<UnixSeconds>, required = true)]
    last_heard: Option<String>,
    /// What an operator has to look at, in words; the worst first.
    alarms: Vec<String>,
}

/// A node that shares the ledger.
#[derive(Serialize, ToSchema)]
struct Member {
    node_id: NodeId,
    /// Where the others reach it; empty for a node that was always alone.
    address: String,
    role: MemberRole,
    /// Whether it decides at present.
    is_leader: bool,
    /// Whether it is the node that was asked.
    is_this: bool,
    /// Whether the leader heard from it in the last five seconds; `null` if no leader tells.
    #[schema(required = true)]
    is_reachable: Option<bool>,
    /// How many entries of the log it is behind the leader; `null` if that is not
    /// known.
    #[schema(required = true)]
    lag: Option<u64>,
    /// How far its clock is ahead of the leader's, in seconds; negative if it is
    /// behind, `null` if that is not known.
    #[schema(required = true)]
    clock_offset: Option<i64>,
    /// The version of jeton there; `null` if it is not known.
    #[schema(required = true)]
    version: Option<String>,
}

/// What a member does.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum MemberRole {
    /// It votes and counts for the majority.
    Voter,
    /// It receives the log and passes uses on.
    Learner,
}

/// Exactly one of these.
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum NewMemberChange {
    Promote(Promotion),
    Demote(Demotion),
    Remove(Removal),
    Replace(Replacement),
    Lead(Leading),
}

/// Learners become voters, in one change. The number of voters is always odd.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Promotion {
    #[schema(min_items = 1, max_items = 100)]
    promote: Vec<NodeId>,
}

/// Voters become learners, in one change.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Demotion {
    #[schema(min_items = 1, max_items = 100)]
    demote: Vec<NodeId>,
}

/// Members go for good. Their ledgers can never come back.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Removal {
    #[schema(min_items = 1, max_items = 100)]
    remove: Vec<NodeId>,
}

/// A learner takes the place of a voter, which goes for good.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Replacement {
    /// The voter that goes.
    replace: NodeId,
    /// The learner that comes.
    by: NodeId,
}

/// Another voter decides from now on.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Leading {
    lead: NodeId,
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub(super) struct MembersChanged {
    /// In words, which begin with `nothing changed` if all was as wished already.
    #[schema(example = "promoted 3f2a9c01d00dfeed")]
    changed: String,
}

/// List the nodes that share the ledger
///
/// It is answered also by a node that is cut off from the others. Role: viewer.
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
    let Membership { this, list, alarms } = door.membership().await;
    let staleness = door.ledger.status().staleness;
    Ok(Json(Members {
        members: list.members.iter().map(|member| Member::of(member, &list, this)).collect(),
        is_by_leader: list.is_by_leader,
        is_stale: staleness.is_stale(),
        last_heard: door.last_heard(&staleness).map(|at| at.to_string()),
        alarms,
    }))
}

/// Promote, demote, replace or remove nodes
///
/// Done once a majority has it. No change leaves an even number of voters; who is as
/// wished already stays so, and no change is made for it. Role: admin.
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
    body: Body,
) -> Result<Json<MembersChanged>, AdminError> {
    let operator = door.enter(&request, AdminRole::Admin)?;
    let wish = NewMemberChange::read(Fields::of_body(&request, &body)?)?;
    let (wish, already) = wish.without_what_is_so(&door.cluster.members().await);
    let Some(wish) = wish else {
        let already = already.unwrap_or_default();
        return Ok(Json(MembersChanged { changed: format!("nothing changed: {already}") }));
    };
    let done = wish.to_string();
    let what = format!("cluster: {done}");
    let changed = already.map_or_else(|| done.clone(), |already| format!("{done}; {already}"));
    let carry_out = |it: Changeable| async move { wish.carry_out(it.cluster.as_ref()).await };
    door.change(operator, what, carry_out).await?;
    Ok(Json(MembersChanged { changed }))
}

impl Member {
    fn of(member: &MemberStatus, list: &MemberList, this: NodeId) -> Self {
        Self {
            node_id: member.node_id,
            address: member.address.clone(),
            role: match member.role {
                ledger::MemberRole::Voter => MemberRole::Voter,
                ledger::MemberRole::Learner => MemberRole::Learner,
            },
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
    /// Reads the one of the five that is there.
    fn read(mut fields: Fields) -> Result<Self, AdminError> {
        let wish = if fields.has("promote") {
            Self::Promote(Promotion { promote: nodes(&mut fields, "promote")? })
        } else if fields.has("demote") {
            Self::Demote(Demotion { demote: nodes(&mut fields, "demote")? })
        } else if fields.has("remove") {
            Self::Remove(Removal { remove: nodes(&mut fields, "remove")? })
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
        };
        fields.finish()?;
        Ok(wish)
    }

    /// Returns what is left to do, and says who is as wished already. It looks before
    /// anything is tried: the leader takes a wish twice, so that one may be repeated
    /// whose answer was lost, and what it finds done may be this wish's own doing.
    fn without_what_is_so(self, list: &MemberList) -> (Option<Self>, Option<String>) {
        // Without the leader's word it is for the leader to find out.
        let known = if list.is_by_leader { list.members.as_slice() } else { &[] };
        let is_so = |id: NodeId, is_so: fn(&MemberStatus) -> bool| {
            known.iter().any(|member| member.node_id == id && is_so(member))
        };
        match self {
            Self::Promote(Promotion { promote }) => {
                let is_voter = |member: &MemberStatus| member.role == ledger::MemberRole::Voter;
                let (so, promote) = promote.into_iter().partition(|id| is_so(*id, is_voter));
                (rest(promote, |promote| Self::Promote(Promotion { promote })), are(&so, "voter"))
            }
            Self::Demote(Demotion { demote }) => {
                let is_learner = |member: &MemberStatus| member.role == ledger::MemberRole::Learner;
                let (so, demote) = demote.into_iter().partition(|id| is_so(*id, is_learner));
                (rest(demote, |demote| Self::Demote(Demotion { demote })), are(&so, "learner"))
            }
            Self::Lead(Leading { lead }) if is_so(lead, |member| member.is_leader) => {
                (None, Some(format!("{lead} leads already")))
            }
            Self::Remove(_) | Self::Replace(_) | Self::Lead(_) => (Some(self), None),
        }
    }

    async fn carry_out(self, cluster: &dyn ledger::Membership) -> Result<(), MembershipError> {
        let ids = |nodes: Vec<NodeId>| nodes.into_iter().collect();
        match self {
            Self::Promote(wish) => cluster.promote(ids(wish.promote)).await,
            Self::Demote(wish) => cluster.demote(ids(wish.demote)).await,
            Self::Remove(wish) => cluster.remove(ids(wish.remove)).await,
            Self::Replace(wish) => cluster.replace(wish.replace, wish.by).await,
            Self::Lead(wish) => cluster.transfer_leader(Some(wish.lead)).await,
        }
    }
}

/// Says what was done.
impl fmt::Display for NewMemberChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Promote(wish) => write!(f, "promoted {}", names(&wish.promote)),
            Self::Demote(wish) => write!(f, "demoted {}", names(&wish.demote)),
            Self::Remove(wish) => write!(f, "removed {}", names(&wish.remove)),
            Self::Replace(wish) => write!(f, "replaced {} by {}", wish.replace, wish.by),
            Self::Lead(wish) => write!(f, "let {} lead", wish.lead),
        }
    }
}

/// Returns a wish for the nodes that are left, if any are.
fn rest(
    nodes: Vec<NodeId>,
    wish: impl FnOnce(Vec<NodeId>) -> NewMemberChange,
) -> Option<NewMemberChange> {
    (!nodes.is_empty()).then(|| wish(nodes))
}

/// Says that nodes have a role, if there are any.
fn are(nodes: &[NodeId], role: &str) -> Option<String> {
    match nodes {
        [] => None,
        [one] => Some(format!("{one} is a {role} already")),
        several => Some(format!("{} are {role}s already", names(several))),
    }
}

fn names(nodes: &[NodeId]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Takes a list of 1 to 100 nodes; who is named twice is meant once.
fn nodes(fields: &mut Fields, name: &'static str) -> Result<Vec<NodeId>, AdminError> {
    let given = fields.take(name);
    let list = given.as_ref().and_then(Value::as_array);
    let list = list.filter(|list| (1..=100).contains(&list.len()));
    let list = list.ok_or_else(|| fields.wrong(name, "must be a list of 1 to 100 nodes"))?;
    let node = |value: &Value| {
        let text = value.as_str().ok_or_else(|| "it is no text".to_owned())?;
        text.parse().map_err(|error: NodeIdError| error.to_string())
    };
    let nodes: Result<Vec<NodeId>, String> = list.iter().map(node).collect();
    let nodes = nodes.map_err(|error| fields.wrong(name, format!("is wrong: {error}")))?;
    let mut seen = BTreeSet::new();
    Ok(nodes.into_iter().filter(|id| seen.insert(*id)).collect())
}
