//! Encodes one key as the text of a file, and decodes it. Does no I/O.
//!
//! A private key is PKCS#8 (RFC 5958, RFC 8410). Version 1 is written, because the OpenSSL of
//! Debian 12 does not read version 2. Both are read. A public key is SPKI (RFC 5280, section
//! 4.1.2.7).

use ed25519_dalek::pkcs8::{EncodePrivateKey as _, KeypairBytes};
use pkcs8::der::asn1::{BitStringRef, ObjectIdentifier};
use pkcs8::der::pem::PemLabel as _;
use pkcs8::der::{Decode as _, Document};
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{
    EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument,
    SubjectPublicKeyInfoRef,
};
use zeroize::Zeroizing;

use crate::token::{SigningKey, VerifyingKey};

use super::KeyFileError;
use super::encryption::{self, Encryption};

/// The accepted algorithm (RFC 8410, section 3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

const PRIVATE: &str = PrivateKeyInfoRef::PEM_LABEL;
const ENCRYPTED: &str = EncryptedPrivateKeyInfoRef::PEM_LABEL;
const PUBLIC: &str = SubjectPublicKeyInfoRef::PEM_LABEL;

/// Encodes `key` as PKCS#8 version 1, encrypted if `encryption` is given.
#[must_use]
pub fn encode_private(key: &SigningKey, encryption: Option<&Encryption<'_>>) -> Zeroizing<String> {
    // The values have fixed sizes, and the tests below check the parameters.
    #[expect(clippy::expect_used, reason = "cannot fail, see above")]
    try_encode_private(key, encryption).expect("an Ed25519 key always encodes")
}

fn try_encode_private(
    key: &SigningKey,
    encryption: Option<&Encryption<'_>>,
) -> pkcs8::Result<Zeroizing<String>> {
    let plain = KeypairBytes { secret_key: *key.dangerous_seed(), public_key: None };
    let der = plain.to_pkcs8_der()?;
    let pem = match encryption {
        None => der.to_pem(PRIVATE, LineEnding::LF)?,
        Some(encryption) => {
            let info = PrivateKeyInfoRef::try_from(der.as_bytes())?;
            encryption.encrypt(&info)?.to_pem(ENCRYPTED, LineEnding::LF)?
        }
    };
    Ok(pem)
}

/// Decodes a private key: PKCS#8 version 1 or 2, plain or encrypted. The passphrase is ignored if
/// the file is not encrypted.
///
/// # Errors
///
/// [`KeyFileError::PassphraseNeeded`] if the file is encrypted and there is no passphrase,
/// [`KeyFileError::WrongPassphrase`] if it is another one, and otherwise the first error in the
/// file.
pub fn decode_private(text: &str, passphrase: Option<&str>) -> Result<SigningKey, KeyFileError> {
    let text = one_block(text)?;
    let (label, der) = SecretDocument::from_pem(text).map_err(|_| KeyFileError::Pem)?;
    match label {
        PRIVATE => private_from_der(der.as_bytes()),
        ENCRYPTED => {
            let encrypted = encryption::parse(der.as_bytes())?;
            let passphrase = passphrase.ok_or(KeyFileError::PassphraseNeeded)?;
            let plain = encryption::decrypt(&encrypted, passphrase)?;
            // CBC has no checksum: one wrong passphrase in 256 gives valid padding and wrong bytes.
            private_from_der(&plain).map_err(|error| {
                if error == KeyFileError::Malformed { KeyFileError::WrongPassphrase } else { error }
            })
        }
        other => Err(KeyFileError::Label { expected: PRIVATE, found: known_label(other) }),
    }
}

/// Encodes `key` as SPKI.
#[must_use]
pub fn encode_public(key: &VerifyingKey) -> String {
    #[expect(clippy::expect_used, reason = "the values have a fixed size")]
    try_encode_public(&key.to_bytes()).expect("an Ed25519 key always encodes")
}

fn try_encode_public(bytes: &[u8; 32]) -> pkcs8::der::Result<String> {
    let info = SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef { oid: ED25519, parameters: None },
        subject_public_key: BitStringRef::from_bytes(bytes)?,
    };
    Document::encode_msg(&info)?.to_pem(PUBLIC, LineEnding::LF)
}

/// Decodes a public key.
///
/// # Errors
///
/// [`KeyFileError::PublicKey`] if [`VerifyingKey::from_bytes`] rejects the key, and otherwise the
/// first error in the file.
pub fn decode_public(text: &str) -> Result<VerifyingKey, KeyFileError> {
    let text = one_block(text)?;
    // This wipes a private key that is here by mistake.
    let (label, der) = SecretDocument::from_pem(text).map_err(|_| KeyFileError::Pem)?;
    if label != PUBLIC {
        return Err(KeyFileError::Label { expected: PUBLIC, found: known_label(label) });
    }
    let info =
        SubjectPublicKeyInfoRef::from_der(der.as_bytes()).map_err(|_| KeyFileError::Malformed)?;
    check_algorithm(&info.algorithm)?;
    let bytes = whole_bytes(info.subject_public_key)?;
    VerifyingKey::from_bytes(bytes).map_err(KeyFileError::PublicKey)
}

