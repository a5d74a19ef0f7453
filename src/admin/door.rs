//! Admission: checks the admin token of each request, and carries out and records each change.

use std::fmt::Debug;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header;
use arc_swap::ArcSwapOption;

use super::error::AdminError;
use super::inviter::Inviter;
use super::same_origin::{self, Sender};
use super::session::{Session, Sessions};
use crate::activity::{Activity, Event, EventKind};
use crate::ledger::{Ledger, LedgerError, Membership, OutcomeUnknown};
use crate::metrics::Metrics;
use crate::mint::Minter;
use crate::redeem::Redeemer;
use crate::token::{
    AdminRole, IpNetwork, KeyId, Purpose, TimeError, TrustedKeys as _, UnixSeconds, UserName,
    VerifiedToken,
};

/// The parts of a node that the admin door shows and changes.
#[derive(Debug)]
pub struct AdminDoor {
    pub(super) redeemer: Arc<Redeemer>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) cluster: Arc<dyn Membership>,
    /// `None` if this node does not listen for others.
    pub(super) inviter: Option<Arc<dyn Inviter>>,
    pub(super) activity: Arc<Activity>,
    pub(super) metrics: Arc<Metrics>,
    /// The certificate of the public door, if it has TLS.
    pub(super) certificate: Option<Arc<dyn ServedCertificate>>,
    /// `None` if this node has no signing key.
    pub(super) minter: ArcSwapOption<Minter>,
    /// The sessions of the pages.
    pub(super) sessions: Sessions,
}

/// The certificate that the public door currently presents.
pub trait ServedCertificate: Debug + Send + Sync {
    /// Returns the first moment at which it is no longer valid.
    fn not_after(&self) -> UnixSeconds;
}

/// An admitted operator. Only [`AdminDoor::enter`] creates one, after it has checked the admin
/// token.
#[derive(Debug)]
pub(super) struct Operator {
    holder: Holder,
    client: Option<IpAddr>,
    redeemer: Arc<Redeemer>,
    activity: Arc<Activity>,
}

/// The holder of an admin token.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) name: UserName,
    pub(super) role: AdminRole,
    /// The key that signed the token.
    pub(super) key_id: KeyId,
    /// The first moment at which the token is no longer valid.
    pub(super) expires_at: UnixSeconds,
}

/// What an operator can change.
#[derive(Debug)]
pub(super) struct Changeable {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) cluster: Arc<dyn Membership>,
    pub(super) inviter: Option<Arc<dyn Inviter>>,
}

/// An operator who may see the state of the nodes and nothing else, because this node may not know
/// the latest revocations. Only [`AdminDoor::enter_to_look`] and [`AdminDoor::sign_in`] create one.
#[derive(Debug)]
pub(super) struct StaleViewer(Operator);

/// How current the known revocations have to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Knowledge {
    /// So current that the ledger vouches for them.
    Fresh,
    /// The last ones that this node has heard of.
    LastKnown,
}

/// Why an admin token is not accepted.
#[derive(Debug)]
pub(super) enum TokenFault {
    /// It is not a token of a trusted key.
    Unverified,
    /// It is a profile token.
    Profile,
    /// It is not valid now.
    Time(TimeError),
    /// The client is not in the token's network.
    Network,
    /// The token, its batch, its user or its key is revoked.
    Revoked,
    /// The ledger cannot say whether it is revoked.
    Ledger(LedgerError),
}

impl AdminDoor {
    /// Creates the state of the admin door. `inviter` is `None` if this node does not listen for
    /// others, and `certificate` if the public door has no TLS. It does not mint before
    /// [`mint_with`](Self::mint_with).
    #[must_use]
    pub fn new(
        redeemer: Arc<Redeemer>,
        ledger: Arc<dyn Ledger>,
        cluster: Arc<dyn Membership>,
        inviter: Option<Arc<dyn Inviter>>,
        activity: Arc<Activity>,
        metrics: Arc<Metrics>,
        certificate: Option<Arc<dyn ServedCertificate>>,
    ) -> Self {
        let (minter, sessions) = (ArcSwapOption::empty(), Sessions::default());
        Self {
            redeemer,
            ledger,
            cluster,
            inviter,
            activity,
            metrics,
            certificate,
            minter,
            sessions,
        }
    }

