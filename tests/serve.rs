//! Promise: a node that cannot serve says why in two lines and leaves the disk as
//! it was; one that serves can be told to load anew and to stop.
//!
//! The program runs as a process of its own. `curl` must be installed.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made fails its test")]

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

#[path = "support/footprint.rs"]
mod footprint;
use footprint::footprints;

/// How long a program may take for anything, on a machine that is slow and busy.
const PATIENCE: Duration = Duration::from_secs(60);

fn jeton(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(snapbox::cmd::cargo_bin!("jeton"));
    command.env_clear().current_dir(folder).args(arguments);
    // The demo's printed lines are run by a shell, which needs it.
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    jeton(folder, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Takes a port that nobody listens on, that no other test here gets, and that the
/// system gives to no outgoing connection before a node listens on it.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    loop {
        // The demo takes the one behind it, too.
        let port = NEXT.fetch_add(2, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Makes a node with the demo's PKI in a new folder.
fn init() -> (TempDir, u16) {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let url = format!("https://127.0.0.1:{port}");
    let made = run(folder.path(), &["init", "--demo", "--public-url", &url]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    // Two nodes of two tests must not both want the standard port.
    let file = folder.path().join("jeton.toml");
    let config = fs::read_to_string(&file).unwrap();
    let admin = format!("127.0.0.1:{}", free_port());
    fs::write(&file, config.replace("127.0.0.1:8444", &admin)).unwrap();
    (folder, port)
}

/// A program that runs, and is killed if its test ends early.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Starts a node and waits until it is ready.
    fn serve(folder: &Path) -> Self {
        let running = Self::start(jeton(folder, &["serve"]));
        let begun = Instant::now();
        while !run(folder, &["healthcheck"]).status.success() {
            assert!(begun.elapsed() < PATIENCE, "it is not ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }

    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for its end; returns the exit code and what it wrote to stderr.
    fn end(mut self) -> (Option<i32>, String) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut written = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut written).unwrap();
        (status.code(), written)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Fetches `url` and returns the status and the body.
fn fetch(folder: &Path, url: &str) -> (u16, String) {
    let fetched = Command::new("curl")
        .args(["-s", "--cacert", "tls/cert.pem", "-w", "\n%{http_code}", url])
        .current_dir(folder)
        .output()
        .unwrap();
    let fetched = text(&fetched.stdout);
    let (body, status) = fetched.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

/// Mints a link for one use and returns its https form.
fn mint(folder: &Path) -> String {
    let minted = run(folder, &["mint", "--user", "alice"]);
    assert!(minted.status.success(), "{}", text(&minted.stderr));
    let said = text(&minted.stdout) + &text(&minted.stderr);
    let link = said.split_whitespace().find(|word| word.contains("GetProfileViaToken"));
    link.unwrap().trim_start_matches("openvpn://import-profile/").to_owned()
}

/// What is broken, and the words that must be in the error and in the hint.
type Broken = (&'static str, fn(&Path, u16) -> Option<TcpListener>, &'static str, &'static str);

const BROKEN: [Broken; 9] = [
    ("no ledger", no_ledger, "there is no ledger in", "jeton ledger new"),
    ("an open ledger", open_ledger, "ledger", "chmod"),
    ("an open audit log", open_audit_log, "audit.jsonl", "chmod"),
    ("no key", no_key, "no key for profiles", "jeton key new"),
    ("an open TLS key", open_tls_key, "tls/key.pem", "tls_key"),
    ("no PKI", no_pki, "openvpn/pki", "profiles"),
    ("an open signing key", open_signing_key, "private key", "make a new key"),
    ("a key for something else", admin_key_to_mint, "is a key for admin tokens", "jeton key list"),
    ("a port in use", port_in_use, "cannot listen on 127.0.0.1:", "public.listen"),
];

fn no_ledger(folder: &Path, _: u16) -> Option<TcpListener> {
    fs::remove_dir_all(folder.join("ledger")).unwrap();
    fs::create_dir(folder.join("ledger")).unwrap();
    fs::set_permissions(folder.join("ledger"), Permissions::from_mode(0o700)).unwrap();
    None
}

fn open_ledger(folder: &Path, _: u16) -> Option<TcpListener> {
    fs::set_permissions(folder.join("ledger"), Permissions::from_mode(0o755)).unwrap();
    None
}

fn open_audit_log(folder: &Path, _: u16) -> Option<TcpListener> {
    fs::write(folder.join("audit.jsonl"), "").unwrap();
    fs::set_permissions(folder.join("audit.jsonl"), Permissions::from_mode(0o644)).unwrap();
    None
}

fn no_key(folder: &Path, _: u16) -> Option<TcpListener> {
    fs::remove_dir_all(folder.join("keys/trusted/profile")).unwrap();
    None
}

fn open_tls_key(folder: &Path, _: u16) -> Option<TcpListener> {
    fs::set_permissions(folder.join("tls/key.pem"), Permissions::from_mode(0o644)).unwrap();
    None
}

fn no_pki(folder: &Path, _: u16) -> Option<TcpListener> {
    fs::rename(folder.join("openvpn/pki"), folder.join("openvpn/away")).unwrap();
    None
}

/// Returns the private key for `purpose`, by its path in the folder.
fn private_key(folder: &Path, purpose: &str) -> String {
    let entries = fs::read_dir(folder.join("keys/signing")).unwrap();
    let mut names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    format!("keys/signing/{}", names.find(|name| name.starts_with(purpose)).unwrap())
}

fn open_signing_key(folder: &Path, _: u16) -> Option<TcpListener> {
    let key = folder.join(private_key(folder, "profile-"));
    // Elsewhere than where all keys are looked at.
    let moved = folder.join("mine.pem");
    fs::rename(key, &moved).unwrap();
    fs::set_permissions(&moved, Permissions::from_mode(0o640)).unwrap();
    mint_with(folder, "mine.pem");
    None
}

fn admin_key_to_mint(folder: &Path, _: u16) -> Option<TcpListener> {
    mint_with(folder, &private_key(folder, "admin-"));
    None
}

/// Has the node mint with another key.
fn mint_with(folder: &Path, key: &str) {
    let file = folder.join("jeton.toml");
    let config = fs::read_to_string(&file).unwrap();
    let line = config.lines().find(|line| line.starts_with("signing_key")).unwrap();
    fs::write(&file, config.replace(line, &format!("signing_key = \"{key}\""))).unwrap();
}

fn port_in_use(_: &Path, port: u16) -> Option<TcpListener> {
    Some(TcpListener::bind(("127.0.0.1", port)).unwrap())
}

#[test]
fn a_node_that_cannot_serve_says_why_and_changes_nothing() {
    for (what, break_it, error, hint) in BROKEN {
        let (folder, port) = init();
        let taken = break_it(folder.path(), port);
        let before = footprints(folder.path());
        let refused = run(folder.path(), &["serve"]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{what}: {said}");
        let lines: Vec<&str> = said.lines().collect();
        let [error_line, hint_line] = lines[..] else { panic!("{what}: {said}") };
        assert!(error_line.starts_with("error: ") && error_line.contains(error), "{what}: {said}");
        assert!(hint_line.starts_with("hint: ") && hint_line.contains(hint), "{what}: {said}");
        assert_eq!(footprints(folder.path()), before, "{what}");
        drop(taken);
    }
}

#[test]
fn a_second_node_does_not_get_the_ledger_of_the_first() {
    let (folder, _) = init();
    let first = Running::serve(folder.path());
    let other = [
        ("JETON_PUBLIC_LISTEN", format!("127.0.0.1:{}", free_port())),
        ("JETON_ADMIN_LISTEN", "off".to_owned()),
    ];
    let refused = jeton(folder.path(), &["serve"]).envs(other).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("another"), "{}", text(&refused.stderr));
    first.signal("TERM");
    assert_eq!(first.end().0, Some(0));
}

#[test]
fn a_use_stays_spent_when_the_node_starts_again() {
    let (folder, _) = init();
    let node = Running::serve(folder.path());
    let link = mint(folder.path());
    let (status, profile) = fetch(folder.path(), &link);
    assert_eq!(status, 200, "{profile}");
    assert!(profile.contains("<cert>"), "{profile}");
    assert_eq!(fetch(folder.path(), &link).0, 410);
    node.signal("TERM");
    let (code, log) = node.end();
    assert_eq!(code, Some(0), "{log}");
    let token = link.rsplit('=').next().unwrap();
    assert!(!log.contains(token), "the log has the token");
    let node = Running::serve(folder.path());
    assert_eq!(fetch(folder.path(), &link).0, 410);
    node.signal("INT");
    assert_eq!(node.end().0, Some(0));
}

/// What became of each link, from the audit log called `name`.
fn audited(folder: &Path, name: &str) -> Vec<String> {
    let log = fs::read_to_string(folder.join(name)).unwrap_or_default();
    let word = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let word = line.get("reason").or_else(|| line.get("event")).unwrap();
        word.as_str().unwrap().to_owned()
    };
    log.lines().map(word).collect()
}

#[test]
fn what_became_of_each_link_is_in_the_audit_log_also_when_it_is_rotated() {
    let (folder, _) = init();
    let folder = folder.path();
    let node = Running::serve(folder);
    let link = mint(folder);
    assert_eq!(fetch(folder, &link).0, 200);
    assert_eq!(fetch(folder, &link).0, 410);
    fs::rename(folder.join("audit.jsonl"), folder.join("audit.jsonl.1")).unwrap();
    node.signal("HUP");
    let begun = Instant::now();
    while !folder.join("audit.jsonl").exists() {
        assert!(begun.elapsed() < PATIENCE, "it was not opened anew");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(run(folder, &["revoke", "--user", "alice"]).status.success());
    assert_eq!(fetch(folder, &format!("{link}x")).0, 404);
    node.signal("TERM");
    assert_eq!(node.end().0, Some(0));
    assert_eq!(audited(folder, "audit.jsonl.1"), ["delivered", "used-up"]);
    assert_eq!(audited(folder, "audit.jsonl"), ["operation", "unverified"]);
    let mode = fs::metadata(folder.join("audit.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let log = fs::read_to_string(folder.join("audit.jsonl.1")).unwrap();
    assert!(!log.contains(link.rsplit('=').next().unwrap()), "the log has the token");
}

#[test]
fn a_hangup_loads_anew_and_a_bad_set_changes_nothing() {
    let (folder, _) = init();
    let node = Running::serve(folder.path());
    let trusted = folder.path().join("keys/trusted/profile");
    let is_refused = |link: &str| fetch(folder.path(), link).0 == 404;
    // A node looks again some time after the signal.
    let becomes = |wanted: bool| {
        let link = mint(folder.path());
        let begun = Instant::now();
        while is_refused(&link) != wanted {
            assert!(begun.elapsed() < PATIENCE, "it did not load anew");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    // A new key signs from now on; the node does not know it yet.
    assert!(run(folder.path(), &["key", "new"]).status.success());
    let link = mint(folder.path());
    assert!(is_refused(&link));
    fs::write(trusted.join("bad.pem"), "no key").unwrap();
    node.signal("HUP");
    std::thread::sleep(Duration::from_millis(300));
    assert!(is_refused(&link), "a bad set was taken");
    fs::remove_file(trusted.join("bad.pem")).unwrap();
    node.signal("HUP");
    becomes(false);
    node.signal("TERM");
    let (code, log) = node.end();
    assert_eq!(code, Some(0));
    assert!(log.contains("new keys rejected, the old ones stay in use"), "{log}");
}

/// Reads what a running node says until a line has `words`, and returns that line.
fn said(node: &mut Running, words: &str) -> String {
    let lines = BufReader::new(node.0.stderr.as_mut().unwrap()).lines();
    lines.map(Result::unwrap).find(|line| line.contains(words)).unwrap()
}

#[test]
fn a_hangup_takes_a_new_signing_key_and_keeps_the_old_one_before_a_bad_one() {
    let (folder, _) = init();
    let signing = folder.path().join(private_key(folder.path(), "profile-"));
    let mut node = Running::serve(folder.path());
    let first = said(&mut node, "this node mints");
    let id = |line: &str| line.rsplit_once("key_id=").unwrap().1.to_owned();
    fs::write(&signing, "no key").unwrap();
    node.signal("HUP");
    said(&mut node, "new signing key rejected, the old one stays in use");
    // A second key, trusted and put in the place of the first.
    fs::remove_file(&signing).unwrap();
    assert!(run(folder.path(), &["key", "new"]).status.success());
    let new = folder.path().join(private_key(folder.path(), "profile-"));
    fs::rename(new, &signing).unwrap();
    node.signal("HUP");
    let second = said(&mut node, "signing key reloaded");
    assert_ne!(id(&first), id(&second));
    node.signal("TERM");
    assert_eq!(node.end().0, Some(0));
}

/// Whoever steals a node that was not told to mint cannot.
#[test]
fn a_new_node_does_not_mint_unless_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let made = run(folder.path(), &["init", "--public-url", "https://vpn.example.com"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let config = fs::read_to_string(folder.path().join("jeton.toml")).unwrap();
    assert!(config.lines().any(|line| line.starts_with("#signing_key = ")), "{config}");
}

#[test]
fn a_node_that_stops_refuses_at_once_and_finishes_what_began() {
    let (folder, port) = init();
    let node = Running::serve(folder.path());
    // Someone is in the middle of a request.
    let slow = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    node.signal("TERM");
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
        // Who is in the middle of a request is waited for, at most 30 seconds.
        assert!(begun.elapsed() < Duration::from_secs(15), "it still accepts");
        std::thread::sleep(Duration::from_millis(10));
    }
    // A second signal waits for nobody.
    node.signal("TERM");
    assert_eq!(node.end().0, Some(0));
    drop(slow);
}

/// Runs the demo until it has said everything; returns what it said and where it
/// put everything.
fn demo(arguments: &[&str]) -> (Running, String, PathBuf) {
    let here = std::env::temp_dir();
    let port = free_port().to_string();
    let arguments = [&["demo", "--port", &port], arguments].concat();
    let mut running = Running::start(jeton(&here, &arguments));
    let mut said = String::new();
    let mut lines = BufReader::new(running.0.stdout.take().unwrap());
    while !said.contains("Ctrl-C") {
        assert_ne!(lines.read_line(&mut said).unwrap(), 0, "it ended: {said}");
    }
    let folder = said.split_whitespace().find_map(|word| word.strip_suffix("/tls/cert.pem"));
    let folder = PathBuf::from(folder.unwrap());
    (running, said, folder)
}

#[test]
fn the_demo_says_what_works_and_leaves_nothing_behind() {
    let (demo, said, folder) = demo(&[]);
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let line = said.lines().find(|line| line.trim_start().starts_with("curl ")).unwrap();
    let work = tempfile::tempdir().unwrap();
    let typed = || {
        let typed = Command::new("sh").args(["-c", line]).current_dir(work.path()).output();
        let typed = typed.unwrap();
        text(&typed.stdout) + &text(&typed.stderr)
    };
    let profile = typed();
    assert!(profile.contains("# OVPN_ACCESS_SERVER_AUTOLOGIN=1"), "{profile}");
    let refusal = typed();
    assert!(refusal.contains("used up"), "{refusal}");
    demo.signal("INT");
    let (code, log) = demo.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(!folder.exists());
}

#[test]
fn the_demo_ends_with_its_terminal() {
    let (demo, _, folder) = demo(&[]);
    demo.signal("HUP");
    assert_eq!(demo.end().0, Some(0));
    assert!(!folder.exists());
}

#[test]
fn the_demo_keeps_its_folder_when_told_to() {
    let (demo, _, folder) = demo(&["--keep"]);
    demo.signal("TERM");
    let (code, said) = demo.end();
    assert_eq!(code, Some(0));
    assert!(said.contains(folder.to_str().unwrap()), "{said}");
    assert!(folder.join("jeton.toml").exists());
    fs::remove_dir_all(folder).unwrap();
}
