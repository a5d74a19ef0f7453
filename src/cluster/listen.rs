//! The listener of the cluster door: TCP, TLS, HTTP, and their time limits.
//!
//! A node keeps its connection and sends any number of messages. A caller without a certificate
//! gets one request, within seconds, and a slot from `connection_limit`.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::connection_limit::{ConnectionLimit, Eviction, SLOTS_MAX, Slot};
use super::door::ClusterDoor;
use super::name;
use crate::ledger::NodeId;

/// How long the TLS handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(3);

/// How long an unauthenticated caller may take to send the head of its request.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// How long an unauthenticated connection may last after its handshake. The members have to agree
/// on a new one in that time.
const UNAUTHENTICATED_TIME: Duration = Duration::from_secs(45);

/// The maximum size of the head of an unauthenticated request, in bytes.
const HEAD_LEN_MAX: usize = 8 * 1024;

/// How long a node's connection may be idle. Callers close it earlier.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// How many connections all nodes together may have: a hundred nodes with some each.
const NODE_CONNECTIONS_MAX: usize = 2_048;

/// How many files the door needs in a cluster of usual size.
pub const FILES_RESERVED: u64 = SLOTS_MAX as u64 + 256;

/// How long requests under way may take when the listener stops.
const STOP_TIME: Duration = Duration::from_secs(1);

/// How long to wait after an accept error, such as for lack of files.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What all connections share.
struct Listener {
    door: Arc<ClusterDoor>,
    acceptor: TlsAcceptor,
    node_connections: Semaphore,
    closed: watch::Receiver<bool>,
    started: Instant,
}

/// Serves the cluster door on `listener` until `shutdown` completes. Messages that were received
/// are carried out even if their senders disconnect.
///
/// # Errors
///
/// Returns the system's error if the listener cannot be used.
pub async fn run(
    listener: TcpListener,
    tls: ServerConfig,
    door: Arc<ClusterDoor>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (closing, closed) = watch::channel(false);
    let shared = Arc::new(Listener {
        door,
        acceptor: TlsAcceptor::from(Arc::new(tls)),
        node_connections: Semaphore::new(NODE_CONNECTIONS_MAX),
        closed,
        started: Instant::now(),
    });
    let limit = Arc::new(ConnectionLimit::new());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                if let Some((slot, eviction)) = limit.admit(from.ip(), shared.started.elapsed()) {
                    connections.spawn(Arc::clone(&shared).run(stream, slot, eviction));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the cluster door cannot accept a connection");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
    drop(listener);
    closing.send_replace(true);
    let all = async { while connections.join_next().await.is_some() {} };
    // Dropping the set closes the connections that take longer.
    let _ = timeout(STOP_TIME, all).await;
    Ok(())
}

impl Listener {
    /// Serves a connection until it ends or is evicted.
    async fn run(self: Arc<Self>, stream: TcpStream, slot: Slot, eviction: Eviction) {
        tokio::select! {
            () = eviction.wait() => {}
            () = self.authenticate(stream, slot) => {}
        }
    }

    /// Completes the handshake and serves the connection.
    async fn authenticate(&self, stream: TcpStream, slot: Slot) {
        // Without it responses are only slower.
        let _ = stream.set_nodelay(true);
        let handshake = timeout(HANDSHAKE_TIME, self.acceptor.accept(stream)).await;
        let Ok(Ok(stream)) = handshake else { return };
        let caller = self.caller(&stream);
        if caller.is_none() {
            let _ = timeout(UNAUTHENTICATED_TIME, self.serve(stream, None, slot)).await;
            return;
        }
        slot.authenticated(self.started.elapsed());
        if let Ok(_permit) = self.node_connections.try_acquire() {
            self.serve(stream, caller, slot).await;
        }
    }

    /// Returns the node that the client certificate names.
    fn caller(&self, stream: &TlsStream<TcpStream>) -> Option<NodeId> {
        let leaf = stream.get_ref().1.peer_certificates()?.first()?;
        name::node_of(leaf, self.door.identity.ledger_id)
    }

    /// Serves the requests of one connection: one, if it is unauthenticated.
    async fn serve(&self, stream: TlsStream<TcpStream>, caller: Option<NodeId>, slot: Slot) {
        let slot = Arc::new(slot);
        let handler =
            service_fn(|request| Arc::clone(&self.door).handle(request, caller, Arc::clone(&slot)));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new());
        if caller.is_some() {
            http.header_read_timeout(KEEP_ALIVE);
        } else {
            http.header_read_timeout(HEAD_TIME).keep_alive(false).max_buf_size(HEAD_LEN_MAX);
        }
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), handler));
        let mut closed = self.closed.clone();
        // Only the caller needs to know how the connection ends.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = closed.wait_for(|closed| *closed) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}
