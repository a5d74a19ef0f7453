//! The requests at the cluster door: `POST /raft` from nodes with a certificate and `POST /join`
//! from invited nodes.
//!
//! The door only authenticates the sender of a message. The ledger knows who is a member.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full, LengthLimitError, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use tokio::time::timeout;

use super::address::NodeAddress;
use super::authority::Authority;
use super::connection_limit::Slot;
use super::invite::{Invites, Secret};
use super::welcome::{self, JoinRefusal, JoinRequest, TrustedKeyFile, Welcome};
use crate::ledger::raft::{Identity, MESSAGE_FORMAT, MESSAGE_LEN_MAX, RaftLedger};
use crate::ledger::{Membership, MembershipError, NodeId};

/// The path to which nodes send messages.
pub(super) const MESSAGE_PATH: &str = "/raft";

/// How long a node may take to send the body of a message.
const MESSAGE_TIME: Duration = Duration::from_secs(30);

/// How long a new node may take to send its request to join.
const JOIN_REQUEST_TIME: Duration = Duration::from_secs(5);

/// What to do about a request that cannot be parsed.
const SAME_VERSION: &str = "bring both nodes to the same version of jeton";

/// The response to a node that is not admitted.
type Rejection = (StatusCode, JoinRefusal);

/// The body of a response.
pub(super) type ResponseBody = BoxBody<Bytes, io::Error>;

/// Handles the messages of other nodes.
pub trait Receive: Send + Sync {
    /// Carries out a message of the node `from` and returns the answer. An empty answer stands for
    /// an unknown outcome.
    fn receive<'a>(
        &'a self,
        from: NodeId,
        message: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Vec<u8>> + Send + 'a>>;
}

impl Receive for RaftLedger {
    fn receive<'a>(
        &'a self,
        from: NodeId,
        message: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Vec<u8>> + Send + 'a>> {
        Box::pin(Self::receive(self, from, message))
    }
}

/// The state of the cluster door.
pub struct ClusterDoor {
    /// This node and its ledger.
    pub identity: Identity,
    /// Handles messages.
    pub receiver: Arc<dyn Receive>,
    /// Adds new nodes to the members.
    pub membership: Arc<dyn Membership>,
    /// The open invitations of this node.
    pub invites: Arc<Invites>,
    /// The authority of all members.
    pub authority: Arc<Authority>,
    /// The URL at which users reach the nodes.
    pub public_url: String,
    /// Returns the public keys that this node trusts now.
    pub trusted: Box<dyn Fn() -> Vec<TrustedKeyFile> + Send + Sync>,
}

