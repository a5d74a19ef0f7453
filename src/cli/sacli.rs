//! `jeton sacli`: the words of OpenVPN Access Server's command line, for scripts
//! and fingers that know them.

use std::ffi::OsString;
use std::path::Path;
use std::slice;

use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::mint::Order;
use crate::random;
use crate::token::{Lifetime, ProfileKind, UseLimit, UserName};

use super::admin_client::{AdminClient, AdminError};
use super::failure::Failure;
use super::minting::MinterArgs;
use super::permission::{PermissionArgs, Permissions};
use super::{Global, output};

const EXAMPLES: &str = "\
Examples:
  jeton sacli --user alice AddProfileToken
  jeton sacli --user alice --profile_type autologin AddProfileToken
  jeton sacli --user alice --token_expire 1440 --token_usage_count 3 AddProfileToken

A link or a copy of this program that is named `sacli` does the same:
  sacli --user alice AddProfileToken";

/// The name under which the program is sacli alone.
const NAME: &str = "sacli";

/// Speak Access Server's command line
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SacliArgs {
    /// Whose profile the link gives
    #[arg(long)]
    user: Option<UserName>,

    /// Kind of profile: user-locked, autologin or server-locked
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
    #[arg(allow_negative_numbers = true)]
    token_usage_count: UseLimit,

    /// Of verbs that are not spoken here
    #[arg(long, hide = true)]
    id: Option<String>,

    /// Of verbs that are not spoken here
    #[arg(long, hide = true)]
    value: Option<String>,

    #[command(flatten)]
    minter: MinterArgs,

    #[command(flatten)]
    permission: PermissionArgs,

    /// What to do: AddProfileToken
    verb: String,
}

/// Returns `args` with `sacli` for a first argument, if the program was called
/// by that name; otherwise as they are.
pub(crate) fn argv(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<_> = args.into_iter().collect();
    let called = args.first().map(Path::new).and_then(Path::file_name);
    if called.is_some_and(|name| name == NAME) {
        args.insert(1, NAME.into());
    }
    args
}

/// Does what the verb says.
pub(crate) fn run(args: SacliArgs, global: &Global) -> Result<(), Failure> {
    if args.verb != "AddProfileToken" {
        return Err(not_spoken(&args.verb));
    }
    add_profile_token(args, global)
}

fn add_profile_token(args: SacliArgs, global: &Global) -> Result<(), Failure> {
    let user = args.user.ok_or_else(|| {
        Failure::say("AddProfileToken needs a user", "sacli --user NAME AddProfileToken")
    })?;
    let order = Order {
        user,
        kind: args.profile_type,
        lifetime: args.token_expire,
        uses: args.token_usage_count,
        network: None,
    };
    if order.kind == ProfileKind::Autologin {
        permissions(&args.permission, &args.minter, global)?.check(slice::from_ref(&order))?;
    }
    let minted = args.minter.open(global)?.mint(&[order], SystemClock.now(), random::fill)?;
    let line = |link: &str| format!("Added token, import URL {link}\n");
    output::show(&minted.iter().map(|minted| line(&minted.links.import)).collect::<String>())
}

/// Asks the node who may have autologin, and the command line where no node is
/// in reach.
fn permissions(
    permission: &PermissionArgs,
    minter: &MinterArgs,
    global: &Global,
) -> Result<Permissions, Failure> {
    let Ok(config) = Config::load(global.config.as_deref()) else {
        return permission.read();
    };
    let Ok(node) = AdminClient::open(&config, &minter.passphrase) else {
        return permission.read();
    };
    match ask(&node)? {
        Some(permissions) => Ok(permissions),
        None => permission.read(),
    }
}

