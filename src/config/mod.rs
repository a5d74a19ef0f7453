//! The configuration: what `jeton.toml` and the `JETON_*` variables say.
//!
//! Reading it touches one file and judges the words only. Whether the files it
//! names exist, and whether keys and certificates in them are any good, is
//! asked by whoever needs them, and all at once by `jeton config check`.
//!
//! A file may hold only what its commands need: a minter's has `public_url` and
//! `keys.signing`. So what has no default is an `Option` here, and a command
//! demands what it needs. [`EXAMPLE`] has every key with its default.

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
use document::Document;
use setting::Switchable;

pub use cluster::{ClusterConfig, ClusterListener};
pub use document::Environment;
pub use error::{ConfigError, ConfigFault, Origin};
pub use limits::Limits;
pub use log::{LogConfig, LogFormat, LogLevel};
pub use profiles::{ControlKey, ProfilesConfig};

/// Every key with its default and a comment, as `jeton config example` prints it.
pub const EXAMPLE: &str = include_str!("example.toml");

/// Where the configuration is looked for if nobody names a file, in this order.
pub const PLACES: [&str; 2] = ["jeton.toml", "/etc/jeton/jeton.toml"];

/// The public listener, if the file does not say: HTTPS on all IPv4 addresses.
pub const PUBLIC_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 443);

/// The operators' listener, if the file does not say.
pub const ADMIN_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8444);

/// All that can be configured. Paths are resolved against the file's folder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// The file all this was read from.
    pub file: PathBuf,
    /// Where the world reaches the download nodes.
    pub public_url: Option<PublicUrl>,
    /// The door for those who download.
    pub public: Public,
    /// The door for operators.
    pub admin: Admin,
    /// Where the keys lie.
    pub keys: Keys,
    /// Where profiles come from.
    pub profiles: Option<ProfilesConfig>,
    /// Where the ledger lies.
    pub ledger: LedgerConfig,
    /// How this node takes part in a cluster.
    pub cluster: ClusterConfig,
    /// How much of everything.
    pub limits: Limits,
    /// How to log.
    pub log: LogConfig,
}

/// `[public]`: the door for those who download.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Public {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The certificate with its chain, PEM.
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM.
    pub tls_key: Option<PathBuf>,
    /// Listen without TLS, behind a proxy that has it.
    pub plain_http: bool,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNetwork>,
}

/// `[admin]`: the door for operators. It has no TLS, so it is on loopback.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admin {
    /// Where to listen; `None` if switched off.
    pub listen: Option<SocketAddr>,
    /// The private profile key that this node mints with; `None`, as is usual,
    /// if it does not mint.
    pub signing_key: Option<PathBuf>,
}

/// `[keys]`: where the keys lie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Keys {
    /// The folder of public keys that this node trusts: `PURPOSE/ID.pem`.
    pub trusted: PathBuf,
    /// The folder of private keys, `PURPOSE-ID.pem`. Only a machine that mints
    /// has it.
    pub signing: Option<PathBuf>,
}

/// `[ledger]`: where the ledger lies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LedgerConfig {
    /// The ledger's own folder.
    pub dir: PathBuf,
}

impl Config {
    /// Returns the error for a command that needs `key`, such as `public_url`.
    pub(crate) fn missing(&self, key: &str) -> Failure {
        let variable = format!("JETON_{}", key.replace('.', "_").to_ascii_uppercase());
        Failure::say(
            format!("`{key}` is not set in {}", self.file.display()),
            format!(
                "set it there, or in the variable {variable}; `jeton config example` shows how"
            ),
        )
    }

    /// Loads the file that `explicit` names, else `JETON_CONFIG`, else
    /// `./jeton.toml`, else `/etc/jeton/jeton.toml`. A `JETON_*` variable comes
    /// before the file's own setting: `JETON_PUBLIC_LISTEN` for `public.listen`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there is no such file, or anything in it, or in the
    /// variables, is wrong or unknown.
    pub fn load(explicit: Option<&Path>) -> Result<Self, ConfigError> {
        let environment = Environment::from_variables(std::env::vars_os());
        let (config, faults) = Self::examine(explicit, &environment)?;
        if faults.is_empty() {
            return Ok(config);
        }
        Err(ConfigError::Faults { path: config.file, faults })
    }

    /// Loads as [`Config::load`] does and returns all faults beside what could
    /// be read; where a setting is wrong, its default stands.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there is no such file, or it cannot be read.
    pub fn examine(
        explicit: Option<&Path>,
        environment: &Environment,
    ) -> Result<(Self, Vec<ConfigFault>), ConfigError> {
        let path = find(explicit, environment)?;
        let text = fs::read_to_string(&path)
            .map_err(|source| ConfigError::Io { path: path.clone(), source })?;
        Ok(Self::parse(&text, environment, &path))
    }

    /// Reads `text` as the file at `path`; see [`Config::examine`].
    #[must_use]
    pub fn parse(text: &str, environment: &Environment, path: &Path) -> (Self, Vec<ConfigFault>) {
        let base = path.parent().unwrap_or_else(|| Path::new(""));
        let mut doc = Document::read(text, environment, base);
        let config = Self::read(&mut doc, path);
        (config, doc.finish())
    }

    fn read(doc: &mut Document<'_>, path: &Path) -> Self {
        Self {
            file: path.to_owned(),
            public_url: doc.take("public_url"),
            public: Public::read(doc),
            admin: Admin::read(doc),
            keys: Keys::read(doc),
            profiles: ProfilesConfig::read(doc),
            ledger: LedgerConfig::read(doc),
            cluster: ClusterConfig::read(doc),
            limits: Limits::read(doc),
            log: LogConfig::read(doc),
        }
    }
}

