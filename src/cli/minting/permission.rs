//! Who says that a user may have an `autologin` profile, when a token is minted.
//!
//! It spares people a dead link and is no guard: the nodes check again when the
//! link is used.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::ValueHint;
use thiserror::Error;

use super::users_file;
use crate::failure::Failure;
use crate::mint::Order;
use crate::token::{ProfileKind, UserName};

/// How a command line says who may have autologin.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PermissionArgs {
    /// File that says who may have autologin, as `jeton user list --format
    /// toml` writes it
    #[arg(long = "users", value_name = "FILE", value_hint = ValueHint::FilePath)]
    users_file: Option<PathBuf>,

    /// Mint autologin without asking a file: you vouch that the user may
    #[arg(long, conflicts_with = "users_file")]
    allow_autologin: bool,
}

impl PermissionArgs {
    /// Reads what the command line says about permissions.
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
    /// The minter answers for it.
    Vouched,
    /// These users may, and no others.
    Listed(BTreeSet<UserName>),
    /// Nobody said anything.
    Unknown,
}

/// Nobody says that the user of an order may have autologin. It is told in
/// Access Server's words.
#[derive(Debug, Error)]
#[error("need autologin")]
pub(crate) struct NeedAutologin {
    /// What to do.
    pub hint: String,
}

impl Permissions {
    /// Lets `order` pass if it asks for no autologin, or for a user that may have
    /// it.
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
                "--users FILE names a file of `jeton user list --format toml` that says who may; \
                 --allow-autologin vouches for it yourself; the nodes check again at the download"
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
    fn autologin_needs_a_word_for_the_user() {
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
    fn other_kinds_need_no_word() {
        assert!(Permissions::Unknown.check(&order("alice")).is_ok());
        assert!(listed(&[]).check(&order("alice")).is_ok());
    }
}
