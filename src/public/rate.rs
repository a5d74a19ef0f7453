//! How often a client may ask for profiles: the generic cell rate algorithm
//! (GCRA), with one moment remembered for each client.
//!
//! The decision is pure and time is its argument: a duration since any fixed
//! moment of a monotonic clock.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

use super::limits::{PublicLimits, Rate};

/// The rate limit of all clients.
#[derive(Debug)]
pub(super) struct RateLimiter {
    gcra: Gcra,
    clients: Cache<ClientKey, Arc<Mutex<Duration>>>,
}

impl RateLimiter {
    pub(super) fn new(limits: &PublicLimits) -> Self {
        let gcra = Gcra::new(limits.rate);
        // A client that was quiet for so long would begin afresh anyway.
        let quiet = gcra.tolerance.saturating_add(gcra.interval);
        let clients =
            Cache::builder().max_capacity(limits.rate_clients).time_to_idle(quiet).build();
        Self { gcra, clients }
    }

    /// Admits one request of `client` at `now`, or returns how long to wait
    /// before the next one can be admitted.
    pub(super) fn admit(&self, client: IpAddr, now: Duration) -> Result<(), Duration> {
        let due = self.clients.get_with(ClientKey::of(client), Arc::default);
        let mut due = due.lock().unwrap_or_else(PoisonError::into_inner);
        *due = self.gcra.admit(*due, now)?;
        Ok(())
    }
}

/// What counts as one client: an IPv4 address, or the IPv6 /64 that one
/// subscriber has for himself.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum ClientKey {
    V4(Ipv4Addr),
    V6(u64),
}

impl ClientKey {
    fn of(client: IpAddr) -> Self {
        match client.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
        }
    }
}

/// The pure decision.
#[derive(Clone, Copy, Debug)]
struct Gcra {
    /// What one request costs.
    interval: Duration,
    /// How far ahead of its due moment a request may come.
    tolerance: Duration,
}

impl Gcra {
    fn new(rate: Rate) -> Self {
        let interval = Duration::from_secs(1) / rate.per_second.get();
        Self { interval, tolerance: interval.saturating_mul(rate.burst.get() - 1) }
    }

    /// Takes the moment at which the next request is due and returns the one
    /// for the request after it; or, with nothing changed, the time to wait.
    fn admit(self, due: Duration, now: Duration) -> Result<Duration, Duration> {
        let due = due.max(now);
        let early = due.saturating_sub(now);
        if early > self.tolerance {
            return Err(early.saturating_sub(self.tolerance));
        }
        Ok(due.saturating_add(self.interval))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    fn rate(burst: u32, per_second: u32) -> Rate {
        let number = |n| NonZeroU32::new(n).unwrap();
        Rate { burst: number(burst), per_second: number(per_second) }
    }

    fn limiter(burst: u32, per_second: u32) -> RateLimiter {
        RateLimiter::new(&PublicLimits { rate: rate(burst, per_second), ..PublicLimits::default() })
    }

    #[test]
    fn a_client_has_its_burst_and_then_its_rate() {
        let limiter = limiter(3, 2);
        let client = "192.0.2.1".parse().unwrap();
        let at = |ms| limiter.admit(client, Duration::from_millis(ms));
        for _ in 0..3 {
            assert_eq!(at(10_000), Ok(()));
        }
        assert_eq!(at(10_000), Err(Duration::from_millis(500)));
        assert_eq!(at(10_499), Err(Duration::from_millis(1)));
        assert_eq!(at(10_500), Ok(()));
        assert_eq!(at(10_500), Err(Duration::from_millis(500)));
    }

    #[test]
    fn a_subscriber_is_one_client_whatever_address_he_takes() {
        let limiter = limiter(1, 1);
        let admit = |client: &str| limiter.admit(client.parse().unwrap(), Duration::ZERO).is_ok();
        assert!(admit("2001:db8::1"));
        assert!(!admit("2001:db8::ffff:1"));
        assert!(admit("2001:db8:0:1::1"));
        assert!(admit("192.0.2.1"));
        assert!(!admit("::ffff:192.0.2.1"));
        assert!(admit("192.0.2.2"));
    }

    proptest! {
        /// In any span of time no more is admitted than the burst and what the
        /// rate gives in that span; and who waits as told is admitted.
        #[test]
        fn no_span_admits_more_than_burst_and_rate(
            burst in 1_u32..20,
            per_second in 1_u32..50,
            steps in prop::collection::vec(0_u64..300, 1..200),
        ) {
            let gcra = Gcra::new(rate(burst, per_second));
            let (mut due, mut now) = (Duration::ZERO, Duration::from_secs(1));
            let mut admitted = Vec::new();
            for step in steps {
                now += Duration::from_millis(step);
                match gcra.admit(due, now) {
                    Ok(next) => {
                        due = next;
                        admitted.push(now);
                    }
                    Err(wait) => prop_assert!(gcra.admit(due, now + wait).is_ok()),
                }
            }
            for (first, from) in admitted.iter().enumerate() {
                for (last, until) in admitted.iter().enumerate().skip(first) {
                    let given = (*until - *from).as_nanos() / gcra.interval.as_nanos();
                    prop_assert!(((last - first) as u128) < given + u128::from(burst));
                }
            }
        }
    }
}
