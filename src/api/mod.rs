//! What the admin API and its clients send each other as JSON.
//!
//! The node writes and the command-line client reads the same types. `schemas` describes types of
//! other rooms, and `plain` removes characters that could steer a terminal. `admin/api/` handles
//! the requests.

pub(crate) mod cluster;
pub(crate) mod error;
pub(crate) mod inspection;
pub(crate) mod node;
mod plain;
pub(crate) mod revocations;
pub(crate) mod schemas;
pub(crate) mod tokens;
pub(crate) mod users;
