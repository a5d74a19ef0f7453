//! Who gets in, and who no longer does.

use std::time::Duration;

use super::*;
use crate::admin::api::ROUTES;
use crate::admin::door::Changeable;
use crate::ledger::LedgerError;

#[actix_web::test]
async fn only_an_admin_token_that_is_valid_now_enters() {
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
async fn a_revoked_admin_token_dies_at_once() {
    let world = world();
    let bearer = admin(AdminRole::Admin);
    let line = Revocation::Token {
        nonce: claims(Purpose::Admin(AdminRole::Admin)).nonce,
        expires_at: None,
    };
    world.ledger.revoke(line).await.unwrap();
    assert_eq!(world.get("/api/v1/status", &bearer).await.0, StatusCode::UNAUTHORIZED);
}

/// To revoke a user is to revoke his profiles; else any operator could shut out
/// the admins, one by one.
#[actix_web::test]
async fn an_operator_of_a_revoked_name_still_enters() {
    let world = world();
    let wish = json!({ "user": "root" });
    let (status, _) = world.post("/api/v1/revocations", &admin(AdminRole::Operator), wish).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(world.get("/api/v1/status", &admin(AdminRole::Admin)).await.0, StatusCode::OK);
}

/// The handler of a client that leaves is dropped where it stands.
#[actix_web::test]
async fn a_change_is_written_down_though_nobody_waits_for_it() {
    let world = world();
    let request = test::TestRequest::default()
        .insert_header(("Authorization", format!("Bearer {}", admin(AdminRole::Admin))))
        .to_http_request();
    let operator = world.door.enter(&request, AdminRole::Admin).unwrap();
    let (go, gone) = tokio::sync::oneshot::channel::<()>();
    let slow = |_: Changeable| async move { gone.await.map_err(|_| LedgerError::Overloaded) };
    let change = world.door.change(operator, "revoked all".to_owned(), slow);
    let left = tokio::time::timeout(Duration::from_millis(10), change).await;
    assert!(left.is_err(), "the client is gone");
    go.send(()).unwrap();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if !world.door.activity.recent(1, |_| true).is_empty() {
            return;
        }
    }
    panic!("a change that is in no log");
}

/// An operator has to see why a node gives nothing, and can do nothing else there:
/// what it knows of revocations may be old.
#[actix_web::test]
async fn a_node_that_was_cut_off_shows_how_the_nodes_are_and_nothing_else() {
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
    for row in ROUTES {
        let is_open =
            row.path.ends_with("z") || row.path == "/metrics" || row.path.ends_with("json");
        if is_open || ["/api/v1/cluster", "/api/v1/status"].contains(&row.path) {
            continue;
        }
        let uri = row.path.replace("{user}", "alice");
        let (status, answer) = world.ask(row.method.clone(), &uri, &bearer, json!({})).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{uri}");
        assert_eq!(answer["error"]["code"], "ledger_unavailable", "{uri}");
    }
    // What it does know counts.
    let nonce = claims(Purpose::Admin(AdminRole::Admin)).nonce;
    world.ledger.revoke(Revocation::Token { nonce, expires_at: None }).await.unwrap();
    for uri in ["/api/v1/cluster", "/api/v1/status"] {
        assert_eq!(world.get(uri, &bearer).await.0, StatusCode::UNAUTHORIZED);
    }
}
