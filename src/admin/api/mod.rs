//! The operators' door for programs: JSON over HTTP, and two pages of plain
//! numbers.
//!
//! A file for each thing one can ask for: `activity`, `health`, `inspect`,
//! `metrics`, `mint`, `records`, `revocations`, `session_info`, `state`, `status`,
//! `tokens`, `users`. Around them: `routes` (which request goes where), `body`,
//! `fields` (what a request says), `request_fault` and `error` (how it fails), and
//! `openapi` (all of it as a document). Who may ask is not decided here, but by
//! the door.

mod activity;
mod body;
mod error;
mod fields;
mod health;
mod inspect;
mod invites;
mod members;
mod metrics;
mod mint;
mod openapi;
mod records;
mod request_fault;
mod revocations;
mod routes;
mod session_info;
mod state;
mod status;
mod tokens;
mod users;

use super::AdminDoor;
pub(super) use body::BODY_TIME;
pub(super) use error::AdminError;
pub use invites::{Inviter, NoInvitation};
#[cfg(test)]
pub(super) use openapi::TEXT as DOCUMENT;
pub(super) use request_fault::RequestFault;
#[cfg(test)]
pub(super) use routes::ROUTES;
pub(super) use routes::configure;
