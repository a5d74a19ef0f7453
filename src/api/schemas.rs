//! The schemas of types of other rooms, for the API document. A pattern accepts what the node
//! accepts; a test compares them.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::activity::EventName;
use crate::ledger::{Cursor, MemberRole, NodeId, Note, StateFilter, TokenState};
use crate::plain_text::STEERING;
use crate::token::{
    AdminRole, Batch, IpNetwork, KeyId, KeyPurpose, Lifetime, NewUserName, Nonce, ProfileKind,
    UnixSeconds, UserName,
};

macro_rules! schemas {
    ($($described:ty, $name:literal: $schema:expr;)*) => {$(
        impl PartialSchema for $described {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $described {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }
        }
    )*};
}

schemas! {
    Nonce, "TokenId": text("The id of a token, which no other token of its key has.")
        .pattern(Some("^[A-Za-z0-9_-]{21}[AQgw]$"))
        .examples(["CQkJCQEBAQEBAQEBAQEBAQ"]);
    KeyId, "KeyId": text("The first 4 bytes of the SHA-256 of a public key.")
        .pattern(Some("^[0-9a-f]{8}$"))
        .examples(["3f2a9c01"]);
    NodeId, "NodeId": text("The id of a node among those that share its ledger.")
        .pattern(Some("^[0-9a-f]{16}$"))
        .examples(["0123456789abcdef"]);
    Batch, "Batch": text("What all tokens of one mint run have in common.")
        .pattern(Some("^[0-9a-f]{8}$"))
        .examples(["0a1b2c3d"]);
    UserName, "UserName": text(
            "The name of a user: at most 128 bytes of UTF-8, no control characters, no slash or \
             backslash, and neither `.` nor `..`.",
        )
        .min_length(Some(1))
        .max_length(Some(UserName::LEN_MAX))
        .pattern(Some(name_without(r"\u0000-\u001F\u007F-\u009F")))
        .examples(["alice"]);
    NewUserName, "NewUserName": text(
            "The name of a user for a new token: it also has no line or paragraph separators and \
             no directional formatting characters, which change how text is displayed.",
        )
        .min_length(Some(1))
        .max_length(Some(UserName::LEN_MAX))
        .pattern(Some(name_without(&steering())))
        .examples(["alice"]);
    ProfileKind, "ProfileType": text("The kind of a profile.")
        .enum_values(Some(ProfileKind::ALL.map(ProfileKind::as_str)));
    AdminRole, "Role": text(
            "What the holder of an admin token may do. Each role may do all that the one before it \
             may.",
        )
        .enum_values(Some(
            [AdminRole::Viewer, AdminRole::Operator, AdminRole::Admin].map(|role| role.to_string()),
        ));
    KeyPurpose, "KeyPurpose": text("The tokens that a key may sign.")
        .enum_values(Some(KeyPurpose::ALL.map(KeyPurpose::as_str)));
    MemberRole, "MemberRole": text(
            "A voter counts for the majority; a learner receives the log and forwards uses.",
        )
        .enum_values(Some(MemberRole::ALL.map(MemberRole::as_str)));
    TokenState, "TokenState": text("The state of a token.")
        .enum_values(Some(TokenState::ALL.map(TokenState::as_str)));
    StateFilter, "StateFilter": text("The states of the tokens to list.")
        .enum_values(Some(StateFilter::ALL.map(StateFilter::as_str)));
    EventName, "EventName": text("The type of an event.")
        .enum_values(Some(EventName::ALL.map(EventName::as_str)));
    Cursor, "Cursor": text("A position in a list. Clients should not interpret it.")
        .pattern(Some(r"^[0-9]{1,19}\.[0-9a-f]{8}\.[A-Za-z0-9_-]{21}[AQgw]$"));
    Note, "Note": text(
            "A note beside a token: one line, without characters that change how text is displayed.",
        )
        .max_length(Some(Note::LEN_MAX))
        .pattern(Some(format!("^[^{}]*$", steering())))
        .examples(["for her phone"]);
    IpNetwork, "Network": text("An IPv4 or IPv6 network, with all bits after its prefix zero.")
        .format(custom("ip-network"))
        .examples(["192.0.2.0/24"]);
    UnixSeconds, "Moment": text("A date and time of RFC 3339. jeton writes UTC and reads any offset.")
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .examples(["2026-11-23T12:00:00Z"]);
}

/// Returns the schema of the lifetime of a new token.
pub(super) fn lifetime() -> RefOr<Schema> {
    let seconds = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Integer, Type::Null]))
        .format(custom("u-int32"))
        .minimum(Some(1))
        .maximum(Some(Lifetime::MAX.seconds()));
    seconds.description(Some("For how many seconds it is valid; the default is an hour.")).into()
}

/// Returns the schema of the uses of a new token.
pub(super) fn uses() -> RefOr<Schema> {
    let count =
        ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(u32::MAX));
    let unlimited = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["unlimited"]));
    let null = ObjectBuilder::new().schema_type(Type::Null);
    let uses = OneOfBuilder::new().item(count).item(unlimited).item(null);
    uses.description(Some("How many uses it has, or `unlimited`; the default is one.")).into()
}

