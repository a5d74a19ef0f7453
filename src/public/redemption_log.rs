//! The record of each decision: one log line and, unless the link was only looked at, a metric and
//! an event for operators. None of them contains a token's text or a profile.

use std::net::IpAddr;
use std::sync::Arc;

use tracing::field;

use super::refusal::{Denial, RefusalRow, Severity};
use super::{attachment, request_id};
use crate::activity::{Activity, Event, EventKind, TokenSeen};
use crate::ledger::RequestId;
use crate::metrics::Metrics;
use crate::redeem::{Delivery, Intent};
use crate::token::{ProfileKind, Purpose, UnixSeconds, VerifiedToken};

/// Records decisions.
#[derive(Clone, Debug)]
pub struct RedemptionLog {
    /// The events that operators see.
    pub activity: Arc<Activity>,
    /// The counters.
    pub metrics: Arc<Metrics>,
}

/// What is recorded of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestContext {
    /// `None` if unknown.
    pub(super) client: Option<IpAddr>,
    pub(super) request_id: RequestId,
    pub(super) intent: Intent,
}

impl RedemptionLog {
    /// Records a decision made at `now`.
    pub(super) fn decided(
        &self,
        decision: &Result<Delivery, Denial>,
        context: RequestContext,
        now: UnixSeconds,
    ) {
        match decision {
            Ok(delivery) => self.delivered(delivery, context, now),
            Err(denial) => self.refused(denial, context, now),
        }
    }

    /// Records a delivery. For [`Intent::Look`] only the log line is written.
    fn delivered(&self, delivery: &Delivery, context: RequestContext, now: UnixSeconds) {
        write_delivery(delivery, context);
        if context.intent != Intent::Look {
            self.metrics.redeemed(delivery.kind);
            let token = seen(&delivery.token);
            let kind = EventKind::Delivered { token, uses_left: delivery.uses_left };
            self.activity.record(Event { at: now, client: context.client, kind });
        }
    }

    /// Records a refusal.
    pub(super) fn refused(&self, denial: &Denial, context: RequestContext, now: UnixSeconds) {
        let row = denial.row();
        write_refusal(denial, &row, context);
        if context.intent == Intent::Look {
            return;
        }
        self.metrics.refused(row.reason);
        // A prefetch happens before the user clicks.
        if !matches!(denial, Denial::Prefetch) {
            let kind = EventKind::Refused { token: denial.token().map(seen), reason: row.reason };
            self.activity.record(Event { at: now, client: context.client, kind });
        }
    }
}

fn write_delivery(delivery: &Delivery, context: RequestContext) {
    let claims = delivery.token.claims();
    tracing::info!(
        target: "jeton::redemption",
        outcome = match context.intent {
            Intent::Look => "shown",
            Intent::Spend(_) => "delivered",
        },
        token = %delivery.token.id(),
        user = %claims.user,
        kind = %delivery.kind,
        client = context.client.map(field::display),
        uses_left = attachment::uses_left(delivery),
        request_id = request_id::to_hex(context.request_id),
    );
}

/// Writes the log line of a refusal, at the level of its row.
fn write_refusal(denial: &Denial, row: &RefusalRow, context: RequestContext) {
    let token = denial.token();
    let cause = denial.cause();
    // The level of a tracing event must be a constant.
    macro_rules! event {
        ($level:ident) => {
            tracing::event!(
                target: "jeton::redemption",
                tracing::Level::$level,
                outcome = "refused",
                reason = row.reason.as_str(),
                cause,
                token = token.map(|token| field::display(token.id())),
                user = token.map(|token| field::display(&token.claims().user)),
                kind = token.and_then(kind).map(field::display),
                client = context.client.map(field::display),
                request_id = request_id::to_hex(context.request_id),
            )
        };
    }
    match row.severity {
        Severity::Debug => event!(DEBUG),
        Severity::Info => event!(INFO),
        Severity::Warn => event!(WARN),
        Severity::Error => event!(ERROR),
    }
}

fn seen(token: &VerifiedToken) -> TokenSeen {
    TokenSeen { id: token.id(), user: token.claims().user.clone(), kind: kind(token) }
}

fn kind(token: &VerifiedToken) -> Option<ProfileKind> {
    match token.claims().purpose {
        Purpose::Profile(kind) => Some(kind),
        Purpose::Admin(_) => None,
    }
}
