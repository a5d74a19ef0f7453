//! The cluster's certificate authority: it binds keys to the nodes of one ledger. Every member has
//! the authority's key, which lets it renew its own certificate and admit new nodes. Anyone with
//! the key can impersonate any node (see SECURITY.md).
//!
//! ```text
//! DIR/cluster/ca.pem      the certificate
//! DIR/cluster/ca-key.pem  its key, accessible by the owner only
//! ```

use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use x509_cert::der::{Decode as _, Encode as _};
use zeroize::Zeroizing;

use super::name;
use crate::ledger::NodeId;
use crate::ledger::log::FileDisk;
use crate::token::UnixSeconds;

/// The directory within the ledger's.
const DIRECTORY: &str = "cluster";
const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca-key.pem";

const DAY: u64 = 24 * 60 * 60;

/// How long the authority is valid, in seconds: a century, because nothing renews it.
const AUTHORITY_LIFETIME: u64 = 36_525 * DAY;

/// How long a node's certificate is valid, in seconds.
const NODE_LIFETIME: u64 = 90 * DAY;

/// How long before its issue a certificate is valid, in seconds, so that a node whose clock is
/// behind can connect and learn that it is.
const BACKDATED: u64 = 7 * DAY;

/// The cluster's certificate authority, with its key.
pub struct Authority {
    ledger_id: [u8; 16],
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

/// A node's certificate and its key.
pub(super) struct Issued {
    /// The node's certificate, then the authority's.
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    /// When it expires.
    pub(super) not_after: UnixSeconds,
}

/// Identifies an authority: the SHA-256 of its certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AuthorityFingerprint(pub(super) [u8; 32]);

/// Why an authority or a certificate cannot be created, read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A file cannot be read or written.
    #[error("cannot use {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Users other than the owner have access to the key.
    #[error("{0} is the key of the cluster and others can read it")]
    Exposed(PathBuf),
    /// The certificate and key are damaged, or belong to another ledger.
    #[error("the certificate authority is damaged, or belongs to another ledger")]
    Damaged,
    /// A certificate cannot be created.
    #[error("cannot create a certificate")]
    Make(#[from] rcgen::Error),
}

impl Authority {
    /// Creates the authority of a ledger, in memory only.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorityError::Make`] if there is no randomness.
    pub fn make(ledger_id: [u8; 16], now: UnixSeconds) -> Result<Self, AuthorityError> {
        let mut params = authority_params(ledger_id);
        set_validity(&mut params, now, AUTHORITY_LIFETIME);
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let pem = certificate.pem();
        Ok(Self { ledger_id, certificate: certificate.into(), pem, key })
    }

    /// Parses the certificate and key of a ledger's authority, both PEM.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorityError::Damaged`] unless the two match each other and the ledger.
    pub fn from_pem(ledger_id: [u8; 16], pem: &str, key: &str) -> Result<Self, AuthorityError> {
        let damaged = AuthorityError::Damaged;
        let Ok(certificate) = CertificateDer::from_pem_slice(pem.as_bytes()) else {
            return Err(damaged);
        };
        // The parser's error may quote the key.
        let Ok(key) = KeyPair::from_pem(key) else { return Err(damaged) };
        let parsed = x509_cert::Certificate::from_der(&certificate).map_err(|_| damaged)?;
        let parsed = parsed.tbs_certificate();
        let public = parsed.subject_public_key_info().to_der();
        let is_pair = public.is_ok_and(|public| public == key.subject_public_key_info());
        let is_ours = parsed.subject().to_string() == format!("CN={}", common_name(ledger_id));
        if !is_pair || !is_ours {
            return Err(AuthorityError::Damaged);
        }
        Ok(Self { ledger_id, certificate, pem: pem.to_owned(), key })
    }

    /// Reads the authority in a ledger's directory. Returns `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorityError`]. A key to which others have access is rejected.
    pub fn read(ledger_dir: &Path, ledger_id: [u8; 16]) -> Result<Option<Self>, AuthorityError> {
        let directory = ledger_dir.join(DIRECTORY);
        if !directory.exists() {
            return Ok(None);
        }
        let (certificate, key) = (directory.join(CERTIFICATE), directory.join(KEY));
        let mode = fs::metadata(&key).map_err(io_error(&key))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(AuthorityError::Exposed(key));
        }
        let pem = fs::read_to_string(&certificate).map_err(io_error(&certificate))?;
        let key = Zeroizing::new(fs::read_to_string(&key).map_err(io_error(&key))?);
        Self::from_pem(ledger_id, &pem, &key).map(Some)
    }

    /// Writes the authority into a ledger's directory, which must have none: atomically, durably,
    /// accessible by the owner only.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorityError::Io`].
    pub fn write(&self, ledger_dir: &Path) -> Result<(), AuthorityError> {
        let temporary = ledger_dir.join(format!("{DIRECTORY}.new"));
        // A crash may have left one.
        let _ = fs::remove_dir_all(&temporary);
        let created = DirBuilder::new().mode(0o700).create(&temporary);
        created.map_err(io_error(&temporary))?;
        for (name, text) in [(CERTIFICATE, self.pem.clone()), (KEY, self.key_pem().to_string())] {
            let path = temporary.join(name);
            write_new(&path, &Zeroizing::new(text)).map_err(io_error(&path))?;
        }
        FileDisk::rename_dir(&temporary, &ledger_dir.join(DIRECTORY)).map_err(io_error(ledger_dir))
    }

