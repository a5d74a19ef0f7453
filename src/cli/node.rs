//! A running node: everything that `serve` and `demo` put together.
//!
//! [`Node::open`] makes or changes nothing until all that can be refused was
//! looked at; the ledger comes last.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use super::failure::Failure;
use super::node_cluster::{self, ClusterLink};
use super::{global, node_minter, open_files, source};
use crate::activity::{self, Activity, AuditError};
use crate::admin::{self, AdminDoor, ServedCertificate, Sessions};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Profiles};
use crate::http::{
    self, PublicDoor, REFUSAL_REASONS, RandomRequestIds, RedemptionLog, TrustedProxies,
};
use crate::keyring::{Keyring, KeyringError, SigningKeys};
use crate::ledger::Ledger;
use crate::ledger::log::LogError;
use crate::ledger::raft::{Identity, IdentityError, OpenError, RaftLedger};
use crate::metrics::{Metrics, TimedLedger};
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
pub(super) struct Node {
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
    redeemer: Arc<Redeemer>,
    ledger: Arc<RaftLedger>,
    /// The same ledger, as the doors use it.
    timed_ledger: Arc<dyn Ledger>,
    activity: Arc<Activity>,
    metrics: Arc<Metrics>,
    operators: Arc<AdminDoor>,
    /// The way to and from other nodes.
    link: Option<ClusterLink>,
}

impl Node {
    /// Reads keys, profiles and certificate, binds the listeners, and opens the
    /// ledger.
    pub(super) async fn open(config: Config) -> Result<Self, Failure> {
        let keys = trusted_keys(&config)?;
        refuse_open_keys(&config)?;
        let profiles = open_profiles(&config)?;
        let certificate = certificate(&config)?;
        let audit = config.log.audit.as_deref();
        audit.map_or(Ok(()), activity::look).map_err(|error| refuse_audit_log(&error))?;
        let public_url = config.public_url.clone();
        let public_url = public_url.ok_or_else(|| global::missing(&config, "public_url"))?;
        let minter = node_minter::open(&config, &keys, &public_url)?;
        let public = bind("public.listen", config.public.listen)?;
        // Without a trusted admin key nobody could enter.
        let admin = config.admin.listen.filter(|_| keys.has(KeyPurpose::Admin));
        let admin = admin.map(|address| bind("admin.listen", address)).transpose()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let identity = Identity::read(&config.ledger.dir);
        let identity = identity.map_err(|error| explain(&OpenError::from(error)))?;
        let link = ClusterLink::open(&config, identity)?;
        let between = config.cluster.listener.as_ref();
        let between =
            between.map(|listener| bind("cluster.listen", listener.listen)).transpose()?;
        let options = node_cluster::options(&config.cluster, link.as_ref());
        let opened = RaftLedger::open(&config.ledger.dir, Arc::clone(&clock), options).await;
        let ledger = Arc::new(opened.map_err(|error| explain(&error))?);
        node_cluster::check_members(&ledger, link.as_ref()).await?;
        link.as_ref().map_or(Ok(()), |link| link.settle(&config))?;
        let metrics = Arc::new(Metrics::new(&REFUSAL_REASONS));
        let timed_ledger: Arc<dyn Ledger> =
            Arc::new(TimedLedger::new(ledger.clone(), Arc::clone(&metrics)));
        let used = Arc::clone(&timed_ledger);
        let redeemer = Redeemer::new(keys, profiles, used, clock, config.limits.cache);
        let redeemer = Arc::new(redeemer);
        let activity = audit.map_or_else(|| Ok(Activity::default()), Activity::with_audit_log);
        let activity = Arc::new(activity.map_err(|error| refuse_audit_log(&error))?);
        let operators = Arc::new(AdminDoor {
            redeemer: Arc::clone(&redeemer),
            ledger: Arc::clone(&timed_ledger),
            cluster: Arc::clone(&ledger) as _,
            inviter: link.as_ref().map(ClusterLink::inviter),
            activity: Arc::clone(&activity),
            metrics: Arc::clone(&metrics),
            certificate: certificate.clone().map(|served| served as _),
            minter: ArcSwapOption::from_pointee(minter),
            sessions: Sessions::default(),
        });
        let inside = Inside {
            config,
            public_url,
            certificate,
            redeemer,
            ledger,
            timed_ledger,
            activity,
            metrics,
            operators,
            link,
        };
        Ok(Self { public, admin, between, inside })
    }

