//! jeton hands out OpenVPN profiles by counted, signed links, without a token database.
//!
//! A token is minted offline ([`token`]), verified anywhere with public keys ([`keyring`]), and its
//! uses are counted by a small replicated log ([`ledger`]). This page is the map. `ARCHITECTURE.md`
//! follows one redemption step by step and has a glossary.
//!
//! # The rooms
//!
//! A room is a module at the top level. Imports only go down, and `tests/architecture.rs` fails if
//! one goes up.
//!
//! | floor | rooms | content |
//! |---|---|---|
//! | 6 | `cli` | the commands; the only room that knows all others |
//! | 5 | `node` | what `serve` and `demo` run |
//! | 4 | `config` | the configuration, checked as a whole |
//! | 3 | `public`, `admin`, `cluster`, `tls` | the doors for users, operators and other nodes; certificates |
//! | 2 | `redeem`, `cache`, `mint`, `signing`, `activity`, `metrics`, `api` | the whole decision; its caches; from orders to tokens and links; private keys; recent events and the audit log; counters and gauges; the JSON of the admin API |
//! | 1 | [`keyring`], [`profile`], [`ledger`], `humanize`, `failure` | trusted keys and key files; profiles and their sources; uses, revocations and permissions; texts for people; how a command fails |
//! | 0 | [`token`], [`clock`], `random`, [`plain_text`], `percent`, `qr`, `rate_limit`, `web_security` | claims, signing, verification and links; the wall clock; randomness; texts from outside; percent-encoding; QR codes; rates of subnets; security headers |
//!
//! # Where to start
//!
//! Read `redeem.rs`, which decides about each redemption. Then read [`token::verify()`] and
//! [`ledger::State`], which it relies on, and [`ledger::log`], which explains why an acknowledged
//! use is never lost.
//!
//! Without default features, only the pure core is built: [`token`], [`keyring`], [`profile`],
//! [`clock`], [`plain_text`], and the ledger without its engine.

// Code that is shared with the integration tests imports the library by its name.
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
mod rate_limit;
#[cfg(feature = "server")]
pub mod redeem;
#[cfg(feature = "server")]
mod signing;
#[cfg(feature = "server")]
pub mod tls;
pub mod token;
#[cfg(feature = "server")]
mod web_security;
