//! The messages between nodes, and their bytes.
//!
//! ```text
//! message = format u16, little-endian | postcard of Envelope | postcard of Request
//! answer  = format u16, little-endian | postcard of Envelope | postcard of Response
//! ```

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::echoes::Confirmation;
use super::snapshot_transfer::{SnapshotPiece, SnapshotProgress};
use crate::ledger::raft::store::{History, PeerRecord};
use crate::ledger::raft::types::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use crate::ledger::{
    Command, LedgerError, MemberStatus, MembershipError, NodeId, Outcome, OutcomeUnknown,
    Unavailable,
};
use crate::token::UnixSeconds;

/// The version of the messages. Nodes with different numbers refuse each other.
///
/// Any change of the bytes raises it. Format 3 encodes the reasons of a [`MembershipError`] as enum
/// tags, which were text in format 2, and adds `Confirmation`s.
pub const MESSAGE_FORMAT: u16 = 3;

/// The header of every message and every answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Envelope {
    /// The ledger that both nodes share.
    pub(crate) ledger_id: [u8; 16],
    /// The sender.
    pub(crate) from: NodeId,
    /// The intended receiver.
    pub(crate) to: NodeId,
    /// The sender's incarnation.
    pub(crate) incarnation: u64,
    /// What the sender knows of the receiver; nothing if they never exchanged a message.
    pub(crate) known_receiver: Option<PeerRecord>,
    /// Counts the messages and answers of this incarnation.
    pub(crate) number: u64,
    /// From which the receiver learns how fresh its state is.
    pub(crate) confirmation: Option<Confirmation>,
    /// The index up to which the sender's disk holds what is committed.
    pub(crate) durable_index: u64,
    /// The sender's incarnations, if the receiver needs them.
    pub(crate) introduction: Option<History>,
    /// The sender's clock.
    pub(crate) clock: UnixSeconds,
    /// The sender's version of jeton.
    pub(crate) version: String,
}

impl Envelope {
    /// Returns the sender's incarnation and durable index.
    pub(crate) const fn sender_record(&self) -> PeerRecord {
        PeerRecord { incarnation: self.incarnation, durable_index: self.durable_index }
    }
}

/// A request to another node.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Request {
    /// Raft: entries, or none as a heartbeat.
    Append(AppendEntriesRequest),
    /// Raft: asks for a vote.
    Vote(VoteRequest),
    /// Raft: asks whether the receiver would vote for the sender.
    PreVote(VoteRequest),
    /// Raft: names the node that is to lead.
    TransferLeader(TransferLeaderRequest),
    /// A piece of a snapshot.
    Snapshot(SnapshotPiece),
    /// Asks the leader to carry out commands.
    Forward(Vec<Command>),
    /// Asks the leader to change the members.
    Change(MemberChange),
    /// Asks the leader to list the members.
    Members,
}

/// A change of the members.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum MemberChange {
    /// Adds a node at an address.
    AddLearner(NodeId, String),
    /// Changes the address of a member.
    SetAddress(NodeId, String),
    /// Changes roles.
    Roles(RoleChange),
    /// Transfers the leadership to a voter, or to the one that is least behind.
    TransferLeader(Option<NodeId>),
}

/// The learners to promote, the voters to demote and the members to remove, in one change.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct RoleChange {
    pub(crate) promote: BTreeSet<NodeId>,
    pub(crate) demote: BTreeSet<NodeId>,
    pub(crate) remove: BTreeSet<NodeId>,
}

/// The response to a [`Request`]. Seven variants have the name of the request that they answer;
/// `Vote` also answers [`Request::PreVote`].
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Response {
    Append(AppendEntriesResponse),
    Vote(VoteResponse),
    TransferLeader(TransferLeaderResponse),
    Snapshot(SnapshotProgress),
    /// Has one outcome for each command.
    Forward(Vec<Result<Outcome, ForwardError>>),
    Change(Result<(), MembershipError>),
    Members(Vec<MemberStatus>),
    /// The request was ignored: the receiver does not lead.
    NotLeader,
    /// The request was ignored until both nodes have introduced themselves. The header of this
    /// answer holds the introduction of its sender.
    Introduce,
    /// The request was rejected, for a reason that concerns the nodes and not the request.
    Refused(PeerRefusal),
    /// The request failed.
    Failed(String),
}

/// Why a forwarded command has no outcome.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum ForwardError {
    /// It was certainly not appended to the log.
    NotAppended,
    /// It may have been carried out, or may yet be.
    Unknown,
}

impl From<LedgerError> for ForwardError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Overloaded | LedgerError::Unavailable(_) => Self::NotAppended,
            LedgerError::OutcomeUnknown(_) => Self::Unknown,
        }
    }
}

impl From<ForwardError> for LedgerError {
    fn from(error: ForwardError) -> Self {
        match error {
            ForwardError::NotAppended => Self::Unavailable(Unavailable::NotAppended),
            ForwardError::Unknown => Self::OutcomeUnknown(OutcomeUnknown::LeaderFailed),
        }
    }
}

/// Why a node rejects the messages of another, and what to do about it. The text is for the
/// operator of the node that is rejected.
#[derive(Clone, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
pub(crate) enum PeerRefusal {
    /// They use different message formats.
    #[error(
        "the nodes use different versions of the protocol: install the same version of jeton on \
         both"
    )]
    Format,
    /// They are nodes of different ledgers.
    #[error(
        "this node belongs to another ledger: correct the address, or join the cluster with a \
         fresh directory"
    )]
    OtherLedger,
    /// The message is for another node.
    #[error(
        "the node at this address is {0}, not the expected one: correct `cluster.address` in \
         the jeton.toml of the expected node, and restart it"
    )]
    OtherTarget(NodeId),
    /// The sender is not the node that it claims to be.
    #[error(
        "the certificate and the ledger directory belong to different nodes: never copy one \
         without the other; join with a fresh directory"
    )]
    OtherSender,
    /// The sender is not a member.
    #[error(
        "this node is not a member: it was removed or never added. Move its ledger directory \
         away and join with a fresh directory"
    )]
    NotMember,
    /// The sender's directory lacks something that the receiver knows of it.
    #[error(
        "this directory is an old disk put back, or a copy of one that runs elsewhere: it may \
         have forgotten what it acknowledged. Never start it again: join with a fresh \
         directory, then `jeton cluster replace` the old node with the new one"
    )]
    OldDirectory,
}

/// Encodes a message or an answer.
pub(crate) fn encode(head: &Envelope, body: &impl Serialize) -> Result<Vec<u8>, postcard::Error> {
    let mut bytes = MESSAGE_FORMAT.to_le_bytes().to_vec();
    bytes = postcard::to_extend(head, bytes)?;
    postcard::to_extend(body, bytes)
}

/// Decodes the header; the rest is the body.
///
/// # Errors
///
/// [`PeerRefusal::Format`] for another format, or bytes that do not decode.
pub(crate) fn decode_head(bytes: &[u8]) -> Result<(Envelope, &[u8]), PeerRefusal> {
    let (format, rest) = bytes.split_first_chunk().ok_or(PeerRefusal::Format)?;
    if u16::from_le_bytes(*format) != MESSAGE_FORMAT {
        return Err(PeerRefusal::Format);
    }
    postcard::take_from_bytes(rest).map_err(|_| PeerRefusal::Format)
}

/// Decodes a body, with nothing left over.
pub(crate) fn decode_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, PeerRefusal> {
    match postcard::take_from_bytes(bytes) {
        Ok((body, [])) => Ok(body),
        Ok(_) | Err(_) => Err(PeerRefusal::Format),
    }
}