    /// Returns the ledger, for what has to be in it before the first click.
    pub(super) fn ledger(&self) -> &dyn Ledger {
        self.inside.ledger.as_ref()
    }

    /// Serves until `stop` completes; `reload` is asked for what was replaced
    /// on disk. Downloads that have begun are finished.
    pub(super) async fn serve(
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
            node_cluster::hand_over(&inside.ledger).await;
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
        tracing::info!(born_at = %status.born_at, node_id = format_args!("{:016x}", status.node_id), "ledger ready");
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
            Arc::clone(&self.redeemer),
            Arc::clone(&self.timed_ledger),
            self.public_url.clone(),
            TrustedProxies::new(self.config.public.trusted_proxies.clone()),
            &self.config.limits.http,
            Box::new(RandomRequestIds),
            RedemptionLog {
                activity: Arc::clone(&self.activity),
                metrics: Arc::clone(&self.metrics),
            },
        );
        let mut limits = self.config.limits.http;
        limits.connections = open_files::make_room(limits.connections);
        let tls = tls.transpose().map_err(io::Error::other)?;
        http::run(listener, tls, Arc::new(door), limits, None, stop).await
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
        let serving = link.serve(listener, &self.ledger, &self.redeemer, &self.public_url, stop);
        if let Err(error) = serving.await {
            tracing::error!(%error, "the door between nodes is closed");
        }
    }

    /// Watches the certificate, and reads keys and profiles again when asked.
    async fn keep_up_to_date(&self, mut reload: impl AsyncFnMut()) -> io::Result<()> {
        let watching = async {
            match &self.certificate {
                Some(certificate) => Arc::clone(certificate).watch().await,
                None => std::future::pending().await,
            }
        };
        let renewing = async {
            match &self.link {
                Some(link) => link.keep_fresh().await,
                None => std::future::pending().await,
            }
        };
        let reloading = async {
            loop {
                reload().await;
                self.reload();
            }
        };
        tokio::join!(watching, renewing, reloading);
        Ok(())
    }

    /// Takes new keys, profiles and certificate, each only if it is good.
    fn reload(&self) {
        match trusted_keys(&self.config) {
            Ok(keys) => {
                self.reload_minter(&keys);
                tracing::info!(keys = keys.len(), "trusted keys reloaded");
                self.redeemer.replace_keys(keys);
            }
            Err(failure) => {
                let error = failure.reason();
                tracing::error!(error, "new keys refused, the old ones stay");
            }
        }
        match open_profiles(&self.config) {
            Ok(profiles) => {
                tracing::info!("profiles reloaded");
                self.redeemer.replace_profiles(profiles);
            }
            Err(failure) => {
                let error = failure.reason();
                tracing::error!(error, "new profiles refused, the old ones stay");
            }
        }
        self.activity.reopen_audit_log();
        if let Some(Err(error)) = self.certificate.as_ref().map(|pair| pair.reload()) {
            let error = super::failure::with_sources(&error);
            tracing::error!(error, "new certificate refused, the old one stays");
        }
    }

    /// Takes a new signing key, if it is good and `trusted`. One that is no longer
    /// trusted stays, too, but nothing is minted with it.
    fn reload_minter(&self, trusted: &Keyring) {
        match node_minter::open(&self.config, trusted, &self.public_url) {
            Ok(None) => {}
            Ok(Some(minter)) => {
                tracing::info!(key_id = %minter.key_id(), "signing key reloaded");
                self.operators.minter.store(Some(Arc::new(minter)));
            }
            Err(failure) => {
                let error = failure.reason();
                tracing::error!(error, "new signing key refused, the old one stays");
            }
        }
    }

    /// Closes what is written to, once the doors' threads have let go of it.
    async fn close(self) {
        let Self { redeemer, ledger, timed_ledger, activity, operators, .. } = self;
        drop((redeemer, timed_ledger, operators));
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

fn trusted_keys(config: &Config) -> Result<Keyring, Failure> {
    let keys = Keyring::load(&config.keys.trusted)
        .map_err(|error| Failure::new(&error, "`jeton config check` tells all that is wrong"))?;
    if !keys.has(KeyPurpose::Profile) {
        return Err(Failure::say(
            format!("{} trusts no key for profiles", config.keys.trusted.display()),
            "make one with `jeton key new`, or copy a public key into its folder `profile`",
        ));
    }
    Ok(keys)
}

/// Refuses to serve beside private keys that others can read. A node needs none,
/// so that there are none is no fault; what is wrong with them otherwise is found
/// by whoever signs.
fn refuse_open_keys(config: &Config) -> Result<(), Failure> {
    let Some(folder) = config.keys.signing.as_deref().filter(|folder| folder.exists()) else {
        return Ok(());
    };
    match SigningKeys::load(folder, None) {
        Err(error @ (KeyringError::Exposed { .. } | KeyringError::Writable { .. })) => {
            Err(Failure::new(&error, "whoever read it may have copied it: make a new key"))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

fn open_profiles(config: &Config) -> Result<Box<dyn crate::profile::ProfileSource>, Failure> {
    let profiles: &Profiles =
        config.profiles.as_ref().ok_or_else(|| global::missing(config, "profiles.source"))?;
    source::open(profiles)
        .map_err(|error| Failure::new(&error, "correct [profiles] in the configuration"))
}

fn certificate(config: &Config) -> Result<Option<Arc<ReloadingCertificate>>, Failure> {
    let public = &config.public;
    if public.plain_http {
        return Ok(None);
    }
    let chain = public.tls_cert.as_ref();
    let chain = chain.ok_or_else(|| global::missing(config, "public.tls_cert"))?;
    let key = public.tls_key.as_ref();
    let key = key.ok_or_else(|| global::missing(config, "public.tls_key"))?;
    let certificate = ReloadingCertificate::load(chain, key).map_err(|error| {
        Failure::new(&error, "correct public.tls_cert and public.tls_key, or the files they name")
    })?;
    Ok(Some(Arc::new(certificate)))
}

/// Says what to do about an audit log that cannot be used.
fn refuse_audit_log(error: &AuditError) -> Failure {
    let hint = match error {
        AuditError::Exposed { .. } => "it has names and addresses in it: chmod go= on that file",
        AuditError::Io { .. } | AuditError::Thread(_) => "set another `log.audit`, or none",
    };
    Failure::new(error, hint)
}

fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| {
        let hint = if error.kind() == io::ErrorKind::AddrInUse {
            format!("another program listens there; stop it, or set another `{key}`")
        } else {
            format!("set another `{key}`, or allow this one")
        };
        Failure::say(format!("cannot listen on {address}: {error}"), hint)
    })
}

/// Says what to do about a ledger that does not open.
fn explain(error: &OpenError) -> Failure {
    let is_missing = matches!(error, OpenError::Identity(IdentityError::Missing(_)));
    let is_locked = matches!(error, OpenError::Log { source: LogError::Locked, .. });
    let hint = if is_missing {
        "a new node is made by `jeton init`; if this ledger was lost, `jeton ledger new` makes one \
         that refuses all older links"
    } else if is_locked {
        "another `jeton serve` has it; a ledger is served by one process"
    } else if matches!(error, OpenError::Permissions(_)) {
        "close it to others: chmod -R go= on that folder"
    } else {
        "keep the folder as it is for whoever looks into it; once it is moved away, `jeton ledger \
         new` starts afresh and refuses all older links"
    };
    Failure::new(error, hint)
}
