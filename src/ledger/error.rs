//! Why the ledger gave no answer.

use thiserror::Error;

/// Why the ledger gave no answer. Whatever it is, no profile goes out.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum LedgerError {
    /// More work is waiting than may wait. Nothing was changed.
    #[error("too many requests are waiting for the ledger")]
    Overloaded,
    /// The ledger cannot decide now. Nothing was changed.
    #[error("the ledger is not available: {0}")]
    Unavailable(String),
    /// The ledger did not say in time what became of the command. It may or
    /// may not have been carried out.
    #[error("the outcome is not known: {0}")]
    OutcomeUnknown(String),
}
