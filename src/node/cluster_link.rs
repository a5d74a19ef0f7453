//! The part of a node that communicates with other nodes: the cluster door, the outgoing
//! connections, and the node certificate.

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
use crate::token::url::PublicUrl;

/// The time limit for transferring the leadership when a leader stops.
const TRANSFER_MAX: Duration = Duration::from_secs(3);

/// What a node needs to be a member of a cluster. A single node has none.
#[derive(Debug)]
pub(super) struct ClusterLink {
    identity: Identity,
    address: NodeAddress,
    certificate: Arc<NodeCertificate>,
    tls: ServerConfig,
    peers: Arc<PeerNetwork>,
    invites: Arc<Invites>,
    /// Whether the authority was just created and is in memory only.
    is_new: bool,
}

impl ClusterLink {
    /// Reads the cluster's certificate authority, or creates one for a single node, and issues this
    /// node's certificate. Writes nothing yet.
    pub(super) fn open(config: &Config, identity: Identity) -> Result<Option<Self>, Failure> {
        let Some(listener) = &config.cluster.listener else {
            return Ok(None);
        };
        let now = SystemClock.now();
        let known = Authority::read(&config.ledger.dir, identity.ledger_id)?;
        let is_new = known.is_none();
        let authority = known.map_or_else(|| Authority::make(identity.ledger_id, now), Ok)?;
        let certificate = NodeCertificate::issue(Arc::new(authority), identity.node_id, now)?;
        let certificate = Arc::new(certificate);
        let tls = certificate.server_config().map_err(|error| Failure::bug(&error))?;
        let peers = PeerNetwork::new(&certificate).map_err(|error| Failure::bug(&error))?;
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

    /// Writes a new authority to disk. Call this after [`check_members`]: other members would have
    /// another authority.
    pub(super) fn persist(&self, config: &Config) -> Result<(), Failure> {
        if !self.is_new {
            return Ok(());
        }
        let authority = self.certificate.authority();
        authority.write(&config.ledger.dir)?;
        tracing::info!(fingerprint = %authority.fingerprint(), "cluster authority created");
        Ok(())
    }

    pub(super) const fn address(&self) -> &NodeAddress {
        &self.address
    }

    /// Renews the node certificate while the future is polled.
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

    pub(super) fn inviter(&self) -> Arc<dyn Inviter> {
        Arc::new(ClusterInviter {
            address: self.address.clone(),
            authority: Arc::clone(self.certificate.authority()),
            invites: Arc::clone(&self.invites),
        })
    }
}

/// Returns the options for the ledger of a node that has `link`, or none.
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

/// Rejects an opened ledger that has other members if the node cannot take part in its cluster.
pub(super) fn check_members(
    ledger: &RaftLedger,
    dir: &Path,
    link: Option<&ClusterLink>,
) -> Result<(), Failure> {
    // A node that is still joining knows no members yet.
    let is_alone = is_alone(ledger) && !dir.join(JOINED).exists();
    match link {
        None if !is_alone => Err(no_listener()),
        Some(link) if link.is_new && !is_alone => Err(no_authority()),
        Some(_) | None => Ok(()),
    }
}

/// Returns `true` if no other node shares the ledger, as far as this one knows.
fn is_alone(ledger: &RaftLedger) -> bool {
    ledger.members_known_here().members.len() <= 1
}

/// Transfers the leadership before this node stops, if it leads other nodes. The cluster door must
/// still be open.
pub(super) async fn transfer_leadership(ledger: &RaftLedger) {
    let status = ledger.status();
    if status.leader != Some(status.node_id) || is_alone(ledger) {
        return;
    }
    match tokio::time::timeout(TRANSFER_MAX, ledger.transfer_leader(None)).await {
        Ok(Ok(())) => tracing::info!("leadership transferred"),
        Ok(Err(error)) => tracing::warn!(%error, "cannot transfer the leadership"),
        Err(_) => tracing::warn!("the leadership was not transferred in time"),
    }
}

#[derive(Debug)]
struct ClusterInviter {
    address: NodeAddress,
    authority: Arc<Authority>,
    invites: Arc<Invites>,
}

impl Inviter for ClusterInviter {
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

/// The hint for a missing or damaged authority.
const COPY_AUTHORITY: &str = "copy the directory `cluster`, and nothing else, from the ledger \
     directory of another member";

impl From<AuthorityError> for Failure {
    fn from(error: AuthorityError) -> Self {
        let hint = match error {
            AuthorityError::Exposed(_) => {
                "anyone who has read it can impersonate any node; if that is ruled out: chmod -R go= \
                 on that directory"
            }
            AuthorityError::Damaged => COPY_AUTHORITY,
            AuthorityError::Io { .. } | AuthorityError::Make(_) => {
                "check that the disk is not full and that this user may write to the directory"
            }
        };
        Self::new(&error, hint)
    }
}

fn no_listener() -> Failure {
    Failure::say(
        "other nodes share this ledger, but cluster.listen is off",
        "set `listen` and `address` in [cluster]; other nodes connect to that address",
    )
}

fn no_authority() -> Failure {
    Failure::say(
        "other nodes share this ledger, but their certificate authority is missing here",
        COPY_AUTHORITY,
    )
}
