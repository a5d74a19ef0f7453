//! What a running node takes anew: keys, profiles and certificate, each only if
//! it is good. Otherwise the old one stays, and the log says why.

use std::io;
use std::sync::Arc;

use super::{Inside, minter, opening};
use crate::keyring::Keyring;
use crate::plain_text::error_chain;

impl Inside {
    /// Watches the certificate, and reads keys and profiles again when asked.
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

    /// Takes new keys, profiles and certificate, each only if it is good.
    fn reload(&self) {
        match opening::trusted_keys(&self.config) {
            Ok(keys) => {
                self.reload_minter(&keys);
                tracing::info!(keys = keys.len(), "trusted keys reloaded");
                self.operators.redeemer.replace_keys(keys);
            }
            Err(failure) => {
                let error = failure.reason();
                tracing::error!(error, "new keys refused, the old ones stay");
            }
        }
        match opening::profiles(&self.config) {
            Ok(profiles) => {
                tracing::info!("profiles reloaded");
                self.operators.redeemer.replace_profiles(profiles);
            }
            Err(failure) => {
                let error = failure.reason();
                tracing::error!(error, "new profiles refused, the old ones stay");
            }
        }
        self.operators.activity.reopen_audit_log();
        if let Some(Err(error)) = self.certificate.as_ref().map(|pair| pair.reload()) {
            let error = error_chain(&error);
            tracing::error!(error, "new certificate refused, the old one stays");
        }
    }

    /// Takes a new signing key, if it is good and `trusted`. One that is no longer
    /// trusted stays, too, but nothing is minted with it.
    fn reload_minter(&self, trusted: &Keyring) {
        match minter::open(&self.config, trusted, &self.public_url) {
            Ok(None) => {}
            Ok(Some(minter)) => {
                tracing::info!(key_id = %minter.key_id(), "signing key reloaded");
                self.operators.minter.store(Some(Arc::new(minter)));
            }
            Err(failure) => {
                let error = failure.reason();
                tracing::error!(error, "new signing key refused, the old one stays");
            }
        }
    }
}