    /// Returns the id of the ledger.
    #[must_use]
    pub const fn ledger_id(&self) -> [u8; 16] {
        self.ledger_id
    }

    /// Returns the fingerprint of the certificate.
    #[must_use]
    pub fn fingerprint(&self) -> AuthorityFingerprint {
        AuthorityFingerprint::of(&self.certificate)
    }

    /// Returns the certificate, PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Returns the key, PEM.
    #[must_use]
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.key.serialize_pem())
    }

    pub(super) const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Creates a new key and a certificate for a node.
    pub(super) fn issue(
        &self,
        node_id: NodeId,
        now: UnixSeconds,
    ) -> Result<Issued, AuthorityError> {
        let mut params = CertificateParams::new([name::of(node_id, self.ledger_id)])?;
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, node_id.to_string());
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now, NODE_LIFETIME);
        let key = KeyPair::generate()?;
        let issuer = authority_params(self.ledger_id);
        let certificate = params.signed_by(&key, &Issuer::from_params(&issuer, &self.key))?;
        Ok(Issued {
            chain: vec![certificate.into(), self.certificate.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            not_after: now.plus(NODE_LIFETIME),
        })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("fingerprint", &self.fingerprint().to_string())
            .finish_non_exhaustive()
    }
}

impl AuthorityFingerprint {
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

/// Writes 64 lower-case hexadecimal digits.
impl fmt::Display for AuthorityFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for AuthorityFingerprint {
    type Err = AuthorityError;

    fn from_str(text: &str) -> Result<Self, AuthorityError> {
        let mut bytes = [0; 32];
        let pairs = text.as_bytes().chunks(2);
        if text.len() != 64 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(AuthorityError::Damaged);
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            let pair = std::str::from_utf8(pair).map_err(|_| AuthorityError::Damaged)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| AuthorityError::Damaged)?;
        }
        Ok(Self(bytes))
    }
}

/// Returns the authority's certificate without validity and key.
fn authority_params(ledger_id: [u8; 16]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, common_name(ledger_id));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn common_name(ledger_id: [u8; 16]) -> String {
    format!("jeton cluster {:032x}", u128::from_be_bytes(ledger_id))
}

fn set_validity(params: &mut CertificateParams, now: UnixSeconds, lifetime: u64) {
    let date = |at: UnixSeconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(at.get());
    params.not_before = date(now.minus(BACKDATED));
    params.not_after = date(now.plus(lifetime));
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> AuthorityError {
    let path = path.to_owned();
    |source| AuthorityError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds::new(1_790_000_000);

    #[test]
    fn reads_what_was_written_and_rejects_exposed_or_damaged_files() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Authority::read(dir.path(), [7; 16]).unwrap().is_none());
        let made = Authority::make([7; 16], NOW).unwrap();
        made.write(dir.path()).unwrap();
        let read = Authority::read(dir.path(), [7; 16]).unwrap().unwrap();
        assert_eq!(read.fingerprint(), made.fingerprint());
        assert!(matches!(Authority::read(dir.path(), [8; 16]), Err(AuthorityError::Damaged)));
        let key = dir.path().join("cluster/ca-key.pem");
        let mode = |mode| fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o640);
        assert!(matches!(Authority::read(dir.path(), [7; 16]), Err(AuthorityError::Exposed(_))));
        mode(0o600);
        fs::write(&key, &*Authority::make([7; 16], NOW).unwrap().key_pem()).unwrap();
        assert!(matches!(Authority::read(dir.path(), [7; 16]), Err(AuthorityError::Damaged)));
    }

    #[test]
    fn a_certificate_names_one_node_of_one_ledger() {
        let authority = Authority::make([7; 16], NOW).unwrap();
        let issued = authority.issue(NodeId(0xabc), NOW).unwrap();
        let [leaf, ca] = issued.chain.as_slice() else { panic!() };
        assert_eq!(name::node_of(leaf, [7; 16]), Some(NodeId(0xabc)));
        assert_eq!(name::node_of(leaf, [8; 16]), None);
        assert_eq!(name::node_of(ca, [7; 16]), None);
    }

    #[test]
    fn a_fingerprint_has_one_spelling() {
        let fingerprint = Authority::make([7; 16], NOW).unwrap().fingerprint();
        let text = fingerprint.to_string();
        assert_eq!(text.parse::<AuthorityFingerprint>().unwrap(), fingerprint);
        for wrong in [text.to_uppercase() + "A", text[1..].to_owned(), format!("+{}", &text[1..])] {
            assert!(wrong.parse::<AuthorityFingerprint>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn debug_output_contains_no_key() {
        let authority = Authority::make([7; 16], NOW).unwrap();
        let key = authority.key_pem();
        let line = key.lines().nth(1).unwrap();
        assert!(!format!("{authority:?}").contains(line));
    }
}
