//! How a ledger begins: created once, opened at each start, restored from a copy.

mod create;
mod open;
mod restore;

pub use create::{create, create_from, create_joined};
pub use open::{JOINED, Options};
#[cfg(test)]
pub(crate) use open::{KEPT_ENTRIES, Opening, SNAPSHOT_EVERY};
pub use restore::LedgerCopy;
