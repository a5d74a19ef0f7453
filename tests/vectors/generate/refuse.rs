//! Tokens that must be refused, each for one reason.

use curve25519_dalek::constants::EIGHT_TORSION;

use crate::bytes::{
    CONTEXT, Fields, ISSUED_AT, Key, base64url, message, overlong, raw_text, signed_part, text,
    token, varint,
};
use crate::case::{Case, Verdict, admin_key, profile_key, trusted};

/// The order of the base point (RFC 8032, section 5.1), little-endian.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = texts();
    cases.extend(spellings());
    cases.extend(envelopes());
    cases.extend(messages());
    cases.extend(signatures());
    cases.extend(overlong_varints());
    cases.extend(cut_claims());
    cases.extend(enumerations());
    cases.extend(numbers());
    cases.extend(users());
    cases.extend(networks());
    cases.extend(purposes());
    cases.extend(times());
    cases
}

fn case(name: &str, error: &'static str, reason: &str, token: String) -> Case {
    Case {
        name: name.to_owned(),
        reason: reason.to_owned(),
        seed: profile_key().seed,
        trusted: trusted(),
        token,
        now: ISSUED_AT,
        verdict: Verdict::Refuse(error),
    }
}

/// Makes a case with invalid claims that are signed correctly.
fn claims(name: &str, error: &'static str, reason: &str, change: impl Fn(&mut Fields)) -> Case {
    let mut fields = Fields::alice();
    change(&mut fields);
    case(name, error, reason, token(&profile_key(), &fields.encode()))
}

/// Returns a valid token that contains `-` and `_`. `len` adds bytes to the user name, which
/// changes the length of the last base64 group.
fn good(len: usize) -> String {
    (0..=u8::MAX)
        .map(|byte| {
            let mut fields = Fields::alice();
            fields.nonce[15] = byte;
            fields.user = text(&"x".repeat(5 + len));
            fields.encode()
        })
        .map(|claims| (claims.len(), token(&profile_key(), &claims)))
        .find(|(_, token)| token.contains('-') && token.contains('_'))
        .map(|(_, token)| token)
        .unwrap()
}

/// Returns a valid token whose last base64 group has `chars` characters.
fn good_with_last_group(chars: usize) -> String {
    (0..3).map(good).find(|token| token.len() % 4 == chars % 4).unwrap()
}

/// Replaces the character at `at`.
fn with_char(token: &str, at: usize, c: char) -> String {
    token.chars().enumerate().map(|(i, old)| if i == at { c } else { old }).collect()
}

/// Texts that are too long, too short or not base64url.
fn texts() -> Vec<Case> {
    let good = good(0);
    let insert = |at, what: &str| format!("{}{what}{}", &good[..at], &good[at..]);
    vec![
        case("empty", "TooShort", "no characters", String::new()),
        case("too-long", "TooLong", "513 characters", "A".repeat(513)),
        case("too-long-tail", "TooLong", "a good token and zeros", format!("{good:A<513}")),
        case("largest-allowed-text", "Version", "512 characters are decoded", "A".repeat(512)),
        case("nul", "Base64", "U+0000 after a good token", insert(good.len(), "\0")),
        case("nul-within", "Base64", "U+0000 within a good token", insert(9, "\0")),
        case("space-before", "Base64", "a space before a good token", insert(0, " ")),
        case("space-within", "Base64", "a space within a good token", insert(20, " ")),
        case(
            "line-feed-behind",
            "Base64",
            "a line feed after a good token",
            insert(good.len(), "\n"),
        ),
        case("line-break-within", "Base64", "wrapped as mail programs do", insert(76, "\r\n")),
        case("tab-within", "Base64", "a tab within a good token", insert(40, "\t")),
        case("percent", "Base64", "the first letter percent-encoded", format!("%41{}", &good[1..])),
        case("full-width", "Base64", "a look-alike letter", format!("\u{ff21}{}", &good[1..])),
        case("dot", "Base64", "a full stop after a good token", insert(good.len(), ".")),
        case("second-token", "Base64", "two tokens and a comma", format!("{good},{good}")),
    ]
}

