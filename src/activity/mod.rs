//! What happened at this node of late: who was given which profile, who was
//! refused and why, and what operators did.
//!
//! The last events are kept in memory, bounded, for the operators' door, and all
//! go to the audit log, if there is one (`audit_log`, `audit_file`). `line` is
//! how an event is read from outside, `filter` which are wanted, and `reason` why
//! there was no profile. No event holds a token, a key or a profile.

mod audit_file;
mod audit_log;
mod filter;
mod line;
mod reason;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use audit_log::AuditLog;

use crate::token::{AdminRole, ProfileKind, TokenId, UnixSeconds, UserName};

pub use audit_file::{AuditError, check_audit_log};
pub use filter::EventFilter;
pub use line::{EventLine, EventName, UnknownEvent};
pub use reason::Reason;

/// How many profiles that went out are kept.
const DELIVERED_MAX: usize = 5_000;

/// How many changes by operators are kept.
const DONE_MAX: usize = 5_000;

/// How many refusals of true tokens are kept: whoever has a dead link can cause
/// them as often as he likes.
const REFUSED_MAX: usize = 2_000;

/// How many refusals of what was no token are kept: anybody can cause them.
const STRANGE_MAX: usize = 500;

/// The events of late, newest last, and the way into the audit log.
#[derive(Debug, Default)]
pub struct Activity {
    recent: Mutex<Recent>,
    audit: Option<AuditLog>,
}

/// Something that happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// When, by this node's clock.
    pub at: UnixSeconds,
    /// From where, if that is known.
    pub client: Option<IpAddr>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum What {
    /// A profile went out.
    Delivered {
        /// For which token.
        token: TokenSeen,
        /// How many uses are left of it; `None` for any number.
        uses_left: Option<u32>,
    },
    /// There was no profile.
    Refused {
        /// For which token, if it was a true one.
        token: Option<TokenSeen>,
        /// Why.
        reason: Reason,
    },
    /// An operator did something.
    Done {
        /// Who.
        operator: UserName,
        /// As what.
        role: AdminRole,
        /// What, such as `revoked user alice`.
        what: String,
    },
}

impl What {
    /// Returns whom it is about or, of a deed, who did it; `None` if that is not
    /// known.
    #[must_use]
    pub fn user(&self) -> Option<&UserName> {
        match self {
            Self::Delivered { token, .. } => Some(&token.user),
            Self::Refused { token, .. } => token.as_ref().map(|token| &token.user),
            Self::Done { operator, .. } => Some(operator),
        }
    }
}

/// What is told of a verified token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenSeen {
    /// Its identity.
    pub id: TokenId,
    /// Whose profile it gives.
    pub user: UserName,
    /// What kind; `None` if it is an admin token.
    pub kind: Option<ProfileKind>,
}

/// Each sort has a ring of its own, so that none pushes another out.
#[derive(Debug, Default)]
struct Recent {
    delivered: Ring,
    done: Ring,
    refused: Ring,
    strange: Ring,
    /// How many events there were. Each has its number, because many share a
    /// second.
    count: u64,
}

/// Numbered events, the newest last.
type Ring = VecDeque<(u64, Event)>;

impl Recent {
    /// Returns where an event belongs, and how many such are kept.
    fn ring(&mut self, event: &Event) -> (&mut Ring, usize) {
        match &event.what {
            What::Delivered { .. } => (&mut self.delivered, DELIVERED_MAX),
            What::Done { .. } => (&mut self.done, DONE_MAX),
            What::Refused { token: Some(_), .. } => (&mut self.refused, REFUSED_MAX),
            What::Refused { token: None, .. } => (&mut self.strange, STRANGE_MAX),
        }
    }

    fn rings(&self) -> [&Ring; 4] {
        [&self.delivered, &self.done, &self.refused, &self.strange]
    }
}

impl Activity {
    /// Begins to write all events to the file at `path` as well; it is made if
    /// it does not exist. The default is to keep them in memory only.
    ///
    /// # Errors
    ///
    /// [`AuditError`] if the file is open to others, or cannot be written.
    pub fn with_audit_log(path: &Path) -> Result<Self, AuditError> {
        Ok(Self { audit: Some(AuditLog::open(path)?), ..Self::default() })
    }

    /// Remembers an event. Nobody waits for the audit log.
    pub fn note(&self, event: Event) {
        if let Some(audit) = &self.audit {
            audit.note(event.clone());
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

    /// Returns the events that `wanted` lets through, newest first, at most
    /// `max`.
    pub fn recent(&self, max: usize, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        // Requests wait for this lock: no more is copied than is shown.
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

    /// Opens the file of the audit log anew, because it was moved away.
    pub fn reopen_audit_log(&self) {
        if let Some(audit) = &self.audit {
            audit.reopen();
        }
    }

    /// Returns how many lines of the audit log were lost, because the disk was
    /// full or too slow.
    #[must_use]
    pub fn audit_lines_lost(&self) -> u64 {
        self.audit.as_ref().map_or(0, AuditLog::lost)
    }

    /// Ends the audit log and waits until all is written, but no longer than
    /// `patience`; `false` if something may be missing.
    #[must_use]
    pub fn close_audit_log(&self, patience: Duration) -> bool {
        self.audit.as_ref().is_none_or(|audit| audit.close(patience))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(at: u64, token: Option<TokenSeen>) -> Event {
        let what = What::Refused { token, reason: Reason::Unverified };
        Event { at: UnixSeconds::new(at), client: None, what }
    }

    fn done(at: u64) -> Event {
        let operator = UserName::new("root").unwrap();
        let what =
            What::Done { operator, role: AdminRole::Admin, what: "revoked user bob".to_owned() };
        Event { at: UnixSeconds::new(at), client: None, what }
    }

    #[test]
    fn the_newest_come_first_and_garbage_pushes_nothing_out() {
        let activity = Activity::default();
        activity.note(done(1));
        for at in 2..=10_000 {
            activity.note(refused(at, None));
        }
        let all = activity.recent(usize::MAX, |_| true);
        assert_eq!(all.len(), STRANGE_MAX + 1);
        assert_eq!((all.first().unwrap().at.get(), all.last().unwrap().at.get()), (10_000, 1));
        assert_eq!(activity.recent(2, |_| true).len(), 2);
        assert_eq!(activity.recent(9, |event| event.at.get() < 5).len(), 1);
        activity.note(done(10_000));
        activity.note(refused(10_000, None));
        let newest = activity.recent(2, |_| true);
        assert!(matches!(newest[0].what, What::Refused { .. }), "within one second, too");
        assert!(matches!(newest[1].what, What::Done { .. }));
    }

    #[test]
    fn memory_is_bounded() {
        let activity = Activity::default();
        (0..10_000).for_each(|at| activity.note(done(at)));
        assert_eq!(activity.recent(usize::MAX, |_| true).len(), DONE_MAX);
    }
}
