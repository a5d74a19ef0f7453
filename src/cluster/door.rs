//! What is behind the door between nodes: `POST /raft` for nodes with a certificate,
//! `POST /join` for a node that was invited, nothing else.
//!
//! Who has a certificate of this cluster's authority is heard by the ledger, which
//! knows who is a member; the door proves only who it is.

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
use super::connection_limit::Seat;
use super::invite::{Invites, Secret};
use super::welcome::{self, JoinRequest, Refused, TrustedKeyFile, Welcome};
use crate::ledger::raft::{Identity, MESSAGE_FORMAT, MESSAGE_LEN_MAX, RaftLedger};
use crate::ledger::{Membership, MembershipError, NodeId};

/// Where members send their messages.
pub(super) const MESSAGES: &str = "/raft";

/// How long a member may take to send a message, once its head is there.
const MESSAGE_TIME: Duration = Duration::from_secs(30);

/// How long a guest may take to send its wish.
const WISH_TIME: Duration = Duration::from_secs(5);

/// What to do about a node that says what is not understood.
const SAME_VERSION: &str = "bring both nodes to the same version of jeton";

/// How a node is told that it was not let in.
type Rejection = (StatusCode, Refused);

/// What is sent back.
pub(super) type Body = BoxBody<Bytes, io::Error>;

/// Who is told what another node says.
pub trait Receive: Send + Sync {
    /// Does what a message of the node `from` asks and returns the answer.
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

/// What stands behind the door between nodes.
pub struct ClusterDoor {
    /// This node and its ledger.
    pub identity: Identity,
    /// Who is told what members say.
    pub receiver: Arc<dyn Receive>,
    /// Who adds a new node to the members.
    pub cluster: Arc<dyn Membership>,
    /// Whom this node has invited.
    pub invites: Arc<Invites>,
    /// The authority that all members are under.
    pub authority: Arc<Authority>,
    /// Where the world reaches the download nodes.
    pub public_url: String,
    /// Returns the public keys that this node trusts at present.
    pub trusted: Box<dyn Fn() -> Vec<TrustedKeyFile> + Send + Sync>,
}

impl ClusterDoor {
    /// Answers a request of the node `caller`, if it has proved to be one, who has
    /// the seat `seat`.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        caller: Option<NodeId>,
        seat: Arc<Seat>,
    ) -> Result<Response<Body>, Infallible> {
        let path = request.uri().path();
        Ok(match (request.method(), path, caller) {
            (&Method::POST, MESSAGES, Some(caller)) => self.hear(caller, request).await,
            // Before a byte of the body is read.
            (&Method::POST, MESSAGES, None) => say(StatusCode::FORBIDDEN),
            (&Method::POST, welcome::PATH, _) => self.join(request, seat).await,
            _ => say(StatusCode::NOT_FOUND),
        })
    }

    /// Hands a member's message to the ledger. What was received is carried out to
    /// its end even if the caller is gone.
    async fn hear(self: Arc<Self>, caller: NodeId, request: Request<Incoming>) -> Response<Body> {
        let message = match read(request.into_body(), MESSAGE_LEN_MAX, MESSAGE_TIME).await {
            Ok(message) => message,
            Err(status) => return say(status),
        };
        let heard = tokio::spawn(async move { self.receiver.receive(caller, &message).await });
        match heard.await {
            Ok(answer) if !answer.is_empty() => Response::new(whole(answer)),
            // It may have been carried out, so there must be no answer at all: the
            // body is never finished.
            Ok(_) | Err(_) => Response::new(broken()),
        }
    }

    async fn join(self: Arc<Self>, request: Request<Incoming>, seat: Arc<Seat>) -> Response<Body> {
        let body = match read(request.into_body(), welcome::REQUEST_LEN_MAX, WISH_TIME).await {
            Ok(body) => body,
            Err(status) => return say(status),
        };
        // To its end, so that an invitation is given back if nobody came in.
        let joined = tokio::spawn(async move { self.let_in(&body, &seat).await });
        match joined.await {
            Ok(Ok(welcome)) => json(StatusCode::OK, &welcome),
            Ok(Err((status, refused))) => json(status, &refused),
            Err(_) => say(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// Lets the node in that knows the secret of an open invitation.
    async fn let_in(&self, body: &[u8], seat: &Seat) -> Result<Welcome, Rejection> {
        let request: JoinRequest = serde_json::from_slice(body).map_err(|_| {
            let error = "the request to join is not understood";
            reject(StatusCode::BAD_REQUEST, error, SAME_VERSION)
        })?;
        let secret = request.secret.parse::<Secret>().ok();
        let Some(taken) = secret.and_then(|secret| self.invites.take(&secret)) else {
            // What a stranger says of himself is not worth a line of any length.
            tracing::warn!("a node wanted to join without a good invitation");
            return Err(reject(
                StatusCode::FORBIDDEN,
                "the invitation was used already, has expired, or is not this node's",
                "ask for a new one: `jeton cluster invite`. It is good once, for 15 minutes, while \
                 the node that made it runs",
            ));
        };
        // Whoever was invited does not have to make room for a stranger.
        seat.keep();
        let address = match address_of(&request) {
            Ok(address) => address,
            Err(rejection) => {
                self.invites.give_back(taken);
                return Err(rejection);
            }
        };
        if let Err(error) = self.cluster.add_learner(request.node_id, address.to_string()).await {
            let is_unknown = matches!(error, MembershipError::OutcomeUnknown(_));
            let hint = if is_unknown {
                "if `jeton cluster status` lists a node that nobody started, remove it; then ask \
                 for a new invitation"
            } else {
                self.invites.give_back(taken);
                "the invitation is still good; look at `jeton cluster status` and try again"
            };
            return Err(reject(StatusCode::CONFLICT, &error.to_string(), hint));
        }
        let JoinRequest { node_id, version, .. } = request;
        tracing::info!(%node_id, %address, version, "a node has joined");
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

/// Returns where the one who wants to join is reached, if it talks as the nodes here.
fn address_of(request: &JoinRequest) -> Result<NodeAddress, Rejection> {
    let Ok(address) = request.address.parse() else {
        let error = "the new node says no address";
        return Err(reject(StatusCode::BAD_REQUEST, error, SAME_VERSION));
    };
    if request.format != MESSAGE_FORMAT {
        let error = format!(
            "the new node has jeton {}, which does not talk to the nodes of this cluster",
            request.version.replace(char::is_control, " ")
        );
        let hint = concat!(
            "install jeton ",
            env!("CARGO_PKG_VERSION"),
            " there, as here. The invitation is still good"
        );
        return Err(reject(StatusCode::CONFLICT, &error, hint));
    }
    Ok(address)
}

fn reject(status: StatusCode, error: &str, hint: &str) -> Rejection {
    (status, Refused { error: error.to_owned(), hint: hint.to_owned() })
}

/// Reads a body, whole.
async fn read(body: Incoming, len_max: usize, within: Duration) -> Result<Bytes, StatusCode> {
    match timeout(within, Limited::new(body, len_max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// Says nothing but the status, and ends the connection.
fn say(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let Ok(text) = serde_json::to_vec(value) else {
        return say(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut response = say(status);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = whole(text);
    response
}

fn whole(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed()
}

/// Returns a body that breaks the connection.
fn broken() -> Body {
    let broken = Err::<Frame<Bytes>, _>(io::Error::other("there is no answer"));
    StreamBody::new(stream::iter([broken])).boxed()
}

impl fmt::Debug for ClusterDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterDoor").field("identity", &self.identity).finish_non_exhaustive()
    }
}
