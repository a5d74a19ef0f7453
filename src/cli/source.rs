//! The source of profiles that is configured.

use std::path::Path;

use crate::config::{ControlKey, Profiles};
use crate::profile::{
    Directory, EasyRsa, EasyRsaFiles, ProfileError, ProfileSource, TlsKeyFile, TlsKeyKind,
};

/// Opens the source of profiles.
///
/// # Errors
///
/// The first thing that stands in the way of every profile.
pub(crate) fn open(profiles: &Profiles) -> Result<Box<dyn ProfileSource>, ProfileError> {
    match profiles {
        Profiles::Directory { root } => Ok(Box::new(Directory::open(root)?)),
        Profiles::EasyRsa { pki, template, control_key } => {
            Ok(Box::new(EasyRsa::open(easy_rsa(pki, template, control_key.as_ref()))?))
        }
    }
}

/// Returns everything that stands in the way of every profile.
pub(crate) fn check(profiles: &Profiles) -> Vec<ProfileError> {
    match profiles {
        Profiles::Directory { root } => Directory::open(root).err().into_iter().collect(),
        Profiles::EasyRsa { pki, template, control_key } => {
            easy_rsa(pki, template, control_key.as_ref()).check()
        }
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
