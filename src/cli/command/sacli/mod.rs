//! `jeton sacli`: the words of OpenVPN Access Server's command line, for scripts
//! and fingers that know them. Each verb has a file of its own.

mod add;
mod delete;
mod list;

use std::ffi::OsString;
use std::path::Path;

use clap::Parser;

use crate::cli::Stop;
use crate::cli::client::AdminClient;
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

Type `jeton sacli` for `sacli`, or give this program that name as well:
  ln -s \"$(command -v jeton)\" /usr/local/sbin/sacli

AddProfileToken asks the node on this machine whether there is such a user, and who
may have autologin, and tells it of the link. Without a node in reach it mints all
the same; then --users or --allow-autologin says who may have autologin.";

/// The name under which the program is sacli alone.
const NAME: &str = "sacli";

/// The verbs that are spoken, as Access Server writes them.
const ADD: &str = "AddProfileToken";
const LIST: &str = "ListProfileTokens";
const DELETE: &str = "DeleteProfileToken";

/// Speak Access Server's command line
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SacliArgs {
    /// Whose profile the link gives; whose links are listed
    #[arg(long)]
    user: Option<UserName>,

    /// Kind of profile: user-locked (also userlogin), autologin or server-locked
    /// (also generic)
    #[arg(
        long = "profile_type",
        visible_alias = "token_profile",
        value_name = "KIND",
        default_value_t
    )]
    profile_type: ProfileKind,

    /// When the link expires, in minutes
    #[arg(long = "token_expire", value_name = "MIN", default_value = "60", value_parser = minutes)]
    #[arg(allow_negative_numbers = true)]
    token_expire: Lifetime,

    /// How often it may be used
    #[arg(long = "token_usage_count", value_name = "N", default_value_t = UseLimit::ONCE)]
    #[arg(allow_negative_numbers = true, value_parser = uses)]
    token_usage_count: UseLimit,

    /// The link to delete: its id, its token, one of its URLs, or `-` for stdin
    #[arg(long, value_name = "ID|TOKEN|URL")]
    id: Option<String>,

    /// How ListProfileTokens writes the result
    #[arg(long, value_enum, default_value_t = ListFormat::Text, hide_possible_values = true)]
    #[arg(help = "How ListProfileTokens writes the result: text, json or csv")]
    format: ListFormat,

    /// Of verbs that are not spoken here
    #[arg(long, hide = true)]
    value: Option<String>,

    #[command(flatten)]
    minter: MinterArgs,

    #[command(flatten)]
    permission: PermissionArgs,

    /// What to do: AddProfileToken, ListProfileTokens or DeleteProfileToken
    verb: String,
}

/// Speak Access Server's command line
#[derive(Parser)]
#[command(name = NAME, version, max_term_width = 100)]
struct Called {
    #[command(flatten)]
    args: SacliArgs,
    // It comes last: its heading would stand above all that follows.
    #[command(flatten)]
    global: Global,
}

/// Tells whether the program was called by the name sacli.
pub(crate) fn is_called(args: &[OsString]) -> bool {
    args.first().map(Path::new).and_then(Path::file_name).is_some_and(|name| name == NAME)
}

/// Runs the program that was called sacli.
pub(crate) fn run_called(arguments: Vec<OsString>) -> Result<(), Stop> {
    let Called { global, args } = Called::try_parse_from(arguments).map_err(Stop::Usage)?;
    Ok(run(args, &global)?)
}

/// Does what the verb says.
pub(crate) fn run(args: SacliArgs, global: &Global) -> Result<(), Failure> {
    contradiction(&args).map_or(Ok(()), Err)?;
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
            let id = args.id.ok_or_else(|| lacks(DELETE, "a token", "--id ID"))?;
            let config = global.load()?;
            let node = AdminClient::open(&config, &args.minter.passphrase)?;
            delete::run(&node, &id, &config.keys.trusted)
        }
        verb => Err(not_spoken(verb)),
    }
}

fn new_user(user: Option<UserName>) -> Result<NewUserName, Failure> {
    let user = user.ok_or_else(|| lacks(ADD, "a user", "--user NAME"))?;
    user.try_into().map_err(|error| Failure::new(&error, "give the user another name"))
}

fn lacks(verb: &str, what: &str, option: &str) -> Failure {
    Failure::say(format!("{verb} needs {what}"), format!("sacli {option} {verb}"))
}

/// Finds an option that the verb would not heed.
fn contradiction(args: &SacliArgs) -> Option<Failure> {
    let (verb, option, hint) = match args.verb.as_str() {
        ADD if args.id.is_some() => (
            ADD,
            "--id",
            "a new link gets an id of its own: leave --id out, or did you mean DeleteProfileToken?",
        ),
        LIST if args.id.is_some() => (
            LIST,
            "--id",
            "leave it out; `sacli --user NAME ListProfileTokens` lists a user's links",
        ),
        DELETE if args.user.is_some() => {
            (DELETE, "--user", "leave it out; for all links of a user: `jeton revoke --user NAME`")
        }
        _ => return None,
    };
    Some(Failure::say(format!("{verb} takes no {option}"), hint))
}

