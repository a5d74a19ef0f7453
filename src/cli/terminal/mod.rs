//! The output of commands.
//!
//! Commands write to stdout and stderr through [`output`]. [`table`], [`facts`] and [`qr`] render
//! results, [`mod@format`] has the output formats, and [`moment`] formats times. [`progress`] shows
//! progress bars.

pub(crate) mod facts;
pub(crate) mod format;
pub(crate) mod moment;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod qr;
pub(crate) mod table;
