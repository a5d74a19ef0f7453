//! Promise: signatures follow the strict reading of RFC 8032. A non-canonical key or one of small
//! order is refused when it is decoded. A signature is valid if `S < L`, R is canonical and not of
//! small order, and `S * B = R + k * A` without the cofactor.
//!
//! Besides Wycheproof, this tests the edge cases of "Taming the many EdDSAs" (Chalkias, Garillot,
//! Nikolaenko, 2020, section 5): keys and R with each component of small order, non-canonical
//! encodings, and S too large.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, not only tests"
)]

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::traits::IsIdentity as _;
use curve25519_dalek::{EdwardsPoint, Scalar};
use jeton::token::{KeyError, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha512};
use wycheproof::TestResult;
use wycheproof::eddsa::{TestName, TestSet};

/// The order of the base point, little-endian.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Returns k of RFC 8032, section 5.1.7, step 2.
fn k(r: &[u8; 32], a: &[u8; 32], message: &[u8]) -> Scalar {
    let hash = Sha512::new().chain_update(r).chain_update(a).chain_update(message).finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

/// Makes a signature from the scalars of R and A. Both points may also have a component of small
/// order.
fn signature(r: &[u8; 32], a: &[u8; 32], scalars: (Scalar, Scalar), message: &[u8]) -> [u8; 64] {
    let s = scalars.0 + k(r, a, message) * scalars.1;
    [*r, s.to_bytes()].concat().try_into().unwrap()
}

fn encoded(point: EdwardsPoint) -> [u8; 32] {
    point.compress().to_bytes()
}

/// Adds `times` L to the S of a signature. Returns `None` if the sum does not fit.
fn s_plus_l(signature: &[u8; 64], times: usize) -> Option<[u8; 64]> {
    let mut out = *signature;
    for _ in 0..times {
        let mut carry = 0;
        for (byte, l) in out[32..].iter_mut().zip(L) {
            let sum = u16::from(*byte) + u16::from(l) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(out)
}

/// Returns all encodings of points of small order that ZIP 215 accepts: first the eight canonical
/// ones, then the others.
fn small_order_encodings() -> Vec<[u8; 32]> {
    let mut encodings: Vec<_> = EIGHT_TORSION.into_iter().map(encoded).collect();
    let candidates = (0xed..=0xff).flat_map(|low| {
        // y = p ..= 2^255 - 1, with both signs.
        [0x7f, 0xff].map(|high| {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, high);
            bytes
        })
    });
    // y = 1 and y = -1 with x = -0.
    let negative_zero = [EIGHT_TORSION[0], EIGHT_TORSION[4]].map(|point| {
        let mut bytes = encoded(point);
        bytes[31] |= 0x80;
        bytes
    });
    for bytes in candidates.chain(negative_zero) {
        let point = CompressedEdwardsY(bytes).decompress();
        if point.is_some_and(|point| point.is_small_order()) {
            encodings.push(bytes);
        }
    }
    encodings
}

#[test]
fn agrees_with_wycheproof() {
    let set = TestSet::load(TestName::Ed25519).unwrap();
    let (mut valid, mut invalid, mut keys_refused) = (0, 0, 0);
    for group in &set.test_groups {
        let public: [u8; 32] = group.key.pk[..].try_into().unwrap();
        let key = VerifyingKey::from_bytes(&public);
        for test in &group.tests {
            // An envelope always has a signature of 64 bytes.
            let signature = <[u8; 64]>::try_from(&test.sig[..]);
            let is_valid = match (&key, &signature) {
                (Ok(key), Ok(signature)) => key.is_signature(&test.msg, signature),
                _ => false,
            };
            let expected = test.result == TestResult::Valid;
            assert_eq!(is_valid, expected, "{} {}", test.tc_id, test.comment);
            valid += usize::from(expected);
            invalid += usize::from(!expected);
            keys_refused += usize::from(key.is_err());
        }
    }
    assert_eq!((valid, invalid, keys_refused), (88, 63, 0));
}

#[test]
fn refuses_every_encoding_of_a_key_of_small_order() {
    let encodings = small_order_encodings();
    assert_eq!(encodings.len(), 14);
    for (i, bytes) in encodings.iter().enumerate() {
        let expected = if i < 8 { KeyError::Weak } else { KeyError::NotCanonical };
        assert_eq!(VerifyingKey::from_bytes(bytes), Err(expected), "{bytes:02x?}");
    }
}

/// Keys and R with each component of small order. The signatures are made from the scalars, so that
/// the equation with the cofactor always holds.
#[test]
fn a_signature_must_satisfy_the_equation_without_the_cofactor() {
    let secret = Scalar::from(0x1234_5678_u64);
    let (mut valid, mut refused) = (0, 0);
    for key_torsion in EIGHT_TORSION {
        let a = encoded(EdwardsPoint::mul_base(&secret) + key_torsion);
        let key = VerifyingKey::from_bytes(&a).unwrap();
        for r_torsion in EIGHT_TORSION {
            for (r_scalar, number) in (0..24_u8).map(|n| (Scalar::from(n / 3), n)) {
                let message = [b'm', number];
                let r = encoded(EdwardsPoint::mul_base(&r_scalar) + r_torsion);
                let signature = signature(&r, &a, (r_scalar, secret), &message);
                let residue = r_torsion + k(&r, &a, &message) * key_torsion;
                let expected = r_scalar != Scalar::ZERO && residue.is_identity();
                assert_eq!(key.is_signature(&message, &signature), expected, "{signature:02x?}");
                valid += usize::from(expected);
                refused += usize::from(!expected);
            }
        }
    }
    assert_eq!(valid + refused, 8 * 8 * 24);
    assert!(valid > 100 && refused > 100, "{valid} {refused}");
}

/// With an R of small order, canonical or not, the equation holds for an ordinary key.
#[test]
fn refuses_every_encoding_of_an_r_of_small_order() {
    let secret = Scalar::from(0x1234_5678_u64);
    let a = encoded(EdwardsPoint::mul_base(&secret));
    let key = VerifyingKey::from_bytes(&a).unwrap();
    for r in small_order_encodings() {
        let signature = signature(&r, &a, (Scalar::ZERO, secret), b"m");
        assert!(!key.is_signature(b"m", &signature), "{r:02x?}");
    }
    let r = encoded(EdwardsPoint::mul_base(&Scalar::ONE));
    let signature = signature(&r, &a, (Scalar::ONE, secret), b"m");
    assert!(key.is_signature(b"m", &signature), "the construction itself is valid");
}

#[test]
fn refuses_s_plus_any_multiple_of_l() {
    let secret = Scalar::from(0x1234_5678_u64);
    let a = encoded(EdwardsPoint::mul_base(&secret));
    let key = VerifyingKey::from_bytes(&a).unwrap();
    let mut tried = 0;
    for r_scalar in (1..=8_u8).map(Scalar::from) {
        let r = encoded(EdwardsPoint::mul_base(&r_scalar));
        let signature = signature(&r, &a, (r_scalar, secret), b"m");
        assert!(key.is_signature(b"m", &signature));
        for malleated in (1..=15).filter_map(|times| s_plus_l(&signature, times)) {
            assert!(!key.is_signature(b"m", &malleated), "{malleated:02x?}");
            tried += 1;
        }
    }
    assert!(tried >= 8 * 14, "{tried}");
}

/// Includes points that are not of small order: y = p + 3 is on the curve like y = 3, and so on.
/// dalek alone would accept them.
#[test]
fn refuses_every_non_canonical_key() {
    let mut decodable = 0;
    for low in 0xed..=0xff {
        for high in [0x7f, 0xff] {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, high);
            if CompressedEdwardsY(bytes).decompress().is_some() {
                assert_eq!(VerifyingKey::from_bytes(&bytes), Err(KeyError::NotCanonical));
                decodable += 1;
            } else {
                assert_eq!(VerifyingKey::from_bytes(&bytes), Err(KeyError::NoPoint));
            }
        }
    }
    assert_eq!(decodable, 24);
}

/// RFC 8032, section 7.1, tests 1 to 3.
#[test]
fn derives_the_keys_of_rfc_8032() {
    let hex = |text: &str| -> [u8; 32] {
        std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    };
    for (seed, public) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        ),
    ] {
        let key = SigningKey::from_seed(&hex(seed));
        assert_eq!(key.verifying_key().to_bytes(), hex(public));
    }
}
