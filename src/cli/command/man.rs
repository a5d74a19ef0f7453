//! `jeton man`: prints or writes the manual pages.

use std::path::{Path, PathBuf};
use std::{fs, io};

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

pub(crate) fn run(args: ManArgs, mut command_line: clap::Command) -> Result<(), Failure> {
    let Some(dir) = args.dir else {
        let page = page(&Man::new(command_line)).map_err(|error| Failure::bug(&error))?;
        return output::show(&page);
    };
    command_line = command_line.disable_help_subcommand(true);
    command_line.build();
    write_pages(&command_line, &dir).map_err(|error| {
        Failure::say(
            format!("cannot write manual pages to {}: {error}", dir.display()),
            "name an existing directory that you may write to with --dir",
        )
    })
}

fn write_pages(command: &clap::Command, dir: &Path) -> io::Result<()> {
    let man = Man::new(command.clone());
    fs::write(dir.join(man.get_filename()), page(&man)?)?;
    command.get_subcommands().try_for_each(|subcommand| write_pages(subcommand, dir))
}

/// Renders a page. Indented lines are examples, which must keep their columns and line breaks; the
/// library would fill them.
fn page(man: &Man) -> io::Result<String> {
    let mut rendered = Vec::new();
    man.render(&mut rendered)?;
    let text = String::from_utf8_lossy(&rendered).replace(".SH EXTRA\nExamples:", ".SH EXAMPLES");
    let (mut page, mut is_example) = (String::new(), false);
    for line in text.replace(".SH EXTRA", ".SH NOTES").lines() {
        if line.starts_with(' ') != is_example {
            is_example = !is_example;
            page += if is_example { ".nf\n" } else { ".fi\n" };
        }
        page += line;
        page.push('\n');
    }
    if is_example {
        page += ".fi\n";
    }
    Ok(page)
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
        let page = fs::read_to_string(temp.path().join("jeton-man.1")).unwrap();
        assert!(page.contains("\n.SH EXAMPLES\n.nf\n  jeton man | man"), "{page}");
        let nowhere = Some(temp.path().join("nowhere"));
        assert!(run(ManArgs { dir: nowhere }, command_line()).is_err());
    }
}
