//! Encrypted private keys: PKCS#8 with PBES2 (RFC 5958 section 3, RFC 8018 section 6.2).

use pkcs8::der::Decode as _;
use pkcs8::der::asn1::{AnyRef, OctetString};
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use pkcs8::pkcs5::{self, EncryptionScheme, scrypt};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef, SecretDocument, SubjectPublicKeyInfo};
use zeroize::Zeroizing;

use super::KeyFileError;

/// The scrypt cost of a written key, N = 2^14, r = 8, p = 1: 16 MiB. OpenSSL 3 writes the same. By
/// default it reads no file that needs 32 MiB or more.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;

/// The maximum scrypt work to read a key, N * r * p * 128, in bytes: sixteen times that of a
/// written key.
const SCRYPT_WORK_MAX: u64 = 256 << 20;

/// The maximum PBKDF2 iterations to read a key: some seconds.
const PBKDF2_ITERATIONS_MAX: u32 = 10_000_000;

/// How to encrypt a private key.
pub struct Encryption<'a> {
    /// The passphrase.
    pub passphrase: &'a str,
    /// Fresh random bytes for scrypt.
    pub salt: [u8; 16],
    /// Fresh random bytes for AES-256-CBC.
    pub iv: [u8; 16],
}

impl Encryption<'_> {
    /// Encrypts `key` with scrypt and AES-256-CBC.
    pub(super) fn encrypt(&self, key: &PrivateKeyInfoRef<'_>) -> pkcs8::Result<SecretDocument> {
        let cost = scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P)
            .map_err(|_| pkcs8::Error::ParametersMalformed)?;
        let parameters = Parameters::generate_scrypt_aes256cbc(cost, &self.salt, self.iv)?;
        key.encrypt_with_params(parameters, self.passphrase)
    }
}

/// Parses an encrypted key.
pub(super) fn parse(der: &[u8]) -> Result<EncryptedPrivateKeyInfoRef<'_>, KeyFileError> {
    EncryptedPrivateKeyInfoRef::from_der(der).map_err(|_| {
        // pkcs8 reports an unknown scheme like damage. Only the former has the outer structure, an
        // algorithm and an octet string.
        match SubjectPublicKeyInfo::<AnyRef<'_>, OctetString>::from_der(der) {
            Ok(_) => KeyFileError::Encryption("an old or unknown scheme".to_owned()),
            Err(_) => KeyFileError::Malformed,
        }
    })
}

/// Decrypts `key` with `passphrase`, if the cost is in range. The result need not be a key.
pub(super) fn decrypt(
    key: &EncryptedPrivateKeyInfoRef<'_>,
    passphrase: &str,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let scheme = &key.encryption_algorithm;
    check_cost(scheme)?;
    let plain = scheme.decrypt(passphrase, key.encrypted_data.as_bytes()).map_err(|error| {
        if let pkcs5::Error::UnsupportedAlgorithm { oid } = error {
            KeyFileError::Encryption(format!("the algorithm {oid}"))
        } else if matches!(error, pkcs5::Error::AlgorithmParametersInvalid { .. }) {
            KeyFileError::DerivationCost
        } else {
            KeyFileError::WrongPassphrase
        }
    })?;
    Ok(Zeroizing::new(plain))
}

/// Rejects costs that are too high and scrypt costs that are invalid: pkcs5 0.8 panics on N = 0.
fn check_cost(scheme: &EncryptionScheme) -> Result<(), KeyFileError> {
    let EncryptionScheme::Pbes2(parameters) = scheme else {
        return Err(KeyFileError::Encryption("PBES1".to_owned()));
    };
    let is_in_range = match &parameters.kdf {
        Kdf::Pbkdf2(pbkdf2) => (1..=PBKDF2_ITERATIONS_MAX).contains(&pbkdf2.iteration_count),
        Kdf::Scrypt(scrypt) => {
            let n = scrypt.cost_parameter;
            let r_p = u64::from(scrypt.block_size) * u64::from(scrypt.parallelization);
            let work = n.checked_mul(r_p).and_then(|blocks| blocks.checked_mul(128));
            n.is_power_of_two()
                && n > 1
                && r_p > 0
                && work.is_some_and(|work| work <= SCRYPT_WORK_MAX)
        }
        _ => return Err(KeyFileError::Encryption("an unknown key derivation".to_owned())),
    };
    if is_in_range { Ok(()) } else { Err(KeyFileError::DerivationCost) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pkcs8::pkcs5::pbes2::{Pbkdf2Params, ScryptParams};

    fn scrypt_scheme(n: u64, r: u16, p: u16) -> EncryptionScheme {
        let cost = scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P).unwrap();
        let mut parameters =
            Parameters::generate_scrypt_aes256cbc(cost, &[1; 16], [2; 16]).unwrap();
        parameters.kdf = Kdf::Scrypt(ScryptParams {
            cost_parameter: n,
            block_size: r,
            parallelization: p,
            ..ScryptParams::from_params_and_salt(cost, &[1; 16]).unwrap()
        });
        EncryptionScheme::Pbes2(parameters)
    }

    #[test]
    fn refuses_scrypt_costs_that_are_too_high_or_invalid() {
        assert_eq!(check_cost(&scrypt_scheme(1 << 14, 8, 1)), Ok(()));
        assert_eq!(check_cost(&scrypt_scheme(1 << 18, 8, 1)), Ok(()));
        for (n, r, p) in [
            (0, 8, 1),
            (1, 8, 1),
            ((1 << 14) + 1, 8, 1),
            (1 << 19, 8, 1),
            (1 << 14, 0, 1),
            (1 << 14, 8, 0),
            (1 << 63, u16::MAX, u16::MAX),
            (1 << 14, 8, 17),
        ] {
            let scheme = scrypt_scheme(n, r, p);
            assert_eq!(check_cost(&scheme), Err(KeyFileError::DerivationCost), "{n} {r} {p}");
        }
    }

    #[test]
    fn checks_the_bounds_of_pbkdf2_iterations() {
        for (iterations, expected) in [
            (0, Err(KeyFileError::DerivationCost)),
            (1, Ok(())),
            (PBKDF2_ITERATIONS_MAX, Ok(())),
            (PBKDF2_ITERATIONS_MAX + 1, Err(KeyFileError::DerivationCost)),
        ] {
            let mut parameters =
                Parameters::generate_pbkdf2_sha256_aes256cbc(2_048, &[1; 8], [2; 16]).unwrap();
            parameters.kdf = Kdf::Pbkdf2(Pbkdf2Params::hmac_sha256(iterations, &[1; 8]).unwrap());
            assert_eq!(check_cost(&EncryptionScheme::Pbes2(parameters)), expected, "{iterations}");
        }
    }
}
