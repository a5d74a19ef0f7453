//! `jeton user`: who has a profile, and who may have it without a password.

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

A user without a profile was allowed or denied something, and gets nothing.";

const ALLOW_EXAMPLES: &str = "\
Examples:
  jeton user allow-autologin alice
  jeton mint --user alice --profile-type autologin --allow-autologin

Whoever holds such a profile needs no password. It holds for links that are out too.";

const DENY_EXAMPLES: &str = "\
Examples:
  jeton user deny-autologin alice
  jeton revoke --user alice                 and all links of hers besides";

/// List users, and allow or deny them autologin profiles
///
/// Asks the admin API of the node on this machine, as the admin key allows.
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
    /// List the users that have a profile or a permission
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// How to write the result
        #[arg(long, value_enum, default_value_t = UserFormat::Text)]
        format: UserFormat,
    },
    /// Allow a user profiles that ask for no password
    #[command(after_help = ALLOW_EXAMPLES)]
    AllowAutologin {
        /// Whom
        user: NewUserName,

        /// How to write the result
        #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
        format: ChangeFormat,
    },
    /// Deny a user profiles that ask for no password
    ///
    /// Links to such profiles are refused from now on. A profile that was
    /// downloaded before goes on working: revoke its certificate to end it.
    #[command(after_help = DENY_EXAMPLES)]
    DenyAutologin {
        /// Whom
        user: UserName,

        /// How to write the result
        #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
        format: ChangeFormat,
    },
}

/// Lists users, or changes one.
pub(crate) fn run(args: UserArgs, global: &Global) -> Result<(), Failure> {
    let config = global.load()?;
    let node = AdminClient::open(&config, &args.passphrase)?;
    match args.command {
        UserCommand::List { format } => output::show(&written(&node.users()?, format)?),
        UserCommand::AllowAutologin { user, format } => {
            let user = user.name();
            node.permit(user, true)?;
            output::show(&permitted(user, true, format)?)?;
            // A node that does not tell is no failure: what was asked for is done.
            if node.users().is_ok_and(|users| !has_profile(&users, user)) {
                output::remark(&format!(
                    "warning: there is no profile for {user}; it is allowed all the same\n\
                     hint: if it was mistyped: `jeton user deny-autologin {user}`, and `jeton user \
                     list` shows the users"
                ));
            }
            Ok(())
        }
        UserCommand::DenyAutologin { user, format } => {
            node.permit(&user, false)?;
            output::show(&permitted(&user, false, format)?)?;
            output::remark(
                "Links to them are refused from now on. A profile that was downloaded before goes \
                 on working: revoke its certificate to end it.",
            );
            Ok(())
        }
    }
}

fn has_profile(users: &[UserInfo], user: &UserName) -> bool {
    users.iter().any(|known| known.profile && known.user == *user)
}

/// Says what is allowed now.
fn permitted(user: &UserName, allowed: bool, format: ChangeFormat) -> Result<String, Failure> {
    if format == ChangeFormat::Json {
        let mut table = Table::new(&["user", "autologin"]);
        table.add([user.as_str().into(), allowed.into()]);
        return table.to_json_lines();
    }
    let may = if allowed { "may" } else { "may not" };
    Ok(format!("{user} {may} have autologin profiles\n"))
}

fn written(users: &[UserInfo], format: UserFormat) -> Result<String, Failure> {
    match format {
        UserFormat::Text => Ok(for_people(users).to_text()),
        UserFormat::Json => for_programs(users).to_json(),
        UserFormat::Csv => for_programs(users).to_csv(),
        UserFormat::Toml => {
            Ok(users_file::write(users.iter().map(|user| (&user.user, user.autologin))))
        }
    }
}

fn for_people(users: &[UserInfo]) -> Table {
    let mut table = Table::new(&["user", "autologin", "profile"]);
    let answer = |yes| if yes { "yes" } else { "no" };
    for user in users {
        table.add([
            user.user.as_str().into(),
            answer(user.autologin).into(),
            answer(user.profile).into(),
        ]);
    }
    table
}

fn for_programs(users: &[UserInfo]) -> Table {
    let mut table = Table::new(&["user", "autologin", "profile"]);
    for user in users {
        table.add([user.user.as_str().into(), user.autologin.into(), user.profile.into()]);
    }
    table
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
    fn what_is_allowed_is_said_to_people_and_programs() {
        let alice = UserName::new("alice").unwrap();
        let said = |allowed, format| permitted(&alice, allowed, format).unwrap();
        assert_eq!(said(true, ChangeFormat::Text), "alice may have autologin profiles\n");
        assert_eq!(said(false, ChangeFormat::Text), "alice may not have autologin profiles\n");
        assert_eq!(said(false, ChangeFormat::Json), "{\"user\":\"alice\",\"autologin\":false}\n");
    }

    #[test]
    fn a_user_without_a_profile_has_none() {
        let has = |name| has_profile(&users(), &UserName::new(name).unwrap());
        assert_eq!((has("alice"), has("bob"), has("eve")), (true, false, false));
    }

    #[test]
    fn each_form_says_who_may_have_autologin() {
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
