//! The server side of [`RaftLedger`]: what it does with a message of another node.

use openraft::type_config::async_runtime::watch::WatchReceiver as _;
use tokio::time::Instant;

use super::RaftLedger;
use crate::ledger::raft::peers::{
    PeerRefusal, Request, Response, SnapshotPiece, SnapshotProgress, decode_body, decode_head,
    encode,
};
use crate::ledger::raft::types::{AppendEntriesResponse, LogId, SnapshotResponse, Vote};
use crate::ledger::{Command, NodeId};

impl RaftLedger {
    /// Handles a message of another node and returns the answer. The transport has authenticated
    /// `from` as the sender.
    ///
    /// Messages of non-members, of nodes of another ledger, and of nodes whose directory was copied
    /// or put back are refused and change nothing.
    pub async fn receive(&self, from: NodeId, message: &[u8]) -> Vec<u8> {
        let answer = match self.check(from, message) {
            Ok(request) => self.answer(from, request).await,
            Err(answer) => answer,
        };
        let is_introduction = matches!(answer, Response::Introduce);
        let introduction = is_introduction.then(|| self.peers.incarnations.history());
        let head = introduction.transpose().and_then(|shown| self.peers.head(from, shown));
        // Without a header there is no answer: the disk failed.
        head.ok().and_then(|head| encode(&head, &answer).ok()).unwrap_or_default()
    }

    /// Checks the header of a message, and then whether its sender may make the request.
    fn check(&self, from: NodeId, message: &[u8]) -> Result<Request, Response> {
        let (head, body) = decode_head(message).map_err(Response::Refused)?;
        let checked = self.peers.check(from, &head);
        if checked.is_err() {
            // The answer also holds for a copy of this message that arrives later.
            self.peers.is_first(from, head.incarnation, head.number);
        }
        checked?;
        let request = decode_body(body).map_err(Response::Refused)?;
        if matches!(request, Request::Forward(_))
            && (self.peers.is_late(from, head.clock)
                || !self.peers.is_first(from, head.incarnation, head.number))
        {
            return Err(Response::Failed("the message arrived late, or twice".to_owned()));
        }
        self.check_member(from, &request).map_err(Response::Refused)?;
        let own = self.peers.clock.now();
        self.peers.reports.note(from, head.clock, head.version, own);
        self.peers.errors.end(from);
        Ok(request)
    }

    /// Rejects member-only requests from non-members.
    ///
    /// A leader need not be a known member: this node may be the one that is behind. Nor need a
    /// candidate whose log reaches at least to this node's membership.
    fn check_member(&self, from: NodeId, request: &Request) -> Result<(), PeerRefusal> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let membership = &metrics.membership_config;
        let is_member = membership.get_node(&from).is_some();
        let known: Option<LogId> = *membership.log_id();
        match request {
            Request::Append(rpc) => is_by(&rpc.vote, from),
            Request::Snapshot(piece) => is_by(&piece.vote, from),
            Request::TransferLeader(rpc) => is_by(rpc.from_leader(), from),
            Request::Vote(rpc) | Request::PreVote(rpc) if !is_member && rpc.last_log_id < known => {
                Err(PeerRefusal::NotMember)
            }
            Request::Vote(rpc) | Request::PreVote(rpc) => is_by(&rpc.vote, from),
            // Only the leader handles these, and it knows all members.
            Request::Forward(_) | Request::Change(_) | Request::Members
                if !is_member && metrics.current_leader == Some(self.identity.node_id) =>
            {
                Err(PeerRefusal::NotMember)
            }
            Request::Forward(_) | Request::Change(_) | Request::Members => Ok(()),
        }
    }

    async fn answer(&self, from: NodeId, request: Request) -> Response {
        let arrived = Instant::now();
        match request {
            Request::Append(rpc) => {
                let answer = self.raft.append_entries(rpc).await;
                if let Ok(
                    AppendEntriesResponse::Success | AppendEntriesResponse::PartialSuccess(_),
                ) = answer
                {
                    self.peers.note_membership();
                    self.applied.freshness().leader_heard(arrived);
                }
                answer.map_or_else(failed, Response::Append)
            }
            Request::Vote(rpc) => self.raft.vote(rpc).await.map_or_else(failed, Response::Vote),
            Request::PreVote(rpc) => {
                self.raft.pre_vote(rpc).await.map_or_else(failed, Response::Vote)
            }
            Request::TransferLeader(rpc) => {
                if *rpc.to_node_id() == self.identity.node_id && self.peers.is_clock_off() {
                    return Response::Failed(
                        "the clock of this node is off: it cannot lead".to_owned(),
                    );
                }
                let answer = self.raft.handle_transfer_leader(rpc).await;
                answer.map_or_else(failed, Response::TransferLeader)
            }
            Request::Snapshot(piece) => self.take_piece(piece).await,
            Request::Forward(commands) => self.carry_out(commands).await,
            Request::Change(_) | Request::Members if !self.is_leader() => Response::NotLeader,
            Request::Change(change) => Response::Change(self.change_here(from, change).await),
            Request::Members => Response::Members(self.members_here()),
        }
    }

    async fn take_piece(&self, piece: SnapshotPiece) -> Response {
        let (sender, own) = (piece.vote, self.raft.metrics().borrow_watched().vote);
        if own > sender {
            return Response::Snapshot(SnapshotProgress::Installed(own));
        }
        let snapshot = match self.incoming.take(&piece) {
            Ok(snapshot) => snapshot,
            Err(next) => return Response::Snapshot(SnapshotProgress::Next(next)),
        };
        let installed = self.raft.install_full_snapshot(sender, snapshot).await;
        installed.map_or_else(failed, |answer: SnapshotResponse| {
            Response::Snapshot(SnapshotProgress::Installed(answer.vote))
        })
    }

    /// Puts another node's commands into this leader's own queue, so that one entry carries the
    /// commands of several nodes.
    async fn carry_out(&self, commands: Vec<Command>) -> Response {
        if !self.is_leader() || self.vouch().is_err() {
            return Response::NotLeader;
        }
        let outcomes = commands.into_iter().map(|command| self.batcher.submit_for_peer(command));
        let outcomes = futures_util::future::join_all(outcomes).await;
        Response::Forward(outcomes.into_iter().map(|one| one.map_err(Into::into)).collect())
    }
}

/// Rejects a request in the name of a leader or candidate other than its sender.
fn is_by(vote: &Vote, from: NodeId) -> Result<(), PeerRefusal> {
    if vote.leader_id.node_id == from { Ok(()) } else { Err(PeerRefusal::OtherSender) }
}

fn failed(error: impl std::fmt::Display) -> Response {
    Response::Failed(error.to_string())
}
