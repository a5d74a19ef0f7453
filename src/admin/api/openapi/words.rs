//! How the words of the API are written: the types of the lower floors, as the
//! document shows them. Each is as strict as what reads it.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::activity::EventName;
use crate::ledger::{Cursor, NodeId, Note, StateFilter, TokenState};
use crate::plain_text::STEERING;
use crate::token::{
    AdminRole, Batch, IpNetwork, KeyId, KeyPurpose, NewUserName, Nonce, ProfileKind, UnixSeconds,
    UserName,
};

macro_rules! words {
    ($($word:ty, $name:literal: $schema:expr;)*) => {$(
        impl PartialSchema for $word {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $word {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }
        }
    )*};
}

words! {
    Nonce, "TokenId": text("What tells a token from all others of its key.")
        .pattern(Some("^[A-Za-z0-9_-]{21}[AQgw]$"))
        .examples(["CQkJCQEBAQEBAQEBAQEBAQ"]);
    KeyId, "KeyId": text("The first 4 bytes of the SHA-256 of a public key.")
        .pattern(Some("^[0-9a-f]{8}$"))
        .examples(["3f2a9c01"]);
    NodeId, "NodeId": text("What tells a node from the others that share its ledger.")
        .pattern(Some("^[0-9a-f]{16}$"))
        .examples(["0123456789abcdef"]);
    Batch, "Batch": text("What the tokens of one mint run have in common.")
        .pattern(Some("^[0-9a-f]{8}$"))
        .examples(["0a1b2c3d"]);
    UserName, "UserName": text(
            "The name of a user: at most 128 bytes of UTF-8, no control characters, no slash or \
             backslash, and neither `.` nor `..`.",
        )
        .min_length(Some(1))
        .max_length(Some(UserName::LEN_MAX))
        .pattern(Some(r"^(?!\.{1,2}$)[^\u0000-\u001F\u007F-\u009F/\\]+$"))
        .examples(["alice"]);
    NewUserName, "NewUserName": text(
            "The name of a user, without characters that change how text is displayed.",
        )
        .min_length(Some(1))
        .max_length(Some(UserName::LEN_MAX))
        .pattern(Some(format!(r"^(?!\.{{1,2}}$)[^{}/\\]+$", steering())))
        .examples(["alice"]);
    ProfileKind, "ProfileType": text("The kind of a profile.")
        .enum_values(Some(ProfileKind::ALL.map(ProfileKind::as_str)));
    AdminRole, "Role": text("What the holder of an admin token may do; each may do more than the last.")
        .enum_values(Some([AdminRole::Viewer, AdminRole::Operator, AdminRole::Admin].map(|role| role.to_string())));
    KeyPurpose, "KeyPurpose": text("What tokens a key may sign.")
        .enum_values(Some(KeyPurpose::ALL.map(KeyPurpose::as_str)));
    TokenState, "TokenState": text("How a token stands.")
        .enum_values(Some(TokenState::ALL.map(TokenState::as_str)));
    StateFilter, "StateFilter": text("Which tokens are wanted.")
        .enum_values(Some(StateFilter::ALL.map(StateFilter::as_str)));
    EventName, "EventName": text("What happened, in one word.")
        .enum_values(Some(EventName::ALL.map(EventName::as_str)));
    Cursor, "Cursor": text("A place in a list; it has no meaning but that.")
        .pattern(Some(r"^[0-9]{1,19}\.[0-9a-f]{8}\.[A-Za-z0-9_-]{21}[AQgw]$"));
    Note, "Note": text("What was written beside a token, on one line.")
        .max_length(Some(Note::LEN_MAX))
        .pattern(Some(format!("^[^{}]*$", steering())))
        .examples(["for her phone"]);
    IpNetwork, "Network": text("An IPv4 or IPv6 network, with no bit set behind its prefix.")
        .format(custom("ip-network"))
        .examples(["192.0.2.0/24"]);
    UnixSeconds, "Moment": text("A moment, RFC 3339; what jeton writes is UTC.")
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .examples(["2026-11-23T12:00:00Z"]);
}

/// How a type is written.
pub(in crate::admin::api) type Written = RefOr<Schema>;

/// How often a new token may be used.
pub(in crate::admin::api) fn uses() -> Written {
    let count =
        ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(u32::MAX));
    let unlimited = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["unlimited"]));
    let null = ObjectBuilder::new().schema_type(Type::Null);
    let uses = OneOfBuilder::new().item(count).item(unlimited).item(null);
    uses.description(Some("How often, or `unlimited`; once if nothing is said.")).into()
}

/// An IP address that may be left out.
pub(in crate::admin::api) fn address() -> Written {
    let of = |format| {
        let format = Some(SchemaFormat::KnownFormat(format));
        ObjectBuilder::new().schema_type(Type::String).format(format)
    };
    let null = ObjectBuilder::new().schema_type(Type::Null);
    let address = OneOfBuilder::new().item(of(KnownFormat::Ipv4)).item(of(KnownFormat::Ipv6));
    let what = "Where the click would come from, which matters for a token that is bound to a \
                network; where this request comes from if nothing is said.";
    address.item(null).description(Some(what)).into()
}

/// Writes the characters of [`STEERING`] as they stand in a class of a regular expression
/// (ECMA-262). All of them are in the basic plane.
fn steering() -> String {
    let written = |c: &char| format!(r"\u{:04X}", u32::from(*c));
    STEERING
        .iter()
        .map(|range| format!("{}-{}", written(range.start()), written(range.end())))
        .collect()
}

fn text(description: &str) -> ObjectBuilder {
    let text = SchemaType::Type(Type::String);
    ObjectBuilder::new().schema_type(text).description(Some(description))
}

/// A format of our own: a pattern cannot say it.
fn custom(name: &str) -> Option<SchemaFormat> {
    Some(SchemaFormat::Custom(name.to_owned()))
}
