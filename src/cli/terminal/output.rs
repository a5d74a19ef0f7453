//! Writes results to stdout and remarks for people to stderr. Only terminals get colors, unless
//! `NO_COLOR` is set.

use std::io::{self, Write};

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

/// Writes a remark and a line feed to stderr.
pub(crate) fn remark(remark: &str) {
    // If stderr is gone as well, there is no place left to report that.
    let _ = writeln!(anstream::stderr().lock(), "{remark}");
}
