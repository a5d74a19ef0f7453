//! The header of each page: the section, who is signed in, and until when.

use actix_web::HttpRequest;

use super::error::PageError;
use super::link::{Section, own_address};
use crate::admin::door::{Holder, StaleViewer};
use crate::admin::{AdminDoor, AdminError, Sessions};
use crate::humanize::Moment;
use crate::token::{AdminRole, UnixSeconds};

/// The header of a page, and the permissions of its reader.
pub(super) struct Frame {
    pub(super) section: Section,
    pub(super) name: String,
    pub(super) role: AdminRole,
    pub(super) expires: Moment,
    /// The time that decides what has expired.
    pub(super) now: UnixSeconds,
}

impl Frame {
    /// Authorizes a request for `section`. Without a valid session, the error redirects to the
    /// sign-in page, which leads back.
    pub(super) fn enter(
        request: &HttpRequest,
        door: &AdminDoor,
        section: Section,
    ) -> Result<Self, PageError> {
        let entered = door.enter(request, AdminRole::Viewer).map(StaleViewer::from);
        Self::of(request, door, section, entered)
    }

    /// Authorizes a request as [`enter`](Self::enter) does, but also on a node whose knowledge of
    /// revocations may be stale.
    pub(super) fn enter_stale(
        request: &HttpRequest,
        door: &AdminDoor,
        section: Section,
    ) -> Result<Self, PageError> {
        Self::of(request, door, section, door.enter_to_look(request))
    }

    fn of(
        request: &HttpRequest,
        door: &AdminDoor,
        section: Section,
        entered: Result<StaleViewer, AdminError>,
    ) -> Result<Self, PageError> {
        if let Err(AdminError::NoToken | AdminError::NotAdmitted | AdminError::Time(_)) = entered {
            let address = request.uri().path_and_query().map_or("", |address| address.as_str());
            return Err(PageError::SignIn {
                next: own_address(address).unwrap_or_default().to_owned(),
                had_session: Sessions::has_cookie(request),
            });
        }
        let reader = entered?;
        let (Holder { name, role, expires_at, .. }, now) = (reader.holder(), door.now());
        let expires = Moment::end(*expires_at, now);
        Ok(Self { section, name: name.to_string(), role: *role, expires, now })
    }

    /// Returns `true` if the reader may mint and revoke.
    pub(super) fn is_operator(&self) -> bool {
        self.role >= AdminRole::Operator
    }

    /// Returns `true` if the reader may permit autologin.
    pub(super) fn is_admin(&self) -> bool {
        self.role >= AdminRole::Admin
    }
}
