//! How commands speak: what goes to stdout and stderr, and in which form.
//!
//! [`output`] is the one way out. [`table`], [`facts`] and [`qr`] draw what it is
//! given, [`mod@format`] names the forms one may ask for, [`moment`] writes times,
//! [`progress`] keeps people company in long work.

pub(crate) mod facts;
pub(crate) mod format;
pub(crate) mod moment;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod qr;
pub(crate) mod table;
