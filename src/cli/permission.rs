//! Who says that a user may have an `autologin` profile, when a token is minted.
//!
//! It spares people a dead link and is no guard: the nodes check again when the
//! link is used.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::ValueHint;

use crate::mint::Order;
use crate::token::{ProfileKind, UserName};

use super::failure::Failure;
use super::users_file;

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

impl Permissions {
    /// Lets `orders` pass if they ask for no autologin, or only for users that
    /// may have it.
    pub(crate) fn check(&self, orders: &[Order]) -> Result<(), Failure> {
        let mut autologin = orders.iter().filter(|order| order.kind == ProfileKind::Autologin);
        match self {
            Self::Vouched => Ok(()),
            Self::Listed(allowed) => match autologin.find(|order| !allowed.contains(&order.user)) {
                None => Ok(()),
                Some(Order { user, .. }) => Err(need_autologin(format!(
                    "{user} is not allowed autologin; `jeton user allow-autologin {user}` \
                         allows it"
                ))),
            },
            Self::Unknown if autologin.next().is_none() => Ok(()),
            Self::Unknown => Err(need_autologin(
                "--users FILE names a file of `jeton user list --format toml` that says who may; \
                 --allow-autologin vouches for it yourself; the nodes check again at the download",
            )),
        }
    }
}

/// The failure, in Access Server's words.
fn need_autologin(hint: impl Into<String>) -> Failure {
    Failure::say("need autologin", hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mint::tests::order;

    fn autologin(users: &[&str]) -> Vec<Order> {
        let autologin = |user: &&str| Order { kind: ProfileKind::Autologin, ..order(user) };
        users.iter().map(autologin).collect()
    }

    fn listed(users: &[&str]) -> Permissions {
        Permissions::Listed(users.iter().map(|user| UserName::new(*user).unwrap()).collect())
    }

    #[test]
    fn autologin_needs_a_word_for_every_user() {
        let both = autologin(&["alice", "bob"]);
        assert!(Permissions::Vouched.check(&both).is_ok());
        assert!(listed(&["alice", "bob"]).check(&both).is_ok());
        for (permissions, named) in
            [(Permissions::Unknown, "--users"), (listed(&["alice"]), "allow-autologin bob")]
        {
            let said = permissions.check(&both).unwrap_err().to_string();
            assert!(said.starts_with("error: need autologin\nhint: "), "{said}");
            assert!(said.contains(named), "{said}");
        }
    }

    #[test]
    fn other_kinds_need_no_word() {
        assert!(Permissions::Unknown.check(&[order("alice")]).is_ok());
        assert!(listed(&[]).check(&[order("alice")]).is_ok());
    }
}
