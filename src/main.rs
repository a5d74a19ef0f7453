//! The program: runs the command line and exits with a code.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | success |
//! | 1 | failure: one `error:` line and one `hint:` line on stderr |
//! | 2 | invalid command line: usage on stderr |

use std::io::Write as _;
use std::process::ExitCode;

use jeton::cli::{self, CliError};

fn main() -> ExitCode {
    match cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Failed(failure)) => {
            // If stderr is closed, the exit code still reports the failure.
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::from(1)
        }
        Err(CliError::Usage(usage)) => {
            let _ = usage.print();
            if usage.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
        }
    }
}
