//! `jeton sacli`: the command line of OpenVPN Access Server, for people and scripts that use it.
//! Each verb has its own file.

mod add;
mod delete;
mod list;

use std::ffi::OsString;
use std::path::Path;

use clap::Parser;

use crate::cli::client::AdminClient;
use crate::cli::error::CliError;
use crate::cli::global::Global;
use crate::cli::minting::MinterArgs;
use crate::cli::minting::permission::PermissionArgs;
use crate::cli::terminal::format::ListFormat;
use crate::failure::Failure;
use crate::mint::Order;
use crate::token::{Lifetime, NewUserName, ProfileKind, UseLimit, UserName};

const EXAMPLES: &str = "\
Examples:
  sacli --user alice AddProfileToken
  sacli --user alice --profile_type autologin AddProfileToken
  sacli --user alice --token_expire=\"1200\" --token_usage_count=\"3\" AddProfileToken
  sacli ListProfileTokens
  sacli --id QmF0Y2hFeGFtcGxlSWQwMQ DeleteProfileToken

Run `jeton sacli`, or give this program the name `sacli` as well:
  ln -s \"$(command -v jeton)\" /usr/local/sbin/sacli

AddProfileToken asks the node on this machine for its users and their permissions, and
records the link there. Without a reachable node it mints the link anyway; then --users or
--allow-autologin permits autologin.";

/// Under this name, the program is sacli only.
const NAME: &str = "sacli";

/// The supported verbs of Access Server.
const ADD: &str = "AddProfileToken";
const LIST: &str = "ListProfileTokens";
const DELETE: &str = "DeleteProfileToken";

/// Use the command line of OpenVPN Access Server
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SacliArgs {
    /// User of the new link, or of the listed links
    #[arg(long)]
    user: Option<UserName>,

    /// Kind of profile: user-locked (or userlogin), autologin, or server-locked (or generic)
    #[arg(
        long = "profile_type",
        visible_alias = "token_profile",
        value_name = "KIND",
        default_value_t
    )]
    profile_type: ProfileKind,

    /// Lifetime of the link in minutes
    #[arg(long = "token_expire", value_name = "MIN", default_value = "60", value_parser = minutes)]
    #[arg(allow_negative_numbers = true)]
    token_expire: Lifetime,

    /// Number of uses
    #[arg(long = "token_usage_count", value_name = "N", default_value_t = UseLimit::ONCE)]
    #[arg(allow_negative_numbers = true, value_parser = uses)]
    token_usage_count: UseLimit,

    /// Link to delete: its id, its token, one of its URLs, or `-` for stdin
    #[arg(long, value_name = "ID|TOKEN|URL")]
    id: Option<String>,

    /// Output format of ListProfileTokens: text, json or csv
    #[arg(long, value_enum, default_value_t = ListFormat::Text, hide_possible_values = true)]
    format: ListFormat,

    /// An option of verbs that are not supported
    #[arg(long, hide = true)]
    value: Option<String>,

    #[command(flatten)]
    minter: MinterArgs,

    #[command(flatten)]
    permission: PermissionArgs,

    /// Verb: AddProfileToken, ListProfileTokens or DeleteProfileToken
    verb: String,
}

/// Use the command line of OpenVPN Access Server
#[derive(Parser)]
#[command(name = NAME, version, max_term_width = 100)]
struct SacliCommand {
    #[command(flatten)]
    args: SacliArgs,
    // Comes last, because its heading applies to all options after it.
    #[command(flatten)]
    global: Global,
}

/// Returns `true` if the program was called by the name `sacli`.
pub(crate) fn is_called(args: &[OsString]) -> bool {
    args.first().map(Path::new).and_then(Path::file_name).is_some_and(|name| name == NAME)
}

pub(crate) fn run_called(arguments: Vec<OsString>) -> Result<(), CliError> {
    let SacliCommand { global, args } =
        SacliCommand::try_parse_from(arguments).map_err(CliError::Usage)?;
    Ok(run(args, &global)?)
}

