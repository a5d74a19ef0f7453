//! Every refusal, as clients see it.

use std::num::NonZeroU32;

use super::fixture::{Fixture, NOW, Response, limits, link, wait_for};
use crate::ledger::{Ledger, LedgerError, OutcomeUnknown, Revocation, Unavailable};
use crate::public::{PublicLimits, Rate, TrustedProxies};
use crate::token::url::REST_PATH as R;
use crate::token::{Claims, Lifetime, ProfileKind, Purpose, Token, UserName};

fn xml(kind: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\n  <Type>{kind}</Type>\n  \
         <Synopsis>REST method failed</Synopsis>\n  <Message>{message}</Message>\n</Error>"
    )
}

/// Requests the profile by `GET` and `HEAD`; both must return the same and spend nothing.
fn ask(fixture: &Fixture, token: &Token) -> Response {
    let server = fixture.open();
    let used = fixture.used(token);
    let response = server.get(&link(token));
    server.head(&link(token)).assert_head_of(&response);
    assert_eq!(fixture.used(token), used);
    response
}

fn assert_refused(response: &Response, status: u16, kind: &str, message: &str) {
    assert_eq!((response.status, response.body.as_str()), (status, &*xml(kind, message)));
    assert_eq!(response.header("content-type"), Some("text/xml"));
}

#[test]
fn an_expired_token_is_refused_with_its_expiry() {
    let fixture = Fixture::new();
    let token = fixture.mint(1);
    fixture.clock.set(NOW.plus(3_600));
    assert_refused(
        &ask(&fixture, &token),
        410,
        "Gone",
        "this link expired at 2027-01-15T09:00:00Z",
    );
}

#[test]
fn a_token_that_is_not_valid_yet_is_refused_with_its_start() {
    let fixture = Fixture::new();
    let claims = Claims { issued_at: NOW.plus(120), ..fixture.claims(1) };
    let text = "this link is not valid before 2027-01-15T08:01:00Z";
    assert_refused(&ask(&fixture, &fixture.sign(&claims)), 403, "Forbidden", text);
}

#[test]
fn refuses_a_used_up_and_a_revoked_token() {
    let fixture = Fixture::new();
    let token = fixture.mint(1);
    let response = fixture.open().get(&link(&token));
    assert_eq!(response.status, 200);
    assert_refused(&ask(&fixture, &token), 410, "Gone", "this link is used up");

    let token = fixture.mint(1);
    let revocation = Revocation::Token { nonce: token.id().nonce, expires_at: None };
    wait_for(fixture.ledger.revoke(revocation)).unwrap();
    assert_refused(&ask(&fixture, &token), 410, "Gone", "this link was revoked");
}

#[test]
fn refuses_a_token_from_before_the_ledger() {
    let fixture = Fixture::new();
    let issued_at = NOW.minus(2_000);
    let claims = Claims {
        issued_at,
        lifetime: Lifetime::from_seconds(10_000).unwrap(),
        ..fixture.claims(1)
    };
    let response = ask(&fixture, &fixture.sign(&claims));
    assert_eq!(response.status, 410);
    assert!(response.body.contains("issued before this server began to count"));
}

#[test]
fn autologin_needs_a_permission() {
    let fixture = Fixture::new();
    let purpose = Purpose::Profile(ProfileKind::Autologin);
    let token = fixture.sign(&Claims { purpose, ..fixture.claims(1) });
    let text = "NEED_AUTOLOGIN: user lacks autologin privilege";
    assert_refused(&ask(&fixture, &token), 403, "Forbidden", text);
    wait_for(fixture.ledger.permit(UserName::new("alice").unwrap(), true)).unwrap();
    assert_eq!(fixture.open().get(&link(&token)).status, 200);
}

#[test]
fn a_missing_profile_spends_nothing() {
    let fixture = Fixture::new();
    let user = UserName::new("absent").unwrap();
    let token = fixture.sign(&Claims { user, ..fixture.claims(1) });
    let text = "profile not available, ask your administrator";
    assert_refused(&ask(&fixture, &token), 404, "Not Found", text);
}

#[test]
fn refuses_a_known_nonce_with_other_claims() {
    let fixture = Fixture::new();
    let claims = fixture.claims(2);
    let server = fixture.open();
    assert_eq!(server.get(&link(&fixture.sign(&claims))).status, 200);
    let twin = Claims { uses: crate::token::UseLimit::Limited(NonZeroU32::MAX), ..claims };
    let response = server.get(&link(&fixture.sign(&twin)));
    assert_eq!(response.status, 410);
    assert!(response.body.contains("no longer valid"), "{}", response.body);
}

