//! The pages over HTTP: who sees what, and what no page ever holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::dev::ServiceResponse;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::{App, test};

use super::POLICY;
use crate::activity::{Event, What};
use crate::admin::tests::{NOW, World, admin, claims, token, world};
use crate::admin::{configure, security_headers};
use crate::keyring::Keyring;
use crate::ledger::{Ledger as _, Note, Revocation, TokenQuery, TokenRecord};
use crate::mint::tests::minter;
use crate::token::{
    Batch, Claims, KeyId, Nonce, ProfileKind, Purpose, Role, TokenId, UnixSeconds, UserName,
};

const HOST: &str = "127.0.0.1:8444";

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    async fn of(response: ServiceResponse) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = test::read_body(response).await;
        Self { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The cookie it sets, as the browser sends it back.
    fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap().to_owned()
    }
}

impl World {
    async fn request(
        &self,
        method: Method,
        uri: &str,
        headers: &[(&str, &str)],
        form: Option<&[(&str, &str)]>,
    ) -> Answer {
        let app = App::new().wrap(security_headers()).configure(|app| configure(app, &self.door));
        let app = test::init_service(app).await;
        let mut request = test::TestRequest::with_uri(uri)
            .method(method)
            .peer_addr("127.0.0.1:9".parse().unwrap())
            .insert_header(("Host", HOST));
        for header in headers {
            request = request.append_header(*header);
        }
        if let Some(form) = form {
            request = request.set_form(form);
        }
        Answer::of(test::call_service(&app, request.to_request()).await).await
    }

    async fn page(&self, uri: &str, cookie: &str) -> Answer {
        self.request(Method::GET, uri, &[("Cookie", cookie)], None).await
    }

    async fn post_token(&self, token: &str) -> Answer {
        let own = [("Sec-Fetch-Site", "same-origin")];
        self.request(Method::POST, "/sign-in", &own, Some(&[("token", token)])).await
    }

    /// Records a token of `user`, each time another one.
    async fn record(&self, user: &str, note: &str) {
        let mut number = [0; 12];
        let total = self.ledger.tokens(&TokenQuery::default(), UnixSeconds::new(NOW)).total;
        number[4..].copy_from_slice(&u64::try_from(total).unwrap().to_be_bytes());
        let claims = Claims {
            nonce: Nonce::new(Batch([1; 4]), number),
            user: UserName::new(user).unwrap(),
            ..claims(Purpose::Profile(ProfileKind::UserLocked))
        };
        let key_id = KeyId([1; 4]);
        let record = TokenRecord {
            token: TokenId { key_id, nonce: claims.nonce },
            kind: ProfileKind::UserLocked,
            user: claims.user.clone(),
            issued_at: claims.issued_at,
            expires_at: claims.expires_at(),
            uses: claims.uses,
        };
        self.ledger.record(record, Note::new(note).unwrap()).await.unwrap();
    }

    async fn signed_in(&self, role: Role) -> String {
        self.post_token(&admin(role)).await.cookie()
    }
}

