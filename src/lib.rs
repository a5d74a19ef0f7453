//! jeton
pub mod clock;
pub mod profile;
pub mod token;
