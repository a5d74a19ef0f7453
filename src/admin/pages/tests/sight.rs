//! Who sees what.

use super::*;

#[actix_web::test]
async fn each_role_sees_the_buttons_that_are_its_own() {
    let world = world();
    world.door.minter.store(Some(Arc::new(minter())));
    world.record("alice", "").await;
    for (role, mints, permits) in
        [(Role::Viewer, false, false), (Role::Operator, true, false), (Role::Admin, true, true)]
    {
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
    let cookie = world.signed_in(Role::Operator).await;
    let users = world.page("/users", &cookie).await.body;
    assert!(users.contains(r#"data-new disabled aria-describedby="no-key""#), "{users}");
    assert!(users.contains("admin.signing_key"));
}

#[actix_web::test]
async fn long_lists_are_paged_and_each_token_comes_once() {
    let world = world();
    for number in 0..250 {
        world.record(&format!("user{number}"), "").await;
    }
    let cookie = world.signed_in(Role::Viewer).await;
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
    let cookie = world.signed_in(Role::Viewer).await;
    for (uri, status) in [
        ("/activity?event=refused", StatusCode::OK),
        ("/activity?event=refusal", StatusCode::BAD_REQUEST),
        ("/activity?user=a%2Fb", StatusCode::BAD_REQUEST),
        ("/tokens?state=dead", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(world.page(uri, &cookie).await.status, status, "{uri}");
    }
}
