//! One connection to another node: HTTP/1.1 over mutual TLS, one request at a time.

use std::error::Error;
use std::io;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::ledger::raft::TransportError;
use crate::plain_text::error_chain;

/// A connection to an authenticated node.
pub(super) struct PeerConnection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

/// A complete response.
pub(super) struct PeerResponse {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

/// Why there is no response.
pub(super) enum CallFailure {
    /// No byte of the request was written. Holds the body.
    NotSent(Vec<u8>, String),
    /// The other node may have received the request.
    Unknown(String),
}

impl CallFailure {
    /// Returns the failure of a request that timed out.
    pub(super) fn timed_out() -> Self {
        Self::Unknown("timed out".to_owned())
    }
}

impl PeerConnection {
    /// Connects to `address`, where the node must present a certificate for `name`.
    ///
    /// # Errors
    ///
    /// Returns [`TransportError::NotDelivered`].
    pub(super) async fn open(
        address: &str,
        name: String,
        tls: Arc<ClientConfig>,
    ) -> Result<Self, TransportError> {
        let opened = async {
            let server = ServerName::try_from(name.clone())?;
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let stream = TlsConnector::from(tls).connect(server, stream).await?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(async move {
                // The caller of `post` gets the error.
                let _ = connection.await;
            });
            Ok::<_, Box<dyn Error + Send + Sync>>(Self { sender, host: name })
        };
        opened.await.map_err(|error| {
            let why = error_chain(&*error);
            let explanation = explanation(&*error).map(|text| format!(": {text}"));
            TransportError::NotDelivered(why + &explanation.unwrap_or_default())
        })
    }

    /// Returns `true` if the connection is known to be closed.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends a body to `path` and returns the response, of at most `len_max` bytes. If the future
    /// is dropped, the connection must not be used again.
    pub(super) async fn post(
        &mut self,
        path: &'static str,
        body: Vec<u8>,
        len_max: usize,
    ) -> Result<PeerResponse, CallFailure> {
        if let Err(error) = self.sender.ready().await {
            return Err(CallFailure::NotSent(body, error_chain(&error)));
        }
        let body = Bytes::from(body);
        let request = Request::post(path).header(HOST, &self.host).body(Full::new(body.clone()));
        let request = request.map_err(|error| CallFailure::Unknown(error.to_string()))?;
        let response = match self.sender.try_send_request(request).await {
            Ok(response) => response,
            Err(mut error) => {
                let is_unsent = error.take_message().is_some();
                let why = error_chain(&error.into_error());
                return Err(if is_unsent {
                    CallFailure::NotSent(body.into(), why)
                } else {
                    CallFailure::Unknown(why)
                });
            }
        };
        let status = response.status();
        let body = Limited::new(response.into_body(), len_max).collect().await;
        let body = body.map_err(|error| {
            let is_long = error.downcast_ref::<LengthLimitError>().is_some();
            let why =
                if is_long { "the response is too long".to_owned() } else { error_chain(&*error) };
            CallFailure::Unknown(why)
        })?;
        Ok(PeerResponse { status, body: body.to_bytes().into() })
    }
}

/// Returns what the rejection of a node's certificate means, and what to do about it.
fn explanation(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let error = error.downcast_ref::<io::Error>()?.get_ref()?;
    let rustls::Error::InvalidCertificate(error) = error.downcast_ref()? else { return None };
    if matches!(error, CertificateError::UnknownIssuer | CertificateError::BadSignature) {
        return Some(
            "that node and this one are under different authorities. Either the address belongs to \
             another cluster, or one of the two was left out when the cluster's authority was \
             replaced: correct `cluster.address`, or join again",
        );
    }
    let is_other = matches!(
        error,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
    );
    is_other.then_some(
        "another node has that address: correct `cluster.address` in the jeton.toml of the intended \
         node, and restart it",
    )
}
