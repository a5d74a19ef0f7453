//! The nodes that share the ledger: listed, changed and invited.

use std::collections::BTreeSet;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use actix_web::http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Notify;
use zeroize::Zeroizing;

use super::{World, admin, world};
use crate::activity::EventKind;
use crate::admin::{Inviter, NoInvitation};
use crate::ledger::{
    self, MemberList, MemberStatus, Membership, MembershipError, MembershipFuture, NodeId,
    OutcomeUnknown,
};
use crate::token::AdminRole;

/// Two nodes that carry out every change, except that demoting fails, the outcome of a removal is
/// unknown, and a replacement waits for `proceed`.
#[derive(Debug, Default)]
pub(in crate::admin) struct TwoNodes {
    done: Mutex<Vec<String>>,
    proceed: Notify,
}

impl TwoNodes {
    fn does(&self, what: String) -> MembershipFuture<'_, ()> {
        self.done.lock().unwrap().push(what);
        Box::pin(ready(Ok(())))
    }
}

impl Membership for TwoNodes {
    fn members(&self) -> Pin<Box<dyn Future<Output = MemberList> + Send + '_>> {
        Box::pin(ready(self.members_known_here()))
    }

    fn members_known_here(&self) -> MemberList {
        let member = |number, role, is_leader| MemberStatus {
            node_id: NodeId(number),
            address: "a:1".to_owned(),
            role,
            is_leader,
            lag: Some(number),
            last_contact: Some(Duration::from_secs(number * 3)),
            clock_offset: is_leader.then_some(0),
            version: Some("0.1.0".to_owned()),
        };
        let members = vec![
            member(1, ledger::MemberRole::Voter, true),
            member(2, ledger::MemberRole::Learner, false),
        ];
        MemberList { members, is_by_leader: true }
    }

    fn is_clock_off(&self) -> bool {
        true
    }

    fn peer_errors(&self) -> Vec<String> {
        Vec::new()
    }

    fn spends_forwarded(&self) -> u64 {
        12
    }

    fn add_learner(&self, node_id: NodeId, address: String) -> MembershipFuture<'_, ()> {
        self.does(format!("add {node_id} {address}"))
    }

    fn set_address(&self, node_id: NodeId, address: String) -> MembershipFuture<'_, ()> {
        self.does(format!("address {node_id} {address}"))
    }

    fn promote(&self, nodes: BTreeSet<NodeId>) -> MembershipFuture<'_, ()> {
        self.does(format!("promote {nodes:?}"))
    }

    fn demote(&self, _: BTreeSet<NodeId>) -> MembershipFuture<'_, ()> {
        Box::pin(ready(Err(MembershipError::EvenVoters(2))))
    }

    fn replace(&self, old: NodeId, new: NodeId) -> MembershipFuture<'_, ()> {
        Box::pin(async move {
            self.proceed.notified().await;
            self.does(format!("replace {} {}", old.0, new.0)).await
        })
    }

    fn remove(&self, _: BTreeSet<NodeId>) -> MembershipFuture<'_, ()> {
        Box::pin(ready(Err(MembershipError::OutcomeUnknown(OutcomeUnknown::TimedOut))))
    }

    fn transfer_leader(&self, to: Option<NodeId>) -> MembershipFuture<'_, ()> {
        self.does(format!("lead {to:?}"))
    }
}

#[derive(Debug)]
pub(super) struct Invites;

impl Inviter for Invites {
    fn invite(&self) -> Result<(Zeroizing<String>, u64), NoInvitation> {
        Ok((Zeroizing::new("jeton-join:1:x".to_owned()), 900))
    }
}

const ONE: &str = "0000000000000001";
const TWO: &str = "0000000000000002";

async fn change(request: Value) -> (StatusCode, Value) {
    world().change(request).await
}

#[actix_web::test]
async fn a_viewer_sees_the_members_and_their_alarms() {
    let (status, answer) = world().get("/api/v1/cluster", &admin(AdminRole::Viewer)).await;
    assert_eq!(status, StatusCode::OK);
    let alarms = answer["alarms"].as_array().unwrap();
    assert!(alarms[0].as_str().unwrap().starts_with("the clock is more"), "{alarms:?}");
    assert!(alarms[1].as_str().unwrap().contains("has not been heard from for 6 s"), "{alarms:?}");
    assert_eq!(alarms.len(), 2);
    assert_eq!((&answer["is_by_leader"], &answer["is_stale"]), (&json!(true), &json!(false)));
    assert_eq!(answer["members"][0]["node_id"], ONE);
    assert_eq!(
        answer["members"][1],
        json!({
            "node_id": TWO, "address": "a:1", "role": "learner", "is_leader": false,
            "is_this": false, "is_reachable": false, "lag": 2, "clock_offset": null,
            "version": "0.1.0",
        })
    );
}

