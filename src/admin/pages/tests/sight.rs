//! Who sees what.

use super::*;

#[actix_web::test]
async fn each_role_sees_the_buttons_that_are_its_own() {
    let world = minting_world();
    world.record("alice", "").await;
    for (role, mints, permits) in [
        (AdminRole::Viewer, false, false),
        (AdminRole::Operator, true, false),
        (AdminRole::Admin, true, true),
    ] {
        let cookie = world.signed_in(role).await;
        let users = world.page("/users", &cookie).await.body;
        let tokens = world.page("/tokens?user=alice", &cookie).await.body;
        assert_eq!(users.contains("New Token URL"), mints, "{role}");
        assert_eq!(users.contains("<dialog"), mints, "{role}");
        assert_eq!(users.contains(r#"role="switch""#), permits, "{role}");
        assert_eq!(tokens.contains("data-revoke>"), mints, "{role}");
        assert_eq!(tokens.contains("Revoke all of alice"), mints, "{role}");
    }
}

#[actix_web::test]
async fn a_node_without_a_signing_key_says_what_to_do() {
    let world = world();
    let cookie = world.signed_in(AdminRole::Operator).await;
    let users = world.page("/users", &cookie).await.body;
    assert!(users.contains(r#"data-new disabled aria-describedby="no-key""#), "{users}");
    assert!(users.contains("admin.signing_key"));
    world.door.minter.store(Some(Arc::new(minter())));
    let users = world.page("/users", &cookie).await.body;
    assert!(users.contains("does not trust the key that it signs with"), "{users}");
}

#[actix_web::test]
async fn long_lists_are_paged_and_each_token_comes_once() {
    let world = world();
    for number in 0..250 {
        world.record(&format!("user{number}"), "").await;
    }
    let cookie = world.signed_in(AdminRole::Viewer).await;
    let mut seen = BTreeSet::new();
    let mut uri = "/tokens?state=unused".to_owned();
    for expected in [100, 100, 50] {
        let body = world.page(&uri, &cookie).await.body;
        assert!(body.contains("250 links"));
        let ids: Vec<_> =
            body.split("data-id=\"").skip(1).map(|rest| rest[..22].to_owned()).collect();
        assert_eq!(ids.len(), expected);
        seen.extend(ids);
        let next = body.split(" rel=\"next\"").next().unwrap();
        let next = next.rsplit("href=\"").next().unwrap();
        uri = next.trim_end_matches('"').replace("&#38;", "&");
    }
    assert_eq!(seen.len(), 250);
}

#[actix_web::test]
async fn the_nodes_are_told_with_what_has_to_be_looked_at() {
    let world = world();
    let nodes = world.page("/nodes", &world.signed_in(AdminRole::Viewer).await).await.body;
    for words in [
        "1 voter, 1 learner",
        "<code>0000000000000002</code><small>a:1</small>",
        r#"<td role="cell" data-label="Entries behind">2</td>"#,
        r#"<span class="badge revoked">No</span>"#,
        "Node 0000000000000002 at a:1 has not been heard from for 6 s.",
    ] {
        assert!(nodes.contains(words), "{words}: {nodes}");
    }
}

#[actix_web::test]
async fn a_browser_that_is_lost_gets_a_page_and_a_program_does_not() {
    let world = world();
    let browser = [("Accept", "text/html,*/*;q=0.8")];
    let answer = world.request(Method::GET, "/nothing", &browser, None).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.body.contains("There is no such page"));
    for uri in ["/nothing", "/api/v1/nothing"] {
        let headers: &[_] = if uri == "/nothing" { &[] } else { &browser };
        let answer = world.request(Method::GET, uri, headers, None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert!(!answer.body.contains("<html"), "{uri}");
    }
}

/// A list that silently leaves the filter out would show too much.
#[actix_web::test]
async fn a_filter_that_is_not_understood_is_refused() {
    let world = world();
    let cookie = world.signed_in(AdminRole::Viewer).await;
    for (uri, status) in [
        ("/activity?event=refused", StatusCode::OK),
        ("/activity?event=refusal", StatusCode::BAD_REQUEST),
        ("/activity?user=a%2Fb", StatusCode::BAD_REQUEST),
        ("/tokens?state=dead", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(world.page(uri, &cookie).await.status, status, "{uri}");
    }
}

#[actix_web::test]
async fn an_address_that_is_not_understood_is_told_to_people() {
    let world = world();
    let cookie = world.signed_in(AdminRole::Viewer).await;
    for (uri, what) in [
        ("/tokens?state=bogus", "the state (it is one of live,"),
        ("/tokens?batch=x", "8 hex digits"),
        ("/tokens?after=x", "the place to go on from"),
        ("/tokens?user=a&user=b", "it says something twice"),
    ] {
        let answer = world.page(uri, &cookie).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{uri}");
        assert!(answer.body.contains(what), "{}", answer.body);
        assert!(answer.body.contains(r#"href="/tokens""#), "{}", answer.body);
        assert!(!answer.body.contains("openapi"), "{}", answer.body);
    }
}

#[actix_web::test]
async fn an_empty_list_offers_only_what_makes_sense() {
    let world = world();
    let cookie = world.signed_in(AdminRole::Operator).await;
    let ghost = world.page("/tokens?user=ghost", &cookie).await.body;
    assert!(ghost.contains("0 links of"), "{ghost}");
    assert!(!ghost.contains("Revoke all") && !ghost.contains("Show all states"), "{ghost}");
    // Some of hers may have been minted offline.
    let alice = world.page("/tokens?user=alice", &cookie).await.body;
    assert!(alice.contains("Revoke all of alice"), "{alice}");

    world.record("bob", "").await;
    let name = UserName::new("bob").unwrap();
    let now = UnixSeconds::new(NOW);
    world.ledger.revoke(Revocation::User { user: name, issued_until: now }).await.unwrap();
    let bob = world.page("/tokens?user=bob", &cookie).await.body;
    assert!(bob.contains(r#"<a href="/tokens?user=bob&#38;state=all">Show all states"#), "{bob}");
    let all = world.page("/tokens", &cookie).await.body;
    assert!(all.contains("No live links"), "{all}");
}

#[actix_web::test]
async fn a_log_without_entries_has_no_last_one() {
    let world = world();
    let cookie = world.signed_in(AdminRole::Viewer).await;
    let nodes = world.page("/nodes", &cookie).await.body;
    assert!(nodes.contains("None yet") && !nodes.contains("1970"), "{nodes}");
}
