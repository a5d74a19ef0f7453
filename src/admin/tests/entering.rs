//! Who gets in, and who no longer does.

use super::*;

#[actix_web::test]
async fn only_an_admin_token_that_is_valid_now_enters() {
    let world = world();
    let profile = token(&claims(Purpose::Profile(ProfileKind::UserLocked)));
    let expired = token(&Claims {
        issued_at: UnixSeconds::new(NOW - 60),
        ..claims(Purpose::Admin(Role::Admin))
    });
    let elsewhere = token(&Claims {
        network: Some("192.0.2.0/24".parse().unwrap()),
        ..claims(Purpose::Admin(Role::Admin))
    });
    for bad in ["", "x", &profile, &expired, &elsewhere] {
        for uri in ["/api/v1/tokens", "/api/v1/users", "/api/v1/status"] {
            assert_eq!(world.get(uri, bad).await.0, StatusCode::UNAUTHORIZED);
        }
    }
    assert_eq!(world.get("/api/v1/status", &admin(Role::Viewer)).await.0, StatusCode::OK);
}

#[actix_web::test]
async fn a_revoked_admin_token_dies_at_once() {
    let world = world();
    let bearer = admin(Role::Admin);
    let line =
        Revocation::Token { nonce: claims(Purpose::Admin(Role::Admin)).nonce, expires_at: None };
    world.ledger.revoke(line).await.unwrap();
    assert_eq!(world.get("/api/v1/status", &bearer).await.0, StatusCode::UNAUTHORIZED);
}
