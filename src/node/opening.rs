//! Opens the parts of a node. Only the listeners have an effect outside of the process.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use super::source;
use crate::config::Config;
use crate::failure::Failure;
use crate::keyring::{Keyring, KeyringError, SigningKeys};
use crate::ledger::log::LogError;
use crate::ledger::raft::{IdentityError, OpenError};
use crate::profile::ProfileSource;
use crate::tls::ReloadingCertificate;
use crate::token::KeyPurpose;

/// Reads the trusted keys. At least one for profiles is required.
pub(super) fn trusted_keys(config: &Config) -> Result<Keyring, Failure> {
    let keys = Keyring::load(&config.keys.trusted)
        .map_err(|error| Failure::new(&error, "`jeton config check` lists every problem"))?;
    if !keys.has(KeyPurpose::Profile) {
        return Err(Failure::say(
            format!("{} has no key for profiles", config.keys.trusted.display()),
            "create one with `jeton key new`, or copy a public key into its directory `profile`",
        ));
    }
    Ok(keys)
}

/// Rejects private keys that other users can read. A node needs no private keys, so it ignores
/// every other error in them; commands that sign report those.
pub(super) fn check_signing_keys(config: &Config) -> Result<(), Failure> {
    let Some(dir) = config.keys.signing.as_deref().filter(|dir| dir.exists()) else {
        return Ok(());
    };
    match SigningKeys::load(dir, None) {
        Err(error @ (KeyringError::Exposed { .. } | KeyringError::Writable { .. })) => {
            Err(Failure::new(&error, "another user may have copied it: create a new key"))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Opens the configured source of profiles.
pub(super) fn profiles(config: &Config) -> Result<Box<dyn ProfileSource>, Failure> {
    let profiles = config.profiles.as_ref().ok_or_else(|| config.missing("profiles.source"))?;
    source::open(profiles)
        .map_err(|error| Failure::new(&error, "correct [profiles] in the configuration"))
}

/// Reads the certificate of the public door; `None` if it has no TLS.
pub(super) fn certificate(config: &Config) -> Result<Option<Arc<ReloadingCertificate>>, Failure> {
    let public = &config.public;
    if public.plain_http {
        return Ok(None);
    }
    let chain = public.tls_cert.as_ref();
    let chain = chain.ok_or_else(|| config.missing("public.tls_cert"))?;
    let key = public.tls_key.as_ref();
    let key = key.ok_or_else(|| config.missing("public.tls_key"))?;
    let certificate = ReloadingCertificate::load(chain, key).map_err(|error| {
        Failure::new(&error, "correct public.tls_cert and public.tls_key, or the files they name")
    })?;
    Ok(Some(Arc::new(certificate)))
}

/// Binds a listener to `address`, the value of the setting `key`.
pub(super) fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| {
        let hint = if error.kind() == io::ErrorKind::AddrInUse {
            format!("another program listens there; stop it, or change `{key}`")
        } else {
            format!("change `{key}`, or let this user listen there")
        };
        Failure::say(format!("cannot listen on {address}: {error}"), hint)
    })
}

/// The hint for a ledger that other users can read.
pub(crate) const CLOSE_TO_OTHERS: &str =
    "remove the access of other users: chmod -R go= on that directory";

/// The hint for a ledger that is not the directory that it was written in.
const COPIED: &str = "if it is an older copy: move it aside and run `jeton ledger restore` on it, or, \
     if its cluster still runs, join again with a new directory. If the directory was moved as a \
     whole and is the newest: `jeton ledger moved --is-newest`";

/// The hint for a ledger that may be a copy.
const UNGUARDED: &str = "if it was neither copied nor restored, or if it is the newest and no node \
     serves another copy: `jeton ledger moved --is-newest` writes that file again. Otherwise, or if \
     in doubt: move it aside and run `jeton ledger restore` on it, or, if its cluster still runs, join \
     again with a new directory";

/// Adds a hint to an error of opening the ledger.
pub(crate) fn explain_ledger(error: &OpenError) -> Failure {
    let hint = if matches!(error, OpenError::Identity(IdentityError::Missing(_))) {
        "`jeton init` creates a new node. If this ledger was lost, `jeton ledger restore` creates \
         one from a backup, and `jeton ledger new` an empty one. Both refuse all older links"
    } else if matches!(error, OpenError::Log { source: LogError::Locked, .. }) {
        "another `jeton serve` uses it; only one process can serve a ledger"
    } else if matches!(error, OpenError::Log { source: LogError::OtherLedger { .. }, .. }) {
        "identity.toml and the log belong to two ledgers: restore the one that was replaced, and \
         never copy files between ledgers. To join a cluster, run `jeton cluster join`, which \
         creates a new directory"
    } else if matches!(error, OpenError::Permissions(_)) {
        CLOSE_TO_OTHERS
    } else if matches!(error, OpenError::Copied(_)) {
        COPIED
    } else if matches!(error, OpenError::CloneGuard(_)) {
        UNGUARDED
    } else {
        "keep the directory for analysis: move it away. Then `jeton ledger restore` creates one from \
         a backup, and `jeton ledger new` an empty one. Both refuse all older links. A member of a \
         cluster joins again instead"
    };
    Failure::new(error, hint)
}
