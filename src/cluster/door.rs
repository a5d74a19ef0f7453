//! The way in: `POST /raft` for nodes with a certificate, `POST /join` for a node
//! that was invited, nothing else.
//!
//! Who has a certificate of this cluster's authority is heard by the ledger, which
//! knows who is a member; the door proves only who it is.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::http::StatusCode;
use actix_web::rt::net::TcpStream;
use actix_web::web::{self, Data, Payload};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use rustls::ServerConfig;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::address::NodeAddress;
use super::authority::Authority;
use super::invite::{Invites, Secret};
use super::name;
use super::welcome::{self, JoinRequest, Refused, TrustedKeyFile, Welcome};
use crate::ledger::raft::{Identity, MESSAGE_FORMAT, MESSAGE_LEN_MAX, RaftLedger};
use crate::ledger::{Cluster, ClusterError};

/// Where members send their messages.
pub(super) const MESSAGES: &str = "/raft";

/// How long a caller may take to send a message, once its head is there.
const BODY_TIME: Duration = Duration::from_secs(30);

/// How long a caller may take to shake hands, and to send the head of a request.
const HANDSHAKE_TIME: Duration = Duration::from_secs(3);
const HEAD_TIME: Duration = Duration::from_secs(5);

/// How long a connection is kept between two messages; longer than callers do.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// How many connections there may be on each of the door's threads: a hundred
/// nodes with some each.
const CONNECTIONS_MAX: usize = 1_024;
const THREADS: usize = 2;

/// How long messages under way may take when the door is closed, in seconds.
const STOP_TIME_S: u64 = 1;

/// Who is told what another node says.
pub trait Receive: Send + Sync {
    /// Does what a message of the node `from` asks and returns the answer.
    fn receive<'a>(
        &'a self,
        from: u64,
        message: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Vec<u8>> + Send + 'a>>;
}

impl Receive for RaftLedger {
    fn receive<'a>(
        &'a self,
        from: u64,
        message: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Vec<u8>> + Send + 'a>> {
        Box::pin(Self::receive(self, from, message))
    }
}

/// What stands behind the door between nodes.
pub struct ClusterDoor {
    /// This node and its ledger.
    pub identity: Identity,
    /// Who is told what members say.
    pub receiver: Arc<dyn Receive>,
    /// Who adds a new node to the members.
    pub cluster: Arc<dyn Cluster>,
    /// Whom this node has invited.
    pub invites: Arc<Invites>,
    /// The authority that all members are under.
    pub authority: Arc<Authority>,
    /// Where the world reaches the download nodes.
    pub public_url: String,
    /// Returns the public keys that this node trusts at present.
    pub trusted: Box<dyn Fn() -> Vec<TrustedKeyFile> + Send + Sync>,
}

/// The node that a connection has proved to come from.
#[derive(Clone, Copy)]
struct Caller(u64);

/// Serves the door on `listener` until `shutdown` is done. What is received runs
/// on `runtime`, and to its end even if the caller is gone.
///
/// # Errors
///
/// What the system said when the listener or a thread could not be used.
pub async fn run(
    listener: TcpListener,
    tls: ServerConfig,
    door: Arc<ClusterDoor>,
    runtime: Handle,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let ledger_id = door.identity.ledger_id;
    HttpServer::new(move || {
        App::new()
            .app_data(Data::from(Arc::clone(&door)))
            .app_data(Data::new(runtime.clone()))
            .route(MESSAGES, web::post().to(receive))
            .route(welcome::PATH, web::post().to(join))
    })
    .on_connect(move |connection, data| note_caller(connection, data, ledger_id))
    .workers(THREADS)
    .max_connections(CONNECTIONS_MAX)
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEAD_TIME)
    .tls_handshake_timeout(HANDSHAKE_TIME)
    .shutdown_timeout(STOP_TIME_S)
    .disable_signals()
    .shutdown_signal(shutdown)
    .listen_rustls_0_23(listener, tls)?
    .run()
    .await
}

/// Takes down which node has connected, if it is one.
fn note_caller(connection: &dyn Any, data: &mut Extensions, ledger_id: [u8; 16]) {
    let Some(stream) = connection.downcast_ref::<TlsStream<TcpStream>>() else { return };
    let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    if let Some(node_id) = leaf.and_then(|leaf| name::node_of(leaf, ledger_id)) {
        data.insert(Caller(node_id));
    }
}

async fn receive(
    request: HttpRequest,
    door: Data<ClusterDoor>,
    runtime: Data<Handle>,
    body: Payload,
) -> HttpResponse {
    // Before a byte of the body is read.
    let Some(Caller(from)) = request.conn_data::<Caller>().copied() else {
        return HttpResponse::Forbidden().force_close().finish();
    };
    let message = match read(body, MESSAGE_LEN_MAX).await {
        Ok(message) => message,
        Err(status) => return HttpResponse::build(status).force_close().finish(),
    };
    let door = door.into_inner();
    let received = runtime.spawn(async move { door.receiver.receive(from, &message).await });
    match received.await {
        Ok(answer) if !answer.is_empty() => HttpResponse::Ok().body(answer),
        // It may have been carried out, so there must be no answer at all: the
        // body is never finished.
        Ok(_) | Err(_) => HttpResponse::Ok().streaming(Broken),
    }
}