/// Asks the node; `None` if it is not in reach.
fn ask(node: &AdminClient) -> Result<Option<Permissions>, AdminError> {
    match node.users() {
        Ok(users) => {
            let allowed = users.into_iter().filter(|user| user.autologin).map(|user| user.user);
            Ok(Some(Permissions::Listed(allowed.collect())))
        }
        Err(AdminError::Unreachable { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads minutes as Access Server counts them.
fn minutes(text: &str) -> Result<Lifetime, String> {
    let lifetime = text.parse::<u32>().ok().and_then(|minutes| minutes.checked_mul(60));
    lifetime
        .and_then(|seconds| Lifetime::from_seconds(seconds).ok())
        .ok_or_else(|| format!("a number of minutes from 1 to {}", Lifetime::MAX.seconds() / 60))
}

/// Names the command that does what a verb of Access Server does.
fn not_spoken(verb: &str) -> Failure {
    let hint = match verb {
        "ListProfileTokens" => "`jeton list` shows the links that may still be used",
        "DeleteProfileToken" => "`jeton revoke ID` refuses a link from now on",
        "GetUserlogin" | "GetAutologin" | "GetGeneric" => {
            "`jeton mint --user NAME` makes a link that gives the profile"
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
        _ => "of Access Server's verbs jeton speaks AddProfileToken; `jeton help` shows the rest",
    };
    Failure::say(format!("the verb {verb} is not spoken here"), hint)
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::super::fake_node::FakeNode;
    use super::*;
    use crate::mint::tests::order;
    use crate::token::SigningKey;

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
            assert!(said.contains("a number of minutes from 1 to 527040"), "{said}");
        }
        for value in ["0", "-1", "x"] {
            let said = parsed(&format!("--user a --token_usage_count {value} AddProfileToken"));
            let said = said.err().unwrap().to_string();
            assert!(said.contains("uses are a number from 1"), "{said}");
        }
        assert!(parsed("--token_expire 527040 AddProfileToken").is_ok());
    }

    #[test]
    fn other_verbs_name_the_command_to_use() {
        for (line, command) in [
            ("ListProfileTokens", "jeton list"),
            ("--id abc DeleteProfileToken", "jeton revoke"),
            (
                "--user a --key prop_autologin --value true UserPropPut",
                "jeton user allow-autologin",
            ),
            ("Whatever", "AddProfileToken"),
        ] {
            let said = run(parsed(line).unwrap(), &Global::default()).unwrap_err().to_string();
            assert!(said.contains("is not spoken here\nhint: "), "{said}");
            assert!(said.contains(command), "{said}");
        }
    }

    #[test]
    fn the_program_called_sacli_is_sacli() {
        let argv = |line: &str| argv(line.split(' ').map(OsString::from));
        assert_eq!(
            argv("/usr/bin/sacli --user a X"),
            ["/usr/bin/sacli", "sacli", "--user", "a", "X"]
        );
        assert_eq!(argv("sacli"), ["sacli", "sacli"]);
        assert_eq!(argv("/opt/sacli/jeton list"), ["/opt/sacli/jeton", "list"]);
        assert_eq!(argv("jeton sacli X"), ["jeton", "sacli", "X"]);
    }

    #[test]
    fn the_node_says_who_may_have_autologin() {
        let answer = r#"{"users":[{"user":"alice","autologin":true,"profile":true},
                                  {"user":"bob","autologin":false,"profile":true}]}"#;
        let node = FakeNode::answering([(200, answer)]);
        let client = AdminClient::new(node.address(), SigningKey::from_seed(&[9; 32]));
        let permissions = ask(&client).unwrap().unwrap();
        let autologin = |user| [Order { kind: ProfileKind::Autologin, ..order(user) }];
        assert!(permissions.check(&autologin("alice")).is_ok());
        let said = permissions.check(&autologin("bob")).unwrap_err().to_string();
        assert!(said.starts_with("error: need autologin\n"), "{said}");
    }

    #[test]
    fn a_node_out_of_reach_is_no_failure_but_a_refusal_is() {
        let client = AdminClient::new(FakeNode::nobody(), SigningKey::from_seed(&[9; 32]));
        assert!(ask(&client).unwrap().is_none());
        let node = FakeNode::answering([(403, r#"{"error":{"code":"x","message":"no"}}"#)]);
        let client = AdminClient::new(node.address(), SigningKey::from_seed(&[9; 32]));
        assert!(ask(&client).is_err());
    }
}
