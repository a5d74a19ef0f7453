//! How a ledger begins.
//!
//! | file | what it holds |
//! |---|---|
//! | `create` | makes a ledger directory, once |
//! | `open` | opens it at each start, and starts the parts of a node |
//! | `restore` | reads an older copy, from which a new ledger can begin |

mod create;
mod open;
mod restore;

pub use create::{create, create_from, create_joined};
pub use open::{JOINED, Options};
#[cfg(test)]
pub(crate) use open::{KEPT_ENTRIES, Opening, SNAPSHOT_EVERY};
pub use restore::LedgerCopy;
