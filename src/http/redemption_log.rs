//! One line for each decision: who asked for which token, and what became of
//! it. Neither a token nor a profile is ever in it.

use std::net::IpAddr;

use tracing::field;

use super::refusal::{Denial, Severity};
use super::{attachment, request_log};
use crate::ledger::RequestId;
use crate::redeem::{Delivery, Intent};
use crate::token::{ProfileKind, Purpose, VerifiedToken};

/// Who asked, in which request, and what for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    /// `None` if that could not be found out.
    pub(super) client: Option<IpAddr>,
    pub(super) request_id: RequestId,
    pub(super) intent: Intent,
}

/// Writes down a decision.
pub(super) fn decided(decision: &Result<Delivery, Denial>, asker: Asker) {
    match decision {
        Ok(delivery) => delivered(delivery, asker),
        Err(denial) => refused(denial, asker),
    }
}

/// Writes down that a profile goes out, or would for [`Intent::Look`].
fn delivered(delivery: &Delivery, asker: Asker) {
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

/// Writes down a refusal and why, at the level of its row.
pub(super) fn refused(denial: &Denial, asker: Asker) {
    let row = denial.row();
    let token = denial.token();
    let cause = denial.cause();
    // The level of an event is fixed where it is written.
    macro_rules! event {
        ($level:ident) => {
            tracing::event!(
                target: "jeton::redemption",
                tracing::Level::$level,
                outcome = "refused",
                reason = row.label,
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

fn kind(token: &VerifiedToken) -> Option<ProfileKind> {
    match token.claims().purpose {
        Purpose::Profile(kind) => Some(kind),
        Purpose::Admin(_) => None,
    }
}
