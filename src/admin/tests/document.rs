//! The API document agrees with the node.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use actix_web::http::StatusCode;
use regex_lite::Regex;
use serde_json::{Value, json};

use super::{admin, minting_world};
use crate::activity::{Event, EventKind, EventLine, Reason, TokenSeen};
use crate::admin::api::{DOCUMENT, ROUTES};
use crate::plain_text::STEERING;
use crate::token::{AdminRole, Batch, KeyId, Nonce, ProfileKind, TokenId, UnixSeconds, UserName};

fn document() -> Value {
    serde_json::from_str(&DOCUMENT).unwrap()
}

/// Returns every operation: its method, its path and its description.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap();
        item.iter()
            .map(move |(method, operation)| (method.to_ascii_uppercase(), path.clone(), operation))
    });
    operations.collect()
}

#[test]
fn the_document_has_exactly_the_routes() {
    let document = document();
    let documented: BTreeSet<_> =
        operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let routes: BTreeSet<_> =
        ROUTES.iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    assert_eq!(documented, routes);
}

#[test]
fn every_operation_has_a_unique_id_and_its_security() {
    let document = document();
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{path}");
        let is_open = operation["security"] == json!([{}]);
        assert_eq!(is_open, !path.starts_with("/api/"), "{method} {path}");
        assert!(is_open || operation["responses"]["401"].is_object(), "{method} {path}");
    }
}

/// Two types with one name would silently become one.
#[test]
fn a_user_and_a_user_name_are_different_schemas() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["UserName"]["type"], "string");
    assert_eq!(schemas["User"]["type"], "object");
}

#[test]
fn every_reference_has_a_target() {
    let document = document();
    for reference in DOCUMENT.split("\"$ref\": \"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[test]
fn request_bodies_allow_no_unknown_fields() {
    let document = document();
    let mut bodies = 0;
    for (method, path, operation) in operations(&document) {
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let alternatives = |schema: &Value| match schema["oneOf"].as_array() {
            Some(each) => each.iter().map(|schema| resolved(&document, schema)).collect(),
            None => vec![schema.clone()],
        };
        let has_body = !operation["requestBody"].is_null();
        for schema in alternatives(&resolved(&document, body)).iter().filter(|_| has_body) {
            assert_eq!(schema["additionalProperties"], false, "{method} {path}: {schema}");
            bodies += 1;
        }
    }
    assert_eq!(bodies, 14);
}

#[test]
fn events_have_exactly_the_documented_fields() {
    let nonce = Nonce::new(Batch([0; 4]), [1; 12]);
    let token = TokenSeen {
        id: TokenId { key_id: KeyId([1; 4]), nonce },
        user: UserName::new("alice").unwrap(),
        kind: Some(ProfileKind::UserLocked),
    };
    let (operator, did) = (token.user.clone(), "revoked user bob".to_owned());
    let events = [
        EventKind::Delivered { token: token.clone(), uses_left: Some(1) },
        EventKind::Refused { token: Some(token), reason: Reason::UsedUp },
        EventKind::Operation { operator, role: AdminRole::Admin, did },
    ];
    let lines = events.map(|kind| {
        let client = Some("192.0.2.1".parse().unwrap());
        let event = Event { at: UnixSeconds::new(1_790_000_000), client, kind };
        serde_json::to_value(EventLine::of(&event)).unwrap()
    });
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let written: BTreeSet<_> = lines.iter().flat_map(names).collect();
    let documented = names(&document()["components"]["schemas"]["Event"]["properties"]);
    assert_eq!(written, documented.into_iter().collect());
}

/// Returns the schema that a reference points to, or the schema itself.
fn resolved(document: &Value, schema: &Value) -> Value {
    let pointer = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.map_or_else(|| schema.clone(), |pointer| document.pointer(pointer).unwrap().clone())
}

/// The names and notes hold characters in and around the set that steers a display.
#[actix_web::test]
async fn the_node_accepts_the_names_and_notes_that_the_document_allows() {
    let (world, document) = (minting_world(), document());
    let allows = |schema: &str, text: &str| {
        let pattern = document["components"]["schemas"][schema]["pattern"].as_str().unwrap();
        // The reader of regular expressions has no look-ahead, which only excludes `.` and `..`.
        Regex::new(&pattern.replace(r"(?!\.{1,2}$)", "")).unwrap().is_match(text)
    };
    let around = STEERING.iter().flat_map(|range| {
        let (start, end) = (u32::from(*range.start()), u32::from(*range.end()));
        [start.wrapping_sub(1), start, end, end + 1]
    });
    for c in around.filter_map(char::from_u32) {
        let text = format!("a{c}b");
        for (uri, schema, request) in [
            ("/api/v1/tokens", "Note", json!({ "user": "alice", "note": text })),
            ("/api/v1/tokens", "NewUserName", json!({ "user": text })),
            ("/api/v1/revocations", "UserName", json!({ "user": text })),
        ] {
            let (status, response) = world.post(uri, &admin(AdminRole::Operator), request).await;
            let is_accepted = status != StatusCode::BAD_REQUEST;
            assert_eq!(is_accepted, allows(schema, &text), "{schema} {text:?}: {response}");
        }
    }
    assert!(!allows("Note", "\u{202e}") && !allows("NewUserName", "\u{202e}"));
    assert!(allows("UserName", "\u{202e}"), "what exists can be revoked");
}

/// `make snapshots` updates it.
#[test]
fn the_copy_in_docs_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    if std::env::var("SNAPSHOTS").is_ok_and(|mode| mode == "overwrite") {
        fs::write(&path, DOCUMENT.as_str()).unwrap();
    }
    let copy = fs::read_to_string(&path).unwrap_or_default();
    assert!(copy == *DOCUMENT, "docs/openapi.json is out of date: run `make snapshots`");
}