/// Other base64 spellings of valid tokens.
fn spellings() -> Vec<Case> {
    let (two, three) = (good_with_last_group(2), good_with_last_group(3));
    let full = good_with_last_group(0);
    let good = &three;
    let minus = good.find('-').unwrap();
    let underscore = good.find('_').unwrap();
    let letter = good.rfind(|c: char| c.is_ascii_alphabetic()).unwrap();
    let other_case = |c: char| {
        if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
    };
    let flipped = with_char(good, letter - 4, other_case(good.as_bytes()[letter - 4] as char));
    let next = |token: &str| {
        let last = token.chars().last().unwrap();
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let value = alphabet.find(last).unwrap();
        with_char(token, token.len() - 1, alphabet.as_bytes()[value | 1] as char)
    };
    let swapped = if flipped == *good { panic!("no letter to flip") } else { flipped };
    vec![
        case("padding-one", "Base64", "padded with `=`", format!("{three}=")),
        case("padding-two", "Base64", "padded with `==`", format!("{two}==")),
        case(
            "padding-too-much",
            "Base64",
            "padded where nothing is missing",
            format!("{full}===="),
        ),
        case("trailing-bits-two", "Base64", "the last 2 unused bits are not zero", next(&three)),
        case("trailing-bits-four", "Base64", "the last 4 unused bits are not zero", next(&two)),
        case("plus", "Base64", "`+` of standard base64 for `-`", with_char(good, minus, '+')),
        case("slash", "Base64", "`/` of standard base64 for `_`", with_char(good, underscore, '/')),
        case(
            "one-char-more",
            "Base64",
            "no number of bytes encodes to this length",
            format!("{full}A"),
        ),
        case("case-of-one-letter", "Signature", "upper and lower case differ", swapped),
        case("lower-case", "Version", "all of it in lower case", good.to_ascii_lowercase()),
        case("upper-case", "UnknownKey", "all of it in upper case", full.to_ascii_uppercase()),
    ]
}

fn envelopes() -> Vec<Case> {
    let key = profile_key();
    let fields = Fields::alice().encode();
    let signed = signed_part(1, &key.id(), &fields);
    let whole = [&signed[..], &key.sign(&message(&signed))].concat();
    let with_head = |version: u8, key_id: &[u8]| {
        let signed = signed_part(version, key_id, &fields);
        base64url(&[&signed[..], &key.sign(&message(&signed))].concat())
    };
    let mut other_id = key.id();
    other_id[3] ^= 1;
    let mut cases = vec![
        case("version-0", "Version", "signed as version 0", with_head(0, &key.id())),
        case("version-2", "Version", "signed as version 2", with_head(2, &key.id())),
        case("version-129", "Version", "a version is no varint", with_head(0x81, &key.id())),
        case("key-id-unknown", "UnknownKey", "no key has this id", with_head(1, &other_id)),
        case(
            "key-id-of-another-key",
            "Signature",
            "signed by the profile key under the id of the trusted admin key",
            with_head(1, &admin_key().id()),
        ),
        case("no-claims", "Claims.Malformed", "a signed head without claims", token(&key, &[])),
        case(
            "byte-behind-signature",
            "Signature",
            "one byte more than the envelope has",
            base64url(&[&whole[..], &[0]].concat()),
        ),
        case(
            "json-web-token",
            "Base64",
            "three parts with full stops",
            "eyJhbGciOiJub25lIn0.e30.".to_owned(),
        ),
    ];
    for (name, len, error, reason) in [
        ("cut-to-version", 1, "TooShort", "only the version"),
        ("cut-to-key-id", 5, "TooShort", "only version and key id"),
        ("cut-to-signature-size", 64, "TooShort", "the size of a signature"),
        ("cut-below-head", 68, "TooShort", "a byte less than head and signature need"),
        ("cut-to-head", 69, "Signature", "head and signature, cut out of a good token"),
        ("cut-before-signature", signed.len(), "TooShort", "no signature"),
        ("cut-within-signature", whole.len() - 32, "Signature", "half a signature"),
        ("cut-by-one-byte", whole.len() - 1, "Signature", "the last byte is missing"),
    ] {
        // Without its signature, this token is too short to contain one.
        cases.push(case(name, error, reason, base64url(&whole[..len])));
    }
    cases
}

/// Valid signatures of other bytes.
fn messages() -> Vec<Case> {
    let key = profile_key();
    let signed = signed_part(1, &key.id(), &Fields::alice().encode());
    let with_message = |message: Vec<u8>| base64url(&[&signed[..], &key.sign(&message)].concat());
    let text = base64url(&signed);
    [
        ("context-missing", signed.clone(), "signed without a context"),
        ("context-of-version-2", [b"jeton token v2\0", &signed[..]].concat(), "another context"),
        ("context-without-nul", [b"jeton token v1", &signed[..]].concat(), "no end of the context"),
        ("context-behind", [&signed[..], CONTEXT].concat(), "the context after the bytes"),
        ("context-twice", [CONTEXT, CONTEXT, &signed[..]].concat(), "the context twice"),
        ("context-only", CONTEXT.to_vec(), "signed nothing but the context"),
        ("signed-text", [CONTEXT, text.as_bytes()].concat(), "signed the text, not the bytes"),
        ("signed-claims-only", [CONTEXT, &signed[5..]].concat(), "version and key id not signed"),
    ]
    .map(|(name, message, reason)| case(name, "Signature", reason, with_message(message)))
    .into()
}

