//! Minting and recording tokens.

use std::time::Duration;

use super::*;
use crate::ledger::{LedgerError, Unavailable};

async fn mint(world: &World, request: Value) -> (StatusCode, Value) {
    world.post("/api/v1/tokens", &admin(AdminRole::Operator), request).await
}

async fn all(world: &World) -> Value {
    world.get("/api/v1/tokens?state=all", &admin(AdminRole::Viewer)).await.1
}

#[actix_web::test]
async fn a_minted_token_verifies_and_is_listed() {
    let world = minting_world();
    let request = json!({
        "user": "alice", "profile_type": "server-locked", "lifetime": 7200, "uses": 3,
        "network": "192.0.2.0/24", "note": "for her phone",
    });
    let (status, answer) = mint(&world, request).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let text = answer["token"].as_str().unwrap();
    let verified = world.door.redeemer.verify(text).unwrap();
    let claims = verified.claims();
    assert_eq!(claims.purpose, Purpose::Profile(ProfileKind::ServerLocked));
    assert_eq!(claims.lifetime.seconds(), 7200);
    assert_eq!(answer["id"], claims.nonce.to_string());
    assert_eq!((&answer["uses"], &answer["network"]), (&json!(3), &json!("192.0.2.0/24")));
    for (name, begins) in [
        ("import_url", "openvpn://import-profile/https://vpn.example.com/rest/"),
        ("download_url", "https://vpn.example.com/rest/GetProfileViaToken"),
        ("share_url", "https://vpn.example.com/t/"),
        ("scan_url", "openvpn://import-profile/https://vpn.example.com/rest/"),
        ("qr_svg", "<svg xmlns="),
    ] {
        assert!(answer[name].as_str().unwrap().starts_with(begins), "{name}: {answer}");
    }
    let list = all(&world).await;
    assert_eq!(list["total"], 1);
    let listed = &list["tokens"][0];
    for name in ["id", "key_id", "batch", "user", "profile_type", "uses", "note", "expires_at"] {
        assert_eq!(listed[name], answer[name], "{name}");
    }
    assert!(listed.get("token").is_none(), "a list has no tokens");
}

#[actix_web::test]
async fn the_defaults_are_one_use_one_hour_and_user_locked() {
    let world = minting_world();
    for request in [
        json!({ "user": "alice" }),
        json!({ "user": "alice", "profile_type": null, "lifetime": null, "uses": null,
            "network": null, "note": null }),
    ] {
        let (_, answer) = mint(&world, request).await;
        assert_eq!((&answer["uses"], &answer["note"]), (&json!(1), &json!("")), "{answer}");
        assert_eq!(answer["profile_type"], "user-locked");
        assert_eq!(answer["expires_at"], UnixSeconds::new(NOW + 3_600).to_string());
    }
    let (_, answer) = mint(&world, json!({ "user": "alice", "uses": "unlimited" })).await;
    assert_eq!(answer["uses"], Value::Null);
}

#[actix_web::test]
async fn a_token_that_would_give_no_profile_is_not_minted() {
    let world = minting_world();
    for (request, status, code, message) in [
        (
            json!({ "user": "alice", "profile_type": "autologin" }),
            StatusCode::FORBIDDEN,
            "need_autologin",
            "need autologin",
        ),
        (
            json!({ "user": "absent" }),
            StatusCode::NOT_FOUND,
            "no_profile",
            "there is no profile to deliver: there is no user-locked profile for absent",
        ),
    ] {
        let (found, answer) = mint(&world, request.clone()).await;
        assert_eq!((found, &answer["error"]["code"]), (status, &json!(code)), "{request}");
        assert_eq!(answer["error"]["message"], message);
    }
    let key_id = key(KeyPurpose::Profile).verifying_key().id();
    world.ledger.revoke(Revocation::Key(key_id)).await.unwrap();
    let (status, answer) = mint(&world, json!({ "user": "alice" })).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::CONFLICT, &json!("dead")));
    world.door.redeemer.replace_keys(
        Keyring::new([(
            "a".into(),
            TrustedKey { purpose: KeyPurpose::Admin, key: *key(KeyPurpose::Admin).verifying_key() },
        )])
        .unwrap(),
    );
    let (status, answer) = mint(&world, json!({ "user": "alice" })).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(answer["error"]["code"], "untrusted_signing_key");
    assert_eq!(all(&world).await["total"], 0);
}

