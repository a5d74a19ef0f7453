//! What a client certificate says of itself: serial, name, validity, use.
//!
//! Its signature is not checked here: the VPN server does that, and a folder
//! that holds forged certificates holds forged keys too.

use std::fmt;
use std::path::Path;

use x509_cert::Certificate as X509;
use x509_cert::der::DecodePem;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::ExtendedKeyUsage;
use x509_cert::ext::pkix::name::DirectoryString;

use super::{ProfileError, pem};
use crate::token::{UnixSeconds, UserName};

/// `id-at-commonName`.
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// `id-kp-clientAuth`, RFC 5280, section 4.2.1.12.
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// The serial number of a certificate, as upper-case hex digits without
/// leading zeros.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Serial(String);

impl Serial {
    /// Reads hex digits as OpenSSL writes them; `None` if they are none.
    pub(super) fn from_hex(digits: &str) -> Option<Self> {
        let hex = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
        if digits.is_empty() || !digits.bytes().all(hex) {
            return None;
        }
        Some(Self(digits.trim_start_matches('0').to_owned()))
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        Self(digits.trim_start_matches('0').to_owned())
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The parts of a certificate that decide whether its profile is handed out.
#[derive(Debug)]
pub(super) struct Certificate {
    serial: Serial,
    /// The subject's common name, if it has exactly one.
    common_name: Option<String>,
    not_before: UnixSeconds,
    not_after: UnixSeconds,
    is_for_clients: bool,
}

impl Certificate {
    /// Reads the first certificate in `text`, which came from `path`: the
    /// holder's own, before those of the authorities above it.
    ///
    /// # Errors
    ///
    /// [`ProfileError::NoPem`] if there is none, [`ProfileError::Certificate`]
    /// if it is damaged.
    pub(super) fn first_in(text: &str, path: &Path) -> Result<Self, ProfileError> {
        let first = pem::blocks(text).into_iter().find(|pem| pem.label == "CERTIFICATE");
        let first = first
            .ok_or_else(|| ProfileError::NoPem { path: path.to_owned(), what: "certificate" })?;
        let damaged = || ProfileError::Certificate { path: path.to_owned() };
        let x509 = X509::from_pem(first.text).map_err(|_| damaged())?;
        Self::from_x509(&x509).ok_or_else(damaged)
    }

    fn from_x509(x509: &X509) -> Option<Self> {
        let tbs = x509.tbs_certificate();
        let usage = tbs.get_extension::<ExtendedKeyUsage>().ok()?;
        let mut names = tbs.subject().iter().filter(|part| part.oid == COMMON_NAME);
        let name = names.next().and_then(|part| DirectoryString::try_from(&part.value).ok());
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
        Some(Self {
            serial: Serial::from_bytes(tbs.serial_number().as_bytes()),
            common_name: name.filter(|_| names.next().is_none()).map(|name| name.value().into()),
            not_before: UnixSeconds::new(seconds(tbs.validity().not_before)),
            not_after: UnixSeconds::new(seconds(tbs.validity().not_after)),
            is_for_clients: usage.is_none_or(|(_, usage)| usage.0.contains(&CLIENT_AUTH)),
        })
    }

    /// Returns the serial number.
    pub(super) const fn serial(&self) -> &Serial {
        &self.serial
    }

    /// Returns the first moment at which it is no longer valid.
    pub(super) const fn not_after(&self) -> UnixSeconds {
        self.not_after
    }

    /// Whether its common name is `user` and a server would take it from a
    /// client: one that limits its use must list use by clients.
    pub(super) fn belongs_to(&self, user: &UserName) -> bool {
        self.is_for_clients && self.common_name.as_deref() == Some(user.as_str())
    }

    /// Validates `not_before <= now < not_after`.
    ///
    /// # Errors
    ///
    /// [`ProfileError::CertificateNotYetValid`] before the window,
    /// [`ProfileError::CertificateExpired`] behind it.
    pub(super) fn validate_time(
        &self,
        user: &UserName,
        now: UnixSeconds,
    ) -> Result<(), ProfileError> {
        let user = || user.clone();
        if now < self.not_before {
            return Err(ProfileError::CertificateNotYetValid {
                user: user(),
                from: self.not_before,
            });
        }
        if now >= self.not_after {
            return Err(ProfileError::CertificateExpired { user: user(), at: self.not_after });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = include_str!("../../tests/data/pki/issued/alice.crt");
    const SERVER: &str = include_str!("../../tests/data/pki/issued/server.crt");

    fn read(text: &str) -> Certificate {
        Certificate::first_in(text, Path::new("x.crt")).unwrap()
    }

    fn user(name: &str) -> UserName {
        UserName::new(name).unwrap()
    }

    #[test]
    fn an_easy_rsa_certificate_is_read_below_its_listing() {
        let alice = read(ALICE);
        assert!(ALICE.starts_with("Certificate:"));
        assert!(alice.belongs_to(&user("alice")));
        assert!(!alice.belongs_to(&user("bob")));
        assert!(!read(SERVER).belongs_to(&user("server")), "it is for servers");
    }

    #[test]
    fn the_window_holds_its_first_second_and_not_its_last() {
        let alice = read(ALICE);
        let judge = |now| alice.validate_time(&user("alice"), now);
        assert!(matches!(
            judge(alice.not_before.minus(1)),
            Err(ProfileError::CertificateNotYetValid { from, .. }) if from == alice.not_before
        ));
        assert!(judge(alice.not_before).is_ok());
        assert!(judge(alice.not_after.minus(1)).is_ok());
        assert!(matches!(
            judge(alice.not_after),
            Err(ProfileError::CertificateExpired { at, .. }) if at == alice.not_after
        ));
    }

    #[test]
    fn text_without_a_whole_certificate_is_refused() {
        let path = Path::new("x.crt");
        let cut = ALICE.replace("-----END", "-----CUT");
        for text in ["", "hello", &cut] {
            assert!(matches!(Certificate::first_in(text, path), Err(ProfileError::NoPem { .. })));
        }
        let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(
            Certificate::first_in(damaged, path),
            Err(ProfileError::Certificate { .. })
        ));
    }

    #[test]
    fn serials_are_compared_as_numbers() {
        assert_eq!(Serial::from_hex("0A1B"), Serial::from_hex("A1B"));
        assert_eq!(Serial::from_hex("0A1B"), Some(Serial::from_bytes(&[0, 0x0a, 0x1b])));
        for digits in ["", "0x1", "a1", "A 1", "G"] {
            assert_eq!(Serial::from_hex(digits), None, "{digits}");
        }
    }
}
