//! Users, inspected tokens, the state hash and the activity.

use super::*;

#[actix_web::test]
async fn users_have_their_permission() {
    let world = world();
    world.permit("b%40example.com", true).await;
    let (_, users) = world.get("/api/v1/users", &admin(AdminRole::Viewer)).await;
    let expected = json!({ "users": [
        { "user": "alice", "autologin": false, "profile": true },
        { "user": "b@example.com", "autologin": true, "profile": false },
    ]});
    assert_eq!(users, expected);
    let (status, body) = world.permit("a%2Fb", true).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
}

/// A name that older rules allowed must remain deniable.
#[actix_web::test]
async fn a_name_with_steering_characters_can_be_denied_and_not_allowed() {
    let world = world();
    for (allowed, expected) in [(true, StatusCode::CONFLICT), (false, StatusCode::OK)] {
        let (status, response) = world.permit("a%E2%80%AEb", allowed).await;
        assert_eq!(status, expected, "{response}");
    }
}

#[actix_web::test]
async fn inspecting_reports_the_outcome_and_spends_nothing() {
    let world = world();
    let bearer = admin(AdminRole::Viewer);
    let profile = token(&Claims {
        uses: UseLimit::ONCE,
        ..claims(Purpose::Profile(ProfileKind::UserLocked))
    });
    for _ in 0..3 {
        let question = json!({ "token": profile });
        let (_, answer) = world.post("/api/v1/inspect", &bearer, question).await;
        assert_eq!((&answer["would"], &answer["uses_left"]), (&json!("deliver"), &json!(1)));
    }
    let (_, answer) = world.post("/api/v1/inspect", &bearer, json!({ "token": "x" })).await;
    let expected = (&json!("refuse"), &json!("token not verified"));
    assert_eq!((&answer["would"], &answer["reason"]), expected);
}

#[actix_web::test]
async fn the_state_hash_changes_with_the_state() {
    let world = world();
    let bearer = admin(AdminRole::Admin);
    let (_, before) = world.get("/api/v1/state", &bearer).await;
    let (_, again) = world.get("/api/v1/state", &bearer).await;
    world.permit("alice", true).await;
    let (_, after) = world.get("/api/v1/state", &bearer).await;
    let hash = |state: &Value| state["hash"].as_str().unwrap().to_owned();
    assert_eq!(hash(&before), hash(&again));
    assert_ne!(hash(&before), hash(&after));
    assert!(hash(&after).len() == 64 && hash(&after).bytes().all(|b| b.is_ascii_hexdigit()));
}

#[actix_web::test]
async fn viewers_see_changes_newest_first() {
    let world = world();
    for allowed in [true, false] {
        world.permit("alice", allowed).await;
    }
    let viewer = admin(AdminRole::Viewer);
    let (_, all) = world.get("/api/v1/activity", &viewer).await;
    let event = |did: &str| {
        json!({
            "at": "2026-09-21T14:13:20Z", "event": "operation", "client": "127.0.0.1",
            "operator": "root", "role": "admin", "did": did,
        })
    };
    let (first, last) = (event("denied autologin for alice"), event("allowed autologin for alice"));
    assert_eq!(all, json!({ "events": [first, last] }));
    let (_, one) = world.get("/api/v1/activity?limit=1&user=root&event=operation", &viewer).await;
    assert_eq!(one, json!({ "events": [first] }));
    let (_, none) = world.get("/api/v1/activity?user=alice", &viewer).await;
    assert_eq!(none, json!({ "events": [] }));
    let (status, _) = world.get("/api/v1/activity?users=alice", &viewer).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}
