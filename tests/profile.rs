//! The profile module through its public API: what a PKI or a directory of profiles delivers to
//! which user, and what it rejects.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be created fails its test")]

use std::fs;
use std::path::{Path, PathBuf};

use jeton::profile::{
    Directory, EasyRsa, EasyRsaFiles, Fingerprint, Profile, ProfileError, ProfileSource, Rule,
    Subject, TlsKeyFile, TlsKeyKind, check_all, lint,
};
use jeton::token::{ProfileKind, UnixSeconds, UserName};
use tempfile::TempDir;

/// 2027-01-01, when all certificates of the fixtures are valid.
const NOW: UnixSeconds = UnixSeconds::new(1_798_761_600);

/// 2030-01-01, when all have expired.
const TOO_LATE: UnixSeconds = UnixSeconds::new(1_893_456_000);

const TEMPLATE: &str = "# comment\nclient\nproto udp\nremote vpn.example.com 1194\ndev tun\n\
                        resolv-retry infinite\nnobind\npersist-key\npersist-tun\n\
                        remote-cert-tls server\nverb 3\n";

fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn put(path: impl AsRef<Path>, content: &str) {
    fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A copy of the PKI fixtures in a temporary directory.
struct Pki {
    dir: TempDir,
}

impl Pki {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pki = Self { dir };
        for name in
            ["ca.crt", "index.txt", "issued/alice.crt", "issued/bob.crt", "issued/server.crt"]
        {
            put(pki.path(name), &fs::read_to_string(data("pki").join(name)).unwrap());
        }
        let key = fs::read_to_string(data("unsafe-test-alice.key")).unwrap();
        for name in ["alice", "bob", "carol"] {
            put(pki.path(&format!("private/{name}.key")), &key);
        }
        let tls = fs::read_to_string(data("unsafe-test-tls-crypt.key")).unwrap();
        put(pki.path("../tls-crypt.key"), &tls);
        put(pki.path("../client-template.txt"), TEMPLATE);
        pki
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("pki").join(name)
    }

    fn edit(&self, name: &str, change: impl Fn(&str) -> String) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        fs::write(self.path(name), change(&text)).unwrap();
    }

    fn files(&self) -> EasyRsaFiles {
        EasyRsaFiles {
            pki: self.dir.path().join("pki"),
            template: self.dir.path().join("client-template.txt"),
            tls_key: Some(TlsKeyFile {
                kind: TlsKeyKind::Crypt,
                path: self.dir.path().join("tls-crypt.key"),
            }),
        }
    }

    fn open(&self) -> EasyRsa {
        EasyRsa::open(self.files()).unwrap()
    }

    fn load(&self, name: &str, kind: ProfileKind) -> Result<Profile, ProfileError> {
        self.open().load(&user(name), kind, NOW)
    }

    fn load_error(&self, name: &str) -> ProfileError {
        self.load(name, ProfileKind::UserLocked).unwrap_err()
    }
}

fn names(source: &dyn ProfileSource) -> Vec<String> {
    source.users().unwrap().into_iter().map(|user| user.to_string()).collect()
}

fn line_count(profile: &Profile, line: &str) -> usize {
    profile.text().lines().filter(|found| *found == line).count()
}

#[test]
fn a_pki_lists_users_with_a_valid_client_certificate() {
    let pki = Pki::new();
    assert_eq!(names(&pki.open()), ["alice", "bob"]);
    assert!(check_all(&pki.open(), NOW).is_empty());
    assert_eq!(check_all(&pki.open(), TOO_LATE).len(), 2);
}

#[test]
fn each_kind_has_its_own_lines_and_no_others() {
    let pki = Pki::new();
    let lines = [
        "# OVPN_ACCESS_SERVER_USERNAME=alice",
        "# OVPN_ACCESS_SERVER_PROFILE=alice@vpn.example.com",
        "# OVPN_ACCESS_SERVER_PROFILE=alice@vpn.example.com/AUTOLOGIN",
        "# OVPN_ACCESS_SERVER_PROFILE=vpn.example.com",
        "# OVPN_ACCESS_SERVER_AUTOLOGIN=1",
        "auth-user-pass",
        "setenv CLIENT_CERT 0",
        "<cert>",
        "<key>",
        "<ca>",
        "<tls-crypt>",
        "remote vpn.example.com 1194",
    ];
    for (kind, counts) in [
        (ProfileKind::UserLocked, [1, 1, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1]),
        (ProfileKind::Autologin, [1, 0, 1, 0, 1, 0, 0, 1, 1, 1, 1, 1]),
        (ProfileKind::ServerLocked, [0, 0, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1]),
    ] {
        let profile = pki.load("alice", kind).unwrap();
        assert_eq!(lines.map(|line| line_count(&profile, line)), counts, "{kind}");
        assert_eq!(profile.not_after().is_some(), kind != ProfileKind::ServerLocked, "{kind}");
    }
}