/// A body that breaks the connection.
struct Broken;

impl futures_util::Stream for Broken {
    type Item = Result<web::Bytes, io::Error>;

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(Some(Err(io::ErrorKind::Other.into())))
    }
}

async fn join(door: Data<ClusterDoor>, runtime: Data<Handle>, body: Payload) -> HttpResponse {
    let body = match read(body, welcome::REQUEST_LEN_MAX).await {
        Ok(body) => body,
        Err(status) => return HttpResponse::build(status).force_close().finish(),
    };
    let door = door.into_inner();
    // To its end, so that an invitation is given back if nobody came in.
    let joined = runtime.spawn(async move { door.let_in(&body).await });
    match joined.await {
        Ok(Ok(welcome)) => HttpResponse::Ok().json(welcome),
        Ok(Err((status, refused))) => HttpResponse::build(status).force_close().json(refused),
        Err(_) => HttpResponse::InternalServerError().force_close().finish(),
    }
}

async fn read(body: Payload, len_max: usize) -> Result<web::Bytes, StatusCode> {
    match timeout(BODY_TIME, body.to_bytes_limited(len_max)).await {
        Ok(Ok(Ok(body))) => Ok(body),
        Ok(Ok(Err(_))) => Err(StatusCode::BAD_REQUEST),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

impl ClusterDoor {
    /// Lets the node in that knows the secret of an open invitation.
    async fn let_in(&self, body: &[u8]) -> Result<Welcome, (StatusCode, Refused)> {
        let refuse = |status, error: &str, hint: &str| {
            (status, Refused { error: error.to_owned(), hint: hint.to_owned() })
        };
        let request: JoinRequest = serde_json::from_slice(body).map_err(|_| {
            let hint = "bring both nodes to the same version of jeton";
            refuse(StatusCode::BAD_REQUEST, "the request to join is not understood", hint)
        })?;
        let secret = request.secret.parse::<Secret>().ok();
        let Some(taken) = secret.and_then(|secret| self.invites.take(&secret)) else {
            tracing::warn!(?request, "a node wanted to join without a good invitation");
            return Err(refuse(
                StatusCode::FORBIDDEN,
                "the invitation was used already, has expired, or is not this node's",
                "ask for a new one: `jeton cluster invite`. It is good once, for 15 minutes, while \
                 the node that made it runs",
            ));
        };
        let (Ok(node_id), Ok(address)) =
            (u64::from_str_radix(&request.node_id, 16), request.address.parse::<NodeAddress>())
        else {
            self.invites.give_back(taken);
            let hint = "bring both nodes to the same version of jeton";
            return Err(refuse(StatusCode::BAD_REQUEST, "the new node says no address", hint));
        };
        if request.format != MESSAGE_FORMAT {
            self.invites.give_back(taken);
            let error = format!(
                "the new node has jeton {}, which does not talk to the nodes of this cluster",
                request.version.replace(char::is_control, " ")
            );
            let hint = concat!(
                "install jeton ",
                env!("CARGO_PKG_VERSION"),
                " there, as here. The invitation is still good"
            );
            return Err(refuse(StatusCode::CONFLICT, &error, hint));
        }
        if let Err(error) = self.cluster.add_learner(node_id, address.to_string()).await {
            let is_unknown = matches!(error, ClusterError::OutcomeUnknown(_));
            let hint = if is_unknown {
                "if `jeton cluster status` lists a node that nobody started, remove it; then ask \
                 for a new invitation"
            } else {
                self.invites.give_back(taken);
                "the invitation is still good; look at `jeton cluster status` and try again"
            };
            return Err(refuse(StatusCode::CONFLICT, &error.to_string(), hint));
        }
        let node_id = format!("{node_id:016x}");
        tracing::info!(%node_id, %address, version = request.version, "a node has joined");
        Ok(self.welcome())
    }

    fn welcome(&self) -> Welcome {
        let Identity { ledger_id, node_id, born_at } = self.identity;
        Welcome {
            ca: self.authority.pem().to_owned(),
            ca_key: self.authority.key_pem(),
            ledger_id: format!("{:032x}", u128::from_be_bytes(ledger_id)),
            born_at: born_at.get(),
            public_url: self.public_url.clone(),
            trusted: (self.trusted)(),
            node_id: format!("{node_id:016x}"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl fmt::Debug for ClusterDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterDoor").field("identity", &self.identity).finish_non_exhaustive()
    }
}
