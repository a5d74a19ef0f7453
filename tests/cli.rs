//! The command line as a user sees it: stdout, stderr and exit codes. `SNAPSHOTS=overwrite` updates
//! the expected output in `tests/cmd/`; read the diff before you commit it.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made fails its test")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use snapbox::cmd::Command;
use snapbox::{Assert, Data, Redactions};
use tempfile::TempDir;

#[path = "support/footprint.rs"]
mod footprint;
use footprint::footprints;

/// A working directory, and the redactions of every snapshot.
struct Terminal {
    temp: TempDir,
    assert: Assert,
}

impl Terminal {
    fn open() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let mut redactions = Redactions::new();
        redactions.insert("[DIR]", temp.path().to_owned()).unwrap();
        let assert = Assert::new().action_env("SNAPSHOTS").redact_with(redactions);
        Self { temp, assert }
    }

    fn jeton(&self, arguments: &[&str]) -> Command {
        Command::new(snapbox::cmd::cargo_bin!("jeton"))
            .with_assert(self.assert.clone())
            .env_clear()
            .current_dir(self.temp.path())
            .args(arguments)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// Opens a terminal and runs `init` in its directory.
    fn with_init(arguments: &[&str]) -> Self {
        let terminal = Self::open();
        terminal.jeton(&[&["init"], arguments].concat()).assert().success();
        terminal
    }
}

