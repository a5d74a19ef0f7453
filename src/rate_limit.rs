//! How often a client may connect or ask: the generic cell rate algorithm (GCRA), with one instant
//! remembered for each subnet.
//!
//! Time is an argument: the duration since any fixed instant of a monotonic clock.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

/// At most `burst` requests at once, and `per_second` a second in the long run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// Requests at once.
    pub burst: NonZeroU32,
    /// Requests a second.
    pub per_second: NonZeroU32,
}

/// What counts as one client: an IPv4 address, or an IPv6 /64, which is what one subscriber gets.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Subnet(IpAddr);

/// The rate limit of all clients.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    gcra: Gcra,
    due: Cache<Subnet, Arc<Mutex<Duration>>>,
}

/// The pure decision.
#[derive(Clone, Copy, Debug)]
struct Gcra {
    /// What one request costs.
    interval: Duration,
    /// How long before it is due a request is admitted.
    tolerance: Duration,
}

impl Subnet {
    /// Returns the subnet of `address`. An IPv4-mapped address counts as IPv4.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

impl RateLimiter {
    /// Creates a limiter that remembers at most `subnets_max` subnets.
    pub(crate) fn new(rate: Rate, subnets_max: u64) -> Self {
        let gcra = Gcra::new(rate);
        // After this time without a request the whole burst is available again.
        let idle = gcra.tolerance.saturating_add(gcra.interval);
        Self { gcra, due: Cache::builder().max_capacity(subnets_max).time_to_idle(idle).build() }
    }

    /// Admits one request from `subnet` at `now`, or returns how long to wait before the next one
    /// can be admitted.
    pub(crate) fn admit(&self, subnet: Subnet, now: Duration) -> Result<(), Duration> {
        let due = self.due.get_with(subnet, Arc::default);
        let mut due = lock(&due);
        *due = self.gcra.admit(*due, now)?;
        Ok(())
    }

    /// Takes back what one request from `subnet` cost.
    pub(crate) fn refund(&self, subnet: Subnet) {
        if let Some(due) = self.due.get(&subnet) {
            let mut due = lock(&due);
            *due = due.saturating_sub(self.gcra.interval);
        }
    }
}

impl Gcra {
    fn new(rate: Rate) -> Self {
        let interval = Duration::from_secs(1) / rate.per_second.get();
        Self { interval, tolerance: interval.saturating_mul(rate.burst.get() - 1) }
    }

    /// Takes the instant at which this request is due. Returns the instant at which the next one
    /// is, or how long to wait.
    fn admit(self, due: Duration, now: Duration) -> Result<Duration, Duration> {
        let due = due.max(now);
        let early = due.saturating_sub(now);
        if early > self.tolerance {
            return Err(early.saturating_sub(self.tolerance));
        }
        Ok(due.saturating_add(self.interval))
    }
}

fn lock(due: &Mutex<Duration>) -> MutexGuard<'_, Duration> {
    due.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(burst: u32, per_second: u32) -> Rate {
        let number = |n| NonZeroU32::new(n).unwrap();
        Rate { burst: number(burst), per_second: number(per_second) }
    }

    fn subnet(address: &str) -> Subnet {
        Subnet::of(address.parse().unwrap())
    }

    #[test]
    fn a_client_has_its_burst_and_then_its_rate() {
        let limiter = RateLimiter::new(rate(3, 2), 10);
        let at = |ms| limiter.admit(subnet("192.0.2.1"), Duration::from_millis(ms));
        for _ in 0..3 {
            assert_eq!(at(10_000), Ok(()));
        }
        assert_eq!(at(10_000), Err(Duration::from_millis(500)));
        assert_eq!(at(10_499), Err(Duration::from_millis(1)));
        assert_eq!(at(10_500), Ok(()));
        assert_eq!(at(10_500), Err(Duration::from_millis(500)));
        limiter.refund(subnet("192.0.2.1"));
        limiter.refund(subnet("192.0.2.2"));
        assert_eq!(at(10_500), Ok(()));
        assert_eq!(at(10_500), Err(Duration::from_millis(500)));
    }

    #[test]
    fn an_ipv4_address_or_an_ipv6_64_is_one_client() {
        let limiter = RateLimiter::new(rate(1, 1), 10);
        let admit = |address| limiter.admit(subnet(address), Duration::ZERO).is_ok();
        assert!(admit("2001:db8::1"));
        assert!(!admit("2001:db8::ffff:1"));
        assert!(admit("2001:db8:0:1::1"));
        assert!(admit("192.0.2.1"));
        assert!(!admit("::ffff:192.0.2.1"));
        assert!(admit("192.0.2.2"));
    }

    #[test]
    fn remembers_a_limited_number_of_subnets() {
        let limiter = RateLimiter::new(rate(1_000, 1), 10);
        for number in 0..1_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            limiter.admit(Subnet::of(address), Duration::ZERO).unwrap();
        }
        limiter.due.run_pending_tasks();
        assert_eq!(limiter.due.entry_count(), 10);
    }

    proptest! {
        /// A client that waits as long as it is asked to is admitted.
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
