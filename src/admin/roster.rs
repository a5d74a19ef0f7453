//! The users with a profile or a permission.

use std::collections::BTreeSet;

use super::door::AdminDoor;
use crate::api::users::UserInfo;
use crate::profile::ProfileError;

impl AdminDoor {
    /// Returns all users with a profile or a permission, sorted by name.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] if the profiles cannot be read.
    pub(super) fn roster(&self) -> Result<Vec<UserInfo>, ProfileError> {
        let with_profile: BTreeSet<_> = self.redeemer.users()?.into_iter().collect();
        let autologin = self.ledger.autologin_users();
        let users = with_profile.union(&autologin).map(|user| UserInfo {
            user: user.clone(),
            autologin: autologin.contains(user),
            profile: with_profile.contains(user),
        });
        Ok(users.collect())
    }
}
