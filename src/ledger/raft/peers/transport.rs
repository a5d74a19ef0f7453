//! The seam to the network: bytes to another node, bytes back.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use thiserror::Error;

use crate::ledger::NodeId;

/// The longest message and the longest answer, in bytes. A transport may refuse
/// what is longer.
pub const MESSAGE_LEN_MAX: usize = 16 * 1024 * 1024;

/// What is promised to come: the other node's answer.
pub type Reply<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, TransportError>> + Send + 'a>>;

/// Carries messages between the nodes of a ledger.
///
/// It has to prove to each side who the other is: the caller reaches the node
/// with that id or nobody, and
/// [`RaftLedger::receive`](super::RaftLedger::receive) is told who sent.
/// A message may be delivered twice or late, never changed.
pub trait Transport: Debug + Send + Sync {
    /// Has the node `to` receive `message` and returns its answer, giving up
    /// after `within`.
    ///
    /// Calls run side by side: a heartbeat never waits for a snapshot that is on
    /// its way to the same node. A call that is dropped may have been delivered.
    fn call(&self, to: &PeerAddress, message: Vec<u8>, within: Duration) -> Reply<'_>;
}

/// Which node, and where it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerAddress {
    /// Its id.
    pub node_id: NodeId,
    /// Where it listens for the others.
    pub address: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum TransportError {
    /// The other node surely never saw the message, and never will.
    #[error("not reachable: {0}")]
    NotDelivered(String),
    /// The other node may have received the message, or may yet.
    #[error("no answer: {0}")]
    Unknown(String),
}

/// The transport of a node that is alone: there is nobody to talk to.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Transport for Alone {
    fn call(&self, _to: &PeerAddress, _message: Vec<u8>, _within: Duration) -> Reply<'_> {
        let nobody = "this node was started without a cluster".to_owned();
        Box::pin(std::future::ready(Err(TransportError::NotDelivered(nobody))))
    }
}
