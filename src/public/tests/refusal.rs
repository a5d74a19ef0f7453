//! Every refusal, as its holder meets it.

use std::num::NonZeroU32;

use super::house::{House, NOW, Response, limits, wait_for};
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

/// Asks by `GET` and by `HEAD` and finds the same, and nothing spent.
fn ask(house: &House, token: &Token) -> Response {
    let server = house.open();
    let link = format!("{R}?token={}", token.as_str());
    let used = house.used(token);
    let answer = server.get(&link);
    let mut looked = server.head(&link);
    assert_eq!(looked.body, "");
    looked.body.clone_from(&answer.body);
    assert_eq!(looked.shown(), answer.shown());
    assert_eq!(house.used(token), used);
    answer
}

fn assert_refused(answer: &Response, status: u16, kind: &str, message: &str) {
    assert_eq!((answer.status, answer.body.as_str()), (status, &*xml(kind, message)));
    assert_eq!(answer.header("content-type"), Some("text/xml"));
}

#[test]
fn an_expired_token_says_when() {
    let house = House::new();
    let token = house.mint(1);
    house.clock.set(NOW.plus(3_600));
    assert_refused(&ask(&house, &token), 410, "Gone", "this link expired at 2027-01-15T09:00:00Z");
}

#[test]
fn a_token_that_is_not_valid_yet_says_when() {
    let house = House::new();
    let claims = Claims { issued_at: NOW.plus(120), ..house.claims(1) };
    let text = "this link is not valid before 2027-01-15T08:01:00Z";
    assert_refused(&ask(&house, &house.sign(&claims)), 403, "Forbidden", text);
}

#[test]
fn a_token_that_is_used_up_or_revoked_says_so() {
    let house = House::new();
    let token = house.mint(1);
    let answer = house.open().get(&format!("{R}?token={}", token.as_str()));
    assert_eq!(answer.status, 200);
    assert_refused(&ask(&house, &token), 410, "Gone", "this link is used up");

    let token = house.mint(1);
    let revocation = Revocation::Token { nonce: token.id().nonce, expires_at: None };
    wait_for(house.ledger.revoke(revocation)).unwrap();
    assert_refused(&ask(&house, &token), 410, "Gone", "this link was revoked");
}

#[test]
fn a_token_from_before_the_ledger_says_so() {
    let house = House::new();
    let issued_at = NOW.minus(2_000);
    let claims =
        Claims { issued_at, lifetime: Lifetime::from_seconds(10_000).unwrap(), ..house.claims(1) };
    let answer = ask(&house, &house.sign(&claims));
    assert_eq!(answer.status, 410);
    assert!(answer.body.contains("issued before this server began to count"));
}

#[test]
fn autologin_needs_the_permission() {
    let house = House::new();
    let purpose = Purpose::Profile(ProfileKind::Autologin);
    let token = house.sign(&Claims { purpose, ..house.claims(1) });
    let text = "NEED_AUTOLOGIN: user lacks autologin privilege";
    assert_refused(&ask(&house, &token), 403, "Forbidden", text);
    wait_for(house.ledger.permit(UserName::new("alice").unwrap(), true)).unwrap();
    assert_eq!(house.open().get(&format!("{R}?token={}", token.as_str())).status, 200);
}

#[test]
fn a_user_without_a_profile_keeps_his_use() {
    let house = House::new();
    let user = UserName::new("nobody").unwrap();
    let token = house.sign(&Claims { user, ..house.claims(1) });
    let text = "profile not available, ask your administrator";
    assert_refused(&ask(&house, &token), 404, "Not Found", text);
}

#[test]
fn a_nonce_that_was_signed_twice_is_refused() {
    let house = House::new();
    let claims = house.claims(2);
    let server = house.open();
    let link = |claims: &Claims| format!("{R}?token={}", house.sign(claims).as_str());
    assert_eq!(server.get(&link(&claims)).status, 200);
    let twin = Claims { uses: crate::token::UseLimit::Limited(NonZeroU32::MAX), ..claims };
    let answer = server.get(&link(&twin));
    assert_eq!(answer.status, 410);
    assert!(answer.body.contains("not valid any more"), "{}", answer.body);
}

