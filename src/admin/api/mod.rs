//! The admin door for programs: JSON over HTTP, the health checks and the metrics.
//!
//! There is one file for each resource; [`crate::api`] has their JSON. `routes` is the table of all
//! routes. `body` and `fields` read requests, `error_responses` lists how they can fail, and
//! `openapi` describes all of it. The door decides who may enter.

mod activity;
mod body;
mod error_responses;
mod fields;
mod health;
mod inspect;
mod invites;
mod members;
mod metrics;
mod mint;
mod openapi;
mod records;
mod revocations;
mod routes;
mod session_info;
mod state;
mod status;
mod tokens;
mod users;

pub(super) use body::BODY_TIME;
pub(super) use routes::configure;
#[cfg(test)]
pub(super) use routes::{DOCUMENT, ROUTES};
