//! `[profiles]`: where profiles come from.

use std::path::{Path, PathBuf};

use super::document::Document;
use super::error::Origin;

/// `[profiles]`: where profiles come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ProfilesConfig {
    /// `source = "easy-rsa"`: a PKI folder, and a template to fill in.
    EasyRsa {
        /// The folder with `ca.crt`, `issued`, `private` and `index.txt`.
        pki: PathBuf,
        /// The client's configuration without certificates and keys.
        template: PathBuf,
        /// The key that wraps the control channel, if the server uses one.
        control_key: Option<ControlKey>,
    },
    /// `source = "directory"`: finished profiles, `USER.ovpn` or `USER/KIND.ovpn`.
    Directory {
        /// The folder they lie in.
        root: PathBuf,
    },
}

/// The file that wraps the control channel, by the directive that uses it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ControlKey {
    /// A static key: `tls-auth`.
    TlsAuth(PathBuf),
    /// A static key: `tls-crypt`.
    TlsCrypt(PathBuf),
    /// A client's wrapped key: `tls-crypt-v2`.
    TlsCryptV2(PathBuf),
}

impl ControlKey {
    /// Returns the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::TlsAuth(path) | Self::TlsCrypt(path) | Self::TlsCryptV2(path) => path,
        }
    }
}

impl ProfilesConfig {
    pub(super) fn read(doc: &mut Document<'_>) -> Option<Self> {
        let origin = doc.origin("profiles.source");
        let is_set = origin != Origin::Nowhere;
        let source: Option<String> = doc.take("profiles.source");
        let mut given = Given::take(doc);
        let profiles = match source.as_deref() {
            Some("easy-rsa") => easy_rsa(doc, &origin, &mut given),
            Some("directory") => {
                given.need(doc, &origin, "profiles.root").map(|root| Self::Directory { root })
            }
            Some(other) => {
                let what = "`profiles.source` must be \"easy-rsa\" or \"directory\"";
                doc.fault(origin, format!("{what}, not \"{other}\""));
                return None;
            }
            None if is_set => return None,
            None => None,
        };
        given.refuse_rest(doc, source.as_deref());
        profiles
    }
}

fn easy_rsa(doc: &mut Document<'_>, origin: &Origin, given: &mut Given) -> Option<ProfilesConfig> {
    let pki = given.need(doc, origin, "profiles.pki");
    let template = given.need(doc, origin, "profiles.template");
    let control_key = given.control_key(doc, origin);
    Some(ProfilesConfig::EasyRsa { pki: pki?, template: template?, control_key })
}

/// The paths below `[profiles]`, of which each source uses some: key, origin,
/// and the path, if it was one.
struct Given(Vec<(&'static str, Origin, Option<PathBuf>)>);

impl Given {
    fn take(doc: &mut Document<'_>) -> Self {
        let keys = [
            "profiles.pki",
            "profiles.template",
            "profiles.tls_crypt",
            "profiles.tls_auth",
            "profiles.tls_crypt_v2",
            "profiles.root",
        ];
        let keys = keys.map(|key| (key, doc.origin(key), doc.take_path(key)));
        Self(keys.into_iter().filter(|(_, origin, _)| *origin != Origin::Nowhere).collect())
    }

    /// Takes the path at `key`, which may be left out.
    fn want(&mut self, key: &str) -> Option<PathBuf> {
        let at = self.0.iter().position(|(given, ..)| *given == key)?;
        self.0.remove(at).2
    }

    /// Takes the path at `key`, which must be there.
    fn need(&mut self, doc: &mut Document<'_>, source: &Origin, key: &str) -> Option<PathBuf> {
        if self.0.iter().all(|(given, ..)| *given != key) {
            doc.fault(source.clone(), format!("`{key}` is missing, this source needs it"));
        }
        self.want(key)
    }

    fn control_key(&mut self, doc: &mut Document<'_>, source: &Origin) -> Option<ControlKey> {
        let crypt = self.want("profiles.tls_crypt").map(ControlKey::TlsCrypt);
        let auth = self.want("profiles.tls_auth").map(ControlKey::TlsAuth);
        let crypt_v2 = self.want("profiles.tls_crypt_v2").map(ControlKey::TlsCryptV2);
        let mut keys = [crypt, auth, crypt_v2].into_iter().flatten();
        let first = keys.next();
        if keys.next().is_some() {
            let names = "`profiles.tls_crypt`, `profiles.tls_auth` and `profiles.tls_crypt_v2`";
            doc.fault(source.clone(), format!("only one of {names} can be set"));
        }
        first
    }

    fn refuse_rest(self, doc: &mut Document<'_>, source: Option<&str>) {
        for (key, origin, _) in self.0 {
            let what = match source {
                Some(source) => format!("`{key}` means nothing with source \"{source}\""),
                None => format!("`{key}` means nothing without `profiles.source`"),
            };
            doc.fault(origin, what);
        }
    }
}
