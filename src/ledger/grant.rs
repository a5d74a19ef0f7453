//! The proof that a use was spent.

/// One use of a token, spent and durable. Only the ledger creates one; a counted profile is
/// delivered only for a grant.
#[derive(Debug, Eq, PartialEq)]
#[must_use = "a grant is a use that was spent"]
pub struct Grant {
    used: u32,
    left: u32,
}

impl Grant {
    /// Creates the grant for `spend`, which was applied as the `used`-th use.
    #[cfg(feature = "raft")]
    pub(super) const fn of(spend: &super::Spend, used: u32) -> Self {
        Self { used, left: spend.max.get().saturating_sub(used) }
    }

    /// Returns how many uses were spent so far, with this one.
    #[must_use]
    pub const fn used(&self) -> u32 {
        self.used
    }

    /// Returns how many uses are left.
    #[must_use]
    pub const fn left(&self) -> u32 {
        self.left
    }
}
