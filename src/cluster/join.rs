//! The caller of `POST /join`. It sends the secret only to a node of the authority that the join
//! line names.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, PeerIncompatible, RootCertStore,
    SignatureScheme,
};
use thiserror::Error;
use tokio::time::timeout;

use super::address::NodeAddress;
use super::authority::AuthorityFingerprint;
use super::connection::{CallFailure, PeerConnection};
use super::invite::JoinLine;
use super::welcome::{self, JoinRefusal, JoinRequest, WELCOME_LEN_MAX, Welcome};
use crate::ledger::NodeId;
use crate::ledger::raft::{MESSAGE_FORMAT, TransportError};

/// How long to wait for a connection.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// How long to wait for the response, for which the members have to agree.
const RESPONSE_TIME: Duration = Duration::from_secs(30);

/// Why a node did not join.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JoinError {
    /// No node answers there, or another one than intended.
    #[error("cannot reach the node at {address}: {why}")]
    Unreachable {
        /// The address of the inviting node.
        address: NodeAddress,
        /// The cause.
        why: String,
    },
    /// The node there has another authority.
    #[error("the node at {0} does not belong to the cluster of this join line")]
    OtherCluster(NodeAddress),
    /// The connection failed before the response arrived.
    #[error("it is unknown whether the node at {address} admitted this one: {why}")]
    Unknown {
        /// The address of the inviting node.
        address: NodeAddress,
        /// The cause.
        why: String,
    },
    /// The node refused.
    #[error("{error}")]
    Refused {
        /// What is wrong.
        error: String,
        /// What to do.
        hint: String,
    },
    /// The response cannot be parsed.
    #[error("the response of the node at {0} cannot be parsed")]
    BadResponse(NodeAddress),
    /// TLS cannot be set up here.
    #[error("cannot set up TLS")]
    Setup(#[from] rustls::Error),
}

/// Asks the node in `line` to add this node to the members.
///
/// # Errors
///
/// Returns [`JoinError`]. After [`JoinError::Unknown`] this node may be a member; after any other
/// error it is not.
pub async fn join(
    line: &JoinLine,
    node_id: NodeId,
    own: &NodeAddress,
    version: &str,
) -> Result<Welcome, JoinError> {
    let address = &line.address;
    let request = JoinRequest {
        secret: line.secret.to_text(),
        node_id,
        address: own.to_string(),
        version: version.to_owned(),
        format: MESSAGE_FORMAT,
    };
    let tls = Arc::new(client_config(line.fingerprint)?);
    // Any node of the cluster will do, so the verifier ignores the name.
    let opening = PeerConnection::open(address.as_str(), "cluster.jeton".to_owned(), tls);
    let opened = timeout(CONNECT_TIME, opening).await.unwrap_or_else(|_| {
        Err(TransportError::NotDelivered("the node does not accept a connection".to_owned()))
    });
    let mut connection = opened.map_err(|error| unreachable(address, &error))?;
    let body = serde_json::to_vec(&request).map_err(|_| JoinError::BadResponse(address.clone()))?;
    let request = connection.post(welcome::JOIN_PATH, body, WELCOME_LEN_MAX);
    let response = timeout(RESPONSE_TIME, request).await;
    let response = response.unwrap_or_else(|_| Err(CallFailure::timed_out()));
    let response = response.map_err(|failure| match failure {
        CallFailure::NotSent(_, why) => JoinError::Unreachable { address: address.clone(), why },
        CallFailure::Unknown(why) => JoinError::Unknown { address: address.clone(), why },
    })?;
    let bad_response = |_| JoinError::BadResponse(address.clone());
    if response.status.is_success() {
        return serde_json::from_slice(&response.body).map_err(bad_response);
    }
    let JoinRefusal { error, hint } =
        serde_json::from_slice(&response.body).map_err(bad_response)?;
    Err(JoinError::Refused { error, hint })
}

fn unreachable(address: &NodeAddress, error: &TransportError) -> JoinError {
    let why = match error {
        TransportError::NotDelivered(why) | TransportError::Unknown(why) => why.clone(),
    };
    if why.contains(&CertificateError::UnknownIssuer.to_string()) {
        return JoinError::OtherCluster(address.clone());
    }
    JoinError::Unreachable { address: address.clone(), why }
}

fn client_config(fingerprint: AuthorityFingerprint) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(UnderAuthority { fingerprint, provider: Arc::clone(&provider) });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Trusts a node whose certificate was issued by the authority with this fingerprint. The node
/// sends the authority's certificate after its own.
#[derive(Debug)]
struct UnderAuthority {
    fingerprint: AuthorityFingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for UnderAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let is_named =
            |sent: &&CertificateDer<'_>| AuthorityFingerprint::of(sent) == self.fingerprint;
        let authority = intermediates.iter().find(is_named);
        let authority = authority.ok_or(CertificateError::UnknownIssuer)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &roots,
            &[],
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    /// Never called, because the client offers only TLS 1.3.
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
