//! The part of a node that other nodes see: its door for them, its way to them,
//! and its certificate.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use zeroize::Zeroizing;

use crate::admin::{Inviter, NoInvitation};
use crate::clock::{Clock as _, SystemClock};
use crate::cluster::{
    self, Authority, AuthorityError, ClusterDoor, Invites, JoinLine, NodeAddress, NodeCertificate,
    PeerNetwork, Secret, TrustedKeyFile,
};
use crate::config::{ClusterConfig, Config};
use crate::failure::Failure;
use crate::keyring;
use crate::ledger::raft::{Identity, JOINED, Options, RaftLedger};
use crate::ledger::{Ledger as _, Membership as _};
use crate::random;
use crate::redeem::Redeemer;
use crate::tls::TlsError;
use crate::token::url::PublicUrl;

/// How long a leader that stops may look for another.
const HAND_OVER_MAX: Duration = Duration::from_secs(3);

/// What a node needs to be one of several; a lone node needs nothing of it.
#[derive(Debug)]
pub(super) struct ClusterLink {
    identity: Identity,
    address: NodeAddress,
    certificate: Arc<NodeCertificate>,
    tls: ServerConfig,
    peers: Arc<PeerNetwork>,
    invites: Arc<Invites>,
    /// The authority was made just now and is nowhere but in memory.
    is_new: bool,
}

impl ClusterLink {
    /// Reads the cluster's authority, or makes one for a node that was always
    /// alone, and this node's certificate. Nothing is written yet.
    pub(super) fn open(config: &Config, identity: Identity) -> Result<Option<Self>, Failure> {
        let dir = &config.ledger.dir;
        let Some(listener) = &config.cluster.listener else {
            return Ok(None);
        };
        let now = SystemClock.now();
        let known = Authority::read(dir, identity.ledger_id).map_err(|error| explain(&error))?;
        let is_new = known.is_none();
        let make = || Authority::make(identity.ledger_id, now).map_err(|error| explain(&error));
        let authority = Arc::new(known.map_or_else(make, Ok)?);
        let certificate = NodeCertificate::issue(authority, identity.node_id, now);
        let certificate = Arc::new(certificate.map_err(|error| explain(&error))?);
        let tls = certificate.server_config().map_err(|error| no_tls(&error))?;
        let peers = PeerNetwork::new(&certificate).map_err(|error| no_tls(&error))?;
        Ok(Some(Self {
            identity,
            address: listener.address.clone(),
            certificate,
            tls,
            peers: Arc::new(peers),
            invites: Arc::default(),
            is_new,
        }))
    }

    /// Keeps a new authority, now that the ledger says that there are no other
    /// members, who would have another one.
    pub(super) fn settle(&self, config: &Config) -> Result<(), Failure> {
        if !self.is_new {
            return Ok(());
        }
        let authority = self.certificate.authority();
        authority.write(&config.ledger.dir).map_err(|error| explain(&error))?;
        tracing::info!(fingerprint = %authority.fingerprint(), "cluster authority made");
        Ok(())
    }

    /// Returns where the others reach this node.
    pub(super) const fn address(&self) -> &NodeAddress {
        &self.address
    }

    /// Renews the certificate for as long as the future is polled.
    pub(super) async fn keep_fresh(&self) {
        self.certificate.keep_fresh(&SystemClock).await;
    }

    /// Serves the other nodes until `stop` completes.
    pub(super) async fn serve(
        &self,
        listener: TcpListener,
        ledger: &Arc<RaftLedger>,
        redeemer: &Arc<Redeemer>,
        public_url: &PublicUrl,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let keys = Arc::clone(redeemer);
        let door = ClusterDoor {
            identity: self.identity,
            receiver: Arc::clone(ledger) as _,
            membership: Arc::clone(ledger) as _,
            invites: Arc::clone(&self.invites),
            authority: Arc::clone(self.certificate.authority()),
            public_url: public_url.to_string(),
            trusted: Box::new(move || trusted(&keys)),
        };
        cluster::run(listener, self.tls.clone(), Arc::new(door), stop).await
    }

