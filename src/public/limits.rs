//! What the public door allows, each with its unit and its default.
//!
//! Three more limits are actix's own and cannot be set: a request head has at
//! most 131072 bytes and 96 header lines, and a worker does at most 256 TLS
//! handshakes at a time.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

/// What the public door allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublicLimits {
    /// How long a client may take for the whole head of a request, counted
    /// from its connection or its first byte. Default 5 s.
    pub head_time: Duration,
    /// How long a client may take for the TLS handshake. Default 3 s.
    pub handshake_time: Duration,
    /// How long a connection may stay open between two requests. Default 5 s.
    pub keep_alive: Duration,
    /// How long a client may take nothing at all of what it is sent before its
    /// connection is cut; on Linux only. Default 20 s.
    pub unread_time: Duration,
    /// How long downloads that have begun may take when the server stops; whole
    /// seconds. Default 30 s.
    pub stop_time: Duration,
    /// How many connections may be open in all; further ones wait to be
    /// accepted. Default 10000.
    pub connections: NonZeroUsize,
    /// How often one client may ask for profiles.
    pub rate: Rate,
    /// How many clients the rate limit remembers at once, some 150 bytes each.
    /// One that is forgotten begins afresh. Default 100000.
    pub rate_clients: u64,
}

/// How often one client may ask: at most `burst` times at once, and
/// `per_second` times a second in the long run.
///
/// The limit protects the processor and the size of the log, not the tokens:
/// nobody guesses a signature. So the default, 1000 and 200, leaves room for a
/// whole company behind one address, or behind a proxy that is not listed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// Requests at once.
    pub burst: NonZeroU32,
    /// Requests a second.
    pub per_second: NonZeroU32,
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
            rate: Rate::default(),
            rate_clients: 100_000,
        }
    }
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            burst: NonZeroU32::MIN.saturating_add(999),
            per_second: NonZeroU32::MIN.saturating_add(199),
        }
    }
}

impl PublicLimits {
    /// Returns how many connections each of `workers` may have, so that all
    /// together have at least [`PublicLimits::connections`].
    pub(super) fn connections_per_worker(&self, workers: NonZeroUsize) -> usize {
        self.connections.get().div_ceil(workers.get())
    }
}
