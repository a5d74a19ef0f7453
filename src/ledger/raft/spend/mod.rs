//! How a command gets into the log.
//!
//! | file | what it holds |
//! |---|---|
//! | `batcher` | the queue: puts waiting commands into one entry and repeats failed attempts |
//! | `forward` | one attempt: appends the entry, or forwards the commands to the leader |
//! | `timestamp` | the time that a leader puts on an entry |

mod batcher;
mod forward;
mod timestamp;

pub(crate) use batcher::Batcher;
pub(crate) use forward::Forwarder;