/// Signatures that are valid under laxer rules than RFC 8032, and invalid ones.
fn signatures() -> Vec<Case> {
    let key = profile_key();
    let signed = signed_part(1, &key.id(), &Fields::alice().encode());
    let message = message(&signed);
    let good = key.sign(&message);
    let mut neutral = [0; 32];
    neutral[0] = 1;
    // y = 1 + p: a non-canonical encoding of the neutral element.
    let mut neutral_again = [0xff; 32];
    (neutral_again[0], neutral_again[31]) = (0xee, 0x7f);
    let mut negative_zero = neutral;
    negative_zero[31] = 0x80;
    let flipped = |at: usize| {
        let mut signature = good.clone();
        signature[at] ^= 1;
        signature
    };
    let mut cases: Vec<Case> = [
        ("s-plus-l", s_plus_l(&good), "S + L: the same signature a second time"),
        ("s-high-bits", high_bits(&good), "the three highest bits of S set"),
        (
            "r-small-order",
            key.sign_with_neutral(&message, neutral),
            "R is the neutral element; the equation holds",
        ),
        (
            "r-small-order-8",
            key.sign_with_torsion(&message, 0, EIGHT_TORSION[1]),
            "R has order 8; the equation times the cofactor holds",
        ),
        (
            "r-mixed-order",
            key.sign_with_torsion(&message, 7, EIGHT_TORSION[1]),
            "R has a part of order 8; the equation times the cofactor holds",
        ),
        (
            "r-non-canonical",
            key.sign_with_neutral(&message, neutral_again),
            "R is the neutral element spelled with y = p + 1; the equation holds",
        ),
        (
            "r-negative-zero",
            key.sign_with_neutral(&message, negative_zero),
            "R is the neutral element spelled with x = -0; the equation holds",
        ),
        ("signature-zero", vec![0; 64], "64 zeros"),
        ("signature-of-another-key", Key::new(0x33).sign(&message), "a key that is not trusted"),
        ("signature-bit-in-r", flipped(0), "one bit of R flipped"),
        ("signature-bit-in-s", flipped(32), "one bit of S flipped"),
        ("signature-halves-swapped", [&good[32..], &good[..32]].concat(), "S before R"),
    ]
    .map(|(name, signature, reason)| {
        case(name, "Signature", reason, base64url(&[&signed[..], &signature].concat()))
    })
    .into();
    for (name, at) in [("bit-in-purpose", 5), ("bit-in-nonce", 7), ("bit-in-user", 36)] {
        let mut changed = signed.clone();
        changed[at] ^= 1;
        let token = base64url(&[&changed[..], &good].concat());
        cases.push(case(name, "Signature", "one bit of the signed claims flipped", token));
    }
    cases
}

