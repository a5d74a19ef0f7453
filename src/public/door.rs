//! What stands behind the public door, shared by all its routes.

use std::fmt::Debug;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use zeroize::Zeroizing;

use super::client_address::{TrustedProxies, UnknownClient};
use super::limits::PublicLimits;
use super::rate::RateLimiter;
use super::redemption_log::{Asker, RedemptionLog};
use super::refusal::Denial;
use crate::ledger::{Ledger, LedgerError, OutcomeUnknown, RequestId};
use crate::random;
use crate::redeem::{Attempt, Delivery, Redeemer, Refusal, Refused};
use crate::token::url::PublicUrl;
use crate::token::{KeyPurpose, UnixSeconds};

/// What the public door needs.
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

/// A source of request ids. Each must be new, or two wishes become one.
pub trait RequestIds: Debug + Send + Sync {
    /// Draws the next id.
    ///
    /// # Errors
    ///
    /// Why there is none; then the request is not even looked at.
    fn next(&self) -> io::Result<RequestId>;
}

/// Request ids from the system's random source.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomRequestIds;

impl RequestIds for RandomRequestIds {
    fn next(&self) -> io::Result<RequestId> {
        random::bytes().map(RequestId).map_err(io::Error::other)
    }
}

impl PublicDoor {
    /// Puts together what the public door needs. `ledger` is the one that
    /// `redeemer` spends in; `public_url` stands in the links of the share page,
    /// because the `Host` of a request is the client's word.
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
        let rate = RateLimiter::new(limits);
        let opened = Instant::now();
        Self { request_ids, log, redeemer, ledger, public_url, proxies, rate, opened }
    }

    /// Returns where the world reaches this door.
    pub(super) const fn public_url(&self) -> &PublicUrl {
        &self.public_url
    }

    /// Returns the time that tokens are judged by.
    pub(super) fn now(&self) -> UnixSeconds {
        self.redeemer.now()
    }

    /// Tells whether a profile could be delivered now, and if not, what anybody may
    /// know of why.
    pub(super) fn readiness(&self) -> Result<(), String> {
        if !self.redeemer.trusts_keys_for(KeyPurpose::Profile) {
            return Err("no key for profiles is trusted".to_owned());
        }
        self.ledger.status().ready.map_err(|why| why.in_public())
    }

    /// Returns where a request came from.
    pub(super) fn client(&self, request: &HttpRequest) -> Result<IpAddr, UnknownClient> {
        self.proxies.client(request)
    }

    /// Admits one request for a profile, or returns how long to wait.
    pub(super) fn admit(&self, client: IpAddr) -> Result<(), Duration> {
        self.rate.admit(client, self.opened.elapsed())
    }

    /// Redeems a token and writes the decision down.
    ///
    /// It runs as a task of its own. A handler is dropped where it stands when
    /// its client disconnects, and a use that was spent would then be in no
    /// log. Only the caller can deliver, so a client that left costs a use at
    /// most and is never given a profile for nothing.
    pub(super) async fn redeem(
        &self,
        token: &str,
        client: IpAddr,
        asker: Asker,
    ) -> Result<Delivery, Denial> {
        let redeemer = Arc::clone(&self.redeemer);
        let log = self.log.clone();
        let token = Zeroizing::new(token.to_owned());
        let task = tokio::spawn(async move {
            let attempt = Attempt { token: &token, client, intent: asker.intent };
            let decision = redeemer.redeem(attempt).await.map_err(Denial::Redemption);
            log.decided(&decision, asker, redeemer.now());
            decision
        });
        task.await.unwrap_or_else(|_| {
            // A panic's message is not ours to write down.
            let refusal =
                Refusal::OutcomeUnknown(LedgerError::OutcomeUnknown(OutcomeUnknown::Aborted));
            let decision = Err(Denial::Redemption(Refused { refusal, token: None }));
            self.log.decided(&decision, asker, self.now());
            decision
        })
    }
}
