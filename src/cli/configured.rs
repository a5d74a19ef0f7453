//! The configuration as commands use it.

use std::cell::OnceCell;
use std::net::SocketAddr;
use std::path::Path;

use crate::cli::client::reachable::reachable;
use crate::cli::global::Global;
use crate::config::{Config, Keys};
use crate::failure::Failure;
use crate::token::KeyPurpose;

/// Returns the directory where private keys are created and retired.
pub(crate) fn signing_dir(keys: &Keys) -> Result<&Path, Failure> {
    let hint = "set `signing` in [keys], on machines that mint and nowhere else";
    keys.signing.as_deref().ok_or_else(|| no_dir(hint))
}

/// Returns the directory of the private keys, to sign with a key for `purpose`.
pub(crate) fn dir_to_sign_with(keys: &Keys, purpose: KeyPurpose) -> Result<&Path, Failure> {
    keys.signing.as_deref().ok_or_else(|| no_dir(&no_key_here(purpose)))
}

fn no_dir(hint: &str) -> Failure {
    Failure::say("`keys.signing` is not set: there are no private keys on this machine", hint)
}

/// Returns the hint for a machine without private keys, such as a node that joined a cluster.
fn no_key_here(purpose: KeyPurpose) -> String {
    let instead = match purpose {
        KeyPurpose::Profile => {
            "mint on the machine that has the profile key; its links work at every node"
        }
        KeyPurpose::Admin => {
            "run this on a machine that has an admin key; a change applies to all nodes of a cluster"
        }
    };
    format!(
        "{instead}. To do it here, copy {purpose}-*.pem (mode 0600) from keys/signing there into a \
         directory (mode 0700), and set `signing` in [keys] to that directory"
    )
}

/// Returns the address of the admin door, as seen from this machine.
pub(crate) fn admin_address(config: &Config) -> Result<SocketAddr, Failure> {
    config.admin.listen.map(reachable).ok_or_else(|| {
        Failure::say(
            "the admin door is off",
            "set `listen` in [admin], for instance to \"127.0.0.1:8444\", and restart `jeton serve`",
        )
    })
}

/// The configuration, loaded on first use.
pub(crate) struct LazyConfig<'a> {
    global: &'a Global,
    config: OnceCell<Config>,
}

impl<'a> LazyConfig<'a> {
    pub(crate) const fn new(global: &'a Global) -> Self {
        Self { global, config: OnceCell::new() }
    }

    /// Loads the configuration, once.
    pub(crate) fn get(&self) -> Result<&Config, Failure> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let config = self.global.load()?;
        Ok(self.config.get_or_init(|| config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_about_a_missing_key_depends_on_its_purpose() {
        let keys = Keys { trusted: "trusted".into(), signing: None };
        let hint = |purpose| dir_to_sign_with(&keys, purpose).unwrap_err().hint().to_owned();
        let profile = hint(KeyPurpose::Profile);
        assert!(profile.contains("mint on the machine") && profile.contains("profile-*.pem"));
        let admin = hint(KeyPurpose::Admin);
        assert!(admin.contains("copy admin-*.pem"), "{admin}");
    }
}