impl Public {
    fn read(doc: &mut Document<'_>) -> Self {
        let plain_origin = doc.origin("public.plain_http");
        let public = Self {
            listen: doc.take("public.listen").unwrap_or(PUBLIC_LISTEN),
            tls_cert: doc.take_path("public.tls_cert"),
            tls_key: doc.take_path("public.tls_key"),
            plain_http: doc.take("public.plain_http").unwrap_or_default(),
            trusted_proxies: doc.take("public.trusted_proxies").unwrap_or_default(),
        };
        if public.plain_http && (public.tls_cert.is_some() || public.tls_key.is_some()) {
            let what = "`public.plain_http` contradicts `public.tls_cert` and `public.tls_key`";
            doc.fault(plain_origin, what);
        }
        public
    }
}

impl Admin {
    fn read(doc: &mut Document<'_>) -> Self {
        let origin = doc.origin("admin.listen");
        let Switchable(listen) = doc.take("admin.listen").unwrap_or(Switchable(Some(ADMIN_LISTEN)));
        if listen.is_some_and(|listen| !listen.ip().is_loopback()) {
            let what = "`admin.listen` must be a loopback address, because the door has no TLS";
            doc.fault(origin, what);
        }
        Self { listen, signing_key: doc.take_path("admin.signing_key") }
    }
}

impl Keys {
    fn read(doc: &mut Document<'_>) -> Self {
        Self {
            trusted: doc.take_path("keys.trusted").unwrap_or_else(|| doc.resolve("keys/trusted")),
            signing: doc.take_path("keys.signing"),
        }
    }
}

impl LedgerConfig {
    fn read(doc: &mut Document<'_>) -> Self {
        Self { dir: doc.take_path("ledger.dir").unwrap_or_else(|| doc.resolve("ledger")) }
    }
}

/// Tells which file to read.
fn find(explicit: Option<&Path>, environment: &Environment) -> Result<PathBuf, ConfigError> {
    if let Some(named) = explicit {
        return Ok(named.to_owned());
    }
    if let Some(named) = environment.get("JETON_CONFIG") {
        return Ok(named.into());
    }
    // A file that exists but cannot be reached must be complained about, not
    // passed over, so a failed look counts as one that exists.
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

    /// [`EXAMPLE`] with every key in force that is only shown in it.
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
    fn the_example_parses_to_the_defaults() {
        let (example, faults) = parse(EXAMPLE);
        assert_eq!(faults, [""; 0]);
        assert_eq!(example, parse("").0);
    }

    /// Every key is asked for, so every key is in the list that a fault names.
    #[test]
    fn the_example_has_every_key() {
        let table: toml::Table = toml::from_str(&example_in_full()).unwrap();
        let environment = Environment::default();
        let mut doc = Document::read("", &environment, Path::new(""));
        Config::read(&mut doc, Path::new(""));
        let asked: BTreeSet<String> = doc.asked().map(str::to_owned).collect();
        assert_eq!(keys(&table, ""), asked);
    }

    #[test]
    fn relative_paths_start_at_the_folder_of_the_file() {
        let (config, _) = parse("[keys]\ntrusted = \"here\"\nsigning = \"/there\"");
        assert_eq!(config.keys.trusted, Path::new("/etc/jeton/here"));
        assert_eq!(config.keys.signing.as_deref(), Some(Path::new("/there")));
        assert_eq!(config.ledger.dir, Path::new("/etc/jeton/ledger"));
    }

    #[test]
    fn a_minters_file_is_short() {
        let (config, faults) =
            parse("public_url = \"https://vpn.example.com\"\n[keys]\nsigning = \"k.pem\"");
        assert_eq!(faults, [""; 0]);
        assert_eq!(config.public_url.unwrap().host(), "vpn.example.com");
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
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
                "line 2: `profiles.root` is missing, this source needs it",
            ),
            (
                "[profiles]\nsource = \"directory\"\nroot = \"r\"\npki = \"p\"",
                "line 4: `profiles.pki` means nothing with source \"directory\"",
            ),
            (
                "[profiles]\nroot = \"r\"",
                "line 2: `profiles.root` means nothing without `profiles.source`",
            ),
            (
                "[profiles]\nsource = \"ldap\"",
                "line 2: `profiles.source` must be \"easy-rsa\" or \"directory\", not \"ldap\"",
            ),
            ("[profiles]\nsource = 7", "line 2: `profiles.source` must be a text in quotes"),
            (
                "[limits]\nconnections = 0",
                "line 2: `limits.connections` must be a number from 1 to 4294967295",
            ),
        ] {
            assert_eq!(parse(text).1, [fault], "{text}");
        }
    }

    #[test]
    fn a_control_channel_has_one_key() {
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
    fn the_door_for_operators_can_be_shut() {
        assert_eq!(parse("").0.admin.listen, Some(ADMIN_LISTEN));
        assert_eq!(parse("[admin]\nlisten = \"off\"").0.admin.listen, None);
    }

    #[test]
    fn a_node_mints_only_where_the_file_says_so() {
        let text = "[keys]\nsigning = \"keys/signing\"";
        assert_eq!(parse(text).0.admin.signing_key, None);
        let text = "[admin]\nsigning_key = \"keys/mine.pem\"";
        let key = parse(text).0.admin.signing_key;
        assert_eq!(key.as_deref(), Some(Path::new("/etc/jeton/keys/mine.pem")));
    }

    #[test]
    fn a_named_file_comes_before_the_variable() {
        let variables = [("JETON_CONFIG".into(), "/from/variable".into())];
        let environment = Environment::from_variables(variables);
        let named = Path::new("/from/flag");
        assert_eq!(find(Some(named), &environment).unwrap(), named);
        assert_eq!(find(None, &environment).unwrap(), Path::new("/from/variable"));
    }
}
