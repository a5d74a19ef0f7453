//! Profiles rendered from an easy-rsa PKI and a client template.

use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::document::Document;
use super::index::{Index, Status};
use super::lint::{Subject, lint_document};
use super::pem::{self, Pem};
use super::render::{Material, render};
use super::template::Template;
use super::{Fingerprint, Profile, ProfileError, ProfileSource, file, kind};
use crate::token::{ProfileKind, UnixSeconds, UserName};

/// Which key hides or guards the TLS handshake, from the client's view.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsKeyKind {
    /// `tls-auth`, with direction 1 unless the template says otherwise.
    Auth,
    /// `tls-crypt`.
    Crypt,
    /// `tls-crypt-v2`: one client key that all users share.
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

/// The file that holds the TLS key all clients share.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsKeyFile {
    /// What kind of key it is.
    pub kind: TlsKeyKind,
    /// Where it is.
    pub path: PathBuf,
}

/// Where an easy-rsa PKI and what goes with it are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EasyRsaFiles {
    /// The folder with `ca.crt`, `index.txt`, `issued` and `private`.
    pub pki: PathBuf,
    /// The client template.
    pub template: PathBuf,
    /// The TLS key, unless the template holds it or the server has none.
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

    /// Returns everything that stands in the way of every profile, each with
    /// its path.
    #[must_use]
    pub fn check(&self) -> Vec<ProfileError> {
        if !self.pki.is_dir() {
            return vec![ProfileError::NoFolder { path: self.pki.clone() }];
        }
        let folders = ["issued", "private"].map(|name| self.pki.join(name));
        let missing = folders.into_iter().filter(|path| !path.is_dir());
        let mut problems: Vec<_> = missing.map(|path| ProfileError::NoFolder { path }).collect();
        problems.extend(self.read_index().err());
        problems.extend(self.read_ca().err());
        problems.extend(Template::load(&self.template).err());
        problems.extend(self.read_tls_key().err());
        problems
    }

    fn read_index(&self) -> Result<Index, ProfileError> {
        let path = self.index();
        let text = file::read_text_as_it_is(&path)?;
        Index::parse(&text).map_err(|source| ProfileError::Index { path, source })
    }

    /// Returns the authority's certificates, without the listing above them.
    fn read_ca(&self) -> Result<Zeroizing<String>, ProfileError> {
        let path = self.ca();
        let text = file::read_text(&path)?;
        Certificate::first_in(&text, &path)?;
        Ok(only(&text, is_certificate))
    }

    fn read_tls_key(&self) -> Result<Option<(TlsKeyKind, Zeroizing<String>)>, ProfileError> {
        let Some(TlsKeyFile { kind, path }) = &self.tls_key else { return Ok(None) };
        let text = file::read_text(path)?;
        let key = only(&text, |pem| pem.label == kind.label());
        if key.is_empty() {
            let what = match kind {
                TlsKeyKind::Auth | TlsKeyKind::Crypt => "OpenVPN static key",
                TlsKeyKind::CryptV2Client => "tls-crypt-v2 client key",
            };
            return Err(ProfileError::NoPem { path: path.clone(), what });
        }
        Ok(Some((*kind, key)))
    }
}

/// Profiles rendered from an easy-rsa PKI and a client template. Every file
/// is read anew for each profile, so a revocation counts at once.
#[derive(Clone, Debug)]
pub struct EasyRsa {
    files: EasyRsaFiles,
}

/// A user's certificate that may be handed out, with its private key.
struct Identity {
    certificate: Zeroizing<String>,
    key: Zeroizing<String>,
    not_after: UnixSeconds,
}

impl EasyRsa {
    /// Takes a PKI that could give a profile.
    ///
    /// # Errors
    ///
    /// The first that [`EasyRsaFiles::check`] finds.
    pub fn open(files: EasyRsaFiles) -> Result<Self, ProfileError> {
        match files.check().into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(Self { files }),
        }
    }

    /// Judges the certificate issued to `user`, which must be listed as valid
    /// under its own serial number: an older one of the same name may be
    /// revoked.
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
            return Err(ProfileError::CertificateOfAnother { user: user.clone(), path });
        }
        match index.status(certificate.serial()) {
            Some(Status::Valid) => Ok((only(&text, is_certificate), certificate)),
            Some(Status::Revoked) => Err(ProfileError::CertificateRevoked { user: user.clone() }),
            Some(Status::Expired) => Err(ProfileError::CertificateExpired {
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

    /// Returns what `kind` needs of the user's own: nothing for a kind without
    /// a certificate, which also goes to users who never had one. But whoever
    /// has one that is no longer good gets no profile of any kind.
    fn identity(
        &self,
        user: &UserName,
        kind: ProfileKind,
        now: UnixSeconds,
    ) -> Result<Option<Identity>, ProfileError> {
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
        Ok(Some(Identity { certificate: text, key, not_after: certificate.not_after() }))
    }

    fn read_key(&self, user: &UserName) -> Result<Zeroizing<String>, ProfileError> {
        let path = self.files.key(user);
        let text = file::read_text(&path)?;
        let key = only(&text, |pem| pem.is_private_key());
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
    /// Those with a client certificate that the index lists as valid.
    fn users(&self) -> Result<Vec<UserName>, ProfileError> {
        let index = self.files.read_index()?;
        let mut users = file_stems(&self.files.pki.join("issued"), ".crt")?;
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
        finish(text, user, kind, path, identity.map(|identity| identity.not_after))
    }

    fn fingerprint(&self, user: &UserName, _kind: ProfileKind) -> Fingerprint {
        let files = &self.files;
        let mut paths = vec![files.index(), files.certificate(user), files.key(user), files.ca()];
        paths.push(files.template.clone());
        paths.extend(files.tls_key.iter().map(|key| key.path.clone()));
        file::fingerprint(paths.iter().map(PathBuf::as_path))
    }
}

/// Lints a rendered profile and wraps it up.
///
/// # Errors
///
/// [`ProfileError::Rejected`], with `path` as what it was rendered from.
pub(super) fn finish(
    text: Zeroizing<String>,
    user: &UserName,
    kind: ProfileKind,
    path: &Path,
    not_after: Option<UnixSeconds>,
) -> Result<Profile, ProfileError> {
    let findings = lint_document(&text, &Document::parse(&text), Subject::Profile { kind, user });
    if findings.is_fatal() {
        return Err(ProfileError::Rejected {
            user: user.clone(),
            kind,
            path: path.to_owned(),
            findings: findings.fatal(),
        });
    }
    Ok(Profile::new(text, not_after))
}

/// Returns the names in `folder` that end with `end`, without it. Names that
/// no token could ask for are left out.
pub(super) fn file_stems(folder: &Path, end: &str) -> Result<Vec<UserName>, ProfileError> {
    let io = |source| ProfileError::Io { path: folder.to_owned(), source };
    let mut users = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(end));
        users.extend(stem.and_then(|stem| UserName::new(stem).ok()));
    }
    Ok(users)
}

fn is_certificate(pem: &Pem<'_>) -> bool {
    pem.label == "CERTIFICATE"
}

/// Returns those PEM blocks of `text` that `wanted` picks, each on its lines.
fn only(text: &str, wanted: impl Fn(&Pem<'_>) -> bool) -> Zeroizing<String> {
    // The blocks are parts of the text, so this room is enough, and no copy of
    // a key is left behind by growing.
    let mut found = Zeroizing::new(String::with_capacity(text.len() + 1));
    for pem in pem::blocks(text).iter().filter(|pem| wanted(pem)) {
        found.push_str(pem.text);
        found.push('\n');
    }
    found
}
