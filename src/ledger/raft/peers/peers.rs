//! The other nodes, as this one talks to them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::message::{Envelope, PeerRefusal, Request, Response, decode_body, decode_head, encode};
use super::peer_errors::PeerErrors;
use super::reports::Reports;
use super::transport::{PeerAddress, Transport, TransportError};
use crate::clock::Clock;
use crate::ledger::NodeId;
use crate::ledger::log::Writer;
use crate::ledger::raft::store::{Applied, History, Identity, Incarnations, Verdict};

/// How many forwards of each node are remembered, so that none is done twice.
const FORWARDS_KEPT: usize = 4_096;

/// What all conversations of this node share.
pub(crate) struct Peers {
    pub(crate) identity: Identity,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) runs: Incarnations,
    pub(crate) reports: Reports,
    pub(crate) applied: Applied,
    log: Arc<Writer>,
    pub(crate) transport: Arc<dyn Transport>,
    started_at: Instant,
    /// Whether a message for this node came since it was started.
    is_reached: AtomicBool,
    /// How many messages this start has sent.
    number: AtomicU64,
    /// The numbers of the last forwards of each node, by its start.
    forwards: Mutex<BTreeMap<NodeId, (u64, BTreeSet<u64>)>>,
    /// Why others do not talk to this node, if so.
    refused: Mutex<Option<PeerRefusal>>,
    /// Why this node and single others do not talk.
    pub(crate) troubles: PeerErrors,
}

/// Why another node gave no answer.
#[derive(Clone, Debug)]
pub(crate) enum CallError {
    /// It surely never saw the request, or surely did nothing about it.
    NotDone(String),
    /// It may have carried it out, or may yet.
    Unknown(String),
}

impl Peers {
    pub(crate) fn new(
        identity: Identity,
        clock: Arc<dyn Clock>,
        runs: Incarnations,
        applied: Applied,
        log: Arc<Writer>,
        transport: Arc<dyn Transport>,
    ) -> Self {
        Self {
            identity,
            clock,
            runs,
            reports: Reports::default(),
            applied,
            log,
            transport,
            started_at: Instant::now(),
            is_reached: AtomicBool::new(false),
            number: AtomicU64::new(0),
            forwards: Mutex::default(),
            refused: Mutex::default(),
            troubles: PeerErrors::default(),
        }
    }

    /// Asks another node and returns its answer. The two introduce themselves
    /// where one does not know the other yet, or not since its start.
    pub(crate) async fn ask(
        &self,
        to: &PeerAddress,
        request: &Request,
        within: Duration,
    ) -> Result<Response, CallError> {
        let give_up = Instant::now() + within;
        let mut introduction = None;
        for _ in 0..3 {
            let head = self.head(to.node_id, introduction).map_err(not_done)?;
            let message = encode(&head, request).map_err(not_done)?;
            let left = give_up.saturating_duration_since(Instant::now());
            let (head, answer) = self.call(to, message, left).await.inspect_err(|no_answer| {
                let (CallError::NotDone(why) | CallError::Unknown(why)) = no_answer;
                // The log was told already.
                self.troubles.note(to.node_id, why.clone());
            })?;
            if let Response::Refused(refusal) = answer {
                self.note_refusal(to.node_id, &refusal);
                return Err(not_done(refusal));
            }
            if !matches!(answer, Response::Introduce) {
                self.runs.update(to.node_id, head.comes());
                let own = self.clock.now();
                self.reports.note(to.node_id, head.clock, head.version, own);
                self.troubles.end(to.node_id);
                return Ok(answer);
            }
            let shown = head.introduction.as_ref();
            match self.runs.check(to.node_id, head.comes(), shown).map_err(not_done)? {
                Verdict::Known => {
                    introduction = Some(self.runs.history().map_err(not_done)?);
                }
                Verdict::HistoryNeeded | Verdict::OldCopy => {
                    self.note_old(to.node_id);
                    return Err(not_done(PeerRefusal::OldFolder));
                }
            }
        }
        Err(CallError::NotDone("the other node does not get to know this one".to_owned()))
    }

