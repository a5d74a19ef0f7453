//! Requests that pages of other sites can make a browser send.

use super::*;

#[actix_web::test]
async fn a_change_by_cookie_must_come_from_the_same_origin() {
    let (world, cookie) = signed_in(AdminRole::Admin).await;
    let bearer = format!("Bearer {}", admin(AdminRole::Admin));
    let cookie = ("Cookie", cookie.as_str());
    let bearer = ("Authorization", bearer.as_str());
    let cross = ("Sec-Fetch-Site", "cross-site");
    let own = "http://127.0.0.1:8444";
    for (headers, expected) in [
        (vec![cookie], StatusCode::FORBIDDEN),
        (vec![cookie, cross], StatusCode::FORBIDDEN),
        (vec![cookie, ("Sec-Fetch-Site", "same-site")], StatusCode::FORBIDDEN),
        (vec![cookie, ("Origin", "https://evil.example")], StatusCode::FORBIDDEN),
        (vec![cookie, ("Origin", "null")], StatusCode::FORBIDDEN),
        (vec![cookie, ("Sec-Fetch-Site", "same-origin")], StatusCode::OK),
        (vec![cookie, ("Origin", own)], StatusCode::OK),
        (vec![bearer], StatusCode::OK),
        (vec![bearer, cross], StatusCode::OK),
        // If both are sent, only the bearer token counts.
        (vec![cookie, ("Authorization", "Bearer x"), cross], StatusCode::UNAUTHORIZED),
        (vec![cookie, ("Authorization", "Basic eA==")], StatusCode::UNAUTHORIZED),
    ] {
        let app = App::new().configure(|app| configure(app, &world.door));
        let app = test::init_service(app).await;
        let mut request = test::TestRequest::put()
            .uri("/api/v1/users/alice/autologin")
            .peer_addr("127.0.0.1:9".parse().unwrap())
            .insert_header(("Host", HOST))
            .set_json(serde_json::json!({ "allowed": true }));
        for header in &headers {
            request = request.append_header(*header);
        }
        let status = test::call_service(&app, request.to_request()).await.status();
        let without_cookie: Vec<_> = headers.iter().filter(|header| header.0 != "Cookie").collect();
        assert_eq!(status, expected, "{without_cookie:?}");
    }
}

#[actix_web::test]
async fn refuses_sign_in_and_sign_out_from_another_site() {
    let world = world();
    let token = admin(AdminRole::Viewer);
    let form = [("token", token.as_str())];
    for (headers, expected) in [
        (&[("Sec-Fetch-Site", "cross-site")][..], StatusCode::FORBIDDEN),
        (&[("Origin", "https://evil.example")], StatusCode::FORBIDDEN),
        (&[], StatusCode::SEE_OTHER),
    ] {
        let answer = world.request(Method::POST, "/sign-in", headers, Some(&form)).await;
        assert_eq!(answer.status, expected, "{headers:?}");
    }
    let cookie = world.signed_in(AdminRole::Viewer).await;
    let cross = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "cross-site")];
    let answer = world.request(Method::POST, "/sign-out", &cross, None).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(world.page("/api/v1/status", &cookie).await.status, StatusCode::OK);
}
