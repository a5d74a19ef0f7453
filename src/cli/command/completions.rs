//! `jeton completions`: prints shell completions.

use clap_complete::Shell;

use crate::cli::terminal::output;
use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  jeton completions bash > /usr/share/bash-completion/completions/jeton
  jeton completions zsh > /usr/local/share/zsh/site-functions/_jeton
  jeton completions fish > ~/.config/fish/completions/jeton.fish";

/// Print the completion script for a shell
#[derive(Clone, Copy, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(args: CompletionsArgs, command_line: &mut clap::Command) -> Result<(), Failure> {
    output::show(&script(args.shell, command_line))
}

fn script(shell: Shell, command_line: &mut clap::Command) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, command_line, "jeton", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::{Subcommand as _, ValueEnum as _};

    use super::*;
    use crate::cli::command::CliCommand;

    #[test]
    fn the_script_of_every_shell_has_the_commands() {
        for shell in Shell::value_variants() {
            let mut command_line = CliCommand::augment_subcommands(clap::Command::new("jeton"));
            assert!(script(*shell, &mut command_line).contains("allow-autologin"), "{shell}");
        }
    }
}
