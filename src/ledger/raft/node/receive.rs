//! The other end of the conversation: what this node does about a message.

use openraft::type_config::async_runtime::watch::WatchReceiver as _;
use tokio::time::Instant;

use super::RaftLedger;
use crate::ledger::raft::peers::{
    Envelope, PeerRefusal, Peers, Piece, Request, Response, Taken, decode_body, decode_head, encode,
};
use crate::ledger::raft::store::Verdict;
use crate::ledger::raft::types::{LogId, SnapshotResponse, TypeConfig, Vote};
use crate::ledger::{Command, NodeId};
use crate::token::UnixSeconds;

/// How long a forwarded command may be under way, in seconds. The sender tried
/// again long before, and the verdict it got is remembered for
/// [`VERDICT_MEMORY`](crate::ledger::VERDICT_MEMORY).
const LATE: u64 = 15;

impl RaftLedger {
    /// Does what a message of another node asks and returns the answer. `from` is
    /// the node that the transport proved it comes from.
    ///
    /// A stranger, a node of another ledger, and one whose folder was copied or
    /// put back are told so and change nothing.
    pub async fn receive(&self, from: NodeId, message: &[u8]) -> Vec<u8> {
        let answer = match self.check(from, message) {
            Ok(request) => self.answer(from, request).await,
            Err(answer) => answer,
        };
        let is_introduction = matches!(answer, Response::Introduce);
        let shown = is_introduction.then(|| self.peers.runs.history()).transpose();
        let head = shown.and_then(|shown| self.peers.head(from, shown));
        // Without a head there is no answer: the disk failed.
        head.ok().and_then(|head| encode(&head, &answer).ok()).unwrap_or_default()
    }

    /// Looks at who sent a message and whom it is for, before what it says.
    fn check(&self, from: NodeId, message: &[u8]) -> Result<Request, Response> {
        let (head, body) = decode_head(message).map_err(Response::Refused)?;
        let checked = self.peers.check(from, &head);
        if checked.is_err() {
            // What is answered now also holds for a copy of it that comes later.
            self.peers.is_first(from, head.run, head.number);
        }
        checked?;
        let request = decode_body(body).map_err(Response::Refused)?;
        if matches!(request, Request::Forward(_))
            && (self.peers.is_late(from, head.clock)
                || !self.peers.is_first(from, head.run, head.number))
        {
            return Err(Response::Failed("the message came late, or twice".to_owned()));
        }
        self.check_member(from, &request).map_err(Response::Refused)?;
        let own = self.peers.clock.now();
        self.peers.reports.note(from, head.clock, head.version, own);
        self.peers.troubles.end(from);
        Ok(request)
    }

