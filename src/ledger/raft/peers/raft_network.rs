//! openraft's network: sends its requests through [`Peers`].

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::future::{Either, select};
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2, stream_append_sequential};
use openraft::raft::StreamAppendResult;
use openraft::{EntryPayload, OptionalSend};
use tokio::time::sleep;

use super::append_stream::merge_commits;
use super::exchange::{CallError, Peers};
use super::message::{Request, Response};
use super::snapshot_transfer::{SnapshotPiece, SnapshotProgress};
use super::transport::PeerAddress;
use crate::ledger::NodeId;
use crate::ledger::raft::types::{
    AppendEntriesRequest, AppendEntriesResponse, Member, RaftEntry, Snapshot, SnapshotResponse,
    TransferLeaderRequest, TransferLeaderResponse, TypeConfig, Vote, VoteRequest, VoteResponse,
};

/// How long the other node may take to write entries. A heartbeat has less time: openraft's own
/// limit.
const APPEND_WITHIN: Duration = Duration::from_secs(1);

/// How long to wait for a response before the same request is sent again, on another connection.
/// TCP waits longer before it retransmits a lost packet.
const RESEND_AFTER: Duration = Duration::from_millis(150);

/// How many commands a message may have that is sent again. A larger one may be late because of its
/// size.
const RESEND_COMMANDS_MAX: usize = 256;

/// How many commands one message carries at most, unless a single entry has more: with the longest
/// names and notes this stays far below [`MESSAGE_LEN_MAX`](super::MESSAGE_LEN_MAX).
const APPEND_COMMANDS_MAX: usize = 8_192;

/// A response, or why there is none, in openraft's types.
type RpcResult<T> = Result<T, RPCError<TypeConfig>>;

/// The responses to a stream of entries, in openraft's types.
type AppendResponses<'s> =
    BoxFuture<'s, RpcResult<BoxStream<'s, RpcResult<StreamAppendResult<TypeConfig>>>>>;

/// Makes connections for openraft.
#[derive(Clone)]
pub(crate) struct RaftConnections(pub(crate) Arc<Peers>);

/// openraft's connection to one node.
pub(crate) struct RaftConnection {
    peers: Arc<Peers>,
    target: PeerAddress,
}

impl RaftNetworkFactory<TypeConfig> for RaftConnections {
    type Network = RaftConnection;

    async fn new_client(&mut self, target: NodeId, node: &Member) -> Self::Network {
        let target = PeerAddress { node_id: target, address: node.address.clone() };
        RaftConnection { peers: Arc::clone(&self.0), target }
    }
}

impl RaftConnection {
    async fn ask(&self, request: &Request, within: Duration) -> RpcResult<Response> {
        // A member may have moved since openraft made this connection.
        let moved = self.peers.address(self.target.node_id);
        let target = moved.as_ref().unwrap_or(&self.target);
        self.peers.ask(target, request, within).await.map_err(|error| match error {
            CallError::NotDone(error) => RPCError::Unreachable(Unreachable::from_string(error)),
            CallError::Unknown(error) => RPCError::Network(NetworkError::from_string(error)),
        })
    }

    /// Sends a request, and once more if the response is late; returns the first response. Only for
    /// requests that may arrive twice, as all of openraft's may.
    async fn ask_twice(&self, request: &Request, within: Duration) -> RpcResult<Response> {
        let first = pin!(self.ask(request, within));
        let first = match select(first, pin!(sleep(RESEND_AFTER))).await {
            Either::Left((answer, _)) => return answer,
            Either::Right(((), first)) => first,
        };
        let second = pin!(self.ask(request, within.saturating_sub(RESEND_AFTER)));
        match select(first, second).await {
            Either::Left((Ok(answer), _)) | Either::Right((Ok(answer), _)) => Ok(answer),
            Either::Left((Err(_), second)) => second.await,
            Either::Right((Err(_), first)) => first.await,
        }
    }

