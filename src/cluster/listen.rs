//! How callers come to the door: TCP, TLS, HTTP, and how long each may take.
//!
//! A member keeps its connection and sends as many messages as it likes. Whoever
//! shows no certificate is a guest (see `guests`): it may ask one thing, in seconds,
//! and makes room when others come.

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

use super::connection_limit::{ConnectionLimit, GUESTS_MAX, Leave, Seat};
use super::door::ClusterDoor;
use super::name;
use crate::ledger::NodeId;

/// How long a caller may take to shake hands.
const HANDSHAKE_TIME: Duration = Duration::from_secs(3);

/// How long a guest may take for the head of its request, and for all of it; the
/// members have to agree on one who was invited.
const HEAD_TIME: Duration = Duration::from_secs(5);
const GUEST_TIME: Duration = Duration::from_secs(45);

/// How many bytes of a guest's head are read.
const GUEST_HEAD_MAX: usize = 8 * 1024;

/// How long a member's connection is kept between two messages; longer than callers
/// do.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// How many connections members may have in all: a hundred nodes with some each.
const MEMBER_CONNECTIONS_MAX: usize = 2_048;

/// How many files the door needs, if there are not too many nodes.
pub const FILES_RESERVED: u64 = GUESTS_MAX as u64 + 256;

/// How long messages under way may take when the door is closed.
const STOP_TIME: Duration = Duration::from_secs(1);

/// How long to wait when the system gives no connection: it has no file left.
const NO_FILE: Duration = Duration::from_millis(100);

/// What all callers share.
struct Hall {
    door: Arc<ClusterDoor>,
    acceptor: TlsAcceptor,
    members: Semaphore,
    closed: watch::Receiver<bool>,
}

/// Serves the door on `listener` until `shutdown` is done. What members say is
/// carried out to its end even if they are gone.
///
/// # Errors
///
/// What the system said when the listener could not be used.
pub async fn run(
    listener: TcpListener,
    tls: ServerConfig,
    door: Arc<ClusterDoor>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (closing, closed) = watch::channel(false);
    let hall = Arc::new(Hall {
        door,
        acceptor: TlsAcceptor::from(Arc::new(tls)),
        members: Semaphore::new(MEMBER_CONNECTIONS_MAX),
        closed,
    });
    let guests = Arc::new(ConnectionLimit::default());
    let mut callers = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = callers.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                if let Some((seat, leave)) = guests.admit(from.ip(), Instant::now()) {
                    callers.spawn(Arc::clone(&hall).attend(stream, seat, leave));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the door between nodes takes no connection at present");
                sleep(NO_FILE).await;
            }
        }
    }
    drop(listener);
    closing.send_replace(true);
    let all = async { while callers.join_next().await.is_some() {} };
    // Whoever takes longer is cut off when the set is dropped.
    let _ = timeout(STOP_TIME, all).await;
    Ok(())
}

impl Hall {
    /// Attends to a caller until it goes, or has to.
    async fn attend(self: Arc<Self>, stream: TcpStream, seat: Seat, leave: Leave) {
        tokio::select! {
            () = leave.told() => {}
            () = self.talk(stream, seat) => {}
        }
    }

    async fn talk(&self, stream: TcpStream, seat: Seat) {
        // An answer that is late is an answer still.
        let _ = stream.set_nodelay(true);
        let shaken = timeout(HANDSHAKE_TIME, self.acceptor.accept(stream)).await;
        let Ok(Ok(stream)) = shaken else { return };
        let caller = self.caller(&stream);
        if caller.is_none() {
            let _ = timeout(GUEST_TIME, self.serve(stream, None, seat)).await;
            return;
        }
        seat.note_node(Instant::now());
        if let Ok(_permit) = self.members.try_acquire() {
            self.serve(stream, caller, seat).await;
        }
    }

    /// Returns which node has connected, if it is one.
    fn caller(&self, stream: &TlsStream<TcpStream>) -> Option<NodeId> {
        let leaf = stream.get_ref().1.peer_certificates()?.first()?;
        name::node_of(leaf, self.door.identity.ledger_id)
    }

    /// Answers requests on one connection; of a guest, one.
    async fn serve(&self, stream: TlsStream<TcpStream>, caller: Option<NodeId>, seat: Seat) {
        let seat = Arc::new(seat);
        let answer =
            service_fn(|request| Arc::clone(&self.door).answer(request, caller, Arc::clone(&seat)));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new());
        if caller.is_some() {
            http.header_read_timeout(KEEP_ALIVE);
        } else {
            http.header_read_timeout(HEAD_TIME).keep_alive(false).max_buf_size(GUEST_HEAD_MAX);
        }
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), answer));
        let mut closed = self.closed.clone();
        // How it ends concerns the caller only.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = closed.wait_for(|closed| *closed) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}
