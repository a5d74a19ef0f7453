//! Properties of key files, for fuzz targets, seeds and property tests.

use super::{decode_private, decode_public, encode_private, encode_public};

/// Decoding any bytes does not panic, and a decoded key is unchanged after it is encoded and
/// decoded again.
pub fn key_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for passphrase in [None, Some("jeton")] {
        if let Ok(key) = decode_private(text, passphrase) {
            let again = decode_private(&encode_private(&key, None), None);
            let again = again.map(|key| key.verifying_key().to_bytes());
            assert_eq!(again, Ok(key.verifying_key().to_bytes()), "a private key changed");
        }
    }
    if let Ok(key) = decode_public(text) {
        assert_eq!(decode_public(&encode_public(&key)), Ok(key), "a public key changed");
    }
}
