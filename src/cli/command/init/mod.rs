//! `jeton init`: creates everything that a node needs, or nothing.

pub(super) mod certificate;
mod demo_openvpn;
mod demo_pki;
pub(super) mod staging;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use zeroize::Zeroizing;

use crate::cli::command::ledger::creation;
use crate::cli::global::Global;
use crate::cli::terminal::output;
use crate::clock::{Clock, SystemClock};
use crate::config::ADMIN_LISTEN;
use crate::failure::Failure;
use crate::keyring;
use crate::random;
use crate::token::url::PublicUrl;
use crate::token::{KeyId, KeyPurpose, SigningKey};
use staging::Staging;

/// The port of a public URL without one.
const HTTPS_PORT: u16 = 443;

const EXAMPLES: &str = "\
Examples:
  jeton init --public-url https://vpn.example.com
                                     in the current directory
  jeton init --dir /etc/jeton --public-url https://vpn.example.com:8443
  jeton init                         to try it on this machine: https://localhost:8443
  jeton init --demo --dir demo       with a small OpenVPN PKI

This creates jeton.toml, keys/trusted, keys/signing, ledger and tls. Anyone who has the
profile-*.pem in keys/signing can mint. A node that only serves links does not need it, so
move it to the machine that mints.";

/// Create keys, ledger, certificate and jeton.toml
///
/// This creates everything or, if it fails, nothing. It never changes an existing file. The
/// certificate is self-signed; replace it with one that your users' devices trust.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InitArgs {
    /// Directory of the node; created if it does not exist
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    dir: PathBuf,

    /// Origin of the links: https://HOST or https://HOST:PORT
    #[arg(long, value_name = "URL", env = "JETON_PUBLIC_URL", value_hint = ValueHint::Url)]
    #[arg(default_value = "https://localhost:8443")]
    public_url: PublicUrl,

    /// Create an OpenVPN PKI as well: a CA, a server, and the users alice, bob and carol
    #[arg(long)]
    demo: bool,
}

pub(crate) fn run(args: InitArgs, _: &Global) -> Result<(), Failure> {
    let plan = Plan {
        listen: listen(&args.public_url),
        admin: admin_beside(listen(&args.public_url)),
        public_url: args.public_url,
        demo: args.demo,
    };
    let keys = create(&args.dir, &plan, &SystemClock)?;
    output::show(&keys.paths(&args.dir))?;
    output::remark(&next_steps(&args.dir, &plan));
    Ok(())
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) public_url: PublicUrl,
    /// The address of the public door.
    pub(crate) listen: SocketAddr,
    /// The address of the admin door.
    pub(crate) admin: SocketAddr,
    /// Whether to create an OpenVPN PKI as well.
    pub(crate) demo: bool,
}

#[derive(Debug)]
pub(crate) struct CreatedKeys {
    pub(crate) profile_key: SigningKey,
    admin_key: KeyId,
}

/// Carries out `plan` in `dir`, completely or not at all.
pub(crate) fn create(dir: &Path, plan: &Plan, clock: &dyn Clock) -> Result<CreatedKeys, Failure> {
    let now = clock.now();
    let mut names = vec!["keys", "ledger", "tls"];
    if plan.demo {
        names.push("openvpn");
    }
    // jeton.toml is last, so that a directory with it is complete.
    names.push("jeton.toml");
    let staging = Staging::begin(dir, &names)?;
    let profile_key = write_key(&staging, KeyPurpose::Profile)?;
    let admin_key = write_key(&staging, KeyPurpose::Admin)?;
    creation::create(&staging.path("ledger"), now)?;
    certificate::write(&staging, &plan.public_url, now)?;
    if plan.demo {
        demo_pki::write(&staging, "openvpn/pki", now)?;
        demo_openvpn::write(&staging, "openvpn")?;
    }
    let profile_id = profile_key.verifying_key().id();
    staging.write("jeton.toml", 0o644, &jeton_toml(plan, profile_id))?;
    staging.publish(&names)?;
    Ok(CreatedKeys { admin_key: admin_key.verifying_key().id(), profile_key })
}

fn write_key(staging: &Staging, purpose: KeyPurpose) -> Result<SigningKey, Failure> {
    let seed = Zeroizing::new(random::bytes()?);
    let key = SigningKey::from_seed(&seed);
    let (trusted, signing) = (staging.path("keys/trusted"), staging.path("keys/signing"));
    keyring::write_new(&trusted, &signing, purpose, &key, None).map_err(|error| {
        Failure::new(&error, "nothing was created; check that the disk is not full")
    })?;
    Ok(key)
}

