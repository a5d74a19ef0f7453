//! What the nodes say to each other, and the bytes of it.
//!
//! ```text
//! message = format u16, little-endian | postcard of Head | postcard of Request
//! answer  = format u16, little-endian | postcard of Head | postcard of Answer
//! ```

use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::snapshot_transfer::{Piece, Taken};
use crate::ledger::raft::store::{History, PeerRecord};
use crate::ledger::raft::types::TypeConfig;
use crate::ledger::{Command, LedgerError, MemberStatus, MembershipError, NodeId, Outcome};
use crate::token::UnixSeconds;

/// The version of the messages. Nodes of two versions of jeton understand each other
/// only if this is the same.
pub const MESSAGE_FORMAT: u16 = 2;

/// What every message and every answer begins with.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Envelope {
    /// The ledger that both share.
    pub(crate) ledger_id: [u8; 16],
    /// Who speaks.
    pub(crate) from: NodeId,
    /// Who is meant.
    pub(crate) to: NodeId,
    /// What the one who speaks drew when it was started.
    pub(crate) run: u64,
    /// What it knows of the other one; nothing if they never spoke.
    pub(crate) to_met: Option<PeerRecord>,
    /// Which message of this start it is; an answer has its own.
    pub(crate) number: u64,
    /// Up to which index the speaker's disk holds what is committed.
    pub(crate) holds: u64,
    /// What the speaker shows of itself, if it has to.
    pub(crate) introduction: Option<History>,
    /// The speaker's clock.
    pub(crate) clock: UnixSeconds,
    /// The speaker's version of the program.
    pub(crate) version: String,
}

impl Envelope {
    /// What the speaker says of its start and its disk.
    pub(crate) const fn comes(&self) -> PeerRecord {
        PeerRecord { incarnation: self.run, durable_index: self.holds }
    }
}

/// What one node asks of another.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Request {
    /// Raft: entries, or none as a heartbeat.
    Append(AppendEntriesRequest<TypeConfig>),
    /// Raft: to vote for the sender.
    Vote(VoteRequest<TypeConfig>),
    /// Raft: whether the other would vote for the sender.
    PreVote(VoteRequest<TypeConfig>),
    /// Raft: to lead.
    TransferLeader(TransferLeaderRequest<TypeConfig>),
    /// A part of a snapshot.
    Snapshot(Piece),
    /// To carry out commands, as the leader.
    Forward(Vec<Command>),
    /// To change the members, as the leader.
    Change(MemberChange),
    /// To list the members, as the leader.
    Members,
}

/// A wish to change the members.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum MemberChange {
    /// A new node.
    AddLearner(NodeId, String),
    /// A new address.
    SetAddress(NodeId, String),
    /// Learners become voters, voters become learners, members go: all at once.
    Roles { promote: Vec<NodeId>, demote: Vec<NodeId>, remove: Vec<NodeId> },
    /// Another leader.
    TransferLeader(Option<NodeId>),
}

/// What the other one says.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Response {
    /// To [`Request::Append`].
    Append(AppendEntriesResponse<TypeConfig>),
    /// To [`Request::Vote`] and [`Request::PreVote`].
    Vote(VoteResponse<TypeConfig>),
    /// To [`Request::TransferLeader`].
    TransferLeader(TransferLeaderResponse<TypeConfig>),
    /// To [`Request::Snapshot`].
    Snapshot(Taken),
    /// To [`Request::Forward`]: one for each command.
    Forward(Vec<Result<Outcome, Undecided>>),
    /// To [`Request::Change`].
    Change(Result<(), MembershipError>),
    /// To [`Request::Members`].
    Members(Vec<MemberStatus>),
    /// The request was not looked at: this is not the leader.
    NotLeader,
    /// The request was not looked at: the two have to introduce themselves. The
    /// one who answers does so in the head.
    Introduce,
    /// The request was not looked at, and never will be.
    Refused(PeerRefusal),
    /// The request failed.
    Failed(String),
}

/// Why a forwarded command has no outcome.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Undecided {
    /// It was surely not put into the log.
    NotAppended,
    /// It may be carried out, or may yet be.
    Unknown,
}

impl From<LedgerError> for Undecided {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Overloaded | LedgerError::Unavailable(_) => Self::NotAppended,
            LedgerError::OutcomeUnknown(_) => Self::Unknown,
        }
    }
}

/// Why a node does not talk to another, and what to do about it.
#[derive(Clone, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
pub(crate) enum PeerRefusal {
    /// They do not speak the same version of the messages.
    #[error("the nodes speak different versions: bring both to the same version of jeton")]
    Format,
    /// They are nodes of different ledgers.
    #[error(
        "this node belongs to another ledger: correct the address, or join the cluster with a \
         fresh folder"
    )]
    OtherLedger,
    /// The message was meant for somebody else.
    #[error(
        "the node at this address is {0}, not the one that was meant: correct \
         `cluster.address` in the jeton.toml of that one, and restart it"
    )]
    OtherTarget(NodeId),
    /// The sender is not who it says.
    #[error(
        "the certificate is that of another node than the ledger's folder: do not copy one \
         without the other, join with a fresh folder"
    )]
    OtherSender,
    /// The sender is no member.
    #[error(
        "this node is not a member: it was removed or never added. Move its folder away and \
         join afresh"
    )]
    NotMember,
    /// The sender's folder is not the one that the others know.
    #[error(
        "this folder is an old disk put back, or a copy of one that runs elsewhere: it may \
         have forgotten what it acknowledged. Never start it again: join with a fresh folder, \
         and `jeton cluster replace` the old node by the new one"
    )]
    OldFolder,
}

/// Writes a message or an answer.
pub(crate) fn encode(head: &Envelope, body: &impl Serialize) -> Result<Vec<u8>, postcard::Error> {
    let mut bytes = MESSAGE_FORMAT.to_le_bytes().to_vec();
    bytes = postcard::to_extend(head, bytes)?;
    postcard::to_extend(body, bytes)
}

/// Reads a head; the rest is the body.
///
/// # Errors
///
/// [`PeerRefusal::Format`] for bytes that another version wrote.
pub(crate) fn decode_head(bytes: &[u8]) -> Result<(Envelope, &[u8]), PeerRefusal> {
    let (format, rest) = bytes.split_first_chunk().ok_or(PeerRefusal::Format)?;
    if u16::from_le_bytes(*format) != MESSAGE_FORMAT {
        return Err(PeerRefusal::Format);
    }
    postcard::take_from_bytes(rest).map_err(|_| PeerRefusal::Format)
}

/// Reads a body, whole.
pub(crate) fn decode_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, PeerRefusal> {
    match postcard::take_from_bytes(bytes) {
        Ok((body, [])) => Ok(body),
        Ok(_) | Err(_) => Err(PeerRefusal::Format),
    }
}
