//! `[profiles]`.

use std::path::{Path, PathBuf};

use super::document::Settings;
use super::error::Origin;

/// `[profiles]`: where profiles come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ProfilesConfig {
    /// `source = "easy-rsa"`: a PKI directory and a client template.
    EasyRsa {
        /// The directory with `ca.crt`, `issued`, `private` and `index.txt`.
        pki: PathBuf,
        /// The client configuration without certificates and keys.
        template: PathBuf,
        /// The control channel key, if the server uses one.
        control_key: Option<ControlKey>,
    },
    /// `source = "directory"`: complete profiles, `USER.ovpn` or `USER/KIND.ovpn`.
    Directory {
        /// The directory that holds them.
        root: PathBuf,
    },
}

/// The control channel key file, by the directive that uses it.
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
    pub(super) fn read(settings: &mut Settings<'_>) -> Option<Self> {
        let origin = settings.origin("profiles.source");
        let source: Option<String> = settings.take("profiles.source");
        let mut given = Given::take(settings);
        let profiles = match source.as_deref() {
            Some("easy-rsa") => easy_rsa(settings, &origin, &mut given),
            Some("directory") => given
                .required(settings, &origin, "profiles.root")
                .map(|root| Self::Directory { root }),
            Some(other) => {
                let what = "`profiles.source` must be \"easy-rsa\" or \"directory\"";
                settings.fault("profiles.source", origin, format!("{what}, not \"{other}\""));
                return None;
            }
            None if origin != Origin::Nowhere => return None,
            None => None,
        };
        given.reject_rest(settings, source.as_deref());
        profiles
    }
}

fn easy_rsa(
    settings: &mut Settings<'_>,
    origin: &Origin,
    given: &mut Given,
) -> Option<ProfilesConfig> {
    let pki = given.required(settings, origin, "profiles.pki");
    let template = given.required(settings, origin, "profiles.template");
    let control_key = given.control_key(settings, origin);
    Some(ProfilesConfig::EasyRsa { pki: pki?, template: template?, control_key })
}

/// The paths that are set in `[profiles]`: key, origin, and the path if it is valid. Each source
/// uses some of them.
struct Given(Vec<(&'static str, Origin, Option<PathBuf>)>);

impl Given {
    fn take(settings: &mut Settings<'_>) -> Self {
        let keys = [
            "profiles.pki",
            "profiles.template",
            "profiles.tls_crypt",
            "profiles.tls_auth",
            "profiles.tls_crypt_v2",
            "profiles.root",
        ];
        let keys = keys.map(|key| (key, settings.origin(key), settings.take_path(key)));
        Self(keys.into_iter().filter(|(_, origin, _)| *origin != Origin::Nowhere).collect())
    }

    /// Takes the path `key`, which is optional.
    fn optional(&mut self, key: &str) -> Option<PathBuf> {
        let at = self.0.iter().position(|(given, ..)| *given == key)?;
        self.0.remove(at).2
    }

    /// Takes the path `key`, which is required.
    fn required(
        &mut self,
        settings: &mut Settings<'_>,
        source: &Origin,
        key: &str,
    ) -> Option<PathBuf> {
        if self.0.iter().all(|(given, ..)| *given != key) {
            let what = format!("`{key}` is missing; this source needs it");
            settings.fault(key, source.clone(), what);
        }
        self.optional(key)
    }

    fn control_key(&mut self, settings: &mut Settings<'_>, source: &Origin) -> Option<ControlKey> {
        let crypt = self.optional("profiles.tls_crypt").map(ControlKey::TlsCrypt);
        let auth = self.optional("profiles.tls_auth").map(ControlKey::TlsAuth);
        let crypt_v2 = self.optional("profiles.tls_crypt_v2").map(ControlKey::TlsCryptV2);
        let mut keys = [crypt, auth, crypt_v2].into_iter().flatten();
        let first = keys.next();
        if keys.next().is_some() {
            let names = "`profiles.tls_crypt`, `profiles.tls_auth` and `profiles.tls_crypt_v2`";
            let what = format!("only one of {names} can be set");
            settings.fault("profiles.tls_crypt", source.clone(), what);
        }
        first
    }

    fn reject_rest(self, settings: &mut Settings<'_>, source: Option<&str>) {
        for (key, origin, _) in self.0 {
            let what = match source {
                Some(source) => format!("`{key}` has no effect with source \"{source}\""),
                None => format!("`{key}` has no effect without `profiles.source`"),
            };
            settings.fault(key, origin, what);
        }
    }
}
