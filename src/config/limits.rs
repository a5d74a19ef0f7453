//! `[limits]`: connections, times, rates and cache sizes.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use super::document::Settings;
use crate::cache::CacheSizes;
use crate::public;

/// `[limits]`. The rooms that enforce the limits define their defaults.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Limits {
    /// Limits of the public door.
    pub public: public::PublicLimits,
    /// Sizes of the caches.
    pub cache: CacheSizes,
}

impl Limits {
    pub(super) fn read(settings: &mut Settings<'_>) -> Self {
        let Self { mut public, mut cache } = Self::default();
        if let Some(connections) = settings.take::<NonZeroU32>("limits.connections") {
            public.connections = NonZeroUsize::try_from(connections).unwrap_or(NonZeroUsize::MAX);
        }
        seconds(settings, "limits.head_time_s", &mut public.head_time);
        seconds(settings, "limits.handshake_time_s", &mut public.handshake_time);
        seconds(settings, "limits.keep_alive_s", &mut public.keep_alive);
        seconds(settings, "limits.unread_time_s", &mut public.unread_time);
        seconds(settings, "limits.stop_time_s", &mut public.stop_time);
        number(settings, "limits.rate_burst", &mut public.rate.burst);
        number(settings, "limits.rate_per_second", &mut public.rate.per_second);
        entries(settings, "limits.rate_clients", &mut public.rate_clients);
        entries(settings, "limits.cached_tokens", &mut cache.verified_tokens);
        entries(settings, "limits.cached_dead_tokens", &mut cache.dead_tokens);
        entries(settings, "limits.cached_profiles", &mut cache.profiles);
        Self { public, cache }
    }
}

fn number(settings: &mut Settings<'_>, key: &'static str, limit: &mut NonZeroU32) {
    if let Some(number) = settings.take(key) {
        *limit = number;
    }
}

fn seconds(settings: &mut Settings<'_>, key: &'static str, limit: &mut Duration) {
    if let Some(seconds) = settings.take::<NonZeroU32>(key) {
        *limit = Duration::from_secs(seconds.get().into());
    }
}

fn entries(settings: &mut Settings<'_>, key: &'static str, limit: &mut u64) {
    if let Some(entries) = settings.take::<NonZeroU32>(key) {
        *limit = entries.get().into();
    }
}
