//! Properties of tokens and links, for fuzz targets, seeds and property tests. Each function takes
//! any bytes and panics if its property does not hold.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::url::{
    PublicUrl, REST_PATH, SHARE_PATH, token_in_pasted, token_in_path, token_in_query,
};
use super::{
    Batch, Claims, KeyId, KeyPurpose, Lifetime, Nonce, ProfileKind, Purpose, SigningKey, Token,
    TrustedKey, TrustedKeys, UnixSeconds, UntrustedToken, UseLimit, UserName, envelope, sign,
    verify,
};

/// A text that parses is the only text of its token, and bytes that decode are the only encoding of
/// their claims.
pub fn token_text(data: &[u8]) {
    if let Ok(claims) = Claims::decode(data) {
        assert!(claims.encode() == data, "claims have a second encoding");
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(token) = UntrustedToken::parse(text) else { return };
    let message = token.message();
    let signed = message.strip_prefix(b"jeton token v1\0").unwrap_or_default();
    let again = envelope::encode(signed.to_vec(), token.signature());
    assert!(again == text, "a token has a second text");
    if let Ok(claims) = token.untrusted_claims() {
        let again = envelope::signed_part(token.untrusted_key_id(), &claims);
        assert!(again == signed, "claims in an envelope have a second encoding");
        assert!(claims.valid_from() <= claims.expires_at(), "a token ends before it begins");
    }
}

/// Bytes that no key signed never verify. Signed claims always do, until one bit changes.
pub fn token_forge(data: &[u8]) {
    let key = SigningKey::from_seed(&[0xf0; 32]);
    let only = |purpose| Only(TrustedKey { purpose, key: *key.verifying_key() });
    for purpose in KeyPurpose::ALL {
        let text = std::str::from_utf8(data).unwrap_or_default();
        assert!(verify(text, &only(purpose)).is_err(), "a text was forged");
        let envelope = [&[envelope::VERSION], &key.verifying_key().id().0[..], data].concat();
        let text = BASE64_URL_SAFE_NO_PAD.encode(envelope);
        assert!(verify(&text, &only(purpose)).is_err(), "an envelope was forged");
    }

    let claims = Claims::decode(data).unwrap_or_else(|_| claims_from(data));
    let Ok(token) = sign(&claims, &key) else { return };
    let keys = only(claims.purpose.key_purpose());
    let read = verify(token.as_str(), &keys).map(|token| token.claims().clone());
    assert!(read == Ok(claims), "a minted token does not verify");

    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(token.as_str()).unwrap_or_default();
    let bit = data.iter().fold(data.len(), |sum, &byte| sum.wrapping_mul(31) + usize::from(byte));
    let at = bit / 8 % bytes.len().max(1);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << (bit % 8);
    }
    let changed = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    assert!(verify(&changed, &keys).is_err(), "a changed token verifies");
}

/// A token that is found in any link has only characters of a token, is the only one there, and is
/// found again in every link made with it.
pub fn url_query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(token) = token_in_query(text) {
        check_found(text, token);
        let keys = text.split('&').filter_map(|pair| pair.split('=').next());
        assert!(keys.filter(|key| *key == "token").count() == 1, "one of two tokens was taken");
    }
    for prefix in [REST_PATH, SHARE_PATH] {
        if let Ok(token) = token_in_path(text, prefix) {
            check_found(text, token);
            assert!(format!("{prefix}/{token}") == text, "part of the path was ignored");
        }
    }
    if let Ok(token) = token_in_pasted(text) {
        check_found(text, token);
    }
    if let Ok(url) = text.parse::<PublicUrl>() {
        assert!(url.to_string().parse() == Ok(url.clone()), "a public URL changed");
        assert!(!url.host().is_empty(), "a public URL has no host");
        check_links(&url);
    }
}

fn check_found(text: &str, token: &str) {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    assert!(!token.is_empty() && token.bytes().all(is_allowed), "a token has other characters");
    assert!(text.contains(token), "the token was changed");
    assert!(token_in_query(&format!("token={token}")) == Ok(token), "not found in a query");
    assert!(token_in_path(&format!("/t/{token}"), SHARE_PATH) == Ok(token), "not found in a path");
    assert!(token_in_pasted(token) == Ok(token), "not found when pasted");
}

fn check_links(url: &PublicUrl) {
    let Ok(token) = sample_token() else { return };
    for link in
        [url.download(&token), url.import(&token), url.import_by_path(&token), url.share(&token)]
    {
        assert!(token_in_pasted(&link) == Ok(token.as_str()), "the token of a link is not found");
    }
}

fn sample_token() -> Result<Token, super::ClaimsError> {
    sign(&claims_from(b"alice"), &SigningKey::from_seed(&[0xf1; 32]))
}

/// Makes claims from any bytes.
fn claims_from(data: &[u8]) -> Claims {
    let mut bytes = data.iter().copied().chain(std::iter::repeat(0));
    let mut next = || bytes.next().unwrap_or_default();
    let random = std::array::from_fn(|_| next());
    let lifetime = Lifetime::from_seconds(u32::from_be_bytes(std::array::from_fn(|_| next())));
    let rest = String::from_utf8_lossy(data.get(16..).unwrap_or_default());
    Claims {
        purpose: Purpose::Profile(ProfileKind::UserLocked),
        nonce: Nonce::new(Batch([0; 4]), random),
        issued_at: UnixSeconds::new(u64::from_be_bytes(std::array::from_fn(|_| next()))),
        lifetime: lifetime.unwrap_or(Lifetime::MAX),
        uses: rest.parse().unwrap_or(UseLimit::ONCE),
        user: UserName::new(rest).unwrap_or_else(|_| sample_user()),
        network: None,
    }
}

fn sample_user() -> UserName {
    #[expect(clippy::expect_used, reason = "a fixed name that keeps the rules")]
    UserName::new("sample").expect("a valid name")
}

/// Trusts one key under every key id.
struct Only(TrustedKey);

impl TrustedKeys for Only {
    fn find(&self, _id: KeyId) -> Option<&TrustedKey> {
        Some(&self.0)
    }
}