fn private_from_der(der: &[u8]) -> Result<SigningKey, KeyFileError> {
    let info = PrivateKeyInfoRef::from_der(der).map_err(|_| KeyFileError::Malformed)?;
    check_algorithm(&info.algorithm)?;
    // RFC 8410, section 7: an OCTET STRING inside the OCTET STRING.
    let seed = match info.private_key.as_bytes() {
        [0x04, 0x20, seed @ ..] => seed.try_into().map_err(|_| KeyFileError::Malformed)?,
        _ => return Err(KeyFileError::Malformed),
    };
    let key = SigningKey::from_seed(seed);
    if let Some(public) = info.public_key
        && *whole_bytes(public)? != key.verifying_key().to_bytes()
    {
        return Err(KeyFileError::PublicHalf);
    }
    Ok(key)
}

/// Returns `text` without surrounding white space if it is one PEM block and nothing else, so that
/// a second key is not ignored.
fn one_block(text: &str) -> Result<&str, KeyFileError> {
    let text = text.trim_ascii();
    let is_one = text.starts_with("-----BEGIN ") && text.matches("-----BEGIN ").count() == 1;
    if is_one { Ok(text) } else { Err(KeyFileError::Pem) }
}

fn check_algorithm(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<(), KeyFileError> {
    if algorithm.oid != ED25519 {
        return Err(KeyFileError::Algorithm(algorithm_name(algorithm.oid)));
    }
    // RFC 8410, section 3: the parameters must be absent.
    if algorithm.parameters.is_some() { Err(KeyFileError::Malformed) } else { Ok(()) }
}

fn algorithm_name(oid: ObjectIdentifier) -> String {
    let oid = oid.to_string();
    match oid.as_str() {
        "1.2.840.113549.1.1.1" => "RSA",
        "1.2.840.113549.1.1.10" => "RSA-PSS",
        "1.2.840.113549.1.3.1" => "Diffie-Hellman",
        "1.2.840.10040.4.1" => "DSA",
        "1.2.840.10045.2.1" => "ECDSA",
        "1.3.101.110" => "X25519",
        "1.3.101.111" => "X448",
        "1.3.101.113" => "Ed448",
        _ => return format!("the algorithm {oid}"),
    }
    .to_owned()
}

/// Returns the label if it is a well-known one. Others are not shown, because in a damaged file
/// they could be anything.
fn known_label(label: &str) -> &'static str {
    const KNOWN: [&str; 9] = [
        PRIVATE,
        ENCRYPTED,
        PUBLIC,
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "CERTIFICATE",
        "CERTIFICATE REQUEST",
        "OpenVPN Static key V1",
    ];
    KNOWN.into_iter().find(|known| *known == label).unwrap_or("PEM block of another kind")
}

