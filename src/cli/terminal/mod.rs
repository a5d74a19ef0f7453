//! The output of commands.
//!
//! Only [`output`] writes to stdout and stderr. [`table`], [`facts`] and [`qr`] render what it
//! writes, [`mod@format`] has the output formats, [`moment`] formats times, and [`progress`] shows
//! progress bars.

pub(crate) mod facts;
pub(crate) mod format;
pub(crate) mod moment;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod qr;
pub(crate) mod table;
