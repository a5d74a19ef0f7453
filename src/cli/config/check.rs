//! What is wrong with a configuration beyond its words: what is not set, and
//! what the files it names are like. It reads only.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::super::seams;
use super::{Use, tls};
use crate::clock::Clock;
use crate::config::{Config, Fault, Public};

/// Read, write or search, for anyone but the owner.
const OTHERS: u32 = 0o077;

/// Returns the faults of `config` where it is wanted for that use. `read` are
/// those that were found when it was read.
pub(super) fn faults(
    config: &Config,
    read: &[Fault],
    wanted: Use,
    clock: &dyn Clock,
) -> Vec<String> {
    let mut faults: Vec<String> = needs(config, wanted, read)
        .into_iter()
        .filter(|need| !need.is_set && !read.iter().any(|fault| fault.is_about(need.key)))
        .map(|need| format!("`{}` is missing: {}", need.key, need.reason))
        .collect();
    if wanted == Use::Serve {
        faults.extend(listeners(config));
        faults.extend(certificate(config, clock));
        faults.extend(seams::trusted_faults(&config.keys.trusted));
        faults.extend(config.profiles.iter().flat_map(seams::profile_faults));
        faults.extend(ledger(&config.ledger.dir));
    }
    if let Some(signing) = &config.keys.signing {
        faults.extend(seams::signing_faults(signing));
        faults.extend(exposed("keys.signing", signing));
    }
    faults
}

/// A key without a default that a use cannot do without.
struct Need {
    is_set: bool,
    key: &'static str,
    reason: &'static str,
}

fn needs(config: &Config, wanted: Use, read: &[Fault]) -> Vec<Need> {
    let need = |is_set, key, reason| Need { is_set, key, reason };
    let public_url = need(config.public_url.is_some(), "public_url", "it stands in every link");
    let Public { tls_cert, tls_key, plain_http, .. } = &config.public;
    let profiles = config.profiles.is_some() || read.iter().any(Fault::is_about_profiles);
    let tls = "behind a proxy that has TLS, set `public.plain_http`";
    match wanted {
        Use::Mint => {
            let signing = config.keys.signing.is_some();
            vec![public_url, need(signing, "keys.signing", "minting needs a private key")]
        }
        Use::Serve => vec![
            public_url,
            need(*plain_http || tls_cert.is_some(), "public.tls_cert", tls),
            need(*plain_http || tls_key.is_some(), "public.tls_key", tls),
            need(profiles, "profiles.source", "where do profiles come from?"),
        ],
    }
}

fn listeners(config: &Config) -> Option<String> {
    let admin = config.admin.listen?;
    let public = config.public.listen;
    let is_same = admin.port() == public.port()
        && (admin.ip() == public.ip() || public.ip().is_unspecified());
    is_same
        .then(|| format!("`admin.listen` and `public.listen` are both on port {}", public.port()))
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

fn ledger(dir: &Path) -> Option<String> {
    let path = dir.display();
    match seams::ledger_exists(dir) {
        Ok(true) => exposed("ledger.dir", dir),
        Ok(false) => Some(format!(
            "`ledger.dir`: there is no ledger in {path}; make one with `jeton init`, or with \
             `jeton ledger new` for keys that have minted before"
        )),
        Err(error) => Some(format!("`ledger.dir`: cannot read {path}: {error}")),
    }
}

/// Says if others than its owner may look at `path`. What cannot be read at all
/// is another's fault to tell.
fn exposed(key: &str, path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let path = path.display();
    (mode & OTHERS != 0)
        .then(|| format!("`{key}`: others may read {path} (mode {mode:03o}): chmod go= {path}"))
}
