//! Keeps keys, tokens and profiles in memory out of core dumps.

/// Forbids core dumps, whatever the shell and the system allow. Other processes of the same user
/// can no longer read the memory of this one either.
///
/// Source: prctl(2), `PR_SET_DUMPABLE`. `RLIMIT_CORE` is not enough: the kernel ignores it when it
/// pipes the core to a program.
#[cfg(target_os = "linux")]
pub(crate) fn forbid() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    // The call fails only for unknown values.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Does nothing: jeton serves on Linux.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn forbid() {}
