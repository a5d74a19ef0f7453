//! `GET /api/v1/activity`: recent downloads, refusals and changes by operators.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::error_responses::ReadErrors;
use super::fields::Fields;
use crate::activity::{EventFilter, EventLine, EventName};
use crate::admin::{AdminDoor, AdminError};
use crate::token::{AdminRole, UserName};

/// The most events of one response.
const LIMIT_MAX: u32 = 1_000;

/// Recent events.
#[derive(Serialize, ToSchema)]
pub(super) struct ActivityList {
    /// Newest first.
    events: Vec<EventLine>,
}

/// Which events to return.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ActivityQuery {
    /// At most this many; the default is 100.
    #[param(value_type = u32, required = false, minimum = 1, maximum = 1000)]
    limit: u32,
    /// Only those about tokens of this user, or by an operator of this name.
    #[param(value_type = UserName, required = false)]
    user: Option<UserName>,
    /// Only those of this type.
    #[param(value_type = EventName, required = false)]
    event: Option<EventName>,
}

/// List recent events on this node
///
/// Events before its last start are in its audit log. Role: viewer.
#[utoipa::path(
    get,
    path = "/api/v1/activity",
    operation_id = "list_activity",
    params(ActivityQuery),
    responses((status = 200, description = "The events", body = ActivityList), ReadErrors),
)]
pub(super) async fn list(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<Json<ActivityList>, AdminError> {
    door.enter(&request, AdminRole::Viewer)?;
    let query = Fields::of_query(&request)?.read(ActivityQuery::read)?;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let filter = EventFilter { user: query.user, event: query.event };
    let events = door.activity.recent(limit, |event| filter.accepts(event));
    Ok(Json(ActivityList { events: events.iter().map(EventLine::of).collect() }))
}

impl ActivityQuery {
    fn read(fields: &mut Fields) -> Result<Self, AdminError> {
        Ok(Self {
            limit: fields.number("limit", 1..=LIMIT_MAX)?.unwrap_or(100),
            user: fields.optional("user")?,
            event: fields.one_of("event", &EventName::ALL, EventName::as_str)?,
        })
    }
}
