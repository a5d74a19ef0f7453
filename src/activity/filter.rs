//! Which events to list.

use super::event::Event;
use super::line::EventName;
use crate::token::UserName;

/// A filter for events. The default accepts all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EventFilter {
    /// The user of the token, or the operator who made the change.
    pub user: Option<UserName>,
    /// What happened.
    pub event: Option<EventName>,
}

impl EventFilter {
    /// Returns `true` if the filter accepts `event`.
    #[must_use]
    pub fn accepts(&self, event: &Event) -> bool {
        self.user.as_ref().is_none_or(|user| event.kind.user() == Some(user))
            && self.event.is_none_or(|name| event.kind.name() == name)
    }
}
