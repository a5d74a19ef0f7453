//! A running node: everything that `serve` and `demo` put together.
//!
//! [`Node::open`] makes or changes nothing until all that can be refused was
//! looked at; the ledger comes last.
//!
//! Its parts come from `opening`, and `reload` replaces them while it runs.
//! `cluster` is what other nodes see of it, `minter` what it mints with, [`source`] where its profiles come from,
//! `open_files` how many connections it has room for. What the process owes to
//! its machine is here, too: [`logging`] and [`core_dump`].

pub(crate) mod audit_target;
pub(crate) mod cluster;
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

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use self::cluster::ClusterLink;

use crate::activity::{Activity, AuditError};
use crate::admin::{self, AdminDoor, ServedCertificate, Sessions};
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

/// How long the doors' threads may take to end once the doors are closed, in
/// milliseconds.
const LETTING_GO_MAX_MS: u64 = 1_000;

/// How long the last lines of the audit log may take.
const AUDIT_LOG_TIME: Duration = Duration::from_secs(2);

/// A node that is ready to answer.
pub(crate) struct Node {
    public: TcpListener,
    admin: Option<TcpListener>,
    between: Option<TcpListener>,
    inside: Inside,
}

/// What stands behind the doors. The listeners are apart from it, because the
/// doors own them: once they are closed, a client is refused and does not wait.
struct Inside {
    config: Config,
    public_url: PublicUrl,
    certificate: Option<Arc<ReloadingCertificate>>,
    ledger: Arc<RaftLedger>,
    /// What the doors share, with the same ledger as they use it.
    operators: Arc<AdminDoor>,
    /// The way to and from other nodes.
    link: Option<ClusterLink>,
}

impl Node {
    /// Reads keys, profiles and certificate, binds the listeners, and opens the
    /// ledger.
    pub(crate) async fn open(config: Config) -> Result<Self, Failure> {
        let keys = opening::trusted_keys(&config)?;
        opening::refuse_open_keys(&config)?;
        let profiles = opening::profiles(&config)?;
        let certificate = opening::certificate(&config)?;
        let refused = |error: AuditError| opening::explain_audit_log(&error);
        let audit = config.log.audit.as_deref();
        audit_target::look(&config)?;
        let public_url = config.public_url.clone();
        let public_url = public_url.ok_or_else(|| config.missing("public_url"))?;
        let minter = minter::open(&config, &keys, &public_url)?;
        let public = opening::bind("public.listen", config.public.listen)?;
        // Without a trusted admin key nobody could enter.
        let admin = config.admin.listen.filter(|_| keys.has(KeyPurpose::Admin));
        let admin = admin.map(|address| opening::bind("admin.listen", address)).transpose()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let identity = Identity::read(&config.ledger.dir);
        let identity = identity.map_err(|error| opening::explain_ledger(&error.into()))?;
        let link = ClusterLink::open(&config, identity)?;
        let between = config.cluster.listener.as_ref();
        let between =
            between.map(|listener| opening::bind("cluster.listen", listener.listen)).transpose()?;
        let options = cluster::options(&config.cluster, link.as_ref());
        let opened = RaftLedger::open(&config.ledger.dir, Arc::clone(&clock), options).await;
        let ledger = Arc::new(opened.map_err(|error| opening::explain_ledger(&error))?);
        cluster::check_members(&ledger, &config.ledger.dir, link.as_ref())?;
        link.as_ref().map_or(Ok(()), |link| link.settle(&config))?;
        let metrics = Arc::new(Metrics::default());
        let timed: Arc<dyn Ledger> =
            Arc::new(TimedLedger::new(ledger.clone(), Arc::clone(&metrics)));
        let used = Arc::clone(&timed);
        let redeemer = Redeemer::new(keys, profiles, used, clock, config.limits.cache);
        let activity = audit.map_or_else(|| Ok(Activity::default()), Activity::with_audit_log);
        let operators = Arc::new(AdminDoor {
            redeemer: Arc::new(redeemer),
            ledger: timed,
            cluster: Arc::clone(&ledger) as _,
            inviter: link.as_ref().map(ClusterLink::inviter),
            activity: Arc::new(activity.map_err(refused)?),
            metrics,
            certificate: certificate.clone().map(|served| served as _),
            minter: ArcSwapOption::from_pointee(minter),
            sessions: Sessions::default(),
        });
        let inside = Inside { config, public_url, certificate, ledger, operators, link };
        Ok(Self { public, admin, between, inside })
    }

    /// Returns the ledger, for what has to be in it before the first click.
    pub(crate) fn ledger(&self) -> &dyn Ledger {
        self.inside.ledger.as_ref()
    }