/// Reads how often a link may be used.
fn uses(text: &str) -> Result<UseLimit, String> {
    text.parse().map_err(|error| format!("{error}; for instance 3"))
}

/// Reads minutes as Access Server counts them.
fn minutes(text: &str) -> Result<Lifetime, String> {
    let lifetime = text.parse::<u32>().ok().and_then(|minutes| minutes.checked_mul(60));
    lifetime.and_then(|seconds| Lifetime::from_seconds(seconds).ok()).ok_or_else(|| {
        format!(
            "a number of minutes from 1 to {}; for instance 1440 for a day",
            Lifetime::MAX.seconds() / 60
        )
    })
}

/// Names the command that does what a verb of Access Server does.
fn not_spoken(verb: &str) -> Failure {
    let hint = match verb {
        "GetUserlogin" | "GetAutologin" | "GetGeneric" => {
            "`sacli --user NAME AddProfileToken` makes a link that gives the profile"
        }
        "UserPropPut" | "UserPropDel" => {
            "`jeton user allow-autologin NAME` and `jeton user deny-autologin NAME` set the one \
             property that jeton knows"
        }
        "UserPropGet" | "UserPropProfileCount" => {
            "`jeton user list` shows users and who may have autologin"
        }
        "start" | "stop" | "Reset" | "status" | "Status" => {
            "the system's service manager does that: `systemctl status jeton`"
        }
        _ => {
            "of Access Server's verbs jeton speaks AddProfileToken, ListProfileTokens and \
             DeleteProfileToken; `jeton help` shows the rest"
        }
    };
    Failure::say(format!("the verb {verb} is not spoken here"), hint)
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
    fn access_server_s_words_are_understood_in_any_order() {
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
    fn numbers_that_cannot_be_are_told() {
        for value in ["0", "-1", "x", "1.5", "527041", "99999999999"] {
            let said = parsed(&format!("--user a --token_expire {value} AddProfileToken"));
            let said = said.err().unwrap().to_string();
            assert!(
                said.contains("a number of minutes from 1 to 527040; for instance 1440"),
                "{said}"
            );
        }
        for value in ["0", "-1", "x"] {
            let said = parsed(&format!("--user a --token_usage_count {value} AddProfileToken"));
            let said = said.err().unwrap().to_string();
            assert!(said.contains("uses are a number from 1"), "{said}");
            assert!(said.contains("; for instance 3"), "{said}");
        }
        assert!(parsed("--token_expire 527040 AddProfileToken").is_ok());
    }

    #[test]
    fn access_server_s_other_names_for_kinds_are_understood() {
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
        let said = parsed("--profile_type all AddProfileToken").err().unwrap().to_string();
        assert!(said.contains("use user-locked, autologin or server-locked"), "{said}");
    }

    #[test]
    fn other_verbs_name_the_command_to_use() {
        for (line, command) in [
            ("--user a GetAutologin", "AddProfileToken"),
            (
                "--user a --key prop_autologin --value true UserPropPut",
                "jeton user allow-autologin",
            ),
            ("Whatever", "ListProfileTokens"),
        ] {
            let said = run(parsed(line).unwrap(), &Global::default()).unwrap_err().to_string();
            assert!(said.contains("is not spoken here\nhint: "), "{said}");
            assert!(said.contains(command), "{said}");
        }
    }

    #[test]
    fn options_that_a_verb_would_not_heed_are_refused() {
        for (line, said) in [
            ("--user alice --id foo AddProfileToken", "AddProfileToken takes no --id"),
            ("--id foo ListProfileTokens", "ListProfileTokens takes no --id"),
            ("--user alice --id foo DeleteProfileToken", "DeleteProfileToken takes no --user"),
        ] {
            let refused = run(parsed(line).unwrap(), &Global::default()).unwrap_err();
            assert_eq!(refused.reason(), said);
        }
    }

    #[test]
    fn a_verb_says_what_it_lacks() {
        for (verb, option) in [(ADD, "--user NAME"), (DELETE, "--id ID")] {
            let said = run(parsed(verb).unwrap(), &Global::default()).unwrap_err().to_string();
            assert!(said.contains(&format!("hint: sacli {option} {verb}")), "{said}");
        }
    }

    #[test]
    fn the_program_called_sacli_is_sacli() {
        for (line, called) in [
            ("/usr/bin/sacli --user a X", true),
            ("sacli", true),
            ("/opt/sacli/jeton list", false),
            ("jeton sacli X", false),
        ] {
            let args: Vec<_> = line.split(' ').map(OsString::from).collect();
            assert_eq!(is_called(&args), called, "{line}");
        }
        Called::command().debug_assert();
    }
}
