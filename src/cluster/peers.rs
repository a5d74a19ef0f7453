//! The calls to other nodes: implements [`Transport`] over kept connections.
//!
//! A connection carries one message at a time, so no message waits behind another: a heartbeat that
//! finds all connections busy opens one. Idle connections are used again, newest first. A message
//! that could not be written on an idle connection is sent on another one. A message that the node
//! may have received is never sent again.
//!
//! A heartbeat has less time than TCP needs to retransmit a lost packet or to connect to a distant
//! node. So opening a connection and waiting for an answer continue after the caller has given up,
//! and the next message finds the connection ready. Otherwise a lossy network would never have one.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use rustls::ClientConfig;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::certificate::NodeCertificate;
use super::connection::{CallFailure, PeerConnection};
use super::{door, name};
use crate::ledger::NodeId;
use crate::ledger::raft::{MESSAGE_LEN_MAX, PeerAddress, Reply, Transport, TransportError};
use crate::tls::TlsError;

/// How many idle connections to one node are kept.
const IDLE_MAX: usize = 8;

/// How long an idle connection is kept. The listener keeps it longer.
const IDLE_TIME: Duration = Duration::from_secs(20);

/// How long opening a connection may take, even after the caller has given up.
const OPEN_TIME: Duration = Duration::from_secs(3);

/// How late an answer may be for its connection to be kept.
const LATE: Duration = Duration::from_secs(1);

/// Sends messages to the other nodes of a ledger.
pub struct PeerNetwork {
    ledger_id: [u8; 16],
    tls: Arc<ClientConfig>,
    pools: Mutex<HashMap<NodeId, Arc<Pool>>>,
}

/// The idle connections to one node.
struct Pool {
    address: String,
    idle: Mutex<Vec<Idle>>,
    /// The last message got no answer, and this was logged.
    is_silent: AtomicBool,
}

struct Idle {
    connection: PeerConnection,
    since: Instant,
}

impl PeerNetwork {
    /// Creates a network that presents `certificate` and trusts only its authority.
    ///
    /// # Errors
    ///
    /// Returns [`TlsError::Setup`].
    pub fn new(certificate: &Arc<NodeCertificate>) -> Result<Self, TlsError> {
        Ok(Self {
            ledger_id: certificate.authority().ledger_id(),
            tls: Arc::new(certificate.client_config()?),
            pools: Mutex::default(),
        })
    }

    /// Sends a message and returns the answer. Logs when a node stops answering, and when it
    /// answers again.
    async fn ask(
        &self,
        to: &PeerAddress,
        message: Vec<u8>,
        within: Duration,
    ) -> Result<Vec<u8>, TransportError> {
        let pool = self.pool(to);
        let answered = self.exchange(&pool, to, message, within).await;
        let was_silent = pool.is_silent.swap(answered.is_err(), Ordering::Relaxed);
        match &answered {
            Ok(_) if was_silent => {
                tracing::info!(node = %to.node_id, address = to.address, "the node answers again");
            }
            Err(error) if !was_silent => {
                tracing::warn!(node = %to.node_id, address = to.address, %error, "a node does not answer");
            }
            Ok(_) | Err(_) => {}
        }
        answered
    }

    async fn exchange(
        &self,
        pool: &Arc<Pool>,
        to: &PeerAddress,
        mut message: Vec<u8>,
        within: Duration,
    ) -> Result<Vec<u8>, TransportError> {
        if message.len() > MESSAGE_LEN_MAX {
            return Err(TransportError::NotDelivered("the message is too long".to_owned()));
        }
        let deadline = Instant::now() + within;
        while let Some(connection) = pool.take() {
            match pool.ask(connection, message, deadline).await {
                Err(CallFailure::NotSent(unsent, _)) => message = unsent,
                other => return outcome(other),
            }
        }
        let connection = self.open(pool, to, deadline).await?;
        outcome(pool.ask(connection, message, deadline).await)
    }