    /// Serves until `stop` completes; `reload` is asked for what was replaced
    /// on disk. Downloads that have begun are finished.
    pub(crate) async fn serve(
        self,
        stop: impl Future<Output = ()> + Send + 'static,
        reload: impl AsyncFnMut(),
    ) -> Result<(), Failure> {
        self.announce();
        let Self { public, admin, between, inside } = self;
        let (stopping, stopped) = watch::channel(false);
        tokio::spawn(async move {
            stop.await;
            tracing::info!("stopping: downloads that have begun are finished");
            // It fails only if both doors are closed already.
            let _ = stopping.send(true);
        });
        // The others are heard until the last download is finished: it may need them.
        let (last_stopping, last) = watch::channel(false);
        let doors = async {
            let served = tokio::select! {
                served = inside.open_doors(public, admin, &stopped) => served,
                never = inside.keep_up_to_date(reload) => never,
            };
            cluster::hand_over(&inside.ledger).await;
            // It fails only if that door is closed already.
            let _ = last_stopping.send(true);
            served
        };
        let (served, ()) = tokio::join!(doors, inside.door_between(between, until(last)));
        inside.close().await;
        tracing::info!("stopped");
        served.map_err(|error| Failure::new(&error, "see the log lines above"))
    }

    fn announce(&self) {
        let tls = if self.inside.certificate.is_some() { "https" } else { "plain http" };
        if let Ok(address) = self.public.local_addr() {
            tracing::info!(%address, tls, "public door open");
        }
        match self.admin.as_ref().and_then(|listener| listener.local_addr().ok()) {
            Some(address) => tracing::info!(%address, "operators' door open"),
            None => tracing::info!("operators' door closed: no admin key is trusted, or it is off"),
        }
        if let Some(link) = &self.inside.link {
            tracing::info!(address = %link.address(), "door between nodes open");
        }
        let status = self.inside.ledger.status();
        if let Some(minter) = self.inside.operators.minter.load().as_deref() {
            tracing::info!(key_id = %minter.key_id(), "this node mints");
        }
        tracing::info!(born_at = %status.born_at, node_id = %status.node_id, "ledger ready");
        let clock = SystemClock.now();
        if clock < status.log_time {
            tracing::warn!(
                %clock, log_time = %status.log_time,
                "the clock is behind the ledger: tokens expire by the ledger's time"
            );
        }
    }
}

impl Inside {
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
            Arc::clone(&self.operators.redeemer),
            Arc::clone(&self.operators.ledger),
            self.public_url.clone(),
            TrustedProxies::new(self.config.public.trusted_proxies.clone()),
            &self.config.limits.public,
            Box::new(RandomRequestIds),
            RedemptionLog {
                activity: Arc::clone(&self.operators.activity),
                metrics: Arc::clone(&self.operators.metrics),
            },
        );
        let mut limits = self.config.limits.public;
        let between = self.link.as_ref().map_or(0, |_| crate::cluster::FILES_RESERVED);
        limits.connections = open_files::make_room(limits.connections, between);
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
        admin::run(listener, Arc::clone(&self.operators), stop).await
    }

    async fn door_between(
        &self,
        listener: Option<TcpListener>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) {
        let (Some(listener), Some(link)) = (listener, &self.link) else { return };
        let redeemer = &self.operators.redeemer;
        let serving = link.serve(listener, &self.ledger, redeemer, &self.public_url, stop);
        if let Err(error) = serving.await {
            tracing::error!(%error, "the door between nodes is closed");
        }
    }

    /// Closes what is written to, once the doors' threads have let go of it.
    async fn close(self) {
        let Self { ledger, operators, .. } = self;
        let activity = Arc::clone(&operators.activity);
        drop(operators);
        close_ledger(ledger).await;
        if !activity.close_audit_log(AUDIT_LOG_TIME) {
            tracing::error!("the disk does not take the last lines of the audit log");
        }
    }
}

/// Closes the ledger once nobody uses it any more. What it acknowledged is on
/// the disk in any case.
async fn close_ledger(mut ledger: Arc<RaftLedger>) {
    for _ in 0..LETTING_GO_MAX_MS {
        ledger = match Arc::try_unwrap(ledger) {
            Ok(ledger) => return ledger.close().await,
            Err(shared) => shared,
        };
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tracing::warn!("the ledger is still in use and is left as it is");
}

impl ServedCertificate for ReloadingCertificate {
    fn not_after(&self) -> UnixSeconds {
        Self::not_after(self)
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that whoever would tell is gone: time to stop, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
