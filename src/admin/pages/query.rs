//! Parses the queries of the pages.

use std::fmt::Display;
use std::str::FromStr;

use actix_web::HttpRequest;
use actix_web::web::Query;
use serde::de::DeserializeOwned;

use super::error::PageError;
use super::link::{FIRST, Section, section_at};

/// Parses the query of a page. Ignores unknown parameters.
pub(super) fn parse_query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, PageError> {
    let query = Query::<T>::from_query(request.query_string()).map_err(|_| {
        let section = section_at(request.path()).unwrap_or(FIRST);
        PageError::query("query: a parameter occurs twice or is malformed", section)
    })?;
    Ok(query.into_inner())
}

/// Parses a parameter that may be empty. `name` and `section` describe it in the error.
pub(super) fn parse_optional<T>(
    text: &str,
    name: &str,
    section: Section,
) -> Result<Option<T>, PageError>
where
    T: FromStr<Err: Display>,
{
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let value = text.parse().map(Some);
    value.map_err(|error| PageError::query(format!("{name}: {error}"), section))
}
