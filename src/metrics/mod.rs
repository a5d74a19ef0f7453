//! Metrics in the OpenMetrics text format.
//!
//! [`Metrics`] counts most of them as events happen. The caller supplies the rest as [`Readings`]
//! at each scrape. No metric names a user, a token or an address; those of members carry node ids.
//! `docs/metrics.md` describes each.

mod cluster;
mod timed_ledger;

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::activity::Reason;
use crate::token::{KeyPurpose, ProfileKind, UnixSeconds};

use cluster::Label;
pub use cluster::{ClusterReadings, MemberReading};
pub use timed_ledger::TimedLedger;

/// The `Content-Type` of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The histogram buckets of commit times, in seconds: from a fast disk on a lone node to an
/// election in between.
const COMMIT_SECONDS: [f64; 15] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0,
];

/// Metrics that are counted as events happen.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    redemptions: Family<Label, Counter>,
    refusals: Family<Label, Counter>,
    commits: Histogram,
    failed_commits: Counter,
    handshakes: Family<Label, Counter>,
}

/// The version of TLS that a handshake agreed on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsVersion {
    /// TLS 1.2.
    V12,
    /// TLS 1.3.
    V13,
}

/// Metrics that are read at each scrape.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Readings {
    /// How often a token was in the cache of verified tokens.
    pub verify_cache_hits: u64,
    /// How often a signature had to be checked.
    pub verify_cache_misses: u64,
    /// When the public door's certificate expires; `None` without TLS.
    pub certificate_expires_at: Option<UnixSeconds>,
    /// The number of trusted keys for each purpose.
    pub trusted_keys: Vec<(KeyPurpose, usize)>,
    /// Whether the ledger could grant a use now.
    pub ledger_ready: bool,
    /// The index of the last entry that this node applied.
    pub ledger_applied_index: u64,
    /// How many lines of the audit log were lost.
    pub audit_lines_lost: u64,
    /// The cluster as this node sees it.
    pub cluster: ClusterReadings,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("jeton"),
            redemptions: Family::default(),
            refusals: Family::default(),
            commits: Histogram::new(COMMIT_SECONDS),
            failed_commits: Counter::default(),
            handshakes: Family::default(),
        };
        metrics.begin_at_zero();
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// Creates every series at zero. Alerts on increase miss a series that first appears at 1.
    fn begin_at_zero(&self) {
        for kind in ProfileKind::ALL {
            drop(self.redemptions.get_or_create(&[("profile_type", kind.as_str())]));
        }
        for reason in Reason::ALL {
            drop(self.refusals.get_or_create(&[("reason", reason.as_str())]));
        }
        for version in [TlsVersion::V12, TlsVersion::V13] {
            drop(self.handshakes.get_or_create(&[("version", version.as_str())]));
        }
    }

    fn register(&mut self) {
        let Self { registry, redemptions, refusals, commits, failed_commits, handshakes } = self;
        registry.register("redemptions", "Profiles delivered", redemptions.clone());
        registry.register("refusals", "Requests that got no profile", refusals.clone());
        let help = "Time until a change of the ledger was durable";
        registry.register_with_unit("ledger_commit", help, Unit::Seconds, commits.clone());
        let help = "Changes of the ledger that failed or may have failed";
        registry.register("ledger_commit_failures", help, failed_commits.clone());
        let help = "TLS handshakes completed at the public door";
        registry.register("tls_handshakes", help, handshakes.clone());
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", build);
    }

    /// Counts a delivered profile.
    pub fn redeemed(&self, kind: ProfileKind) {
        self.redemptions.get_or_create(&[("profile_type", kind.as_str())]).inc();
    }

    /// Counts a request that got no profile.
    pub fn refused(&self, reason: Reason) {
        self.refusals.get_or_create(&[("reason", reason.as_str())]).inc();
    }

    /// Counts a completed handshake.
    pub fn handshake_completed(&self, version: TlsVersion) {
        self.handshakes.get_or_create(&[("version", version.as_str())]).inc();
    }

    /// Counts a change of the ledger: its duration, or `None` if it failed.
    fn committed(&self, took: Option<Duration>) {
        match took {
            Some(took) => self.commits.observe(took.as_secs_f64()),
            None => {
                self.failed_commits.inc();
            }
        }
    }

    /// Encodes all metrics as OpenMetrics text.
    ///
    /// # Errors
    ///
    /// Only if the formatter fails, which `String` never does.
    pub fn show(&self, readings: &Readings) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &readings.registry())?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

impl TlsVersion {
    const fn as_str(self) -> &'static str {
        match self {
            Self::V12 => "1.2",
            Self::V13 => "1.3",
        }
    }
}

