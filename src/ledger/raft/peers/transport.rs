//! The interface to the network: bytes to another node, bytes back.

use std::fmt::Debug;
use std::future::{Future, ready};
use std::pin::Pin;
use std::time::Duration;

use thiserror::Error;

use crate::ledger::NodeId;

/// The length limit of a message and of an answer, in bytes. A transport may reject longer ones.
pub const MESSAGE_LEN_MAX: usize = 16 * 1024 * 1024;

/// The other node's answer.
pub type Reply<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, TransportError>> + Send + 'a>>;

/// Carries messages between the nodes of a ledger.
///
/// It authenticates both sides: a call reaches the node with that id or none, and the receiver
/// passes the sender's id to [`RaftLedger::receive`](crate::ledger::raft::RaftLedger::receive). A
/// message may be delivered twice or late, but never altered.
pub trait Transport: Debug + Send + Sync {
    /// Delivers `message` to the node `to` and returns its answer. Gives up after `within`.
    ///
    /// Calls are concurrent: a heartbeat never waits for a snapshot that is being sent to the same
    /// node. A call that is dropped may have been delivered.
    fn call(&self, to: &PeerAddress, message: Vec<u8>, within: Duration) -> Reply<'_>;
}

/// Which node, and where it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerAddress {
    /// Its id.
    pub node_id: NodeId,
    /// Where it listens for other nodes.
    pub address: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum TransportError {
    /// The other node certainly did not see the message, and never will.
    #[error("not reachable: {0}")]
    NotDelivered(String),
    /// The other node may have received the message, or may receive it later.
    #[error("no answer: {0}")]
    Unknown(String),
}

/// The transport of a node that was started without a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Transport for Alone {
    fn call(&self, _to: &PeerAddress, _message: Vec<u8>, _within: Duration) -> Reply<'_> {
        let why = "this node was started without a cluster".to_owned();
        Box::pin(ready(Err(TransportError::NotDelivered(why))))
    }
}
