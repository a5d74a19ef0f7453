//! Where words go: results to stdout, remarks for people to stderr. Colours
//! reach terminals only, and none where `NO_COLOR` is set.

use std::io::{self, Write};

use crate::failure::Failure;

/// Writes a result, which ends with a line feed, to stdout.
///
/// A reader that has seen enough and went away, such as `head`, is no failure.
pub(crate) fn show(result: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(result.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::say(format!("cannot write the result: {error}"), "is the disk full?"))
        }
        _ => Ok(()),
    }
}

/// Writes a remark, which needs no line feed, to stderr.
pub(crate) fn remark(remark: &str) {
    // When even stderr is gone there is nobody left to tell.
    let _ = writeln!(anstream::stderr().lock(), "{remark}");
}
