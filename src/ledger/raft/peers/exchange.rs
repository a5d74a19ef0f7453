//! The exchange of messages with other nodes: calls, checks of what arrives, and what this node
//! remembers of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, timeout};

use super::echoes::{Echoes, LastReceived, MessageId};
use super::message::{Envelope, PeerRefusal, Request, Response, decode_body, decode_head, encode};
use super::peer_errors::PeerErrors;
use super::reports::{PeerReports, is_off};
use super::transport::{PeerAddress, Transport, TransportError};
use crate::clock::Clock;
use crate::ledger::NodeId;
use crate::ledger::log::Writer;
use crate::ledger::raft::store::{Applied, ClockReading, History, Identity, Incarnations, Verdict};
use crate::token::UnixSeconds;

/// How often a request is sent at most: the first two answers may be introductions.
const SENDS_MAX: usize = 3;

/// How many forwards of each node are remembered, so that none is carried out twice.
const FORWARDS_KEPT: usize = 4_096;

/// How late a forwarded command may arrive, in seconds. The sender repeated it long before, and its
/// verdict is remembered for [`VERDICT_MEMORY`](crate::ledger::VERDICT_MEMORY).
const LATE: u64 = 15;

/// The other nodes, and what all exchanges with them share.
pub(crate) struct Peers {
    pub(crate) identity: Identity,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) incarnations: Incarnations,
    pub(crate) reports: PeerReports,
    pub(crate) applied: Applied,
    log: Arc<Writer>,
    transport: Arc<dyn Transport>,
    started_at: Instant,
    /// Whether a message for this node has arrived since its start.
    is_reached: AtomicBool,
    echoes: Echoes,
    /// By sender: its incarnation, and the numbers of its last forwards.
    forwards: Mutex<BTreeMap<NodeId, (u64, BTreeSet<u64>)>>,
    /// Why the cluster refuses this node, if it does.
    refused: Mutex<Option<PeerRefusal>>,
    pub(crate) errors: PeerErrors,
}

