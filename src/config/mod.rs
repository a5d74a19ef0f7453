//! The configuration: `jeton.toml` and the `JETON_*` variables.
//!
//! Loading it reads one file and checks the settings alone. Each command checks the files that the
//! settings name when it opens them; `jeton config check` checks all of them.
//!
//! A file may have only the settings that its commands need: for minting, `public_url` and
//! `keys.signing`. So a setting without a default is an `Option`, and each command rejects a
//! configuration that lacks what it needs.

mod cluster;
mod document;
mod error;
mod limits;
mod log;
mod profiles;
mod setting;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::token::IpNetwork;
use crate::token::url::PublicUrl;
use document::Settings;
use setting::Switchable;

pub use cluster::{ClusterConfig, ClusterListener};
pub use document::Environment;
pub use error::{ConfigError, ConfigFault, Origin};
pub use limits::Limits;
pub use log::{LogConfig, LogFormat, LogLevel};
pub use profiles::{ControlKey, ProfilesConfig};

/// Every key with its default and a comment, as `jeton config example` prints it.
pub const EXAMPLE: &str = include_str!("example.toml");

/// The default paths of the configuration, in the order in which they are tried.
pub const PLACES: [&str; 2] = ["jeton.toml", "/etc/jeton/jeton.toml"];

/// The default of `public.listen`: HTTPS on all IPv4 addresses.
pub const PUBLIC_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 443);

/// The default of `admin.listen`.
pub const ADMIN_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8444);

/// All settings. Paths are resolved against the directory of the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// The file that was read.
    pub file: PathBuf,
    /// The origin of all links.
    pub public_url: Option<PublicUrl>,
    /// The public door.
    pub public: Public,
    /// The admin door.
    pub admin: Admin,
    /// The directories of the keys.
    pub keys: Keys,
    /// Where profiles come from.
    pub profiles: Option<ProfilesConfig>,
    /// The directory of the ledger.
    pub ledger: LedgerConfig,
    /// How this node takes part in a cluster.
    pub cluster: ClusterConfig,
    /// Connections, times, rates and cache sizes.
    pub limits: Limits,
    /// How to log.
    pub log: LogConfig,
}

/// `[public]`: the public door, where users download profiles.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Public {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The certificate chain, PEM.
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate, PEM.
    pub tls_key: Option<PathBuf>,
    /// Listen without TLS, behind a proxy that terminates it.
    pub plain_http: bool,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNetwork>,
}

/// `[admin]`: the admin door. It has no TLS, so it listens on loopback only.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admin {
    /// Where to listen; `None` if it is off.
    pub listen: Option<SocketAddr>,
    /// The private profile key that this node mints with; `None` if it does not mint, as is usual.
    pub signing_key: Option<PathBuf>,
}

/// `[keys]`: the directories of the keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Keys {
    /// The public keys that this node trusts, `PURPOSE/ID.pem`.
    pub trusted: PathBuf,
    /// The private keys, `PURPOSE-ID.pem`, on machines that sign.
    pub signing: Option<PathBuf>,
}

/// `[ledger]`: the ledger.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LedgerConfig {
    /// The directory of the ledger. Nothing else is in it.
    pub dir: PathBuf,
}

impl Config {
    /// Returns the failure of a command that needs `key`, such as `public_url`.
    pub(crate) fn missing(&self, key: &str) -> Failure {
        let variable = document::variable(key);
        Failure::say(
            format!("`{key}` is not set in {}", self.file.display()),
            format!("set it there or in {variable}; `jeton config example` shows how"),
        )
    }

    /// Loads the file that `explicit` names, else `JETON_CONFIG`, else `./jeton.toml`, else
    /// `/etc/jeton/jeton.toml`. A `JETON_*` variable overrides the setting in the file:
    /// `JETON_PUBLIC_LISTEN` for `public.listen`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there is no such file, or if a setting in it or in a variable is wrong or
    /// unknown.
    pub fn load(explicit: Option<&Path>) -> Result<Self, ConfigError> {
        let environment = Environment::from_variables(std::env::vars_os());
        let (config, faults) = Self::examine(explicit, &environment)?;
        if faults.is_empty() {
            return Ok(config);
        }
        Err(ConfigError::Faults { path: config.file, faults })
    }

    /// Loads as [`Config::load`] does, and returns all faults as well. A setting that is wrong has
    /// its default value.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there is no such file, or if it cannot be read.
    pub fn examine(
        explicit: Option<&Path>,
        environment: &Environment,
    ) -> Result<(Self, Vec<ConfigFault>), ConfigError> {
        let path = find(explicit, environment)?;
        let text = fs::read_to_string(&path)
            .map_err(|source| ConfigError::Io { path: path.clone(), source })?;
        Ok(Self::parse(&text, environment, &path))
    }

