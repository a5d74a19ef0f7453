//! The JSON form of an event, the same in the admin API and in the audit log.

use std::net::IpAddr;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

use super::event::{Event, TokenSeen, What};

/// An event as JSON. Fields that do not apply to an event are absent.
#[derive(Debug, Default, Serialize)]
pub struct EventLine {
    /// When, RFC 3339 in UTC.
    at: String,
    event: &'static str,
    /// Why the request got no profile, such as `used-up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The token's id, if the token was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The key that signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    /// The user it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// The kind of profile it gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_type: Option<&'static str>,
    /// The address the request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    /// The uses left of a token that gave a profile; `null` if unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    uses_left: Option<Option<u32>>,
    /// The operator who made the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<String>,
    /// That operator's role.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// The change, such as `revoked user alice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    did: Option<String>,
}

/// What happened, in one word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
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
        let (at, client) = (event.at.to_string(), event.client);
        let blank = Self { at, event: event.what.name().as_str(), client, ..Self::default() };
        match &event.what {
            What::Delivered { token, uses_left } => {
                Self { uses_left: Some(*uses_left), ..blank }.about(token)
            }
            What::Refused { token, reason } => {
                let line = Self { reason: Some(reason.as_str()), ..blank };
                match token {
                    Some(token) => line.about(token),
                    None => line,
                }
            }
            What::Done { operator, role, what } => Self {
                operator: Some(operator.to_string()),
                role: Some(role.to_string()),
                did: Some(what.clone()),
                ..blank
            },
        }
    }

    fn about(self, token: &TokenSeen) -> Self {
        Self {
            id: Some(token.id.nonce.to_string()),
            key_id: Some(token.id.key_id.to_string()),
            user: Some(token.user.to_string()),
            profile_type: token.kind.map(|kind| kind.as_str()),
            ..self
        }
    }
}

impl What {
    /// Returns the name of what happened.
    #[must_use]
    pub const fn name(&self) -> EventName {
        match self {
            Self::Delivered { .. } => EventName::Delivered,
            Self::Refused { .. } => EventName::Refused,
            Self::Done { .. } => EventName::Operation,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::activity::Reason;
    use crate::token::{
        AdminRole, Batch, KeyId, Nonce, ProfileKind, TokenId, UnixSeconds, UserName,
    };

    fn json_of(what: What, client: Option<&str>) -> Value {
        let at = UnixSeconds::new(1_790_000_000);
        let client = client.map(|client| client.parse().unwrap());
        serde_json::to_value(EventLine::of(&Event { at, client, what })).unwrap()
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
        let left = |uses_left| What::Delivered { token: alice(), uses_left };
        let expected = json!({
            "at": at, "event": "delivered", "id": id, "key_id": "abababab", "user": "alice",
            "profile_type": "user-locked", "client": "192.0.2.1", "uses_left": 0,
        });
        assert_eq!(json_of(left(Some(0)), Some("192.0.2.1")), expected);
        assert_eq!(json_of(left(None), None)["uses_left"], Value::Null);
        assert!(json_of(left(None), None).as_object().unwrap().contains_key("uses_left"));

        let refused = |token| What::Refused { token, reason: Reason::UsedUp };
        let expected = json!({ "at": at, "event": "refused", "reason": "used-up" });
        assert_eq!(json_of(refused(None), None), expected);
        let expected = json!({
            "at": at, "event": "refused", "reason": "used-up", "id": id, "key_id": "abababab",
            "user": "alice", "profile_type": "user-locked", "client": "2001:db8::1",
        });
        assert_eq!(json_of(refused(Some(alice())), Some("2001:db8::1")), expected);

        let operator = UserName::new("root").unwrap();
        let did =
            What::Done { operator, role: AdminRole::Admin, what: "revoked user bob".to_owned() };
        let expected = json!({
            "at": at, "event": "operation", "operator": "root", "role": "admin",
            "did": "revoked user bob", "client": "127.0.0.1",
        });
        assert_eq!(json_of(did, Some("127.0.0.1")), expected);
    }
}
