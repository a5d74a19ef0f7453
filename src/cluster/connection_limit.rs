//! Those at the door who have not shown that they are nodes: how many there may be,
//! how often they may come, and who has to go.
//!
//! Until its handshake is done, a member is a guest like any other; it needs its
//! seat for milliseconds. So nobody is turned away because all seats are taken:
//! the oldest guest of the network that has most of them goes, and one of a network
//! from which a node has come of late only if there is no other. Whoever wants to keep
//! members out has to come from more networks than there are seats, faster than a
//! handshake, again and again, and before the first of them was heard.
//!
//! A handshake costs a signature. So each network may come now and then only, but
//! for those from which a node has come of late: a member is never among the late.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// How many guests there may be at a time. Each holds a file.
pub(super) const GUESTS_MAX: usize = 128;

/// How many guests of one network may come at once, and how many more each second.
const BURST: f64 = 64.0;
const PER_SECOND: f64 = 16.0;

/// How long a network from which a node came is not held to that.
const KNOWN: Duration = Duration::from_secs(600);

/// How many networks are remembered.
const NETWORKS_MAX: usize = 1_024;

/// Those at the door.
#[derive(Debug, Default)]
pub(super) struct ConnectionLimit(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    /// By the order in which they came.
    guests: BTreeMap<u64, Guest>,
    networks: HashMap<IpAddr, Network>,
}

#[derive(Debug)]
struct Guest {
    network: IpAddr,
    leave: oneshot::Sender<()>,
}

/// What is remembered of a network.
#[derive(Clone, Copy, Debug)]
struct Network {
    /// How many guests may come now.
    budget: f64,
    at: Instant,
    /// When a node came from it.
    node_at: Option<Instant>,
}

/// A guest's seat. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    guests: Arc<ConnectionLimit>,
    number: u64,
    network: IpAddr,
}

/// Tells a guest that it has to leave.
#[derive(Debug)]
pub(super) struct Leave(oneshot::Receiver<()>);

impl ConnectionLimit {
    /// Gives whoever comes from `from` a seat, unless its network comes too often.
    pub(super) fn admit(self: &Arc<Self>, from: IpAddr, now: Instant) -> Option<(Seat, Leave)> {
        let network = network_of(from);
        let mut inner = self.inner();
        if !inner.may_come(network, now) {
            return None;
        }
        if inner.guests.len() >= GUESTS_MAX {
            inner.make_room(now);
        }
        let number = inner.next;
        inner.next += 1;
        let (leave, told) = oneshot::channel();
        inner.guests.insert(number, Guest { network, leave });
        drop(inner);
        Some((Seat { guests: Arc::clone(self), number, network }, Leave(told)))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Counts a guest of `network`, if one more may come.
    fn may_come(&mut self, network: IpAddr, now: Instant) -> bool {
        if !self.networks.contains_key(&network) && self.networks.len() >= NETWORKS_MAX {
            let oldest = self.networks.iter().min_by_key(|(_, known)| (known.node_at, known.at));
            let oldest = oldest.map(|(network, _)| *network);
            oldest.and_then(|oldest| self.networks.remove(&oldest));
        }
        let new = Network { budget: BURST, at: now, node_at: None };
        let known = self.networks.entry(network).or_insert(new);
        let gained = now.saturating_duration_since(known.at).as_secs_f64() * PER_SECOND;
        (known.budget, known.at) = ((known.budget + gained).min(BURST), now);
        if known.budget < 1.0 {
            return known.is_known(now);
        }
        known.budget -= 1.0;
        true
    }

    /// Sends the oldest guest away of the network that has most, and of those of
    /// which no node is known as long as there are any.
    fn make_room(&mut self, now: Instant) {
        let is_known = |network: &IpAddr| {
            self.networks.get(network).is_some_and(|network| network.is_known(now))
        };
        let mut counts = HashMap::<IpAddr, usize>::new();
        for guest in self.guests.values() {
            *counts.entry(guest.network).or_default() += 1;
        }
        let rank = |network: &IpAddr| (!is_known(network), counts.get(network).copied());
        let worst = counts.keys().map(rank).max();
        let oldest = self.guests.iter().find(|(_, guest)| Some(rank(&guest.network)) == worst);
        let oldest = oldest.map(|(number, _)| *number);
        if let Some(guest) = oldest.and_then(|oldest| self.guests.remove(&oldest)) {
            // It fails only if the guest is leaving already.
            let _ = guest.leave.send(());
        }
    }
}

impl Network {
    /// Tells whether a node has come from it of late.
    fn is_known(&self, now: Instant) -> bool {
        self.node_at.is_some_and(|at| now.saturating_duration_since(at) <= KNOWN)
    }
}

impl Seat {
    /// Notes that the guest is a node, and frees the seat.
    pub(super) fn note_node(&self, now: Instant) {
        let mut inner = self.guests.inner();
        inner.guests.remove(&self.number);
        if let Some(known) = inner.networks.get_mut(&self.network) {
            known.node_at = Some(now);
            known.budget = (known.budget + 1.0).min(BURST);
        }
    }

