//! Deliveries, and requests that spend nothing.

use std::io::Write as _;
use std::sync::Barrier;
use std::thread;

use super::fixture::{Fixture, link, profile_of, read_response, request};
use crate::token::url::REST_PATH as R;
use crate::token::{Claims, UserName};

const SECURITY_HEADERS: [(&str, &str); 5] = [
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("strict-transport-security", "max-age=31536000"),
];

#[test]
fn a_profile_is_delivered_as_a_file_that_clients_accept() {
    let (fixture, server) = Fixture::opened();
    let link = link(&fixture.mint(1));
    let coding = "Accept-Encoding: gzip, br, zstd";
    let response = server.ask("GET", &link, &[coding, "Range: bytes=0-1", "If-None-Match: *"]);
    assert_eq!((response.status, response.body.as_str()), (200, profile_of("alice").as_str()));
    let expected = [
        ("content-type", "application/x-openvpn-profile"),
        ("content-disposition", "attachment; filename=\"alice.ovpn\"; filename*=utf-8''alice.ovpn"),
    ];
    for (name, value) in expected.into_iter().chain(SECURITY_HEADERS) {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    let expected = 2 + SECURITY_HEADERS.len() + ["content-length", "connection", "date"].len();
    assert_eq!(response.headers.len(), expected, "{:?}", response.headers);
}

#[test]
fn every_response_has_the_security_headers() {
    let (_fixture, server, token) = Fixture::with_token(1);
    let link = format!("{R}/{}", token.as_str());
    for (method, target, headers) in [
        ("GET", "/", &[][..]),
        ("GET", "/rest/nothing", &[]),
        ("GET", "/healthz", &[]),
        ("GET", "/readyz", &[]),
        ("POST", &link, &[]),
        ("GET", &link, &["Content-Length: 1"]),
        ("GET", &link, &["Purpose: prefetch"]),
        ("GET", R, &[]),
        ("HEAD", R, &[]),
        ("HEAD", &link, &[]),
    ] {
        let response = server.ask(method, target, headers);
        for (name, value) in SECURITY_HEADERS {
            assert_eq!(response.header(name), Some(value), "{method} {target} {name}");
        }
        assert_eq!(response.header("server"), None);
    }
}

#[test]
fn head_returns_the_headers_of_get_and_spends_nothing() {
    let (fixture, server, token) = Fixture::with_token(3);
    let links = [link(&token), format!("{R}/{}?null", token.as_str())];
    for link in links.iter().cycle().take(10) {
        let response = server.head(link);
        assert_eq!((response.status, response.body.as_str()), (200, ""));
        assert_eq!(response.header("jeton-uses-left"), Some("3"));
        assert_eq!(response.header("jeton-expires"), Some("2027-01-15T09:00:00Z"));
        assert_eq!(
            response.header("content-length"),
            Some(&*profile_of("alice").len().to_string())
        );
    }
    assert_eq!(fixture.used(&token), 0);

    let mut looked = server.head(&links[0]);
    looked.headers.retain(|(name, _)| !name.starts_with("jeton-"));
    looked.body = profile_of("alice");
    assert_eq!(server.get(&links[0]).without_date(), looked.without_date());
    assert_eq!(server.head(&links[0]).header("jeton-uses-left"), Some("2"));

    let unlimited = link(&fixture.mint(0));
    assert_eq!(server.head(&unlimited).header("jeton-uses-left"), Some("unlimited"));
    assert_eq!(server.get(&unlimited).header("jeton-uses-left"), None);
}

#[test]
fn a_prefetch_spends_nothing() {
    let (fixture, server, token) = Fixture::with_token(1);
    let link = link(&token);
    for purpose in [
        "Sec-Purpose: prefetch",
        "sec-purpose: prefetch;prerender",
        "Sec-Purpose: PREFETCH;anonymous-client-ip",
        "Purpose: prefetch",
        "purpose: Prefetch",
    ] {
        let response = server.ask("GET", &link, &[purpose]);
        assert_eq!((response.status, response.body.as_str()), (503, ""), "{purpose}");
        assert_eq!(fixture.used(&token), 0, "{purpose}");
    }
    assert_eq!(server.ask("GET", &link, &["Sec-Purpose: fetch"]).status, 200);
}

#[test]
fn other_methods_are_not_allowed_and_spend_nothing() {
    let (fixture, server, token) = Fixture::with_token(1);
    for link in [link(&token), format!("{R}/{}", token.as_str())] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "BREW"] {
            let response = server.ask(method, &link, &[]);
            assert_eq!(response.status, 405, "{method}");
            assert_eq!(response.header("allow"), Some("GET, HEAD"), "{method}");
        }
    }
    assert_eq!(fixture.used(&token), 0);
}

#[test]
fn a_file_is_named_after_its_user() {
    let (fixture, server) = Fixture::opened();
    let user = UserName::new("J\u{fc}rgen \"x\"").unwrap();
    let token = fixture.sign(&Claims { user, ..fixture.claims(1) });
    assert_eq!(
        server.get(&format!("{R}/{}", token.as_str())).header("content-disposition"),
        Some(
            "attachment; filename=\"J_rgen _x_.ovpn\"; filename*=utf-8''J%C3%BCrgen%20%22x%22.ovpn"
        )
    );
}

/// The last byte of each request is held back until all others are sent.
#[test]
fn sixty_four_downloads_at_once_get_three_profiles_for_three_uses() {
    let (fixture, server, token) = Fixture::with_token(3);
    let together = Barrier::new(64);
    let download = |path: &str| {
        let bytes = request("GET", path, &[]);
        let (last, first) = bytes.split_last().unwrap();
        let mut stream = server.connect();
        stream.write_all(first).unwrap();
        together.wait();
        stream.write_all(&[*last]).unwrap();
        let response = read_response(&mut stream);
        assert_eq!(response.body == profile_of("alice"), response.status == 200);
        response.status
    };
    let links = [link(&token), format!("{R}/{}", token.as_str())];
    let statuses: Vec<u16> = thread::scope(|scope| {
        let spread = links.iter().cycle().take(64);
        let downloads: Vec<_> = spread.map(|link| scope.spawn(|| download(link))).collect();
        downloads.into_iter().map(|download| download.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 3);
    assert_eq!(statuses.iter().filter(|status| **status == 410).count(), 61);
    assert_eq!(fixture.used(&token), 3);
}
