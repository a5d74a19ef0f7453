//! Whether the other nodes reach this one.

use std::sync::Arc;
use std::time::Duration;

use crate::ledger::raft::peers::{Peers, View};

/// How long the others may take to reach a node after its start.
const REACHED_WITHIN: Duration = Duration::from_secs(10);

/// Detects that no other node reaches this one.
#[derive(Clone)]
pub(crate) struct Reachability {
    view: View,
    peers: Arc<Peers>,
    /// Where the other nodes should reach this one.
    address: Option<String>,
}

impl Reachability {
    pub(crate) const fn new(view: View, peers: Arc<Peers>, address: Option<String>) -> Self {
        Self { view, peers, address }
    }

    /// Describes the problem if no other node has reached this one although one should have: its
    /// configured address may be wrong.
    pub(crate) fn alarm(&self) -> Option<String> {
        let address = self.address.as_ref()?;
        let since_start = self.peers.unreached_for().filter(|since| *since >= REACHED_WITHIN)?;
        let members = self.view.members().len();
        // Leaders, single members, and nodes that the cluster has refused are exempt.
        if self.view.is_leader() || members == 1 || self.peers.refusal().is_some() {
            return None;
        }
        let correction = if members == 0 {
            // It knows no member to which it could report another address.
            format!(
                "run `jeton cluster remove {}` on a member, and join again in a fresh directory \
                 with the right --address",
                self.peers.identity.node_id
            )
        } else {
            "correct `cluster.address` in jeton.toml, and restart this node".to_owned()
        };
        Some(format!(
            "no other node has reached this node at {address} since it started {} s ago; if the \
             others run and no firewall is in the way, the address is wrong: {correction}",
            since_start.as_secs()
        ))
    }
}
