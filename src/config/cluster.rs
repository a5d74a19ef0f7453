//! `[cluster]`: how this node takes part in a cluster.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use super::document::Document;
use super::setting::Switchable;
use crate::cluster::NodeAddress;

/// How long a node vouches for what it knows, if the file does not say.
const MAX_STALENESS: Duration = Duration::from_secs(10);

/// `[cluster]`: how this node takes part in a cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClusterConfig {
    /// The door for the other nodes; `None` if switched off.
    pub listener: Option<ClusterListener>,
    /// How long this node vouches for what it knows while it hears nothing from a
    /// majority; with equality.
    pub max_staleness: Duration,
}

/// The door for the other nodes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClusterListener {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the others reach it.
    pub address: NodeAddress,
}

impl ClusterConfig {
    pub(super) fn read(doc: &mut Document<'_>) -> Self {
        let (listen_origin, origin) = (doc.origin("cluster.listen"), doc.origin("cluster.address"));
        let Switchable(listen) = doc.take("cluster.listen").unwrap_or(Switchable(None));
        let has_address = origin != super::Origin::Nowhere;
        let address = doc.take::<NodeAddress>("cluster.address");
        // The address to listen on names this machine, unless it means "any".
        let derived = || listen.and_then(|listen| listen.to_string().parse().ok());
        let address = address.or_else(derived);
        let listener =
            listen.zip(address).map(|(listen, address)| ClusterListener { listen, address });
        if listen.is_some() && listener.is_none() && !has_address {
            let what = "`cluster.address` is missing: where do the other nodes reach this one?";
            doc.fault(listen_origin, what);
        }
        let staleness = doc.take::<NonZeroU32>("cluster.max_staleness_s");
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
    fn a_node_is_alone_unless_it_listens() {
        assert_eq!(parse(""), (None, vec![]));
        assert_eq!(parse("listen = \"off\"\naddress = \"a:1\""), (None, vec![]));
    }

    #[test]
    fn the_others_must_know_where_this_node_is() {
        let known = parse("listen = \"0.0.0.0:7443\"\naddress = \"node1:7443\"");
        assert_eq!(known, (Some("node1:7443".to_owned()), vec![]));
        let derived = parse("listen = \"192.0.2.1:7443\"");
        assert_eq!(derived, (Some("192.0.2.1:7443".to_owned()), vec![]));
        let (_, faults) = parse("listen = \"[::]:7443\"");
        assert_eq!(
            faults,
            ["line 2: `cluster.address` is missing: where do the other nodes reach this one?"]
        );
        let (_, faults) = parse("listen = \"0.0.0.0:7443\"\naddress = \"0.0.0.0:7443\"");
        assert_eq!(faults.len(), 1, "{faults:?}");
    }
}
