//! Tokens that must be accepted.

use crate::bytes::{Fields, ISSUED_AT, Key, text, token, varint};
use crate::case::{Case, ExpectedClaims, Verdict, admin_key, profile_key, trusted};

/// 9999-12-30T22:00:00Z. No token expires later.
const LAST_MOMENT: u64 = 253_402_207_200;

const MAX_LIFETIME: u64 = 366 * 86_400;

/// Builds a case: the claims in both forms, which change together.
struct Good {
    fields: Fields,
    expected: ExpectedClaims,
    lifetime: u64,
    now: u64,
    key: Key,
}

impl Good {
    fn alice() -> Self {
        let fields = Fields::alice();
        let expected = ExpectedClaims {
            purpose: "profile:user-locked",
            nonce: fields.nonce.clone(),
            issued_at: ISSUED_AT,
            expires_at: ISSUED_AT + 3_600,
            uses: "1".to_owned(),
            user: "alice".to_owned(),
            network: None,
        };
        Self { fields, expected, lifetime: 3_600, now: ISSUED_AT, key: profile_key() }
    }

    fn purpose(mut self, text: &'static str, bytes: [u8; 2]) -> Self {
        self.expected.purpose = text;
        self.fields.purpose = bytes.to_vec();
        if bytes[0] == 1 {
            self.key = admin_key();
        }
        self
    }

    fn time(mut self, issued_at: u64, lifetime: u64, now: u64) -> Self {
        self.expected.issued_at = issued_at;
        self.expected.expires_at = issued_at + lifetime;
        self.lifetime = lifetime;
        self.fields.issued_at = varint(issued_at);
        self.fields.lifetime = varint(lifetime);
        self.now = now;
        self
    }

    fn uses(mut self, text: &str, bytes: Vec<u8>) -> Self {
        self.expected.uses = text.to_owned();
        self.fields.uses = bytes;
        self
    }

    fn user(mut self, user: &str) -> Self {
        self.expected.user = user.to_owned();
        self.fields.user = text(user);
        self
    }

    fn network(mut self, text: &'static str, family: u8, address: &[u8], prefix: u8) -> Self {
        self.expected.network = Some(text);
        self.fields.network = [&[1, family], address, &[prefix]].concat();
        self
    }

    fn case(self, name: &str, reason: &str) -> Case {
        Case {
            name: name.to_owned(),
            reason: reason.to_owned(),
            seed: self.key.seed,
            trusted: trusted(),
            token: token(&self.key, &self.fields.encode()),
            now: self.now,
            verdict: Verdict::Accept(self.expected),
        }
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = purposes();
    cases.extend(times());
    cases.extend(uses_and_users());
    cases.extend(networks());
    cases
}

fn purposes() -> Vec<Case> {
    [
        ("user-locked", "profile:user-locked", [0, 0], "the default kind"),
        ("autologin", "profile:autologin", [0, 1], "a profile that needs no password"),
        ("server-locked", "profile:server-locked", [0, 2], "a profile for any user"),
        ("admin-viewer", "admin:viewer", [1, 0], "an admin token, signed by an admin key"),
        ("admin-operator", "admin:operator", [1, 1], "an admin token, signed by an admin key"),
        ("admin-admin", "admin:admin", [1, 2], "an admin token, signed by an admin key"),
    ]
    .map(|(name, text, bytes, reason)| Good::alice().purpose(text, bytes).case(name, reason))
    .into()
}

fn times() -> Vec<Case> {
    [
        ("first-second", ISSUED_AT, 3_600, ISSUED_AT - 60, "60 s before it was issued"),
        ("last-second", ISSUED_AT, 3_600, ISSUED_AT + 3_599, "1 s before it expires"),
        ("lifetime-1-second", ISSUED_AT, 1, ISSUED_AT, "the shortest lifetime"),
        (
            "lifetime-366-days",
            ISSUED_AT,
            MAX_LIFETIME,
            ISSUED_AT + MAX_LIFETIME - 1,
            "the longest lifetime, in its last second",
        ),
        ("issued-in-1970", 0, 3_600, 0, "the allowance of 60 s is held at second 0"),
        (
            "expires-at-the-last-moment",
            LAST_MOMENT - 3_600,
            3_600,
            LAST_MOMENT - 1,
            "it expires at 9999-12-30T22:00:00Z, the last moment there is",
        ),
    ]
    .map(|(name, issued_at, lifetime, now, reason)| {
        Good::alice().time(issued_at, lifetime, now).case(name, reason)
    })
    .into()
}

fn uses_and_users() -> Vec<Case> {
    let most = [&[0][..], &varint(u64::from(u32::MAX))].concat();
    vec![
        Good::alice().uses("unlimited", vec![1]).case("uses-unlimited", "uses are not counted"),
        Good::alice().uses("4294967295", most).case("uses-4294967295", "the most uses"),
        Good::alice().uses("128", vec![0, 0x80, 1]).case("uses-128", "a varint of two bytes"),
        Good::alice().user(&"x".repeat(128)).case("user-128-bytes", "the longest user name"),
        Good::alice().user("a").case("user-1-byte", "the shortest user name"),
        Good::alice()
            .user("J\u{fc}rgen \u{674e}\u{96f7} \u{1f511}")
            .case("user-non-ascii", "UTF-8 with characters of 1 to 4 bytes and spaces"),
        Good::alice()
            .user("...")
            .case("user-three-dots", "a file name that does not lead to a parent directory"),
        Good::alice().user("alice@example.com").case("user-mail-address", "a usual user name"),
    ]
}

fn networks() -> Vec<Case> {
    let v6 = |head: &[u8]| {
        let mut address = head.to_vec();
        address.resize(16, 0);
        address
    };
    let documentation = [0x20, 0x01, 0x0d, 0xb8];
    let mut host = v6(&documentation);
    host[15] = 1;
    vec![
        Good::alice()
            .network("192.0.2.0/24", 0, &[192, 0, 2, 0], 24)
            .case("network-v4", "an IPv4 network"),
        Good::alice()
            .network("192.0.2.7/32", 0, &[192, 0, 2, 7], 32)
            .case("network-v4-host", "one IPv4 address"),
        Good::alice()
            .network("0.0.0.0/0", 0, &[0; 4], 0)
            .case("network-v4-all", "all of IPv4 and nothing of IPv6"),
        Good::alice()
            .network("2001:db8::/33", 1, &v6(&documentation), 33)
            .case("network-v6", "an IPv6 network that ends within a byte"),
        Good::alice()
            .network("2001:db8::1/128", 1, &host, 128)
            .case("network-v6-host", "one IPv6 address"),
        Good::alice()
            .time(LAST_MOMENT - MAX_LIFETIME, MAX_LIFETIME, LAST_MOMENT - 1)
            .uses("4294967295", [&[0][..], &varint(u64::from(u32::MAX))].concat())
            .user(&"\u{1f511}".repeat(32))
            .network("2001:db8::1/128", 1, &host, 128)
            .case("largest", "every claim as long as it can be"),
    ]
}