/// Returns the schema of an optional IP address.
pub(super) fn address() -> RefOr<Schema> {
    let of = |format| {
        let format = Some(SchemaFormat::KnownFormat(format));
        ObjectBuilder::new().schema_type(Type::String).format(format)
    };
    let null = ObjectBuilder::new().schema_type(Type::Null);
    let address = OneOfBuilder::new().item(of(KnownFormat::Ipv4)).item(of(KnownFormat::Ipv6));
    let what = "The address that the download would come from, for a token that is limited to a \
                network. The default is the address that this request comes from.";
    address.item(null).description(Some(what)).into()
}

/// Returns the pattern of a user name without these characters.
fn name_without(characters: &str) -> String {
    format!(r"^(?!\.{{1,2}}$)[^{characters}/\\]+$")
}

/// Returns [`STEERING`] as it stands in a character class of a regular expression (ECMA-262). All
/// of its characters are in the basic multilingual plane.
fn steering() -> String {
    let escaped = |c: &char| format!(r"\u{:04X}", u32::from(*c));
    let class = |(first, last)| if first == last { first } else { format!("{first}-{last}") };
    STEERING.iter().map(|range| class((escaped(range.start()), escaped(range.end())))).collect()
}

fn text(description: &str) -> ObjectBuilder {
    let text = SchemaType::Type(Type::String);
    ObjectBuilder::new().schema_type(text).description(Some(description))
}

/// Returns a format that JSON Schema does not know: a pattern cannot express it.
fn custom(name: &str) -> Option<SchemaFormat> {
    Some(SchemaFormat::Custom(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use regex_lite::Regex;
    use serde_json::Value;

    use super::*;

    /// Returns `true` if the schema of `T` accepts `text`.
    fn is_described<T: PartialSchema>(text: &str) -> bool {
        let schema = serde_json::to_value(T::schema()).unwrap();
        let length = text.chars().count();
        let bound = |name: &str| schema[name].as_u64().map(|bound| usize::try_from(bound).unwrap());
        let pattern = schema["pattern"].as_str().unwrap();
        // The reader of regular expressions has no look-ahead; only names have one.
        let dots = r"(?!\.{1,2}$)";
        let is_dots = pattern.contains(dots) && matches!(text, "." | "..");
        bound("minLength").is_none_or(|min| min <= length)
            && bound("maxLength").is_none_or(|max| length <= max)
            && !is_dots
            && Regex::new(&pattern.replace(dots, "")).unwrap().is_match(text)
    }

    /// Compares the schema of `T` with its parser on texts around `good`, which both accept.
    fn compare<T: FromStr + PartialSchema>(good: &str) {
        let around = STEERING.iter().flat_map(|range| {
            let (start, end) = (u32::from(*range.start()), u32::from(*range.end()));
            [start.wrapping_sub(1), start, end, end + 1].into_iter().filter_map(char::from_u32)
        });
        let others = "./\\+-_=0aAfFgGzZ \u{e9}\u{202e}\u{feff}\u{1f600}".chars();
        let mut texts: Vec<String> = ["", ".", "..", "...", good].map(str::to_owned).into();
        texts.extend([1, 127, 128, 129, 200, 201].map(|length| "x".repeat(length)));
        for c in around.chain(others) {
            texts.push(c.to_string());
            texts.push(format!("{good}{c}"));
            for (at, replaced) in good.char_indices() {
                let rest = &good[at + replaced.len_utf8()..];
                texts.push(format!("{}{c}{rest}", &good[..at]));
                texts.push(format!("{}{rest}", &good[..at]));
            }
        }
        assert!(is_described::<T>(good) && good.parse::<T>().is_ok());
        for text in texts {
            assert_eq!(is_described::<T>(&text), text.parse::<T>().is_ok(), "{good}: {text:?}");
        }
    }

    #[test]
    fn a_pattern_accepts_what_the_node_accepts() {
        compare::<Nonce>("CQkJCQEBAQEBAQEBAQEBAQ");
        compare::<KeyId>("3f2a9c01");
        compare::<NodeId>("0123456789abcdef");
        compare::<Batch>("0a1b2c3d");
        compare::<UserName>("alice");
        compare::<NewUserName>("alice");
        compare::<Cursor>("9999999999999999999.3f2a9c01.CQkJCQEBAQEBAQEBAQEBAQ");
        compare::<Cursor>("7.3f2a9c01.CQkJCQEBAQEBAQEBAQEBAQ");
        compare::<Note>("for her phone");
    }

    #[test]
    fn each_example_is_one() {
        fn check<T: FromStr + PartialSchema>() {
            let schema = serde_json::to_value(T::schema()).unwrap();
            let example = schema["examples"].as_array().and_then(|examples| examples.first());
            assert!(example.and_then(Value::as_str).unwrap().parse::<T>().is_ok(), "{schema}");
        }
        check::<IpNetwork>();
        check::<UnixSeconds>();
        check::<UserName>();
        check::<Note>();
    }
}
