//! `[limits]`: how much of everything.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use super::document::Document;
use crate::cache::CacheSizes;
use crate::public;

/// `[limits]`: how much of everything. The defaults are the rooms' own.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Limits {
    /// What the public door allows.
    pub public: public::PublicLimits,
    /// What is kept in memory to save work.
    pub cache: CacheSizes,
}

impl Limits {
    pub(super) fn read(doc: &mut Document<'_>) -> Self {
        let Self { mut public, mut cache } = Self::default();
        if let Some(connections) = doc.take::<NonZeroU32>("limits.connections") {
            public.connections = NonZeroUsize::try_from(connections).unwrap_or(NonZeroUsize::MAX);
        }
        seconds(doc, "limits.head_time_s", &mut public.head_time);
        seconds(doc, "limits.handshake_time_s", &mut public.handshake_time);
        seconds(doc, "limits.keep_alive_s", &mut public.keep_alive);
        seconds(doc, "limits.unread_time_s", &mut public.unread_time);
        seconds(doc, "limits.stop_time_s", &mut public.stop_time);
        number(doc, "limits.rate_burst", &mut public.rate.burst);
        number(doc, "limits.rate_per_second", &mut public.rate.per_second);
        entries(doc, "limits.rate_clients", &mut public.rate_clients);
        entries(doc, "limits.cached_tokens", &mut cache.verified_tokens);
        entries(doc, "limits.cached_dead_tokens", &mut cache.dead_tokens);
        entries(doc, "limits.cached_profiles", &mut cache.profiles);
        Self { public, cache }
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
