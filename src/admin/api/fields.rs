//! The fields of a request, from its body or its query, taken one by one.
//!
//! Whoever asks is told which field is wrong and what belongs there, but not
//! what was sent: it may be a token. Nothing is passed over: an unknown field, a
//! repeated one and one of another type are all refused.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use actix_web::{HttpMessage as _, HttpRequest};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::body::Body;
use super::request_fault::Part;
use super::{AdminError, RequestFault};
use crate::percent::{self, Plus};
use crate::token::ProfileKind;

/// What was given, by name. There may be a token among it, so there is no `Debug`.
pub(super) struct Fields {
    part: Part,
    given: BTreeMap<String, Value>,
    known: Vec<&'static str>,
}

impl Fields {
    /// Reads a body that is one JSON object. There is no query beside it.
    pub(super) fn of_body(request: &HttpRequest, body: &Body) -> Result<Self, AdminError> {
        Self::none(request)?;
        if !request.content_type().eq_ignore_ascii_case("application/json") {
            return Err(AdminError::ContentType);
        }
        let Object(pairs) = serde_json::from_slice(body.bytes()).map_err(|error| {
            RequestFault::NoObject { line: error.line(), column: error.column() }
        })?;
        Self::collect(Part::Body, pairs)
    }

    /// Reads the query.
    pub(super) fn of_query(request: &HttpRequest) -> Result<Self, AdminError> {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text| percent::decode(text, Plus::Space);
            let pair = decode(name).zip(decode(value).map(Value::String));
            pair.ok_or(RequestFault::QueryEncoding)
        };
        let pairs = request.query_string().split('&').filter(|pair| !pair.is_empty());
        Self::collect(Part::Query, pairs.map(pair).collect::<Result<_, _>>()?)
    }

    /// Refuses a query where none belongs.
    pub(super) fn none(request: &HttpRequest) -> Result<(), AdminError> {
        Self::of_query(request)?.finish()
    }

    fn collect(part: Part, pairs: Vec<(String, Value)>) -> Result<Self, AdminError> {
        let mut given = BTreeMap::new();
        for (name, value) in pairs {
            if given.insert(name.clone(), value).is_some() {
                return Err(RequestFault::Twice { part, name: shown(&name) }.into());
            }
        }
        Ok(Self { part, given, known: Vec::new() })
    }

    /// Takes a text that may be left out, or be null.
    pub(super) fn optional<T: FromStr<Err: fmt::Display>>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, AdminError> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => self.text(name, &value).map(Some),
        }
    }

    /// Takes a text that must be there.
    pub(super) fn required<T: FromStr<Err: fmt::Display>>(
        &mut self,
        name: &'static str,
    ) -> Result<T, AdminError> {
        let value = self.take(name).ok_or_else(|| self.wrong(name, "is missing"))?;
        self.text(name, &value)
    }

    /// Takes a whole number of `range` that may be left out, or be null.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u32>,
    ) -> Result<Option<u32>, AdminError> {
        let given = match (self.part, self.take(name)) {
            (_, None | Some(Value::Null)) => return Ok(None),
            (Part::Body, Some(value)) => whole_number(&value),
            (Part::Query, Some(value)) => {
                let digits = value.as_str().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
                digits.and_then(|digits| digits.parse().ok())
            }
        };
        given.filter(|number| range.contains(number)).map(Some).ok_or_else(|| {
            let (least, most) = range.into_inner();
            self.wrong(name, format!("must be a whole number from {least} to {most}"))
        })
    }

    /// Takes a truth that must be there.
    pub(super) fn truth(&mut self, name: &'static str) -> Result<bool, AdminError> {
        let truth = self.take(name).and_then(|value| value.as_bool());
        truth.ok_or_else(|| self.wrong(name, "must be true or false"))
    }

    /// Takes whatever is there.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.given.remove(name)
    }

    /// Tells whether the field is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Says what is wrong with a field.
    pub(super) fn wrong(&self, name: &str, what: impl Into<Cow<'static, str>>) -> AdminError {
        RequestFault::Field { part: self.part, name: name.to_owned(), what: what.into() }.into()
    }

    /// Refuses what nobody asked for.
    pub(super) fn finish(self) -> Result<(), AdminError> {
        let Some(name) = self.given.keys().next() else {
            return Ok(());
        };
        let (part, name) = (self.part, shown(name));
        Err(RequestFault::Unknown { part, name, known: self.known }.into())
    }

    fn text<T: FromStr<Err: fmt::Display>>(
        &self,
        name: &str,
        value: &Value,
    ) -> Result<T, AdminError> {
        let text = value.as_str().ok_or_else(|| self.wrong(name, "must be a text"))?;
        text.parse().map_err(|error: T::Err| self.wrong(name, format!("is wrong: {error}")))
    }
}

/// Returns a JSON number without a fraction. To JSON, `1.0` is one, too.
pub(super) fn whole_number(value: &Value) -> Option<u32> {
    let number = value.as_f64()?;
    let is_whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is whole and in range, see above"
    )]
    is_whole.then_some(number as u32)
}

/// The name of a field that nobody knows, short and on one line.
fn shown(name: &str) -> String {
    name.chars().take(40).collect::<String>().escape_debug().to_string()
}

/// A kind of profile in the one spelling that the API has.
pub(super) struct ProfileType(pub(super) ProfileKind);

impl FromStr for ProfileType {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kind = ProfileKind::ALL.into_iter().find(|kind| kind.as_str() == text);
        kind.map(Self).ok_or("it is one of user-locked, autologin and server-locked")
    }
}

/// A JSON object as it was written, with what it repeats.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Object(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        for (text, expected) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("7.0", Some(7)),
            ("7e2", Some(700)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("-1", None),
            ("0.5", None),
            ("1e300", None),
            ("18446744073709551616", None),
            ("\"7\"", None),
            ("true", None),
        ] {
            assert_eq!(whole_number(&serde_json::from_str(text).unwrap()), expected, "{text}");
        }
    }
}
