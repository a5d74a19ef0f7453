//! Keeps the memory of this process, where keys, tokens and profiles lie, out of
//! core dumps.

/// Forbids core dumps, also where the shell or the system allows them, and with
/// them looks into the memory by other processes of the same user.
///
/// Source: prctl(2), `PR_SET_DUMPABLE`. A limit on the size would not do: the
/// kernel does not look at it when it pipes the core to a program.
#[cfg(target_os = "linux")]
pub(crate) fn forbid() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    // The kernel refuses values that it does not know, and knows this one.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Does nothing: it is Linux that is served.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn forbid() {}