/// Adds L to the S of `signature`.
fn s_plus_l(signature: &[u8]) -> Vec<u8> {
    let mut out = signature.to_vec();
    let mut carry = 0;
    for (byte, l) in out[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(l) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    out
}

fn high_bits(signature: &[u8]) -> Vec<u8> {
    let mut out = signature.to_vec();
    out[63] |= 0xe0;
    out
}

/// Signed claims with one varint longer than needed.
fn overlong_varints() -> Vec<Case> {
    const REASON: &str = "a signed varint with a byte too many";
    const ERROR: &str = "Claims.NotCanonical";
    let long_user = || [&overlong(5)[..], b"alice"].concat();
    let v4 = |tag: Vec<u8>| [&[1][..], &tag, &[192, 0, 2, 0, 24]].concat();
    let mut admin = Fields::alice();
    admin.purpose = [&[1][..], &overlong(2)].concat();
    let admin = Case {
        seed: admin_key().seed,
        ..case("overlong-role", ERROR, REASON, token(&admin_key(), &admin.encode()))
    };
    vec![
        admin,
        claims("overlong-purpose", ERROR, REASON, |f| {
            f.purpose = [&overlong(0)[..], &[0]].concat();
        }),
        claims("overlong-kind", ERROR, REASON, |f| f.purpose = [&[0][..], &overlong(1)].concat()),
        claims("overlong-issued-at", ERROR, REASON, |f| f.issued_at = overlong(ISSUED_AT)),
        claims("overlong-lifetime", ERROR, REASON, |f| f.lifetime = overlong(3_600)),
        claims("overlong-uses-kind", ERROR, REASON, |f| f.uses = [&overlong(0)[..], &[1]].concat()),
        claims("overlong-unlimited", ERROR, REASON, |f| f.uses = overlong(1)),
        claims("overlong-uses", ERROR, REASON, |f| f.uses = [&[0][..], &overlong(1)].concat()),
        claims("overlong-user-length", ERROR, REASON, |f| f.user = long_user()),
        claims("overlong-network-family", ERROR, REASON, |f| f.network = v4(overlong(0))),
        claims(
            "overlong-to-the-limit",
            ERROR,
            "issued_at in all ten bytes that a u64 may have",
            |f| {
                f.issued_at = vec![0x80 | 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0];
            },
        ),
        claims("overlong-beyond-the-type", "Claims.Malformed", "lifetime in six bytes", |f| {
            f.lifetime = vec![0x81, 0x80, 0x80, 0x80, 0x80, 0];
        }),
        claims("byte-behind-claims", ERROR, "a signed byte after the last claim", |f| {
            f.network = vec![0, 0];
        }),
        claims("claims-twice", ERROR, "signed claims after the claims", |f| {
            f.network = [&[0][..], &Fields::alice().encode()].concat();
        }),
    ]
}

/// Signed claims that end at each boundary between two claims.
fn cut_claims() -> Vec<Case> {
    let names = ["purpose", "nonce", "issued-at", "lifetime", "uses", "user"];
    let fields = Fields::alice();
    (1..=names.len())
        .map(|count| {
            let name = format!("claims-end-behind-{}", names[count - 1]);
            let token = token(&profile_key(), &fields.all()[..count].concat());
            case(&name, "Claims.Malformed", "signed claims that end too soon", token)
        })
        .collect()
}

fn enumerations() -> Vec<Case> {
    const ERROR: &str = "Claims.Malformed";
    let mut role = Fields::alice();
    role.purpose = vec![1, 3];
    let role = Case {
        seed: admin_key().seed,
        ..case("role-3", ERROR, "no such role", token(&admin_key(), &role.encode()))
    };
    vec![
        role,
        claims("purpose-2", ERROR, "no such purpose", |f| f.purpose = vec![2, 0]),
        claims("kind-3", ERROR, "no such kind of profile", |f| f.purpose = vec![0, 3]),
        claims("uses-kind-2", ERROR, "no such kind of limit", |f| f.uses = vec![2, 1]),
        claims("network-option-2", ERROR, "neither none nor some", |f| f.network = vec![2]),
        claims("network-option-255", ERROR, "neither none nor some", |f| f.network = vec![0xff]),
        claims("network-family-2", ERROR, "no such family of addresses", |f| {
            f.network = vec![1, 2, 192, 0, 2, 0, 24];
        }),
    ]
}

fn numbers() -> Vec<Case> {
    const ERROR: &str = "Claims.Malformed";
    let uses = |count: u64| [&[0][..], &varint(count)].concat();
    vec![
        claims("uses-0", ERROR, "no uses at all", |f| f.uses = uses(0)),
        claims("uses-4294967296", ERROR, "more uses than 32 bits hold", |f| f.uses = uses(1 << 32)),
        claims("lifetime-0", ERROR, "never valid", |f| f.lifetime = varint(0)),
        claims("lifetime-366-days-and-1-second", ERROR, "longer than any token lives", |f| {
            f.lifetime = varint(366 * 86_400 + 1);
        }),
        claims("lifetime-4294967295", ERROR, "136 years", |f| f.lifetime = varint(u32::MAX.into())),
        claims("issued-at-65-bits", ERROR, "more seconds than 64 bits hold", |f| {
            f.issued_at = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
        }),
        claims("expires-behind-the-last-moment", "Claims.Time", "after the year 9999", |f| {
            f.issued_at = varint(253_402_207_200 - 3_599);
        }),
        claims("issued-at-u64-max", "Claims.Time", "expiry does not fit 64 bits", |f| {
            f.issued_at = varint(u64::MAX);
        }),
    ]
}

fn users() -> Vec<Case> {
    [
        ("user-empty", text(""), "no user"),
        ("user-129-bytes", text(&"x".repeat(129)), "one byte more than a user name may have"),
        ("user-129-bytes-utf8", text(&format!("{}\u{fc}", "x".repeat(127))), "128 characters"),
        ("user-dot", text("."), "the directory itself"),
        ("user-dot-dot", text(".."), "the parent directory"),
        ("user-slash", text("../alice"), "a path"),
        ("user-slash-behind", text("alice/"), "a path"),
        ("user-backslash", text("a\\b"), "a path elsewhere"),
        ("user-nul", text("alice\0"), "U+0000"),
        ("user-line-feed", text("alice\nroot"), "a second line in logs and headers"),
        ("user-delete", text("alice\u{7f}"), "U+007F"),
        ("user-c1-control", text("alice\u{85}"), "U+0085, a control character of two bytes"),
        ("user-not-utf8", raw_text(b"ali\xffce"), "not UTF-8"),
        ("user-utf8-overlong", raw_text(b"\xc1\xa1lice"), "`a` in two bytes"),
        ("user-utf8-surrogate", raw_text(b"\xed\xa0\x80"), "half a surrogate pair"),
        ("user-longer-than-token", [&varint(200)[..], b"alice"].concat(), "the name ends too soon"),
        (
            "user-length-2-to-the-63",
            [&varint(1 << 63)[..], b"alice"].concat(),
            "a length of 2^63 bytes",
        ),
    ]
    .map(|(name, user, reason)| {
        claims(name, "Claims.Malformed", reason, |f| f.user.clone_from(&user))
    })
    .into()
}

fn networks() -> Vec<Case> {
    let v6 = |address: [u8; 16], prefix: u8| [&[1, 1], &address[..], &[prefix]].concat();
    let mut mapped = [0; 16];
    mapped[10..].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 0]);
    let mut host = [0; 16];
    (host[0], host[15]) = (0x20, 1);
    [
        ("network-v4-host-bits", vec![1, 0, 192, 0, 2, 1, 24], "bits after the prefix are set"),
        ("network-v4-prefix-33", vec![1, 0, 192, 0, 2, 0, 33], "an address has 32 bits"),
        ("network-v4-all-host-bits", vec![1, 0, 0, 0, 0, 1, 0], "0.0.0.1/0"),
        ("network-v6-host-bits", v6(host, 127), "bits after the prefix are set"),
        ("network-v6-prefix-129", v6(host, 129), "an address has 128 bits"),
        ("network-v6-mapped", v6(mapped, 120), "IPv4-mapped IPv6"),
        ("network-without-prefix", vec![1, 0, 192, 0, 2, 0], "the claims end too soon"),
        ("network-v4-as-v6", vec![1, 1, 192, 0, 2, 0, 24], "four bytes where sixteen belong"),
    ]
    .map(|(name, network, reason)| {
        claims(name, "Claims.Malformed", reason, |f| f.network.clone_from(&network))
    })
    .into()
}

