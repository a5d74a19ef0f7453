//! The document says what the program does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::activity::{Event, EventLine, Reason, TokenSeen, What};
use crate::admin::api::{DOCUMENT, ROUTES};
use crate::token::{AdminRole, Batch, KeyId, Nonce, ProfileKind, TokenId, UnixSeconds, UserName};

fn document() -> Value {
    serde_json::from_str(&DOCUMENT).unwrap()
}

/// Every operation: its method, its path, and what stands there.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap();
        item.iter().map(move |(method, is)| (method.to_ascii_uppercase(), path.clone(), is))
    });
    operations.collect()
}

#[test]
fn every_route_is_in_the_document_and_the_other_way_round() {
    let document = document();
    let told: BTreeSet<_> =
        operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let there: BTreeSet<_> =
        ROUTES.iter().map(|row| (row.method.to_string(), row.path.to_owned())).collect();
    assert_eq!(told, there);
}

#[test]
fn every_operation_has_a_name_of_its_own_and_says_who_may() {
    let document = document();
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{path}");
        let is_open = operation["security"] == serde_json::json!([{}]);
        assert_eq!(is_open, !path.starts_with("/api/"), "{method} {path}");
        assert!(is_open || operation["responses"]["401"].is_object(), "{method} {path}");
    }
}

/// Two types with one name would silently be one.
#[test]
fn a_user_is_not_a_name() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["UserName"]["type"], "string");
    assert_eq!(schemas["User"]["type"], "object");
}

/// Every reference leads somewhere.
#[test]
fn the_document_is_whole() {
    let document = document();
    for reference in DOCUMENT.split("\"$ref\": \"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

/// What the program refuses, the document refuses.
#[test]
fn no_request_may_have_a_field_that_the_document_does_not_name() {
    let document = document();
    let mut bodies = 0;
    for (method, path, operation) in operations(&document) {
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let of_one = |schema: &Value| match schema["oneOf"].as_array() {
            Some(each) => each.iter().map(|schema| followed(&document, schema)).collect(),
            None => vec![schema.clone()],
        };
        let needed = !operation["requestBody"].is_null();
        for schema in of_one(&followed(&document, body)).iter().filter(|_| needed) {
            assert_eq!(schema["additionalProperties"], false, "{method} {path}: {schema}");
            bodies += 1;
        }
    }
    assert_eq!(bodies, 14);
}

/// The log's line and its schema stand on different floors.
#[test]
fn each_event_has_what_the_document_names() {
    let nonce = Nonce::new(Batch([0; 4]), [1; 12]);
    let token = TokenSeen {
        id: TokenId { key_id: KeyId([1; 4]), nonce },
        user: UserName::new("alice").unwrap(),
        kind: Some(ProfileKind::UserLocked),
    };
    let (operator, what) = (token.user.clone(), "revoked user bob".to_owned());
    let happened = [
        What::Delivered { token: token.clone(), uses_left: Some(1) },
        What::Refused { token: Some(token), reason: Reason::UsedUp },
        What::Done { operator, role: AdminRole::Admin, what },
    ];
    let lines = happened.map(|what| {
        let client = Some("192.0.2.1".parse().unwrap());
        let event = Event { at: UnixSeconds::new(1_790_000_000), client, what };
        serde_json::to_value(EventLine::of(&event)).unwrap()
    });
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let written: BTreeSet<_> = lines.iter().flat_map(names).collect();
    let named = names(&document()["components"]["schemas"]["Event"]["properties"]);
    assert_eq!(written, named.into_iter().collect());
}

/// What a schema stands for, if it refers to another.
fn followed(document: &Value, schema: &Value) -> Value {
    let pointer = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.map_or_else(|| schema.clone(), |pointer| document.pointer(pointer).unwrap().clone())
}

/// `make snapshots` writes it anew.
#[test]
fn the_copy_in_docs_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    if std::env::var("SNAPSHOTS").is_ok_and(|wish| wish == "overwrite") {
        fs::write(&path, DOCUMENT.as_str()).unwrap();
    }
    let copy = fs::read_to_string(&path).unwrap_or_default();
    assert!(copy == *DOCUMENT, "docs/openapi.json is old: run `make snapshots`");
}