    /// Mints with `minter` from now on.
    pub fn mint_with(&self, minter: Minter) {
        self.minter.store(Some(Arc::new(minter)));
    }

    /// Returns the key that this node mints with, if it has one.
    #[must_use]
    pub fn mints_with(&self) -> Option<KeyId> {
        self.minter.load().as_ref().map(|minter| minter.key_id())
    }

    /// Admits a request with an admin token of at least the role `needed`, which is verified, valid
    /// now, used from its network and not revoked.
    ///
    /// The token is a bearer token or, in a request without `Authorization`, the token of the
    /// session in the cookie. A browser adds the cookie to requests from any site, so a change with
    /// a cookie must come from a page of this door.
    pub(super) fn enter(
        &self,
        request: &HttpRequest,
        needed: AdminRole,
    ) -> Result<Operator, AdminError> {
        let token = self.token_of(request)?;
        let operator = self.admit(request, &token, Knowledge::Fresh)?;
        let has = operator.holder.role;
        if has < needed {
            return Err(AdminError::AdminRole { has, needs: needed });
        }
        Ok(operator)
    }

    /// Admits a request with an admin token of any role to see the state of the nodes, even if this
    /// node has been cut off for so long that its revocations may be out of date. That is when an
    /// operator has to see the cause.
    ///
    /// A token that was revoked after this node last heard from the others is admitted. After a
    /// restart, a node with others knows its last snapshot until it hears from a majority. Time,
    /// network and key are checked as in [`enter`](Self::enter).
    pub(super) fn enter_to_look(&self, request: &HttpRequest) -> Result<StaleViewer, AdminError> {
        let token = self.token_of(request)?;
        Ok(StaleViewer(self.admit(request, &token, Knowledge::LastKnown)?))
    }

    /// Returns the verified token of a request, with nothing else checked.
    fn token_of(&self, request: &HttpRequest) -> Result<Arc<VerifiedToken>, AdminError> {
        if request.headers().contains_key(header::AUTHORIZATION) {
            let text = bearer(request).ok_or(AdminError::NoToken)?;
            return self.redeemer.verify(text).map_err(|_| AdminError::NotAdmitted);
        }
        self.token_of_session(request)
    }

    /// Returns the token of the session, if its key is still trusted.
    fn token_of_session(&self, request: &HttpRequest) -> Result<Arc<VerifiedToken>, AdminError> {
        let session = self.sessions.find(request, self.now()).ok_or(AdminError::NoToken)?;
        if self.redeemer.keys().find(session.key.key.id()) != Some(&session.key) {
            return Err(AdminError::NotAdmitted);
        }
        let is_change = !request.method().is_safe();
        if is_change && same_origin::sender(request.headers()) != Sender::Own {
            return Err(AdminError::CrossSite);
        }
        Ok(session.token)
    }

    /// Verifies and checks an admin token for this request, and returns its operator and a new
    /// session. A session opens nothing by itself, so the last known revocations are enough, as in
    /// [`enter_to_look`](Self::enter_to_look).
    pub(super) fn sign_in(
        &self,
        request: &HttpRequest,
        text: &str,
    ) -> Result<(StaleViewer, Session), TokenFault> {
        let token = self.redeemer.verify(text).map_err(|_| TokenFault::Unverified)?;
        let viewer = StaleViewer(self.admit(request, &token, Knowledge::LastKnown)?);
        let key = self.redeemer.keys().find(token.id().key_id).copied();
        Ok((viewer, Session { token, key: key.ok_or(TokenFault::Unverified)? }))
    }