    /// Sends the pieces of a snapshot that the other node does not have yet.
    async fn send_snapshot(
        &self,
        vote: Vote,
        snapshot: &Snapshot,
        within: Duration,
    ) -> RpcResult<Vote> {
        let crc = crc32fast::hash(&snapshot.snapshot);
        let mut offset = 0;
        loop {
            let piece = SnapshotPiece::of(vote, snapshot, crc, offset);
            let answer = self.ask(&Request::Snapshot(piece), within).await?;
            let Response::Snapshot(progress) = answer else { return Err(unexpected(answer)) };
            match progress {
                SnapshotProgress::Next(next) => offset = next,
                SnapshotProgress::Installed(vote) => return Ok(vote),
            }
        }
    }
}

impl RaftNetworkV2<TypeConfig> for RaftConnection {
    type SnapshotData = Vec<u8>;

    async fn append_entries(
        &mut self,
        mut rpc: AppendEntriesRequest,
        option: RPCOption,
    ) -> RpcResult<AppendEntriesResponse> {
        let within = if rpc.entries.is_empty() { option.hard_ttl() } else { APPEND_WITHIN };
        let is_cut = cut(&mut rpc);
        let last = rpc.entries.last().map(|entry| entry.log_id);
        let is_short = commands(&rpc.entries) <= RESEND_COMMANDS_MAX;
        let request = Request::Append(rpc);
        let answer = if is_short {
            self.ask_twice(&request, within).await?
        } else {
            self.ask(&request, within).await?
        };
        let Response::Append(answer) = answer else { return Err(unexpected(answer)) };
        if is_cut && answer.is_success() {
            return Ok(AppendEntriesResponse::PartialSuccess(last));
        }
        Ok(answer)
    }

    fn stream_append<'s, S>(&'s mut self, input: S, option: RPCOption) -> AppendResponses<'s>
    where
        S: Stream<Item = AppendEntriesRequest> + OptionalSend + Unpin + 'static,
    {
        stream_append_sequential(self, Box::pin(merge_commits(input)), option)
    }

    async fn vote(&mut self, rpc: VoteRequest, option: RPCOption) -> RpcResult<VoteResponse> {
        let answer = self.ask_twice(&Request::Vote(rpc), option.hard_ttl()).await?;
        if let Response::Vote(answer) = answer { Ok(answer) } else { Err(unexpected(answer)) }
    }

    async fn pre_vote(&mut self, rpc: VoteRequest, option: RPCOption) -> RpcResult<VoteResponse> {
        let answer = self.ask_twice(&Request::PreVote(rpc), option.hard_ttl()).await?;
        if let Response::Vote(answer) = answer { Ok(answer) } else { Err(unexpected(answer)) }
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse, StreamingError<TypeConfig>> {
        let sending = pin!(self.send_snapshot(vote, &snapshot, option.soft_ttl()));
        match select(sending, pin!(cancel)).await {
            Either::Left((sent, _)) => Ok(SnapshotResponse::new(sent?)),
            Either::Right((closed, _)) => Err(closed.into()),
        }
    }

    async fn transfer_leader(
        &mut self,
        rpc: TransferLeaderRequest,
        option: RPCOption,
    ) -> RpcResult<TransferLeaderResponse> {
        let answer = self.ask(&Request::TransferLeader(rpc), option.soft_ttl()).await?;
        let Response::TransferLeader(answer) = answer else { return Err(unexpected(answer)) };
        Ok(answer)
    }
}

/// Counts the commands in entries.
fn commands(entries: &[RaftEntry]) -> usize {
    let of = |entry: &RaftEntry| match &entry.payload {
        EntryPayload::Normal(entry) => entry.commands.len(),
        EntryPayload::Blank | EntryPayload::Membership(_) => 0,
    };
    entries.iter().map(of).sum()
}

/// Drops entries from the end until one message can carry the rest; at least one stays. Returns
/// `true` if it dropped any.
fn cut(rpc: &mut AppendEntriesRequest) -> bool {
    let mut sum = 0_usize;
    let fits = rpc.entries.iter().take_while(|entry| {
        sum = sum.saturating_add(commands(std::slice::from_ref(entry)));
        sum <= APPEND_COMMANDS_MAX
    });
    let fitting = fits.count().max(1);
    let is_cut = fitting < rpc.entries.len();
    rpc.entries.truncate(fitting);
    is_cut
}

fn unexpected(answer: Response) -> RPCError<TypeConfig> {
    RPCError::Unreachable(Unreachable::from_string(if let Response::Failed(why) = answer {
        why
    } else {
        "the response does not belong to the request".to_owned()
    }))
}