pub(crate) fn run(args: SacliArgs, global: &Global) -> Result<(), Failure> {
    unsupported_option(&args).map_or(Ok(()), Err)?;
    match args.verb.as_str() {
        ADD => {
            let order = Order {
                user: new_user(args.user)?,
                kind: args.profile_type,
                lifetime: args.token_expire,
                uses: args.token_usage_count,
                network: None,
            };
            add::run(&order, &args.minter, &args.permission, global)
        }
        LIST => {
            let node = AdminClient::open(&global.load()?, &args.minter.passphrase)?;
            list::run(&node, args.user, args.format)
        }
        DELETE => {
            let id = args.id.ok_or_else(|| missing(DELETE, "a token", "--id ID"))?;
            let config = global.load()?;
            let node = AdminClient::open(&config, &args.minter.passphrase)?;
            delete::run(&node, &id, &config.keys.trusted)
        }
        verb => Err(unsupported_verb(verb)),
    }
}

fn new_user(user: Option<UserName>) -> Result<NewUserName, Failure> {
    let user = user.ok_or_else(|| missing(ADD, "a user", "--user NAME"))?;
    user.try_into().map_err(|error| Failure::new(&error, "give the user another name"))
}

fn missing(verb: &str, what: &str, option: &str) -> Failure {
    Failure::say(format!("{verb} needs {what}"), format!("sacli {option} {verb}"))
}

/// Returns a failure if an option has no effect on the verb.
fn unsupported_option(args: &SacliArgs) -> Option<Failure> {
    let (verb, option, hint) = match args.verb.as_str() {
        ADD if args.id.is_some() => (
            ADD,
            "--id",
            "a new link gets its own id: omit --id, or did you mean DeleteProfileToken?",
        ),
        LIST if args.id.is_some() => {
            (LIST, "--id", "omit it; `sacli --user NAME ListProfileTokens` lists a user's links")
        }
        DELETE if args.user.is_some() => {
            (DELETE, "--user", "omit it; for all links of a user: `jeton revoke --user NAME`")
        }
        _ => return None,
    };
    Some(Failure::say(format!("{verb} does not support {option}"), hint))
}

fn uses(text: &str) -> Result<UseLimit, String> {
    text.parse().map_err(|error| format!("{error}; for instance 3"))
}

fn minutes(text: &str) -> Result<Lifetime, String> {
    let lifetime = text.parse::<u32>().ok().and_then(|minutes| minutes.checked_mul(60));
    lifetime.and_then(|seconds| Lifetime::from_seconds(seconds).ok()).ok_or_else(|| {
        format!(
            "expected a number of minutes from 1 to {}; for instance 1440 for a day",
            Lifetime::MAX.seconds() / 60
        )
    })
}

