//! A small PKI, laid out as easy-rsa 3 lays one out: a CA, a server, and the
//! users alice, bob and carol, of whom carol is revoked.
//!
//! The keys are elliptic (P-256), because making RSA keys takes seconds.

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

/// How long certificates are valid: easy-rsa's 825 days.
const CERTIFICATE_LIFETIME: u64 = 825 * DAY;

/// How long the CA and the revocation list are valid: easy-rsa's ten years for
/// the one, and the same for the other, because nobody renews a demo's.
const CA_LIFETIME: u64 = 3650 * DAY;

/// How long before now everything becomes valid, for clocks that differ.
const BACKDATED: u64 = DAY;

/// Who has a certificate, for what, and whether it is revoked.
const HOLDERS: [(&str, ExtendedKeyUsagePurpose, bool); 4] = [
    ("server", ExtendedKeyUsagePurpose::ServerAuth, false),
    ("alice", ExtendedKeyUsagePurpose::ClientAuth, false),
    ("bob", ExtendedKeyUsagePurpose::ClientAuth, false),
    ("carol", ExtendedKeyUsagePurpose::ClientAuth, true),
];

type Ca = CertifiedIssuer<'static, KeyPair>;

/// Writes the PKI into the folder `pki`.
pub(super) fn write(staging: &Staging, pki: &str, now: UnixSeconds) -> Result<(), Failure> {
    let ca = ca(now).map_err(|error| refuse(&error))?;
    staging.write(&format!("{pki}/ca.crt"), 0o644, &ca.pem())?;
    staging.write(&format!("{pki}/private/ca.key"), 0o600, &ca.key().serialize_pem())?;
    let mut index = String::new();
    let mut revoked = Vec::new();
    for (name, usage, is_revoked) in HOLDERS {
        let serial = serial()?;
        let (certificate, key) =
            issue(&ca, name, usage, &serial, now).map_err(|error| refuse(&error))?;
        let hex = hex(&serial);
        let (certificate_at, key_at) = if is_revoked {
            let folder = format!("{pki}/revoked");
            (
                format!("{folder}/certs_by_serial/{hex}.crt"),
                format!("{folder}/private_by_serial/{hex}.key"),
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
    let crl = crl(&ca, &revoked, now).map_err(|error| refuse(&error))?;
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

/// Issues a certificate that `remote-cert-tls` takes, and its key; both PEM.
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
    let moment = |at: UnixSeconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(at.get());
    let revoked = revoked.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from_slice(serial),
        revocation_time: moment(now),
        reason_code: None,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: moment(now.minus(BACKDATED)),
        next_update: moment(now.plus(CA_LIFETIME)),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(ca)?.pem()
}

/// Writes what `openssl ca` writes: status, expiry, revocation, serial number,
/// file, subject, with tabs between them.
fn index_line(name: &str, serial: &str, is_revoked: bool, now: UnixSeconds) -> String {
    let expiry = utc_time(now.plus(CERTIFICATE_LIFETIME));
    let (status, revocation) = if is_revoked { ('R', utc_time(now)) } else { ('V', String::new()) };
    format!("{status}\t{expiry}\t{revocation}\t{serial}\tunknown\t/CN={name}\n")
}

/// Writes UTC as ASN.1's UTCTime does, `YYMMDDHHMMSSZ`, of the same form as
/// the RFC 3339 that [`UnixSeconds`] is shown in.
fn utc_time(at: UnixSeconds) -> String {
    let text = at.to_string();
    let digits = text.chars().filter(char::is_ascii_digit).skip(2);
    digits.chain(['Z']).collect()
}

/// Returns a random serial number. It is positive and keeps all its bytes,
/// because the first is neither 0 nor above 127.
fn serial() -> Result<[u8; 16], Failure> {
    let mut serial: [u8; 16] = random::bytes()?;
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    Ok(serial)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

fn refuse(error: &rcgen::Error) -> Failure {
    Failure::new(error, "nothing was made; this is a fault of jeton, report it")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use x509_cert::Certificate;
    use x509_cert::der::DecodePem as _;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds::new(1_800_000_000);

    #[test]
    fn every_line_of_the_index_is_as_openssl_writes_it() {
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
        let folder = tempfile::tempdir().unwrap();
        let staging = Staging::begin(folder.path(), &["pki"]).unwrap();
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
