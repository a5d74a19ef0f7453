//! `GET /api/v1/activity`: who was given a profile of late, who was refused,
//! and what operators did.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json, Query};
use serde::Serialize;
use utoipa::ToSchema;

use super::{AdminDoor, AdminError};
use crate::activity::{Event, EventLine, EventName, What};
use crate::token::{Role, UserName};

/// How many events are shown if the question does not say.
const LIMIT: usize = 100;

/// The most that are shown at once.
const LIMIT_MAX: usize = 1_000;

#[derive(Serialize, ToSchema)]
pub(super) struct ActivityList {
    /// Newest first.
    events: Vec<EventLine>,
}

/// Which events are asked for.
#[derive(Debug, Eq, PartialEq)]
struct Question {
    limit: usize,
    user: Option<UserName>,
    event: Option<EventName>,
}

/// Lists what happened at this node of late, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/activity",
    tag = "activity",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "At most so many events; 100 by default."),
        ("user" = Option<String>, Query, description = "Only events of tokens of this user, and by an operator of this name."),
        ("event" = Option<EventName>, Query, description = "Only events of this sort."),
    ),
    responses(
        (status = 200, description = "The events.", body = ActivityList),
        (status = 400, description = "The question is not understood."),
        (status = 401, description = "There is no admin token that is valid here."),
    ),
)]
pub(super) async fn list(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<Json<ActivityList>, AdminError> {
    door.enter(&request, Role::Viewer)?;
    let question = Question::read(request.query_string()).map_err(AdminError::Request)?;
    let events = door.activity.recent(question.limit, |event| question.is_about(event));
    Ok(Json(ActivityList { events: events.iter().map(EventLine::of).collect() }))
}

impl Question {
    /// Reads the query of a request. What stands there twice, or is not known,
    /// is a mistake that must not look like an answer.
    fn read(query: &str) -> Result<Self, String> {
        let mut question = Self { limit: LIMIT, user: None, event: None };
        let mut seen = Vec::new();
        let pairs = Query::<Vec<(String, String)>>::from_query(query)
            .map_err(|_| "the query is not readable".to_owned())?;
        for (key, value) in pairs.into_inner() {
            match key.as_str() {
                "limit" => question.limit = limit(&value)?,
                "user" => {
                    question.user = Some(value.parse().map_err(|e| format!("`user`: {e}"))?);
                }
                "event" => question.event = Some(event(&value)?),
                _ => return Err("a key in the query is unknown".to_owned()),
            }
            if seen.contains(&key) {
                return Err(format!("`{key}` stands twice in the query"));
            }
            seen.push(key);
        }
        Ok(question)
    }

    fn is_about(&self, event: &Event) -> bool {
        self.user.as_ref().is_none_or(|user| named(&event.what) == Some(user))
            && self.event.is_none_or(|name| event.what.name() == name)
    }
}

/// Returns whom an event is about.
pub(super) fn named(what: &What) -> Option<&UserName> {
    match what {
        What::Delivered { token, .. } => Some(&token.user),
        What::Refused { token, .. } => token.as_ref().map(|token| &token.user),
        What::Done { operator, .. } => Some(operator),
    }
}

fn limit(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    number.ok_or_else(|| format!("`limit` is a number from 1 to {LIMIT_MAX}"))
}

fn event(text: &str) -> Result<EventName, String> {
    match text {
        "delivered" => Ok(EventName::Delivered),
        "refused" => Ok(EventName::Refused),
        "operation" => Ok(EventName::Operation),
        _ => Err("`event` is delivered, refused or operation".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_strictly() {
        let whole = Question::read("limit=7&user=b%40example.com&event=operation").unwrap();
        let user = Some(UserName::new("b@example.com").unwrap());
        assert_eq!(whole, Question { limit: 7, user, event: Some(EventName::Operation) });
        assert_eq!(Question::read("").unwrap().limit, LIMIT);
        for bad in [
            "limit=0",
            "limit=1001",
            "limit=-1",
            "limit=",
            "user=",
            "user=a%2Fb",
            "event=Delivered",
            "event=",
            "users=a",
            "limit=1&limit=1",
            "user=a&user=b",
            "limit",
        ] {
            assert!(Question::read(bad).is_err(), "{bad}");
        }
    }
}
