//! Profiles rendered from an easy-rsa PKI and a client template.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::index::{CertificateStatus, Index};
use super::lint::linted_profile;
use super::pem::{self, Pem};
use super::render::{Material, render};
use super::template::Template;
use super::{Fingerprint, Profile, ProfileError, ProfileSource, file, kind};
use crate::token::{ProfileKind, UnixSeconds, UserName};

/// How the shared TLS key protects the TLS handshake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsKeyKind {
    /// `tls-auth`, with direction 1 unless the template says otherwise.
    Auth,
    /// `tls-crypt`.
    Crypt,
    /// `tls-crypt-v2`, with one client key that all users share.
    CryptV2Client,
}

impl TlsKeyKind {
    const fn block(self) -> &'static str {
        match self {
            Self::Auth => "tls-auth",
            Self::Crypt => "tls-crypt",
            Self::CryptV2Client => "tls-crypt-v2",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Auth | Self::Crypt => "OpenVPN Static key V1",
            Self::CryptV2Client => "OpenVPN tls-crypt-v2 client key",
        }
    }
}

/// The file that contains the TLS key that all clients share.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsKeyFile {
    /// The kind of key.
    pub kind: TlsKeyKind,
    /// The path.
    pub path: PathBuf,
}

/// The paths of an easy-rsa PKI, the client template and the TLS key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EasyRsaFiles {
    /// The directory with `ca.crt`, `index.txt`, `issued` and `private`.
    pub pki: PathBuf,
    /// The client template.
    pub template: PathBuf,
    /// The TLS key, unless the template contains it or the server has none.
    pub tls_key: Option<TlsKeyFile>,
}

impl EasyRsaFiles {
    fn ca(&self) -> PathBuf {
        self.pki.join("ca.crt")
    }

    fn index(&self) -> PathBuf {
        self.pki.join("index.txt")
    }

    fn certificate(&self, user: &UserName) -> PathBuf {
        self.pki.join("issued").join(format!("{user}.crt"))
    }

    fn key(&self, user: &UserName) -> PathBuf {
        self.pki.join("private").join(format!("{user}.key"))
    }

    /// Returns all problems that affect every profile.
    #[must_use]
    pub fn check(&self) -> Vec<ProfileError> {
        if !self.pki.is_dir() {
            return vec![ProfileError::NotADirectory { path: self.pki.clone() }];
        }
        let directories = ["issued", "private"].map(|name| self.pki.join(name));
        let missing = directories.into_iter().filter(|path| !path.is_dir());
        let mut problems: Vec<_> =
            missing.map(|path| ProfileError::NotADirectory { path }).collect();
        problems.extend(self.read_index().err());
        problems.extend(self.read_ca().err());
        problems.extend(Template::load(&self.template).err());
        problems.extend(self.read_tls_key().err());
        problems
    }

    fn read_index(&self) -> Result<Index, ProfileError> {
        let path = self.index();
        let text = file::read_text_verbatim(&path)?;
        Index::parse(&text).map_err(|source| ProfileError::Index { path, source })
    }

    /// Returns the authority's certificates, without the text dump above them.
    fn read_ca(&self) -> Result<Zeroizing<String>, ProfileError> {
        let path = self.ca();
        let text = file::read_text(&path)?;
        Certificate::first_in(&text, &path)?;
        Ok(matching_blocks(&text, is_certificate))
    }

    fn read_tls_key(&self) -> Result<Option<(TlsKeyKind, Zeroizing<String>)>, ProfileError> {
        let Some(TlsKeyFile { kind, path }) = &self.tls_key else { return Ok(None) };
        let text = file::read_text(path)?;
        let key = matching_blocks(&text, |pem| pem.label == kind.label());
        if key.is_empty() {
            return Err(ProfileError::NoPem { path: path.clone(), what: kind.label() });
        }
        Ok(Some((*kind, key)))
    }
}

/// Profiles rendered from an easy-rsa PKI and a client template. Each load reads all files again,
/// so a revocation takes effect at once.
#[derive(Clone, Debug)]
pub struct EasyRsa {
    files: EasyRsaFiles,
}

/// A user's valid certificate with its private key.
struct ClientIdentity {
    certificate: Zeroizing<String>,
    key: Zeroizing<String>,
    not_after: UnixSeconds,
}

