//! Lists of tokens: filters, pages and field names.

use super::*;

/// Returns a world with five tokens of alice and a revoked one of bob.
async fn world_with_six_tokens() -> World {
    let world = minting_world();
    let operator = admin(AdminRole::Operator);
    for lifetime in 1..=5 {
        let request = json!({ "user": "alice", "lifetime": 60 * lifetime, "uses": lifetime });
        world.post("/api/v1/tokens", &operator, request).await;
    }
    world.post("/api/v1/tokens", &operator, json!({ "user": "bob" })).await;
    world.post("/api/v1/revocations", &operator, json!({ "user": "bob" })).await;
    world
}

#[actix_web::test]
async fn a_list_is_filtered_and_comes_in_pages() {
    let world = world_with_six_tokens().await;
    let viewer = admin(AdminRole::Viewer);
    for (query, total) in [
        ("", 5),
        ("?state=all", 6),
        ("?state=revoked", 1),
        ("?state=all&user=bob", 1),
        ("?user=bob", 0),
        ("?profile_type=autologin", 0),
        ("?user=al%69ce&profile_type=user-locked&state=unused", 5),
    ] {
        let (status, list) = world.get(&format!("/api/v1/tokens{query}"), &viewer).await;
        assert_eq!((status, &list["total"]), (StatusCode::OK, &json!(total)), "{query}");
    }
    let (mut uri, mut uses) = ("/api/v1/tokens?limit=2".to_owned(), Vec::new());
    loop {
        let (_, list) = world.get(&uri, &viewer).await;
        assert_eq!(list["total"], 5);
        let tokens = list["tokens"].as_array().unwrap();
        uses.extend(tokens.iter().map(|token| token["uses"].as_u64().unwrap()));
        let Some(next) = list["next"].as_str() else { break };
        uri = format!("/api/v1/tokens?limit=2&after={next}");
    }
    assert_eq!(uses, [1, 2, 3, 4, 5]);
}

#[actix_web::test]
async fn a_token_has_these_fields() {
    let world = world_with_six_tokens().await;
    let (_, list) = world.get("/api/v1/tokens?limit=1", &admin(AdminRole::Viewer)).await;
    let token = &list["tokens"][0];
    let mut names: Vec<_> = token.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names.join(" "),
        "batch expires_at id issued_at key_id note profile_type state used user uses uses_left"
    );
}

#[actix_web::test]
async fn session_and_status_describe_the_token_and_the_node() {
    let world = world();
    let bearer = admin(AdminRole::Operator);
    let (_, session) = world.get("/api/v1/session", &bearer).await;
    assert_eq!((&session["user"], &session["role"]), (&json!("root"), &json!("operator")));
    assert_eq!(session["expires_at"], UnixSeconds::new(NOW + 60).to_string());
    let (_, status) = world.get("/api/v1/status", &bearer).await;
    assert_eq!(status["now"], UnixSeconds::new(NOW).to_string());
    assert_eq!(status["certificate_expires_at"], "2100-01-01T00:00:00Z");
    let keys = status["keys"].as_array().unwrap();
    let purposes: Vec<_> = keys.iter().map(|key| key["purpose"].as_str().unwrap()).collect();
    assert!(purposes.contains(&"admin") && purposes.contains(&"profile"), "{status}");
}