#[actix_web::test]
async fn mints_autologin_for_a_user_with_permission() {
    let world = minting_world();
    let alice = UserName::new("alice").unwrap();
    world.ledger.permit(alice, true).await.unwrap();
    let (status, _) = mint(&world, json!({ "user": "alice", "profile_type": "autologin" })).await;
    assert_eq!(status, StatusCode::CREATED);
}

/// A new link is made in the second in which the user's links were revoked.
#[actix_web::test]
async fn a_token_minted_after_a_revocation_is_valid() {
    let world = minting_world();
    let (_, old) = mint(&world, json!({ "user": "alice" })).await;
    let request = json!({ "user": "alice" });
    world.post("/api/v1/revocations", &admin(AdminRole::Operator), request.clone()).await;
    // The node waits for the next second, and a revocation in the meantime applies.
    let next_second = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.clock.set(UnixSeconds::new(NOW + 1));
    };
    let ((status, new), ()) = tokio::join!(mint(&world, request), next_second);
    assert_eq!(status, StatusCode::CREATED, "{new}");
    assert_eq!(new["issued_at"], UnixSeconds::new(NOW + 1).to_string());
    for (minted, would) in [(&old, "refuse"), (&new, "deliver")] {
        let question = json!({ "token": minted["token"] });
        let (_, answer) = world.post("/api/v1/inspect", &admin(AdminRole::Viewer), question).await;
        assert_eq!(answer["would"], would, "{answer}");
    }
}

#[actix_web::test]
async fn returns_no_token_that_the_ledger_did_not_record() {
    let world = minting_world();
    let fault = LedgerError::Unavailable(Unavailable::NoLeader);
    *world.ledger.fault.lock().unwrap() = Some(fault);
    let (status, answer) = mint(&world, json!({ "user": "alice" })).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.get("token").is_none(), "{answer}");
}

#[actix_web::test]
async fn a_node_without_a_signing_key_does_not_mint() {
    let world = world();
    let (status, answer) = mint(&world, json!({ "user": "alice" })).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (StatusCode::CONFLICT, &json!("no_signing_key"))
    );
    for (world, can) in [(world, false), (minting_world(), true)] {
        for uri in ["/api/v1/session", "/api/v1/status"] {
            let (_, answer) = world.get(uri, &admin(AdminRole::Viewer)).await;
            assert_eq!(answer["can_mint"], can, "{uri}");
        }
    }
}

#[actix_web::test]
async fn a_record_is_listed_before_its_first_use() {
    let world = world();
    let operator = admin(AdminRole::Operator);
    let profile = claims(Purpose::Profile(ProfileKind::UserLocked));
    let profile = Claims { uses: UseLimit::ONCE, ..profile };
    let request = json!({ "token": token(&profile), "note": "on paper" });
    let (status, answer) = world.post("/api/v1/records", &operator, request).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let list = all(&world).await;
    assert_eq!(list["tokens"][0]["note"], "on paper");
    assert_eq!(list["tokens"][0]["state"], "unused");

    let old = Claims { issued_at: UnixSeconds::new(NOW - 101), ..profile.clone() };
    let old = Claims { lifetime: Lifetime::from_seconds(3_600).unwrap(), ..old };
    for (text, status) in [
        ("x".to_owned(), StatusCode::NOT_FOUND),
        (admin(AdminRole::Admin), StatusCode::NOT_FOUND),
        (token(&old), StatusCode::CONFLICT),
    ] {
        let (found, _) = world.post("/api/v1/records", &operator, json!({ "token": text })).await;
        assert_eq!(found, status, "{text}");
    }
    let later = UnixSeconds::new(NOW + 59);
    world.clock.set(later);
    let short = Claims { lifetime: Lifetime::from_seconds(59).unwrap(), ..profile };
    let request = json!({ "token": token(&short) });
    assert_eq!(world.post("/api/v1/records", &operator, request).await.0, StatusCode::CONFLICT);
}
