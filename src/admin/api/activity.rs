//! `GET /api/v1/activity`: who was given a profile of late, who was refused,
//! and what operators did.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::fields::Fields;
use super::openapi::ReadErrors;
use super::{AdminDoor, AdminError};
use crate::activity::{EventFilter, EventLine, EventName};
use crate::token::{AdminRole, UserName};

/// The most events that are shown at once.
const LIMIT_MAX: u32 = 1_000;

/// What happened of late.
#[derive(Serialize, ToSchema)]
pub(super) struct ActivityList {
    /// Newest first.
    #[schema(value_type = Vec<EventSchema>)]
    events: Vec<EventLine>,
}

/// Which events are wanted.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Wish {
    /// At most this many; 100 if nothing is said.
    #[param(value_type = u32, required = false, minimum = 1, maximum = 1000)]
    limit: u32,
    /// Only those about tokens of this user, or by an operator of this name.
    #[param(value_type = UserName, required = false)]
    user: Option<UserName>,
    /// Only those of this sort.
    #[param(value_type = EventName, required = false)]
    event: Option<EventName>,
}

/// List what happened at this node of late
///
/// What was before its last start is in its audit log. Role: viewer.
#[utoipa::path(
    get,
    path = "/api/v1/activity",
    operation_id = "list_activity",
    params(Wish),
    responses((status = 200, description = "The events", body = ActivityList), ReadErrors),
)]
pub(super) async fn list(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<Json<ActivityList>, AdminError> {
    door.enter(&request, AdminRole::Viewer)?;
    let wish = Wish::read(Fields::of_query(&request)?)?;
    let limit = usize::try_from(wish.limit).unwrap_or(usize::MAX);
    let filter = wish.filter();
    let events = door.activity.recent(limit, |event| filter.accepts(event));
    Ok(Json(ActivityList { events: events.iter().map(EventLine::of).collect() }))
}

impl Wish {
    fn read(mut fields: Fields) -> Result<Self, AdminError> {
        let wish = Self {
            limit: fields.number("limit", 1..=LIMIT_MAX)?.unwrap_or(100),
            user: fields.optional("user")?,
            event: fields.optional("event")?,
        };
        fields.finish()?;
        Ok(wish)
    }

    fn filter(self) -> EventFilter {
        EventFilter { user: self.user, event: self.event }
    }
}

/// An event as JSON. What does not apply to an event is not in it.
#[derive(ToSchema)]
#[schema(as = Event)]
#[expect(dead_code, reason = "only its schema is used; a test compares it with `EventLine`")]
struct EventSchema {
    /// When, RFC 3339 in UTC.
    #[schema(format = DateTime)]
    at: String,
    event: EventName,
    /// Why there was no profile, such as `used-up`.
    reason: Option<String>,
    /// The token's id, if it was a true token.
    id: Option<String>,
    /// The key that signed it.
    key_id: Option<String>,
    /// The user it is for.
    user: Option<String>,
    /// The kind of profile it gives.
    profile_type: Option<String>,
    /// The address the request came from.
    client: Option<String>,
    /// How many uses are left of a token that gave a profile; `null` for any
    /// number.
    uses_left: Option<u32>,
    /// The operator who did something.
    operator: Option<String>,
    /// That operator's role.
    role: Option<String>,
    /// What was done, such as `revoked user alice`.
    did: Option<String>,
}
