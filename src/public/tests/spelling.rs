//! A token has one spelling. Every other one spends nothing and delivers nothing.

use super::fixture::{Fixture, link, profile_of};
use crate::token::Token;
use crate::token::url::REST_PATH as R;

fn tampered_first(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    format!("%{:02X}{rest}", first.as_bytes()[0])
}

fn swapped_case(text: &str) -> String {
    let swap = |c: char| match c {
        'a'..='z' => c.to_ascii_uppercase(),
        'A'..='Z' => c.to_ascii_lowercase(),
        other => other,
    };
    text.chars().map(swap).collect()
}

/// Sets one of the bits of the last character that base64url leaves unused. Lengths without unused
/// bits have no second spelling.
fn stray_bits(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (head, last) = text.split_at(text.len() - 1);
    let value = ALPHABET.iter().position(|c| *c == last.as_bytes()[0]).unwrap();
    format!("{head}{}", char::from(ALPHABET[value ^ 1]))
}

/// Returns every form of a link to the token `t` that must deliver the profile.
fn good_links(t: &str) -> Vec<String> {
    vec![
        format!("{R}?token={t}"),
        format!("{R}?x=1&token={t}&y"),
        format!("{R}?tok%65n=x&token={t}"),
        format!("{R}?token={t}#fragment"),
        format!("{R}/{t}"),
        format!("{R}/{t}?null"),
        format!("{R}/{t}?token=other"),
        format!("http://elsewhere.test{R}?token={t}"),
        format!("http://elsewhere.test{R}/{t}"),
    ]
}

/// Returns links that reach the route and contain no well-formed token.
fn bad_links(t: &str) -> Vec<String> {
    let mut links = vec![
        R.to_owned(),
        format!("{R}?"),
        format!("{R}?null"),
        format!("{R}?token"),
        format!("{R}?token={t}&token={t}"),
        format!("{R}?token={t}&token=x"),
        format!("{R}?token={t}&token"),
        format!("{R}?token&token={t}"),
        format!("{R}?tok%65n={t}"),
        format!("{R}?TOKEN={t}"),
        format!("{R}?Token={t}"),
        format!("{R}?token[]={t}"),
        format!("{R}?x;token={t}"),
        format!("{R}?{t}"),
        format!("{R}/?token={t}"),
        format!("{R}/{t}/"),
        format!("{R}//{t}"),
        format!("{R}/x/{t}"),
        format!("{R}/{t}/x"),
        format!("{R}/{t}/?token={t}"),
        format!("{R}/./{t}"),
        format!("{R}/../GetProfileViaToken/{t}"),
        format!("/rest/%47etProfileViaToken?token={t}"),
        format!("/rest/%47etProfileViaToken/{t}"),
    ];
    let spellings = [
        tampered_first(t),
        swapped_case(t),
        stray_bits(t),
        t.replace('-', "+"),
        t.replace('_', "/"),
        t.replace('-', "%2D").replace('_', "%5F"),
        format!("{t}A"),
        t[..t.len() - 1].to_owned(),
        t.repeat(6),
    ];
    for spelling in spellings {
        links.push(format!("{R}?token={spelling}"));
        links.push(format!("{R}/{spelling}"));
    }
    for stray in
        ["=", "==", "%00", "%20", "%0A", "%ff", "+", ";", ";x", ".", ".ovpn", "~", ":", ","]
    {
        links.push(format!("{R}?token={t}{stray}"));
        links.push(format!("{R}?token={stray}{t}"));
        links.push(format!("{R}/{t}{stray}"));
        links.push(format!("{R}/{stray}{t}"));
    }
    links
}

/// Returns links that are not under `/rest/` as sent, or name no route.
fn links_to_elsewhere(t: &str) -> Vec<String> {
    vec![
        format!("/%72est/GetProfileViaToken/{t}"),
        format!("/rest%2FGetProfileViaToken?token={t}"),
        format!("/rest%2FGetProfileViaToken/{t}"),
        format!("//rest/GetProfileViaToken/{t}"),
        format!("/REST/GetProfileViaToken/{t}"),
        format!("/rest/getprofileviatoken?token={t}"),
        format!("/rest/GetProfileViaToken%3Ftoken={t}"),
        format!("/rest/GetProfileViaToken%2F{t}"),
        format!("/rest/GetProfileViaTokenX/{t}"),
        format!("/rest/GetProfileViaToken;x?token={t}"),
    ]
}

#[test]
fn the_one_spelling_delivers_the_profile_for_one_use_each_time() {
    let (fixture, links) = (Fixture::new(), good_links("T").len());
    let server = fixture.open();
    for index in 0..links {
        let token = fixture.mint(2);
        let link = &good_links(token.as_str())[index];
        for used in 1..=2 {
            let response = server.get(link);
            assert_eq!((response.status, fixture.used(&token)), (200, used), "{link}");
            assert_eq!(response.body, profile_of("alice"), "{link}");
        }
        assert_eq!((server.get(link).status, fixture.used(&token)), (410, 2), "{link}");
    }
}

#[test]
fn other_spellings_give_one_response_and_spend_nothing() {
    let (fixture, server) = Fixture::opened();
    let token = with_every_character(&fixture);
    let nonsense = server.get(&format!("{R}?token=nonsense"));
    assert_eq!(nonsense.status, 404);
    for link in bad_links(token.as_str()) {
        assert_eq!(server.get(&link).without_date(), nonsense.without_date(), "{link}");
        server.head(&link).assert_head_of(&nonsense);
        assert_eq!(fixture.used(&token), 0, "{link}");
    }
    for link in links_to_elsewhere(token.as_str()) {
        assert_eq!((server.get(&link).status, fixture.used(&token)), (404, 0), "{link}");
    }
    assert_eq!(server.get(&link(&token)).status, 200);
}

#[test]
fn rejects_bytes_that_no_link_contains() {
    let (fixture, server, token) = Fixture::with_token(1);
    for stray in [&b"\0"[..], b" ", b"\t", b"\xff", b"\xc3\xa9", b"\"", b"<", b"\\", b"^", b"\x7f"]
    {
        for place in ["?token=", "/"] {
            let mut target = format!("{R}{place}{}", token.as_str()).into_bytes();
            target.extend_from_slice(stray);
            let head = [b"GET ", &target[..], b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"];
            let response = server.send(head.concat());
            assert!(matches!(response.status, 400 | 404), "{stray:?}: {}", response.status);
            assert_eq!(fixture.used(&token), 0, "{stray:?}");
        }
    }
}

/// Mints until the text has both characters in which the two alphabets of base64 differ, and unused
/// bits at its end.
fn with_every_character(fixture: &Fixture) -> Token {
    let has_all = |text: &str| text.contains('-') && text.contains('_');
    let mut minted = (0..10_000).map(|_| fixture.mint(1));
    let token = minted.find(|token| has_all(token.as_str())).unwrap();
    assert!(!token.as_str().len().is_multiple_of(4), "no stray bits to set");
    token
}
