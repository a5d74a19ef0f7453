//! jeton hands out OpenVPN profiles by counted, signed links, without a token
//! database.
//!
//! A token is minted offline ([`token`]), verified anywhere with public keys
//! ([`keyring`]), and counted by a small replicated log ([`ledger`]). This page
//! is the map; `ARCHITECTURE.md` walks through one redemption.
//!
//! # The rooms, from the ground up
//!
//! Imports go down only; `tests/architecture.rs` holds them to that.
//!
//! | floor | rooms | what they are |
//! |---|---|---|
//! | 0 | [`token`], [`clock`], `random`, `percent`, `qr` | claims, envelope, sign, verify; the one look at the wall clock; the one draw of randomness; percent-encoding; QR codes |
//! | 1 | [`keyring`], [`profile`], [`ledger`], `humanize` | trusted keys and key files; profiles and their sources; counts, revocations, permissions; times and kinds for people |
//! | 2 | `redeem`, `cache`, `mint`, `activity`, `metrics`, `api` | the whole decision, top to bottom; what is kept to save work; from orders to tokens and links; what happened of late; how much of everything; the JSON of the admin API |
//! | 3 | `http`, `admin`, `cluster`, `tls` | the public door; the operators' door; the door between nodes; certificates |
//! | 4 | `config`, `cli` | what was configured; the commands, which alone know all rooms |
//!
//! # Where to start
//!
//! Read `redeem.rs`: it is the specification. Then [`token::verify`] and
//! [`ledger::State`] for the two decisions it rests on, and [`ledger::log`] for
//! why an acknowledged use is never forgotten.
//!
//! Without default features only the pure floor is built: [`token`],
//! [`keyring`], [`profile`], and the ledger without its engine.

// What tests share names the library from outside.
#[cfg(test)]
extern crate self as jeton;

#[cfg(feature = "server")]
pub mod activity;
#[cfg(feature = "server")]
pub mod admin;
#[cfg(feature = "server")]
mod api;
#[cfg(feature = "server")]
pub mod cache;
#[cfg(feature = "server")]
pub mod cli;
pub mod clock;
#[cfg(feature = "server")]
pub mod cluster;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod failure;
#[cfg(feature = "server")]
mod humanize;
pub mod keyring;
pub mod ledger;
#[cfg(feature = "server")]
pub mod metrics;
#[cfg(feature = "server")]
pub mod mint;
#[cfg(feature = "server")]
mod node;
#[cfg(feature = "server")]
mod percent;
pub mod plain_text;
pub mod profile;
#[cfg(feature = "server")]
pub mod public;
#[cfg(feature = "server")]
pub mod qr;
#[cfg(feature = "raft")]
pub mod random;
#[cfg(feature = "server")]
pub mod redeem;
#[cfg(feature = "server")]
mod signing;
#[cfg(feature = "server")]
pub mod tls;
pub mod token;
