//! What is written down of each decision: one line, who asked for which token
//! and what became of it; and, where a profile was wanted and not only looked
//! at, a number and an event for the operators. Neither a token nor a profile is in them.

use std::net::IpAddr;
use std::sync::Arc;

use tracing::field;

use super::refusal::{Denial, Row, Severity};
use super::{attachment, request_log};
use crate::activity::{Activity, Event, TokenSeen, What};
use crate::ledger::RequestId;
use crate::metrics::Metrics;
use crate::redeem::{Delivery, Intent};
use crate::token::{ProfileKind, Purpose, UnixSeconds, VerifiedToken};

/// Where decisions are written down.
#[derive(Clone, Debug)]
pub struct RedemptionLog {
    /// What operators are shown.
    pub activity: Arc<Activity>,
    /// What counts them.
    pub metrics: Arc<Metrics>,
}

/// Who asked, in which request, and what for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    /// `None` if that could not be found out.
    pub(super) client: Option<IpAddr>,
    pub(super) request_id: RequestId,
    pub(super) intent: Intent,
}

impl RedemptionLog {
    /// Writes down a decision of the moment `now`.
    pub(super) fn decided(
        &self,
        decision: &Result<Delivery, Denial>,
        asker: Asker,
        now: UnixSeconds,
    ) {
        match decision {
            Ok(delivery) => self.delivered(delivery, asker, now),
            Err(denial) => self.refused(denial, asker, now),
        }
    }

    /// Writes down that a profile goes out, or would for [`Intent::Look`].
    fn delivered(&self, delivery: &Delivery, asker: Asker, now: UnixSeconds) {
        write_delivery(delivery, asker);
        if asker.intent != Intent::Look {
            self.metrics.redeemed(delivery.kind);
            let token = seen(&delivery.token);
            let what = What::Delivered { token, uses_left: delivery.uses_left };
            self.activity.note(Event { at: now, client: asker.client, what });
        }
    }

    /// Writes down a refusal and why.
    pub(super) fn refused(&self, denial: &Denial, asker: Asker, now: UnixSeconds) {
        let row = denial.row();
        write_refusal(denial, &row, asker);
        if asker.intent == Intent::Look {
            return;
        }
        self.metrics.refused(row.reason);
        // Nobody has clicked yet when a browser prefetches.
        if !matches!(denial, Denial::Prefetch) {
            let what = What::Refused { token: denial.token().map(seen), reason: row.reason };
            self.activity.note(Event { at: now, client: asker.client, what });
        }
    }
}

fn write_delivery(delivery: &Delivery, asker: Asker) {
    let claims = delivery.token.claims();
    tracing::info!(
        target: "jeton::redemption",
        outcome = match asker.intent {
            Intent::Look => "shown",
            Intent::Spend(_) => "delivered",
        },
        token = %delivery.token.id(),
        user = %claims.user,
        kind = %delivery.kind,
        client = asker.client.map(field::display),
        uses_left = attachment::uses_left(delivery),
        request_id = request_log::shown(asker.request_id),
    );
}

/// Writes the line of a refusal, at the level of its row.
fn write_refusal(denial: &Denial, row: &Row, asker: Asker) {
    let token = denial.token();
    let cause = denial.cause();
    // The level of an event is fixed where it is written.
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
                client = asker.client.map(field::display),
                request_id = request_log::shown(asker.request_id),
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