impl Readings {
    fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("jeton");
        let mut count = |name, help, number| {
            registry.register(name, help, ConstCounter::new(number));
        };
        let help = "Tokens found in the cache of verified tokens";
        count("verify_cache_hits", help, self.verify_cache_hits);
        let help = "Tokens whose signature had to be checked";
        count("verify_cache_misses", help, self.verify_cache_misses);
        let help = "Audit log lines lost to a full or slow disk";
        count("audit_lines_lost", help, self.audit_lines_lost);
        let mut show = |name, help, number: u64| {
            registry.register(name, help, ConstGauge::new(number));
        };
        show(
            "ledger_ready",
            "Whether the ledger can grant a use: 1 or 0",
            self.ledger_ready.into(),
        );
        let help = "The last entry applied by this node";
        show("ledger_applied_index", help, self.ledger_applied_index);
        if let Some(expires_at) = self.certificate_expires_at {
            let help = "When the public door's certificate expires, in Unix time";
            let expires_at = ConstGauge::new(expires_at.get());
            let name = "certificate_expiry_timestamp";
            registry.register_with_unit(name, help, Unit::Seconds, expires_at);
        }
        self.cluster.register(&mut registry);
        registry.register("trusted_keys", "Public keys whose tokens are accepted", self.keys());
        registry
    }

    fn keys(&self) -> Family<Label, Gauge> {
        let keys = Family::<Label, Gauge>::default();
        for (purpose, count) in &self.trusted_keys {
            keys.get_or_create(&[("purpose", purpose.as_str())]).set(cluster::whole(*count));
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_counts_and_starts_the_rest_at_zero() {
        let metrics = Metrics::default();
        (0..3).for_each(|_| metrics.redeemed(ProfileKind::Autologin));
        metrics.refused(Reason::UsedUp);
        metrics.handshake_completed(TlsVersion::V13);
        metrics.committed(Some(Duration::from_micros(600)));
        metrics.committed(None);
        let readings = Readings {
            certificate_expires_at: Some(UnixSeconds::new(1_790_000_000)),
            trusted_keys: vec![(KeyPurpose::Profile, 2), (KeyPurpose::Admin, 1)],
            ledger_ready: true,
            ledger_applied_index: 7,
            verify_cache_hits: 5,
            cluster: ClusterReadings {
                voters: 3,
                knows_leader: true,
                is_leader: true,
                staleness: Some(Duration::from_millis(1_500)),
                term: 4,
                members: vec![MemberReading {
                    node: "3f2a".to_owned(),
                    is_reachable: true,
                    lag: None,
                    clock_offset_s: Some(-3),
                }],
                ..ClusterReadings::default()
            },
            ..Readings::default()
        };
        let text = metrics.show(&readings).unwrap();
        for line in [
            "jeton_redemptions_total{profile_type=\"autologin\"} 3",
            "jeton_redemptions_total{profile_type=\"user-locked\"} 0",
            "jeton_refusals_total{reason=\"used-up\"} 1",
            "jeton_refusals_total{reason=\"revoked\"} 0",
            "jeton_tls_handshakes_total{version=\"1.2\"} 0",
            "jeton_tls_handshakes_total{version=\"1.3\"} 1",
            "jeton_ledger_commit_seconds_bucket{le=\"0.0005\"} 0",
            "jeton_ledger_commit_seconds_bucket{le=\"0.001\"} 1",
            "jeton_ledger_commit_seconds_count 1",
            "jeton_ledger_commit_failures_total 1",
            "jeton_verify_cache_hits_total 5",
            "jeton_verify_cache_misses_total 0",
            "jeton_audit_lines_lost_total 0",
            "jeton_ledger_ready 1",
            "jeton_ledger_applied_index 7",
            "jeton_certificate_expiry_timestamp_seconds 1790000000",
            "jeton_trusted_keys{purpose=\"profile\"} 2",
            "jeton_cluster_members{role=\"voter\"} 3",
            "jeton_cluster_members{role=\"learner\"} 0",
            "jeton_cluster_is_leader 1",
            "jeton_cluster_leader_known 1",
            "jeton_cluster_stale 0",
            "jeton_cluster_staleness_seconds 1.5",
            "jeton_cluster_term 4",
            "jeton_cluster_clock_off 0",
            "jeton_cluster_spends_forwarded_total 0",
            "jeton_cluster_member_reachable{node=\"3f2a\"} 1",
            "jeton_cluster_member_clock_offset_seconds{node=\"3f2a\"} -3",
            "jeton_trusted_keys{purpose=\"admin\"} 1",
            concat!("jeton_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
        // Unknown values have no series.
        assert!(!text.contains("cluster_member_lag{"), "{text}");
    }

    #[test]
    fn omits_certificate_expiry_without_tls() {
        let text = Metrics::default().show(&Readings::default()).unwrap();
        assert!(!text.contains("certificate"), "{text}");
    }
}
