//! The fields of a request, from its body or its query, taken one by one.
//!
//! An error names the field and what is expected, but never what was sent: it may be a token.
//! Unknown fields, repeated fields and values of another type are rejected.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use actix_web::{HttpMessage as _, HttpRequest};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::body::RequestBody;
use crate::admin::error::AdminError;
use crate::admin::request_fault::{Part, RequestFault};
use crate::percent::{self, Plus};

/// The values by field name. One of them may be a token, so there is no `Debug`.
pub(super) struct Fields {
    part: Part,
    given: BTreeMap<String, Value>,
    known: Vec<&'static str>,
}

impl Fields {
    /// Reads a body that is one JSON object, of a request without a query.
    pub(super) fn of_body(request: &HttpRequest, body: &RequestBody) -> Result<Self, AdminError> {
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

    /// Rejects a query.
    pub(super) fn none(request: &HttpRequest) -> Result<(), AdminError> {
        Self::of_query(request)?.finish()
    }

    fn collect(part: Part, pairs: Vec<(String, Value)>) -> Result<Self, AdminError> {
        let mut given = BTreeMap::new();
        for (name, value) in pairs {
            if given.insert(name.clone(), value).is_some() {
                return Err(RequestFault::Twice { part, name: printable(&name) }.into());
            }
        }
        Ok(Self { part, given, known: Vec::new() })
    }

    /// Takes a text; `None` if it is missing or null.
    pub(super) fn optional<T: FromStr<Err: fmt::Display>>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, AdminError> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => self.text(name, &value).map(Some),
        }
    }

    /// Takes a text, which is required.
    pub(super) fn required<T: FromStr<Err: fmt::Display>>(
        &mut self,
        name: &'static str,
    ) -> Result<T, AdminError> {
        let value = self.take(name).ok_or_else(|| self.wrong(name, "is required"))?;
        self.text(name, &value)
    }

    /// Takes the one of `values` with this text; `None` if it is missing or null.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        name: &'static str,
        values: &[T],
        as_str: impl Fn(T) -> &'static str,
    ) -> Result<Option<T>, AdminError> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(None),
            Some(given) => {
                let is_given = |value: &&T| given.as_str() == Some(as_str(**value));
                values.iter().find(is_given).copied().map(Some).ok_or_else(|| {
                    let words: Vec<_> = values.iter().map(|value| as_str(*value)).collect();
                    self.wrong(name, format!("must be one of {}", words.join(", ")))
                })
            }
        }
    }

    /// Takes an integer in `range`; `None` if it is missing or null.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u32>,
    ) -> Result<Option<u32>, AdminError> {
        let given = match (self.part, self.take(name)) {
            (_, None | Some(Value::Null)) => return Ok(None),
            (Part::Body, Some(value)) => integer(&value),
            (Part::Query, Some(value)) => {
                let digits = value.as_str().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
                digits.and_then(|digits| digits.parse().ok())
            }
        };
        given.filter(|number| range.contains(number)).map(Some).ok_or_else(|| {
            let (min, max) = range.into_inner();
            self.wrong(name, format!("must be an integer from {min} to {max}"))
        })
    }

    /// Takes a Boolean, which is required.
    pub(super) fn boolean(&mut self, name: &'static str) -> Result<bool, AdminError> {
        let value = self.take(name).and_then(|value| value.as_bool());
        value.ok_or_else(|| self.wrong(name, "must be true or false"))
    }

    /// Takes a value of any type.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.given.remove(name)
    }

    /// Returns `true` if the field is given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Returns the error that `what` is wrong with a field.
    pub(super) fn wrong(&self, name: &str, what: impl Into<Cow<'static, str>>) -> AdminError {
        RequestFault::Field { part: self.part, name: name.to_owned(), what: what.into() }.into()
    }

    /// Takes fields with `read`, and rejects those that it does not take.
    pub(super) fn read<T>(
        mut self,
        read: impl FnOnce(&mut Self) -> Result<T, AdminError>,
    ) -> Result<T, AdminError> {
        let value = read(&mut self)?;
        self.finish()?;
        Ok(value)
    }

    /// Rejects the fields that were not taken.
    pub(super) fn finish(self) -> Result<(), AdminError> {
        let Some(name) = self.given.keys().next() else {
            return Ok(());
        };
        let (part, name) = (self.part, printable(name));
        Err(RequestFault::Unknown { part, name, known: self.known }.into())
    }

    fn text<T: FromStr<Err: fmt::Display>>(
        &self,
        name: &str,
        value: &Value,
    ) -> Result<T, AdminError> {
        let text = value.as_str().ok_or_else(|| self.wrong(name, "must be a string"))?;
        text.parse().map_err(|error: T::Err| self.wrong(name, format!("is invalid: {error}")))
    }
}

/// Returns a JSON number without a fraction. In JSON, `1.0` is one, too.
pub(super) fn integer(value: &Value) -> Option<u32> {
    let number = value.as_f64()?;
    let is_integer = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it has no fraction and is in range, see above"
    )]
    is_integer.then_some(number as u32)
}

/// Returns the name of an unknown field, shortened and on one line.
fn printable(name: &str) -> String {
    name.chars().take(40).collect::<String>().escape_debug().to_string()
}

/// A JSON object as it was written, with repeated fields.
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
    fn an_integer_has_any_json_spelling() {
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
            assert_eq!(integer(&serde_json::from_str(text).unwrap()), expected, "{text}");
        }
    }
}
