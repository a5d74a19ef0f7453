//! Fake profiles, for the tests of other modules.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Fingerprint, Profile, ProfileError, ProfileSource};
use crate::token::{ProfileKind, UnixSeconds, UserName};

/// Lists `alice`, and has a profile for every user but `absent`.
#[derive(Debug, Default)]
pub(crate) struct FakeProfiles {
    /// How often a profile was loaded.
    pub(crate) loads: Arc<AtomicU32>,
    /// The first moment at which the profiles are no longer valid.
    pub(crate) not_after: Option<UnixSeconds>,
}

impl ProfileSource for FakeProfiles {
    fn users(&self) -> Result<Vec<UserName>, ProfileError> {
        Ok(Vec::from_iter(UserName::new("alice")))
    }

    fn load(
        &self,
        user: &UserName,
        kind: ProfileKind,
        _now: UnixSeconds,
    ) -> Result<Profile, ProfileError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        if user.as_str() == "absent" {
            return Err(ProfileError::NotFound { user: user.clone(), kind });
        }
        Ok(Profile::new(format!("profile of {user}").into(), self.not_after))
    }

    fn fingerprint(&self, _user: &UserName, _kind: ProfileKind) -> Fingerprint {
        Fingerprint::default()
    }
}
