//! `[cluster]`.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use super::document::Settings;
use super::error::Origin;
use super::setting::Switchable;
use crate::cluster::NodeAddress;

/// The default of `max_staleness_s`.
const MAX_STALENESS: Duration = Duration::from_secs(10);

/// `[cluster]`: how this node takes part in a cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClusterConfig {
    /// The cluster door; `None` if it is off.
    pub listener: Option<ClusterListener>,
    /// How long this node keeps delivering profiles without hearing from a majority (`<=`).
    pub max_staleness: Duration,
}

/// The cluster door.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClusterListener {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the other nodes connect to.
    pub address: NodeAddress,
}

impl ClusterConfig {
    pub(super) fn read(settings: &mut Settings<'_>) -> Self {
        let origin = settings.origin("cluster.listen");
        let Switchable(listen) = settings.take("cluster.listen").unwrap_or(Switchable(None));
        let has_address = settings.origin("cluster.address") != Origin::Nowhere;
        let address = settings.take::<NodeAddress>("cluster.address");
        // A specific listen address also works as the node's address.
        let derived = || listen.and_then(|listen| listen.to_string().parse().ok());
        let address = address.or_else(derived);
        let listener =
            listen.zip(address).map(|(listen, address)| ClusterListener { listen, address });
        if listen.is_some() && listener.is_none() && !has_address {
            let what =
                "`cluster.address` is missing: set the HOST:PORT that other nodes connect to";
            settings.fault("cluster.address", origin, what);
        }
        let staleness = settings.take::<NonZeroU32>("cluster.max_staleness_s");
        let staleness = staleness.map(|seconds| Duration::from_secs(seconds.get().into()));
        Self { listener, max_staleness: staleness.unwrap_or(MAX_STALENESS) }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Environment};

    fn parse(text: &str) -> (Option<String>, Vec<String>) {
        let text = format!("[cluster]\n{text}");
        let (config, faults) = Config::parse(&text, &Environment::default(), Path::new("/x"));
        let address = config.cluster.listener.map(|listener| listener.address.to_string());
        (address, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn without_a_listener_a_node_is_alone() {
        assert_eq!(parse(""), (None, vec![]));
        assert_eq!(parse("listen = \"off\"\naddress = \"a:1\""), (None, vec![]));
    }

    #[test]
    fn a_listener_needs_an_address_that_other_nodes_can_use() {
        let known = parse("listen = \"0.0.0.0:7443\"\naddress = \"node1:7443\"");
        assert_eq!(known, (Some("node1:7443".to_owned()), vec![]));
        let derived = parse("listen = \"192.0.2.1:7443\"");
        assert_eq!(derived, (Some("192.0.2.1:7443".to_owned()), vec![]));
        let (_, faults) = parse("listen = \"[::]:7443\"");
        assert_eq!(
            faults,
            ["line 2: `cluster.address` is missing: set the HOST:PORT that other nodes connect to"]
        );
        let (_, faults) = parse("listen = \"0.0.0.0:7443\"\naddress = \"0.0.0.0:7443\"");
        assert_eq!(faults.len(), 1, "{faults:?}");
    }
}
