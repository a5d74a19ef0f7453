//! jeton
#[cfg(feature = "server")]
pub mod admin;
#[cfg(feature = "server")]
mod cache;
pub mod clock;
pub mod keyring;
pub mod ledger;
pub mod profile;
#[cfg(feature = "server")]
pub mod redeem;
pub mod token;
