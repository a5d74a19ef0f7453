//! The JSON form of an event, the same in the admin API and in the audit log.

use std::net::IpAddr;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use super::event::{Event, EventKind, TokenSeen};
use crate::token::{AdminRole, KeyId, Nonce, ProfileKind, UnixSeconds, UserName};

/// An event as JSON. Fields that do not apply to an event are absent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventLine {
    /// When it happened, in UTC.
    at: UnixSeconds,
    event: EventName,
    /// Why the request got no profile, such as `used-up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    reason: Option<&'static str>,
    /// The id of the token, if its signature was valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Nonce, required = false)]
    id: Option<Nonce>,
    /// The key that signed the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = KeyId, required = false)]
    key_id: Option<KeyId>,
    /// The user in the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = UserName, required = false)]
    user: Option<UserName>,
    /// The kind of profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ProfileKind, required = false)]
    profile_type: Option<ProfileKind>,
    /// The address that the request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    client: Option<IpAddr>,
    /// The uses left of a token that gave a profile; `null` if unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, required = false)]
    uses_left: Option<Option<u32>>,
    /// The operator who made the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = UserName, required = false)]
    operator: Option<UserName>,
    /// The operator's role.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = AdminRole, required = false)]
    role: Option<AdminRole>,
    /// The change, such as `revoked user alice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    did: Option<String>,
}

/// What happened, in one word.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EventName {
    /// A profile was delivered.
    Delivered,
    /// A request got no profile.
    Refused,
    /// An operator changed something.
    Operation,
}

impl EventName {
    /// All event names.
    pub const ALL: [Self; 3] = [Self::Delivered, Self::Refused, Self::Operation];

    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Operation => "operation",
        }
    }
}

/// The error of parsing an event name.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("expected delivered, refused or operation")]
pub struct UnknownEvent;

impl FromStr for EventName {
    type Err = UnknownEvent;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|event| event.as_str() == name).ok_or(UnknownEvent)
    }
}

impl EventLine {
    /// Returns the JSON form of `event`.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        let blank = Self {
            at: event.at,
            event: event.kind.name(),
            reason: None,
            id: None,
            key_id: None,
            user: None,
            profile_type: None,
            client: event.client,
            uses_left: None,
            operator: None,
            role: None,
            did: None,
        };
        match &event.kind {
            EventKind::Delivered { token, uses_left } => {
                Self { uses_left: Some(*uses_left), ..blank }.about(token)
            }
            EventKind::Refused { token, reason } => {
                let line = Self { reason: Some(reason.as_str()), ..blank };
                match token {
                    Some(token) => line.about(token),
                    None => line,
                }
            }
            EventKind::Operation { operator, role, did } => Self {
                operator: Some(operator.clone()),
                role: Some(*role),
                did: Some(did.clone()),
                ..blank
            },
        }
    }

    fn about(self, token: &TokenSeen) -> Self {
        Self {
            id: Some(token.id.nonce),
            key_id: Some(token.id.key_id),
            user: Some(token.user.clone()),
            profile_type: token.kind,
            ..self
        }
    }
}

impl EventKind {
    /// Returns its name.
    #[must_use]
    pub const fn name(&self) -> EventName {
        match self {
            Self::Delivered { .. } => EventName::Delivered,
            Self::Refused { .. } => EventName::Refused,
            Self::Operation { .. } => EventName::Operation,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::activity::Reason;
    use crate::token::{Batch, TokenId};

    fn json_of(kind: EventKind, client: Option<&str>) -> Value {
        let at = UnixSeconds::new(1_790_000_000);
        let client = client.map(|client| client.parse().unwrap());
        serde_json::to_value(EventLine::of(&Event { at, client, kind })).unwrap()
    }

    fn alice() -> TokenSeen {
        let nonce = Nonce::new(Batch([0; 4]), [1; 12]);
        TokenSeen {
            id: TokenId { key_id: KeyId([0xab; 4]), nonce },
            user: UserName::new("alice").unwrap(),
            kind: Some(ProfileKind::UserLocked),
        }
    }

    #[test]
    fn writes_only_the_fields_that_apply() {
        let at = "2026-09-21T14:13:20Z";
        let id = "AAAAAAEBAQEBAQEBAQEBAQ";
        let left = |uses_left| EventKind::Delivered { token: alice(), uses_left };
        let expected = json!({
            "at": at, "event": "delivered", "id": id, "key_id": "abababab", "user": "alice",
            "profile_type": "user-locked", "client": "192.0.2.1", "uses_left": 0,
        });
        assert_eq!(json_of(left(Some(0)), Some("192.0.2.1")), expected);
        assert_eq!(json_of(left(None), None)["uses_left"], Value::Null);
        assert!(json_of(left(None), None).as_object().unwrap().contains_key("uses_left"));

        let refused = |token| EventKind::Refused { token, reason: Reason::UsedUp };
        let expected = json!({ "at": at, "event": "refused", "reason": "used-up" });
        assert_eq!(json_of(refused(None), None), expected);
        let expected = json!({
            "at": at, "event": "refused", "reason": "used-up", "id": id, "key_id": "abababab",
            "user": "alice", "profile_type": "user-locked", "client": "2001:db8::1",
        });
        assert_eq!(json_of(refused(Some(alice())), Some("2001:db8::1")), expected);

        let operator = UserName::new("root").unwrap();
        let did = EventKind::Operation {
            operator,
            role: AdminRole::Admin,
            did: "revoked user bob".to_owned(),
        };
        let expected = json!({
            "at": at, "event": "operation", "operator": "root", "role": "admin",
            "did": "revoked user bob", "client": "127.0.0.1",
        });
        assert_eq!(json_of(did, Some("127.0.0.1")), expected);
    }
}
