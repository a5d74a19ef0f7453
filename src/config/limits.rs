//! `[limits]`: how much of everything.

use std::num::NonZeroU32;
use std::time::Duration;

use super::document::Document;
use crate::cache::CacheSizes;

/// `[limits]`: how much of everything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Open connections of the public door at a time.
    pub connections: NonZeroU32,
    /// How long a client may take to send the head of its request.
    pub head_time: Duration,
    /// How long a client may take for the TLS handshake.
    pub handshake_time: Duration,
    /// How long a connection is kept between two requests.
    pub keep_alive: Duration,
    /// How long downloads may go on after a signal to stop.
    pub stop_time: Duration,
    /// Requests from one client (an IPv4 address, an IPv6 /64) at once.
    pub rate_burst: NonZeroU32,
    /// Requests a second from one client in the long run.
    pub rate_per_second: NonZeroU32,
    /// How many clients the rate limit remembers.
    pub rate_clients: NonZeroU32,
    /// What is kept in memory to save work.
    pub cache: CacheSizes,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: at_least(10_000),
            head_time: Duration::from_secs(5),
            handshake_time: Duration::from_secs(3),
            keep_alive: Duration::from_secs(5),
            stop_time: Duration::from_secs(30),
            rate_burst: at_least(100),
            rate_per_second: at_least(10),
            rate_clients: at_least(100_000),
            cache: CacheSizes::default(),
        }
    }
}

/// Returns `number`, or 1 if that is 0.
const fn at_least(number: u32) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(number.saturating_sub(1))
}

impl Limits {
    pub(super) fn read(doc: &mut Document<'_>) -> Self {
        let mut limits = Self::default();
        number(doc, "limits.connections", &mut limits.connections);
        seconds(doc, "limits.head_time_s", &mut limits.head_time);
        seconds(doc, "limits.handshake_time_s", &mut limits.handshake_time);
        seconds(doc, "limits.keep_alive_s", &mut limits.keep_alive);
        seconds(doc, "limits.stop_time_s", &mut limits.stop_time);
        number(doc, "limits.rate_burst", &mut limits.rate_burst);
        number(doc, "limits.rate_per_second", &mut limits.rate_per_second);
        number(doc, "limits.rate_clients", &mut limits.rate_clients);
        entries(doc, "limits.cached_tokens", &mut limits.cache.verified_tokens);
        entries(doc, "limits.cached_dead_tokens", &mut limits.cache.dead_tokens);
        entries(doc, "limits.cached_profiles", &mut limits.cache.profiles);
        limits
    }
}

fn number(doc: &mut Document<'_>, key: &'static str, limit: &mut NonZeroU32) {
    if let Some(number) = doc.take(key) {
        *limit = number;
    }
}

fn seconds(doc: &mut Document<'_>, key: &'static str, limit: &mut Duration) {
    if let Some(seconds) = doc.take::<NonZeroU32>(key) {
        *limit = Duration::from_secs(seconds.get().into());
    }
}

fn entries(doc: &mut Document<'_>, key: &'static str, limit: &mut u64) {
    if let Some(entries) = doc.take::<NonZeroU32>(key) {
        *limit = entries.get().into();
    }
}
