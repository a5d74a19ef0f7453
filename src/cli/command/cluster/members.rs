//! The members, as a node's admin API tells them, and how people name them.

use crate::api::cluster::{MemberInfo, Members};
use crate::cli::client::AdminClient;
use crate::failure::Failure;
use crate::ledger::NodeId;

/// How many digits of an id are enough, if they are one node's only.
const PREFIX_LEN_MIN: usize = 4;

/// Asks a node for the members.
pub(super) fn ask(node: &AdminClient) -> Result<Members, Failure> {
    Ok(node.get("cluster")?)
}

impl Members {
    /// Returns the id of the one member that `text` begins, or is the address of.
    pub(super) fn named(&self, text: &str) -> Result<NodeId, Failure> {
        let is_prefix = text.len() >= PREFIX_LEN_MIN;
        let is_meant = |member: &&MemberInfo| {
            member.address == text || (is_prefix && member.node_id.to_string().starts_with(text))
        };
        let mut meant = self.members.iter().filter(is_meant);
        match (meant.next(), meant.next()) {
            (Some(member), None) => Ok(member.node_id),
            (None, _) => Err(Failure::say(
                format!("no node is called {text}"),
                "give the id that `jeton cluster status` shows, its first 4 digits or more, or the \
                 node's address",
            )),
            (Some(_), Some(_)) => Err(Failure::say(
                format!("several nodes are called {text}"),
                "give more digits of the id that `jeton cluster status` shows",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_named_by_what_no_other_has() {
        let member = |node_id: &str, address: &str| {
            serde_json::json!({
                "node_id": node_id, "address": address, "role": "voter", "is_leader": false,
                "is_this": false, "is_reachable": true, "lag": null, "clock_offset": null,
                "version": null,
            })
        };
        let members = serde_json::json!({
            "members": [member("3f2a000000000001", "a:1"), member("3f2a100000000002", "b:1")],
            "alarms": [], "is_by_leader": true, "is_stale": false, "last_heard": null,
        });
        let members: Members = serde_json::from_value(members).unwrap();
        for name in ["3f2a0", "3f2a000000000001", "a:1"] {
            assert_eq!(members.named(name).unwrap().to_string(), "3f2a000000000001");
        }
        for (name, why) in [("3f2a", "several nodes"), ("3f2", "no node"), ("c:1", "no node")] {
            let failure = members.named(name).unwrap_err().to_string();
            assert!(failure.contains(why), "{failure}");
        }
    }
}