    /// Parses `text` as the file at `path`; see [`Config::examine`].
    #[must_use]
    pub fn parse(text: &str, environment: &Environment, path: &Path) -> (Self, Vec<ConfigFault>) {
        let base = path.parent().unwrap_or_else(|| Path::new(""));
        let mut settings = Settings::read(text, environment, base);
        let config = Self::read(&mut settings, path);
        (config, settings.finish())
    }

    fn read(settings: &mut Settings<'_>, path: &Path) -> Self {
        Self {
            file: path.to_owned(),
            public_url: settings.take("public_url"),
            public: Public::read(settings),
            admin: Admin::read(settings),
            keys: Keys::read(settings),
            profiles: ProfilesConfig::read(settings),
            ledger: LedgerConfig::read(settings),
            cluster: ClusterConfig::read(settings),
            limits: Limits::read(settings),
            log: LogConfig::read(settings),
        }
    }
}

impl Public {
    fn read(settings: &mut Settings<'_>) -> Self {
        let plain_origin = settings.origin("public.plain_http");
        let public = Self {
            listen: settings.take("public.listen").unwrap_or(PUBLIC_LISTEN),
            tls_cert: settings.take_path("public.tls_cert"),
            tls_key: settings.take_path("public.tls_key"),
            plain_http: settings.take("public.plain_http").unwrap_or_default(),
            trusted_proxies: settings.take("public.trusted_proxies").unwrap_or_default(),
        };
        if public.plain_http && (public.tls_cert.is_some() || public.tls_key.is_some()) {
            let what = "`public.plain_http` contradicts `public.tls_cert` and `public.tls_key`";
            settings.fault("public.plain_http", plain_origin, what);
        }
        public
    }
}

impl Admin {
    fn read(settings: &mut Settings<'_>) -> Self {
        let origin = settings.origin("admin.listen");
        let Switchable(listen) =
            settings.take("admin.listen").unwrap_or(Switchable(Some(ADMIN_LISTEN)));
        if listen.is_some_and(|listen| !listen.ip().is_loopback()) {
            let what = "`admin.listen` must be a loopback address, because the door has no TLS";
            settings.fault("admin.listen", origin, what);
        }
        Self { listen, signing_key: settings.take_path("admin.signing_key") }
    }
}

impl Keys {
    fn read(settings: &mut Settings<'_>) -> Self {
        Self {
            trusted: settings
                .take_path("keys.trusted")
                .unwrap_or_else(|| settings.resolve("keys/trusted")),
            signing: settings.take_path("keys.signing"),
        }
    }
}

impl LedgerConfig {
    fn read(settings: &mut Settings<'_>) -> Self {
        Self { dir: settings.take_path("ledger.dir").unwrap_or_else(|| settings.resolve("ledger")) }
    }
}

