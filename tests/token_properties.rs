//! Promise: only the exact text that was minted verifies, and only with the key that signed it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, not only tests"
)]

use std::net::IpAddr;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jeton::token::{
    AdminRole, Batch, Claims, IpNetwork, KeyId, KeyPurpose, Lifetime, Nonce, ProfileKind, Purpose,
    SigningKey, TOKEN_LEN_MAX, TrustedKey, TrustedKeys, UnixSeconds, UseLimit, UserName,
    VerifyError, sign, verify,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Every run has the same cases.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x6a65_746f_6e31),
        ..ProptestConfig::default()
    }
}

/// Trusts one key under every key id, which is more than any keyring does.
struct Only(TrustedKey);

impl TrustedKeys for Only {
    fn find(&self, _id: KeyId) -> Option<&TrustedKey> {
        Some(&self.0)
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn only(key: &SigningKey, purpose: KeyPurpose) -> Only {
    Only(TrustedKey { purpose, key: *key.verifying_key() })
}

fn alice() -> Claims {
    Claims {
        purpose: Purpose::Profile(ProfileKind::UserLocked),
        nonce: Nonce::new(Batch([1; 4]), [2; 12]),
        issued_at: UnixSeconds::new(1_800_000_000),
        lifetime: Lifetime::from_seconds(3_600).unwrap(),
        uses: UseLimit::ONCE,
        user: UserName::new("alice").unwrap(),
        network: None,
    }
}

/// Returns claims of different shapes, for the tests that try every change.
fn samples() -> Vec<Claims> {
    let admin = Claims { purpose: Purpose::Admin(AdminRole::Admin), ..alice() };
    let network = "2001:db8::/32".parse().ok();
    let unlimited = Claims { uses: UseLimit::Unlimited, network, ..alice() };
    let long = Claims { user: UserName::new("u".repeat(20)).unwrap(), ..alice() };
    vec![alice(), admin, unlimited, long]
}

fn purposes() -> impl Strategy<Value = Purpose> {
    let kinds = prop::sample::select(ProfileKind::ALL.to_vec()).prop_map(Purpose::Profile);
    let roles =
        prop::sample::select(vec![AdminRole::Viewer, AdminRole::Operator, AdminRole::Admin]);
    prop_oneof![kinds, roles.prop_map(Purpose::Admin)]
}

fn uses() -> impl Strategy<Value = UseLimit> {
    prop_oneof![
        Just(UseLimit::Unlimited),
        any::<NonZeroU32>().prop_map(UseLimit::Limited),
        (1..=200_u32).prop_map(|n| UseLimit::Limited(NonZeroU32::new(n).unwrap())),
    ]
}

fn users() -> impl Strategy<Value = UserName> {
    let any_script = prop::collection::vec(any::<char>(), 1..=40);
    let any_script = any_script.prop_map(String::from_iter);
    prop_oneof!["[a-z.@-]{1,128}", any_script]
        .prop_filter_map("not a user name", |name| UserName::new(name).ok())
}

fn networks() -> impl Strategy<Value = Option<IpNetwork>> {
    let v4 = (any::<u32>(), 0..=32_u8).prop_map(|(bits, prefix)| {
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        IpNetwork::new(IpAddr::V4((bits & mask).into()), prefix).ok()
    });
    let v6 = (any::<u128>(), 0..=128_u8).prop_map(|(bits, prefix)| {
        let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
        IpNetwork::new(IpAddr::V6((bits & mask).into()), prefix).ok()
    });
    prop_oneof![Just(None), v4, v6]
}

prop_compose! {
    fn any_claims()(
        purpose in purposes(),
        nonce in any::<[u8; 16]>(),
        issued_at in prop_oneof![0..=4_000_000_000_u64, 0..=UnixSeconds::MAX.get() - 31_622_400],
        lifetime in 1..=Lifetime::MAX.seconds(),
        uses in uses(),
        user in users(),
        network in networks(),
    ) -> Claims {
        Claims {
            purpose,
            nonce: Nonce(nonce),
            issued_at: UnixSeconds::new(issued_at),
            lifetime: Lifetime::from_seconds(lifetime).unwrap(),
            uses,
            user,
            network,
        }
    }
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn a_verified_token_has_the_minted_claims(claims in any_claims(), seed in any::<[u8; 32]>()) {
        let key = SigningKey::from_seed(&seed);
        let token = sign(&claims, &key).unwrap();
        prop_assert!(token.as_str().len() <= TOKEN_LEN_MAX);
        let read = verify(token.as_str(), &only(&key, claims.purpose.key_purpose())).unwrap();
        prop_assert_eq!(read.claims(), &claims);
        prop_assert_eq!(read.id(), token.id());
    }

    #[test]
    fn refuses_another_key(claims in any_claims(), seeds in any::<[[u8; 32]; 2]>()) {
        let [mine, other] = seeds.map(|seed| SigningKey::from_seed(&seed));
        let token = sign(&claims, &mine).unwrap();
        let keys = only(&other, claims.purpose.key_purpose());
        prop_assert_eq!(verify(token.as_str(), &keys), Err(VerifyError::Signature));
    }

    #[test]
    fn refuses_a_key_of_another_purpose(claims in any_claims()) {
        let token = sign(&claims, &key(1)).unwrap();
        let other = match claims.purpose.key_purpose() {
            KeyPurpose::Profile => KeyPurpose::Admin,
            KeyPurpose::Admin => KeyPurpose::Profile,
        };
        let refused = verify(token.as_str(), &only(&key(1), other));
        let expected = VerifyError::KeyPurpose { key_id: token.id().key_id, trusted: other };
        prop_assert_eq!(refused, Err(expected));
    }

    #[test]
    fn refuses_random_texts(text in any::<String>()) {
        prop_assert!(verify(&text, &only(&key(1), KeyPurpose::Profile)).is_err());
    }

    /// The envelopes pass all checks before the signature.
    #[test]
    fn refuses_random_envelopes(tail in prop::collection::vec(any::<u8>(), 64..=379)) {
        let id = key(1).verifying_key().id();
        let envelope = [&[1], &id.0[..], &tail].concat();
        let text = BASE64_URL_SAFE_NO_PAD.encode(envelope);
        prop_assert_eq!(
            verify(&text, &only(&key(1), KeyPurpose::Profile)),
            Err(VerifyError::Signature)
        );
    }

    /// The signature is by the same key, but for other claims.
    #[test]
    fn refuses_the_signature_of_other_claims(first in any_claims(), second in any_claims()) {
        prop_assume!(first != second);
        let envelope = |claims| {
            BASE64_URL_SAFE_NO_PAD.decode(sign(claims, &key(1)).unwrap().as_str()).unwrap()
        };
        let (first, second) = (envelope(&first), envelope(&second));
        let mixed = [&first[..first.len() - 64], &second[second.len() - 64..]].concat();
        let text = BASE64_URL_SAFE_NO_PAD.encode(mixed);
        for purpose in KeyPurpose::ALL {
            prop_assert_eq!(verify(&text, &only(&key(1), purpose)), Err(VerifyError::Signature));
        }
    }
}

#[test]
fn refuses_an_envelope_with_any_bit_flipped() {
    for claims in samples() {
        let keys = only(&key(1), claims.purpose.key_purpose());
        let token = sign(&claims, &key(1)).unwrap();
        let envelope = BASE64_URL_SAFE_NO_PAD.decode(token.as_str()).unwrap();
        for bit in 0..envelope.len() * 8 {
            let mut changed = envelope.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let text = BASE64_URL_SAFE_NO_PAD.encode(&changed);
            let expected = match bit / 8 {
                0 => VerifyError::Version(changed[0]),
                _ => VerifyError::Signature,
            };
            assert_eq!(verify(&text, &keys), Err(expected), "bit {bit}");
        }
    }
}

/// Replaces each character of a token by each ASCII character and a full-width one.
#[test]
fn refuses_a_text_with_any_character_replaced() {
    for claims in samples() {
        let keys = only(&key(1), claims.purpose.key_purpose());
        let token = sign(&claims, &key(1)).unwrap();
        let text: Vec<char> = token.as_str().chars().collect();
        for at in 0..text.len() {
            for c in (0..128_u8).map(char::from).chain(['\u{ff21}']) {
                if c == text[at] {
                    continue;
                }
                let mut changed = text.clone();
                changed[at] = c;
                let changed = String::from_iter(changed);
                assert!(verify(&changed, &keys).is_err(), "{c:?} at {at}");
            }
        }
    }
}

/// Adds or removes one character at each position.
#[test]
fn refuses_a_text_with_a_character_added_or_removed() {
    for claims in samples() {
        let keys = only(&key(1), claims.purpose.key_purpose());
        let token = sign(&claims, &key(1)).unwrap();
        let text = token.as_str();
        for at in 0..=text.len() {
            let (head, tail) = text.split_at(at);
            for c in ALPHABET.iter().copied().chain(*b"= \n\0%+/.").map(char::from) {
                let longer = format!("{head}{c}{tail}");
                assert!(verify(&longer, &keys).is_err(), "{c:?} added at {at}");
            }
            if at < text.len() {
                let shorter = format!("{head}{}", &tail[1..]);
                assert!(verify(&shorter, &keys).is_err(), "one removed at {at}");
            }
            assert!(at == text.len() || verify(head, &keys).is_err(), "cut to {at}");
        }
    }
}
