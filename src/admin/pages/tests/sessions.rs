//! Signing in, signing out, and when a session ends.

use std::time::Duration;

use super::*;

#[actix_web::test]
async fn a_sign_in_opens_a_session_and_a_sign_out_ends_it() {
    let world = world();
    for pasted in [
        admin(AdminRole::Viewer),
        format!(" http://127.0.0.1:8444/sign-in#{}\n", admin(AdminRole::Viewer)),
    ] {
        let answer = world.post_token(&pasted).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.header("location"), "/?signed-in=1#top");
        let set = answer.header("set-cookie");
        assert!(set.starts_with("__Host-jeton="), "{set}");
        assert!(set.ends_with("; HttpOnly; SameSite=Strict; Secure; Path=/"), "{set}");
        let cookie = answer.cookie();
        assert!(!cookie.contains(&admin(AdminRole::Viewer)));
        assert_eq!(world.page("/?signed-in=1", &cookie).await.header("location"), "/users#top");
        // Without a fragment here, the browser would keep the one with the token.
        assert_eq!(world.page("/sign-in", &cookie).await.header("location"), "/users#signed-in");
        assert_eq!(world.page("/api/v1/status", &cookie).await.status, StatusCode::OK);

        let own = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin")];
        let answer = world.request(Method::POST, "/sign-out", &own, None).await;
        assert_eq!(answer.header("location"), "/sign-in");
        assert!(answer.header("set-cookie").contains("Max-Age=0"));
        let answer = world.page("/api/v1/status", &cookie).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
}

#[actix_web::test]
async fn a_failed_sign_in_says_why() {
    let world = world();
    let profile = token(&claims(Purpose::Profile(ProfileKind::UserLocked)));
    let expired = token(&Claims {
        issued_at: UnixSeconds::new(NOW - 60),
        ..claims(Purpose::Admin(AdminRole::Admin))
    });
    for (pasted, title) in [
        (profile.clone(), "This is a profile link"),
        (format!("https://vpn.example.com/t/{profile}"), "This is a profile link"),
        (expired, "This admin token has expired"),
        ("<script>alert(1)</script>".to_owned(), "This is not an admin token of this node"),
    ] {
        let answer = world.post_token(&pasted).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{title}");
        assert_eq!(answer.header("set-cookie"), "");
        assert!(answer.body.contains(title), "{}", answer.body);
        assert!(!answer.body.contains(&pasted), "the page repeats the input");
    }
}

#[actix_web::test]
async fn a_session_ends_with_its_token_and_with_the_trust_in_its_key() {
    let ends: [fn(&World); 2] = [
        |world| world.clock.set(UnixSeconds::new(NOW + 60)),
        |world| world.door.redeemer.replace_keys(Keyring::new([]).unwrap()),
    ];
    for end in ends {
        let world = world();
        let cookie = world.signed_in(AdminRole::Admin).await;
        assert_eq!(world.page("/api/v1/status", &cookie).await.status, StatusCode::OK);
        end(&world);
        let status = world.page("/api/v1/status", &cookie).await.status;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    let (world, cookie) = signed_in(AdminRole::Admin).await;
    let nonce = claims(Purpose::Admin(AdminRole::Admin)).nonce;
    world.ledger.revoke(Revocation::Token { nonce, expires_at: None }).await.unwrap();
    assert_eq!(world.page("/api/v1/status", &cookie).await.status, StatusCode::UNAUTHORIZED);
    let answer = world.post_token(&admin(AdminRole::Admin)).await;
    assert!(answer.body.contains("This admin token was revoked"));
}

#[actix_web::test]
async fn the_sign_in_page_says_that_a_cookie_was_not_kept() {
    let world = world();
    let answer = world.page("/?next=%2Ftokens&signed-in=1", "").await;
    assert_eq!(answer.header("location"), "/sign-in?next=%2Ftokens&why=cookie");
    let answer = world.page(answer.header("location"), "").await;
    assert!(answer.body.contains("did not keep the session"));
    assert!(answer.body.contains(r#"name="next" value="/tokens""#));
}

#[actix_web::test]
async fn a_sign_in_leads_back_to_the_requested_page() {
    let world = world();
    for (asked, location) in [
        ("/users", "/sign-in?next=%2Fusers"),
        ("/tokens?user=a%26b", "/sign-in?next=%2Ftokens%3Fuser%3Da%2526b"),
    ] {
        assert_eq!(world.page(asked, "").await.header("location"), location);
    }
    let gone = world.page("/nodes", "__Host-jeton=gone").await;
    assert_eq!(gone.header("location"), "/sign-in?next=%2Fnodes&why=ended");
    let form = [("token", &*admin(AdminRole::Viewer)), ("next", "/tokens?user=a%26b")];
    let answer = world.request(Method::POST, "/sign-in", &[], Some(&form)).await;
    let start = world.page(answer.header("location"), &answer.cookie()).await;
    assert_eq!(start.header("location"), "/tokens?user=a%26b#top");
    let form = [("token", &*admin(AdminRole::Viewer)), ("next", "//evil.example")];
    let answer = world.request(Method::POST, "/sign-in", &[], Some(&form)).await;
    assert_eq!(answer.header("location"), "/?signed-in=1#top");
}

#[actix_web::test]
async fn an_invalid_form_is_answered_with_the_form() {
    let world = world();
    let long = "x".repeat(20_000);
    for (form, status) in [
        (&[("next", "/users")][..], StatusCode::BAD_REQUEST),
        (&[("token", "a"), ("token", "b")], StatusCode::BAD_REQUEST),
        (&[("token", long.as_str())], StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let answer = world.request(Method::POST, "/sign-in", &[], Some(form)).await;
        assert_eq!(answer.status, status);
        assert!(answer.body.contains(r#"role="alert""#), "{}", answer.body);
        assert!(answer.body.contains("data-sign-in"), "{}", answer.body);
    }
}

/// A single token cannot evict the sessions of others or fill the log.
#[actix_web::test]
async fn one_token_opens_at_most_eight_sessions_a_minute() {
    let world = world();
    let mut cookies = Vec::new();
    for _ in 0..8 {
        cookies.push(world.post_token(&admin(AdminRole::Viewer)).await.cookie());
    }
    let refused = world.post_token(&admin(AdminRole::Viewer)).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    world.clock.set(UnixSeconds::new(NOW + 59));
    let refused = world.post_token(&admin(AdminRole::Viewer)).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    let status = world.page("/api/v1/status", &cookies[0]).await.status;
    assert_eq!(status, StatusCode::OK, "existing sessions stay");
}

#[actix_web::test]
async fn a_stale_node_allows_signing_in_and_shows_only_the_nodes_page() {
    let world = world();
    *world.ledger.cut_off.lock().unwrap() = Duration::from_secs(12);
    let cookie = world.signed_in(AdminRole::Admin).await;
    let page = world.page("/nodes", &cookie).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.body.contains("not heard from a majority for 12 s (at most 10 s)"),
        "{}",
        page.body
    );
    for uri in ["/users", "/tokens", "/activity"] {
        let page = world.page(uri, &cookie).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{uri}");
        assert!(page.body.contains("href=\"/nodes\""), "{}", page.body);
    }
}
