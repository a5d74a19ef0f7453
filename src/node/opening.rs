//! The parts of a node, each opened or refused with a hint what to do about it.
//! Nothing is made or changed here but the listeners.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use super::source;
use crate::activity::AuditError;
use crate::config::Config;
use crate::failure::Failure;
use crate::keyring::{Keyring, KeyringError, SigningKeys};
use crate::ledger::log::LogError;
use crate::ledger::raft::{IdentityError, OpenError};
use crate::profile::ProfileSource;
use crate::tls::ReloadingCertificate;
use crate::token::KeyPurpose;

/// Reads the trusted keys; without one for profiles there is nothing to do.
pub(super) fn trusted_keys(config: &Config) -> Result<Keyring, Failure> {
    let keys = Keyring::load(&config.keys.trusted)
        .map_err(|error| Failure::new(&error, "`jeton config check` tells all that is wrong"))?;
    if !keys.has(KeyPurpose::Profile) {
        return Err(Failure::say(
            format!("{} trusts no key for profiles", config.keys.trusted.display()),
            "make one with `jeton key new`, or copy a public key into its folder `profile`",
        ));
    }
    Ok(keys)
}

/// Refuses to serve beside private keys that others can read. A node needs none,
/// so that there are none is no fault; what is wrong with them otherwise is found
/// by whoever signs.
pub(super) fn refuse_open_keys(config: &Config) -> Result<(), Failure> {
    let Some(folder) = config.keys.signing.as_deref().filter(|folder| folder.exists()) else {
        return Ok(());
    };
    match SigningKeys::load(folder, None) {
        Err(error @ (KeyringError::Exposed { .. } | KeyringError::Writable { .. })) => {
            Err(Failure::new(&error, "whoever read it may have copied it: make a new key"))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Opens the source of profiles that is configured.
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

/// Says what to do about an audit log that cannot be used.
pub(super) fn explain_audit_log(error: &AuditError) -> Failure {
    let hint = match error {
        AuditError::Exposed { .. } => "it has names and addresses in it: chmod go= on that file",
        AuditError::Io { .. } | AuditError::Thread(_) => "set another `log.audit`, or none",
    };
    Failure::new(error, hint)
}

/// Listens at `address`, which `key` in the config names.
pub(super) fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| {
        let hint = if error.kind() == io::ErrorKind::AddrInUse {
            format!("another program listens there; stop it, or set another `{key}`")
        } else {
            format!("set another `{key}`, or allow this one")
        };
        Failure::say(format!("cannot listen on {address}: {error}"), hint)
    })
}

/// What to do about a ledger that others than its owner can read.
pub(crate) const CLOSE_TO_OTHERS: &str = "close it to others: chmod -R go= on that folder";

/// What to do about a ledger that is not where it counted last.
const COPIED: &str = "an older copy: move it aside and `jeton ledger restore` it; of a \
     cluster that goes on without it: join anew, in a fresh folder. If it was moved whole, and is \
     the newest: `jeton ledger moved --is-newest`";

/// What to do about a ledger of which nothing tells whether it is a copy.
const NO_PLACE: &str = "if it was neither copied nor put back, or is the newest and no node serves \
     another: `jeton ledger moved --is-newest` writes that file anew. If not, or in doubt, move it \
     aside and `jeton ledger restore` it; of a cluster that goes on without it: join anew, in a \
     fresh folder";

/// Says what to do about a ledger that does not open.
pub(crate) fn explain_ledger(error: &OpenError) -> Failure {
    let is_missing = matches!(error, OpenError::Identity(IdentityError::Missing(_)));
    let is_mixed = matches!(error, OpenError::Log { source: LogError::OtherLedger { .. }, .. });
    let is_locked = matches!(error, OpenError::Log { source: LogError::Locked, .. });
    let hint = if is_missing {
        "a new node is made by `jeton init`; if this ledger was lost, `jeton ledger restore` makes \
         one of a backup, and `jeton ledger new` an empty one. Both refuse all older links"
    } else if is_locked {
        "another `jeton serve` has it; a ledger is served by one process"
    } else if is_mixed {
        "identity.toml and the log are of two ledgers: bring back the one that belongs to the \
         other, and copy nothing between ledgers. To join a cluster, make a fresh folder by `jeton \
         cluster join`"
    } else if matches!(error, OpenError::Permissions(_)) {
        CLOSE_TO_OTHERS
    } else if matches!(error, OpenError::Copied(_)) {
        COPIED
    } else if matches!(error, OpenError::CloneGuard(_)) {
        NO_PLACE
    } else {
        "keep the folder as it is for whoever looks into it; once it is moved away, `jeton ledger \
         restore` makes one of a backup, and `jeton ledger new` an empty one. Both refuse all older \
         links. A member of a cluster joins anew instead"
    };
    Failure::new(error, hint)
}
