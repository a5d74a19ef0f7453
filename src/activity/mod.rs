//! Recent events on this node: profiles delivered, requests refused, and changes that operators
//! made.
//!
//! Memory holds a bounded number of recent events for the admin door. Every event also goes to the
//! audit log, if one is configured (`audit_log`, `audit_file`). `line` is the JSON form of an
//! event, `filter` selects events, and `reason` lists why a request got no profile. No event holds
//! a token, a key or a profile.

mod audit_file;
mod audit_log;
mod event;
mod filter;
mod line;
mod reason;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use audit_log::AuditLog;

pub use audit_file::{AuditError, check_audit_log};
pub use event::{Event, EventKind, TokenSeen};
pub use filter::EventFilter;
pub use line::{EventLine, EventName, UnknownEvent};
pub use reason::Reason;

/// How many deliveries are kept.
const DELIVERED_MAX: usize = 5_000;

/// How many operations are kept.
const OPERATIONS_MAX: usize = 5_000;

/// How many refusals of verified tokens are kept. A client with a dead link can cause any number of
/// them.
const REFUSED_MAX: usize = 2_000;

/// How many refusals without a verified token are kept. Any client can cause them.
const UNVERIFIED_MAX: usize = 500;

/// Recent events, newest last, and the audit log.
#[derive(Debug, Default)]
pub struct Activity {
    recent: Mutex<Recent>,
    audit: Option<AuditLog>,
}

/// One ring for each sort of event, so that no sort pushes out another.
#[derive(Debug, Default)]
struct Recent {
    delivered: Ring,
    operations: Ring,
    refused: Ring,
    unverified: Ring,
    /// The number of events so far. Events are numbered, because many share a second.
    count: u64,
}

/// Numbered events, the newest last.
type Ring = VecDeque<(u64, Event)>;

impl Recent {
    /// Returns the ring of an event, and its capacity.
    fn ring(&mut self, event: &Event) -> (&mut Ring, usize) {
        match &event.kind {
            EventKind::Delivered { .. } => (&mut self.delivered, DELIVERED_MAX),
            EventKind::Operation { .. } => (&mut self.operations, OPERATIONS_MAX),
            EventKind::Refused { token: Some(_), .. } => (&mut self.refused, REFUSED_MAX),
            EventKind::Refused { token: None, .. } => (&mut self.unverified, UNVERIFIED_MAX),
        }
    }

    fn rings(&self) -> [&Ring; 4] {
        [&self.delivered, &self.operations, &self.refused, &self.unverified]
    }
}

impl Activity {
    /// Writes all events to the file at `path` as well, which is created if it does not exist. The
    /// default is to keep them in memory only.
    ///
    /// # Errors
    ///
    /// [`AuditError`] if others can access the file, or if it cannot be written.
    pub fn with_audit_log(path: &Path) -> Result<Self, AuditError> {
        Ok(Self { audit: Some(AuditLog::open(path)?), ..Self::default() })
    }

    /// Records an event. Never waits for the audit log.
    pub fn record(&self, event: Event) {
        if let Some(audit) = &self.audit {
            audit.record(event.clone());
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.count += 1;
        let number = recent.count;
        let (ring, max) = recent.ring(&event);
        if ring.len() == max {
            ring.pop_front();
        }
        ring.push_back((number, event));
    }

    /// Returns at most `max` of the events for which `wanted` is `true`, newest first.
    pub fn recent(&self, max: usize, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        // Requests wait for this lock, so only what is shown is copied.
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rings = recent.rings().map(|ring| ring.iter().rev().peekable());
        let newest_first = std::iter::from_fn(|| {
            let numbers = rings.each_mut().map(|ring| ring.peek().map(|(number, _)| *number));
            let newest = numbers.iter().enumerate().max_by_key(|(_, number)| **number);
            let (newest, _number) = newest?;
            rings.get_mut(newest)?.next().map(|(_number, event)| event)
        });
        newest_first.filter(|event| wanted(event)).take(max).cloned().collect()
    }

    /// Reopens the audit log's file after it was moved away.
    pub fn reopen_audit_log(&self) {
        if let Some(audit) = &self.audit {
            audit.reopen();
        }
    }

    /// Returns how many lines of the audit log were lost to a full or slow disk.
    #[must_use]
    pub fn audit_lines_lost(&self) -> u64 {
        self.audit.as_ref().map_or(0, AuditLog::lost)
    }

    /// Closes the audit log and waits at most `timeout` until everything is written. Returns
    /// `false` if lines may be missing.
    #[must_use]
    pub fn close_audit_log(&self, timeout: Duration) -> bool {
        self.audit.as_ref().is_none_or(|audit| audit.close(timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{AdminRole, UnixSeconds, UserName};

    fn refused(at: u64, token: Option<TokenSeen>) -> Event {
        let kind = EventKind::Refused { token, reason: Reason::Unverified };
        Event { at: UnixSeconds::new(at), client: None, kind }
    }

    fn done(at: u64) -> Event {
        let operator = UserName::new("root").unwrap();
        let kind = EventKind::Operation {
            operator,
            role: AdminRole::Admin,
            did: "revoked user bob".to_owned(),
        };
        Event { at: UnixSeconds::new(at), client: None, kind }
    }

    #[test]
    fn lists_the_newest_first_and_keeps_other_events_when_refusals_flood() {
        let activity = Activity::default();
        activity.record(done(1));
        for at in 2..=10_000 {
            activity.record(refused(at, None));
        }
        let all = activity.recent(usize::MAX, |_| true);
        assert_eq!(all.len(), UNVERIFIED_MAX + 1);
        assert_eq!((all.first().unwrap().at.get(), all.last().unwrap().at.get()), (10_000, 1));
        assert_eq!(activity.recent(2, |_| true).len(), 2);
        assert_eq!(activity.recent(9, |event| event.at.get() < 5).len(), 1);
        activity.record(done(10_000));
        activity.record(refused(10_000, None));
        let newest = activity.recent(2, |_| true);
        assert!(matches!(newest[0].kind, EventKind::Refused { .. }), "within one second, too");
        assert!(matches!(newest[1].kind, EventKind::Operation { .. }));
    }

    #[test]
    fn bounds_the_memory() {
        let activity = Activity::default();
        (0..10_000).for_each(|at| activity.record(done(at)));
        assert_eq!(activity.recent(usize::MAX, |_| true).len(), OPERATIONS_MAX);
    }
}
