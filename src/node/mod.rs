//! A running node: what `serve` and `demo` run.
//!
//! [`Node::open`] checks everything before it changes anything, and opens the ledger last.
//! `opening` opens the parts, and `reload` replaces them at run time. [`cluster_link`] connects the
//! node with other nodes, `minter` mints, [`source`] is the source of profiles, `open_files` limits
//! the connections, and [`audit_target`] checks the path of the audit log. [`logging`] and
//! [`core_dump`] set up the process.

pub(crate) mod audit_target;
pub(crate) mod cluster_link;
pub(crate) mod core_dump;
pub(crate) mod logging;
mod minter;
mod open_files;
pub(crate) mod opening;
mod reload;
pub(crate) mod source;

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use self::cluster_link::ClusterLink;

use crate::activity::Activity;
use crate::admin::{self, AdminDoor, ServedCertificate};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::failure::Failure;
use crate::ledger::Ledger;
use crate::ledger::raft::{Identity, RaftLedger};
use crate::metrics::{Metrics, TimedLedger};
use crate::public::{self, PublicDoor, RandomRequestIds, RedemptionLog, TrustedProxies};
use crate::redeem::Redeemer;
use crate::tls::ReloadingCertificate;
use crate::token::url::PublicUrl;
use crate::token::{KeyPurpose, UnixSeconds};

/// The time limit for writing the last lines of the audit log.
const AUDIT_LOG_TIME: Duration = Duration::from_secs(2);

/// A node that is ready to serve.
pub(crate) struct Node {
    public: TcpListener,
    admin: Option<TcpListener>,
    cluster: Option<TcpListener>,
    services: Services,
}

/// What the doors share. The doors own the listeners, so that a stopping node refuses connections
/// at once.
struct Services {
    config: Config,
    public_url: PublicUrl,
    certificate: Option<Arc<ReloadingCertificate>>,
    ledger: Arc<RaftLedger>,
    /// The ledger with its changes timed.
    timed: Arc<dyn Ledger>,
    redeemer: Arc<Redeemer>,
    log: RedemptionLog,
    admin_door: Arc<AdminDoor>,
    link: Option<ClusterLink>,
}

impl Node {
    /// Reads keys, profiles and the certificate, binds the listeners, and opens the ledger.
    pub(crate) async fn open(config: Config) -> Result<Self, Failure> {
        let keys = opening::trusted_keys(&config)?;
        opening::check_signing_keys(&config)?;
        let profiles = opening::profiles(&config)?;
        let certificate = opening::certificate(&config)?;
        audit_target::check(&config)?;
        let public_url = config.public_url.clone();
        let public_url = public_url.ok_or_else(|| config.missing("public_url"))?;
        let minter = minter::open(&config, &keys, &public_url)?;
        let public = opening::bind("public.listen", config.public.listen)?;
        // Without a trusted admin key every request would be refused.
        let admin = config.admin.listen.filter(|_| keys.has(KeyPurpose::Admin));
        let admin = admin.map(|address| opening::bind("admin.listen", address)).transpose()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let identity = Identity::read(&config.ledger.dir);
        let identity = identity.map_err(|error| opening::explain_ledger(&error.into()))?;
        let link = ClusterLink::open(&config, identity)?;
        let cluster = config.cluster.listener.as_ref();
        let cluster =
            cluster.map(|listener| opening::bind("cluster.listen", listener.listen)).transpose()?;
        let options = cluster_link::options(&config.cluster, link.as_ref());
        let opened = RaftLedger::open(&config.ledger.dir, Arc::clone(&clock), options).await;
        let ledger = Arc::new(opened.map_err(|error| opening::explain_ledger(&error))?);
        cluster_link::check_members(&ledger, &config.ledger.dir, link.as_ref())?;
        link.as_ref().map_or(Ok(()), |link| link.persist(&config))?;
        let metrics = Arc::new(Metrics::default());
        let timed: Arc<dyn Ledger> =
            Arc::new(TimedLedger::new(ledger.clone(), Arc::clone(&metrics)));
        let redeemer =
            Redeemer::new(keys, profiles, Arc::clone(&timed), clock, config.limits.cache);
        let redeemer = Arc::new(redeemer);
        let activity = match config.log.audit.as_deref() {
            Some(path) => Activity::with_audit_log(path)
                .map_err(|error| audit_target::explain(path, &error))?,
            None => Activity::default(),
        };
        let log = RedemptionLog { activity: Arc::new(activity), metrics };
        let admin_door = Arc::new(AdminDoor::new(
            Arc::clone(&redeemer),
            Arc::clone(&timed),
            ledger.clone(),
            link.as_ref().map(ClusterLink::inviter),
            Arc::clone(&log.activity),
            Arc::clone(&log.metrics),
            certificate.clone().map(|served| served as _),
        ));
        if let Some(minter) = minter {
            admin_door.mint_with(minter);
        }
        let services = Services {
            config,
            public_url,
            certificate,
            ledger,
            timed,
            redeemer,
            log,
            admin_door,
            link,
        };
        Ok(Self { public, admin, cluster, services })
    }

