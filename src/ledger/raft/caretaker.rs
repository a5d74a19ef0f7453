//! What a node does by itself, a few times a second.
//!
//! - A leader with other members writes an empty entry every second in which
//!   nothing else was written, so that the others know how fresh they are. A lone
//!   node writes nothing.
//! - A node whose clock is off does not lead.
//! - A change of the members that was left half done is finished.
//! - Each node tells the others where it is.
//! - A node that no other one reaches says so, once.
//! - Voters that do not lead speak to each other, so that they know the way when
//!   they have to elect a leader.
//! - A snapshot is made when enough log has come, also where nobody spends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::changes::{finish_change, hand_over, members, tell_address};
use super::forward::Forwarder;
use super::message::{MemberChange, Request};

/// How often it looks.
const EVERY: Duration = Duration::from_millis(250);

/// How long a leader with other members writes nothing at most.
const TICK: Duration = Duration::from_secs(1);

/// How long a duty may take; then it is tried again.
const WITHIN: Duration = Duration::from_secs(3);

/// How often a node tells where it is, or asks whether it is still a member,
/// until it gets an answer.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// How often voters that do not lead speak to each other. What is open between them
/// need not be opened when the leader is gone, which takes several turns.
const KEEP_WARM: Duration = Duration::from_secs(1);

/// How many connections they keep open so: a new leader sends entries and heartbeats at
/// the same time, and both again if they get lost.
const WAYS: usize = 4;

/// The task that looks after a node; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Caretaker(JoinHandle<()>);

impl Drop for Caretaker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Caretaker {
    /// Starts looking after a node.
    pub(super) fn start(forwarder: Arc<Forwarder>) -> Self {
        let mut duties = Duties {
            forwarder,
            is_clock_off: false,
            is_unreached_told: false,
            asked_at: None,
            warmed_at: None,
            busy: Arc::default(),
        };
        Self(tokio::spawn(async move {
            let mut every = interval(EVERY);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                every.tick().await;
                duties.look().await;
            }
        }))
    }
}

struct Duties {
    forwarder: Arc<Forwarder>,
    is_clock_off: bool,
    is_unreached_told: bool,
    asked_at: Option<Instant>,
    warmed_at: Option<Instant>,
    busy: Arc<AtomicBool>,
}

impl Duties {
    async fn look(&mut self) {
        self.look_at_clock();
        self.look_who_comes();
        self.forwarder.make_snapshot_if_due().await;
        if self.forwarder.is_leader() {
            self.alone(|forwarder| async move { lead(&forwarder).await });
        } else if let Some(request) = self.question() {
            self.alone(|forwarder| async move { forwarder.ask_leader(&request).await });
        }
        self.keep_warm();
    }

    /// Speaks to the other voters. A leader does so all the time.
    fn keep_warm(&mut self) {
        let is_warm = self.warmed_at.is_some_and(|at| at.elapsed() < KEEP_WARM);
        if is_warm || self.forwarder.is_leader() {
            return;
        }
        self.warmed_at = Some(Instant::now());
        for voter in self.forwarder.other_voters() {
            let forwarder = Arc::clone(&self.forwarder);
            tokio::spawn(async move {
                let request = Request::Members;
                let ask = || forwarder.peers.ask(&voter, &request, KEEP_WARM);
                // Whatever it says, it was heard.
                futures_util::future::join_all((0..WAYS).map(|_| ask())).await;
            });
        }
    }

    /// Returns what another node that leads is to be asked, now and then.
    fn question(&mut self) -> Option<Request> {
        if self.asked_at.is_some_and(|at| at.elapsed() < ASK_AGAIN) {
            return None;
        }
        let node_id = self.forwarder.peers.identity.node_id;
        // What the log says, applied or not: a node that moved hears nothing that would
        // let it apply any.
        let known = members(&self.forwarder).remove(&node_id);
        let moved = self
            .forwarder
            .address
            .as_ref()
            .filter(|address| known.is_some_and(|known| known.address != **address));
        // A removed node hears nothing any more; who asks is told.
        let question = match moved {
            Some(address) => {
                Some(Request::Change(MemberChange::SetAddress(node_id, address.clone())))
            }
            None => self.is_silent().then_some(Request::Members),
        };
        self.asked_at = question.as_ref().map(|_| Instant::now());
        question
    }

    /// Does one thing after the other, and holds up nobody.
    fn alone<F: Future<Output = ()> + Send + 'static>(
        &self,
        duty: impl FnOnce(Arc<Forwarder>) -> F,
    ) {
        if self.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let (busy, duty) = (Arc::clone(&self.busy), duty(Arc::clone(&self.forwarder)));
        tokio::spawn(async move {
            let _ = tokio::time::timeout(WITHIN, duty).await;
            busy.store(false, Ordering::Release);
        });
    }

    fn look_at_clock(&mut self) {
        let is_off = self.forwarder.is_clock_off();
        if is_off != self.is_clock_off {
            self.is_clock_off = is_off;
            if is_off {
                tracing::error!("the clock is more than a minute off the other nodes' clocks");
            } else {
                tracing::info!("the clock agrees with the other nodes' clocks again");
            }
            self.forwarder.raft.runtime_config().elect(!is_off);
        }
        if is_off && self.forwarder.is_leader() {
            self.alone(|forwarder| async move {
                let _ = hand_over(&forwarder, None).await;
            });
        }
    }

    fn look_who_comes(&mut self) {
        if self.is_unreached_told {
            return;
        }
        if let Some(alarm) = self.forwarder.unreached() {
            self.is_unreached_told = true;
            tracing::warn!("{alarm}");
        }
    }

    fn is_silent(&self) -> bool {
        let fresh_at = self.forwarder.peers.applied.freshness().fresh_at();
        fresh_at.is_none_or(|at| at.elapsed() > ASK_AGAIN)
    }
}

/// What a leader has to do besides.
async fn lead(forwarder: &Forwarder) {
    if let Ok(_one_at_a_time) = forwarder.changing.try_lock() {
        finish_change(forwarder).await;
        // If it fails it is tried again soon.
        let _ = tell_address(forwarder).await;
    }
    let quiet = forwarder.peers.applied.log_time().applied_at.elapsed();
    if !forwarder.is_lone() && quiet >= TICK {
        // If it fails, the next one is due at once.
        let _ = forwarder.append(Vec::new(), Instant::now() + WITHIN).await;
    }
}
