//! `jeton man`: prints or writes the manual pages.

use std::io;
use std::path::PathBuf;

use clap::ValueHint;
use clap_mangen::Man;

use crate::cli::terminal::output;
use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  jeton man | man -l -                   read the first page
  jeton man --dir /usr/share/man/man1    write jeton.1, jeton-mint.1, ...";

/// Print the manual page, or write the pages of all commands into a directory
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ManArgs {
    /// Write one page for each command into this directory
    #[arg(long, value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: ManArgs, command_line: clap::Command) -> Result<(), Failure> {
    let Some(dir) = args.dir else {
        let mut page = Vec::new();
        Man::new(command_line)
            .render(&mut page)
            .map_err(|error| Failure::new(&error, "this is a bug in jeton; please report it"))?;
        return output::show(&String::from_utf8_lossy(&page));
    };
    let written: io::Result<()> = clap_mangen::generate_to(command_line, &dir);
    written.map_err(|error| {
        Failure::say(
            format!("cannot write manual pages to {}: {error}", dir.display()),
            "name an existing directory that you may write to with --dir",
        )
    })
}

#[cfg(test)]
mod tests {
    use clap::Subcommand as _;

    use super::*;
    use crate::cli::command::CliCommand;

    #[test]
    fn writes_a_page_for_each_command() {
        let command_line = || CliCommand::augment_subcommands(clap::Command::new("jeton"));
        let temp = tempfile::tempdir().unwrap();
        run(ManArgs { dir: Some(temp.path().into()) }, command_line()).unwrap();
        for page in ["jeton.1", "jeton-mint.1", "jeton-user-allow-autologin.1"] {
            assert!(temp.path().join(page).is_file(), "{page}");
        }
        let nowhere = Some(temp.path().join("nowhere"));
        assert!(run(ManArgs { dir: nowhere }, command_line()).is_err());
    }
}
