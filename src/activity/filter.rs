//! Which events somebody wants to see.

use super::{Event, EventName};
use crate::token::UserName;

/// What an event must have to be shown; the default lets all through.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EventFilter {
    /// Whom it is about, or who did it.
    pub user: Option<UserName>,
    /// Its sort.
    pub event: Option<EventName>,
}

impl EventFilter {
    /// Tells whether `event` is wanted.
    #[must_use]
    pub fn lets_through(&self, event: &Event) -> bool {
        self.user.as_ref().is_none_or(|user| event.what.user() == Some(user))
            && self.event.is_none_or(|name| event.what.name() == name)
    }
}
