//! The config, for commands that may or must look into it.

use std::cell::OnceCell;
use std::net::SocketAddr;
use std::path::Path;

use crate::cli::client::reachable::reachable;
use crate::cli::failure::Failure;
use crate::cli::global::Global;
use crate::config::{Config, Keys};

/// Returns the folder of the private keys.
pub(crate) fn signing_folder(keys: &Keys) -> Result<&Path, Failure> {
    keys.signing.as_deref().ok_or_else(|| {
        Failure::say(
            "the config names no folder of signing keys",
            "set `signing` under [keys], on machines that mint and nowhere else",
        )
    })
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
