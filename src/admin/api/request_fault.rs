//! What is wrong with a request that is not understood.
//!
//! It names fields, but not what was in them: that may be a token.

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

use crate::qr;
use crate::token::{ClaimsError, UserNameError};

/// What is wrong with a request.
#[derive(Debug, Error)]
pub(in crate::admin) enum RequestFault {
    #[error("the body did not arrive whole")]
    BodyIncomplete,
    #[error("the body is no JSON object (line {line}, column {column})")]
    NoObject { line: usize, column: usize },
    #[error("the query is badly encoded")]
    QueryEncoding,
    #[error("{part} `{name}` {what}")]
    Field { part: Part, name: String, what: Cow<'static, str> },
    #[error("{part} `{name}` is there twice")]
    Twice { part: Part, name: String },
    #[error("{part} `{name}` is not known, {}", there_is(known))]
    Unknown { part: Part, name: String, known: Vec<&'static str> },
    #[error("the user in the path is badly encoded")]
    UserEncoding,
    #[error(transparent)]
    User(UserNameError),
    #[error("name the client whose click is meant")]
    NoClient,
    #[error("name one of token, batch, user and key")]
    NothingToRevoke,
    #[error("name one of promote, demote, remove, replace and lead")]
    NothingToChange,
    #[error(transparent)]
    Lifetime(ClaimsError),
    #[error(transparent)]
    NoQrCode(qr::TooLong),
}

/// The part of a request that a field stands in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::admin) enum Part {
    Body,
    Query,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Body => "the field",
            Self::Query => "the query key",
        })
    }
}

fn there_is(known: &[&str]) -> String {
    match known {
        [] => "there is none here".to_owned(),
        known => format!("there is {}", known.join(", ")),
    }
}
