//! Who may enter, and what stands behind the door.

use std::fmt::Debug;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header;
use arc_swap::ArcSwapOption;

use super::same_origin::{self, Sender};
use super::session::{Session, Sessions};
use super::{AdminError, Inviter};
use crate::activity::{Activity, Event, What};
use crate::ledger::{Ledger, LedgerError, Membership, OutcomeUnknown};
use crate::metrics::Metrics;
use crate::mint::Minter;
use crate::redeem::Redeemer;
use crate::token::{
    AdminRole, KeyId, Purpose, TimeError, TrustedKeys as _, UnixSeconds, UserName, VerifiedToken,
};

/// What the operators' door needs.
#[derive(Debug)]
pub struct AdminDoor {
    /// Verifies tokens, and knows the users and what a click would do.
    pub redeemer: Arc<Redeemer>,
    /// What is listed and changed.
    pub ledger: Arc<dyn Ledger>,
    /// The nodes that share it.
    pub cluster: Arc<dyn Membership>,
    /// Lets further nodes in, if this one listens for others.
    pub inviter: Option<Arc<dyn Inviter>>,
    /// What happened of late.
    pub activity: Arc<Activity>,
    /// How much of everything there was.
    pub metrics: Arc<Metrics>,
    /// The certificate of the public door, if it has TLS.
    pub certificate: Option<Arc<dyn ServedCertificate>>,
    /// Mints, if this node was given a signing key on purpose.
    pub minter: ArcSwapOption<Minter>,
    /// Who signed in on the pages.
    pub sessions: Sessions,
}

/// The certificate that the public door shows at present.
pub trait ServedCertificate: Debug + Send + Sync {
    /// Returns the first moment at which it is no longer valid.
    fn not_after(&self) -> UnixSeconds;
}

/// Someone who entered. Only this file makes one, after [`AdminDoor::enter`] or
/// [`AdminDoor::sign_in`] has judged his admin token.
#[derive(Debug)]
pub(super) struct Operator {
    name: UserName,
    role: AdminRole,
    key_id: KeyId,
    expires_at: UnixSeconds,
    client: Option<IpAddr>,
    redeemer: Arc<Redeemer>,
    activity: Arc<Activity>,
}

/// What an operator can change.
#[derive(Debug)]
pub(super) struct Changeable {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) cluster: Arc<dyn Membership>,
    pub(super) inviter: Option<Arc<dyn Inviter>>,
}

/// Someone who may see how the nodes are and nothing else: what this node knows of
/// revocations may be old.
#[derive(Debug)]
pub(super) struct StaleViewer(Operator);

/// How new a node's knowledge of revocations has to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Knowledge {
    /// So new that the ledger vouches for it.
    Fresh,
    /// The last there was.
    LastKnown,
}

/// Why a text does not open this door.
#[derive(Debug)]
pub(super) enum Unfit {
    /// No trusted key signed it as a token.
    Unverified,
    /// It gives a profile.
    Profile,
    /// It is too early or too late.
    Time(TimeError),
    /// The client is not in its network.
    Network,
    /// The token, its batch, its user or its key is revoked.
    Revoked,
    /// Whether it is revoked is not known.
    Ledger(LedgerError),
}

impl AdminDoor {
    /// Lets a request in that carries an admin token of at least `needed`:
    /// verified, valid now, from its network and not revoked.
    ///
    /// The token is a bearer token or, where no `Authorization` is sent, that of
    /// the session which the cookie continues. A browser adds the cookie to
    /// whatever page asks, so a change by cookie must come from a page of this
    /// door.
    pub(super) fn enter(
        &self,
        request: &HttpRequest,
        needed: AdminRole,
    ) -> Result<Operator, AdminError> {
        let token = self.token_of(request)?;
        let operator = self.admit(request, &token, Knowledge::Fresh)?;
        if operator.role < needed {
            return Err(AdminError::AdminRole { has: operator.role, needs: needed });
        }
        Ok(operator)
    }

    /// Lets a request in that carries an admin token of whatever role, to see how
    /// the nodes are: also when this node was cut off from the others for so long
    /// that its knowledge of revocations is old. That is when its operator has to
    /// see why.
    ///
    /// A token that is revoked, as far as this node knows, stays shut out; one that
    /// was revoked since it last heard of the others enters. After a restart a node
    /// with others knows its last snapshot until it hears from a majority. Time,
    /// network and key are judged as ever.
    pub(super) fn enter_to_look(&self, request: &HttpRequest) -> Result<StaleViewer, AdminError> {
        let token = self.token_of(request)?;
        Ok(StaleViewer(self.admit(request, &token, Knowledge::LastKnown)?))
    }

    /// Finds the token that a request carries, verified and not judged.
    fn token_of(&self, request: &HttpRequest) -> Result<Arc<VerifiedToken>, AdminError> {
        if request.headers().contains_key(header::AUTHORIZATION) {
            let text = bearer(request).ok_or(AdminError::NoToken)?;
            return self.redeemer.verify(text).map_err(|_| AdminError::NotAdmitted);
        }
        self.token_of_session(request)
    }