/// Returns the path of the file to read.
fn find(explicit: Option<&Path>, environment: &Environment) -> Result<PathBuf, ConfigError> {
    if let Some(named) = explicit {
        return Ok(named.to_owned());
    }
    if let Some(named) = environment.get("JETON_CONFIG") {
        return Ok(named.into());
    }
    // A file that may exist but cannot be accessed must be reported and not skipped, so an error
    // counts as "exists".
    let exists = |place: &Path| place.try_exists().unwrap_or(true);
    let found = PLACES.map(PathBuf::from).into_iter().find(|place| exists(place));
    found.ok_or(ConfigError::NotFound)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn parse(text: &str) -> (Config, Vec<String>) {
        let (config, faults) =
            Config::parse(text, &Environment::default(), Path::new("/etc/jeton/jeton.toml"));
        (config, faults.iter().map(ToString::to_string).collect())
    }

    /// Returns [`EXAMPLE`] with every commented-out key enabled.
    fn example_in_full() -> String {
        let full = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => rest,
            _ => line,
        });
        full.collect::<Vec<_>>().join("\n")
    }

    fn keys(table: &toml::Table, prefix: &str) -> BTreeSet<String> {
        let of = |(key, value): (&String, &toml::Value)| match value.as_table() {
            Some(table) => keys(table, &format!("{prefix}{key}.")),
            None => BTreeSet::from([format!("{prefix}{key}")]),
        };
        table.iter().flat_map(of).collect()
    }

    #[test]
    fn the_example_has_the_defaults() {
        let (example, faults) = parse(EXAMPLE);
        assert_eq!(faults, [""; 0]);
        assert_eq!(example, parse("").0);
    }

    /// Every key is taken, so the message about an unknown key lists every key.
    #[test]
    fn the_example_has_every_key() {
        let table: toml::Table = toml::from_str(&example_in_full()).unwrap();
        let environment = Environment::default();
        let mut settings = Settings::read("", &environment, Path::new(""));
        Config::read(&mut settings, Path::new(""));
        let known: BTreeSet<String> = settings.known().map(str::to_owned).collect();
        assert_eq!(keys(&table, ""), known);
    }

    #[test]
    fn relative_paths_are_resolved_against_the_directory_of_the_file() {
        let (config, _) = parse("[keys]\ntrusted = \"here\"\nsigning = \"/there\"");
        assert_eq!(config.keys.trusted, Path::new("/etc/jeton/here"));
        assert_eq!(config.keys.signing.as_deref(), Some(Path::new("/there")));
        assert_eq!(config.ledger.dir, Path::new("/etc/jeton/ledger"));
    }

    #[test]
    fn minting_needs_two_settings() {
        let (config, faults) =
            parse("public_url = \"https://vpn.example.com\"\n[keys]\nsigning = \"k.pem\"");
        assert_eq!(faults, [""; 0]);
        assert_eq!(config.public_url.unwrap().host(), "vpn.example.com");
    }

    #[test]
    fn rejects_contradictory_and_wrong_settings() {
        for (text, fault) in [
            (
                "[admin]\nlisten = \"0.0.0.0:1\"",
                "line 2: `admin.listen` must be a loopback address, because the door has no TLS",
            ),
            (
                "[public]\nplain_http = true\ntls_cert = \"c\"",
                "line 2: `public.plain_http` contradicts `public.tls_cert` and `public.tls_key`",
            ),
            (
                "[profiles]\nsource = \"directory\"",
                "line 2: `profiles.root` is missing; this source needs it",
            ),
            (
                "[profiles]\nsource = \"directory\"\nroot = \"r\"\npki = \"p\"",
                "line 4: `profiles.pki` has no effect with source \"directory\"",
            ),
            (
                "[profiles]\nroot = \"r\"",
                "line 2: `profiles.root` has no effect without `profiles.source`",
            ),
            (
                "[profiles]\nsource = \"ldap\"",
                "line 2: `profiles.source` must be \"easy-rsa\" or \"directory\", not \"ldap\"",
            ),
            ("[profiles]\nsource = 7", "line 2: `profiles.source` must be a string in quotes"),
            (
                "[limits]\nconnections = 0",
                "line 2: `limits.connections` must be a whole number from 1 to 4294967295",
            ),
        ] {
            assert_eq!(parse(text).1, [fault], "{text}");
        }
    }

    #[test]
    fn accepts_one_control_channel_key() {
        let easy = "[profiles]\nsource = \"easy-rsa\"\npki = \"p\"\ntemplate = \"t\"\n";
        let (config, faults) = parse(&format!("{easy}tls_crypt = \"k\""));
        assert_eq!(faults, [""; 0]);
        let key = Some(ControlKey::TlsCrypt("/etc/jeton/k".into()));
        assert!(
            matches!(&config.profiles, Some(ProfilesConfig::EasyRsa { control_key, .. }) if *control_key == key)
        );
        let (_, faults) = parse(&format!("{easy}tls_crypt = \"k\"\ntls_auth = \"a\""));
        assert_eq!(faults.len(), 1, "{faults:?}");
    }

    #[test]
    fn the_admin_door_can_be_switched_off() {
        assert_eq!(parse("").0.admin.listen, Some(ADMIN_LISTEN));
        assert_eq!(parse("[admin]\nlisten = \"off\"").0.admin.listen, None);
    }

    #[test]
    fn a_node_mints_only_with_an_explicit_key() {
        let text = "[keys]\nsigning = \"keys/signing\"";
        assert_eq!(parse(text).0.admin.signing_key, None);
        let text = "[admin]\nsigning_key = \"keys/mine.pem\"";
        let key = parse(text).0.admin.signing_key;
        assert_eq!(key.as_deref(), Some(Path::new("/etc/jeton/keys/mine.pem")));
    }

    #[test]
    fn the_config_option_overrides_the_variable() {
        let variables = [("JETON_CONFIG".into(), "/from/variable".into())];
        let environment = Environment::from_variables(variables);
        let named = Path::new("/from/flag");
        assert_eq!(find(Some(named), &environment).unwrap(), named);
        assert_eq!(find(None, &environment).unwrap(), Path::new("/from/variable"));
    }
}