    /// Lets the guest stay, whoever else comes.
    pub(super) fn keep(&self) {
        self.guests.inner().guests.remove(&self.number);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.guests.inner().guests.remove(&self.number);
    }
}

impl Leave {
    /// Returns when the guest has to leave; never, if it need not.
    pub(super) async fn told(self) {
        if self.0.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Returns what one stranger can easily have all addresses of.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    fn address(number: u8) -> IpAddr {
        [192, 0, 2, number].into()
    }

    fn count(guests: &ConnectionLimit) -> usize {
        guests.inner().guests.len()
    }

    #[tokio::test]
    async fn who_has_most_guests_makes_room_and_its_oldest_goes() {
        let (guests, now) = (Arc::new(ConnectionLimit::default()), Instant::now());
        let strangers = [vec![1; 3], vec![2; 63], vec![3; 62]].concat();
        let admit = |number| (number, guests.admit(address(number), now).unwrap());
        let strangers: Vec<_> = strangers.into_iter().map(admit).collect();
        assert_eq!(count(&guests), GUESTS_MAX);
        let _member = guests.admit(address(9), now).unwrap();
        assert_eq!(count(&guests), GUESTS_MAX);
        let mut gone = Vec::new();
        for (number, (seat, leave)) in strangers {
            if timeout(Duration::ZERO, leave.told()).await.is_ok() {
                gone.push((number, seat.number));
            }
        }
        assert_eq!(gone, [(2, 3)]);
    }

    #[tokio::test]
    async fn where_a_node_came_from_makes_room_last() {
        let (guests, now) = (Arc::new(ConnectionLimit::default()), Instant::now());
        let (node, _leave) = guests.admit(address(9), now).unwrap();
        node.note_node(now);
        let (_again, leave) = guests.admit(address(9), now).unwrap();
        // Each of a network of its own, twice as many as there are seats.
        let strangers = (0..2 * GUESTS_MAX).map(|number| {
            let number = u8::try_from(number).unwrap();
            guests.admit([198, 51, 100, number].into(), now).unwrap()
        });
        let _strangers: Vec<_> = strangers.collect();
        assert!(timeout(Duration::ZERO, leave.told()).await.is_err());
    }

    #[tokio::test]
    async fn a_place_is_free_again_and_who_is_kept_is_not_sent_away() {
        let (guests, now) = (Arc::new(ConnectionLimit::default()), Instant::now());
        let (invited, leave) = guests.admit(address(1), now).unwrap();
        invited.keep();
        assert_eq!(count(&guests), 0);
        let (stranger, _leave) = guests.admit(address(1), now).unwrap();
        drop(stranger);
        assert_eq!(count(&guests), 0);
        assert!(timeout(Duration::ZERO, leave.told()).await.is_err());
    }

    #[test]
    fn a_network_comes_now_and_then_unless_nodes_come_from_it() {
        let (guests, now) = (Arc::new(ConnectionLimit::default()), Instant::now());
        let comes = |from, at| guests.admit(from, at);
        for _ in 0..64 {
            assert!(comes(address(1), now).is_some());
        }
        assert!(comes(address(1), now).is_none());
        assert!(comes(address(2), now).is_some(), "another network");
        let later = now + Duration::from_secs(1);
        for _ in 0..16 {
            assert!(comes(address(1), later).is_some());
        }
        assert!(comes(address(1), later).is_none());
        // A handshake of a node costs its network nothing, and makes it known.
        comes(address(2), now).unwrap().0.note_node(now);
        for _ in 0..200 {
            assert!(comes(address(2), now).is_some());
        }
        let long_after = now + KNOWN + Duration::from_secs(1);
        let again = (0..200).filter(|_| comes(address(2), long_after).is_some()).count();
        assert_eq!(again, 64);
    }

    #[test]
    fn networks_are_forgotten_but_those_of_nodes_last() {
        let (guests, now) = (Arc::new(ConnectionLimit::default()), Instant::now());
        guests.admit(address(1), now).unwrap().0.note_node(now);
        for number in 0..3_000_u32 {
            drop(guests.admit(IpAddr::from(number.to_be_bytes()), now));
        }
        let inner = guests.inner();
        assert_eq!(inner.networks.len(), NETWORKS_MAX);
        assert!(inner.networks.contains_key(&address(1)));
    }

    #[test]
    fn all_addresses_of_a_line_are_one_network() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2::5"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::5"), network("2001:db8:1:3::5"));
        assert_eq!(network("::ffff:192.0.2.1"), address(1));
    }
}
