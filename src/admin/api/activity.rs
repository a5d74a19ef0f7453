//! `GET /api/v1/activity`: who was given a profile of late, who was refused,
//! and what operators did.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::fields::Fields;
use super::openapi::ReadErrors;
use super::{AdminDoor, AdminError};
use crate::activity::{Event, EventLine, EventName, What};
use crate::token::{Role, UserName};

/// The most events that are shown at once.
const LIMIT_MAX: u32 = 1_000;

/// What happened of late.
#[derive(Serialize, ToSchema)]
pub(super) struct ActivityList {
    /// Newest first.
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
    door.enter(&request, Role::Viewer)?;
    let wish = Wish::read(Fields::of_query(&request)?)?;
    let limit = usize::try_from(wish.limit).unwrap_or(usize::MAX);
    let events = door.activity.recent(limit, |event| wish.is_about(event));
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

    fn is_about(&self, event: &Event) -> bool {
        self.user.as_ref().is_none_or(|user| named(&event.what) == Some(user))
            && self.event.is_none_or(|name| event.what.name() == name)
    }
}

/// Returns whom an event is about.
pub(in crate::admin) fn named(what: &What) -> Option<&UserName> {
    match what {
        What::Delivered { token, .. } => Some(&token.user),
        What::Refused { token, .. } => token.as_ref().map(|token| &token.user),
        What::Done { operator, .. } => Some(operator),
    }
}