    async fn call(
        &self,
        to: &PeerAddress,
        message: Vec<u8>,
        within: Duration,
    ) -> Result<(Envelope, Response), CallError> {
        let answer = timeout(within, self.transport.call(to, message, within)).await;
        let answer = answer.map_err(|_| CallError::Unknown("it took too long".to_owned()))?;
        let answer = answer.map_err(|error| match &error {
            TransportError::NotDelivered(_) => CallError::NotDone(error.to_string()),
            TransportError::Unknown(_) => CallError::Unknown(error.to_string()),
        })?;
        let unknown = |refusal: PeerRefusal| {
            let why = refusal.to_string();
            if self.troubles.note(to.node_id, why.clone()) {
                tracing::warn!(node_id = %to.node_id, "another node is not understood: {why}");
            }
            CallError::Unknown(why)
        };
        let (head, body) = decode_head(&answer).map_err(unknown)?;
        let body = decode_body(body).map_err(unknown)?;
        let is_refused = matches!(body, Response::Refused(_));
        // Who refuses may be another node than the one that was meant.
        if !is_refused && head.ledger_id != self.identity.ledger_id {
            return Err(unknown(PeerRefusal::OtherLedger));
        }
        if !is_refused && (head.from != to.node_id || head.to != self.identity.node_id) {
            return Err(unknown(PeerRefusal::OtherTarget(head.from)));
        }
        Ok((head, body))
    }

    /// Makes what a message or an answer to `to` begins with.
    pub(crate) fn head(&self, to: NodeId, introduction: Option<History>) -> io::Result<Envelope> {
        Ok(Envelope {
            ledger_id: self.identity.ledger_id,
            from: self.identity.node_id,
            to,
            run: self.runs.current()?,
            to_met: self.runs.peer(to),
            number: self.number.fetch_add(1, Ordering::Relaxed),
            // What a majority holds may be applied here before this disk has it.
            holds: self.applied.index().min(self.log.last_durable()),
            introduction,
            clock: self.clock.now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// Returns where `node_id` is, as far as this node has applied the log.
    pub(crate) fn address(&self, node_id: NodeId) -> Option<PeerAddress> {
        let address = self.applied.member(node_id)?.address;
        Some(PeerAddress { node_id, address })
    }

    /// Tells whether a forward came for the first time. If the wire doubled one, what
    /// was said of the first would not hold for the second.
    pub(crate) fn is_first(&self, from: NodeId, run: u64, number: u64) -> bool {
        let mut forwards = self.forwards.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, numbers) = forwards.entry(from).or_insert_with(|| (run, BTreeSet::new()));
        if *of != run {
            (*of, *numbers) = (run, BTreeSet::new());
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

    /// Notes that another node knows the way to this one.
    pub(crate) fn note_reached(&self) {
        self.is_reached.store(true, Ordering::Relaxed);
    }

    /// Returns how long this node has run, if no other one reached it in that time.
    pub(crate) fn unreached_for(&self) -> Option<Duration> {
        (!self.is_reached.load(Ordering::Relaxed)).then(|| self.started_at.elapsed())
    }

    /// Returns why this node is no part of its cluster, if another one said so.
    pub(crate) fn refusal(&self) -> Option<PeerRefusal> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that a leader talks to this node: it is a member (again).
    pub(crate) fn note_membership(&self) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.as_ref() == Some(&PeerRefusal::NotMember) {
            *refused = None;
        }
    }

    /// Notes that this node does not talk to `node_id`, whose folder is not the
    /// one that it knows.
    pub(crate) fn note_old(&self, node_id: NodeId) {
        let why = format!(
            "its folder is an old disk put back, or a copy of one that runs elsewhere: stop it, \
             have a machine join with a fresh folder, and `jeton cluster replace {node_id}` \
             by that"
        );
        if self.troubles.note(node_id, why.clone()) {
            tracing::error!(%node_id, "a node is not talked to: {why}");
        }
    }

    pub(crate) fn note_refusal(&self, by: NodeId, refusal: &PeerRefusal) {
        let is_news = self.troubles.note(by, format!("it refuses this node: {refusal}"));
        // These are faults of the one that was called, or of its address.
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

fn not_done(error: impl fmt::Display) -> CallError {
    CallError::NotDone(error.to_string())
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

    /// A node whose messages are of the next version.
    #[derive(Debug)]
    struct Newer;

    impl Transport for Newer {
        fn call(&self, _: &PeerAddress, mut message: Vec<u8>, _: Duration) -> Reply<'_> {
            message[0] += 1;
            Box::pin(std::future::ready(Ok(message)))
        }
    }

    #[tokio::test]
    async fn a_node_of_another_version_is_told_as_such_and_nothing_is_believed_undone() {
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
            Arc::new(Newer),
        );
        let to = PeerAddress { node_id: NodeId(2), address: "there".to_owned() };
        let asked = peers.ask(&to, &Request::Members, Duration::from_secs(1)).await;
        assert!(matches!(asked, Err(CallError::Unknown(_))), "{asked:?}");
        let troubles = peers.troubles.list();
        assert!(matches!(&troubles[..], [(NodeId(2), why)] if why.contains("different versions")));
    }
}
