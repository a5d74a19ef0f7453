//! The share page: viewing it spends nothing, its button delivers the profile.

use super::fixture::{Fixture, NOW, PUBLIC_URL, Response, Server, limits, profile_of, wait_for};
use crate::ledger::{Ledger, LedgerError, OutcomeUnknown, Revocation, Unavailable};
use crate::public::{PublicLimits, Rate};
use crate::token::url::REST_PATH;
use crate::token::{Claims, Lifetime, ProfileKind, Purpose, Token, UserName};

const BROWSER: &str = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";

fn page_of(token: &Token) -> String {
    format!("/t/{}", token.as_str())
}

fn import_of(token: &Token) -> String {
    format!("openvpn://import-profile/{PUBLIC_URL}{REST_PATH}/{}", token.as_str())
}

fn look(server: &Server, token: &Token) -> Response {
    server.ask("GET", &page_of(token), &[BROWSER])
}

fn press(server: &Server, token: &Token, headers: &[&str]) -> Response {
    server.ask("POST", &page_of(token), headers)
}

/// Checks that a refusal is a page for browsers and a line for programs, that it is the same for
/// `GET`, `HEAD` and `POST`, and that nothing is spent.
fn assert_refused(
    fixture: &Fixture,
    token: &Token,
    status: u16,
    line: &str,
    title: &str,
    said: &str,
) {
    let server = fixture.open();
    let used = fixture.used(token);
    for method in ["GET", "POST"] {
        let text = server.ask(method, &page_of(token), &["Accept: */*"]);
        assert_eq!((text.status, text.body.as_str()), (status, &*format!("{line}\n")), "{method}");
        assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
        let page = server.ask(method, &page_of(token), &[BROWSER]);
        assert_eq!(page.status, status, "{method}");
        assert!(page.body.contains(&format!("<h1>{title}</h1>")), "{}", page.body);
        assert!(page.body.contains(said), "{said}: {}", page.body);
        assert_is_page(&page);
    }
    let head = server.ask("HEAD", &page_of(token), &[BROWSER]);
    head.assert_head_of(&look(&server, token));
    assert_eq!(fixture.used(token), used);
}

