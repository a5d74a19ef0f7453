//! Limits on unauthenticated connections: how many there may be, how often a subnet may open one,
//! and which one is closed when there are too many.
//!
//! A node's connection is unauthenticated until its handshake is complete, so it needs a slot for
//! milliseconds only. For that reason no connection is refused because all slots are taken: the
//! oldest one from the subnet that holds the most slots is closed. Subnets from which a node has
//! connected recently lose a slot only if no others hold one. To keep nodes out, an attacker has to
//! refill all slots from more subnets than there are slots, each time faster than one handshake.
//!
//! A handshake costs a signature, so each subnet also has a rate. Subnets from which a node has
//! connected recently are exempt.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::rate_limit::{Rate, RateLimiter, Subnet};

/// How many connections may be unauthenticated at a time. Each holds a file.
pub(super) const SLOTS_MAX: usize = 128;

/// How many connections one subnet may open.
const RATE: Rate = Rate {
    burst: NonZeroU32::MIN.saturating_add(63),
    per_second: NonZeroU32::MIN.saturating_add(15),
};

/// How many subnets the rate limit remembers.
const SUBNETS_MAX: u64 = 1_024;

/// How long a subnet is privileged after a node has connected from it.
const NODE_RECENT: Duration = Duration::from_secs(600);

/// The unauthenticated connections. Time is an argument: the duration since any fixed instant.
#[derive(Debug)]
pub(super) struct ConnectionLimit {
    rate: RateLimiter,
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    next: u64,
    /// By the order in which the connections were accepted.
    taken: BTreeMap<u64, SlotHolder>,
    /// When a node last connected from each subnet.
    nodes_seen: HashMap<Subnet, Duration>,
}

#[derive(Debug)]
struct SlotHolder {
    subnet: Subnet,
    evict: oneshot::Sender<()>,
}

/// The slot of one connection, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    limit: Arc<ConnectionLimit>,
    number: u64,
    subnet: Subnet,
}

/// Completes when a connection has to be closed for another one.
#[derive(Debug)]
pub(super) struct Eviction(oneshot::Receiver<()>);

impl ConnectionLimit {
    pub(super) fn new() -> Self {
        Self { rate: RateLimiter::new(RATE, SUBNETS_MAX), slots: Mutex::default() }
    }

    /// Gives a connection from `address` a slot, unless its subnet exceeds its rate.
    pub(super) fn admit(
        self: &Arc<Self>,
        address: IpAddr,
        now: Duration,
    ) -> Option<(Slot, Eviction)> {
        let subnet = Subnet::of(address);
        let is_within_rate = self.rate.admit(subnet, now).is_ok();
        let mut slots = self.slots();
        if !is_within_rate && !slots.has_recent_node(subnet, now) {
            return None;
        }
        if slots.taken.len() >= SLOTS_MAX {
            slots.evict_one(now);
        }
        let number = slots.next;
        slots.next += 1;
        let (evict, evicted) = oneshot::channel();
        slots.taken.insert(number, SlotHolder { subnet, evict });
        drop(slots);
        Some((Slot { limit: Arc::clone(self), number, subnet }, Eviction(evicted)))
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    fn has_recent_node(&self, subnet: Subnet, now: Duration) -> bool {
        self.nodes_seen.get(&subnet).is_some_and(|seen| is_recent(*seen, now))
    }

    /// Closes the oldest connection from the subnet that holds the most slots, preferring subnets
    /// without a recent node.
    fn evict_one(&mut self, now: Duration) {
        let mut counts = HashMap::<Subnet, usize>::new();
        for holder in self.taken.values() {
            *counts.entry(holder.subnet).or_default() += 1;
        }
        let rank =
            |subnet: &Subnet| (!self.has_recent_node(*subnet, now), counts.get(subnet).copied());
        let worst = counts.keys().map(rank).max();
        let oldest = self.taken.iter().find(|(_, holder)| Some(rank(&holder.subnet)) == worst);
        let oldest = oldest.map(|(number, _)| *number);
        if let Some(holder) = oldest.and_then(|oldest| self.taken.remove(&oldest)) {
            // It fails only if the connection is being closed already.
            let _ = holder.evict.send(());
        }
    }
}

fn is_recent(seen: Duration, now: Duration) -> bool {
    now.saturating_sub(seen) <= NODE_RECENT
}

impl Slot {
    /// Records that the connection is a node's. This frees the slot and takes back what the
    /// connection cost its subnet.
    pub(super) fn authenticated(&self, now: Duration) {
        self.limit.rate.refund(self.subnet);
        let mut slots = self.limit.slots();
        slots.taken.remove(&self.number);
        slots.nodes_seen.retain(|_, seen| is_recent(*seen, now));
        slots.nodes_seen.insert(self.subnet, now);
    }

