//! Users, and who may have `autologin` profiles.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::token::UserName;

/// All users.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct UserList {
    /// Those with a profile and those with a permission, sorted by name.
    pub(crate) users: Vec<UserInfo>,
}

/// A user.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserInfo {
    pub(crate) user: UserName,
    /// Whether autologin profiles are allowed.
    pub(crate) autologin: bool,
    /// Whether there is a profile for this user.
    pub(crate) profile: bool,
}

/// What a user may have.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Permission {
    /// Whether autologin profiles are allowed from now on.
    pub(crate) allowed: bool,
}

/// What a user may have now.
#[derive(Serialize, ToSchema)]
pub(crate) struct Permitted {
    pub(crate) user: UserName,
    /// Whether autologin profiles are allowed.
    pub(crate) autologin: bool,
}