    fn admit(
        &self,
        request: &HttpRequest,
        token: &VerifiedToken,
        knowledge: Knowledge,
    ) -> Result<Operator, TokenFault> {
        let claims = token.claims();
        let Purpose::Admin(role) = claims.purpose else { return Err(TokenFault::Profile) };
        claims.validate_time(self.now()).map_err(TokenFault::Time)?;
        let client = request.peer_addr().map(|peer| peer.ip());
        let is_inside = |network: IpNetwork| client.is_some_and(|client| network.contains(client));
        if !claims.network.is_none_or(is_inside) {
            return Err(TokenFault::Network);
        }
        let standing = match knowledge {
            Knowledge::Fresh => self.ledger.standing(token),
            Knowledge::LastKnown => self.ledger.last_known_standing(token),
        };
        if standing.map_err(TokenFault::Ledger)?.revoked {
            return Err(TokenFault::Revoked);
        }
        let (name, key_id) = (claims.user.clone(), token.id().key_id);
        Ok(Operator {
            holder: Holder { name, role, key_id, expires_at: claims.expires_at() },
            client,
            redeemer: Arc::clone(&self.redeemer),
            activity: Arc::clone(&self.activity),
        })
    }

    /// Carries out a change and records who made it. Every change at this door goes through here.
    ///
    /// It runs as a task of its own: a handler is dropped when its client disconnects, and the
    /// change would then be in no log.
    ///
    /// # Errors
    ///
    /// Returns the error of `change`. If the change may have been made, that is recorded.
    pub(super) async fn change<T, Changed, Failed>(
        &self,
        operator: Operator,
        what: String,
        change: impl FnOnce(Changeable) -> Changed,
    ) -> Result<T, AdminError>
    where
        T: Send + 'static,
        Changed: Future<Output = Result<T, Failed>> + Send + 'static,
        Failed: Into<AdminError>,
    {
        let changed = change(Changeable {
            ledger: Arc::clone(&self.ledger),
            cluster: Arc::clone(&self.cluster),
            inviter: self.inviter.clone(),
        });
        let task = tokio::spawn(async move {
            let changed = changed.await.map_err(Into::into);
            match &changed {
                Ok(_) => operator.did(&what),
                Err(error) if error.is_outcome_unknown() => {
                    operator.did(&format!("perhaps {what}"));
                }
                Err(_) => {}
            }
            changed
        });
        let aborted = |_| LedgerError::OutcomeUnknown(OutcomeUnknown::Aborted);
        task.await.unwrap_or_else(|error| Err(aborted(error).into()))
    }

    /// Returns the time by which tokens are judged, which is never before the ledger's.
    pub(super) fn now(&self) -> UnixSeconds {
        self.redeemer.now()
    }
}

/// Programs learn the reason only if it is the time or the ledger.
impl From<TokenFault> for AdminError {
    fn from(fault: TokenFault) -> Self {
        match fault {
            TokenFault::Unverified
            | TokenFault::Profile
            | TokenFault::Network
            | TokenFault::Revoked => Self::NotAdmitted,
            TokenFault::Time(error) => Self::Time(error),
            TokenFault::Ledger(error) => Self::Ledger(error),
        }
    }
}

impl StaleViewer {
    pub(super) const fn holder(&self) -> &Holder {
        self.0.holder()
    }

    /// Records an action of the holder.
    pub(super) fn did(&self, what: &str) {
        self.0.did(what);
    }
}

impl From<Operator> for StaleViewer {
    fn from(operator: Operator) -> Self {
        Self(operator)
    }
}

impl Operator {
    pub(super) const fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Records an action of the operator.
    fn did(&self, did: &str) {
        let Holder { name, role, .. } = &self.holder;
        // As a debug value, the name cannot be mistaken for other fields.
        tracing::info!(target: "jeton::audit", operator = ?name.as_str(), %role, did);
        let (operator, role, did) = (name.clone(), *role, did.to_owned());
        let kind = EventKind::Operation { operator, role, did };
        self.activity.record(Event { at: self.redeemer.now(), client: self.client, kind });
    }
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}
