//! `jeton user`: lists users, and allows or denies them autologin.

use clap::Subcommand;

use crate::api::users::UserInfo;
use crate::cli::client::AdminClient;
use crate::cli::global::Global;
use crate::cli::minting::users_file;
use crate::cli::terminal::format::{ChangeFormat, UserFormat};
use crate::cli::terminal::output;
use crate::cli::terminal::table::Table;
use crate::failure::Failure;
use crate::signing::passphrase::PassphraseArgs;
use crate::token::{NewUserName, UserName};

const EXAMPLES: &str = "\
Examples:
  jeton user list
  jeton user allow-autologin alice
  jeton user list --format toml > users.toml    for `jeton mint --users` elsewhere";

const LIST_EXAMPLES: &str = "\
Examples:
  jeton user list
  jeton user list --format json | jq -r '.[] | select(.autologin) | .user'
  jeton user list --format toml > users.toml    for `jeton mint --users` elsewhere

A user without a profile is listed because autologin was allowed or denied. Links for
such a user are refused.";

const ALLOW_EXAMPLES: &str = "\
Examples:
  jeton user allow-autologin alice
  jeton mint --user alice --profile-type autologin --allow-autologin

The permission also applies to links that were minted before.";

const DENY_EXAMPLES: &str = "\
Examples:
  jeton user deny-autologin alice
  jeton revoke --user alice                 revoke all links of the user as well";

/// List users, and allow or deny autologin profiles
///
/// Asks the admin API of the node on this machine, and signs in with the admin key.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

#[derive(Subcommand)]
enum UserCommand {
    /// List the users who have a profile or a permission
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// Output format
        #[arg(long, value_enum, default_value_t = UserFormat::Text)]
        format: UserFormat,
    },
    /// Allow a user autologin profiles, which need no password
    #[command(after_help = ALLOW_EXAMPLES)]
    AllowAutologin {
        /// Name of the user
        user: NewUserName,

        /// Output format
        #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
        format: ChangeFormat,
    },
    /// Deny a user autologin profiles, which need no password
    ///
    /// Links to such profiles are refused from now on. A profile that was downloaded before keeps
    /// working; to end that, revoke its certificate.
    #[command(after_help = DENY_EXAMPLES)]
    DenyAutologin {
        /// Name of the user
        user: UserName,

        /// Output format
        #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
        format: ChangeFormat,
    },
}

pub(crate) fn run(args: UserArgs, global: &Global) -> Result<(), Failure> {
    let config = global.load()?;
    let node = AdminClient::open(&config, &args.passphrase)?;
    match args.command {
        UserCommand::List { format } => output::show(&written(&node.users()?, format)?),
        UserCommand::AllowAutologin { user, format } => {
            let user = user.name();
            node.permit(user, true)?;
            output::show(&permitted(user, true, format)?)?;
            // An error of the node is ignored here: the change is done.
            if node.users().is_ok_and(|users| !has_profile(&users, user)) {
                output::remark(&format!(
                    "warning: there is no profile for {user}; autologin is allowed anyway\n\
                     hint: if the name was mistyped: `jeton user deny-autologin {user}`; `jeton user \
                     list` lists the users"
                ));
            }
            Ok(())
        }
        UserCommand::DenyAutologin { user, format } => {
            node.permit(&user, false)?;
            output::show(&permitted(&user, false, format)?)?;
            output::remark(
                "Links to them are refused from now on. A profile that was downloaded before keeps \
                 working. To end that, revoke its certificate.",
            );
            Ok(())
        }
    }
}

fn has_profile(users: &[UserInfo], user: &UserName) -> bool {
    users.iter().any(|known| known.profile && known.user == *user)
}

fn permitted(user: &UserName, allowed: bool, format: ChangeFormat) -> Result<String, Failure> {
    if format == ChangeFormat::Json {
        let row = [("user", user.as_str().into()), ("autologin", allowed.into())];
        return Table::row(row).to_json_lines();
    }
    let may = if allowed { "may" } else { "may not" };
    Ok(format!("{user} {may} have autologin profiles\n"))
}

fn written(users: &[UserInfo], format: UserFormat) -> Result<String, Failure> {
    match format {
        UserFormat::Text => Ok(table(users).to_text()),
        UserFormat::Json => table(users).to_json(),
        UserFormat::Csv => table(users).to_csv(),
        UserFormat::Toml => {
            Ok(users_file::write(users.iter().map(|user| (&user.user, user.autologin))))
        }
    }
}

fn table(users: &[UserInfo]) -> Table {
    Table::of(
        users,
        &[
            ("user", |user| user.user.as_str().into()),
            ("autologin", |user| user.autologin.into()),
            ("profile", |user| user.profile.into()),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Vec<UserInfo> {
        serde_json::from_str(
            r#"[{"user":"alice","autologin":true,"profile":true},
                {"user":"bob","autologin":false,"profile":false}]"#,
        )
        .unwrap()
    }

    #[test]
    fn both_formats_have_the_permission() {
        let alice = UserName::new("alice").unwrap();
        let output = |allowed, format| permitted(&alice, allowed, format).unwrap();
        assert_eq!(output(true, ChangeFormat::Text), "alice may have autologin profiles\n");
        assert_eq!(output(false, ChangeFormat::Text), "alice may not have autologin profiles\n");
        assert_eq!(output(false, ChangeFormat::Json), "{\"user\":\"alice\",\"autologin\":false}\n");
    }

    #[test]
    fn finds_users_with_a_profile() {
        let has = |name| has_profile(&users(), &UserName::new(name).unwrap());
        assert_eq!((has("alice"), has("bob"), has("eve")), (true, false, false));
    }

    #[test]
    fn each_format_has_the_permissions() {
        let text = written(&users(), UserFormat::Text).unwrap();
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(
            plain,
            "USER   AUTOLOGIN  PROFILE\nalice  yes        yes\nbob    no         no\n"
        );
        assert_eq!(
            written(&users(), UserFormat::Csv).unwrap(),
            "user,autologin,profile\nalice,true,true\nbob,false,false\n"
        );
        let toml = written(&users(), UserFormat::Toml).unwrap();
        assert!(toml.contains("name = \"alice\"\nautologin = true\n"), "{toml}");
        assert!(toml.contains("name = \"bob\"\nautologin = false\n"), "{toml}");
    }
}
