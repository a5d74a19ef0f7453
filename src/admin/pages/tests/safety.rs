//! Security headers, escaping and assets.

use super::*;

#[actix_web::test]
async fn pages_have_a_strict_policy_and_are_not_stored() {
    let (world, cookie) = signed_in(AdminRole::Admin).await;
    for uri in ["/sign-in", "/users", "/tokens", "/activity", "/nodes", "/users?q=%FF"] {
        let answer = world.page(uri, if uri == "/sign-in" { "" } else { &cookie }).await;
        assert_eq!(answer.header("content-security-policy"), POLICY, "{uri}");
        assert_eq!(answer.header("cache-control"), "no-store", "{uri}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{uri}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{uri}");
    }
}

/// Names and notes are untrusted.
#[actix_web::test]
async fn hostile_names_and_notes_are_escaped() {
    let world = world();
    let hostile = r#""><img src=x onerror=alert(1)>'&"#;
    world.record(hostile, hostile).await;
    let name = UserName::new(hostile).unwrap();
    world.ledger.permit(name.clone(), true).await.unwrap();
    world.door.activity.record(Event {
        at: UnixSeconds::new(NOW),
        client: None,
        kind: EventKind::Operation {
            operator: name,
            role: AdminRole::Admin,
            did: hostile.to_owned(),
        },
    });
    let cookie = world.signed_in(AdminRole::Admin).await;
    let encoded = "%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E'%26";
    for uri in [
        "/users".to_owned(),
        format!("/users?q={encoded}"),
        "/tokens".to_owned(),
        format!("/tokens?user={encoded}"),
        "/activity".to_owned(),
        format!("/activity?user={encoded}&event={encoded}"),
        format!("/tokens?state={encoded}"),
        format!("/tokens?batch={encoded}"),
    ] {
        let body = world.page(&uri, &cookie).await.body;
        assert!(!body.contains("<img"), "{uri}: {body}");
        assert!(!body.contains(hostile), "{uri}: {body}");
    }
    let body = world.page("/tokens", &cookie).await.body;
    assert!(body.contains("&#60;img"), "{body}");
}

/// The policy would block it in browsers, but it must not get that far.
#[actix_web::test]
async fn no_template_has_inline_styles_or_scripts() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/admin");
    let mut checked = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "html") {
            continue;
        }
        checked += 1;
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
    assert!(checked > 4);
}

#[actix_web::test]
async fn assets_are_revalidated_with_their_etag() {
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
