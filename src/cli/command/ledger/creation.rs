//! Creates ledgers, for `init`, `ledger new`, `ledger restore` and `cluster join`.

use std::path::Path;
use std::sync::Arc;

use crate::cli::command::serve::runtime;
use crate::clock::SystemClock;
use crate::failure::Failure;
use crate::ledger::NodeId;
use crate::ledger::raft::{self, Identity, OpenError};
use crate::random;
use crate::token::UnixSeconds;

/// Creates a ledger in the new directory `dir`, completely or not at all. The ledger refuses links
/// minted before `born_at`.
pub(crate) fn create(dir: &Path, born_at: UnixSeconds) -> Result<(), Failure> {
    let identity = draw_identity(born_at)?;
    let created = runtime()?.block_on(raft::create(dir, identity, Arc::new(SystemClock)));
    created.map_err(|error| explain(&error))
}

/// Draws the ids of a new ledger and its first node.
pub(super) fn draw_identity(born_at: UnixSeconds) -> Result<Identity, Failure> {
    Ok(Identity { ledger_id: random::bytes()?, node_id: draw_node_id()?, born_at })
}

pub(crate) fn draw_node_id() -> Result<NodeId, Failure> {
    // Zero is not a node id.
    Ok(NodeId(u64::from_be_bytes(random::bytes()?).max(1)))
}

/// Adds a hint to the error of a ledger that could not be created.
pub(super) fn explain(error: &OpenError) -> Failure {
    let hint = if matches!(error, OpenError::Exists(_)) {
        "keep it: a new ledger refuses all links minted so far. If it is damaged, move it away \
         first"
    } else {
        "nothing was created; check that the disk is not full and that you may write to the directory"
    };
    Failure::new(error, hint)
}