    /// Refuses those who are no members what only members may ask.
    ///
    /// A leader that this node does not know is heard: this node may be the one
    /// that knows too little. A candidate is, if it knows more than this node.
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
            // Only the leader looks at them, and it knows all members.
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
                let (vote, commit) = (rpc.vote, rpc.leader_commit);
                let answer = self.raft.append_entries(rpc).await;
                if answer.as_ref().is_ok_and(is_accepted) {
                    self.peers.note_membership();
                    let leader = (vote.leader_id.term, vote.leader_id.node_id);
                    let commit = commit.map_or(0, |commit| commit.index());
                    self.applied.freshness().set_commit(leader, commit, arrived);
                }
                answer.map_or_else(failed, Response::Append)
            }
            Request::Vote(rpc) => self.raft.vote(rpc).await.map_or_else(failed, Response::Vote),
            Request::PreVote(rpc) => {
                self.raft.pre_vote(rpc).await.map_or_else(failed, Response::Vote)
            }
            Request::TransferLeader(rpc) => {
                if *rpc.to_node_id() == self.identity.node_id && self.peers.is_clock_off() {
                    return Response::Failed("the clock of this node is off".to_owned());
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

    async fn take_piece(&self, piece: Piece) -> Response {
        let (sender, own) = (piece.vote, self.raft.metrics().borrow_watched().vote);
        if own > sender {
            return Response::Snapshot(Taken::Installed(own));
        }
        let snapshot = match self.incoming.take(&piece) {
            Ok(snapshot) => snapshot,
            Err(next) => return Response::Snapshot(Taken::Next(next)),
        };
        let installed = self.raft.install_full_snapshot(sender, snapshot).await;
        let taken = |answer: SnapshotResponse| Response::Snapshot(Taken::Installed(answer.vote));
        installed.map_or_else(failed, taken)
    }

    /// Puts another node's commands into this leader's own queue, so that one
    /// entry carries the commands of all.
    async fn carry_out(&self, commands: Vec<Command>) -> Response {
        if !self.is_leader() || self.vouch().is_err() {
            return Response::NotLeader;
        }
        let outcomes = commands.into_iter().map(|command| self.batcher.submit_for_peer(command));
        let outcomes = futures_util::future::join_all(outcomes).await;
        Response::Forward(outcomes.into_iter().map(|one| one.map_err(Into::into)).collect())
    }
}

impl Peers {
    /// Tells whether a message that node `from` sent at `clock` was under way for so
    /// long that the verdicts of its commands may be forgotten.
    fn is_late(&self, from: NodeId, clock: UnixSeconds) -> bool {
        let Some(report) = self.reports.of(from) else { return false };
        let own = self.clock.now();
        let expected = own.get().saturating_add_signed(report.offset(own));
        clock.get().saturating_add(LATE) < expected
    }

    /// Tells whether to believe a node what it says of this one. Who was removed has no
    /// say in it; who is alone may have forgotten all others.
    fn has_say(&self, from: NodeId) -> bool {
        self.applied.member(from).is_some() || self.applied.members() <= 1
    }

    /// Looks at the head of a message that came `from` a node.
    fn check(&self, from: NodeId, head: &Envelope) -> Result<(), Response> {
        if head.ledger_id != self.identity.ledger_id {
            return Err(Response::Refused(PeerRefusal::OtherLedger));
        }
        if head.to != self.identity.node_id {
            return Err(Response::Refused(PeerRefusal::OtherTarget(self.identity.node_id)));
        }
        // Nobody else has this node's own id either.
        if head.from != from || from == self.identity.node_id {
            return Err(Response::Refused(PeerRefusal::OtherSender));
        }
        self.note_reached();
        let failed = |error: std::io::Error| Response::Failed(error.to_string());
        let judgement =
            self.runs.check(from, head.comes(), head.introduction.as_ref()).map_err(failed)?;
        let run = self.runs.current().map_err(failed)?;
        let is_meant = head.to_met.is_some_and(|met| met.incarnation == run);
        if head.to_met.is_some_and(|met| self.runs.lacks(met)) && self.has_say(from) {
            self.note_refusal(from, &PeerRefusal::OldFolder);
        }
        match judgement {
            Verdict::OldCopy => {
                self.note_old(from);
                Err(Response::Refused(PeerRefusal::OldFolder))
            }
            Verdict::Known if is_meant => Ok(()),
            Verdict::Known | Verdict::HistoryNeeded => Err(Response::Introduce),
        }
    }
}

/// Refuses a leader or a candidate that another node speaks for.
fn is_by(vote: &Vote, from: NodeId) -> Result<(), PeerRefusal> {
    if vote.leader_id.node_id == from { Ok(()) } else { Err(PeerRefusal::OtherSender) }
}

fn is_accepted(answer: &openraft::raft::AppendEntriesResponse<TypeConfig>) -> bool {
    use openraft::raft::AppendEntriesResponse::{Conflict, HigherVote, PartialSuccess, Success};
    match answer {
        Success | PartialSuccess(_) => true,
        Conflict | HigherVote(_) => false,
    }
}

fn failed(error: impl std::fmt::Display) -> Response {
    Response::Failed(error.to_string())
}
