//! This node's certificate: issued at each start, renewed while the node runs, and never written to
//! disk.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SignatureScheme};

use super::authority::{Authority, AuthorityError};
use crate::clock::Clock;
use crate::ledger::NodeId;
use crate::tls::TlsError;
use crate::token::UnixSeconds;

/// How long before its expiry a certificate is renewed, in seconds: a third of its lifetime.
const RENEWED_BEFORE: u64 = 30 * 24 * 60 * 60;

/// How often the expiry is checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// This node's certificate. Each handshake uses the one that is current when it begins.
pub struct NodeCertificate {
    authority: Arc<Authority>,
    node_id: NodeId,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<IssuedCertificate>,
}

struct IssuedCertificate {
    certified: Arc<CertifiedKey>,
    not_after: UnixSeconds,
}

impl NodeCertificate {
    /// Issues a certificate for a node.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorityError::Make`] if there is no randomness.
    pub fn issue(
        authority: Arc<Authority>,
        node_id: NodeId,
        now: UnixSeconds,
    ) -> Result<Self, AuthorityError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current =
            ArcSwap::from_pointee(IssuedCertificate::issue(&authority, node_id, now, &provider)?);
        Ok(Self { authority, node_id, provider, current })
    }

    /// Returns the authority that issued it.
    #[must_use]
    pub const fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// Returns the configuration of the listener: TLS 1.3 without resumption, so that each
    /// connection authenticates the caller again. A caller may present a certificate of this
    /// authority, or none if it wants to join.
    ///
    /// # Errors
    ///
    /// Returns [`TlsError::Setup`].
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let verifier = WebPkiClientVerifier::builder_with_provider(
            Arc::new(self.roots().map_err(TlsError::Setup)?),
            Arc::clone(&self.provider),
        )
        .allow_unauthenticated()
        .build()
        .map_err(|error| TlsError::Setup(rustls::Error::General(error.to_string())))?;
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(TlsError::Setup)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(self.clone());
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Returns the configuration of a caller, which trusts this authority only.
    ///
    /// # Errors
    ///
    /// Returns [`TlsError::Setup`].
    pub fn client_config(self: &Arc<Self>) -> Result<ClientConfig, TlsError> {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(TlsError::Setup)?
            .with_root_certificates(self.roots().map_err(TlsError::Setup)?)
            .with_client_cert_resolver(self.clone());
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    /// Renews the certificate for as long as the future is polled.
    pub async fn keep_fresh(&self, clock: &dyn Clock) {
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            match self.renew_if_due(clock.now()) {
                Ok(false) => {}
                Ok(true) => tracing::info!("renewed this node's certificate"),
                Err(error) => {
                    tracing::error!(%error, "cannot renew this node's certificate");
                }
            }
        }
    }

    /// Issues a new certificate if the current one expires soon. Returns `true` if so.
    fn renew_if_due(&self, now: UnixSeconds) -> Result<bool, AuthorityError> {
        if now.plus(RENEWED_BEFORE) < self.current.load().not_after {
            return Ok(false);
        }
        let renewed = IssuedCertificate::issue(&self.authority, self.node_id, now, &self.provider)?;
        self.current.store(Arc::new(renewed));
        Ok(true)
    }

    fn roots(&self) -> Result<RootCertStore, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate().clone())?;
        Ok(roots)
    }
}

impl IssuedCertificate {
    fn issue(
        authority: &Authority,
        node_id: NodeId,
        now: UnixSeconds,
        provider: &CryptoProvider,
    ) -> Result<Self, AuthorityError> {
        let issued = authority.issue(node_id, now)?;
        let certified = CertifiedKey::from_der(issued.chain, issued.key, provider);
        let certified = certified.map_err(|_| AuthorityError::Damaged)?;
        Ok(Self { certified: Arc::new(certified), not_after: issued.not_after })
    }
}

impl ResolvesServerCert for NodeCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().certified))
    }
}

impl ResolvesClientCert for NodeCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for NodeCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeCertificate")
            .field("node_id", &self.node_id)
            .field("not_after", &self.current.load().not_after)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renews_a_certificate_when_a_third_of_its_lifetime_is_left() {
        let day = 24 * 60 * 60;
        let now = UnixSeconds::new(1_790_000_000);
        let authority = Arc::new(Authority::make([7; 16], now).unwrap());
        let node = NodeCertificate::issue(authority, NodeId(1), now).unwrap();
        assert_eq!(node.current.load().not_after, now.plus(90 * day));
        assert!(!node.renew_if_due(now.plus(60 * day - 1)).unwrap());
        let then = now.plus(60 * day);
        assert!(node.renew_if_due(then).unwrap());
        assert_eq!(node.current.load().not_after, then.plus(90 * day));
    }
}
