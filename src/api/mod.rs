//! What the admin API and its clients send each other as JSON.
//!
//! One type for each thing, with its schema: a node writes and `jeton`'s own client reads the same
//! one. `words` has the schemas of the lower floors' types, `plain` keeps text from a node from
//! steering a terminal. How requests are read and answered is a matter of the admin door.

pub(crate) mod cluster;
pub(crate) mod error;
pub(crate) mod inspection;
pub(crate) mod node;
mod plain;
pub(crate) mod revocations;
pub(crate) mod tokens;
pub(crate) mod users;
pub(crate) mod words;
