//! The limits of the public door, each with its unit and its default.
//!
//! Two more limits are built into actix: a request head has at most 131072 bytes and 96 header
//! lines.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use crate::rate_limit::Rate;

/// The limits of the public door.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublicLimits {
    /// How long a client may take to send the head of a request, counted from its connection or its
    /// first byte. Default 5 s.
    pub head_time: Duration,
    /// How long the TLS handshake may take. Default 3 s.
    pub handshake_time: Duration,
    /// How long a connection may be idle between two requests. Default 5 s.
    pub keep_alive: Duration,
    /// How long a client may accept none of the data sent to it before its connection is closed; on
    /// Linux only. Default 20 s.
    pub unread_time: Duration,
    /// How long downloads under way may take when the server stops, in whole seconds. Default 30 s.
    pub stop_time: Duration,
    /// How many connections may be open; further ones wait to be accepted. Default 10000.
    pub connections: NonZeroUsize,
    /// How often one client may request profiles. Default 1000 at once and 200 a second, which
    /// suffices for a company behind one address or behind a proxy that is not listed. The limit
    /// protects the processor and the size of the log, not the tokens: a signature cannot be
    /// guessed.
    pub rate: Rate,
    /// How many clients the rate limit remembers, some 150 bytes each. A forgotten client has its
    /// whole burst again. Default 100000.
    pub rate_clients: u64,
}

impl Default for PublicLimits {
    fn default() -> Self {
        Self {
            head_time: Duration::from_secs(5),
            handshake_time: Duration::from_secs(3),
            keep_alive: Duration::from_secs(5),
            unread_time: Duration::from_secs(20),
            stop_time: Duration::from_secs(30),
            connections: NonZeroUsize::MIN.saturating_add(9_999),
            rate: Rate {
                burst: NonZeroU32::MIN.saturating_add(999),
                per_second: NonZeroU32::MIN.saturating_add(199),
            },
            rate_clients: 100_000,
        }
    }
}

impl PublicLimits {
    /// Returns how many connections each of `workers` may have, so that together they have at least
    /// [`PublicLimits::connections`].
    pub(super) fn connections_per_worker(&self, workers: NonZeroUsize) -> usize {
        self.connections.get().div_ceil(workers.get())
    }
}