/// Why a request has no response.
#[derive(Debug, Error)]
pub(crate) enum CallError {
    /// The other node certainly did not see the request, or did not act on it.
    #[error(transparent)]
    NotDone(#[from] NotDone),
    /// The other node may have acted on the request, or may yet.
    #[error(transparent)]
    Unknown(#[from] NoAnswer),
}

/// Why the other node certainly did not act on a request.
#[derive(Debug, Error)]
pub(crate) enum NotDone {
    #[error("this node cannot write its file `runs`: {0}")]
    Disk(io::Error),
    #[error("the message cannot be encoded: {0}")]
    Encoding(postcard::Error),
    #[error("{0}")]
    NotDelivered(TransportError),
    #[error("{0}")]
    Refused(PeerRefusal),
    #[error("its directory is an old disk put back, or a copy of one that runs elsewhere")]
    OldDirectory,
    #[error("it did not accept the introduction of this node")]
    NotIntroduced,
}

/// Why it is not known whether the other node acted on a request.
#[derive(Debug, Error)]
pub(crate) enum NoAnswer {
    #[error("it took too long")]
    TimedOut,
    #[error("{0}")]
    Lost(TransportError),
    #[error("{0}")]
    NotUnderstood(PeerRefusal),
}

impl Peers {
    pub(crate) fn new(
        identity: Identity,
        clock: Arc<dyn Clock>,
        incarnations: Incarnations,
        applied: Applied,
        log: Arc<Writer>,
        transport: Arc<dyn Transport>,
    ) -> Self {
        Self {
            identity,
            clock,
            incarnations,
            reports: PeerReports::default(),
            applied,
            log,
            transport,
            started_at: Instant::now(),
            is_reached: AtomicBool::new(false),
            echoes: Echoes::default(),
            forwards: Mutex::default(),
            refused: Mutex::default(),
            errors: PeerErrors::default(),
        }
    }

    /// Sends a request and returns the response. The nodes introduce themselves if either does not
    /// know the other's incarnation.
    pub(crate) async fn ask(
        &self,
        to: &PeerAddress,
        request: &Request,
        within: Duration,
    ) -> Result<Response, CallError> {
        let give_up = Instant::now() + within;
        let mut introduction = None;
        for _ in 0..SENDS_MAX {
            let head = self.head(to.node_id, introduction).map_err(NotDone::Disk)?;
            let message = encode(&head, request).map_err(NotDone::Encoding)?;
            let left = give_up.saturating_duration_since(Instant::now());
            let (head, response) = self.call(to, message, left).await.inspect_err(|error| {
                // The transport logs its failures itself.
                self.errors.note(to.node_id, error.to_string());
            })?;
            let sender = head.sender_record();
            if let Response::Refused(refusal) = response {
                self.note_refusal(to.node_id, &refusal);
                return Err(NotDone::Refused(refusal).into());
            }
            if !matches!(response, Response::Introduce) {
                self.incarnations.update(to.node_id, sender);
                self.note_head(to.node_id, &head).map_err(NotDone::Disk)?;
                let own = self.clock.now();
                self.reports.note(to.node_id, head.clock, head.version, own);
                self.errors.end(to.node_id);
                return Ok(response);
            }
            let shown = head.introduction.as_ref();
            let verdict = self.incarnations.check(to.node_id, sender, shown);
            match verdict.map_err(NotDone::Disk)? {
                Verdict::Known => {
                    introduction = Some(self.incarnations.history().map_err(NotDone::Disk)?);
                }
                Verdict::HistoryNeeded | Verdict::OldCopy => {
                    self.note_old(to.node_id);
                    return Err(NotDone::OldDirectory.into());
                }
            }
        }
        Err(NotDone::NotIntroduced.into())
    }

    async fn call(
        &self,
        to: &PeerAddress,
        message: Vec<u8>,
        within: Duration,
    ) -> Result<(Envelope, Response), CallError> {
        let answer = timeout(within, self.transport.call(to, message, within)).await;
        let answer = answer.map_err(|_| NoAnswer::TimedOut)?.map_err(|error| match &error {
            TransportError::NotDelivered(_) => CallError::from(NotDone::NotDelivered(error)),
            TransportError::Unknown(_) => NoAnswer::Lost(error).into(),
        })?;
        let not_understood = |refusal: PeerRefusal| {
            if self.errors.note(to.node_id, refusal.to_string()) {
                tracing::warn!(node_id = %to.node_id, "an answer is not understood: {refusal}");
            }
            NoAnswer::NotUnderstood(refusal)
        };
        let (head, body) = decode_head(&answer).map_err(not_understood)?;
        let body = decode_body(body).map_err(not_understood)?;
        // Another node than the intended one may have answered, with a refusal.
        let is_refused = matches!(body, Response::Refused(_));
        if !is_refused && head.ledger_id != self.identity.ledger_id {
            return Err(not_understood(PeerRefusal::OtherLedger).into());
        }
        if !is_refused && (head.from != to.node_id || head.to != self.identity.node_id) {
            return Err(not_understood(PeerRefusal::OtherTarget(head.from)).into());
        }
        Ok((head, body))
    }

    /// Makes the header of a message or an answer to `to`.
    pub(crate) fn head(&self, to: NodeId, introduction: Option<History>) -> io::Result<Envelope> {
        let now = self.reading();
        Ok(Envelope {
            ledger_id: self.identity.ledger_id,
            from: self.identity.node_id,
            to,
            incarnation: self.incarnations.current()?,
            known_receiver: self.incarnations.peer(to),
            number: self.echoes.next_number(now),
            confirmation: self.echoes.confirmation(to),
            // What a majority holds may be applied here before this disk has it.
            durable_index: self.applied.index().min(self.log.last_durable()),
            introduction,
            clock: now.wall,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// Checks the header of a message that arrived over the connection of node `from`.
    pub(crate) fn check(&self, from: NodeId, head: &Envelope) -> Result<(), Response> {
        if head.ledger_id != self.identity.ledger_id {
            return Err(Response::Refused(PeerRefusal::OtherLedger));
        }
        if head.to != self.identity.node_id {
            return Err(Response::Refused(PeerRefusal::OtherTarget(self.identity.node_id)));
        }
        // No other node has this node's own id.
        if head.from != from || from == self.identity.node_id {
            return Err(Response::Refused(PeerRefusal::OtherSender));
        }
        self.is_reached.store(true, Ordering::Relaxed);
        let failed = |error: io::Error| Response::Failed(error.to_string());
        let (sender, introduction) = (head.sender_record(), head.introduction.as_ref());
        let verdict = self.incarnations.check(from, sender, introduction).map_err(failed)?;
        let own = self.incarnations.current().map_err(failed)?;
        let knows_this_start = head.known_receiver.is_some_and(|known| known.incarnation == own);
        if head.known_receiver.is_some_and(|known| self.incarnations.lacks(known))
            && self.believes(from)
        {
            self.note_refusal(from, &PeerRefusal::OldDirectory);
        }
        match verdict {
            Verdict::OldCopy => {
                self.note_old(from);
                Err(Response::Refused(PeerRefusal::OldDirectory))
            }
            Verdict::Known if knows_this_start => self.note_head(from, head).map_err(failed),
            Verdict::Known | Verdict::HistoryNeeded => Err(Response::Introduce),
        }
    }

    /// Notes the number of a message or answer of the running incarnation of `from`, and what it
    /// confirms.
    fn note_head(&self, from: NodeId, head: &Envelope) -> io::Result<()> {
        let Envelope { incarnation, number, .. } = *head;
        self.echoes.receive(from, MessageId { incarnation, number });
        if let Some(confirmation) = head.confirmation
            && confirmation.message.incarnation == self.incarnations.current()?
            && let Some(sent) = self.echoes.sent_at(confirmation.message.number)
        {
            self.applied.freshness().confirm(confirmation.index, sent);
        }
        Ok(())
    }

    /// Returns what [`Peers::note_committed`] needs to know of the time before a proposal.
    pub(crate) fn before_proposal(&self) -> (LastReceived, ClockReading) {
        (self.echoes.received(), self.reading())
    }

    /// Notes that an entry is committed which this node proposed after `before`.
    pub(crate) fn note_committed(&self, index: u64, before: (LastReceived, ClockReading)) {
        self.echoes.confirm(index, before.0);
        self.applied.freshness().confirm(index, before.1);
    }

    /// Reads the clocks.
    pub(crate) fn reading(&self) -> ClockReading {
        ClockReading { monotonic: Instant::now(), wall: self.clock.now() }
    }

    /// Returns how long ago this node had everything that was committed, if it is known.
    pub(crate) fn fresh_for(&self) -> Option<Duration> {
        self.applied.freshness().fresh_at().map(|at| at.age(self.reading()))
    }

    /// Returns `true` if this node believes what `from` knows of it. It does not believe removed
    /// nodes. If it knows no other member, it may have forgotten them all.
    fn believes(&self, from: NodeId) -> bool {
        self.applied.member(from).is_some() || self.applied.members() <= 1
    }

    /// Returns `true` if a message that `from` sent at `clock` arrives so late that the verdicts of
    /// its commands may be forgotten.
    pub(crate) fn is_late(&self, from: NodeId, clock: UnixSeconds) -> bool {
        let Some(report) = self.reports.of(from) else { return false };
        let own = self.clock.now();
        let expected = own.get().saturating_add_signed(report.offset(own));
        clock.get().saturating_add(LATE) < expected
    }

    /// Returns `true` if a forward arrives for the first time. An answer to one copy of a
    /// duplicated message would not hold for the other.
    pub(crate) fn is_first(&self, from: NodeId, incarnation: u64, number: u64) -> bool {
        let mut forwards = self.forwards.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, numbers) = forwards.entry(from).or_insert_with(|| (incarnation, BTreeSet::new()));
        if *of != incarnation {
            (*of, *numbers) = (incarnation, BTreeSet::new());
        }
        let is_old = numbers.len() == FORWARDS_KEPT && numbers.first() > Some(&number);
        if is_old || !numbers.insert(number) {
            return false;
        }
        if numbers.len() > FORWARDS_KEPT {
            numbers.pop_first();
        }
        true
    }

    /// Returns where `node_id` is, as far as this node has applied the log.
    pub(crate) fn address(&self, node_id: NodeId) -> Option<PeerAddress> {
        let address = self.applied.member(node_id)?.address;
        Some(PeerAddress { node_id, address })
    }

    /// Returns `true` if the other nodes' reports show that this node's clock is off.
    pub(crate) fn is_clock_off(&self) -> bool {
        is_off(&self.reports.offsets(self.clock.now()))
    }

    /// Returns how long ago this node started, if no other node has reached it since.
    pub(crate) fn unreached_for(&self) -> Option<Duration> {
        (!self.is_reached.load(Ordering::Relaxed)).then(|| self.started_at.elapsed())
    }

    /// Returns why the cluster refuses this node, if it does.
    pub(crate) fn refusal(&self) -> Option<PeerRefusal> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that a leader replicates to this node: it is a member (again).
    pub(crate) fn note_membership(&self) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.as_ref() == Some(&PeerRefusal::NotMember) {
            *refused = None;
        }
    }

    /// Notes that this node ignores `node_id`, whose directory lacks what this node knows of it.
    fn note_old(&self, node_id: NodeId) {
        let why = format!(
            "{}: stop it, join a node with a fresh directory, and run `jeton cluster replace \
             {node_id} --by NEW`",
            NotDone::OldDirectory
        );
        if self.errors.note(node_id, why.clone()) {
            tracing::error!(%node_id, "a node is ignored: {why}");
        }
    }

    fn note_refusal(&self, by: NodeId, refusal: &PeerRefusal) {
        let is_news = self.errors.note(by, format!("it refuses this node: {refusal}"));
        // These are faults of the node that was called, or of its address.
        if matches!(
            refusal,
            PeerRefusal::OtherTarget(_) | PeerRefusal::OtherLedger | PeerRefusal::Format
        ) {
            if is_news {
                tracing::warn!(node_id = %by, "another node refused: {refusal}");
            }
            return;
        }
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.as_ref() != Some(refusal) {
            tracing::error!(%by, "the cluster refuses this node: {refusal}");
            *refused = Some(refusal.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::ledger::State;
    use crate::ledger::log::{FileDisk, LedgerId, Log, LogState, SegmentLen};
    use crate::ledger::raft::peers::Reply;
    use crate::ledger::raft::types::SnapshotMeta;
    use crate::token::UnixSeconds;

    /// Answers with the request, in the next message format.
    #[derive(Debug)]
    struct NextFormat;

    impl Transport for NextFormat {
        fn call(&self, _: &PeerAddress, mut message: Vec<u8>, _: Duration) -> Reply<'_> {
            message[0] += 1;
            Box::pin(std::future::ready(Ok(message)))
        }
    }

    #[tokio::test]
    async fn an_answer_in_another_format_is_reported_and_leaves_the_outcome_unknown() {
        let home = tempfile::tempdir().unwrap();
        let (now, ledger_id) = (UnixSeconds::new(1_790_000_000), [7; 16]);
        let disk = Box::new(FileDisk::new(home.path()));
        let log = Log::create(disk, LedgerId(ledger_id), SegmentLen::default()).unwrap();
        let peers = Peers::new(
            Identity { ledger_id, node_id: NodeId(1), born_at: now },
            Arc::new(ManualClock::at(now)),
            Incarnations::open(Box::new(FileDisk::new(home.path())), 5, 0).unwrap(),
            Applied::new(State::new(now), SnapshotMeta::default()),
            Arc::new(Writer::start(log, LogState::default()).unwrap()),
            Arc::new(NextFormat),
        );
        let to = PeerAddress { node_id: NodeId(2), address: "there".to_owned() };
        let asked = peers.ask(&to, &Request::Members, Duration::from_secs(1)).await;
        assert!(matches!(asked, Err(CallError::Unknown(_))), "{asked:?}");
        let errors = peers.errors.list();
        assert!(matches!(&errors[..], [(NodeId(2), why)] if why.contains("different versions")));
    }
}
