//! Checks a configuration: required settings, and the files that settings name. It changes nothing.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::ValueEnum;

use super::tls;
use crate::clock::Clock;
use crate::cluster::Authority;
use crate::config::{Config, ConfigFault, ProfilesConfig, Public};
use crate::keyring::{self, KeyFileError, Keyring, KeyringError, SigningKeys};
use crate::ledger::raft::{self, Identity, IdentityError};
use crate::node::{audit_target, opening, source};
use crate::plain_text::error_chain;
use crate::token::{KeyPurpose, TrustedKeys as _, UnixSeconds};

/// All permissions of users other than the owner.
const OTHERS: u32 = 0o077;

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Use {
    /// `jeton serve`
    Serve,
    /// `jeton mint`, without a node
    Mint,
}

/// Returns the faults of `config` for a use, without those that were `found` when it was loaded.
pub(super) fn faults(
    config: &Config,
    found: &[ConfigFault],
    wanted: Use,
    clock: &dyn Clock,
) -> Vec<String> {
    let mut faults: Vec<String> = needs(config, wanted, found)
        .into_iter()
        .filter(|need| !need.is_set && !found.iter().any(|fault| fault.is_about(need.key)))
        .map(|need| format!("`{}` is missing: {}", need.key, need.reason))
        .collect();
    if wanted == Use::Serve {
        faults.extend(listeners(config));
        faults.extend(certificate(config, clock));
        faults.extend(trusted(&config.keys.trusted));
        faults.extend(minter(config));
        faults.extend(config.profiles.iter().flat_map(|source| profiles(source, clock.now())));
        faults.extend(ledger(&config.ledger.dir));
        faults.extend(cluster(config));
        faults.extend(audit(config));
    }
    if let Some(signing) = &config.keys.signing {
        faults.extend(private(signing));
    }
    faults
}

/// A key without a default that a use requires.
struct Need {
    is_set: bool,
    key: &'static str,
    reason: &'static str,
}

fn needs(config: &Config, wanted: Use, found: &[ConfigFault]) -> Vec<Need> {
    let need = |is_set, key, reason| Need { is_set, key, reason };
    let public_url = need(config.public_url.is_some(), "public_url", "every link begins with it");
    let Public { tls_cert, tls_key, plain_http, .. } = &config.public;
    let profiles = config.profiles.is_some() || found.iter().any(ConfigFault::is_about_profiles);
    let tls = "behind a proxy that terminates TLS, set `public.plain_http` instead";
    match wanted {
        Use::Mint => {
            let signing = config.keys.signing.is_some();
            vec![public_url, need(signing, "keys.signing", "minting needs a private key")]
        }
        Use::Serve => vec![
            public_url,
            need(*plain_http || tls_cert.is_some(), "public.tls_cert", tls),
            need(*plain_http || tls_key.is_some(), "public.tls_key", tls),
            need(profiles, "profiles.source", "profiles come from easy-rsa or from a directory"),
        ],
    }
}

fn listeners(config: &Config) -> Option<String> {
    let admin = config.admin.listen?;
    let public = config.public.listen;
    let is_same = admin.port() == public.port()
        && (admin.ip() == public.ip() || public.ip().is_unspecified());
    is_same.then(|| format!("`admin.listen` and `public.listen` both use port {}", public.port()))
}

fn certificate(config: &Config, clock: &dyn Clock) -> Vec<String> {
    let Public { tls_cert, tls_key, trusted_proxies, .. } = &config.public;
    let (Some(cert), Some(key)) = (tls_cert, tls_key) else {
        return Vec::new();
    };
    let mut faults = tls::faults(cert, key, clock.now());
    // Behind a proxy, clients see the proxy's certificate.
    let url = config.public_url.as_ref().filter(|_| trusted_proxies.is_empty());
    faults.extend(url.and_then(|url| tls::name_fault(cert, url.host())));
    faults.extend(exposed("public.tls_key", key));
    faults
}

fn trusted(dir: &Path) -> Option<String> {
    match Keyring::load(dir) {
        Ok(keys) if keys.has(KeyPurpose::Profile) => None,
        Ok(_) => Some(format!(
            "`keys.trusted`: {} has no key for profiles, so every link would be refused",
            dir.display()
        )),
        Err(error) => Some(format!("`keys.trusted`: {}", error_chain(&error))),
    }
}

