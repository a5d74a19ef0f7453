//! Who may enter, and what stands behind the door.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header;
use arc_swap::ArcSwapOption;

use super::AdminError;
use crate::activity::{Activity, Event, What};
use crate::ledger::Ledger;
use crate::mint::Minter;
use crate::redeem::Redeemer;
use crate::token::{KeyId, Purpose, Role, UnixSeconds, UserName, VerifiedToken};

/// What the operators' door needs.
#[derive(Debug)]
pub struct AdminDoor {
    /// Verifies tokens, and knows the users and what a click would do.
    pub redeemer: Arc<Redeemer>,
    /// What is listed and changed.
    pub ledger: Arc<dyn Ledger>,
    /// What happened of late.
    pub activity: Arc<Activity>,
    /// Mints, if this node was given a signing key on purpose.
    pub minter: ArcSwapOption<Minter>,
}

/// Someone who entered. Only [`AdminDoor::enter`] makes one.
#[derive(Debug)]
pub(super) struct Operator {
    name: UserName,
    role: Role,
    key_id: KeyId,
    client: Option<IpAddr>,
    redeemer: Arc<Redeemer>,
    activity: Arc<Activity>,
}

impl AdminDoor {
    /// Lets a request in whose bearer token is an admin token of at least
    /// `needed`: verified, valid now, from its network and not revoked.
    pub(super) fn enter(
        &self,
        request: &HttpRequest,
        needed: Role,
    ) -> Result<Operator, AdminError> {
        let text = bearer(request).ok_or(AdminError::NoToken)?;
        let token = self.redeemer.verify(text).map_err(|_| AdminError::NotAdmitted)?;
        let operator = self.admit(request, &token)?;
        if operator.role < needed {
            return Err(AdminError::Role { has: operator.role, needs: needed });
        }
        Ok(operator)
    }

    fn admit(&self, request: &HttpRequest, token: &VerifiedToken) -> Result<Operator, AdminError> {
        let claims = token.claims();
        let Purpose::Admin(role) = claims.purpose else { return Err(AdminError::NotAdmitted) };
        claims.validate_time(self.now()).map_err(AdminError::Time)?;
        if let Some(network) = claims.network {
            let inside = request.peer_addr().is_some_and(|peer| network.contains(peer.ip()));
            if !inside {
                return Err(AdminError::NotAdmitted);
            }
        }
        if self.ledger.standing(token)?.revoked {
            return Err(AdminError::NotAdmitted);
        }
        Ok(Operator {
            name: claims.user.clone(),
            role,
            key_id: token.id().key_id,
            client: request.peer_addr().map(|peer| peer.ip()),
            redeemer: Arc::clone(&self.redeemer),
            activity: Arc::clone(&self.activity),
        })
    }

    /// The time that judges: never one that the ledger has left behind.
    pub(super) fn now(&self) -> UnixSeconds {
        self.redeemer.now()
    }
}

impl Operator {
    /// Returns the key that signed the token this operator entered with.
    pub(super) const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Writes down what was done, by whom.
    pub(super) fn did(&self, what: &str) {
        tracing::info!(target: "jeton::audit", operator = %self.name, role = %self.role, "{what}");
        let what =
            What::Done { operator: self.name.clone(), role: self.role, what: what.to_owned() };
        let at = self.redeemer.now();
        self.activity.note(Event { at, client: self.client, what });
    }
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}