/// Returns the failure of a verb that is not supported; the hint names the command to use instead.
fn unsupported_verb(verb: &str) -> Failure {
    let hint = match verb {
        "GetUserlogin" | "GetAutologin" | "GetGeneric" => {
            "`sacli --user NAME AddProfileToken` mints a link to the profile"
        }
        "UserPropPut" | "UserPropDel" => {
            "`jeton user allow-autologin NAME` and `jeton user deny-autologin NAME` set the only \
             property that jeton has"
        }
        "UserPropGet" | "UserPropProfileCount" => {
            "`jeton user list` lists the users and who may have autologin"
        }
        "start" | "stop" | "Reset" | "status" | "Status" => {
            "use the service manager: `systemctl status jeton`"
        }
        _ => {
            "jeton supports AddProfileToken, ListProfileTokens and DeleteProfileToken; `jeton help` \
             lists its own commands"
        }
    };
    Failure::say(format!("the verb {verb} is not supported"), hint)
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, CommandFactory as _, FromArgMatches as _};

    use super::*;

    fn parsed(line: &str) -> Result<SacliArgs, clap::Error> {
        let command = SacliArgs::augment_args(clap::Command::new("sacli"));
        let matches =
            command.try_get_matches_from(["sacli"].into_iter().chain(line.split_whitespace()))?;
        SacliArgs::from_arg_matches(&matches)
    }

    #[test]
    fn parses_options_and_the_verb_in_any_order() {
        for line in [
            "--user alice --profile_type autologin --token_expire 1440 --token_usage_count 3 \
             AddProfileToken",
            "AddProfileToken --token_profile autologin --token_usage_count=3 --user=alice \
             --token_expire=1440",
        ] {
            let args = parsed(line).unwrap();
            assert_eq!(args.user, Some(UserName::new("alice").unwrap()));
            assert_eq!(args.profile_type, ProfileKind::Autologin);
            assert_eq!(args.token_expire.seconds(), 86_400);
            assert_eq!(args.token_usage_count.to_string(), "3");
            assert_eq!(args.verb, "AddProfileToken");
        }
        let args = parsed("--user alice AddProfileToken").unwrap();
        assert_eq!(args.profile_type, ProfileKind::UserLocked);
        assert_eq!((args.token_expire.seconds(), args.token_usage_count), (3_600, UseLimit::ONCE));
    }

    #[test]
    fn rejects_invalid_numbers() {
        for value in ["0", "-1", "x", "1.5", "527041", "99999999999"] {
            let error = parsed(&format!("--user a --token_expire {value} AddProfileToken"));
            let error = error.err().unwrap().to_string();
            assert!(
                error.contains("a number of minutes from 1 to 527040; for instance 1440"),
                "{error}"
            );
        }
        for value in ["0", "-1", "x"] {
            let error = parsed(&format!("--user a --token_usage_count {value} AddProfileToken"));
            let error = error.err().unwrap().to_string();
            assert!(error.contains("uses are a number from 1"), "{error}");
            assert!(error.contains("; for instance 3"), "{error}");
        }
        assert!(parsed("--token_expire 527040 AddProfileToken").is_ok());
    }

    #[test]
    fn parses_the_other_names_of_kinds() {
        for (name, kind) in [
            ("userlogin", ProfileKind::UserLocked),
            ("autologin", ProfileKind::Autologin),
            ("generic", ProfileKind::ServerLocked),
        ] {
            for option in ["--profile_type", "--token_profile"] {
                let args = parsed(&format!("{option}={name} AddProfileToken")).unwrap();
                assert_eq!(args.profile_type, kind);
            }
        }
        let error = parsed("--profile_type all AddProfileToken").err().unwrap().to_string();
        assert!(error.contains("use user-locked, autologin or server-locked"), "{error}");
    }

    #[test]
    fn the_hint_for_other_verbs_names_the_command_to_use() {
        for (line, command) in [
            ("--user a GetAutologin", "AddProfileToken"),
            (
                "--user a --key prop_autologin --value true UserPropPut",
                "jeton user allow-autologin",
            ),
            ("Whatever", "ListProfileTokens"),
        ] {
            let failure = run(parsed(line).unwrap(), &Global::default()).unwrap_err().to_string();
            assert!(failure.contains("is not supported\nhint: "), "{failure}");
            assert!(failure.contains(command), "{failure}");
        }
    }

    #[test]
    fn rejects_options_that_have_no_effect_on_a_verb() {
        for (line, reason) in [
            ("--user alice --id foo AddProfileToken", "AddProfileToken does not support --id"),
            ("--id foo ListProfileTokens", "ListProfileTokens does not support --id"),
            ("--user a --id foo DeleteProfileToken", "DeleteProfileToken does not support --user"),
        ] {
            let failure = run(parsed(line).unwrap(), &Global::default()).unwrap_err();
            assert_eq!(failure.reason(), reason);
        }
    }

    #[test]
    fn the_hint_names_a_missing_option() {
        for (verb, option) in [(ADD, "--user NAME"), (DELETE, "--id ID")] {
            let failure = run(parsed(verb).unwrap(), &Global::default()).unwrap_err().to_string();
            assert!(failure.contains(&format!("hint: sacli {option} {verb}")), "{failure}");
        }
    }

    #[test]
    fn recognizes_the_program_name_sacli() {
        for (line, called) in [
            ("/usr/bin/sacli --user a X", true),
            ("sacli", true),
            ("/opt/sacli/jeton list", false),
            ("jeton sacli X", false),
        ] {
            let args: Vec<_> = line.split(' ').map(OsString::from).collect();
            assert_eq!(is_called(&args), called, "{line}");
        }
        SacliCommand::command().debug_assert();
    }
}