    /// Returns the ledger, for changes to make before the node serves.
    pub(crate) fn ledger(&self) -> &dyn Ledger {
        self.services.ledger.as_ref()
    }

    /// Serves until `stop` completes, then finishes the downloads that have begun. Reloads the
    /// files each time `reload` completes.
    pub(crate) async fn serve(
        self,
        stop: impl Future<Output = ()> + Send + 'static,
        reload: impl AsyncFnMut(),
    ) -> Result<(), Failure> {
        self.announce();
        let Self { public, admin, cluster, services } = self;
        let (stopping, stopped) = watch::channel(false);
        tokio::spawn(async move {
            stop.await;
            tracing::info!("stopping: finishing the downloads that have begun");
            // Fails only if both doors are closed already.
            let _ = stopping.send(true);
        });
        // The cluster door closes last: unfinished downloads may need the other nodes.
        let (closing_cluster, cluster_closing) = watch::channel(false);
        let doors = async {
            let served = tokio::select! {
                served = services.open_doors(public, admin, &stopped) => served,
                never = services.keep_up_to_date(reload) => never,
            };
            cluster_link::transfer_leadership(&services.ledger).await;
            // Fails only if the cluster door is closed already.
            let _ = closing_cluster.send(true);
            served
        };
        let cluster_door = services.cluster_door(cluster, until(cluster_closing));
        let (served, ()) = tokio::join!(doors, cluster_door);
        services.close().await;
        tracing::info!("stopped");
        served.map_err(|error| Failure::new(&error, "see the log lines above"))
    }

    fn announce(&self) {
        let tls = if self.services.certificate.is_some() { "https" } else { "plain http" };
        if let Ok(address) = self.public.local_addr() {
            tracing::info!(%address, tls, "public door open");
        }
        match self.admin.as_ref().and_then(|listener| listener.local_addr().ok()) {
            Some(address) => tracing::info!(%address, "admin door open"),
            None => tracing::info!("admin door closed: no admin key is trusted, or it is off"),
        }
        if let Some(link) = &self.services.link {
            tracing::info!(address = %link.address(), "cluster door open");
        }
        let status = self.services.ledger.status();
        if let Some(key_id) = self.services.admin_door.mints_with() {
            tracing::info!(%key_id, "this node mints");
        }
        tracing::info!(born_at = %status.born_at, node_id = %status.node_id, "ledger ready");
        let clock = SystemClock.now();
        if clock < status.log_time {
            tracing::warn!(
                %clock, log_time = %status.log_time,
                "the clock is behind the ledger's time: tokens expire by the ledger's time"
            );
        }
    }
}

impl Services {
    async fn open_doors(
        &self,
        public: TcpListener,
        admin: Option<TcpListener>,
        stopped: &watch::Receiver<bool>,
    ) -> io::Result<()> {
        let public = self.public_door(public, until(stopped.clone()));
        let admin = self.admin_door(admin, until(stopped.clone()));
        tokio::try_join!(public, admin).map(|_| ())
    }

    async fn public_door(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let tls = self.certificate.as_ref().map(ReloadingCertificate::server_config);
        let door = PublicDoor::new(
            Arc::clone(&self.redeemer),
            Arc::clone(&self.timed),
            self.public_url.clone(),
            TrustedProxies::new(self.config.public.trusted_proxies.clone()),
            &self.config.limits.public,
            Box::new(RandomRequestIds),
            self.log.clone(),
        );
        let mut limits = self.config.limits.public;
        let cluster = self.link.as_ref().map_or(0, |_| crate::cluster::FILES_RESERVED);
        limits.connections = open_files::limit_connections(limits.connections, cluster);
        let tls = tls.transpose().map_err(io::Error::other)?;
        public::run(listener, tls, Arc::new(door), limits, None, stop).await
    }

    async fn admin_door(
        &self,
        listener: Option<TcpListener>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let Some(listener) = listener else {
            stop.await;
            return Ok(());
        };
        admin::run(listener, Arc::clone(&self.admin_door), stop).await
    }

    async fn cluster_door(
        &self,
        listener: Option<TcpListener>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) {
        let (Some(listener), Some(link)) = (listener, &self.link) else { return };
        let serving = link.serve(listener, &self.ledger, &self.redeemer, &self.public_url, stop);
        if let Err(error) = serving.await {
            tracing::error!(%error, "the cluster door has closed");
        }
    }

    /// Closes the ledger and the audit log.
    async fn close(self) {
        let Self { ledger, timed, redeemer, log, admin_door, .. } = self;
        // The log closes only when nothing else owns the ledger.
        drop((timed, redeemer, admin_door));
        RaftLedger::close_shared(ledger).await;
        if !log.activity.close_audit_log(AUDIT_LOG_TIME) {
            tracing::error!("cannot write the last lines of the audit log in time");
        }
    }
}

impl ServedCertificate for ReloadingCertificate {
    fn not_after(&self) -> UnixSeconds {
        Self::not_after(self)
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a reason to stop as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
