//! Who there is: those with a profile and those with a permission.

use std::collections::BTreeSet;

use super::AdminDoor;
use crate::profile::ProfileError;
use crate::token::UserName;

/// A user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct RosterEntry {
    pub(super) user: UserName,
    /// Whether autologin profiles are allowed.
    pub(super) autologin: bool,
    /// Whether there is a profile.
    pub(super) profile: bool,
}

impl AdminDoor {
    /// Returns all users with a profile or a permission, sorted by name.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] if the profiles cannot be read.
    pub(super) fn roster(&self) -> Result<Vec<RosterEntry>, ProfileError> {
        let with_profile: BTreeSet<_> = self.redeemer.users()?.into_iter().collect();
        let autologin = self.ledger.autologin_users();
        let users = with_profile.union(&autologin).map(|user| RosterEntry {
            user: user.clone(),
            autologin: autologin.contains(user),
            profile: with_profile.contains(user),
        });
        Ok(users.collect())
    }
}
