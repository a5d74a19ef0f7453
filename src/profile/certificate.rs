//! The fields of a client certificate: serial, name, validity, usage.
//!
//! Its signature is not checked here, because the VPN server checks it.

use std::path::Path;

use x509_cert::Certificate as X509;
use x509_cert::der::DecodePem;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::ExtendedKeyUsage;
use x509_cert::ext::pkix::name::DirectoryString;

use super::serial::Serial;
use super::{ProfileError, pem};
use crate::token::{UnixSeconds, UserName};

/// `id-at-commonName`.
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// `id-kp-clientAuth`, RFC 5280, section 4.2.1.12.
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// The fields of a certificate that decide whether its profile is delivered.
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
    /// Reads the first certificate in `text`, the content of `path`. The user's own certificate
    /// precedes those of intermediate authorities.
    ///
    /// # Errors
    ///
    /// [`ProfileError::NoPem`] if there is no certificate, [`ProfileError::Certificate`] if it is
    /// damaged.
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

    /// Returns `true` if its common name is `user` and it is for clients: an extended key usage, if
    /// present, includes client authentication.
    pub(super) fn belongs_to(&self, user: &UserName) -> bool {
        self.is_for_clients && self.common_name.as_deref() == Some(user.as_str())
    }

    /// Validates `not_before <= now < not_after`.
    ///
    /// # Errors
    ///
    /// [`ProfileError::CertificateNotYetValid`] before the window,
    /// [`ProfileError::CertificateExpired`] after it.
    pub(super) fn validate_time(
        &self,
        user: &UserName,
        now: UnixSeconds,
    ) -> Result<(), ProfileError> {
        let user = user.clone();
        if now < self.not_before {
            return Err(ProfileError::CertificateNotYetValid { user, from: self.not_before });
        }
        if now >= self.not_after {
            return Err(ProfileError::CertificateExpired { user, at: self.not_after });
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
    fn reads_an_easy_rsa_certificate_below_its_text_dump() {
        let alice = read(ALICE);
        assert!(ALICE.starts_with("Certificate:"));
        assert!(alice.belongs_to(&user("alice")));
        assert!(!alice.belongs_to(&user("bob")));
        assert!(!read(SERVER).belongs_to(&user("server")), "it is a server certificate");
    }

    #[test]
    fn the_validity_window_includes_not_before_and_excludes_not_after() {
        let alice = read(ALICE);
        let validate = |now| alice.validate_time(&user("alice"), now);
        assert!(matches!(
            validate(alice.not_before.minus(1)),
            Err(ProfileError::CertificateNotYetValid { from, .. }) if from == alice.not_before
        ));
        assert!(validate(alice.not_before).is_ok());
        assert!(validate(alice.not_after.minus(1)).is_ok());
        assert!(matches!(
            validate(alice.not_after),
            Err(ProfileError::CertificateExpired { at, .. }) if at == alice.not_after
        ));
    }

    #[test]
    fn rejects_text_without_an_intact_certificate() {
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
}
