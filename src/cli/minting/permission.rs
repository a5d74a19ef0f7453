//! Permissions for `autologin` profiles, when a token is minted. Like [`super::order_check`], they
//! only prevent useless links.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::ValueHint;
use thiserror::Error;

use super::users_file;
use crate::failure::Failure;
use crate::mint::Order;
use crate::token::{ProfileKind, UserName};

#[derive(Debug, Default, clap::Args)]
pub(crate) struct PermissionArgs {
    /// File with the users who may have autologin, written by `jeton user list --format toml`
    #[arg(long = "users", value_name = "FILE", value_hint = ValueHint::FilePath)]
    users_file: Option<PathBuf>,

    /// Mint autologin links without --users: you vouch that their users may have them
    #[arg(long, conflicts_with = "users_file")]
    allow_autologin: bool,
}

impl PermissionArgs {
    pub(crate) fn read(&self) -> Result<Permissions, Failure> {
        match &self.users_file {
            Some(path) => users_file::read(path).map(Permissions::Listed),
            None if self.allow_autologin => Ok(Permissions::Vouched),
            None => Ok(Permissions::Unknown),
        }
    }
}

/// What is known about permissions.
#[derive(Debug)]
pub(crate) enum Permissions {
    /// The minter vouches for every user.
    Vouched,
    /// Only these users may have autologin profiles.
    Listed(BTreeSet<UserName>),
    Unknown,
}

/// The user of an order is not known to be allowed autologin. The message has Access Server's
/// words.
#[derive(Debug, Error)]
#[error("need autologin")]
pub(crate) struct NeedAutologin {
    pub hint: String,
}

impl Permissions {
    /// Rejects an order for autologin if the user is not known to be allowed it.
    pub(crate) fn check(&self, order: &Order) -> Result<(), NeedAutologin> {
        if order.kind != ProfileKind::Autologin {
            return Ok(());
        }
        let user = order.user.name();
        let hint = match self {
            Self::Vouched => return Ok(()),
            Self::Listed(allowed) if allowed.contains(user) => return Ok(()),
            Self::Listed(_) => format!(
                "{user} is not allowed autologin; `jeton user allow-autologin {user}` allows it"
            ),
            Self::Unknown => {
                "name a file from `jeton user list --format toml` with --users FILE, or vouch for \
                 the user with --allow-autologin. The nodes check again at the download"
                    .to_owned()
            }
        };
        Err(NeedAutologin { hint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mint::tests::order;

    fn autologin(user: &str) -> Order {
        Order { kind: ProfileKind::Autologin, ..order(user) }
    }

    fn listed(users: &[&str]) -> Permissions {
        Permissions::Listed(users.iter().map(|user| UserName::new(*user).unwrap()).collect())
    }

    #[test]
    fn autologin_needs_a_permission() {
        assert!(Permissions::Vouched.check(&autologin("alice")).is_ok());
        assert!(listed(&["alice", "bob"]).check(&autologin("alice")).is_ok());
        for (permissions, named) in
            [(Permissions::Unknown, "--users"), (listed(&["alice"]), "allow-autologin bob")]
        {
            let error = permissions.check(&autologin("bob")).unwrap_err();
            assert_eq!(error.to_string(), "need autologin");
            assert!(error.hint.contains(named), "{}", error.hint);
        }
    }

    #[test]
    fn other_kinds_need_no_permission() {
        assert!(Permissions::Unknown.check(&order("alice")).is_ok());
        assert!(listed(&[]).check(&order("alice")).is_ok());
    }
}
