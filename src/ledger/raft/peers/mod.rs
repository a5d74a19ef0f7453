//! What the nodes say to each other, and the asking end of it.

mod append_stream;
mod message;
mod network;
mod peer_errors;
#[expect(clippy::module_inception, reason = "the room holds more than the one type named so")]
mod peers;
mod reports;
mod snapshot_transfer;
mod transport;
mod view;

pub use message::MESSAGE_FORMAT;
pub(crate) use message::{
    Envelope, MemberChange, PeerRefusal, Request, Response, Undecided, decode_body, decode_head,
    encode,
};
pub(crate) use network::Network;
pub(crate) use peers::{CallError, Peers};
pub(crate) use reports::{SKEW_MAX, is_off};
#[cfg(test)]
pub(crate) use snapshot_transfer::PIECE_LEN;
pub(crate) use snapshot_transfer::{Incoming, Piece, Taken};
pub use transport::{Alone, MESSAGE_LEN_MAX, PeerAddress, Reply, Transport, TransportError};
pub(crate) use view::View;
