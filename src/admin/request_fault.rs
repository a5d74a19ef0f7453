//! What is wrong with a request.
//!
//! The messages name fields and never quote what was sent: it may be a token.

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

use crate::qr;
use crate::token::UserNameError;

/// What is wrong with a request.
#[derive(Debug, Error)]
pub(super) enum RequestFault {
    #[error("the body is incomplete")]
    BodyIncomplete,
    #[error("the body is not a JSON object (line {line}, column {column})")]
    NoObject { line: usize, column: usize },
    #[error("the query is badly encoded")]
    QueryEncoding,
    #[error("{part} `{name}` {what}")]
    Field { part: Part, name: String, what: Cow<'static, str> },
    #[error("{part} `{name}` is given twice")]
    Twice { part: Part, name: String },
    #[error("{part} `{name}` is unknown; {}", expected(known))]
    Unknown { part: Part, name: String, known: Vec<&'static str> },
    #[error("the user in the path is badly encoded")]
    UserEncoding,
    #[error(transparent)]
    User(UserNameError),
    #[error("the field `client` is required: the address of this request is not known")]
    NoClient,
    #[error("expected one of token, batch, user and key")]
    NothingToRevoke,
    #[error("expected one of promote, demote, remove, replace and lead")]
    NothingToChange,
    #[error(transparent)]
    NoQrCode(qr::TooLong),
}

/// The part of a request that holds a field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part {
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

fn expected(known: &[&str]) -> String {
    match known {
        [] => "expected none".to_owned(),
        known => format!("expected {}", known.join(", ")),
    }
}