#[test]
fn a_token_bound_to_a_network_is_refused_outside_it() {
    let fixture = Fixture::new();
    let bound = |network: &str| {
        fixture.sign(&Claims { network: Some(network.parse().unwrap()), ..fixture.claims(1) })
    };
    let text = "this link is not valid from your network";
    assert_refused(&ask(&fixture, &bound("192.0.2.0/24")), 403, "Forbidden", text);

    let forwarded = ["X-Forwarded-For: 192.0.2.7, 203.0.113.1"];
    let inside = bound("203.0.113.0/24");
    assert_eq!(fixture.open().ask("GET", &link(&inside), &forwarded).status, 403);
    let proxies = TrustedProxies::new(vec!["127.0.0.1".parse().unwrap()]);
    let behind_proxy = fixture.open_with(limits(), None, proxies);
    let spoofed = bound("192.0.2.0/24");
    assert_eq!(behind_proxy.ask("GET", &link(&spoofed), &forwarded).status, 403);
    let unknown = behind_proxy.ask("GET", &link(&inside), &["X-Forwarded-For: unknown"]);
    assert_eq!((unknown.status, fixture.used(&inside)), (400, 0));
    assert_eq!(behind_proxy.ask("GET", &link(&inside), &forwarded).status, 200);
}

#[test]
fn an_unavailable_ledger_spends_nothing_and_sets_retry_after() {
    let why = || "disk".to_owned();
    let nothing = "try again shortly; nothing was used up";
    for (fault, text, retry) in [
        (LedgerError::Unavailable(Unavailable::NotForwarded(why())), nothing, "5"),
        (LedgerError::Overloaded, nothing, "1"),
        (
            LedgerError::OutcomeUnknown(OutcomeUnknown::NoAnswer(why())),
            "one use of this link may have been used up",
            "5",
        ),
    ] {
        let fixture = Fixture::new();
        let token = fixture.mint(1);
        *fixture.ledger.fault.lock().unwrap() = Some(fault);
        let server = fixture.open();
        let response = server.get(&link(&token));
        assert_eq!((response.status, response.header("retry-after")), (503, Some(retry)));
        assert!(response.body.contains(text), "{}", response.body);
        assert!(!response.body.contains("disk"));
        *fixture.ledger.fault.lock().unwrap() = None;
        assert_eq!(server.get(&link(&token)).status, 200);
    }
}

#[test]
fn responses_do_not_reveal_why_a_token_was_not_verified() {
    let (fixture, server) = Fixture::opened();
    let good = fixture.mint(1);
    let text = good.as_str();
    let nonsense = server.get(&format!("{R}?token=nonsense"));
    assert_refused(&nonsense, 404, "Not Found", "AUTH ERROR: token not found");
    let unknown_key = {
        let key = crate::token::SigningKey::from_seed(&[9; 32]);
        crate::token::sign(&fixture.claims(1), &key).unwrap()
    };
    let mut broken = text.to_owned();
    // In the middle of the signature.
    let middle = text.len() - 40;
    let other = if &text[middle..=middle] == "A" { "B" } else { "A" };
    broken.replace_range(middle..=middle, other);
    for (why, token) in [
        ("too long", "A".repeat(513)),
        ("no base64", "A".repeat(5)),
        ("too short", "A".repeat(20)),
        ("version", format!("_{}", &text[1..])),
        ("unknown key", unknown_key.as_str().to_owned()),
        ("signature", broken),
        ("admin token", fixture.mint_admin().as_str().to_owned()),
    ] {
        let response = server.get(&format!("{R}?token={token}"));
        assert_eq!(response.without_date(), nonsense.without_date(), "{why}");
    }
    assert_eq!(fixture.used(&good), 0);
}

#[test]
fn a_client_over_its_rate_gets_429_with_retry_after() {
    let fixture = Fixture::new();
    let number = |n| NonZeroU32::new(n).unwrap();
    let rate = Rate { burst: number(2), per_second: number(1) };
    let server = fixture.open_limited(PublicLimits { rate, ..limits() });
    let token = fixture.mint(1);
    assert_eq!(server.head(&link(&token)).status, 200);
    assert_eq!(server.head(&link(&token)).status, 200);
    let response = server.get(&link(&token));
    assert_eq!((response.status, response.header("retry-after")), (429, Some("1")));
    assert!(response.body.contains("<Type>Too Many Requests</Type>"), "{}", response.body);
    assert_eq!(fixture.used(&token), 0);
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn outside_rest_browsers_get_a_page_and_programs_a_line() {
    let server = Fixture::new().open();
    let text = server.ask("GET", "/nothing", &["Accept: */*"]);
    assert_eq!((text.status, text.body.as_str()), (404, "there is no such page\n"));
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
    let page = server.ask("GET", "/nothing", &["Accept: text/html,*/*;q=0.8"]);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.body.starts_with("<!doctype html>"));
    let rest = server.ask("GET", "/rest/nothing", &["Accept: text/html"]);
    assert_refused(&rest, 404, "Not Found", "there is no such page");
}