fn jeton_toml(plan: &Plan, profile_key: KeyId) -> String {
    let Plan { public_url, listen, admin, demo } = plan;
    let profiles = if *demo { DEMO_PROFILES } else { PROFILES };
    // A demo shows everything. Otherwise a node mints only if the operator enables it.
    let off = if *demo { "" } else { "#" };
    format!(
        "\
# Created by `jeton init`. `jeton config example` prints every key with its default.

public_url = \"{public_url}\"

[public]
listen = \"{listen}\"
# Self-signed, for the host above. Replace it with a certificate that your users'
# devices trust.
tls_cert = \"tls/cert.pem\"
tls_key = \"tls/key.pem\"

[admin]
listen = \"{admin}\"
# The key that this node mints with, for the web page and the API.
{off}signing_key = \"keys/signing/profile-{profile_key}.pem\"

[keys]
trusted = \"keys/trusted\"
# Anyone who has a profile-*.pem from this directory can mint: move it to the machine that
# mints. `jeton list`, `revoke` and `user` sign in with the admin-*.pem.
signing = \"keys/signing\"

{profiles}
[ledger]
dir = \"ledger\"

# To share the ledger with more nodes: `jeton cluster --help`.
#[cluster]
#listen = \"0.0.0.0:7443\"
#address = \"node1.example.com:7443\"

[log]
# The audit log: one JSON line for each delivered profile, refusal and operator change.
audit = \"audit.jsonl\"
"
    )
}

pub(super) const PROFILES: &str = "\
# Where profiles come from. Uncomment one of these two, and adjust it.
#[profiles]
#source = \"easy-rsa\"
#pki = \"/etc/openvpn/server/easy-rsa/pki\"
#template = \"/etc/openvpn/server/client-template.txt\"
#tls_crypt = \"/etc/openvpn/server/tls-crypt.key\"
#[profiles]
#source = \"directory\"
#root = \"/var/lib/jeton/profiles\"
";

const DEMO_PROFILES: &str = "\
[profiles]
source = \"easy-rsa\"
pki = \"openvpn/pki\"
template = \"openvpn/client-template.txt\"
tls_crypt = \"openvpn/tls-crypt.key\"
";

impl CreatedKeys {
    fn paths(&self, dir: &Path) -> String {
        let (profile, admin) = (self.profile_key.verifying_key().id(), self.admin_key);
        let names = [
            format!("keys/trusted/profile/{profile}.pem"),
            format!("keys/trusted/admin/{admin}.pem"),
            format!("keys/signing/profile-{profile}.pem"),
            format!("keys/signing/admin-{admin}.pem"),
            "ledger".to_owned(),
            "tls/cert.pem".to_owned(),
            "tls/key.pem".to_owned(),
            "jeton.toml".to_owned(),
        ];
        names.iter().map(|name| format!("{}\n", dir.join(name).display())).collect()
    }
}

fn next_steps(dir: &Path, plan: &Plan) -> String {
    let file = dir.join("jeton.toml");
    let named = config_option(dir);
    let mut steps = Vec::new();
    if !plan.demo {
        steps.push(format!("set [profiles] in {}", file.display()));
        steps.push(format!("jeton config check{named}"));
    }
    steps.push(format!("jeton serve{named}"));
    steps.push(format!("jeton mint{named} --user alice"));
    format!("\nNext:\n  {}", steps.join("\n  "))
}

/// Returns the option for the jeton.toml in `dir`: none for the current directory, where jeton.toml
/// is the default.
pub(super) fn config_option(dir: &Path) -> String {
    let file = dir.join("jeton.toml");
    if dir == Path::new(".") { String::new() } else { format!(" --config {}", file.display()) }
}

/// Returns the address to listen on for `url`: loopback if the host is, otherwise all addresses.
pub(super) fn listen(url: &PublicUrl) -> SocketAddr {
    let address = match url.host() {
        "localhost" => IpAddr::from(Ipv4Addr::LOCALHOST),
        host => match host.parse::<IpAddr>() {
            Ok(address) if address.is_loopback() => address,
            Ok(_) | Err(_) => Ipv4Addr::UNSPECIFIED.into(),
        },
    };
    SocketAddr::new(address, port(url))
}