    /// Finds the token of the session, if its key is still trusted.
    fn token_of_session(&self, request: &HttpRequest) -> Result<Arc<VerifiedToken>, AdminError> {
        let session = self.sessions.find(request, self.now()).ok_or(AdminError::NoToken)?;
        if self.redeemer.keys().find(session.by.key.id()) != Some(&session.by) {
            return Err(AdminError::NotAdmitted);
        }
        let is_change = !request.method().is_safe();
        if is_change && same_origin::sender(request.headers()) != Sender::Own {
            return Err(AdminError::CrossSite);
        }
        Ok(session.token)
    }

    /// Verifies an admin token and judges it for this request, and returns who
    /// that is and what a session keeps of it. A session opens nothing by itself,
    /// so the last knowledge will do, as in [`enter_to_look`](Self::enter_to_look).
    pub(super) fn sign_in(
        &self,
        request: &HttpRequest,
        text: &str,
    ) -> Result<(StaleViewer, Session), Unfit> {
        let token = self.redeemer.verify(text).map_err(|_| Unfit::Unverified)?;
        let onlooker = StaleViewer(self.admit(request, &token, Knowledge::LastKnown)?);
        let by = self.redeemer.keys().find(token.id().key_id).copied();
        Ok((onlooker, Session { token, by: by.ok_or(Unfit::Unverified)? }))
    }

    fn admit(
        &self,
        request: &HttpRequest,
        token: &VerifiedToken,
        knowledge: Knowledge,
    ) -> Result<Operator, Unfit> {
        let claims = token.claims();
        let Purpose::Admin(role) = claims.purpose else { return Err(Unfit::Profile) };
        claims.validate_time(self.now()).map_err(Unfit::Time)?;
        if let Some(network) = claims.network {
            let inside = request.peer_addr().is_some_and(|peer| network.contains(peer.ip()));
            if !inside {
                return Err(Unfit::Network);
            }
        }
        let standing = match knowledge {
            Knowledge::Fresh => self.ledger.standing(token),
            Knowledge::LastKnown => self.ledger.last_known_standing(token),
        };
        if standing.map_err(Unfit::Ledger)?.revoked {
            return Err(Unfit::Revoked);
        }
        Ok(Operator {
            name: claims.user.clone(),
            role,
            key_id: token.id().key_id,
            expires_at: claims.expires_at(),
            client: request.peer_addr().map(|peer| peer.ip()),
            redeemer: Arc::clone(&self.redeemer),
            activity: Arc::clone(&self.activity),
        })
    }

    /// Has the ledger, its members or whatever changed, and writes down who did it.
    /// Every change at this door goes through here.
    ///
    /// It runs as a task of its own. A handler is dropped where it stands when
    /// its client disconnects, and what was changed would then be in no log.
    ///
    /// # Errors
    ///
    /// As `change` says; what may have been changed is written down as that.
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

    /// Tells whether this node was given a key to mint with.
    pub(super) fn mints(&self) -> bool {
        self.minter.load().is_some()
    }

    /// The time that judges: never one that the ledger has left behind.
    pub(super) fn now(&self) -> UnixSeconds {
        self.redeemer.now()
    }
}

/// Programs need not know which of the checks failed, but for the time.
impl From<Unfit> for AdminError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Unverified | Unfit::Profile | Unfit::Network | Unfit::Revoked => {
                Self::NotAdmitted
            }
            Unfit::Time(error) => Self::Time(error),
            Unfit::Ledger(error) => Self::Ledger(error),
        }
    }
}

impl StaleViewer {
    /// Returns the name in the token this one entered with.
    pub(super) const fn name(&self) -> &UserName {
        self.0.name()
    }

    /// Returns what this one may do where the node's knowledge is fresh.
    pub(super) const fn role(&self) -> AdminRole {
        self.0.role()
    }

    /// Returns the first moment at which this one is shut out.
    pub(super) const fn expires_at(&self) -> UnixSeconds {
        self.0.expires_at()
    }

    /// Writes down what was done, by whom.
    pub(super) fn did(&self, what: &str) {
        self.0.did(what);
    }
}

/// Who may do anything may look.
impl From<Operator> for StaleViewer {
    fn from(operator: Operator) -> Self {
        Self(operator)
    }
}

impl Operator {
    /// Returns the name in the token this operator entered with.
    pub(super) const fn name(&self) -> &UserName {
        &self.name
    }

    /// Returns what this operator may do.
    pub(super) const fn role(&self) -> AdminRole {
        self.role
    }

    /// Returns the key that signed the token this operator entered with.
    pub(super) const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Returns the first moment at which this operator is shut out.
    pub(super) const fn expires_at(&self) -> UnixSeconds {
        self.expires_at
    }

    /// Writes down what was done, by whom.
    pub(super) fn did(&self, what: &str) {
        // Written as a value, what is in it cannot pass for other fields.
        tracing::info!(
            target: "jeton::audit", operator = ?self.name.as_str(), role = %self.role, did = what
        );
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