fn snapshot(name: &str) -> Data {
    Data::read_from(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd").join(name), None).raw()
}

/// Walks the tree of commands, so that none is missed.
#[test]
fn every_command_has_help_with_examples() {
    let terminal = Terminal::open();
    let mut waiting = vec![(Vec::new(), false)];
    while let Some((command, parent_has_examples)) = waiting.pop() {
        let arguments = [command.as_slice(), &["--help".to_owned()]].concat();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let help = terminal.jeton(&arguments).assert().success().get_output().stdout.clone();
        let help = String::from_utf8(help).unwrap();
        let subcommands = commands_in(&help);
        // A command with subcommands may have the examples, or each subcommand has its own.
        let has_examples = parent_has_examples || help.contains("\nExamples:\n");
        assert!(!subcommands.is_empty() || has_examples, "{command:?} has no examples");
        let name = [&["jeton".to_owned()], command.as_slice()].concat().join("-");
        terminal.assert.eq(help, snapshot(&format!("help/{name}.txt")));
        for one in subcommands {
            let command_line = [command.as_slice(), &[one]].concat();
            waiting.push((command_line, has_examples && !command.is_empty()));
        }
    }
}

/// Returns the names in the list of commands of a help text.
fn commands_in(help: &str) -> Vec<String> {
    let list = help.split_once("\nCommands:\n").map_or("", |(_, list)| list);
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The address of an unreachable node: nothing listens on port 1.
const NO_NODE: &str = "127.0.0.1:1";

/// Runs the program through a symlink named `sacli`, without a reachable node.
fn sacli(terminal: &Terminal, arguments: &[&str]) -> Command {
    let link = terminal.path("sacli");
    if !link.exists() {
        symlink(snapbox::cmd::cargo_bin!("jeton"), &link).unwrap();
    }
    Command::new(link)
        .with_assert(terminal.assert.clone())
        .env_clear()
        .env("JETON_ADMIN_LISTEN", NO_NODE)
        .current_dir(terminal.temp.path())
        .args(arguments)
}

#[test]
fn a_symlink_named_sacli_accepts_the_options_of_access_server() {
    let terminal = Terminal::with_init(&["--public-url", "https://vpn.example.com"]);
    let added = "Added token, import URL openvpn://import-profile/https://vpn.example.com/rest/\
                 GetProfileViaToken?token=[..]\n";
    let spoken: [&[&str]; 3] = [
        &["--user", "alice", "AddProfileToken"],
        &["AddProfileToken", "--token_usage_count=3", "--user=alice", "--token_expire=1200"],
        &["--token_profile", "generic", "--user", "alice", "AddProfileToken"],
    ];
    for words in spoken {
        sacli(&terminal, words).assert().success().stdout_eq(added).stderr_eq(
            "No node is reachable: user and permission are not checked, and ListProfileTokens does \
             not list the link before its first use.\n",
        );
    }
    let autologin = ["--user", "alice", "--profile_type", "autologin", "AddProfileToken"];
    sacli(&terminal, &autologin)
        .assert()
        .code(1)
        .stdout_eq("")
        .stderr_eq("No node is reachable: [..]\nerror: need autologin\nhint: name a file [..]\n");
    sacli(&terminal, &[&autologin[..], &["--allow-autologin"]].concat()).assert().success();
    // An id that begins with a hyphen is not an option.
    for words in [
        &["ListProfileTokens"][..],
        &["--id", "-T3cgGZ1YSY-MJCwbrhQYw", "DeleteProfileToken"],
        &["DeleteProfileToken", "--id=-T3cgGZ1YSY-MJCwbrhQYw"],
    ] {
        let unreachable = "error: cannot reach the admin API at [..]\nhint: [..]\n";
        sacli(&terminal, words).assert().code(1).stdout_eq("").stderr_eq(unreachable);
    }
    sacli(&terminal, &["--id", "AQEB", "DeleteProfileToken"]).assert().code(1).stderr_eq(
        "error: `AQEB` is not the id of a link, and too short for a token\nhint: [..]\n",
    );
}

#[test]
fn a_symlink_named_sacli_has_its_own_help() {
    let terminal = Terminal::open();
    let help = sacli(&terminal, &["--help"]).assert().success().get_output().stdout.clone();
    let help = String::from_utf8(help).unwrap();
    assert!(help.contains("\nUsage: sacli [OPTIONS] <VERB>\n"), "{help}");
    terminal.assert.eq(help, snapshot("help/sacli.txt"));
    sacli(&terminal, &["--user", "a/b", "X"]).assert().code(2).stdout_eq("");
}

#[test]
fn admin_link_prints_the_link_to_stdout_and_the_explanation_to_stderr() {
    let terminal = Terminal::with_init(&[]);
    let link = terminal.jeton(&["admin-link", "--role", "operator", "--user", "carol"]);
    let link = link.assert().success().stdout_eq("http://127.0.0.1:8444/sign-in#[..]\n").stderr_eq(
        snapbox::str![[r#"
This link signs carol in as operator until [..].
Open it in a browser on this machine. From another machine: ssh -L 8444:127.0.0.1:8444 HOST
Anyone who has it can sign in. To end it: jeton revoke [..]

"#]],
    );
    let link = String::from_utf8(link.get_output().stdout.clone()).unwrap();
    let read = terminal.jeton(&["inspect", link.trim()]).assert().success();
    let read = String::from_utf8(read.get_output().stdout.clone()).unwrap();
    for fact in ["signature  valid", "user       carol", "role       operator (no profile)"] {
        assert!(read.lines().any(|line| line == fact), "{fact} in {read}");
    }
    let token = terminal.jeton(&["admin-link", "--format", "token"]).assert().success();
    let token = String::from_utf8(token.get_output().stdout.clone()).unwrap();
    assert!(!token.contains('/') && token.lines().count() == 1);
    terminal.jeton(&["admin-link", "--expires", "0s"]).assert().code(1).stdout_eq("");
    terminal
        .jeton(&["admin-link"])
        .env("JETON_ADMIN_LISTEN", "off")
        .assert()
        .code(1)
        .stdout_eq("")
        .stderr_eq("error: the admin door is off\nhint: [..]\n");
}

#[test]
fn mints_nothing_if_the_node_is_unreachable_for_recording() {
    let terminal = Terminal::with_init(&["--public-url", "https://vpn.example.com"]);
    terminal
        .jeton(&["mint", "--user", "alice", "--record"])
        .env("JETON_ADMIN_LISTEN", NO_NODE)
        .assert()
        .code(1)
        .stdout_eq("")
        .stderr_eq("error: cannot reach the admin API at [..]\nhint: [..]\n");
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    let terminal = Terminal::open();
    terminal.jeton(&["mnit"]).assert().code(2).stdout_eq("");
    terminal.jeton(&["init", "--frob"]).assert().code(2).stdout_eq("");
    terminal.jeton(&["init", "--public-url", "http://vpn.example.com"]).assert().code(2).stderr_eq(
        snapbox::str![[r#"
error: invalid value 'http://vpn.example.com' for '--public-url <URL>': the public URL does not begin with https://

For more information, try '--help'.

"#]],
    );
    terminal.jeton(&["--version"]).assert().code(0);
}

#[test]
fn the_printed_example_is_a_valid_configuration() {
    let terminal = Terminal::open();
    let example = terminal.jeton(&["config", "example"]).assert().success();
    let example = example.stdout_eq(snapshot("../../src/config/example.toml"));
    let example = example.get_output().stdout.clone();
    fs::write(terminal.path("jeton.toml"), example).unwrap();
    // Only the missing settings are reported.
    terminal.jeton(&["config", "check", "--for", "mint"]).assert().code(1).stderr_eq(
        snapbox::str![[r#"
jeton.toml: `public_url` is missing: every link begins with it
jeton.toml: `keys.signing` is missing: minting needs a private key
error: 2 problems in jeton.toml, see above
hint: `jeton config example` shows every key

"#]],
    );
    let check = ["config", "check", "--for", "mint", "--format", "json"];
    terminal.jeton(&check).assert().code(1).stdout_eq(
        "{\"faults\":[\"`public_url` is missing: every link begins with it\",\"`keys.signing` is missing: \
         minting needs a private key\"],\"file\":\"jeton.toml\"}\n",
    );
}

#[test]
fn init_creates_a_node_that_passes_the_check() {
    let terminal = Terminal::open();
    let init = ["init", "--demo", "--dir", "node"];
    terminal
        .jeton(&init)
        .assert()
        .success()
        .stdout_eq(snapbox::str![[r#"
node/keys/trusted/profile/[..].pem
node/keys/trusted/admin/[..].pem
node/keys/signing/profile-[..].pem
node/keys/signing/admin-[..].pem
node/ledger
node/tls/cert.pem
node/tls/key.pem
node/jeton.toml

"#]])
        .stderr_eq(snapbox::str![[r#"

Next:
  jeton serve --config node/jeton.toml
  jeton mint --config node/jeton.toml --user alice

"#]]);
    let before = footprints(&terminal.path("node"));
    terminal
        .jeton(&["config", "check"])
        .env("JETON_CONFIG", "node/jeton.toml")
        .assert()
        .success()
        .stdout_eq("node/jeton.toml: no problems\n");
    terminal
        .jeton(&["config", "check", "--format", "json"])
        .env("JETON_CONFIG", "node/jeton.toml")
        .assert()
        .success()
        .stdout_eq("{\"faults\":[],\"file\":\"node/jeton.toml\"}\n");
    assert_eq!(footprints(&terminal.path("node")), before);
}

#[test]
fn a_second_init_changes_nothing() {
    let terminal = Terminal::with_init(&["--public-url", "https://vpn.example.com"]);
    let before = footprints(terminal.temp.path());
    terminal.jeton(&["init"]).assert().code(1).stdout_eq("").stderr_eq(snapbox::str![[r#"
error: ./keys already exists
hint: nothing was changed; name a new directory with --dir DIR

"#]]);
    assert_eq!(footprints(terminal.temp.path()), before);
}

#[test]
fn an_init_that_fails_leaves_nothing_behind() {
    let terminal = Terminal::open();
    fs::write(terminal.path("file"), "").unwrap();
    for dir in ["file/node", "no/such/node", "file"] {
        terminal.jeton(&["init", "--dir", dir]).assert().code(1).stdout_eq("");
    }
    assert_eq!(footprints(terminal.temp.path()).len(), 1);
}

#[test]
fn config_check_reports_every_problem_at_once() {
    let terminal = Terminal::with_init(&["--dir", "node"]);
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    fs::write(terminal.path("other.key"), key).unwrap();
    fs::set_permissions(terminal.path("other.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let faulty = r#"
public_url = "https://vpn.example.com/x"
color = "red"
[public]
listen = "443"
tls_cert = "node/tls/cert.pem"
tls_key = "other.key"
trusted_proxies = ["10.0.0.1/8"]
[keys]
trusted = "no/keys"
[profiles]
source = "easy-rsa"
pki = "no/pki"
[ledger]
dir = "no/ledger"
[limits]
connections = "many"
[admin]
signing_key = "no.pem"
[log]
audit = "other.key"
"#;
    fs::write(terminal.path("jeton.toml"), faulty).unwrap();
    terminal.jeton(&["config", "check"]).env("JETON_LOG_FORMAT", "xml").assert().code(2);
    terminal
        .jeton(&["config", "check"])
        .env("JETON_ADMIN_LISTEN", "0.0.0.0:8444")
        .assert()
        .code(1)
        .stdout_eq("")
        .stderr_eq(snapshot("config-check-faults.txt"));
}

#[test]
fn other_commands_report_the_first_problem_and_the_check() {
    let terminal = Terminal::open();
    fs::write(terminal.path("jeton.toml"), "[ledgr]\ndir = \"x\"\nsize = 1\n").unwrap();
    terminal.jeton(&["ledger", "new"]).assert().code(1).stderr_eq(snapbox::str![[r#"
error: jeton.toml: line 2: unknown key `ledgr.dir` (and 1 more)
hint: `jeton config check` lists every problem

"#]]);
    terminal.jeton(&["ledger", "new", "--config", "no.toml"]).assert().code(1).stderr_eq(
        snapbox::str![[r#"
error: cannot read no.toml: No such file or directory (os error 2)
hint: name a readable file with --config FILE

"#]],
    );
}

#[test]
fn a_new_ledger_never_replaces_another() {
    let terminal = Terminal::with_init(&[]);
    let before = footprints(terminal.temp.path());
    terminal.jeton(&["ledger", "new"]).assert().code(1).stdout_eq("").stderr_eq(snapbox::str![[
        r#"
error: ledger already exists
hint: keep it: a new ledger refuses all links minted so far. If it is damaged, move it away first

"#
    ]]);
    assert_eq!(footprints(terminal.temp.path()), before);
    fs::rename(terminal.path("ledger"), terminal.path("away")).unwrap();
    terminal
        .jeton(&["ledger", "new"])
        .assert()
        .success()
        .stdout_eq("ledger\n")
        .stderr_eq("Links minted before [..]Z are refused.\nThe ledger has no revocations: [..]\nThe ledger has no permissions: [..]\nWait until that time before you mint, [..]\n");
    fs::rename(terminal.path("ledger"), terminal.path("again")).unwrap();
    terminal
        .jeton(&["ledger", "new", "--format", "json"])
        .assert()
        .success()
        .stdout_eq("{\"born_at\":\"[..]Z\",\"dir\":\"ledger\"}\n");
    terminal
        .jeton(&["ledger", "moved", "--is-newest", "--format", "json"])
        .assert()
        .success()
        .stdout_eq("{\"dir\":\"ledger\",\"was_needed\":false}\n");
    fs::rename(terminal.path("ledger"), terminal.path("copy")).unwrap();
    terminal
        .jeton(&["ledger", "restore", "copy", "--format", "json"])
        .assert()
        .success()
        .stdout_eq(
            "{\"autologin_users\":0,\"born_at\":\"[..]Z\",\"dir\":\"ledger\",\"known_until\":null,\
         \"revocations\":0}\n",
        );
}

#[test]
fn the_healthcheck_fails_if_the_node_does_not_answer() {
    let terminal = Terminal::with_init(&[]);
    // Nothing listens on port 1.
    terminal
        .jeton(&["healthcheck", "--url", "https://127.0.0.1:1/readyz"])
        .assert()
        .code(1)
        .stderr_eq(snapbox::str![[r#"
error: https://127.0.0.1:1/readyz does not answer: [..]
hint: check that `jeton serve` runs with this configuration

"#]]);
    terminal
        .jeton(&["healthcheck", "--url", "https://127.0.0.1:1/readyz", "--format", "json"])
        .assert()
        .code(1)
        .stdout_eq("{\"ready\":false,\"said\":null,\"status\":null,\"url\":\"https://127.0.0.1:1/readyz\"}\n")
        .stderr_eq("error: [..]\nhint: [..]\n");
}