#[actix_web::test]
async fn a_token_becomes_a_session_and_a_sign_out_ends_it() {
    let world = world();
    for pasted in
        [admin(Role::Viewer), format!(" http://127.0.0.1:8444/sign-in#{}\n", admin(Role::Viewer))]
    {
        let answer = world.post_token(&pasted).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.header("location"), "/?signed-in=1");
        let set = answer.header("set-cookie");
        assert!(set.starts_with("__Host-jeton="), "{set}");
        assert!(set.ends_with("; HttpOnly; SameSite=Strict; Secure; Path=/"), "{set}");
        let cookie = answer.cookie();
        assert!(!cookie.contains(&admin(Role::Viewer)));
        assert_eq!(world.page("/?signed-in=1", &cookie).await.header("location"), "/users");
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
async fn what_is_no_admin_token_is_told_so() {
    let world = world();
    let profile = token(&claims(Purpose::Profile(ProfileKind::UserLocked)));
    let expired = token(&Claims {
        issued_at: UnixSeconds::new(NOW - 60),
        ..claims(Purpose::Admin(Role::Admin))
    });
    for (pasted, title) in [
        (profile.clone(), "This is a link to a profile"),
        (format!("https://vpn.example.com/t/{profile}"), "This is a link to a profile"),
        (expired, "This admin token has expired"),
        ("<script>alert(1)</script>".to_owned(), "This is no admin token of this node"),
    ] {
        let answer = world.post_token(&pasted).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{title}");
        assert_eq!(answer.header("set-cookie"), "");
        assert!(answer.body.contains(title), "{}", answer.body);
        assert!(!answer.body.contains(&pasted), "what was pasted comes back");
    }
}

#[actix_web::test]
async fn a_session_dies_with_its_token_its_key_and_its_time() {
    let ends: [fn(&World); 2] = [
        |world| world.clock.set(UnixSeconds::new(NOW + 60)),
        |world| world.door.redeemer.replace_keys(Keyring::new([]).unwrap()),
    ];
    for end in ends {
        let world = world();
        let cookie = world.signed_in(Role::Admin).await;
        assert_eq!(world.page("/api/v1/status", &cookie).await.status, StatusCode::OK);
        end(&world);
        let status = world.page("/api/v1/status", &cookie).await.status;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    let world = world();
    let cookie = world.signed_in(Role::Admin).await;
    let nonce = claims(Purpose::Admin(Role::Admin)).nonce;
    world.ledger.revoke(Revocation::Token { nonce, expires_at: None }).await.unwrap();
    assert_eq!(world.page("/api/v1/status", &cookie).await.status, StatusCode::UNAUTHORIZED);
    let answer = world.post_token(&admin(Role::Admin)).await;
    assert!(answer.body.contains("This admin token was revoked"));
}

#[actix_web::test]
async fn a_change_by_cookie_comes_from_an_own_page() {
    let world = world();
    let cookie = world.signed_in(Role::Admin).await;
    let bearer = format!("Bearer {}", admin(Role::Admin));
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
        // The bearer token is what counts where both are sent.
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
        let shown: Vec<_> = headers.iter().filter(|header| header.0 != "Cookie").collect();
        assert_eq!(status, expected, "{shown:?}");
    }
}

#[actix_web::test]
async fn another_sites_page_signs_nobody_in_or_out() {
    let world = world();
    let entry = admin(Role::Viewer);
    let form = [("token", entry.as_str())];
    for (headers, expected) in [
        (&[("Sec-Fetch-Site", "cross-site")][..], StatusCode::FORBIDDEN),
        (&[("Origin", "https://evil.example")], StatusCode::FORBIDDEN),
        (&[], StatusCode::SEE_OTHER),
    ] {
        let answer = world.request(Method::POST, "/sign-in", headers, Some(&form)).await;
        assert_eq!(answer.status, expected, "{headers:?}");
    }
    let cookie = world.signed_in(Role::Viewer).await;
    let cross = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "cross-site")];
    let answer = world.request(Method::POST, "/sign-out", &cross, None).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(world.page("/api/v1/status", &cookie).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_cookie_that_was_not_kept_is_told() {
    let world = world();
    let answer = world.page("/?next=%2Ftokens&signed-in=1", "").await;
    assert_eq!(answer.header("location"), "/sign-in?next=%2Ftokens&why=cookie");
    let answer = world.page(answer.header("location"), "").await;
    assert!(answer.body.contains("did not keep the session"));
    assert!(answer.body.contains(r#"name="next" value="/tokens""#));
}

#[actix_web::test]
async fn pages_have_the_strict_policy_and_are_not_kept() {
    let world = world();
    let cookie = world.signed_in(Role::Admin).await;
    for uri in ["/sign-in", "/users", "/tokens", "/activity", "/nodes", "/users?q=%FF"] {
        let answer = world.page(uri, if uri == "/sign-in" { "" } else { &cookie }).await;
        assert_eq!(answer.header("content-security-policy"), POLICY, "{uri}");
        assert_eq!(answer.header("cache-control"), "no-store", "{uri}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{uri}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{uri}");
    }
}

#[actix_web::test]
async fn who_is_not_signed_in_comes_back_where_he_was() {
    let world = world();
    for (asked, location) in [
        ("/users", "/sign-in?next=%2Fusers"),
        ("/tokens?user=a%26b", "/sign-in?next=%2Ftokens%3Fuser%3Da%2526b"),
    ] {
        assert_eq!(world.page(asked, "").await.header("location"), location);
    }
    let gone = world.page("/nodes", "__Host-jeton=gone").await;
    assert_eq!(gone.header("location"), "/sign-in?next=%2Fnodes&why=ended");
    let form = [("token", &*admin(Role::Viewer)), ("next", "/tokens?user=a%26b")];
    let answer = world.request(Method::POST, "/sign-in", &[], Some(&form)).await;
    let start = world.page(answer.header("location"), &answer.cookie()).await;
    assert_eq!(start.header("location"), "/tokens?user=a%26b");
    let form = [("token", &*admin(Role::Viewer)), ("next", "//evil.example")];
    let answer = world.request(Method::POST, "/sign-in", &[], Some(&form)).await;
    assert_eq!(answer.header("location"), "/?signed-in=1");
}

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

/// Names and notes are written by others.
#[actix_web::test]
async fn hostile_names_and_notes_are_text() {
    let world = world();
    let hostile = r#""><img src=x onerror=alert(1)>'&"#;
    world.record(hostile, hostile).await;
    let name = UserName::new(hostile).unwrap();
    world.ledger.permit(name.clone(), true).await.unwrap();
    world.door.activity.note(Event {
        at: UnixSeconds::new(NOW),
        client: None,
        what: What::Done { operator: name, role: Role::Admin, what: hostile.to_owned() },
    });
    let cookie = world.signed_in(Role::Admin).await;
    let asked = "%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E'%26";
    for uri in [
        "/users".to_owned(),
        format!("/users?q={asked}"),
        "/tokens".to_owned(),
        format!("/tokens?user={asked}"),
        "/activity".to_owned(),
        format!("/activity?user={asked}&event={asked}"),
        format!("/tokens?state={asked}"),
        format!("/tokens?batch={asked}"),
    ] {
        let body = world.page(&uri, &cookie).await.body;
        assert!(!body.contains("<img"), "{uri}: {body}");
        assert!(!body.contains(hostile), "{uri}: {body}");
    }
    let body = world.page("/tokens", &cookie).await.body;
    assert!(body.contains("&#60;img"), "{body}");
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

/// The policy would stop it in the browser; it must not come so far.
#[actix_web::test]
async fn no_template_has_a_style_or_a_script_in_it() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/admin");
    let mut looked_at = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "html") {
            continue;
        }
        looked_at += 1;
        let html = std::fs::read_to_string(&path).unwrap().to_lowercase();
        for banned in ["<style", " style=", "javascript:", "|safe", "<base"] {
            assert!(!html.contains(banned), "{}: {banned}", path.display());
        }
        assert_eq!(
            html.matches("<script").count(),
            html.matches("<script type=\"module\" src=").count()
        );
        let handlers = html.split_whitespace().filter(|word| {
            word.strip_prefix("on").is_some_and(|rest| {
                let name: String = rest.chars().take_while(char::is_ascii_lowercase).collect();
                !name.is_empty() && rest[name.len()..].starts_with('=')
            })
        });
        assert_eq!(handlers.count(), 0, "{}", path.display());
    }
    assert!(looked_at > 4);
}

#[actix_web::test]
async fn assets_are_sent_once_until_they_change() {
    let world = world();
    for (uri, content_type) in [
        ("/assets/jeton.css", "text/css; charset=utf-8"),
        ("/assets/jeton.js", "text/javascript; charset=utf-8"),
        ("/assets/mark.svg", "image/svg+xml"),
    ] {
        let first = world.page(uri, "").await;
        assert_eq!(first.status, StatusCode::OK);
        assert_eq!(first.header("content-type"), content_type);
        assert_eq!(first.header("cache-control"), "no-cache");
        let etag = first.header("etag");
        assert!(etag.starts_with('"'), "{etag}");
        for (known, expected) in [
            (etag, StatusCode::NOT_MODIFIED),
            ("\"other\"", StatusCode::OK),
            ("*", StatusCode::NOT_MODIFIED),
        ] {
            let headers = [(header::IF_NONE_MATCH.as_str(), known)];
            let answer = world.request(Method::GET, uri, &headers, None).await;
            assert_eq!(answer.status, expected);
            assert_eq!(answer.header("etag"), etag);
            assert_eq!(answer.body.is_empty(), expected == StatusCode::NOT_MODIFIED);
        }
    }
}
