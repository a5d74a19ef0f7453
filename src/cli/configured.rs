//! The config, for commands that may or must look into it.

use std::cell::OnceCell;
use std::net::SocketAddr;
use std::path::Path;

use crate::cli::client::reachable::reachable;
use crate::cli::global::Global;
use crate::config::{Config, Keys};
use crate::failure::Failure;
use crate::token::KeyPurpose;

/// Returns the folder where private keys are made and retired.
pub(crate) fn signing_folder(keys: &Keys) -> Result<&Path, Failure> {
    let hint = "set `signing` under [keys], on machines that mint and nowhere else";
    keys.signing.as_deref().ok_or_else(|| no_folder(hint))
}

/// Returns the folder of the private keys, of which one for `purpose` is to sign.
pub(crate) fn folder_to_sign_with(keys: &Keys, purpose: KeyPurpose) -> Result<&Path, Failure> {
    keys.signing.as_deref().ok_or_else(|| no_folder(&no_key_here(purpose)))
}

fn no_folder(hint: &str) -> Failure {
    Failure::say("the config names no folder of signing keys", hint)
}

/// Says what to do where no key is to sign with, as on a node that joined others.
fn no_key_here(purpose: KeyPurpose) -> String {
    let instead = match purpose {
        KeyPurpose::Profile => {
            "the key that mints stays on the machine that mints, and its links are good at every \
             node: mint there"
        }
        KeyPurpose::Admin => {
            "this needs an admin key: do it on a machine that has one, and all nodes of a cluster \
             know of it"
        }
    };
    format!(
        "{instead}. To do it here, copy {purpose}-*.pem (mode 0600) from keys/signing there into a \
         folder (mode 0700), and set `signing` under [keys] to that"
    )
}

/// Returns where the operators' door is reached from this machine.
pub(crate) fn admin_address(config: &Config) -> Result<SocketAddr, Failure> {
    config.admin.listen.map(reachable).ok_or_else(|| {
        Failure::say(
            "the config names no address of an operators' door",
            "set `listen` under [admin], for instance \"127.0.0.1:8444\", and restart `jeton \
             serve`",
        )
    })
}

/// The config, not loaded before someone asks for it.
pub(crate) struct WhenNeeded<'a> {
    global: &'a Global,
    config: OnceCell<Config>,
}

impl<'a> WhenNeeded<'a> {
    /// Remembers where the config would be.
    pub(crate) const fn new(global: &'a Global) -> Self {
        Self { global, config: OnceCell::new() }
    }

    /// Loads the config, once.
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
    fn where_no_key_is_it_is_said_which_one_belongs_there_or_that_none_does() {
        let keys = Keys { trusted: "trusted".into(), signing: None };
        let hint = |purpose| folder_to_sign_with(&keys, purpose).unwrap_err().hint().to_owned();
        let mints = hint(KeyPurpose::Profile);
        assert!(mints.contains("mint there") && mints.contains("profile-*.pem"), "{mints}");
        let administers = hint(KeyPurpose::Admin);
        assert!(administers.contains("copy admin-*.pem"), "{administers}");
    }
}
