//! `jeton man`: the manual pages.

use std::io;
use std::path::PathBuf;

use clap::ValueHint;
use clap_mangen::Man;

use crate::cli::global::Global;
use crate::cli::terminal::output;
use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  jeton man | man -l -                   read the first page
  jeton man --dir /usr/share/man/man1    write jeton.1, jeton-mint.1, ...";

/// Print the manual page, or write all of them into a folder
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ManArgs {
    /// Folder for one page for each command
    #[arg(long, value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

/// Prints or writes the pages.
pub(crate) fn run(args: ManArgs, _global: &Global) -> Result<(), Failure> {
    let Some(dir) = args.dir else {
        let mut page = Vec::new();
        Man::new(crate::cli::command_line())
            .render(&mut page)
            .map_err(|error| Failure::new(&error, "this is a fault in jeton, please report it"))?;
        return output::show(&String::from_utf8_lossy(&page));
    };
    let written: io::Result<()> = clap_mangen::generate_to(crate::cli::command_line(), &dir);
    written.map_err(|error| {
        Failure::say(
            format!("cannot write manual pages into {}: {error}", dir.display()),
            "--dir names a folder that exists and that you may write to",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_gets_its_page() {
        let folder = tempfile::tempdir().unwrap();
        run(ManArgs { dir: Some(folder.path().into()) }, &Global::default()).unwrap();
        for page in ["jeton.1", "jeton-mint.1", "jeton-user-allow-autologin.1"] {
            assert!(folder.path().join(page).is_file(), "{page}");
        }
        let nowhere = Some(folder.path().join("nowhere"));
        assert!(run(ManArgs { dir: nowhere }, &Global::default()).is_err());
    }
}
