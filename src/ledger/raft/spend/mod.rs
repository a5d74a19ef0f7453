//! The path of a command into the log: batched, forwarded to the leader, timestamped.

mod batcher;
mod forward;
mod timestamp;

pub(crate) use batcher::{Batcher, stopped};
pub(crate) use forward::{Forwarder, NO_LEADER};
