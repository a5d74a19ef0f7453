//! Whether an order can come to something, as far as anybody says: the command
//! line, and a node where one is asked.
//!
//! `mint --record` and `sacli` share it. It spares people dead links and is no
//! guard: the nodes check again when a link is used.

use std::collections::BTreeSet;

use thiserror::Error;

use super::permission::{NeedAutologin, Permissions};
use crate::cli::client::{AdminClient, ClientError};
use crate::failure::Failure;
use crate::mint::Order;
use crate::token::{ProfileKind, UserName};

/// What is known of users before anything is minted for them.
#[derive(Debug)]
pub(crate) struct OrderCheck {
    /// Those with a profile; `None` if nobody was asked.
    known: Option<BTreeSet<UserName>>,
    /// Who may have autologin.
    permissions: Permissions,
}

/// Why an order would come to nothing.
#[derive(Debug, Error)]
pub(crate) enum Dead {
    /// There is no profile for the user.
    #[error("unknown user {0}")]
    UnknownUser(UserName),
    /// Nobody says that the user may have autologin.
    #[error(transparent)]
    NeedAutologin(#[from] NeedAutologin),
}

impl OrderCheck {
    /// Goes by what the command line says, and asks no node.
    pub(crate) const fn unasked(permissions: Permissions) -> Self {
        Self { known: None, permissions }
    }

    /// Asks a node for its users. What the command line says about autologin goes
    /// before what the node says.
    pub(crate) fn ask(node: &AdminClient, said: Permissions) -> Result<Self, ClientError> {
        let users = node.users()?;
        let allowed = users.iter().filter(|user| user.autologin).map(|user| user.user.clone());
        let permissions = match said {
            Permissions::Unknown => Permissions::Listed(allowed.collect()),
            Permissions::Vouched | Permissions::Listed(_) => said,
        };
        let known = users.into_iter().filter(|user| user.profile).map(|user| user.user);
        Ok(Self { known: Some(known.collect()), permissions })
    }

    /// Lets an order pass that can come to something.
    pub(crate) fn check(&self, order: &Order) -> Result<(), Dead> {
        // A server-locked profile may be for a user without a certificate, whom no
        // list of profiles names.
        if order.kind != ProfileKind::ServerLocked && !self.may_know(order.user.name()) {
            return Err(Dead::UnknownUser(order.user.name().clone()));
        }
        Ok(self.permissions.check(order)?)
    }

    /// Tells whether there may be a profile for `user`.
    pub(crate) fn may_know(&self, user: &UserName) -> bool {
        self.known.as_ref().is_none_or(|known| known.contains(user))
    }
}

impl Dead {
    /// Returns what to do.
    pub(crate) fn hint(&self) -> &str {
        match self {
            Self::UnknownUser(_) => "`jeton user list` shows the users that have a profile",
            Self::NeedAutologin(why) => &why.hint,
        }
    }

    /// Returns the column of a table of orders that it is about.
    pub(crate) const fn column(&self) -> &'static str {
        match self {
            Self::UnknownUser(_) => "user",
            Self::NeedAutologin(_) => "profile_type",
        }
    }
}

impl From<Dead> for Failure {
    fn from(error: Dead) -> Self {
        Self::new(&error, error.hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::fake_node::FakeNode;
    use crate::mint::tests::order;
    use crate::token::SigningKey;

    const USERS: &str = r#"{"users":[{"user":"alice","autologin":true,"profile":true},
                                     {"user":"bob","autologin":false,"profile":true},
                                     {"user":"gone","autologin":true,"profile":false}]}"#;

    fn asked(said: Permissions) -> impl Fn(ProfileKind, &str) -> String {
        let node = FakeNode::answering([(200, USERS)]);
        let client = AdminClient::new(node.address(), SigningKey::from_seed(&[9; 32]));
        let check = OrderCheck::ask(&client, said).unwrap();
        move |kind, user| match check.check(&Order { kind, ..order(user) }) {
            Ok(()) => "fine".to_owned(),
            Err(dead) => dead.to_string(),
        }
    }

    #[test]
    fn the_node_says_who_there_is_and_who_may_have_autologin() {
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
    fn who_vouches_is_believed_about_autologin_and_not_about_profiles() {
        let check = asked(Permissions::Vouched);
        assert_eq!(check(ProfileKind::Autologin, "bob"), "fine");
        assert_eq!(check(ProfileKind::Autologin, "eve"), "unknown user eve");
    }

    #[test]
    fn where_nobody_is_asked_anybody_may_exist() {
        let check = OrderCheck::unasked(Permissions::Unknown);
        assert!(check.check(&order("eve")).is_ok());
    }
}