#[test]
fn a_token_bound_to_a_network_is_refused_outside() {
    let house = House::new();
    let bound = |network: &str| {
        house.sign(&Claims { network: Some(network.parse().unwrap()), ..house.claims(1) })
    };
    let text = "this link is not valid from your network";
    assert_refused(&ask(&house, &bound("192.0.2.0/24")), 403, "Forbidden", text);

    let link = |token: &Token| format!("{R}?token={}", token.as_str());
    let forwarded = ["X-Forwarded-For: 192.0.2.7, 203.0.113.1"];
    let inside = bound("203.0.113.0/24");
    assert_eq!(house.open().ask("GET", &link(&inside), &forwarded).status, 403);
    let proxies = TrustedProxies::new(vec!["127.0.0.1".parse().unwrap()]);
    let behind_proxy = house.open_with(limits(), None, proxies);
    let spoofed = bound("192.0.2.0/24");
    assert_eq!(behind_proxy.ask("GET", &link(&spoofed), &forwarded).status, 403);
    let nobody = behind_proxy.ask("GET", &link(&inside), &["X-Forwarded-For: unknown"]);
    assert_eq!((nobody.status, house.used(&inside)), (400, 0));
    assert_eq!(behind_proxy.ask("GET", &link(&inside), &forwarded).status, 200);
}

#[test]
fn a_ledger_that_cannot_decide_gives_nothing_and_says_when_to_come_back() {
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
        let house = House::new();
        let token = house.mint(1);
        *house.ledger.fault.lock().unwrap() = Some(fault);
        let server = house.open();
        let answer = server.get(&format!("{R}?token={}", token.as_str()));
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some(retry)));
        assert!(answer.body.contains(text), "{}", answer.body);
        assert!(!answer.body.contains("disk"));
        *house.ledger.fault.lock().unwrap() = None;
        assert_eq!(server.get(&format!("{R}?token={}", token.as_str())).status, 200);
    }
}

#[test]
fn nobody_learns_why_a_token_was_not_verified() {
    let house = House::new();
    let server = house.open();
    let good = house.mint(1);
    let text = good.as_str();
    let nonsense = server.get(&format!("{R}?token=nonsense"));
    assert_refused(&nonsense, 404, "Not Found", "AUTH ERROR: token not found");
    let unknown_key = {
        let key = crate::token::SigningKey::from_seed(&[9; 32]);
        crate::token::sign(&house.claims(1), &key).unwrap()
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
        ("admin token", house.mint_admin().as_str().to_owned()),
    ] {
        let answer = server.get(&format!("{R}?token={token}"));
        assert_eq!(answer.shown(), nonsense.shown(), "{why}");
    }
    assert_eq!(house.used(&good), 0);
}

#[test]
fn who_asks_too_often_is_told_to_wait() {
    let house = House::new();
    let number = |n| NonZeroU32::new(n).unwrap();
    let rate = Rate { burst: number(2), per_second: number(1) };
    let server =
        house.open_with(PublicLimits { rate, ..limits() }, None, TrustedProxies::default());
    let token = house.mint(1);
    let link = format!("{R}?token={}", token.as_str());
    assert_eq!(server.head(&link).status, 200);
    assert_eq!(server.head(&link).status, 200);
    let answer = server.get(&link);
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    assert!(answer.body.contains("<Type>Too Many Requests</Type>"), "{}", answer.body);
    assert_eq!(house.used(&token), 0);
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn elsewhere_people_get_a_page_and_programs_a_line() {
    let server = House::new().open();
    let text = server.ask("GET", "/nothing", &["Accept: */*"]);
    assert_eq!((text.status, text.body.as_str()), (404, "there is no such page\n"));
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
    let page = server.ask("GET", "/nothing", &["Accept: text/html,*/*;q=0.8"]);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.body.starts_with("<!doctype html>"));
    let rest = server.ask("GET", "/rest/nothing", &["Accept: text/html"]);
    assert_refused(&rest, 404, "Not Found", "there is no such page");
}
