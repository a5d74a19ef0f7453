//! Users, the prospects of tokens, the state hash and the activity.

use super::*;

#[actix_web::test]
async fn users_have_their_permission() {
    let world = world();
    let bearer = admin(AdminRole::Admin);
    let request = json!({ "allowed": true });
    world.ask(Method::PUT, "/api/v1/users/b%40example.com/autologin", &bearer, request).await;
    let (_, users) = world.get("/api/v1/users", &bearer).await;
    let expected = json!({ "users": [
        { "user": "alice", "autologin": false, "profile": true },
        { "user": "b@example.com", "autologin": true, "profile": false },
    ]});
    assert_eq!(users, expected);
    let (status, body) = world
        .ask(Method::PUT, "/api/v1/users/a%2Fb/autologin", &bearer, json!({ "allowed": true }))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
}

/// A name that older rules allowed must remain deniable.
#[actix_web::test]
async fn a_name_with_steering_characters_can_be_denied_and_not_allowed() {
    let world = world();
    let bearer = admin(AdminRole::Admin);
    let uri = "/api/v1/users/a%E2%80%AEb/autologin";
    for (allowed, expected) in [(true, StatusCode::CONFLICT), (false, StatusCode::OK)] {
        let request = json!({ "allowed": allowed });
        let (status, response) = world.ask(Method::PUT, uri, &bearer, request).await;
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
        let (_, answer) = world.ask(Method::POST, "/api/v1/inspect", &bearer, question).await;
        assert_eq!((&answer["would"], &answer["uses_left"]), (&json!("deliver"), &json!(1)));
    }
    let (_, answer) =
        world.ask(Method::POST, "/api/v1/inspect", &bearer, json!({ "token": "x" })).await;
    assert_eq!(
        (&answer["would"], &answer["reason"]),
        (&json!("refuse"), &json!("token not verified"))
    );
}

#[actix_web::test]
async fn the_state_hash_changes_with_the_state() {
    let world = world();
    let bearer = admin(AdminRole::Admin);
    let (_, before) = world.get("/api/v1/state", &bearer).await;
    let (_, again) = world.get("/api/v1/state", &bearer).await;
    let request = json!({ "allowed": true });
    world.ask(Method::PUT, "/api/v1/users/alice/autologin", &bearer, request).await;
    let (_, after) = world.get("/api/v1/state", &bearer).await;
    let hash = |state: &Value| state["hash"].as_str().unwrap().to_owned();
    assert_eq!(hash(&before), hash(&again));
    assert_ne!(hash(&before), hash(&after));
    assert!(hash(&after).len() == 64 && hash(&after).bytes().all(|b| b.is_ascii_hexdigit()));
}

#[actix_web::test]
async fn viewers_see_changes_newest_first() {
    let world = world();
    let bearer = admin(AdminRole::Admin);
    for allowed in [true, false] {
        let request = json!({ "allowed": allowed });
        world.ask(Method::PUT, "/api/v1/users/alice/autologin", &bearer, request).await;
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