/// Checks the headers that restrict a page.
fn assert_is_page(page: &Response) {
    let policy = page.header("content-security-policy").unwrap();
    for rule in
        ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
    {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(policy.contains("style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-robots-tag", "noindex"),
    ] {
        assert_eq!(page.header(name), Some(value), "{name}");
    }
    assert!(page.body.starts_with("<!doctype html>"));
    assert!(!page.body.contains("<script") && !page.body.contains(" style="));
}

#[test]
fn the_page_describes_the_link_and_how_to_use_it() {
    let (fixture, server, token) = Fixture::with_token(3);
    fixture.clock.set(NOW.plus(180));
    let page = look(&server, &token);
    assert_eq!(page.status, 200);
    assert_is_page(&page);
    for part in [
        "<title>VPN profile for alice</title>",
        "User-locked",
        "asks for the password when you connect",
        "3 <small>imports or downloads</small>",
        "in 57 minutes",
        "<time datetime=\"2027-01-15T09:00:00Z\">15 January 2027, 09:00 UTC</time>",
        "role=\"img\" aria-label=\"QR code",
        "<span>vpn.example.com</span>",
        &format!("href=\"{}\"", import_of(&token)),
        &format!("<form method=\"post\" action=\"{}\">", page_of(&token)),
    ] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    assert!(!page.body.contains("vpn.test"), "the Host header is not trusted");
}

#[test]
fn the_page_shows_kind_uses_and_network() {
    let (fixture, server) = Fixture::opened();
    wait_for(fixture.ledger.permit(UserName::new("alice").unwrap(), true)).unwrap();
    let of_kind = |kind| Claims { purpose: Purpose::Profile(kind), ..fixture.claims(1) };
    let network = Some("127.0.0.0/8".parse().unwrap());
    for (claims, part) in [
        (of_kind(ProfileKind::Autologin), "connects without a password"),
        (of_kind(ProfileKind::ServerLocked), "works for every user of this server"),
        (fixture.claims(1), "1 <small>import or download</small>"),
        (fixture.claims(0), "Unlimited <small>until it expires</small>"),
        (Claims { network, ..fixture.claims(1) }, "127.0.0.0/8 <small>this network only</small>"),
    ] {
        let page = look(&server, &fixture.sign(&claims));
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
}

/// Scanners follow links that begin with `http`. The import link does not.
#[test]
fn the_page_has_no_link_that_a_scanner_could_follow_to_the_profile() {
    let (_fixture, server, token) = Fixture::with_token(1);
    let body = look(&server, &token).body;
    let (import, mut links) = (import_of(&token), 0);
    for attribute in ["href=\"", "src=\"", "action=\"", "content=\"", "formaction=\""] {
        for value in body.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let holds_token = value.contains(token.as_str());
            assert!(!holds_token || value == import || value == page_of(&token), "{value}");
            links += usize::from(holds_token);
        }
    }
    assert_eq!((links, body.matches(token.as_str()).count()), (2, 2), "one link, one form");
    assert_eq!(body.matches(REST_PATH).count(), body.matches(&import).count());
}

#[test]
fn previews_and_scanners_spend_nothing() {
    let (fixture, server, token) = Fixture::with_token(1);
    let first = server.get(&page_of(&token));
    for agent in [
        "TelegramBot (like TwitterBot)",
        "WhatsApp/2.24.8.76 A",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "facebookexternalhit/1.1",
        "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
        "SkypeUriPreview Preview/0.5",
        "LinkedInBot/1.0",
        "Microsoft Office SafeLinks",
        "Mozilla/5.0 (compatible; Googlebot/2.1)",
        "Signal-Android/7.0",
    ] {
        let agent = format!("User-Agent: {agent}");
        for purpose in ["Sec-Purpose: prefetch;prerender", "Sec-Fetch-Site: cross-site"] {
            let ask = |method| server.ask(method, &page_of(&token), &[&agent, purpose]);
            assert_eq!(ask("GET").without_date(), first.without_date(), "{agent} {purpose}");
            ask("HEAD").assert_head_of(&first);
        }
    }
    assert_eq!(fixture.used(&token), 0);
    assert_eq!(press(&server, &token, &[]).status, 200);
}

#[test]
fn the_button_delivers_the_same_as_the_profile_route_for_one_use() {
    let (fixture, server, token) = Fixture::with_token(2);
    let form = ["Content-Type: application/x-www-form-urlencoded", "Content-Length: 0", BROWSER];
    let by_button = press(&server, &token, &form);
    assert_eq!((by_button.status, by_button.body.as_str()), (200, &*profile_of("alice")));
    assert_eq!(fixture.used(&token), 1);
    let by_route = server.get(&format!("{REST_PATH}/{}", token.as_str()));
    assert_eq!(by_button.without_date(), by_route.without_date());
    assert_eq!(fixture.used(&token), 2);
    assert_eq!(press(&server, &token, &form).status, 410);
}

#[test]
fn a_refusal_page_shows_the_reason_and_the_time() {
    let fixture = Fixture::new();
    let claims = Claims { issued_at: NOW.plus(90), ..fixture.claims(1) };
    assert_refused(
        &fixture,
        &fixture.sign(&claims),
        403,
        "this link is not valid before 2027-01-15T08:00:30Z",
        "This link is not valid yet",
        "15 January 2027, 08:01 UTC</time>, in 1 minute.",
    );

    let token = fixture.mint(1);
    assert_eq!(press(&fixture.open(), &token, &[]).status, 200);
    let line = "this link is used up";
    assert_refused(&fixture, &token, 410, line, "This link is used up", "for a new link");

    let token = fixture.mint(1);
    let revocation = Revocation::Token { nonce: token.id().nonce, expires_at: None };
    wait_for(fixture.ledger.revoke(revocation)).unwrap();
    let line = "this link was revoked";
    assert_refused(&fixture, &token, 410, line, "This link was revoked", "withdrawn");

    let token = fixture.mint(1);
    fixture.clock.set(NOW.plus(3_600 + 7_260));
    assert_refused(
        &fixture,
        &token,
        410,
        "this link expired at 2027-01-15T09:00:00Z",
        "This link has expired",
        "15 January 2027, 09:00 UTC</time>, 2 hours 1 minute ago.",
    );
}

#[test]
fn a_refusal_page_says_what_to_do() {
    let fixture = Fixture::new();
    let assert_refused = |claims, status, line, title, said| {
        assert_refused(&fixture, &fixture.sign(&claims), status, line, title, said);
    };
    let user = UserName::new("absent").unwrap();
    let claims = Claims { user, ..fixture.claims(1) };
    let line = "profile not available, ask your administrator";
    assert_refused(claims, 404, line, "Profile not available", "Ask your administrator");

    let purpose = Purpose::Profile(ProfileKind::Autologin);
    let claims = Claims { purpose, ..fixture.claims(1) };
    let line = "NEED_AUTOLOGIN: user lacks autologin privilege";
    assert_refused(claims, 403, line, "Not permitted", "autologin");

    let network = Some("192.0.2.0/24".parse().unwrap());
    let claims = Claims { network, ..fixture.claims(1) };
    let line = "this link is not valid from your network";
    assert_refused(claims, 403, line, "Not valid from your network", "only from certain networks");

    let lifetime = Lifetime::from_seconds(10_000).unwrap();
    let claims = Claims { issued_at: NOW.minus(2_000), lifetime, ..fixture.claims(1) };
    let line = "this link was issued before this server began to count uses; ask your \
                administrator for a new one";
    assert_refused(claims, 410, line, "This link is no longer valid", "began to count");
}

#[test]
fn an_unavailable_ledger_offers_to_try_again() {
    for (fault, said) in [
        (LedgerError::Overloaded, "Nothing was used up"),
        (
            LedgerError::Unavailable(Unavailable::NotForwarded("disk".to_owned())),
            "Nothing was used up",
        ),
        (
            LedgerError::OutcomeUnknown(OutcomeUnknown::NoAnswer("disk".to_owned())),
            "may have been used up",
        ),
    ] {
        let fixture = Fixture::new();
        let token = fixture.mint(1);
        *fixture.ledger.fault.lock().unwrap() = Some(fault);
        let page = press(&fixture.open(), &token, &[BROWSER]);
        assert_eq!(page.status, 503);
        assert!(page.header("retry-after").is_some());
        for part in ["<h1>Try again shortly</h1>", said, "<a class=\"button\" href=\"\">"] {
            assert!(page.body.contains(part), "{part}: {}", page.body);
        }
        assert!(!page.body.contains("disk"));
    }
}

#[test]
fn a_client_over_its_rate_gets_429_with_retry_after() {
    let fixture = Fixture::new();
    let one = std::num::NonZeroU32::MIN;
    let rate = Rate { burst: one, per_second: one };
    let server = fixture.open_limited(PublicLimits { rate, ..limits() });
    let token = fixture.mint(1);
    assert_eq!(look(&server, &token).status, 200);
    for page in [look(&server, &token), press(&server, &token, &[BROWSER])] {
        assert_eq!((page.status, page.header("retry-after")), (429, Some("1")));
        assert!(page.body.contains("<h1>Too many requests</h1>"), "{}", page.body);
    }
    assert_eq!(fixture.used(&token), 0);
}

#[test]
fn a_user_name_is_escaped() {
    let (fixture, server) = Fixture::opened();
    for (name, shown) in [
        ("<script>alert(1)<\u{2044}script>", "&#60;script&#62;alert(1)&#60;\u{2044}script&#62;"),
        ("a\"b'c&amp;<!--", "a&#34;b&#39;c&#38;amp;&#60;!--"),
        ("\u{202e}}}{{ user", "\u{202e}}}{{ user"),
    ] {
        let user = UserName::new(name).unwrap();
        let page = look(&server, &fixture.sign(&Claims { user, ..fixture.claims(1) }));
        assert_eq!(page.status, 200);
        assert!(page.body.contains(&format!("<title>VPN profile for {shown}</title>")));
        assert!(page.body.contains(&format!("<h1>VPN profile for <bdi>{shown}</bdi></h1>")));
        assert!(!page.body.contains("<script") && !page.body.contains("<!--"), "{}", page.body);
    }
}

#[test]
fn only_its_own_page_or_a_program_can_press_the_button() {
    let (fixture, server, token) = Fixture::with_token(100);
    let own = format!("Origin: {PUBLIC_URL}");
    for foreign in [
        &["Sec-Fetch-Site: cross-site"][..],
        &["Sec-Fetch-Site: same-site"],
        &["Sec-Fetch-Site: cross-site", "Origin: null"],
        &["Sec-Fetch-Site: cross-site", &own],
        &["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"],
        &["Sec-Fetch-Site: "],
        &["Origin: https://evil.example"],
        &["Origin: https://vpn.example.com"],
        &["Origin: http://vpn.example.com:8443"],
        &[&own, "Origin: https://evil.example"],
    ] {
        let response = press(&server, &token, foreign);
        assert_eq!(response.status, 403, "{foreign:?}");
        assert!(response.body.starts_with("another site sent this request"), "{}", response.body);
        let page = press(&server, &token, &[foreign, &[BROWSER]].concat());
        assert!(page.body.contains("<h1>Open the link itself</h1>"), "{}", page.body);
        assert_eq!(fixture.used(&token), 0, "{foreign:?}");
    }
    let good = [
        &[][..],
        &["Sec-Fetch-Site: same-origin", "Origin: null"],
        &["Sec-Fetch-Site: none"],
        &["Origin: null"],
        &[&own],
    ];
    for (number, own) in (1..).zip(good) {
        let status = press(&server, &token, own).status;
        assert_eq!((status, fixture.used(&token)), (200, number), "{own:?}");
    }
}

#[test]
fn a_prefetched_or_too_large_form_spends_nothing() {
    let (fixture, server, token) = Fixture::with_token(2);
    for purpose in ["Sec-Purpose: prefetch", "Purpose: prefetch"] {
        let response = press(&server, &token, &[purpose, BROWSER]);
        assert_eq!((response.status, response.body.as_str()), (503, ""));
    }
    let with_body = |len: usize| {
        let length = format!("Content-Length: {len}");
        let mut bytes = super::fixture::request("POST", &page_of(&token), &[&length]);
        bytes.resize(bytes.len() + len, b'x');
        server.send(bytes)
    };
    assert_eq!((with_body(1_025).status, fixture.used(&token)), (413, 0));
    assert_eq!((with_body(1_024).status, fixture.used(&token)), (200, 1));
    let chunked = |len: usize| {
        let coding = ["Transfer-Encoding: chunked"];
        let mut bytes = super::fixture::request("POST", &page_of(&token), &coding);
        bytes.extend(format!("{len:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(len)).bytes());
        server.send(bytes)
    };
    assert_eq!((chunked(2_000).status, fixture.used(&token)), (413, 1));
    assert_eq!((chunked(10).status, fixture.used(&token)), (200, 2));
}

#[test]
fn other_methods_are_not_allowed_and_spend_nothing() {
    let (fixture, server, token) = Fixture::with_token(1);
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "post", "BREW"] {
        let response = server.ask(method, &page_of(&token), &[]);
        assert_eq!((response.status, response.header("allow")), (405, Some("GET, HEAD, POST")));
    }
    assert_eq!(fixture.used(&token), 0);
}

#[test]
fn other_spellings_give_one_page_and_spend_nothing() {
    let (fixture, server, token) = Fixture::with_token(1);
    let t = token.as_str();
    let nonsense = server.ask("GET", "/t/nonsense", &[BROWSER]);
    assert_eq!(nonsense.status, 404);
    assert!(nonsense.body.contains("<h1>Link not found</h1>"), "{}", nonsense.body);
    let unknown_key = {
        let key = crate::token::SigningKey::from_seed(&[9; 32]);
        crate::token::sign(&fixture.claims(1), &key).unwrap()
    };
    for link in [
        "/t/".to_owned(),
        format!("/t/{t}/"),
        format!("/t//{t}"),
        format!("/t/./{t}"),
        format!("/t/x/../{t}"),
        format!("/%74/{t}"),
        format!("/t/%{:02X}{}", t.as_bytes()[0], &t[1..]),
        format!("/t/{t}A"),
        format!("/t/{}", &t[..t.len() - 1]),
        format!("/t/{t}="),
        format!("/t/{t}%00"),
        format!("/t/{t}%20"),
        format!("/t/{t};x"),
        format!("/t/{t}.ovpn"),
        format!("/t/{t}%2F"),
        format!("/t/{}", t.repeat(6)),
        page_of(&fixture.mint_admin()),
        page_of(&unknown_key),
    ] {
        for method in ["GET", "POST"] {
            let response = server.ask(method, &link, &[BROWSER]);
            assert_eq!(response.without_date(), nonsense.without_date(), "{method} {link}");
        }
        let text = server.ask("POST", &link, &[]);
        assert_eq!(text.body, "AUTH ERROR: token not found\n", "{link}");
        assert_eq!(fixture.used(&token), 0, "{link}");
    }
    for link in [format!("/T/{t}"), format!("//t/{t}"), format!("/t%2F{t}"), "/t".to_owned()] {
        let status = server.ask("POST", &link, &[]).status;
        assert_eq!((status, fixture.used(&token)), (404, 0), "{link}");
    }
    for link in [format!("/t/{t}?null"), format!("http://elsewhere.test/t/{t}?x#y")] {
        assert!(server.get(&link).body.contains(&import_of(&token)), "{link}");
    }
}
