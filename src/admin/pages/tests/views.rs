//! The contents of the pages.

use super::*;

#[actix_web::test]
async fn each_role_sees_only_the_buttons_it_may_use() {
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
        assert_eq!(tokens.contains("Revoke all links of alice"), mints, "{role}");
    }
}

#[actix_web::test]
async fn a_node_that_cannot_mint_says_why() {
    let (world, cookie) = signed_in(AdminRole::Operator).await;
    let users = world.page("/users", &cookie).await.body;
    assert!(users.contains(r#"data-new disabled aria-describedby="no-key""#), "{users}");
    assert!(users.contains("admin.signing_key"));
    world.door.mint_with(minter());
    let users = world.page("/users", &cookie).await.body;
    assert!(users.contains("does not trust its own signing key"), "{users}");
}

#[actix_web::test]
async fn long_lists_are_paged_and_show_each_token_once() {
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
async fn the_nodes_page_shows_members_and_alarms() {
    let world = world();
    let nodes = world.page("/nodes", &world.signed_in(AdminRole::Viewer).await).await.body;
    for expected in [
        "1 voter, 1 learner",
        "<code>0000000000000002</code><small>a:1</small>",
        r#"<td role="cell" data-label="Entries behind">2</td>"#,
        r#"<span class="badge revoked">No</span>"#,
        "Node 0000000000000002 at a:1 has not been heard from for 6 s.",
    ] {
        assert!(nodes.contains(expected), "{expected}: {nodes}");
    }
}

#[actix_web::test]
async fn an_unknown_address_gives_browsers_a_page_and_programs_none() {
    let world = world();
    let browser = [("Accept", "text/html,*/*;q=0.8")];
    let answer = world.request(Method::GET, "/nothing", &browser, None).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.body.contains("Page not found"));
    for uri in ["/nothing", "/api/v1/nothing"] {
        let headers: &[_] = if uri == "/nothing" { &[] } else { &browser };
        let answer = world.request(Method::GET, uri, headers, None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert!(!answer.body.contains("<html"), "{uri}");
    }
}

/// Ignoring the filter would show too much.
#[actix_web::test]
async fn refuses_an_invalid_filter() {
    let (world, cookie) = signed_in(AdminRole::Viewer).await;
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
async fn an_invalid_query_is_explained_on_a_page() {
    let (world, cookie) = signed_in(AdminRole::Viewer).await;
    for (uri, what) in [
        ("/tokens?state=bogus", "invalid state: "),
        ("/tokens?batch=x", "8 hex digits"),
        ("/tokens?after=x", "invalid list position: "),
        ("/tokens?user=a&user=b", "a parameter occurs twice"),
    ] {
        let answer = world.page(uri, &cookie).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{uri}");
        assert!(answer.body.contains(what), "{}", answer.body);
        assert!(answer.body.contains(r#"href="/tokens""#), "{}", answer.body);
        assert!(!answer.body.contains("openapi"), "{}", answer.body);
    }
}

#[actix_web::test]
async fn an_empty_list_offers_only_useful_actions() {
    let (world, cookie) = signed_in(AdminRole::Operator).await;
    let ghost = world.page("/tokens?user=ghost", &cookie).await.body;
    assert!(ghost.contains("0 links of"), "{ghost}");
    assert!(!ghost.contains("Revoke all") && !ghost.contains("Show all states"), "{ghost}");
    // Some of her links may have been minted offline.
    let alice = world.page("/tokens?user=alice", &cookie).await.body;
    assert!(alice.contains("Revoke all links of alice"), "{alice}");

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
async fn an_empty_log_shows_no_last_entry() {
    let (world, cookie) = signed_in(AdminRole::Viewer).await;
    let nodes = world.page("/nodes", &cookie).await.body;
    assert!(nodes.contains("None yet") && !nodes.contains("1970"), "{nodes}");
}