/// Returns the fault of the key that this node mints with. An encrypted key is opened only when the
/// node starts.
fn minter(config: &Config) -> Option<String> {
    let path = config.admin.signing_key.as_deref()?;
    let key = match keyring::read_private(path, None) {
        Ok(key) => key,
        Err(KeyringError::File { source: KeyFileError::PassphraseNeeded, .. }) => return None,
        Err(error) => {
            let why = error_chain(&error);
            return Some(format!("`admin.signing_key`: {why}: {}", minter_hint(&error)));
        }
    };
    let id = key.verifying_key().id();
    // `trusted` reports faults of the trusted keys.
    let trusted = Keyring::load(&config.keys.trusted).ok()?;
    let path = path.display();
    match trusted.find(id).map(|known| known.purpose) {
        Some(KeyPurpose::Profile) => None,
        Some(other) => Some(format!(
            "`admin.signing_key`: {path} is the key {id} for {other} tokens, but a node mints with a \
             profile key: `jeton key list` lists the keys, `jeton key new --purpose profile` creates \
             one"
        )),
        None => Some(format!(
            "`admin.signing_key`: {path} is the key {id}, which is not trusted for profiles: copy its \
             public half into the directory `profile` of `keys.trusted`, or name another key"
        )),
    }
}

fn minter_hint(error: &KeyringError) -> &'static str {
    let kind = if let KeyringError::Io { source, .. } = error { Some(source.kind()) } else { None };
    if kind == Some(ErrorKind::NotFound) {
        "name a signing key for profiles from `jeton key list`, or remove the setting if this node \
         should not mint"
    } else if kind == Some(ErrorKind::PermissionDenied) {
        "it must belong to the user that runs the node"
    } else {
        "name the private half of a profile key; only its owner may be able to read it"
    }
}

fn private(dir: &Path) -> Option<String> {
    match SigningKeys::load(dir, None) {
        Ok(_) => exposed("keys.signing", dir),
        // The commands that sign need the passphrase; this one does not.
        Err(KeyringError::File { source: KeyFileError::PassphraseNeeded, .. }) => None,
        Err(error) => Some(format!("`keys.signing`: {}", error_chain(&error))),
    }
}

fn profiles(profiles: &ProfilesConfig, now: UnixSeconds) -> Vec<String> {
    let faults = source::check(profiles, now);
    faults.iter().map(|error| format!("`profiles`: {}", error_chain(error))).collect()
}

fn ledger(dir: &Path) -> Option<String> {
    match Identity::read(dir) {
        Ok(_) => exposed("ledger.dir", dir).or_else(|| copied(dir)),
        Err(error @ IdentityError::Missing(_)) => Some(format!(
            "`ledger.dir`: {error}; create one with `jeton init`, or with `jeton ledger new` if the \
             keys have minted before"
        )),
        Err(error) => Some(format!("`ledger.dir`: {}", error_chain(&error))),
    }
}

fn copied(dir: &Path) -> Option<String> {
    let error = raft::check_clone_guard(dir).err()?;
    let failure = opening::explain_ledger(&error);
    Some(format!("`ledger.dir`: {}: {}", failure.reason(), failure.hint()))
}

/// Returns the fault of the cluster door. The authority may be missing: a single node creates it
/// when it first listens.
fn cluster(config: &Config) -> Option<String> {
    let listen = config.cluster.listener.as_ref()?.listen;
    let others = [Some(config.public.listen), config.admin.listen];
    if others.into_iter().flatten().any(|other| other.port() == listen.port()) {
        return Some(format!("`cluster.listen`: another door uses port {}", listen.port()));
    }
    // `ledger` reports faults of the identity.
    let identity = Identity::read(&config.ledger.dir).ok()?;
    let read = Authority::read(&config.ledger.dir, identity.ledger_id);
    read.err().map(|error| format!("`cluster`: {}", error_chain(&error)))
}

fn audit(config: &Config) -> Option<String> {
    let failure = audit_target::check(config).err()?;
    Some(format!("`log.audit`: {}: {}", failure.reason(), failure.hint()))
}

/// Returns a fault if other users have access to `path`. The functions that open the file report a
/// missing one.
fn exposed(key: &str, path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let path = path.display();
    (mode & OTHERS != 0).then(|| {
        format!("`{key}`: other users can access {path} (mode {mode:03o}): chmod go= {path}")
    })
}