#[test]
fn a_profile_contains_the_pem_of_a_certificate_without_its_text_dump() {
    let profile = Pki::new().load("alice", ProfileKind::Autologin).unwrap();
    assert!(!profile.text().contains("Certificate:"));
    assert!(profile.text().contains("<cert>\n-----BEGIN CERTIFICATE-----\n"));
    assert!(profile.text().contains("\n-----END PRIVATE KEY-----\n</key>\n"));
    assert!(!profile.text().contains("# 2048 bit OpenVPN static key"));
}

#[test]
fn rejects_a_revoked_user() {
    let pki = Pki::new();
    for kind in ProfileKind::ALL {
        let moved_away = pki.load("carol", kind).unwrap_err();
        assert!(matches!(moved_away, ProfileError::CertificateRevoked { .. }), "{moved_away}");
    }
    fs::copy(data("pki/carol-revoked.crt"), pki.path("issued/carol.crt")).unwrap();
    for kind in ProfileKind::ALL {
        let in_place = pki.load("carol", kind).unwrap_err();
        assert!(matches!(in_place, ProfileError::CertificateRevoked { .. }), "{in_place}");
    }
    assert_eq!(names(&pki.open()), ["alice", "bob"]);
}

#[test]
fn accepts_a_certificate_reissued_after_a_revocation() {
    let pki = Pki::new();
    let older = "R\t290225122213Z\t261123122213Z\t0001\tunknown\t/CN=alice\n";
    pki.edit("index.txt", |text| format!("{older}{text}"));
    assert!(pki.load("alice", ProfileKind::UserLocked).is_ok());
}

#[test]
fn rejects_a_certificate_that_the_index_does_not_list() {
    let pki = Pki::new();
    let without_alice = |text: &str| {
        let kept = text.split_inclusive('\n').filter(|line| !line.contains("/CN=alice"));
        kept.collect::<String>()
    };
    pki.edit("index.txt", without_alice);
    assert!(matches!(pki.load_error("alice"), ProfileError::CertificateUnlisted { .. }));
    assert_eq!(names(&pki.open()), ["bob"]);
}

#[test]
fn a_damaged_or_missing_index_blocks_all_profiles() {
    let pki = Pki::new();
    let source = pki.open();
    for damage in ["V\n", "\n", "V\t290225122213Z\t\tAB", "\u{0}"] {
        pki.edit("index.txt", |text| format!("{text}{damage}"));
        for kind in ProfileKind::ALL {
            let error = source.load(&user("alice"), kind, NOW).unwrap_err();
            assert!(matches!(error, ProfileError::Index { .. }), "{damage:?}: {error}");
        }
        assert!(source.users().is_err());
        assert!(EasyRsa::open(pki.files()).is_err());
        pki.edit("index.txt", |text| text.strip_suffix(damage).unwrap().to_owned());
    }
    assert!(source.load(&user("alice"), ProfileKind::Autologin, NOW).is_ok());
    fs::remove_file(pki.path("index.txt")).unwrap();
    let error = source.load(&user("alice"), ProfileKind::Autologin, NOW).unwrap_err();
    assert!(error.to_string().ends_with("index.txt"), "{error}");
}

#[test]
fn rejects_a_certificate_outside_its_validity() {
    let pki = Pki::new();
    for kind in ProfileKind::ALL {
        let late = pki.open().load(&user("alice"), kind, TOO_LATE).unwrap_err();
        assert!(matches!(late, ProfileError::CertificateExpired { .. }), "{late}");
        let early = pki.open().load(&user("alice"), kind, UnixSeconds::new(0)).unwrap_err();
        assert!(matches!(early, ProfileError::CertificateNotYetValid { .. }), "{early}");
    }
    pki.edit("index.txt", |text| text.replacen("V\t", "E\t", 2));
    assert!(matches!(pki.load_error("alice"), ProfileError::CertificateExpired { .. }));
}

