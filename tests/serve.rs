//! `jeton serve` and `jeton demo` as processes: how they start, reload and stop, and how they fail.
//!
//! `curl` must be installed.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be created fails its test")]

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

/// How long a process may take for any step, on a slow and busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

fn jeton(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(snapbox::cmd::cargo_bin!("jeton"));
    command.env_clear().current_dir(dir).args(arguments);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

fn run(dir: &Path, arguments: &[&str]) -> Output {
    jeton(dir, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Returns a port without a listener. No other test in this file gets it, and it is below the range
/// that Linux uses for outgoing connections.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    loop {
        // The demo also uses the port above it.
        let port = NEXT.fetch_add(2, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Initializes a node with the demo's PKI in a new directory; returns it and the public port.
fn init() -> (TempDir, u16) {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let url = format!("https://127.0.0.1:{port}");
    let output = run(dir.path(), &["init", "--demo", "--public-url", &url]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    // Tests run at the same time, so their nodes must not share the default admin port.
    let file = dir.path().join("jeton.toml");
    let config = fs::read_to_string(&file).unwrap();
    let admin = format!("127.0.0.1:{}", free_port());
    fs::write(&file, config.replace("127.0.0.1:8444", &admin)).unwrap();
    (dir, port)
}

/// A process that is killed if its test ends early.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Starts a node and waits until it is ready.
    fn serve(dir: &Path) -> Self {
        let running = Self::start(jeton(dir, &["serve"]));
        let started = Instant::now();
        while !run(dir, &["healthcheck"]).status.success() {
            assert!(started.elapsed() < TIMEOUT, "the node is not ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }

    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits until the process exits; returns its exit code and its stderr.
    fn wait(mut self) -> (Option<i32>, String) {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < TIMEOUT, "the process does not exit");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut written = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut written).unwrap();
        (status.code(), written)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Fetches `url`; returns the status and the body.
fn fetch(dir: &Path, url: &str) -> (u16, String) {
    let fetched = Command::new("curl")
        .args(["-s", "--cacert", "tls/cert.pem", "-w", "\n%{http_code}", url])
        .current_dir(dir)
        .output()
        .unwrap();
    let fetched = text(&fetched.stdout);
    let (body, status) = fetched.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

/// Mints a link for one use; returns its https form.
fn mint(dir: &Path) -> String {
    let minted = run(dir, &["mint", "--user", "alice"]);
    assert!(minted.status.success(), "{}", text(&minted.stderr));
    let output = text(&minted.stdout) + &text(&minted.stderr);
    let link = output.split_whitespace().find(|word| word.contains("GetProfileViaToken"));
    link.unwrap().trim_start_matches("openvpn://import-profile/").to_owned()
}

/// What is broken, how to break it, and the words expected in the error and the hint.
type StartFault = (&'static str, fn(&Path, u16) -> Option<TcpListener>, &'static str, &'static str);

const START_FAULTS: [StartFault; 9] = [
    ("no ledger", no_ledger, "there is no ledger in", "jeton ledger new"),
    ("an open ledger", open_ledger, "ledger", "chmod"),
    ("an open audit log", open_audit_log, "audit.jsonl", "chmod"),
    ("no key", no_key, "no key for profiles", "jeton key new"),
    ("an open TLS key", open_tls_key, "tls/key.pem", "tls_key"),
    ("no PKI", no_pki, "openvpn/pki", "profiles"),
    ("an open signing key", open_signing_key, "private key", "make a new key"),
    ("a key for another purpose", admin_key_to_mint, "is a key for admin tokens", "jeton key list"),
    ("a port in use", port_in_use, "cannot listen on 127.0.0.1:", "public.listen"),
];

fn no_ledger(dir: &Path, _: u16) -> Option<TcpListener> {
    fs::remove_dir_all(dir.join("ledger")).unwrap();
    fs::create_dir(dir.join("ledger")).unwrap();
    fs::set_permissions(dir.join("ledger"), Permissions::from_mode(0o700)).unwrap();
    None
}

fn open_ledger(dir: &Path, _: u16) -> Option<TcpListener> {
    fs::set_permissions(dir.join("ledger"), Permissions::from_mode(0o755)).unwrap();
    None
}

fn open_audit_log(dir: &Path, _: u16) -> Option<TcpListener> {
    fs::write(dir.join("audit.jsonl"), "").unwrap();
    fs::set_permissions(dir.join("audit.jsonl"), Permissions::from_mode(0o644)).unwrap();
    None
}

fn no_key(dir: &Path, _: u16) -> Option<TcpListener> {
    fs::remove_dir_all(dir.join("keys/trusted/profile")).unwrap();
    None
}

fn open_tls_key(dir: &Path, _: u16) -> Option<TcpListener> {
    fs::set_permissions(dir.join("tls/key.pem"), Permissions::from_mode(0o644)).unwrap();
    None
}

fn no_pki(dir: &Path, _: u16) -> Option<TcpListener> {
    fs::rename(dir.join("openvpn/pki"), dir.join("openvpn/away")).unwrap();
    None
}

/// Returns the path of the private key for `purpose`, relative to the node's directory.
fn private_key(dir: &Path, purpose: &str) -> String {
    let entries = fs::read_dir(dir.join("keys/signing")).unwrap();
    let mut names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    format!("keys/signing/{}", names.find(|name| name.starts_with(purpose)).unwrap())
}

fn open_signing_key(dir: &Path, _: u16) -> Option<TcpListener> {
    let key = dir.join(private_key(dir, "profile-"));
    // Outside `keys.signing`, where all keys are checked.
    let moved = dir.join("mine.pem");
    fs::rename(key, &moved).unwrap();
    fs::set_permissions(&moved, Permissions::from_mode(0o640)).unwrap();
    mint_with(dir, "mine.pem");
    None
}

fn admin_key_to_mint(dir: &Path, _: u16) -> Option<TcpListener> {
    mint_with(dir, &private_key(dir, "admin-"));
    None
}

/// Sets the node's signing key in its configuration.
fn mint_with(dir: &Path, key: &str) {
    let file = dir.join("jeton.toml");
    let config = fs::read_to_string(&file).unwrap();
    let line = config.lines().find(|line| line.starts_with("signing_key")).unwrap();
    fs::write(&file, config.replace(line, &format!("signing_key = \"{key}\""))).unwrap();
}

fn port_in_use(_: &Path, port: u16) -> Option<TcpListener> {
    Some(TcpListener::bind(("127.0.0.1", port)).unwrap())
}

#[test]
fn a_node_that_cannot_serve_gives_the_reason_and_changes_nothing() {
    for (what, break_it, error, hint) in START_FAULTS {
        let (dir, port) = init();
        let taken = break_it(dir.path(), port);
        let before = footprints(dir.path());
        let refused = run(dir.path(), &["serve"]);
        let stderr = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{what}: {stderr}");
        let lines: Vec<&str> = stderr.lines().collect();
        let [error_line, hint_line] = lines[..] else { panic!("{what}: {stderr}") };
        assert!(
            error_line.starts_with("error: ") && error_line.contains(error),
            "{what}: {stderr}"
        );
        assert!(hint_line.starts_with("hint: ") && hint_line.contains(hint), "{what}: {stderr}");
        assert_eq!(footprints(dir.path()), before, "{what}");
        drop(taken);
    }
}

#[test]
fn a_second_node_cannot_open_the_ledger_of_the_first() {
    let (dir, _) = init();
    let first = Running::serve(dir.path());
    let other = [
        ("JETON_PUBLIC_LISTEN", format!("127.0.0.1:{}", free_port())),
        ("JETON_ADMIN_LISTEN", "off".to_owned()),
    ];
    let refused = jeton(dir.path(), &["serve"]).envs(other).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("another"), "{}", text(&refused.stderr));
    first.signal("TERM");
    assert_eq!(first.wait().0, Some(0));
}

#[test]
fn a_use_stays_spent_after_a_restart() {
    let (dir, _) = init();
    let node = Running::serve(dir.path());
    let link = mint(dir.path());
    let (status, profile) = fetch(dir.path(), &link);
    assert_eq!(status, 200, "{profile}");
    assert!(profile.contains("<cert>"), "{profile}");
    assert_eq!(fetch(dir.path(), &link).0, 410);
    node.signal("TERM");
    let (code, log) = node.wait();
    assert_eq!(code, Some(0), "{log}");
    let token = link.rsplit('=').next().unwrap();
    assert!(!log.contains(token), "the log contains the token");
    let node = Running::serve(dir.path());
    assert_eq!(fetch(dir.path(), &link).0, 410);
    node.signal("INT");
    assert_eq!(node.wait().0, Some(0));
}

/// Returns the outcome of each line of the audit log `name`: its reason, or else its event.
fn audited_outcomes(dir: &Path, name: &str) -> Vec<String> {
    let log = fs::read_to_string(dir.join(name)).unwrap_or_default();
    let outcome = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let outcome = line.get("reason").or_else(|| line.get("event")).unwrap();
        outcome.as_str().unwrap().to_owned()
    };
    log.lines().map(outcome).collect()
}

#[test]
fn the_audit_log_records_every_outcome_and_survives_rotation() {
    let (dir, _) = init();
    let dir = dir.path();
    let node = Running::serve(dir);
    let link = mint(dir);
    assert_eq!(fetch(dir, &link).0, 200);
    assert_eq!(fetch(dir, &link).0, 410);
    let started = Instant::now();
    // The log is written in the background: an event that is still queued goes to the new file.
    while audited_outcomes(dir, "audit.jsonl").len() < 2 {
        assert!(started.elapsed() < TIMEOUT, "the events were not written");
        std::thread::sleep(Duration::from_millis(20));
    }
    fs::rename(dir.join("audit.jsonl"), dir.join("audit.jsonl.1")).unwrap();
    node.signal("HUP");
    while !dir.join("audit.jsonl").exists() {
        assert!(started.elapsed() < TIMEOUT, "the audit log was not reopened");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(run(dir, &["revoke", "--user", "alice"]).status.success());
    assert_eq!(fetch(dir, &format!("{link}x")).0, 404);
    node.signal("TERM");
    assert_eq!(node.wait().0, Some(0));
    assert_eq!(audited_outcomes(dir, "audit.jsonl.1"), ["delivered", "used-up"]);
    assert_eq!(audited_outcomes(dir, "audit.jsonl"), ["operation", "unverified"]);
    let mode = fs::metadata(dir.join("audit.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let log = fs::read_to_string(dir.join("audit.jsonl.1")).unwrap();
    assert!(!log.contains(link.rsplit('=').next().unwrap()), "the log contains the token");
}

#[test]
fn a_hangup_reloads_the_keys_and_a_bad_set_changes_nothing() {
    let (dir, _) = init();
    let node = Running::serve(dir.path());
    let trusted = dir.path().join("keys/trusted/profile");
    let is_refused = |link: &str| fetch(dir.path(), link).0 == 404;
    // The reload happens some time after the signal.
    let wait_until_accepted = || {
        let link = mint(dir.path());
        let started = Instant::now();
        while is_refused(&link) {
            assert!(started.elapsed() < TIMEOUT, "the keys were not reloaded");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    // `mint` now signs with a new key, which the node does not know yet.
    assert!(run(dir.path(), &["key", "new"]).status.success());
    let link = mint(dir.path());
    assert!(is_refused(&link));
    fs::write(trusted.join("bad.pem"), "no key").unwrap();
    node.signal("HUP");
    std::thread::sleep(Duration::from_millis(300));
    assert!(is_refused(&link), "a bad set was accepted");
    fs::remove_file(trusted.join("bad.pem")).unwrap();
    node.signal("HUP");
    wait_until_accepted();
    node.signal("TERM");
    let (code, log) = node.wait();
    assert_eq!(code, Some(0));
    assert!(log.contains("new keys rejected, the old ones stay in use"), "{log}");
}

/// Reads the log of a running node up to the first line with `words`; returns that line.
fn wait_for_log(node: &mut Running, words: &str) -> String {
    let lines = BufReader::new(node.0.stderr.as_mut().unwrap()).lines();
    lines.map(Result::unwrap).find(|line| line.contains(words)).unwrap()
}

#[test]
fn a_hangup_loads_a_new_signing_key_and_keeps_the_old_one_if_the_new_one_is_bad() {
    let (dir, _) = init();
    let signing = dir.path().join(private_key(dir.path(), "profile-"));
    let mut node = Running::serve(dir.path());
    let first = wait_for_log(&mut node, "this node mints");
    let id = |line: &str| line.rsplit_once("key_id=").unwrap().1.to_owned();
    fs::write(&signing, "no key").unwrap();
    node.signal("HUP");
    wait_for_log(&mut node, "new signing key rejected, the old one stays in use");
    // A second, trusted key replaces the first.
    fs::remove_file(&signing).unwrap();
    assert!(run(dir.path(), &["key", "new"]).status.success());
    let new = dir.path().join(private_key(dir.path(), "profile-"));
    fs::rename(new, &signing).unwrap();
    node.signal("HUP");
    let second = wait_for_log(&mut node, "signing key reloaded");
    assert_ne!(id(&first), id(&second));
    node.signal("TERM");
    assert_eq!(node.wait().0, Some(0));
}

/// A stolen node without a signing key cannot mint.
#[test]
fn a_new_node_has_no_signing_key_by_default() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["init", "--public-url", "https://vpn.example.com"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let config = fs::read_to_string(dir.path().join("jeton.toml")).unwrap();
    assert!(config.lines().any(|line| line.starts_with("#signing_key = ")), "{config}");
}

#[test]
fn a_stopping_node_accepts_no_connection_and_a_second_signal_ends_the_wait() {
    let (dir, port) = init();
    let node = Running::serve(dir.path());
    // A client that has connected and sends nothing.
    let slow = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    node.signal("TERM");
    let started = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
        // The node waits up to 30 seconds for open requests.
        assert!(started.elapsed() < Duration::from_secs(15), "the node still accepts connections");
        std::thread::sleep(Duration::from_millis(10));
    }
    // After a second signal it does not wait for them.
    node.signal("TERM");
    assert_eq!(node.wait().0, Some(0));
    drop(slow);
}

/// Runs the demo until its last line of output; returns the process, its output and its directory.
fn demo(arguments: &[&str]) -> (Running, String, PathBuf) {
    let current_dir = std::env::temp_dir();
    let port = free_port().to_string();
    let arguments = [&["demo", "--port", &port], arguments].concat();
    let mut running = Running::start(jeton(&current_dir, &arguments));
    let mut output = String::new();
    let mut lines = BufReader::new(running.0.stdout.take().unwrap());
    while !output.contains("Ctrl-C") {
        assert_ne!(lines.read_line(&mut output).unwrap(), 0, "the demo exited: {output}");
    }
    let dir = output.split_whitespace().find_map(|word| word.strip_suffix("/tls/cert.pem"));
    let dir = PathBuf::from(dir.unwrap());
    (running, output, dir)
}

#[test]
fn the_demo_prints_a_command_that_works_and_removes_its_directory() {
    let (demo, output, dir) = demo(&[]);
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    let line = output.lines().find(|line| line.trim_start().starts_with("curl ")).unwrap();
    let work = tempfile::tempdir().unwrap();
    let run_line = || {
        let output = Command::new("sh").args(["-c", line]).current_dir(work.path()).output();
        let output = output.unwrap();
        text(&output.stdout) + &text(&output.stderr)
    };
    let profile = run_line();
    assert!(profile.contains("# OVPN_ACCESS_SERVER_AUTOLOGIN=1"), "{profile}");
    let refusal = run_line();
    assert!(refusal.contains("used up"), "{refusal}");
    demo.signal("INT");
    let (code, log) = demo.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(!dir.exists());
}

#[test]
fn the_demo_exits_when_its_terminal_closes() {
    let (demo, _, dir) = demo(&[]);
    demo.signal("HUP");
    assert_eq!(demo.wait().0, Some(0));
    assert!(!dir.exists());
}

#[test]
fn the_demo_keeps_its_directory_with_keep() {
    let (demo, _, dir) = demo(&["--keep"]);
    demo.signal("TERM");
    let (code, stderr) = demo.wait();
    assert_eq!(code, Some(0));
    assert!(stderr.contains(dir.to_str().unwrap()), "{stderr}");
    assert!(dir.join("jeton.toml").exists());
    fs::remove_dir_all(dir).unwrap();
}
