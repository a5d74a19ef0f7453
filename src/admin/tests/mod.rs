//! The operators' door over HTTP, on a ledger in memory.

mod document;
mod lists;
mod members;
mod minting;
mod strictness;

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::http::{Method, StatusCode};
use actix_web::{App, test};
use arc_swap::ArcSwapOption;
use serde_json::{Value, json};

use super::{AdminDoor, ServedCertificate, Sessions, configure};
use crate::cache::CacheSizes;
use crate::clock::ManualClock;
use crate::keyring::Keyring;
use crate::ledger::volatile::VolatileLedger;
use crate::ledger::{Ledger as _, Revocation};
use crate::metrics::Metrics;
use crate::mint::Minter;
use crate::profile::{Fingerprint, Profile, ProfileError, ProfileSource};
use crate::redeem::Redeemer;
use crate::token::{
    Batch, Claims, KeyPurpose, Lifetime, Nonce, ProfileKind, Purpose, Role, SigningKey, TrustedKey,
    UnixSeconds, UseLimit, UserName, sign,
};

pub(super) const NOW: u64 = 1_790_000_000;

#[derive(Debug)]
struct Alice;

impl ProfileSource for Alice {
    fn users(&self) -> Result<Vec<UserName>, ProfileError> {
        Ok(vec![UserName::new("alice").unwrap()])
    }

    fn load(
        &self,
        user: &UserName,
        kind: ProfileKind,
        _: UnixSeconds,
    ) -> Result<Profile, ProfileError> {
        if user.as_str() == "nobody" {
            return Err(ProfileError::NotFound { user: user.clone(), kind });
        }
        Ok(Profile::new("profile".to_owned().into(), None))
    }

    fn fingerprint(&self, _: &UserName, _: ProfileKind) -> Fingerprint {
        Fingerprint::default()
    }
}

/// A certificate that ends in another century.
#[derive(Debug)]
struct Forever;

impl ServedCertificate for Forever {
    fn not_after(&self) -> UnixSeconds {
        UnixSeconds::new(4_102_444_800)
    }
}

pub(super) struct World {
    pub(super) door: Arc<AdminDoor>,
    pub(super) ledger: Arc<VolatileLedger>,
    pub(super) clock: Arc<ManualClock>,
}

pub(super) fn world() -> World {
    let clock = Arc::new(ManualClock::at(UnixSeconds::new(NOW)));
    let ledger = Arc::new(VolatileLedger::new(UnixSeconds::new(NOW - 100), clock.clone()));
    let keys = KeyPurpose::ALL.map(|purpose| {
        let trusted = TrustedKey { purpose, key: *key(purpose).verifying_key() };
        (purpose.to_string().into(), trusted)
    });
    let redeemer = Arc::new(Redeemer::new(
        Keyring::new(keys).unwrap(),
        Box::new(Alice),
        ledger.clone(),
        clock.clone(),
        CacheSizes::default(),
    ));
    World {
        door: Arc::new(AdminDoor {
            redeemer,
            ledger: ledger.clone(),
            cluster: Arc::new(members::TwoNodes::default()),
            inviter: Some(Arc::new(members::Invites)),
            activity: Arc::default(),
            metrics: Arc::new(Metrics::new(&["used-up"])),
            certificate: Some(Arc::new(Forever)),
            minter: ArcSwapOption::empty(),
            sessions: Sessions::default(),
        }),
        ledger,
        clock,
    }
}

/// A world whose node was given a signing key.
fn minting_world() -> World {
    let world = world();
    let public_url = "https://vpn.example.com".parse().unwrap();
    let minter = Minter::new(key(KeyPurpose::Profile), public_url);
    world.door.minter.store(Some(Arc::new(minter)));
    world
}

fn key(purpose: KeyPurpose) -> SigningKey {
    SigningKey::from_seed(&[purpose as u8 + 1; 32])
}

pub(super) fn claims(purpose: Purpose) -> Claims {
    Claims {
        purpose,
        nonce: Nonce::new(Batch([9; 4]), [1; 12]),
        issued_at: UnixSeconds::new(NOW),
        lifetime: Lifetime::from_seconds(60).unwrap(),
        uses: UseLimit::Unlimited,
        user: UserName::new("root").unwrap(),
        network: None,
    }
}

pub(super) fn token(claims: &Claims) -> String {
    sign(claims, &key(claims.purpose.key_purpose())).unwrap().as_str().to_owned()
}

pub(super) fn admin(role: Role) -> String {
    token(&claims(Purpose::Admin(role)))
}

