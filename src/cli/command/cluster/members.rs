//! The members, as the admin API lists them, and how the command line names them.

use crate::api::cluster::{MemberInfo, Members};
use crate::cli::client::AdminClient;
use crate::failure::Failure;
use crate::ledger::NodeId;

/// The minimum length of a prefix that identifies a node, in digits.
const PREFIX_LEN_MIN: usize = 4;

pub(super) fn request(node: &AdminClient) -> Result<Members, Failure> {
    Ok(node.get("cluster")?)
}

impl Members {
    /// Returns the id of the member whose id begins with `text`, or whose address is `text`.
    pub(super) fn named(&self, text: &str) -> Result<NodeId, Failure> {
        let is_prefix = text.len() >= PREFIX_LEN_MIN;
        let is_match = |member: &&MemberInfo| {
            member.address == text || (is_prefix && member.node_id.to_string().starts_with(text))
        };
        let mut matches = self.members.iter().filter(is_match);
        match (matches.next(), matches.next()) {
            (Some(member), None) => Ok(member.node_id),
            (None, _) => Err(Failure::say(
                format!("no node has the id or address {text}"),
                "give an id from `jeton cluster status`, at least its first 4 digits, or an address",
            )),
            (Some(_), Some(_)) => Err(Failure::say(
                format!("several nodes have ids that begin with {text}"),
                "give more digits of an id from `jeton cluster status`",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_node_by_a_unique_prefix_or_its_address() {
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
