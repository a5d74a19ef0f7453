//! What all routes of the public door share.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use zeroize::Zeroizing;

use super::client_address::{TrustedProxies, UnknownClient};
use super::limits::PublicLimits;
use super::redemption_log::{RedemptionLog, RequestContext};
use super::refusal::Denial;
use super::request_id::RequestIds;
use crate::ledger::{Ledger, LedgerError, OutcomeUnknown};
use crate::rate_limit::{RateLimiter, Subnet};
use crate::redeem::{Attempt, Delivery, Redeemer, Refusal, RefusedAttempt};
use crate::token::url::PublicUrl;
use crate::token::{KeyPurpose, UnixSeconds};

/// The state of the public door.
#[derive(Debug)]
pub struct PublicDoor {
    pub(super) request_ids: Box<dyn RequestIds>,
    pub(super) log: RedemptionLog,
    redeemer: Arc<Redeemer>,
    ledger: Arc<dyn Ledger>,
    public_url: PublicUrl,
    proxies: TrustedProxies,
    rate: RateLimiter,
    opened: Instant,
}

impl PublicDoor {
    /// Creates the state of the public door. `ledger` is the one that `redeemer` spends in. The
    /// share page's links contain `public_url`, because `Host` is the client's choice.
    #[must_use]
    pub fn new(
        redeemer: Arc<Redeemer>,
        ledger: Arc<dyn Ledger>,
        public_url: PublicUrl,
        proxies: TrustedProxies,
        limits: &PublicLimits,
        request_ids: Box<dyn RequestIds>,
        log: RedemptionLog,
    ) -> Self {
        let rate = RateLimiter::new(limits.rate, limits.rate_clients);
        let opened = Instant::now();
        Self { request_ids, log, redeemer, ledger, public_url, proxies, rate, opened }
    }

    /// Returns the URL at which users reach this door.
    pub(super) const fn public_url(&self) -> &PublicUrl {
        &self.public_url
    }

    /// Returns the time by which tokens are judged.
    pub(super) fn now(&self) -> UnixSeconds {
        self.redeemer.now()
    }

    /// Returns why no profile can be delivered now, if so, in words that any client may see.
    pub(super) fn readiness(&self) -> Result<(), String> {
        if !self.redeemer.trusts_keys_for(KeyPurpose::Profile) {
            return Err("no key for profiles is trusted".to_owned());
        }
        self.ledger.status().ready.map_err(|why| why.in_public())
    }

    /// Returns the address that a request came from.
    pub(super) fn client(&self, request: &HttpRequest) -> Result<IpAddr, UnknownClient> {
        self.proxies.client(request)
    }

    /// Admits one request for a profile, or returns how long to wait.
    pub(super) fn admit(&self, client: IpAddr) -> Result<(), Duration> {
        self.rate.admit(Subnet::of(client), self.opened.elapsed())
    }

    /// Redeems a token and logs the decision.
    ///
    /// This runs in a task of its own. actix drops a handler when its client disconnects, and a use
    /// that was spent would then be missing from the log. If the client has gone, the profile is
    /// dropped. That can burn a use; it cannot add one.
    pub(super) async fn redeem(
        &self,
        token: &str,
        client: IpAddr,
        context: RequestContext,
    ) -> Result<Delivery, Denial> {
        let redeemer = Arc::clone(&self.redeemer);
        let log = self.log.clone();
        let token = Zeroizing::new(token.to_owned());
        let task = tokio::spawn(async move {
            let attempt = Attempt { token: &token, client, intent: context.intent };
            let decision = redeemer.redeem(attempt).await.map_err(Denial::Redemption);
            log.decided(&decision, context, redeemer.now());
            decision
        });
        task.await.unwrap_or_else(|_| {
            // The message of a panic is not logged: it may contain secrets.
            let refusal =
                Refusal::OutcomeUnknown(LedgerError::OutcomeUnknown(OutcomeUnknown::Aborted));
            let decision = Err(Denial::Redemption(RefusedAttempt { refusal, token: None }));
            self.log.decided(&decision, context, self.now());
            decision
        })
    }
}
