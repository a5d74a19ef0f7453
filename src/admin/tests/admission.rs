//! Which admin tokens are admitted.

use std::time::Duration;

use super::*;
use crate::admin::api::ROUTES;
use crate::admin::door::Changeable;
use crate::ledger::LedgerError;

#[actix_web::test]
async fn admits_only_an_admin_token_that_is_valid_now() {
    let world = world();
    let profile = token(&claims(Purpose::Profile(ProfileKind::UserLocked)));
    let expired = token(&Claims {
        issued_at: UnixSeconds::new(NOW - 60),
        ..claims(Purpose::Admin(AdminRole::Admin))
    });
    let elsewhere = token(&Claims {
        network: Some("192.0.2.0/24".parse().unwrap()),
        ..claims(Purpose::Admin(AdminRole::Admin))
    });
    for bad in ["", "x", &profile, &expired, &elsewhere] {
        for uri in ["/api/v1/tokens", "/api/v1/users", "/api/v1/status"] {
            assert_eq!(world.get(uri, bad).await.0, StatusCode::UNAUTHORIZED);
        }
    }
    assert_eq!(world.get("/api/v1/status", &admin(AdminRole::Viewer)).await.0, StatusCode::OK);
}

#[actix_web::test]
async fn rejects_a_revoked_admin_token_at_once() {
    let world = world();
    let bearer = admin(AdminRole::Admin);
    let revocation = Revocation::Token {
        nonce: claims(Purpose::Admin(AdminRole::Admin)).nonce,
        expires_at: None,
    };
    world.ledger.revoke(revocation).await.unwrap();
    assert_eq!(world.get("/api/v1/status", &bearer).await.0, StatusCode::UNAUTHORIZED);
}

/// Revoking a user revokes profile tokens only. Otherwise any operator could lock out the admins.
#[actix_web::test]
async fn admits_an_operator_whose_name_is_revoked() {
    let world = world();
    let request = json!({ "user": "root" });
    let (status, _) = world.post("/api/v1/revocations", &admin(AdminRole::Operator), request).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(world.get("/api/v1/status", &admin(AdminRole::Admin)).await.0, StatusCode::OK);
}

/// The handler is dropped when its client disconnects.
#[actix_web::test]
async fn records_a_change_whose_caller_is_gone() {
    let world = world();
    let request = test::TestRequest::default()
        .insert_header(("Authorization", format!("Bearer {}", admin(AdminRole::Admin))))
        .to_http_request();
    let operator = world.door.enter(&request, AdminRole::Admin).unwrap();
    let (finish, finished) = tokio::sync::oneshot::channel::<()>();
    let slow = |_: Changeable| async move { finished.await.map_err(|_| LedgerError::Overloaded) };
    let change = world.door.change(operator, "revoked all".to_owned(), slow);
    let dropped = tokio::time::timeout(Duration::from_millis(10), change).await;
    assert!(dropped.is_err(), "the change is still running");
    finish.send(()).unwrap();
    assert_eq!(world.last_done().await, "revoked all");
}

/// An operator must see why the node delivers nothing. Its revocations may be out of date, so it
/// allows nothing else.
#[actix_web::test]
async fn a_node_that_is_cut_off_shows_the_state_of_the_nodes_and_nothing_else() {
    let world = world();
    *world.ledger.cut_off.lock().unwrap() = Duration::from_secs(12);
    let bearer = admin(AdminRole::Admin);
    for uri in ["/api/v1/cluster", "/api/v1/status"] {
        let (status, answer) = world.get(uri, &bearer).await;
        assert_eq!(status, StatusCode::OK, "{uri}: {answer}");
        assert_eq!(answer["is_stale"], true);
        assert_eq!(answer["last_heard"], UnixSeconds::new(NOW - 12).to_string());
    }
    let alarms = world.get("/api/v1/cluster", &bearer).await.1["alarms"].take();
    assert!(alarms[0].as_str().unwrap().contains("for 12 s (at most 10 s)"), "{alarms}");
    for route in ROUTES {
        let is_open =
            route.path.ends_with("z") || route.path == "/metrics" || route.path.ends_with("json");
        if is_open || ["/api/v1/cluster", "/api/v1/status"].contains(&route.path) {
            continue;
        }
        let uri = route.path.replace("{user}", "alice");
        let (status, answer) = world.ask(route.method.clone(), &uri, &bearer, json!({})).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{uri}");
        assert_eq!(answer["error"]["code"], "ledger_unavailable", "{uri}");
    }
    // The revocations that it does know apply.
    let nonce = claims(Purpose::Admin(AdminRole::Admin)).nonce;
    world.ledger.revoke(Revocation::Token { nonce, expires_at: None }).await.unwrap();
    for uri in ["/api/v1/cluster", "/api/v1/status"] {
        assert_eq!(world.get(uri, &bearer).await.0, StatusCode::UNAUTHORIZED);
    }
}
