//! Writes results to stdout and remarks for people to stderr. Only terminals get colors, unless
//! `NO_COLOR` is set.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

use super::format::ChangeFormat;
use super::table;
use crate::failure::Failure;

/// Writes a result, which ends with a line feed, to stdout. A closed pipe, as after `| head`, is
/// not an error.
pub(crate) fn show(result: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(result.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let hint = "check that the disk is not full";
            Err(Failure::say(format!("cannot write the result: {error}"), hint))
        }
        _ => Ok(()),
    }
}

/// Writes the result of a change to stdout, as a line of text or of JSON.
pub(crate) fn show_change(
    format: ChangeFormat,
    text: impl Display,
    json: &impl Serialize,
) -> Result<(), Failure> {
    show(&match format {
        ChangeFormat::Text => format!("{text}\n"),
        ChangeFormat::Json => table::to_json(json)?,
    })
}

/// Writes a remark and a line feed to stderr.
pub(crate) fn remark(remark: &str) {
    // There is no other place to report an error of stderr.
    let _ = writeln!(anstream::stderr().lock(), "{remark}");
}
