//! Rejects orders for links that nodes would refuse. It relies on the command line and, if one is
//! asked, on a node.
//!
//! This prevents useless links and is not a security check: the nodes check again when a link is
//! used.

use std::collections::BTreeSet;

use thiserror::Error;

use super::permission::{NeedAutologin, Permissions};
use crate::cli::client::{AdminClient, ClientError};
use crate::failure::Failure;
use crate::mint::Order;
use crate::token::{ProfileKind, UserName};

/// What is known about the users.
#[derive(Debug)]
pub(crate) struct OrderCheck {
    /// Users with a profile; `None` if no node was asked.
    known: Option<BTreeSet<UserName>>,
    permissions: Permissions,
}

/// Why the link of an order would be refused.
#[derive(Debug, Error)]
pub(crate) enum OrderError {
    /// There is no profile for the user.
    #[error("unknown user {0}")]
    UnknownUser(UserName),
    /// The user is not known to be allowed autologin.
    #[error(transparent)]
    NeedAutologin(#[from] NeedAutologin),
}

impl OrderCheck {
    pub(crate) const fn offline(permissions: Permissions) -> Self {
        Self { known: None, permissions }
    }

    /// Asks a node for its users. The `given` permissions override those of the node.
    pub(crate) fn ask(node: &AdminClient, given: Permissions) -> Result<Self, ClientError> {
        let users = node.users()?;
        let allowed = users.iter().filter(|user| user.autologin).map(|user| user.user.clone());
        let permissions = match given {
            Permissions::Unknown => Permissions::Listed(allowed.collect()),
            Permissions::Vouched | Permissions::Listed(_) => given,
        };
        let known = users.into_iter().filter(|user| user.profile).map(|user| user.user);
        Ok(Self { known: Some(known.collect()), permissions })
    }

    /// Rejects an order whose link would be refused.
    pub(crate) fn check(&self, order: &Order) -> Result<(), OrderError> {
        // A server-locked profile may be for a user without a certificate, who is not in the list.
        if order.kind != ProfileKind::ServerLocked && !self.may_have_profile(order.user.name()) {
            return Err(OrderError::UnknownUser(order.user.name().clone()));
        }
        Ok(self.permissions.check(order)?)
    }

    /// Returns `true` if there may be a profile for `user`.
    pub(crate) fn may_have_profile(&self, user: &UserName) -> bool {
        self.known.as_ref().is_none_or(|known| known.contains(user))
    }
}

impl OrderError {
    pub(crate) fn hint(&self) -> &str {
        match self {
            Self::UnknownUser(_) => "`jeton user list` lists the users with a profile",
            Self::NeedAutologin(error) => &error.hint,
        }
    }

    /// Returns the column of the table of orders that causes the error.
    pub(crate) const fn column(&self) -> &'static str {
        match self {
            Self::UnknownUser(_) => "user",
            Self::NeedAutologin(_) => "profile_type",
        }
    }
}

impl From<OrderError> for Failure {
    fn from(error: OrderError) -> Self {
        Self::new(&error, error.hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::fake_node::{FakeNode, USERS};
    use crate::mint::tests::order;

    fn asked(given: Permissions) -> impl Fn(ProfileKind, &str) -> String {
        let node = FakeNode::answering([(200, USERS)]);
        let check = OrderCheck::ask(&node.client(), given).unwrap();
        move |kind, user| match check.check(&Order { kind, ..order(user) }) {
            Ok(()) => "fine".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn checks_users_and_permissions_by_the_node() {
        let check = asked(Permissions::Unknown);
        assert_eq!(check(ProfileKind::Autologin, "alice"), "fine");
        assert_eq!(check(ProfileKind::UserLocked, "bob"), "fine");
        assert_eq!(check(ProfileKind::Autologin, "bob"), "need autologin");
        assert_eq!(check(ProfileKind::UserLocked, "eve"), "unknown user eve");
        assert_eq!(check(ProfileKind::Autologin, "eve"), "unknown user eve");
        assert_eq!(check(ProfileKind::UserLocked, "gone"), "unknown user gone");
        assert_eq!(check(ProfileKind::ServerLocked, "eve"), "fine");
    }

    #[test]
    fn vouching_covers_autologin_and_not_profiles() {
        let check = asked(Permissions::Vouched);
        assert_eq!(check(ProfileKind::Autologin, "bob"), "fine");
        assert_eq!(check(ProfileKind::Autologin, "eve"), "unknown user eve");
    }

    #[test]
    fn accepts_any_user_offline() {
        let check = OrderCheck::offline(Permissions::Unknown);
        assert!(check.check(&order("eve")).is_ok());
    }
}
