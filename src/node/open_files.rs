//! The limit of open files, shared by connections and the ledger.
//!
//! If clients could use up all files, the ledger could not open its next one, and would stop until
//! a restart.

use std::num::NonZeroUsize;

use crate::admin;

/// Files that are not connections of the public door: the ledger's, certificates, profiles, pipes,
/// and the connections of the admin door.
const RESERVED: u64 = 256 + admin::CONNECTIONS_MAX as u64;

/// Raises the limit of open files as far as the system allows. Returns how many of the `wanted`
/// connections of the public door fit, with `cluster` files left for the cluster door.
pub(crate) fn limit_connections(wanted: NonZeroUsize, cluster: u64) -> NonZeroUsize {
    let Some(files) = raise() else { return wanted };
    let room = usize::try_from(files.saturating_sub(RESERVED + cluster)).unwrap_or(usize::MAX);
    let fitting = NonZeroUsize::new(room).unwrap_or(NonZeroUsize::MIN).min(wanted);
    if fitting < wanted {
        tracing::warn!(
            wanted,
            fitting,
            files,
            "limits.connections is too high for the limit of open files; raise that (LimitNOFILE)"
        );
    }
    fitting
}

/// Raises the soft limit to the hard limit and returns it; `None` if there is none.
fn raise() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_what_fits_and_at_most_what_is_wanted() {
        let few = NonZeroUsize::new(10).unwrap();
        assert_eq!(limit_connections(few, 0), few);
        let all = limit_connections(NonZeroUsize::MAX, 100);
        assert!(raise().is_none_or(|files| all.get() as u64 <= files - RESERVED - 100));
    }
}
