//! One connection to another node: HTTP/1.1 over mutual TLS, a request at a time.

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

/// A connection whose other end has proved who it is.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

/// An answer, whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
pub(super) enum CallFailure {
    /// Not a byte of the request was written. It is given back.
    NotSent(Vec<u8>, String),
    /// Some of it was, and the other one may have understood.
    Unknown(String),
}

impl CallFailure {
    /// Nothing came for as long as somebody waited.
    pub(super) fn in_time() -> Self {
        Self::Unknown("it did not come in time".to_owned())
    }
}

impl Connection {
    /// Connects to whoever proves to be `name` at `address`.
    ///
    /// # Errors
    ///
    /// [`TransportError::NotDelivered`]: nothing was asked yet.
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
                // How it ends is told to whoever waits for an answer.
                let _ = connection.await;
            });
            Ok::<_, Box<dyn Error + Send + Sync>>(Self { sender, host: name })
        };
        opened.await.map_err(|error| {
            let why = error_chain(&*error);
            let meaning = meaning(&*error).map(|meaning| format!(": {meaning}"));
            TransportError::NotDelivered(why + &meaning.unwrap_or_default())
        })
    }

    /// Tells whether the other end has closed it, as far as is known.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends a body to `path` and returns the answer, of at most `len_max` bytes.
    /// If the future is dropped, so must the connection be.
    pub(super) async fn post(
        &mut self,
        path: &'static str,
        body: Vec<u8>,
        len_max: usize,
    ) -> Result<Answer, CallFailure> {
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
            let why = if is_long { "it is too long".to_owned() } else { error_chain(&*error) };
            CallFailure::Unknown(why)
        })?;
        Ok(Answer { status, body: body.to_bytes().into() })
    }
}

/// Says what it means that a node shows a certificate that does not hold, and what
/// to do about it.
fn meaning(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let error = error.downcast_ref::<io::Error>()?.get_ref()?;
    let rustls::Error::InvalidCertificate(error) = error.downcast_ref()? else { return None };
    if matches!(error, CertificateError::UnknownIssuer | CertificateError::BadSignature) {
        return Some(
            "that node and this one are under different authorities. Either the address is that of \
             another cluster, or one of the two was left behind when the cluster's authority was \
             made anew: correct `cluster.address`, or join afresh",
        );
    }
    let is_other = matches!(
        error,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
    );
    is_other.then_some(
        "another node has that address: correct `cluster.address` in the jeton.toml of the one that \
         is meant, and restart it",
    )
}
