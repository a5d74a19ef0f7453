//! How many files and connections this process may have open.
//!
//! A client that opens all the connections there may be must not keep the ledger
//! from opening its next file: that would stop it until a restart.

use std::num::NonZeroUsize;

use crate::admin;

/// Files that are not connections of the public door: the ledger's, certificates,
/// profiles, pipes, and the connections of the operators' door.
const RESERVED: u64 = 256 + admin::CONNECTIONS_MAX as u64;

/// Raises the limit of open files as far as the system allows, and returns how
/// many of `wanted` connections fit into it beside everything else, of which
/// `between` are for other nodes.
pub(crate) fn make_room(wanted: NonZeroUsize, between: u64) -> NonZeroUsize {
    let Some(files) = raise() else { return wanted };
    let room = usize::try_from(files.saturating_sub(RESERVED + between)).unwrap_or(usize::MAX);
    let fitting = NonZeroUsize::new(room).unwrap_or(NonZeroUsize::MIN).min(wanted);
    if fitting < wanted {
        tracing::warn!(
            wanted,
            fitting,
            files,
            "fewer connections than limits.connections: raise the limit of open files (LimitNOFILE)"
        );
    }
    fitting
}

/// Raises the soft limit to the hard one and returns it; `None` for no limit.
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
    fn what_fits_is_given_and_no_more_than_wanted() {
        let few = NonZeroUsize::new(10).unwrap();
        assert_eq!(make_room(few, 0), few);
        let all = make_room(NonZeroUsize::MAX, 100);
        assert!(raise().is_none_or(|files| all.get() as u64 <= files - RESERVED - 100));
    }
}