    /// Exempts the connection from eviction, and frees the slot.
    pub(super) fn release(&self) {
        self.limit.slots().taken.remove(&self.number);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.release();
    }
}

impl Eviction {
    /// Waits until the connection has to be closed, which may be never.
    pub(super) async fn wait(self) {
        if self.0.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const NOW: Duration = Duration::from_secs(10);

    fn address(number: u8) -> IpAddr {
        [192, 0, 2, number].into()
    }

    fn limit() -> Arc<ConnectionLimit> {
        Arc::new(ConnectionLimit::new())
    }

    fn count(limit: &ConnectionLimit) -> usize {
        limit.slots().taken.len()
    }

    #[tokio::test]
    async fn evicts_the_oldest_connection_of_the_subnet_with_the_most_slots() {
        let limit = limit();
        let admit = |number| (number, limit.admit(address(number), NOW).unwrap());
        let connections = [vec![1; 3], vec![2; 63], vec![3; 62]].concat();
        let connections: Vec<_> = connections.into_iter().map(admit).collect();
        assert_eq!(count(&limit), SLOTS_MAX);
        let _node = limit.admit(address(9), NOW).unwrap();
        assert_eq!(count(&limit), SLOTS_MAX);
        let mut evicted = Vec::new();
        for (number, (slot, eviction)) in connections {
            if timeout(Duration::ZERO, eviction.wait()).await.is_ok() {
                evicted.push((number, slot.number));
            }
        }
        assert_eq!(evicted, [(2, 3)]);
    }

    #[tokio::test]
    async fn evicts_from_a_subnet_with_a_recent_node_last() {
        let limit = limit();
        let (node, _eviction) = limit.admit(address(9), NOW).unwrap();
        node.authenticated(NOW);
        let (_again, eviction) = limit.admit(address(9), NOW).unwrap();
        // Each from its own subnet, twice as many as there are slots.
        let others = (0..2 * SLOTS_MAX).map(|number| {
            let number = u8::try_from(number).unwrap();
            limit.admit([198, 51, 100, number].into(), NOW).unwrap()
        });
        let _others: Vec<_> = others.collect();
        assert!(timeout(Duration::ZERO, eviction.wait()).await.is_err());
    }

    #[tokio::test]
    async fn a_released_or_dropped_slot_is_free_and_not_evicted() {
        let limit = limit();
        let (invited, eviction) = limit.admit(address(1), NOW).unwrap();
        invited.release();
        assert_eq!(count(&limit), 0);
        let (other, _eviction) = limit.admit(address(1), NOW).unwrap();
        drop(other);
        assert_eq!(count(&limit), 0);
        assert!(timeout(Duration::ZERO, eviction.wait()).await.is_err());
    }

    #[test]
    fn a_subnet_has_a_rate_unless_a_node_connected_from_it_recently() {
        let limit = limit();
        let admit = |from, at| limit.admit(from, at);
        for _ in 0..64 {
            assert!(admit(address(1), NOW).is_some());
        }
        assert!(admit(address(1), NOW).is_none());
        assert!(admit(address(2), NOW).is_some(), "another subnet");
        let later = NOW + Duration::from_secs(1);
        for _ in 0..16 {
            assert!(admit(address(1), later).is_some());
        }
        assert!(admit(address(1), later).is_none());
        // The handshake of a node costs its subnet nothing, and makes it exempt.
        admit(address(2), NOW).unwrap().0.authenticated(NOW);
        for _ in 0..200 {
            assert!(admit(address(2), NOW).is_some());
        }
        let long_after = NOW + NODE_RECENT + Duration::from_secs(1);
        let again = (0..200).filter(|_| admit(address(2), long_after).is_some()).count();
        assert_eq!(again, 64);
    }

    #[test]
    fn remembers_the_subnets_of_recent_nodes_only() {
        let limit = limit();
        let connect = |number, at| limit.admit(address(number), at).unwrap().0.authenticated(at);
        connect(1, NOW);
        for number in 0..3_000_u32 {
            drop(limit.admit(IpAddr::from(number.to_be_bytes()), NOW));
        }
        let nodes = || limit.slots().nodes_seen.keys().copied().collect::<Vec<_>>();
        assert_eq!(nodes(), [Subnet::of(address(1))]);
        connect(2, NOW + NODE_RECENT + Duration::from_secs(1));
        assert_eq!(nodes(), [Subnet::of(address(2))]);
    }
}