impl World {
    async fn ask(
        &self,
        method: Method,
        uri: &str,
        bearer: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let app = test::init_service(App::new().configure(|app| configure(app, &self.door))).await;
        let request = test::TestRequest::with_uri(uri)
            .method(method)
            .peer_addr("127.0.0.1:9".parse().unwrap())
            .insert_header(("Authorization", format!("Bearer {bearer}")))
            .set_json(body)
            .to_request();
        let response = test::call_service(&app, request).await;
        let status = response.status();
        let body = test::read_body(response).await;
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn post(&self, uri: &str, bearer: &str, body: Value) -> (StatusCode, Value) {
        self.ask(Method::POST, uri, bearer, body).await
    }

    async fn get(&self, uri: &str, bearer: &str) -> (StatusCode, Value) {
        self.ask(Method::GET, uri, bearer, Value::Null).await
    }
}

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

/// The whole table: who may do what, and that a profile token gets nowhere.
#[actix_web::test]
async fn each_role_may_do_what_is_its_own() {
    let world = minting_world();
    let profile = claims(Purpose::Profile(ProfileKind::UserLocked));
    let profile = token(&Claims { uses: UseLimit::ONCE, ..profile });
    let viewer = [
        (Method::GET, "/api/v1/session", Value::Null),
        (Method::GET, "/api/v1/status", Value::Null),
        (Method::GET, "/api/v1/tokens", Value::Null),
        (Method::GET, "/api/v1/users", Value::Null),
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
        (Role::Viewer, viewer.as_slice()),
        (Role::Operator, operator.as_slice()),
        (Role::Admin, admin_only.as_slice()),
    ];
    for (needed, requests) in table {
        for (method, uri, body) in requests {
            for role in [Role::Viewer, Role::Operator, Role::Admin] {
                let bearer = admin(role);
                let (status, answer) = world.ask(method.clone(), uri, &bearer, body.clone()).await;
                if needed <= role {
                    assert!(status.is_success(), "{role}: {method} {uri}: {answer}");
                } else {
                    assert_eq!(status, StatusCode::FORBIDDEN, "{role}: {method} {uri}");
                    assert_eq!(answer["error"]["code"], "role");
                }
            }
            for stranger in [&profile, "x"] {
                let (status, _) = world.ask(method.clone(), uri, stranger, body.clone()).await;
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {uri}");
            }
        }
    }
}

#[actix_web::test]
async fn only_an_admin_revokes_a_key_and_not_his_own() {
    let world = world();
    let other = json!({ "key": "00000000" });
    let own = json!({ "key": key(KeyPurpose::Admin).verifying_key().id().to_string() });
    for (role, wish, expected) in [
        (Role::Operator, &other, StatusCode::FORBIDDEN),
        (Role::Admin, &own, StatusCode::CONFLICT),
        (Role::Admin, &other, StatusCode::OK),
    ] {
        let bearer = admin(role);
        let (status, _) =
            world.ask(Method::POST, "/api/v1/revocations", &bearer, wish.clone()).await;
        assert_eq!(status, expected, "{role} {wish}");
    }
    assert_eq!(world.get("/api/v1/status", &admin(Role::Viewer)).await.0, StatusCode::OK);
}

/// A script with the wrong time zone must not bring a token back.
#[actix_web::test]
async fn a_wrong_expiry_does_not_end_a_revocation() {
    let world = world();
    let bearer = admin(Role::Operator);
    let profile =
        Claims { uses: UseLimit::ONCE, ..claims(Purpose::Profile(ProfileKind::UserLocked)) };
    let wish = json!({ "token": profile.nonce.to_string(), "expires_at": "2026-01-01T00:00:00Z" });
    let other = json!({ "token": "AAAAAAAAAAAAAAAAAAAAAA" });
    for wish in [wish, other] {
        world.ask(Method::POST, "/api/v1/revocations", &bearer, wish).await;
    }
    let verified = world.door.redeemer.verify(&token(&profile)).unwrap();
    assert!(world.ledger.standing(&verified).unwrap().revoked);
}

#[actix_web::test]
async fn users_show_who_may_autologin() {
    let world = world();
    let bearer = admin(Role::Admin);
    let wish = json!({ "allowed": true });
    world.ask(Method::PUT, "/api/v1/users/b%40example.com/autologin", &bearer, wish).await;
    let (_, users) = world.get("/api/v1/users", &bearer).await;
    let expected = json!({ "users": [
        { "user": "alice", "autologin": false, "profile": true },
        { "user": "b@example.com", "autologin": true, "profile": false },
    ]});
    assert_eq!(users, expected);
    let (status, body) = world
        .ask(Method::PUT, "/api/v1/users/a%2Fb/autologin", &bearer, json!({ "allowed": true }))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
}

#[actix_web::test]
async fn one_revocation_names_one_thing() {
    let world = world();
    let bearer = admin(Role::Admin);
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
        let (status, body) =
            world.ask(Method::POST, "/api/v1/revocations", &bearer, bad.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(body["error"]["hint"].is_string(), "{body}");
    }
    let good = json!({ "token": "AAAAAAAAAAAAAAAAAAAAAA", "expires_at": "2026-12-01T12:00:00Z" });
    assert_eq!(
        world.ask(Method::POST, "/api/v1/revocations", &bearer, good).await.0,
        StatusCode::OK
    );
}

#[actix_web::test]
async fn inspecting_tells_what_a_click_would_do_and_spends_nothing() {
    let world = world();
    let bearer = admin(Role::Viewer);
    let profile = token(&Claims {
        uses: UseLimit::ONCE,
        ..claims(Purpose::Profile(ProfileKind::UserLocked))
    });
    for _ in 0..3 {
        let question = json!({ "token": profile });
        let (_, answer) = world.ask(Method::POST, "/api/v1/inspect", &bearer, question).await;
        assert_eq!((&answer["would"], &answer["uses_left"]), (&json!("deliver"), &json!(1)));
    }
    let (_, answer) =
        world.ask(Method::POST, "/api/v1/inspect", &bearer, json!({ "token": "x" })).await;
    assert_eq!(
        (&answer["would"], &answer["reason"]),
        (&json!("refuse"), &json!("token not verified"))
    );
}

#[actix_web::test]
async fn what_operators_did_is_seen_by_viewers_newest_first() {
    let world = world();
    let bearer = admin(Role::Admin);
    for allowed in [true, false] {
        let wish = json!({ "allowed": allowed });
        world.ask(Method::PUT, "/api/v1/users/alice/autologin", &bearer, wish).await;
    }
    let viewer = admin(Role::Viewer);
    let (_, all) = world.get("/api/v1/activity", &viewer).await;
    let event = |did: &str| {
        json!({
            "at": "2026-09-21T14:13:20Z", "event": "operation", "client": "127.0.0.1",
            "operator": "root", "role": "admin", "did": did,
        })
    };
    let (first, last) = (event("denied autologin for alice"), event("allowed autologin for alice"));
    assert_eq!(all, json!({ "events": [first, last] }));
    let (_, one) = world.get("/api/v1/activity?limit=1&user=root&event=operation", &viewer).await;
    assert_eq!(one, json!({ "events": [first] }));
    let (_, none) = world.get("/api/v1/activity?user=alice", &viewer).await;
    assert_eq!(none, json!({ "events": [] }));
    let (status, _) = world.get("/api/v1/activity?users=alice", &viewer).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

/// Returns the names of all metrics in a text; the parts of a histogram are one.
fn metric_names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    let names = words.filter(|word| word.starts_with("jeton_"));
    let parts = ["_bucket", "_sum", "_count"];
    names
        .map(|name| parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name))
        .collect()
}

