//! What is around each page: where one is, who is signed in, until when.

use actix_web::HttpRequest;

use super::PageError;
use super::link;
use crate::admin::door::StaleViewer;
use crate::admin::{AdminDoor, AdminError, Sessions};
use crate::humanize::Moment;
use crate::token::{AdminRole, UnixSeconds};

/// What the head of a page shows, and what its reader may do.
pub(super) struct Frame {
    /// The part that is open, such as `Users`.
    pub(super) here: &'static str,
    pub(super) name: String,
    pub(super) role: AdminRole,
    pub(super) expires: Moment,
    /// The time that judges.
    pub(super) now: UnixSeconds,
}

impl Frame {
    /// The parts of the door and their addresses.
    pub(super) const PARTS: [(&'static str, &'static str); 4] = [
        ("Users", "/users"),
        ("Tokens", "/tokens"),
        ("Activity", "/activity"),
        ("Nodes", "/nodes"),
    ];

    /// Lets a reader in to the part `here`. Who is not signed in is sent to do
    /// that, and comes back.
    pub(super) fn enter(
        request: &HttpRequest,
        door: &AdminDoor,
        here: &'static str,
    ) -> Result<Self, PageError> {
        let entered = door.enter(request, AdminRole::Viewer).map(StaleViewer::from);
        Self::of(request, door, here, entered)
    }

    /// Lets a reader in who may look though what this node knows may be old; the
    /// rest as [`enter`](Self::enter).
    pub(super) fn enter_to_look(
        request: &HttpRequest,
        door: &AdminDoor,
        here: &'static str,
    ) -> Result<Self, PageError> {
        Self::of(request, door, here, door.enter_to_look(request))
    }

    fn of(
        request: &HttpRequest,
        door: &AdminDoor,
        here: &'static str,
        entered: Result<StaleViewer, AdminError>,
    ) -> Result<Self, PageError> {
        if let Err(AdminError::NoToken | AdminError::NotAdmitted | AdminError::Time(_)) = entered {
            let asked = request.uri().path_and_query().map_or("", |asked| asked.as_str());
            return Err(PageError::SignIn {
                next: link::page(asked).unwrap_or_default().to_owned(),
                had_session: Sessions::is_continued_by(request),
            });
        }
        let reader = entered?;
        let now = door.now();
        Ok(Self {
            here,
            name: reader.name().to_string(),
            role: reader.role(),
            expires: Moment::end(reader.expires_at(), now),
            now,
        })
    }

    /// Tells whether the reader may mint and revoke.
    pub(super) fn operates(&self) -> bool {
        self.role >= AdminRole::Operator
    }

    /// Tells whether the reader may permit autologin.
    pub(super) fn permits(&self) -> bool {
        self.role >= AdminRole::Admin
    }
}
