//! The program. It runs the command line and says by its exit code how that went:
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | failed: one `error:` line and one `hint:` line on stderr |
//! | 2 | the command line makes no sense: stderr says how it is used |

use std::io::Write as _;
use std::process::ExitCode;

use jeton::cli::{self, CliError};

fn main() -> ExitCode {
    match cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Failed(failure)) => {
            // When even stderr is gone, the exit code still says it.
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::from(1)
        }
        Err(CliError::Usage(words)) => {
            let _ = words.print();
            if words.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
        }
    }
}