    /// Opens a connection. If that takes too long for this message, the connection is kept for the
    /// next one.
    async fn open(
        &self,
        pool: &Arc<Pool>,
        to: &PeerAddress,
        deadline: Instant,
    ) -> Result<PeerConnection, TransportError> {
        let (caller, opened) = oneshot::channel();
        let (pool, tls) = (Arc::clone(pool), Arc::clone(&self.tls));
        let name = name::of(to.node_id, self.ledger_id);
        tokio::spawn(async move {
            let opening = timeout(OPEN_TIME, PeerConnection::open(&pool.address, name, tls));
            let Ok(opened) = opening.await else { return };
            if let Err(Ok(late)) = caller.send(opened) {
                pool.keep(late);
            }
        });
        let opened = timeout_at(deadline, opened).await;
        opened.ok().and_then(Result::ok).unwrap_or_else(|| {
            let why = format!("{} does not accept a connection", to.address);
            Err(TransportError::NotDelivered(why))
        })
    }

    fn pool(&self, to: &PeerAddress) -> Arc<Pool> {
        let mut pools = lock(&self.pools);
        let known = pools.get(&to.node_id).filter(|pool| pool.address == to.address);
        if let Some(pool) = known {
            return Arc::clone(pool);
        }
        let pool = Arc::new(Pool {
            address: to.address.clone(),
            idle: Mutex::default(),
            is_silent: AtomicBool::new(false),
        });
        pools.insert(to.node_id, Arc::clone(&pool));
        pool
    }
}

impl Transport for PeerNetwork {
    fn call(&self, to: &PeerAddress, message: Vec<u8>, within: Duration) -> Reply<'_> {
        let to = to.clone();
        Box::pin(async move { self.ask(&to, message, within).await })
    }
}

impl Pool {
    /// Takes the most recently used connection.
    fn take(&self) -> Option<PeerConnection> {
        let mut idle = lock(&self.idle);
        idle.retain(|idle| idle.since.elapsed() < IDLE_TIME && !idle.connection.is_closed());
        idle.pop().map(|idle| idle.connection)
    }

    /// Keeps an idle connection.
    fn keep(&self, connection: PeerConnection) {
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_MAX {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }

    /// Sends a message over a connection, which is kept only if an answer arrives, even a late one.
    async fn ask(
        self: &Arc<Self>,
        mut connection: PeerConnection,
        message: Vec<u8>,
        deadline: Instant,
    ) -> Result<(StatusCode, Vec<u8>), CallFailure> {
        let pool = Arc::clone(self);
        let asked = tokio::spawn(async move {
            let asked = connection.post(door::MESSAGE_PATH, message, MESSAGE_LEN_MAX);
            let answered = timeout_at(deadline + LATE, asked).await;
            let answered = answered.unwrap_or_else(|_| Err(CallFailure::timed_out()));
            answered.map(|answer| {
                pool.keep(connection);
                (answer.status, answer.body)
            })
        });
        let answered = match timeout_at(deadline, asked).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) => Err(CallFailure::Unknown("this node is stopping".to_owned())),
            Err(_) => Err(CallFailure::timed_out()),
        };
        // One message may be slow. After the second one without an answer the other connections are
        // probably dead as well.
        if matches!(answered, Err(CallFailure::Unknown(_)))
            && self.is_silent.load(Ordering::Relaxed)
        {
            lock(&self.idle).clear();
        }
        answered
    }
}

/// Returns the answer, or what is known of the message without one.
fn outcome(
    answered: Result<(StatusCode, Vec<u8>), CallFailure>,
) -> Result<Vec<u8>, TransportError> {
    match answered {
        Ok((StatusCode::OK, body)) => Ok(body),
        // The door rejected the message unread.
        Ok((status, _)) => {
            Err(TransportError::NotDelivered(format!("the node returns status {status}")))
        }
        Err(CallFailure::NotSent(_, why)) => Err(TransportError::NotDelivered(why)),
        Err(CallFailure::Unknown(why)) => Err(TransportError::Unknown(why)),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for PeerNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerNetwork").finish_non_exhaustive()
    }
}