impl EasyRsa {
    /// Opens a PKI.
    ///
    /// # Errors
    ///
    /// The first problem that [`EasyRsaFiles::check`] finds.
    pub fn open(files: EasyRsaFiles) -> Result<Self, ProfileError> {
        match files.check().into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(Self { files }),
        }
    }

    /// Returns the certificate issued to `user` if the index lists its serial number as valid. An
    /// older certificate of the same name may be revoked.
    fn certificate(
        &self,
        user: &UserName,
        kind: ProfileKind,
        index: &Index,
    ) -> Result<(Zeroizing<String>, Certificate), ProfileError> {
        let path = self.files.certificate(user);
        let text = file::read_text(&path).map_err(|error| match error.is_missing() {
            // easy-rsa moves a revoked certificate away.
            true if index.has_revoked(user) => {
                ProfileError::CertificateRevoked { user: user.clone() }
            }
            true => ProfileError::NotFound { user: user.clone(), kind },
            false => error,
        })?;
        let certificate = Certificate::first_in(&text, &path)?;
        if !certificate.belongs_to(user) {
            return Err(ProfileError::WrongCertificate { user: user.clone(), path });
        }
        match index.status(certificate.serial()) {
            Some(CertificateStatus::Valid) => {
                Ok((matching_blocks(&text, is_certificate), certificate))
            }
            Some(CertificateStatus::Revoked) => {
                Err(ProfileError::CertificateRevoked { user: user.clone() })
            }
            Some(CertificateStatus::Expired) => Err(ProfileError::CertificateExpired {
                user: user.clone(),
                at: certificate.not_after(),
            }),
            None => Err(ProfileError::CertificateUnlisted {
                user: user.clone(),
                serial: certificate.serial().to_string(),
                index: self.files.index(),
            }),
        }
    }

    /// Returns the user's certificate and key, or `None` for a kind without a certificate. Users
    /// who never had a certificate can get such a kind. A user whose certificate is not valid gets
    /// no profile of any kind.
    fn identity(
        &self,
        user: &UserName,
        kind: ProfileKind,
        now: UnixSeconds,
    ) -> Result<Option<ClientIdentity>, ProfileError> {
        let index = self.files.read_index()?;
        let (text, certificate) = match self.certificate(user, kind, &index) {
            Err(ProfileError::NotFound { .. }) if !kind::has_certificate(kind) => return Ok(None),
            other => other?,
        };
        certificate.validate_time(user, now)?;
        if !kind::has_certificate(kind) {
            return Ok(None);
        }
        let key = self.read_key(user)?;
        Ok(Some(ClientIdentity { certificate: text, key, not_after: certificate.not_after() }))
    }

    fn read_key(&self, user: &UserName) -> Result<Zeroizing<String>, ProfileError> {
        let path = self.files.key(user);
        let text = file::read_text(&path)?;
        let key = matching_blocks(&text, |pem| pem.is_private_key());
        if key.is_empty() {
            return Err(ProfileError::NoPem { path, what: "private key" });
        }
        Ok(key)
    }

    fn is_listed(&self, user: &UserName, index: &Index) -> bool {
        self.certificate(user, ProfileKind::UserLocked, index).is_ok()
    }
}

impl ProfileSource for EasyRsa {
    /// Returns the users with a client certificate that the index lists as valid.
    fn users(&self) -> Result<Vec<UserName>, ProfileError> {
        let index = self.files.read_index()?;
        let mut users = file::file_stems(&self.files.pki.join("issued"), ".crt")?;
        users.retain(|user| self.is_listed(user, &index));
        users.sort();
        Ok(users)
    }

    fn load(
        &self,
        user: &UserName,
        kind: ProfileKind,
        now: UnixSeconds,
    ) -> Result<Profile, ProfileError> {
        let identity = self.identity(user, kind, now)?;
        let template = Template::load(&self.files.template)?;
        let ca = self.files.read_ca()?;
        let tls_key = self.files.read_tls_key()?;

        let document = template.document();
        let host = document.first_remote();
        let mut materials = vec![Material { name: "ca", body: &ca }];
        if let Some(identity) = &identity {
            materials.push(Material { name: "cert", body: &identity.certificate });
            materials.push(Material { name: "key", body: &identity.key });
        }
        if let Some((kind, key)) = &tls_key {
            materials.push(Material { name: kind.block(), body: key });
        }
        let text = render(kind, user, host.as_deref(), &document, &materials);
        let path = &self.files.template;
        linted_profile(text, user, kind, path, identity.map(|identity| identity.not_after))
    }

    fn fingerprint(&self, user: &UserName, _kind: ProfileKind) -> Fingerprint {
        let files = &self.files;
        let mut paths = vec![files.index(), files.certificate(user), files.key(user), files.ca()];
        paths.push(files.template.clone());
        paths.extend(files.tls_key.iter().map(|key| key.path.clone()));
        file::fingerprint(paths.iter().map(PathBuf::as_path))
    }
}

fn is_certificate(pem: &Pem<'_>) -> bool {
    pem.label == "CERTIFICATE"
}

/// Returns the PEM blocks of `text` that match `wanted`.
fn matching_blocks(text: &str, wanted: impl Fn(&Pem<'_>) -> bool) -> Zeroizing<String> {
    // The capacity suffices, because the blocks are parts of the text. So no reallocation leaves an
    // unwiped copy of a key.
    let mut found = Zeroizing::new(String::with_capacity(text.len() + 1));
    for pem in pem::blocks(text).iter().filter(|pem| wanted(pem)) {
        found.push_str(pem.text);
        found.push('\n');
    }
    found
}
