//! Reloads keys, profiles and the certificate while a node runs. If a new version is bad, the old
//! one stays in use and the log says why.

use std::io;
use std::sync::Arc;

use super::{Services, minter, opening};
use crate::keyring::Keyring;
use crate::plain_text::error_chain;

impl Services {
    /// Watches the certificate, renews the node certificate, and reloads everything each time
    /// `reload` completes. Never returns.
    pub(super) async fn keep_up_to_date(&self, mut reload: impl AsyncFnMut()) -> io::Result<()> {
        let watching = async {
            match &self.certificate {
                Some(certificate) => Arc::clone(certificate).watch().await,
                None => std::future::pending().await,
            }
        };
        let renewing = async {
            match &self.link {
                Some(link) => link.keep_fresh().await,
                None => std::future::pending().await,
            }
        };
        let reloading = async {
            loop {
                reload().await;
                self.reload();
            }
        };
        tokio::join!(watching, renewing, reloading);
        Ok(())
    }

    fn reload(&self) {
        match opening::trusted_keys(&self.config) {
            Ok(keys) => {
                self.reload_minter(&keys);
                tracing::info!(keys = keys.len(), "trusted keys reloaded");
                self.redeemer.replace_keys(keys);
            }
            Err(failure) => {
                let error = failure.reason();
                tracing::error!(error, "new keys rejected, the old ones stay in use");
            }
        }
        match opening::profiles(&self.config) {
            Ok(profiles) => {
                tracing::info!("profiles reloaded");
                self.redeemer.replace_profiles(profiles);
            }
            Err(failure) => {
                let error = failure.reason();
                tracing::error!(error, "new profiles rejected, the old ones stay in use");
            }
        }
        self.log.activity.reopen_audit_log();
        if let Some(Err(error)) = self.certificate.as_ref().map(|pair| pair.reload()) {
            let error = error_chain(&error);
            tracing::error!(error, "new certificate rejected, the old one stays in use");
        }
    }

    /// Reloads the signing key, if it is good and `trusted`. An old key that is no longer trusted
    /// stays as well, but its tokens are rejected before they leave the node.
    fn reload_minter(&self, trusted: &Keyring) {
        match minter::open(&self.config, trusted, &self.public_url) {
            Ok(None) => {}
            Ok(Some(minter)) => {
                tracing::info!(key_id = %minter.key_id(), "signing key reloaded");
                self.admin_door.mint_with(minter);
            }
            Err(failure) => {
                let error = failure.reason();
                tracing::error!(error, "new signing key rejected, the old one stays in use");
            }
        }
    }
}
