//! A ledger in memory, for the tests of other rooms: the real state machine without a log.

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::{
    Command, Entry, Grant, Ledger, LedgerError, LedgerFuture, LedgerStatus, NodeId, Note, Outcome,
    Revocation, Spend, SpendRefusal, Staleness, Standing, State, StateAt, TokenPage, TokenQuery,
    TokenRecord, TokenUse, Unavailable, Unready,
};
use crate::clock::Clock;
use crate::token::{TokenId, UnixSeconds, UserName, VerifiedToken};

/// The state machine behind the [`Ledger`] trait, without durability.
#[derive(Debug)]
pub(crate) struct VolatileLedger {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
    /// The error of every change, if set.
    pub(crate) fault: Mutex<Option<LedgerError>>,
    /// How long this node has been cut off from a majority.
    pub(crate) cut_off: Mutex<Duration>,
}

impl VolatileLedger {
    pub(crate) fn new(born_at: UnixSeconds, clock: Arc<dyn Clock>) -> Self {
        Self {
            state: Mutex::new(State::new(born_at)),
            clock,
            fault: Mutex::new(None),
            cut_off: Mutex::default(),
        }
    }

    /// Returns the record and uses of one token.
    pub(crate) fn token(&self, id: TokenId) -> Option<TokenUse> {
        self.state().token(id).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn staleness(&self) -> Staleness {
        let age = Some(*self.cut_off.lock().unwrap());
        Staleness { age, max: Duration::from_secs(10) }
    }

    fn apply(&self, command: Command) -> Result<Outcome, LedgerError> {
        if let Some(fault) = self.fault.lock().unwrap().clone() {
            return Err(fault);
        }
        let entry = Entry { timestamp: self.clock.now(), commands: vec![command] };
        Ok(self.state().apply(&entry)[0])
    }

    fn done(&self, command: Command) -> LedgerFuture<'_, ()> {
        Box::pin(ready(self.apply(command).map(|_| ())))
    }
}

impl Ledger for VolatileLedger {
    fn spend(&self, spend: Spend) -> LedgerFuture<'_, Result<Grant, SpendRefusal>> {
        let outcome = self.apply(Command::Spend(spend.clone()));
        Box::pin(ready(outcome.map(|outcome| match outcome {
            Outcome::Granted { used } => Ok(Grant::of(&spend, used)),
            Outcome::Refused(refusal) => Err(refusal),
            Outcome::Done => unreachable!("a spend is granted or refused"),
        })))
    }

    fn revoke(&self, revocation: Revocation) -> LedgerFuture<'_, ()> {
        self.done(Command::Revoke(revocation))
    }

    fn permit(&self, user: UserName, autologin: bool) -> LedgerFuture<'_, ()> {
        self.done(Command::Permit { user, autologin })
    }

    fn record(&self, record: TokenRecord, note: Note) -> LedgerFuture<'_, ()> {
        self.done(Command::Record { record, note })
    }

    fn standing(&self, token: &VerifiedToken) -> Result<Standing, LedgerError> {
        let staleness = self.staleness();
        if staleness.is_stale() {
            return Err(LedgerError::Unavailable(Unavailable::Unready(Unready::Stale(staleness))));
        }
        self.last_known_standing(token)
    }

    fn last_known_standing(&self, token: &VerifiedToken) -> Result<Standing, LedgerError> {
        Ok(self.state().standing(token.id(), token.claims()))
    }

    fn tokens(&self, query: &TokenQuery, now: UnixSeconds) -> TokenPage {
        self.state().tokens(query, now)
    }

    fn autologin_users(&self) -> BTreeSet<UserName> {
        self.state().autologin_users().clone()
    }

    fn log_time(&self) -> UnixSeconds {
        self.state().log_time()
    }

    fn status(&self) -> LedgerStatus {
        let (state, staleness) = (self.state(), self.staleness());
        let is_stale = staleness.is_stale();
        LedgerStatus {
            ready: if is_stale { Err(Unready::Stale(staleness)) } else { Ok(()) },
            staleness,
            term: 1,
            node_id: NodeId(1),
            leader: (!is_stale).then_some(NodeId(1)),
            born_at: state.born_at(),
            log_time: state.log_time(),
            applied: 0,
        }
    }

    fn copy(&self) -> StateAt {
        StateAt { applied: 0, state: self.state().clone() }
    }
}
