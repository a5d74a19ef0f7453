//! Tests of the pages over HTTP.

mod other_sites;
mod safety;
mod sessions;
mod views;

use std::collections::BTreeSet;

use actix_web::dev::ServiceResponse;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::{App, test};

use super::response::POLICY;
use crate::activity::{Event, EventKind};
use crate::admin::configure;
use crate::admin::tests::{NOW, World, admin, claims, minting_world, token, world};
use crate::keyring::Keyring;
use crate::ledger::{Ledger as _, Note, Revocation, TokenQuery, TokenRecord};
use crate::mint::tests::minter;
use crate::token::{
    AdminRole, Batch, Claims, KeyId, Nonce, ProfileKind, Purpose, TokenId, UnixSeconds, UserName,
};
use crate::web_security::security_headers;

const HOST: &str = "127.0.0.1:8444";

/// A response, completely read.
struct PageResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl PageResponse {
    async fn of(response: ServiceResponse) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = test::read_body(response).await;
        Self { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the cookie that it sets, as a browser sends it back.
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
    ) -> PageResponse {
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
        PageResponse::of(test::call_service(&app, request.to_request()).await).await
    }

    async fn page(&self, uri: &str, cookie: &str) -> PageResponse {
        self.request(Method::GET, uri, &[("Cookie", cookie)], None).await
    }

    async fn post_token(&self, token: &str) -> PageResponse {
        let own = [("Sec-Fetch-Site", "same-origin")];
        self.request(Method::POST, "/sign-in", &own, Some(&[("token", token)])).await
    }

    /// Records a new token of `user`.
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

    async fn signed_in(&self, role: AdminRole) -> String {
        self.post_token(&admin(role)).await.cookie()
    }
}

/// Returns a world and the cookie of a session.
async fn signed_in(role: AdminRole) -> (World, String) {
    let world = world();
    let cookie = world.signed_in(role).await;
    (world, cookie)
}
