//! The state of this node, for programs, people and the monitoring.

use super::door::AdminDoor;
use crate::ledger::LedgerStatus;
use crate::token::{KeyId, KeyPurpose, TrustedKeys as _, UnixSeconds};

/// The state of a node at one moment.
#[derive(Debug)]
pub(super) struct NodeFacts {
    pub(super) version: &'static str,
    pub(super) ledger: LedgerStatus,
    /// The keys whose tokens are accepted.
    pub(super) keys: Vec<(KeyId, KeyPurpose)>,
    /// When the public door's certificate expires, if it has one.
    pub(super) certificate_expires_at: Option<UnixSeconds>,
    /// The key that this node mints with, if it has one.
    pub(super) mints_with: Option<KeyId>,
    /// Whether this node trusts that key, so that the links it mints work here.
    pub(super) trusts_its_own: bool,
}

impl AdminDoor {
    /// Returns the state of this node.
    pub(super) fn facts(&self) -> NodeFacts {
        let keys = self.redeemer.keys();
        let mints_with = self.mints_with();
        NodeFacts {
            version: env!("CARGO_PKG_VERSION"),
            ledger: self.ledger.status(),
            certificate_expires_at: self.certificate.as_ref().map(|served| served.not_after()),
            trusts_its_own: mints_with.is_some_and(|own| keys.find(own).is_some()),
            mints_with,
            keys: keys.iter().map(|(_path, key)| (key.key.id(), key.purpose)).collect(),
        }
    }
}
