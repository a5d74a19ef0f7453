//! Whether the other nodes find the way to this one.

use std::sync::Arc;
use std::time::Duration;

use crate::ledger::raft::peers::{Peers, View};

/// How long the others may take to reach a node that was started.
const REACHED_WITHIN: Duration = Duration::from_secs(10);

/// What tells a node whose address nobody reaches.
#[derive(Clone)]
pub(crate) struct Reachability {
    view: View,
    peers: Arc<Peers>,
    /// Where the others are to reach this node.
    address: Option<String>,
}

impl Reachability {
    pub(crate) const fn new(view: View, peers: Arc<Peers>, address: Option<String>) -> Self {
        Self { view, peers, address }
    }

    /// Says that no other node finds the way to this one, if one should have: the address
    /// that was given for it may be wrong.
    pub(crate) fn alarm(&self) -> Option<String> {
        let address = self.address.as_ref()?;
        let silence = self.peers.unreached_for().filter(|silence| *silence >= REACHED_WITHIN)?;
        let members = self.view.members().len();
        // A leader speaks, and need not be spoken to; to whom is alone, nobody is there to.
        // Whom the cluster refuses nobody is to reach.
        if self.view.is_leader() || members == 1 || self.peers.refusal().is_some() {
            return None;
        }
        let correction = if members == 0 {
            // It knows nobody whom it could tell of another address.
            format!(
                "`jeton cluster remove {}` on a member, and join again in a fresh folder, with \
                 --address",
                self.peers.identity.node_id
            )
        } else {
            "correct `cluster.address`, and restart it".to_owned()
        };
        Some(format!(
            "no other node has reached this node at {address} since it was started {} s ago: if \
             they run and no firewall is between, that is not its address; {correction}",
            silence.as_secs()
        ))
    }
}
