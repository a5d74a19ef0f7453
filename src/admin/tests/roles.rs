//! What each role may do.

use super::*;
use crate::admin::api::ROUTES;

/// Returns `true` if a URI matches a route.
fn matches_route(uri: &str, route: &str) -> bool {
    let (parts, wanted): (Vec<_>, Vec<_>) = (uri.split('/').collect(), route.split('/').collect());
    let mut pairs = parts.iter().zip(&wanted);
    parts.len() == wanted.len()
        && pairs.all(|(part, wanted)| part == wanted || wanted.starts_with('{'))
}

/// The table covers all routes. A profile token opens none.
#[actix_web::test]
async fn each_role_may_do_what_the_table_says() {
    let world = minting_world();
    let profile = claims(Purpose::Profile(ProfileKind::UserLocked));
    let profile = token(&Claims { uses: UseLimit::ONCE, ..profile });
    let viewer = [
        (Method::GET, "/api/v1/session", Value::Null),
        (Method::GET, "/api/v1/status", Value::Null),
        (Method::GET, "/api/v1/state", Value::Null),
        (Method::GET, "/api/v1/tokens", Value::Null),
        (Method::GET, "/api/v1/users", Value::Null),
        (Method::GET, "/api/v1/activity", Value::Null),
        (Method::GET, "/api/v1/cluster", Value::Null),
        (Method::POST, "/api/v1/inspect", json!({ "token": profile })),
    ];
    let operator = [
        (Method::POST, "/api/v1/tokens", json!({ "user": "alice" })),
        (Method::POST, "/api/v1/records", json!({ "token": profile })),
        (Method::POST, "/api/v1/revocations", json!({ "batch": "00000000" })),
        (Method::POST, "/api/v1/revocations", json!({ "user": "bob" })),
    ];
    let admin_only = [
        (Method::PUT, "/api/v1/users/alice/autologin", json!({ "allowed": true })),
        (Method::POST, "/api/v1/revocations", json!({ "key": "00000000" })),
        (Method::POST, "/api/v1/cluster/invites", json!({})),
        (Method::POST, "/api/v1/cluster/changes", json!({ "lead": "0000000000000001" })),
    ];
    let table = [
        (AdminRole::Viewer, viewer.as_slice()),
        (AdminRole::Operator, operator.as_slice()),
        (AdminRole::Admin, admin_only.as_slice()),
    ];
    let requests = || table.iter().flat_map(|(_, requests)| requests.iter());
    for route in ROUTES.iter().filter(|route| route.path.starts_with("/api/")) {
        let is_listed = |(method, uri, _): &(Method, &str, Value)| {
            *method == route.method && matches_route(uri, route.path)
        };
        assert!(requests().any(is_listed), "{} {} is missing", route.method, route.path);
    }
    for (needed, requests) in table {
        for (method, uri, body) in requests {
            for role in [AdminRole::Viewer, AdminRole::Operator, AdminRole::Admin] {
                let bearer = admin(role);
                let (status, answer) = world.ask(method.clone(), uri, &bearer, body.clone()).await;
                if needed <= role {
                    assert!(status.is_success(), "{role}: {method} {uri}: {answer}");
                } else {
                    assert_eq!(status, StatusCode::FORBIDDEN, "{role}: {method} {uri}");
                    assert_eq!(answer["error"]["code"], "role");
                }
            }
            for bearer in [&profile, "x"] {
                let (status, _) = world.ask(method.clone(), uri, bearer, body.clone()).await;
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {uri}");
            }
        }
    }
}

#[actix_web::test]
async fn only_an_admin_revokes_keys_except_the_key_in_use() {
    let world = world();
    let other = json!({ "key": "00000000" });
    let own = json!({ "key": key(KeyPurpose::Admin).verifying_key().id().to_string() });
    for (role, request, expected) in [
        (AdminRole::Operator, &other, StatusCode::FORBIDDEN),
        (AdminRole::Admin, &own, StatusCode::CONFLICT),
        (AdminRole::Admin, &other, StatusCode::OK),
    ] {
        let bearer = admin(role);
        let (status, _) = world.post("/api/v1/revocations", &bearer, request.clone()).await;
        assert_eq!(status, expected, "{role} {request}");
    }
    assert_eq!(world.get("/api/v1/status", &admin(AdminRole::Viewer)).await.0, StatusCode::OK);
}
