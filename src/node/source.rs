//! The configured source of profiles.

use std::path::Path;

use crate::config::{ControlKey, ProfilesConfig};
use crate::profile::{
    self, Directory, EasyRsa, EasyRsaFiles, ProfileError, ProfileSource, TlsKeyFile, TlsKeyKind,
};
use crate::token::UnixSeconds;

/// Opens the source of profiles.
///
/// # Errors
///
/// The first problem that affects every profile.
pub(crate) fn open(profiles: &ProfilesConfig) -> Result<Box<dyn ProfileSource>, ProfileError> {
    match profiles {
        ProfilesConfig::Directory { root } => Ok(Box::new(Directory::open(root)?)),
        ProfilesConfig::EasyRsa { pki, template, control_key } => {
            Ok(Box::new(EasyRsa::open(easy_rsa(pki, template, control_key.as_ref()))?))
        }
    }
}

/// Returns all problems that affect every profile, or, if there are none, those of single profiles.
pub(crate) fn check(profiles: &ProfilesConfig, now: UnixSeconds) -> Vec<ProfileError> {
    // `open` makes all the checks of a directory.
    if let ProfilesConfig::EasyRsa { pki, template, control_key } = profiles {
        let of_all = easy_rsa(pki, template, control_key.as_ref()).check();
        if !of_all.is_empty() {
            return of_all;
        }
    }
    match open(profiles) {
        Ok(source) => profile::check_all(source.as_ref(), now),
        Err(error) => vec![error],
    }
}

fn easy_rsa(pki: &Path, template: &Path, control_key: Option<&ControlKey>) -> EasyRsaFiles {
    let tls_key = control_key.map(|key| TlsKeyFile {
        kind: match key {
            ControlKey::TlsAuth(_) => TlsKeyKind::Auth,
            ControlKey::TlsCrypt(_) => TlsKeyKind::Crypt,
            ControlKey::TlsCryptV2(_) => TlsKeyKind::CryptV2Client,
        },
        path: key.path().to_owned(),
    });
    EasyRsaFiles { pki: pki.to_owned(), template: template.to_owned(), tls_key }
}
