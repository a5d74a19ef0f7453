//! The admin door over HTTP, on a ledger in memory.

mod admission;
mod document;
mod invalid_requests;
mod lists;
mod members;
mod metrics;
mod minting;
mod reading;
mod revoking;
mod roles;

use std::sync::Arc;

use actix_web::http::{Method, StatusCode};
use actix_web::{App, test};
use serde_json::{Value, json};

use super::{AdminDoor, ServedCertificate, configure};
use crate::cache::CacheSizes;
use crate::clock::ManualClock;
use crate::keyring::Keyring;
use crate::ledger::volatile::VolatileLedger;
use crate::ledger::{Ledger as _, Revocation};
use crate::mint::Minter;
use crate::profile::fake::FakeProfiles;
use crate::redeem::Redeemer;
use crate::token::{
    AdminRole, Batch, Claims, KeyPurpose, Lifetime, Nonce, ProfileKind, Purpose, SigningKey,
    TrustedKey, UnixSeconds, UseLimit, UserName, sign,
};

pub(super) const NOW: u64 = 1_790_000_000;

/// A certificate that is valid until 2100.
#[derive(Debug)]
struct ValidUntil2100;

impl ServedCertificate for ValidUntil2100 {
    fn not_after(&self) -> UnixSeconds {
        UnixSeconds::new(4_102_444_800)
    }
}

pub(super) struct World {
    pub(super) door: Arc<AdminDoor>,
    pub(super) ledger: Arc<VolatileLedger>,
    pub(super) cluster: Arc<members::TwoNodes>,
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
        Box::new(FakeProfiles::default()),
        ledger.clone(),
        clock.clone(),
        CacheSizes::default(),
    ));
    let cluster = Arc::new(members::TwoNodes::default());
    World {
        door: Arc::new(AdminDoor::new(
            redeemer,
            ledger.clone(),
            cluster.clone(),
            Some(Arc::new(members::Invites)),
            Arc::default(),
            Arc::default(),
            Some(Arc::new(ValidUntil2100)),
        )),
        ledger,
        cluster,
        clock,
    }
}

/// Returns a world whose node has a signing key.
pub(super) fn minting_world() -> World {
    let world = world();
    let public_url = "https://vpn.example.com".parse().unwrap();
    let minter = Minter::new(key(KeyPurpose::Profile), public_url);
    world.door.mint_with(minter);
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

pub(super) fn admin(role: AdminRole) -> String {
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

    /// Allows or denies autologin for the user in the path, as an admin.
    async fn permit(&self, user: &str, allowed: bool) -> (StatusCode, Value) {
        let uri = format!("/api/v1/users/{user}/autologin");
        let request = json!({ "allowed": allowed });
        self.ask(Method::PUT, &uri, &admin(AdminRole::Admin), request).await
    }

    async fn get(&self, uri: &str, bearer: &str) -> (StatusCode, Value) {
        self.ask(Method::GET, uri, bearer, Value::Null).await
    }
}