/// Trusted keys that sign for a purpose they are not trusted for.
fn purposes() -> Vec<Case> {
    let mut admin = Fields::alice();
    admin.purpose = vec![1, 2];
    let reason = "a profile key signed an admin token";
    let by_profile =
        case("admin-by-profile-key", "KeyPurpose", reason, token(&profile_key(), &admin.encode()));
    let reason = "an admin key signed a profile token";
    let claims = Fields::alice().encode();
    let by_admin = case("profile-by-admin-key", "KeyPurpose", reason, token(&admin_key(), &claims));
    let reason = "no key is trusted at all";
    let untrusted = case("no-key-trusted", "UnknownKey", reason, token(&profile_key(), &claims));
    let reason = "the key is trusted, but for the other purpose";
    let swapped =
        case("key-trusted-as-admin", "KeyPurpose", reason, token(&profile_key(), &claims));
    vec![
        by_profile,
        Case { seed: admin_key().seed, ..by_admin },
        Case { trusted: Vec::new(), ..untrusted },
        Case { trusted: vec![("admin", profile_key().public)], ..swapped },
    ]
}

/// Valid tokens at the wrong time.
fn times() -> Vec<Case> {
    let good = token(&profile_key(), &Fields::alice().encode());
    [
        ("too-early", "NotYet", ISSUED_AT - 61, "61 s before it was issued"),
        ("in-1970", "NotYet", 0, "a clock that was never set"),
        ("just-expired", "Expired", ISSUED_AT + 3_600, "the moment it expires"),
        ("long-expired", "Expired", 253_402_207_200, "in the year 9999"),
        ("expired-at-the-end-of-time", "Expired", i64::MAX as u64, "the largest time in TOML"),
    ]
    .map(|(name, error, now, reason)| Case { now, ..case(name, error, reason, good.clone()) })
    .into()
}