#[actix_web::test]
async fn numbers_are_for_everybody_and_name_nobody() {
    let world = world();
    let bearer = admin(Role::Admin);
    let wish = json!({ "allowed": true });
    world.ask(Method::PUT, "/api/v1/users/alice/autologin", &bearer, wish).await;
    let app = test::init_service(App::new().configure(|app| configure(app, &world.door))).await;
    let response = test::call_service(&app, test::TestRequest::get().uri("/metrics").to_request());
    let response = response.await;
    let content_type = response.headers().get("content-type").unwrap();
    assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let body = test::read_body(response).await;
    let text = std::str::from_utf8(&body).unwrap();
    for (line, is_there) in [
        ("jeton_certificate_expiry_timestamp_seconds 4102444800\n", true),
        ("jeton_trusted_keys{purpose=\"admin\"} 1\n", true),
        ("jeton_verify_cache_misses_total 1\n", true),
        ("alice", false),
        ("root", false),
        ("127.0.0.1", false),
    ] {
        assert_eq!(text.contains(line), is_there, "{line}{text}");
    }

    // A line `# TYPE` names a counter without its `_total`.
    let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let samples = samples.join("\n");
    let documented = metric_names(include_str!("../../../docs/metrics.md"));
    assert_eq!(documented, metric_names(&samples));
    let drawn = metric_names(include_str!("../../../docs/grafana.json"));
    assert_eq!(drawn.difference(&documented).count(), 0, "{drawn:?}");
    assert!(drawn.len() > 8, "{drawn:?}");
}
