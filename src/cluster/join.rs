//! The asking side of a join: it speaks only to a node under the authority that
//! the join line names, and tells its secret to nobody else.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use thiserror::Error;
use tokio::time::timeout;

use super::address::NodeAddress;
use super::authority::AuthorityFingerprint;
use super::connection::{CallFailure, Connection};
use super::invite::JoinLine;
use super::welcome::{self, JoinRequest, Refused, WELCOME_LEN_MAX, Welcome};
use crate::ledger::NodeId;
use crate::ledger::raft::{MESSAGE_FORMAT, TransportError};

/// How long to wait for a connection, and for the answer: the members have to
/// agree on it.
const CONNECT_TIME: Duration = Duration::from_secs(10);
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Why a node did not join.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JoinError {
    /// Nobody answers there, or not who was meant.
    #[error("cannot reach the node at {address}: {why}")]
    Unreachable {
        /// Where.
        address: NodeAddress,
        /// What happened.
        why: String,
    },
    /// The node there is under another authority.
    #[error("the node at {0} does not belong to the cluster of this join line")]
    OtherCluster(NodeAddress),
    /// The connection broke before the answer was there.
    #[error("it is not known whether the node at {address} let this one in: {why}")]
    Unknown {
        /// Where.
        address: NodeAddress,
        /// What happened.
        why: String,
    },
    /// The node says no.
    #[error("{error}")]
    Refused {
        /// What is wrong.
        error: String,
        /// What to do.
        hint: String,
    },
    /// What came is no answer to this.
    #[error("the node at {0} gives an answer that is not understood")]
    Stranger(NodeAddress),
    /// TLS cannot be set up here.
    #[error("cannot set up TLS")]
    Setup(#[from] rustls::Error),
}

/// Asks the node that `line` names to let a node in, which then is a member.
///
/// # Errors
///
/// [`JoinError`]; only after [`JoinError::Unknown`] may it be a member anyway.
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
    // It is not known which node of the cluster that is, so the name says nothing.
    let opening = Connection::open(address.as_str(), "cluster.jeton".to_owned(), tls);
    let opened = timeout(CONNECT_TIME, opening).await.unwrap_or_else(|_| {
        Err(TransportError::NotDelivered("it does not take a connection".to_owned()))
    });
    let mut connection = opened.map_err(|error| unreachable(address, &error))?;
    let body = serde_json::to_vec(&request).map_err(|_| JoinError::Stranger(address.clone()))?;
    let asked = connection.post(welcome::PATH, body, WELCOME_LEN_MAX);
    let answered = timeout(ANSWER_TIME, asked)
        .await
        .unwrap_or_else(|_| Err(CallFailure::Unknown("it did not answer in time".to_owned())));
    let answer = answered.map_err(|no_answer| match no_answer {
        CallFailure::NotSent(_, why) => JoinError::Unreachable { address: address.clone(), why },
        CallFailure::Unknown(why) => JoinError::Unknown { address: address.clone(), why },
    })?;
    let stranger = |_| JoinError::Stranger(address.clone());
    if answer.status.is_success() {
        return serde_json::from_slice(&answer.body).map_err(stranger);
    }
    let Refused { error, hint } = serde_json::from_slice(&answer.body).map_err(stranger)?;
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

/// Believes a node that is under the authority with this fingerprint, which the
/// node shows behind its own certificate.
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
        let meant =
            |shown: &&CertificateDer<'_>| AuthorityFingerprint::of(shown) == self.fingerprint;
        let authority = intermediates.iter().find(meant);
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

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
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