/// Returns the bytes of a bit string of exactly 32 bytes without unused bits.
fn whole_bytes(bits: BitStringRef<'_>) -> Result<&[u8; 32], KeyFileError> {
    bits.as_bytes().and_then(|bytes| bytes.try_into().ok()).ok_or(KeyFileError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: [u8; 32] = [0x5a; 32];

    fn key() -> SigningKey {
        SigningKey::from_seed(&SEED)
    }

    fn encryption(passphrase: &str) -> Encryption<'_> {
        Encryption { passphrase, salt: [1; 16], iv: [2; 16] }
    }

    fn pem(label: &'static str, der: &[u8]) -> String {
        Document::try_from(der).unwrap().to_pem(label, LineEnding::LF).unwrap()
    }

    fn v2(public: [u8; 32]) -> String {
        let pair = KeypairBytes {
            secret_key: SEED,
            public_key: Some(ed25519_dalek::pkcs8::PublicKeyBytes(public)),
        };
        pair.to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
    }

    /// The DER of a public key with this algorithm and these 32 bytes.
    fn spki(oid_end: u8, bytes: [u8; 32]) -> Vec<u8> {
        let mut der = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, oid_end, 0x03, 0x21, 0];
        der.extend_from_slice(&bytes);
        der
    }

    #[test]
    fn decodes_the_private_key_that_it_encoded() {
        let read = decode_private(&encode_private(&key(), None), None).unwrap();
        assert_eq!(*read.dangerous_seed(), SEED);
        // RFC 8410, section 10.3, without the optional parts: 48 bytes of DER.
        let (_, der) = SecretDocument::from_pem(&encode_private(&key(), None)).unwrap();
        assert_eq!(der.as_bytes().len(), 48);
    }

    #[test]
    fn decrypts_only_with_the_right_passphrase() {
        let text = encode_private(&key(), Some(&encryption("correct horse")));
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        let read = decode_private(&text, Some("correct horse")).unwrap();
        assert_eq!(*read.dangerous_seed(), SEED);
        let refused = |passphrase| decode_private(&text, passphrase).unwrap_err();
        assert_eq!(refused(None), KeyFileError::PassphraseNeeded);
        assert_eq!(refused(Some("wrong")), KeyFileError::WrongPassphrase);
        assert_eq!(refused(Some("")), KeyFileError::WrongPassphrase);
    }

    #[test]
    fn refuses_the_public_half_of_another_key() {
        let public = key().verifying_key().to_bytes();
        assert!(decode_private(&v2(public), None).is_ok());
        for bit in 0..256 {
            let mut other = public;
            other[bit / 8] ^= 1 << (bit % 8);
            let refused = decode_private(&v2(other), None).unwrap_err();
            assert_eq!(refused, KeyFileError::PublicHalf, "bit {bit}");
        }
    }

    /// `ed25519::pkcs8` takes a public half with unused bits for an absent one.
    #[test]
    fn refuses_a_public_half_with_unused_bits() {
        let (_, der) = SecretDocument::from_pem(&v2(key().verifying_key().to_bytes())).unwrap();
        let mut der = der.as_bytes().to_vec();
        let unused = der.len() - 33;
        der[unused] = 1;
        *der.last_mut().unwrap() &= 0xfe;
        let refused = decode_private(&pem(PRIVATE, &der), None).unwrap_err();
        assert_eq!(refused, KeyFileError::Malformed);
    }

    #[test]
    fn decodes_the_public_key_that_it_encoded() {
        let key = *key().verifying_key();
        let text = encode_public(&key);
        assert_eq!(decode_public(&text), Ok(key));
        assert_eq!(text, pem(PUBLIC, &spki(0x70, key.to_bytes())));
    }

    #[test]
    fn refuses_weak_and_non_canonical_public_keys() {
        use crate::token::KeyError;
        let read = |bytes| decode_public(&pem(PUBLIC, &spki(0x70, bytes)));
        let mut one = [0; 32];
        one[0] = 1;
        assert_eq!(read(one), Err(KeyFileError::PublicKey(KeyError::Weak)));
        let mut p_plus_one = [0xff; 32];
        p_plus_one[0] = 0xee;
        p_plus_one[31] = 0x7f;
        assert_eq!(read(p_plus_one), Err(KeyFileError::PublicKey(KeyError::NotCanonical)));
    }

    #[test]
    fn refuses_other_algorithms_by_name() {
        for (end, name) in [(0x6e, "X25519"), (0x6f, "X448"), (0x71, "Ed448")] {
            let refused = decode_public(&pem(PUBLIC, &spki(end, [9; 32]))).unwrap_err();
            assert_eq!(refused, KeyFileError::Algorithm(name.to_owned()));
        }
        let refused = decode_public(&pem(PUBLIC, &spki(0x01, [9; 32]))).unwrap_err();
        assert_eq!(refused, KeyFileError::Algorithm("the algorithm 1.3.101.1".to_owned()));
    }

    #[test]
    fn refuses_other_encodings_of_a_public_key() {
        let good = spki(0x70, key().verifying_key().to_bytes());
        let mut trailing = good.clone();
        trailing.push(0);
        let mut longer = good.clone();
        longer.push(0);
        longer[1] += 1;
        let mut long_form = good.clone();
        long_form.splice(1..2, [0x81, 0x2a]);
        let mut unused = good.clone();
        unused[11] = 1;
        let mut with_null = good;
        with_null.splice(9..9, [0x05, 0x00]);
        with_null[1] += 2;
        with_null[3] += 2;
        for der in [trailing, longer, long_form, unused, with_null] {
            // `Document` rejects some of these, so the PEM is made by hand.
            use base64::Engine as _;
            let text = base64::prelude::BASE64_STANDARD.encode(&der);
            let text = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n");
            assert!(decode_public(&text).is_err(), "{der:02x?}");
        }
    }

    #[test]
    fn accepts_exactly_one_pem_block() {
        let private = encode_private(&key(), None);
        let public = encode_public(key().verifying_key());
        for text in [
            "".to_owned(),
            "\n".to_owned(),
            format!("{}{}", *private, *private),
            format!("{}{public}", *private),
            format!("a comment\n{}", *private),
            format!("{}a comment\n", *private),
            private.replace("-----END PRIVATE", "-----END PUBLIC"),
            private.replace('\n', ""),
        ] {
            assert_eq!(decode_private(&text, None).unwrap_err(), KeyFileError::Pem, "{text}");
        }
        for text in [private.replace('\n', "\r\n"), format!("\n{}\n\n", *private)] {
            assert!(decode_private(&text, None).is_ok());
        }
    }

    #[test]
    fn refuses_the_other_half_by_its_label() {
        let public = encode_public(key().verifying_key());
        assert_eq!(
            decode_private(&public, None).unwrap_err().to_string(),
            "expected a PRIVATE KEY, found a PUBLIC KEY"
        );
        let private = encode_private(&key(), None);
        assert_eq!(
            decode_public(&private).unwrap_err().to_string(),
            "expected a PUBLIC KEY, found a PRIVATE KEY"
        );
    }
}
