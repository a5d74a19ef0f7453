//! Revocations.

use super::*;

/// A script that uses the wrong time zone must not bring a token back.
#[actix_web::test]
async fn a_wrong_expiry_does_not_end_a_revocation() {
    let world = world();
    let bearer = admin(AdminRole::Operator);
    let profile =
        Claims { uses: UseLimit::ONCE, ..claims(Purpose::Profile(ProfileKind::UserLocked)) };
    let request =
        json!({ "token": profile.nonce.to_string(), "expires_at": "2026-01-01T00:00:00Z" });
    let other = json!({ "token": "AAAAAAAAAAAAAAAAAAAAAA" });
    for request in [request, other] {
        world.post("/api/v1/revocations", &bearer, request).await;
    }
    let verified = world.door.redeemer.verify(&token(&profile)).unwrap();
    assert!(world.ledger.standing(&verified).unwrap().revoked);
}

#[actix_web::test]
async fn rejects_a_revocation_that_does_not_name_exactly_one_thing() {
    let world = world();
    let bearer = admin(AdminRole::Admin);
    for bad in [
        json!({}),
        json!({ "user": "alice", "key": "00000000" }),
        json!({ "token": "short" }),
        json!({ "batch": "XYZ" }),
        json!({ "key": "0" }),
        json!({ "user": "" }),
        json!({ "users": "alice" }),
        json!({ "batch": "00000000", "expires_at": "2026-12-01T12:00:00Z" }),
        json!({ "token": "AAAAAAAAAAAAAAAAAAAAAA", "user": null }),
        json!({ "token": "AAAAAAAAAAAAAAAAAAAAAA", "expires_at": "2026-12-01T12:00Z" }),
        json!({ "token": "AAAAAAAAAAAAAAAAAAAAAA", "expires_at": "soon" }),
    ] {
        let (status, body) = world.post("/api/v1/revocations", &bearer, bad.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(body["error"]["hint"].is_string(), "{body}");
    }
    let good = json!({ "token": "AAAAAAAAAAAAAAAAAAAAAA", "expires_at": "2026-12-01T12:00:00Z" });
    assert_eq!(world.post("/api/v1/revocations", &bearer, good).await.0, StatusCode::OK);
}