/// Returns the address of the admin door: its default port, or the next one if the public door uses
/// that.
pub(super) fn admin_beside(public: SocketAddr) -> SocketAddr {
    let is_taken = public.port() == ADMIN_LISTEN.port();
    SocketAddr::new(ADMIN_LISTEN.ip(), ADMIN_LISTEN.port() + u16::from(is_taken))
}

/// Returns the port of `url`, which follows its last colon.
fn port(url: &PublicUrl) -> u16 {
    let url = url.to_string();
    url.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(HTTPS_PORT)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::{Config, Environment, ProfilesConfig};

    fn plan(url: &str, demo: bool) -> Plan {
        let public_url: PublicUrl = url.parse().unwrap();
        Plan { listen: listen(&public_url), admin: ADMIN_LISTEN, public_url, demo }
    }

    fn created(url: &str, demo: bool) -> (tempfile::TempDir, PathBuf, CreatedKeys) {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("new");
        let keys = create(&dir, &plan(url, demo), &SystemClock).unwrap();
        (temp, dir, keys)
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn writes_a_configuration_without_faults() {
        let (_temp, dir, _) = created("https://vpn.example.com", false);
        assert_eq!(names(&dir), ["jeton.toml", "keys", "ledger", "tls"]);
        let file = dir.join("jeton.toml");
        let (config, faults) = Config::examine(Some(&file), &Environment::default()).unwrap();
        assert_eq!(faults, []);
        assert_eq!(config.public.listen, "0.0.0.0:443".parse().unwrap());
        assert_eq!(config.public.tls_cert, Some(dir.join("tls/cert.pem")));
        assert_eq!(config.keys.signing, Some(dir.join("keys/signing")));
        assert_eq!(config.ledger.dir, dir.join("ledger"));
        assert_eq!(config.log.audit, Some(dir.join("audit.jsonl")));
        assert_eq!(config.profiles, None);
    }

    #[test]
    fn a_demo_sets_the_source_of_profiles() {
        let (_temp, dir, _) = created("https://localhost:8443", true);
        let file = dir.join("jeton.toml");
        let (config, faults) = Config::examine(Some(&file), &Environment::default()).unwrap();
        assert_eq!(faults, []);
        assert_eq!(config.public.listen, "127.0.0.1:8443".parse().unwrap());
        assert!(matches!(config.profiles, Some(ProfilesConfig::EasyRsa { .. })));
    }

    #[test]
    fn only_the_owner_can_read_secrets() {
        let (_temp, dir, keys) = created("https://localhost", true);
        let mode = |name: &str| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o7777;
        let key = format!("keys/signing/profile-{}.pem", keys.profile_key.verifying_key().id());
        for name in [&key, "tls/key.pem", "openvpn/pki/private/alice.key", "openvpn/tls-crypt.key"]
        {
            assert_eq!(mode(name), 0o600, "{name}");
        }
        for name in ["", "keys/signing", "ledger", "tls", "openvpn/pki/private"] {
            assert_eq!(mode(name), 0o700, "{name}");
        }
    }

    #[test]
    fn never_changes_what_exists() {
        for name in ["jeton.toml", "keys", "ledger", "tls"] {
            let temp = tempfile::tempdir().unwrap();
            fs::write(temp.path().join(name), "precious").unwrap();
            let failure =
                create(temp.path(), &plan("https://localhost", false), &SystemClock).unwrap_err();
            assert!(failure.to_string().contains("exists"), "{failure}");
            assert_eq!(names(temp.path()), [name]);
            assert_eq!(fs::read_to_string(temp.path().join(name)).unwrap(), "precious");
        }
    }

    #[test]
    fn the_port_of_the_url_is_the_port_to_listen_on() {
        for (url, address) in [
            ("https://vpn.example.com", "0.0.0.0:443"),
            ("https://vpn.example.com:8443", "0.0.0.0:8443"),
            ("https://localhost:8443", "127.0.0.1:8443"),
            ("https://[::1]", "[::1]:443"),
            ("https://[::1]:9", "[::1]:9"),
            ("https://192.0.2.1", "0.0.0.0:443"),
            ("https://[2001:db8::443]", "0.0.0.0:443"),
        ] {
            assert_eq!(listen(&url.parse().unwrap()), address.parse().unwrap(), "{url}");
        }
    }
}