    /// Returns what makes invitations.
    pub(super) fn inviter(&self) -> Arc<dyn Inviter> {
        Arc::new(Host {
            address: self.address.clone(),
            authority: Arc::clone(self.certificate.authority()),
            invites: Arc::clone(&self.invites),
        })
    }
}

/// Tells the ledger how this node takes part.
pub(super) fn options(config: &ClusterConfig, link: Option<&ClusterLink>) -> Options {
    let max_staleness = config.max_staleness;
    match link {
        Some(link) => Options {
            transport: Arc::clone(&link.peers) as _,
            address: Some(link.address.to_string()),
            max_staleness,
        },
        None => Options { max_staleness, ..Options::default() },
    }
}

/// Refuses to be one of several without what that needs. The ledger is open.
pub(super) fn check_members(
    ledger: &RaftLedger,
    dir: &Path,
    link: Option<&ClusterLink>,
) -> Result<(), Failure> {
    // Who waits to be added knows no members yet.
    let is_alone = is_alone(ledger) && !dir.join(JOINED).exists();
    match link {
        None if !is_alone => Err(deaf()),
        Some(link) if link.is_new && !is_alone => Err(lost()),
        Some(_) | None => Ok(()),
    }
}

/// Tells whether no other node shares the ledger, as far as this one knows.
fn is_alone(ledger: &RaftLedger) -> bool {
    ledger.members_known_here().members.len() <= 1
}

/// Has another node lead before this one stops, if it leads others.
pub(super) async fn hand_over(ledger: &RaftLedger) {
    let status = ledger.status();
    if status.leader != Some(status.node_id) || is_alone(ledger) {
        return;
    }
    match tokio::time::timeout(HAND_OVER_MAX, ledger.transfer_leader(None)).await {
        Ok(Ok(())) => tracing::info!("another node leads now"),
        Ok(Err(error)) => tracing::warn!(%error, "no other node was made to lead"),
        Err(_) => tracing::warn!("no other node was made to lead in time"),
    }
}

/// Invites nodes in the name of this one.
#[derive(Debug)]
struct Host {
    address: NodeAddress,
    authority: Arc<Authority>,
    invites: Arc<Invites>,
}

impl Inviter for Host {
    fn invite(&self) -> Result<(Zeroizing<String>, u64), NoInvitation> {
        let secret = Secret::new(random::bytes()?);
        self.invites.open(&secret).map_err(|_| NoInvitation::TooMany)?;
        let (address, fingerprint) = (self.address.clone(), self.authority.fingerprint());
        let line = JoinLine { address, fingerprint, secret };
        Ok((line.to_text(), Invites::LIFETIME.as_secs()))
    }
}

fn trusted(redeemer: &Redeemer) -> Vec<TrustedKeyFile> {
    let keys = redeemer.keys();
    let file = |key: &crate::token::TrustedKey| TrustedKeyFile {
        purpose: key.purpose.as_str().to_owned(),
        pem: keyring::encode_public(&key.key),
    };
    keys.iter().map(|(_path, key)| file(key)).collect()
}

/// Says what to do about an authority that cannot be used.
pub(crate) fn explain(error: &AuthorityError) -> Failure {
    let hint = match error {
        AuthorityError::Exposed(_) => {
            "whoever read it can pass for any node; if nobody did: chmod -R go= on that folder"
        }
        AuthorityError::Damaged => {
            "copy the folder `cluster` from the ledger's folder of another member, and nothing else"
        }
        AuthorityError::Io { .. } | AuthorityError::Make(_) => {
            "is the disk full, or the folder someone else's?"
        }
    };
    Failure::new(error, hint)
}

fn deaf() -> Failure {
    Failure::say(
        "this ledger is shared with other nodes, and cluster.listen is off",
        "set `listen` and `address` under [cluster]; the others know this node by its address",
    )
}

fn lost() -> Failure {
    Failure::say(
        "this ledger is shared with other nodes, and their certificate authority is not here",
        "copy the folder `cluster` from the ledger's folder of another member, and nothing else",
    )
}

fn no_tls(error: &TlsError) -> Failure {
    Failure::new(error, "this is a fault of jeton, report it")
}
