//! `jeton completions`: what makes the Tab key work.

use clap_complete::Shell;

use crate::cli::global::Global;
use crate::cli::terminal::output;
use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  jeton completions bash > /usr/share/bash-completion/completions/jeton
  jeton completions zsh > /usr/local/share/zsh/site-functions/_jeton
  jeton completions fish > ~/.config/fish/completions/jeton.fish";

/// Print the completion script of a shell
#[derive(Clone, Copy, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(args: CompletionsArgs, _global: &Global) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::cli::command_line(), "jeton", &mut script);
    output::show(&String::from_utf8_lossy(&script))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;
    use crate::cli::command_line;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command_line(), "jeton", &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("allow-autologin"), "{shell}");
        }
    }
}
