//! Promise: jeton and a second reader, which shares no code with it, judge each token in
//! `tests/vectors/token-v1` as its file says.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests, not only tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jeton::keyring::Keyring;
use jeton::token::{
    AdminRole, Claims, ClaimsError, IpNetwork, KeyPurpose, Lifetime, Nonce, ProfileKind, Purpose,
    SigningKey, TimeError, TrustedKey, UnixSeconds, UserName, VerifiedToken, VerifyError,
    VerifyingKey, sign, verify,
};
use serde::Deserialize;

/// One file. The README next to the vectors describes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    reason: String,
    test_seed: String,
    token: String,
    now: u64,
    #[serde(default)]
    trusted: Vec<Trusted>,
    error: Option<String>,
    claims: Option<ExpectedClaims>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trusted {
    purpose: KeyPurpose,
    public_key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedClaims {
    purpose: String,
    nonce: String,
    issued_at: u64,
    expires_at: u64,
    uses: String,
    user: String,
    network: Option<String>,
}

fn directory(verdict: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/token-v1").join(verdict)
}

/// Reads all vectors with this verdict, which must be at least `min`.
fn vectors(verdict: &str, min: usize) -> Vec<Vector> {
    let mut vectors = Vec::new();
    for entry in fs::read_dir(directory(verdict)).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let vector: Vector =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(path.file_name().unwrap().to_str(), Some(&*format!("{}.toml", vector.name)));
        assert!(!vector.reason.is_empty(), "{} has no reason", vector.name);
        vectors.push(vector);
    }
    assert!(vectors.len() >= min, "{} of {min} vectors in {verdict}", vectors.len());
    vectors
}

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    assert!(hex.len() == 2 * N && hex.is_ascii(), "{hex} is not {N} bytes");
    std::array::from_fn(|i| u8::from_str_radix(hex.get(2 * i..2 * i + 2).unwrap(), 16).unwrap())
}

fn keyring(vector: &Vector) -> Keyring {
    let keys = vector.trusted.iter().map(|trusted| {
        let key = VerifyingKey::from_bytes(&bytes(&trusted.public_key)).unwrap();
        (PathBuf::from(&trusted.public_key), TrustedKey { purpose: trusted.purpose, key })
    });
    Keyring::new(keys).unwrap()
}

/// Verifies the token of a vector. Returns the name of the error if it is refused.
fn judge(vector: &Vector) -> Result<VerifiedToken, &'static str> {
    let token = verify(&vector.token, &keyring(vector)).map_err(|error| match error {
        VerifyError::TooLong => "TooLong",
        VerifyError::Base64 => "Base64",
        VerifyError::TooShort => "TooShort",
        VerifyError::Version(_) => "Version",
        VerifyError::UnknownKey(_) => "UnknownKey",
        VerifyError::Signature => "Signature",
        VerifyError::Claims(ClaimsError::Malformed) => "Claims.Malformed",
        VerifyError::Claims(ClaimsError::NotCanonical) => "Claims.NotCanonical",
        VerifyError::Claims(ClaimsError::Time) => "Claims.Time",
        VerifyError::Claims(ClaimsError::Lifetime) => "Claims.Lifetime",
        VerifyError::Claims(ClaimsError::Uses) => "Claims.Uses",
        VerifyError::KeyPurpose { .. } => "KeyPurpose",
    })?;
    match token.claims().validate_time(UnixSeconds::new(vector.now)) {
        Ok(()) => Ok(token),
        Err(TimeError::NotYet(_)) => Err("NotYet"),
        Err(TimeError::Expired(_)) => Err("Expired"),
    }
}

fn claims(expected: &ExpectedClaims) -> Claims {
    let purpose = match expected.purpose.split_once(':').unwrap() {
        ("profile", kind) => Purpose::Profile(kind.parse::<ProfileKind>().unwrap()),
        ("admin", "viewer") => Purpose::Admin(AdminRole::Viewer),
        ("admin", "operator") => Purpose::Admin(AdminRole::Operator),
        ("admin", "admin") => Purpose::Admin(AdminRole::Admin),
        _ => panic!("purpose {}", expected.purpose),
    };
    let lifetime = u32::try_from(expected.expires_at - expected.issued_at).unwrap();
    Claims {
        purpose,
        nonce: Nonce(bytes(&expected.nonce)),
        issued_at: UnixSeconds::new(expected.issued_at),
        lifetime: Lifetime::from_seconds(lifetime).unwrap(),
        uses: expected.uses.parse().unwrap(),
        user: UserName::new(expected.user.as_str()).unwrap(),
        network: expected.network.as_deref().map(|network| network.parse::<IpNetwork>().unwrap()),
    }
}

#[test]
fn accepts_each_accept_vector_with_its_claims() {
    for vector in vectors("accept", 12) {
        assert_eq!(vector.error, None, "{}", vector.name);
        let claims = claims(vector.claims.as_ref().unwrap());
        let token = judge(&vector).unwrap_or_else(|error| panic!("{}: {error}", vector.name));
        assert_eq!(*token.claims(), claims, "{}", vector.name);
    }
}

/// The vectors are generated without jeton's encoder, so this compares two encoders.
#[test]
fn mints_the_token_of_each_accept_vector() {
    for vector in vectors("accept", 12) {
        let key = SigningKey::from_seed(&bytes(&vector.test_seed));
        let token = sign(&claims(vector.claims.as_ref().unwrap()), &key).unwrap();
        assert_eq!(token.as_str(), vector.token, "{}", vector.name);
    }
}

#[test]
fn refuses_each_refuse_vector_with_its_error() {
    let mut seen = BTreeMap::<String, usize>::new();
    for vector in vectors("refuse", 45) {
        assert!(vector.claims.is_none(), "{}", vector.name);
        let error = vector.error.clone().unwrap();
        assert_eq!(judge(&vector).map(|_| "accepted"), Err(&*error), "{}", vector.name);
        *seen.entry(error).or_default() += 1;
    }
    // `Claims.Lifetime` and `Claims.Uses` are errors of a minter. In a token, such claims do not
    // decode.
    let all = [
        "Base64",
        "Claims.Malformed",
        "Claims.NotCanonical",
        "Claims.Time",
        "Expired",
        "KeyPurpose",
        "NotYet",
        "Signature",
        "TooLong",
        "TooShort",
        "UnknownKey",
        "Version",
    ];
    assert!(seen.keys().eq(all), "{seen:?}");
}

/// The second reader needs `python3` (3.11 or later) and `openssl`.
#[test]
fn the_second_reader_agrees() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/check.py");
    let output = Command::new("python3").arg(script).output().expect("python3 is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let count = |verdict| fs::read_dir(directory(verdict)).unwrap().count();
    let expected = format!("{} accepted, {} refused\n", count("accept"), count("refuse"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{errors}");
}
