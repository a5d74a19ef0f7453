//! A [`Ledger`] that times and counts the changes made through it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::Metrics;
use crate::ledger::{
    Grant, Ledger, LedgerError, LedgerFuture, LedgerStatus, Note, Revocation, Spend, SpendRefusal,
    Standing, StateAt, TokenPage, TokenQuery, TokenRecord,
};
use crate::token::{UnixSeconds, UserName, VerifiedToken};

/// Wraps a ledger and measures its changes.
#[derive(Debug)]
pub struct TimedLedger {
    ledger: Arc<dyn Ledger>,
    metrics: Arc<Metrics>,
}

impl TimedLedger {
    /// Times the changes of `ledger`.
    #[must_use]
    pub fn new(ledger: Arc<dyn Ledger>, metrics: Arc<Metrics>) -> Self {
        Self { ledger, metrics }
    }

    /// Awaits a result and counts it. A dropped future is not counted. A refused spend counts as a
    /// successful change.
    fn timed<'a, T: 'a>(&'a self, answer: LedgerFuture<'a, T>) -> LedgerFuture<'a, T> {
        let begun = Instant::now();
        Box::pin(async move {
            let answer = answer.await;
            self.metrics.committed(answer.is_ok().then(|| begun.elapsed()));
            answer
        })
    }
}

impl Ledger for TimedLedger {
    fn spend(&self, spend: Spend) -> LedgerFuture<'_, Result<Grant, SpendRefusal>> {
        self.timed(self.ledger.spend(spend))
    }

    fn revoke(&self, revocation: Revocation) -> LedgerFuture<'_, ()> {
        self.timed(self.ledger.revoke(revocation))
    }

    fn permit(&self, user: UserName, autologin: bool) -> LedgerFuture<'_, ()> {
        self.timed(self.ledger.permit(user, autologin))
    }

    fn record(&self, record: TokenRecord, note: Note) -> LedgerFuture<'_, ()> {
        self.timed(self.ledger.record(record, note))
    }

    fn standing(&self, token: &VerifiedToken) -> Result<Standing, LedgerError> {
        self.ledger.standing(token)
    }

    fn last_known_standing(&self, token: &VerifiedToken) -> Result<Standing, LedgerError> {
        self.ledger.last_known_standing(token)
    }

    fn tokens(&self, query: &TokenQuery, now: UnixSeconds) -> TokenPage {
        self.ledger.tokens(query, now)
    }

    fn autologin_users(&self) -> BTreeSet<UserName> {
        self.ledger.autologin_users()
    }

    fn log_time(&self) -> UnixSeconds {
        self.ledger.log_time()
    }

    fn status(&self) -> LedgerStatus {
        self.ledger.status()
    }

    fn copy(&self) -> StateAt {
        self.ledger.copy()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::ledger::volatile::VolatileLedger;
    use crate::metrics::Readings;

    #[actix_web::test]
    async fn times_changes_and_counts_failures() {
        let clock = Arc::new(ManualClock::at(UnixSeconds::new(1_790_000_000)));
        let ledger = Arc::new(VolatileLedger::new(UnixSeconds::new(0), clock));
        let metrics = Arc::new(Metrics::default());
        let timed = TimedLedger::new(ledger.clone(), Arc::clone(&metrics));
        let alice = || UserName::new("alice").unwrap();
        timed.permit(alice(), true).await.unwrap();
        assert_eq!(timed.autologin_users(), [alice()].into());
        *ledger.fault.lock().unwrap() = Some(LedgerError::Overloaded);
        timed.permit(alice(), false).await.unwrap_err();
        let text = metrics.show(&Readings::default()).unwrap();
        for line in ["jeton_ledger_commit_seconds_count 1", "jeton_ledger_commit_failures_total 1"]
        {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
