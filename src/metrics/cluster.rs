//! The cluster metrics, read at each scrape. Only the leader reports per-member metrics, so that
//! each member has one series.

use std::time::Duration;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};

/// The one label of a series: its name and value.
pub(super) type Label = [(&'static str, &'static str); 1];

/// The cluster as this node sees it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClusterReadings {
    /// The number of voters.
    pub voters: usize,
    /// The number of learners.
    pub learners: usize,
    /// Whether this node leads.
    pub is_leader: bool,
    /// Whether a leader is known and was heard from recently.
    pub knows_leader: bool,
    /// The age of this node's state; `None` if it has not been up to date since the start.
    pub staleness: Option<Duration>,
    /// Whether the state is too old to vouch for.
    pub is_stale: bool,
    /// The current Raft term.
    pub term: u64,
    /// Whether this node's clock is off.
    pub is_clock_off: bool,
    /// How many spends were forwarded to the leader.
    pub spends_forwarded: u64,
    /// The members, if this node leads.
    pub members: Vec<MemberReading>,
}

/// A member, as the leader sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MemberReading {
    /// Its id.
    pub node: String,
    /// Whether it was heard from recently.
    pub is_reachable: bool,
    /// How many entries it lags behind, if known.
    pub lag: Option<u64>,
    /// How far its clock is ahead, in seconds, if known.
    pub clock_offset_s: Option<i64>,
}

impl ClusterReadings {
    pub(super) fn register(&self, registry: &mut Registry) {
        let mut show = |name, help, number: u64| {
            registry.register(name, help, ConstGauge::new(number));
        };
        show("cluster_is_leader", "Whether this node leads: 1 or 0", self.is_leader.into());
        let help = "Whether a leader is known and was heard from recently: 1 or 0";
        show("cluster_leader_known", help, self.knows_leader.into());
        let help = "Whether this node has not heard from a majority for too long: 1 or 0";
        show("cluster_stale", help, self.is_stale.into());
        show("cluster_term", "The current Raft term: elections so far, won or not", self.term);
        let help =
            "Whether this node's clock differs from most others by more than a minute: 1 or 0";
        show("cluster_clock_off", help, self.is_clock_off.into());
        if let Some(age) = self.staleness {
            let help = "Time since this node had applied everything committed";
            let age = ConstGauge::new(age.as_secs_f64());
            registry.register_with_unit("cluster_staleness", help, Unit::Seconds, age);
        }
        let forwarded = ConstCounter::new(self.spends_forwarded);
        registry.register("cluster_spends_forwarded", "Spends forwarded to the leader", forwarded);
        registry.register("cluster_members", "Nodes that share the ledger", self.roles());
        self.register_members(registry);
    }

    fn roles(&self) -> Family<Label, Gauge> {
        let roles = Family::<Label, Gauge>::default();
        for (role, count) in [("voter", self.voters), ("learner", self.learners)] {
            roles.get_or_create(&[("role", role)]).set(whole(count));
        }
        roles
    }

    fn register_members(&self, registry: &mut Registry) {
        if self.members.is_empty() {
            return;
        }
        let numbers = |number: fn(&MemberReading) -> Option<i64>| {
            let family = Family::<[(&str, String); 1], Gauge>::default();
            for member in &self.members {
                if let Some(number) = number(member) {
                    family.get_or_create(&[("node", member.node.clone())]).set(number);
                }
            }
            family
        };
        let reachable = numbers(|member| Some(member.is_reachable.into()));
        let help = "Whether this leader heard from the member recently: 1 or 0";
        registry.register("cluster_member_reachable", help, reachable);
        let lag = numbers(|member| member.lag.map(whole));
        registry.register("cluster_member_lag", "Entries that the member lags behind", lag);
        let offset = numbers(|member| member.clock_offset_s);
        let help = "How far the member's clock is ahead of this leader's";
        registry.register_with_unit("cluster_member_clock_offset", help, Unit::Seconds, offset);
    }
}

/// Returns a number as gauges hold it.
pub(super) fn whole(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