#[test]
fn rejects_the_certificate_of_another_user_and_of_a_server() {
    let pki = Pki::new();
    fs::copy(pki.path("issued/bob.crt"), pki.path("issued/alice.crt")).unwrap();
    assert!(matches!(pki.load_error("alice"), ProfileError::WrongCertificate { .. }));
    assert!(matches!(pki.load_error("server"), ProfileError::WrongCertificate { .. }));
    assert!(matches!(pki.load_error("absent"), ProfileError::NotFound { .. }));
}

#[test]
fn a_server_locked_profile_needs_no_user_certificate() {
    let pki = Pki::new();
    let profile = pki.load("dave", ProfileKind::ServerLocked).unwrap();
    assert_eq!(profile.text(), pki.load("alice", ProfileKind::ServerLocked).unwrap().text());
}

#[test]
fn rejects_an_autologin_profile_with_an_encrypted_key() {
    let pki = Pki::new();
    pki.edit("private/alice.key", |text| text.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"));
    let error = pki.load("alice", ProfileKind::Autologin).unwrap_err();
    let ProfileError::Rejected { findings, .. } = &error else { panic!("{error}") };
    assert_eq!(findings.0[0].rule, Rule::EncryptedKey);
    assert!(pki.load("alice", ProfileKind::UserLocked).is_ok());
    pki.edit("private/alice.key", |_| "nothing".to_owned());
    assert!(matches!(pki.load_error("alice"), ProfileError::NoPem { what: "private key", .. }));
}

#[test]
fn rejects_a_template_that_clients_reject_and_names_the_lines() {
    let pki = Pki::new();
    put(pki.path("../client-template.txt"), &format!("{TEMPLATE}up /bin/x\nca ca.crt\n"));
    let error = EasyRsa::open(pki.files()).unwrap_err().to_string();
    assert!(error.contains("client-template.txt: line 12: `up`: "), "{error}");
    assert!(error.contains("; line 13: `ca`: "), "{error}");
}

#[test]
fn a_template_may_have_windows_line_endings_and_its_own_blocks() {
    let pki = Pki::new();
    let ca = fs::read_to_string(pki.path("ca.crt")).unwrap();
    let template = format!("\u{feff}{TEMPLATE}auth-user-pass\n<ca>\n{ca}</ca>\n");
    put(pki.path("../client-template.txt"), &template.replace('\n', "\r\n"));
    let profile = pki.load("alice", ProfileKind::Autologin).unwrap();
    assert!(!profile.text().contains('\r'));
    assert_eq!(line_count(&profile, "<ca>"), 1);
    assert_eq!(line_count(&profile, "auth-user-pass"), 0);
}

#[test]
fn checking_a_pki_reports_everything_that_is_missing() {
    let pki = Pki::new();
    let mut files = pki.files();
    files.pki = PathBuf::from("/nowhere/pki");
    assert_eq!(EasyRsa::open(files).unwrap_err().to_string(), "/nowhere/pki is not a directory");
    for name in ["ca.crt", "index.txt", "../tls-crypt.key", "../client-template.txt"] {
        fs::remove_file(pki.path(name)).unwrap();
    }
    fs::remove_dir_all(pki.path("issued")).unwrap();
    let problems: Vec<_> = pki.files().check().iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 5, "{problems:?}");
    for name in ["ca.crt", "index.txt", "tls-crypt.key", "client-template.txt", "issued"] {
        assert!(problems.iter().any(|problem| problem.contains(name)), "{name}: {problems:?}");
    }
}

#[test]
fn changing_any_file_behind_a_profile_changes_its_fingerprint() {
    let pki = Pki::new();
    let source = pki.open();
    let fingerprint = || source.fingerprint(&user("alice"), ProfileKind::UserLocked);
    let mut seen = vec![fingerprint()];
    assert_eq!(seen[0], fingerprint());
    assert_ne!(seen[0], Fingerprint::default());
    for name in [
        "ca.crt",
        "index.txt",
        "issued/alice.crt",
        "private/alice.key",
        "../tls-crypt.key",
        "../client-template.txt",
    ] {
        pki.edit(name, |text| format!("{text} "));
        assert!(!seen.contains(&fingerprint()), "{name}");
        seen.push(fingerprint());
    }
}

#[test]
fn errors_and_debug_output_show_no_key() {
    let pki = Pki::new();
    let key = fs::read_to_string(pki.path("private/alice.key")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    // A key that lost its tags parses as directives.
    put(pki.path("../client-template.txt"), &format!("{TEMPLATE}{secret}\nup {secret}\n"));
    let error = EasyRsa::open(pki.files()).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(&secret[..8]), "{error:?}");
    put(pki.path("../client-template.txt"), TEMPLATE);
    let profile = pki.load("alice", ProfileKind::Autologin).unwrap();
    assert!(profile.text().contains(secret));
    assert!(!format!("{profile:?}").contains(&secret[..8]));
}