impl ClusterDoor {
    /// Handles a request. `caller` is the authenticated node, if any.
    pub(super) async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        caller: Option<NodeId>,
        slot: Arc<Slot>,
    ) -> Result<Response<ResponseBody>, Infallible> {
        let path = request.uri().path();
        Ok(match (request.method(), path, caller) {
            (&Method::POST, MESSAGE_PATH, Some(caller)) => self.receive(caller, request).await,
            // Answered without reading the body.
            (&Method::POST, MESSAGE_PATH, None) => empty(StatusCode::FORBIDDEN),
            (&Method::POST, welcome::JOIN_PATH, _) => self.join(request, slot).await,
            _ => empty(StatusCode::NOT_FOUND),
        })
    }

    /// Passes a message to the ledger. A message that was received completely is carried out even
    /// if the caller disconnects.
    async fn receive(
        self: Arc<Self>,
        caller: NodeId,
        request: Request<Incoming>,
    ) -> Response<ResponseBody> {
        let message = match read(request.into_body(), MESSAGE_LEN_MAX, MESSAGE_TIME).await {
            Ok(message) => message,
            Err(status) => return empty(status),
        };
        let received = tokio::spawn(async move { self.receiver.receive(caller, &message).await });
        match received.await {
            Ok(answer) if !answer.is_empty() => Response::new(whole(answer)),
            // The message may have been carried out, so the response breaks off: the caller must
            // not take it for an answer.
            Ok(_) | Err(_) => Response::new(broken()),
        }
    }

    async fn join(
        self: Arc<Self>,
        request: Request<Incoming>,
        slot: Arc<Slot>,
    ) -> Response<ResponseBody> {
        let body =
            match read(request.into_body(), welcome::REQUEST_LEN_MAX, JOIN_REQUEST_TIME).await {
                Ok(body) => body,
                Err(status) => return empty(status),
            };
        // In a task, so that an invitation is returned even if the caller disconnects.
        let joined = tokio::spawn(async move { self.admit(&body, &slot).await });
        match joined.await {
            Ok(Ok(welcome)) => json(StatusCode::OK, &welcome),
            Ok(Err((status, refused))) => json(status, &refused),
            Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// Adds the node to the members if it knows the secret of an open invitation.
    async fn admit(&self, body: &[u8], slot: &Slot) -> Result<Welcome, Rejection> {
        let request: JoinRequest = serde_json::from_slice(body).map_err(|_| {
            let error = "the request to join cannot be parsed";
            reject(StatusCode::BAD_REQUEST, error, SAME_VERSION)
        })?;
        let secret = request.secret.parse::<Secret>().ok();
        let Some(invite) = secret.and_then(|secret| self.invites.take(&secret)) else {
            // Nothing from the request is logged: the caller is not authenticated.
            tracing::warn!("rejected a request to join without a valid invitation");
            return Err(reject(
                StatusCode::FORBIDDEN,
                "the invitation has been used, has expired, or is not from this node",
                "create a new one with `jeton cluster invite`. It is valid once, for 15 minutes, \
                 while the inviting node runs",
            ));
        };
        // An invited node is not evicted for an unauthenticated one.
        slot.release();
        let address = match address_of(&request) {
            Ok(address) => address,
            Err(rejection) => {
                self.invites.give_back(invite);
                return Err(rejection);
            }
        };
        if let Err(error) = self.membership.add_learner(request.node_id, address.to_string()).await
        {
            let is_unknown = matches!(error, MembershipError::OutcomeUnknown(_));
            let hint = if is_unknown {
                "if `jeton cluster status` lists a node that was never started, remove it; then \
                 create a new invitation"
            } else {
                self.invites.give_back(invite);
                "the invitation is still valid; check `jeton cluster status` and try again"
            };
            return Err(reject(StatusCode::CONFLICT, &error.to_string(), hint));
        }
        let JoinRequest { node_id, version, .. } = request;
        tracing::info!(%node_id, %address, version, "a node joined");
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
            node_id,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Returns the address of the new node, if its message format is the one used here.
fn address_of(request: &JoinRequest) -> Result<NodeAddress, Rejection> {
    let Ok(address) = request.address.parse() else {
        let error = "the request to join has no valid address";
        return Err(reject(StatusCode::BAD_REQUEST, error, SAME_VERSION));
    };
    if request.format != MESSAGE_FORMAT {
        let error = format!(
            "the new node has jeton {}, which is incompatible with this cluster",
            request.version.replace(char::is_control, " ")
        );
        let hint = concat!(
            "install jeton ",
            env!("CARGO_PKG_VERSION"),
            " there, as here. The invitation is still valid"
        );
        return Err(reject(StatusCode::CONFLICT, &error, hint));
    }
    Ok(address)
}

fn reject(status: StatusCode, error: &str, hint: &str) -> Rejection {
    (status, JoinRefusal { error: error.to_owned(), hint: hint.to_owned() })
}

/// Reads a complete body.
async fn read(body: Incoming, len_max: usize, within: Duration) -> Result<Bytes, StatusCode> {
    match timeout(within, Limited::new(body, len_max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// Returns a response without a body, which closes the connection.
fn empty(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<ResponseBody> {
    let Ok(text) = serde_json::to_vec(value) else {
        return empty(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut response = empty(status);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = whole(text);
    response
}

fn whole(bytes: Vec<u8>) -> ResponseBody {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed()
}

/// Returns a body that breaks off.
fn broken() -> ResponseBody {
    let broken = Err::<Frame<Bytes>, _>(io::Error::other("no answer"));
    StreamBody::new(stream::iter([broken])).boxed()
}

impl fmt::Debug for ClusterDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterDoor").field("identity", &self.identity).finish_non_exhaustive()
    }
}