#[actix_web::test]
async fn a_change_reports_what_was_done() {
    for (request, changed) in [
        (json!({ "promote": [TWO, TWO] }), format!("promoted {TWO}")),
        (json!({ "lead": TWO }), format!("let {TWO} lead")),
    ] {
        let (status, answer) = change(request).await;
        assert_eq!((status, &answer["changed"]), (StatusCode::OK, &changed.into()));
    }
    let (status, answer) = change(json!({ "demote": [ONE] })).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(answer["error"]["code"], "even_voters");
    let (status, answer) = change(json!({ "replace": TWO, "by": TWO })).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::CONFLICT, &json!("own_place")));
}

#[actix_web::test]
async fn nodes_that_are_as_requested_are_neither_changed_nor_logged() {
    let world = world();
    for (request, changed) in [
        (json!({ "promote": [ONE, ONE] }), format!("nothing changed: {ONE} is a voter already")),
        (json!({ "demote": [TWO] }), format!("nothing changed: {TWO} is a learner already")),
        (json!({ "lead": ONE }), format!("nothing changed: {ONE} leads already")),
    ] {
        let (status, answer) = world.change(request).await;
        assert_eq!((status, &answer["changed"]), (StatusCode::OK, &changed.into()));
    }
    assert!(world.door.activity.recent(1, |_| true).is_empty());
    assert_eq!(*world.cluster.done.lock().unwrap(), [""; 0]);
    let (status, answer) = world.change(json!({ "promote": [ONE, TWO] })).await;
    let changed = format!("promoted {TWO}; {ONE} is a voter already");
    assert_eq!((status, &answer["changed"]), (StatusCode::OK, &changed.into()));
    assert_eq!(world.last_done().await, format!("cluster: promoted {TWO}"));
    assert_eq!(*world.cluster.done.lock().unwrap(), [format!("promote {{{TWO}}}")]);
}

impl World {
    async fn change(&self, request: Value) -> (StatusCode, Value) {
        self.post("/api/v1/cluster/changes", &admin(AdminRole::Admin), request).await
    }

    /// Waits for an event of an operator and returns what was done.
    pub(super) async fn last_done(&self) -> String {
        for _ in 0..1_000 {
            if let Some(event) = self.door.activity.recent(1, |_| true).first()
                && let EventKind::Operation { did, .. } = &event.kind
            {
                return did.clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the change is in no log");
    }
}

#[actix_web::test]
async fn a_change_with_an_unknown_outcome_is_recorded_as_perhaps_done() {
    let world = world();
    let (status, answer) = world.change(json!({ "remove": [TWO] })).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer["error"]["code"], "outcome_unknown");
    assert_eq!(world.last_done().await, format!("perhaps cluster: removed {TWO}"));
}

/// The handler is dropped when its client disconnects.
#[actix_web::test]
async fn a_change_is_recorded_after_its_client_disconnects() {
    let world = world();
    let response = world.change(json!({ "replace": ONE, "by": TWO }));
    let dropped = tokio::time::timeout(Duration::from_millis(50), response).await;
    assert!(dropped.is_err(), "the change is still running");
    assert!(world.door.activity.recent(1, |_| true).is_empty());
    world.cluster.proceed.notify_one();
    assert_eq!(world.last_done().await, format!("cluster: replaced {ONE} by {TWO}"));
    assert_eq!(*world.cluster.done.lock().unwrap(), ["replace 1 2"]);
}

#[actix_web::test]
async fn rejects_changes_that_name_no_node() {
    for request in [
        json!({}),
        json!({ "promote": ONE }),
        json!({ "promote": [] }),
        json!({ "promote": [1] }),
        json!({ "promote": ["1"] }),
        json!({ "promote": ["000000000000000A"] }),
        json!({ "promote": [ONE], "remove": [TWO] }),
        json!({ "replace": ONE }),
        json!({ "lead": null }),
    ] {
        let (status, answer) = change(request.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{request}: {answer}");
    }
}

#[actix_web::test]
async fn an_invitation_expires_after_15_minutes() {
    let world = world();
    let bearer = admin(AdminRole::Admin);
    let (status, answer) = world.post("/api/v1/cluster/invites", &bearer, json!({})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["line"], "jeton-join:1:x");
    assert_eq!(answer["expires_at"], world.door.now().plus(900).to_string());
    assert_eq!(world.last_done().await, "invited a node");
}