/// A directory of stored profiles, with one for all kinds for alice.
struct Stored {
    dir: TempDir,
    profile: String,
}

impl Stored {
    fn new() -> Self {
        let profile = Pki::new().load("alice", ProfileKind::Autologin).unwrap().text().to_owned();
        let plain: String = profile
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|l| l.to_owned() + "\n")
            .collect();
        let dir = tempfile::tempdir().unwrap();
        put(dir.path().join("alice.ovpn"), &plain);
        Self { dir, profile: plain }
    }

    fn put(&self, name: &str, content: &str) {
        put(self.dir.path().join(name), content);
    }

    fn load(&self, name: &str, kind: ProfileKind) -> Result<Profile, ProfileError> {
        Directory::open(self.dir.path()).unwrap().load(&user(name), kind, NOW)
    }
}

#[test]
fn a_stored_profile_for_all_kinds_is_rendered_as_the_requested_kind() {
    let stored = Stored::new();
    let pki = Pki::new();
    for kind in ProfileKind::ALL {
        let profile = stored.load("alice", kind).unwrap();
        let findings = lint(profile.text(), Subject::Profile { kind, user: &user("alice") });
        assert!(findings.0.is_empty(), "{kind}: {findings}");
        let rendered = pki.load("alice", kind).unwrap();
        assert_eq!(rendered.text().replace("# comment\n", ""), profile.text(), "{kind}");
        assert_eq!(rendered.not_after(), profile.not_after());
    }
}

#[test]
fn the_file_of_one_kind_is_served_verbatim() {
    let stored = Stored::new();
    stored.put("alice/autologin.ovpn", &stored.profile);
    assert_eq!(stored.load("alice", ProfileKind::Autologin).unwrap().text(), stored.profile);
    let locked = stored.profile.clone() + "auth-user-pass\n";
    stored.put("alice/user-locked.ovpn", &locked);
    assert_eq!(stored.load("alice", ProfileKind::UserLocked).unwrap().text(), locked);
}

#[test]
fn rejects_a_stored_file_of_another_kind() {
    let stored = Stored::new();
    stored.put("alice/user-locked.ovpn", &stored.profile);
    stored.put("alice/server-locked.ovpn", &stored.profile);
    stored.put("alice/autologin.ovpn", &(stored.profile.clone() + "auth-user-pass\n"));
    for (kind, rule) in [
        (ProfileKind::UserLocked, Rule::NoAuthUserPass),
        (ProfileKind::ServerLocked, Rule::KindForbids),
        (ProfileKind::Autologin, Rule::KindForbids),
    ] {
        let error = stored.load("alice", kind).unwrap_err();
        let ProfileError::Rejected { findings, .. } = error else { panic!("{error}") };
        assert!(findings.0.iter().any(|finding| finding.rule == rule), "{findings}");
    }
}

#[test]
fn rejects_an_expired_certificate_in_a_stored_profile() {
    let stored = Stored::new();
    let source = Directory::open(stored.dir.path()).unwrap();
    for kind in ProfileKind::ALL {
        let late = source.load(&user("alice"), kind, TOO_LATE).unwrap_err();
        assert!(matches!(late, ProfileError::CertificateExpired { .. }), "{late}");
    }
}

#[test]
fn a_user_whose_name_looks_like_a_file_name_is_not_confused_with_another() {
    let stored = Stored::new();
    stored.put("bob.ovpn/autologin.ovpn", &stored.profile);
    let source = Directory::open(stored.dir.path()).unwrap();
    assert_eq!(names(&source), ["alice", "bob.ovpn"]);
    let bob = stored.load("bob", ProfileKind::Autologin).unwrap_err();
    assert!(matches!(bob, ProfileError::NotFound { .. }), "{bob}");
    // The parent, `alice.ovpn`, is a file.
    let odd = stored.load("alice.ovpn", ProfileKind::Autologin).unwrap_err();
    assert!(matches!(odd, ProfileError::NotFound { .. }), "{odd}");
    assert!(stored.load("bob.ovpn", ProfileKind::Autologin).is_ok());
}

#[test]
fn a_missing_directory_is_named_in_the_error() {
    let error = Directory::open("/nowhere").unwrap_err();
    assert_eq!(error.to_string(), "/nowhere is not a directory");
}
