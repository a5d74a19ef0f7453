//! A small PKI in the layout of easy-rsa 3: a CA, a server, and the users alice, bob and carol. The
//! certificate of carol is revoked.
//!
//! The keys are P-256, because generating RSA keys takes seconds.

use std::fmt::Write as _;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber, date_time_ymd,
};

use super::certificate::set_validity;
use super::staging::Staging;
use crate::failure::Failure;
use crate::random;
use crate::token::UnixSeconds;

const DAY: u64 = 24 * 60 * 60;

/// The validity of certificates: 825 days, as in easy-rsa.
const CERTIFICATE_LIFETIME: u64 = 825 * DAY;

/// The validity of the CA, ten years as in easy-rsa, and of the revocation list, which is never
/// renewed in a demo.
const CA_LIFETIME: u64 = 3650 * DAY;

/// Everything is valid from one day ago, for clocks that differ.
const BACKDATED: u64 = DAY;

/// The holders of certificates: name, usage, and whether the certificate is revoked.
const HOLDERS: [(&str, ExtendedKeyUsagePurpose, bool); 4] = [
    ("server", ExtendedKeyUsagePurpose::ServerAuth, false),
    ("alice", ExtendedKeyUsagePurpose::ClientAuth, false),
    ("bob", ExtendedKeyUsagePurpose::ClientAuth, false),
    ("carol", ExtendedKeyUsagePurpose::ClientAuth, true),
];

type Ca = CertifiedIssuer<'static, KeyPair>;

pub(super) fn write(staging: &Staging, pki: &str, now: UnixSeconds) -> Result<(), Failure> {
    let ca = ca(now).map_err(|error| bug(&error))?;
    staging.write(&format!("{pki}/ca.crt"), 0o644, &ca.pem())?;
    staging.write(&format!("{pki}/private/ca.key"), 0o600, &ca.key().serialize_pem())?;
    let mut index = String::new();
    let mut revoked = Vec::new();
    for (name, usage, is_revoked) in HOLDERS {
        let serial = serial()?;
        let (certificate, key) =
            issue(&ca, name, usage, &serial, now).map_err(|error| bug(&error))?;
        let hex = hex(&serial);
        let (certificate_at, key_at) = if is_revoked {
            let dir = format!("{pki}/revoked");
            (
                format!("{dir}/certs_by_serial/{hex}.crt"),
                format!("{dir}/private_by_serial/{hex}.key"),
            )
        } else {
            (format!("{pki}/issued/{name}.crt"), format!("{pki}/private/{name}.key"))
        };
        staging.write(&certificate_at, 0o644, &certificate)?;
        staging.write(&key_at, 0o600, &key)?;
        staging.write(&format!("{pki}/certs_by_serial/{hex}.pem"), 0o644, &certificate)?;
        index.push_str(&index_line(name, &hex, is_revoked, now));
        if is_revoked {
            revoked.push(serial);
        }
    }
    let crl = crl(&ca, &revoked, now).map_err(|error| bug(&error))?;
    staging.write(&format!("{pki}/index.txt"), 0o600, &index)?;
    staging.write(&format!("{pki}/index.txt.attr"), 0o600, "unique_subject = no\n")?;
    staging.write(&format!("{pki}/serial"), 0o600, &format!("{}\n", hex(&serial()?)))?;
    staging.write(&format!("{pki}/crl.pem"), 0o644, &crl)
}

fn ca(now: UnixSeconds) -> Result<Ca, rcgen::Error> {
    let mut params = params("jeton demo CA", now, CA_LIFETIME);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

/// Issues a certificate that `remote-cert-tls` accepts, and its key; both PEM.
fn issue(
    ca: &Ca,
    name: &str,
    usage: ExtendedKeyUsagePurpose,
    serial: &[u8; 16],
    now: UnixSeconds,
) -> Result<(String, String), rcgen::Error> {
    let mut params = params(name, now, CERTIFICATE_LIFETIME);
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    if usage == ExtendedKeyUsagePurpose::ServerAuth {
        params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
    }
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, ca)?.pem(), key.serialize_pem()))
}

fn params(name: &str, now: UnixSeconds, lifetime: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    set_validity(&mut params, now.minus(BACKDATED), now.plus(lifetime));
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn crl(ca: &Ca, revoked: &[[u8; 16]], now: UnixSeconds) -> Result<String, rcgen::Error> {
    let date_time = |at: UnixSeconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(at.get());
    let revoked = revoked.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from_slice(serial),
        revocation_time: date_time(now),
        reason_code: None,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: date_time(now.minus(BACKDATED)),
        next_update: date_time(now.plus(CA_LIFETIME)),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(ca)?.pem()
}

/// Formats a line of `index.txt` as `openssl ca` does: status, expiry, revocation, serial number,
/// file and subject, separated by tabs.
fn index_line(name: &str, serial: &str, is_revoked: bool, now: UnixSeconds) -> String {
    let expiry = utc_time(now.plus(CERTIFICATE_LIFETIME));
    let (status, revocation) = if is_revoked { ('R', utc_time(now)) } else { ('V', String::new()) };
    format!("{status}\t{expiry}\t{revocation}\t{serial}\tunknown\t/CN={name}\n")
}

/// Formats a time as ASN.1 UTCTime, `YYMMDDHHMMSSZ`, from the digits of its RFC 3339 form.
fn utc_time(at: UnixSeconds) -> String {
    let text = at.to_string();
    let digits = text.chars().filter(char::is_ascii_digit).skip(2);
    digits.chain(['Z']).collect()
}

/// Returns a random serial number. The first byte is from 64 to 127, so that DER encodes it as
/// positive and with all 16 bytes.
fn serial() -> Result<[u8; 16], Failure> {
    let mut serial: [u8; 16] = random::bytes()?;
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    Ok(serial)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

fn bug(error: &rcgen::Error) -> Failure {
    Failure::new(error, "nothing was created; this is a bug in jeton, please report it")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use x509_cert::Certificate;
    use x509_cert::der::DecodePem as _;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds::new(1_800_000_000);

    #[test]
    fn formats_the_lines_of_the_index_as_openssl_does() {
        assert_eq!(
            index_line("bob", "4A", false, NOW),
            "V\t290419080000Z\t\t4A\tunknown\t/CN=bob\n"
        );
        assert_eq!(
            index_line("carol", "4A", true, NOW),
            "R\t290419080000Z\t270115080000Z\t4A\tunknown\t/CN=carol\n"
        );
    }

    #[test]
    fn the_index_and_the_certificates_agree() {
        let temp = tempfile::tempdir().unwrap();
        let staging = Staging::begin(temp.path(), &["pki"]).unwrap();
        write(&staging, "pki", NOW).unwrap();
        let index = fs::read_to_string(staging.path("pki/index.txt")).unwrap();
        assert_eq!(index.lines().count(), HOLDERS.len());
        for line in index.lines() {
            let fields: Vec<_> = line.split('\t').collect();
            let [status, _, _, serial, _, subject] = fields[..] else { panic!("{line}") };
            let name = subject.strip_prefix("/CN=").unwrap();
            let file = match status {
                "V" => format!("pki/issued/{name}.crt"),
                _ => format!("pki/revoked/certs_by_serial/{serial}.crt"),
            };
            let certificate =
                Certificate::from_pem(fs::read(staging.path(&file)).unwrap()).unwrap();
            let tbs = certificate.tbs_certificate();
            assert_eq!(hex(tbs.serial_number().as_bytes()), serial);
            assert_eq!(tbs.subject().to_string(), format!("CN={name}"));
            assert!(!staging.path("pki/issued/carol.crt").exists());
        }
    }
}
