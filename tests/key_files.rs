//! Promise: OpenSSL reads the key files of jeton, jeton reads those of OpenSSL, and files that
//! other users could have read or changed are refused.
//!
//! These tests need the `openssl` program.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests, not only tests")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use jeton::keyring::{
    Encryption, FILE_LEN_MAX, KeyFileError, Keyring, KeyringError, SigningKeys, decode_private,
    decode_public, encode_private, encode_public, retire, write_new,
};
use jeton::token::{
    Batch, Claims, KeyId, KeyPurpose, Lifetime, Nonce, ProfileKind, Purpose, SigningKey,
    UnixSeconds, UseLimit, UserName, VerifyError, sign, verify,
};
use tempfile::TempDir;

const PASSPHRASE: &str = "correct horse battery staple";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn encryption() -> Encryption<'static> {
    Encryption { passphrase: PASSPHRASE, salt: [3; 16], iv: [4; 16] }
}

/// Runs openssl in `directory` and returns its output. It must succeed.
fn openssl(directory: &Path, args: &str) -> String {
    let output = Command::new("openssl")
        .args(args.split(' '))
        .current_dir(directory)
        .env("PASSPHRASE", PASSPHRASE)
        .output()
        .expect("the openssl program is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {args}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn read(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join(name)).unwrap()
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the hex digits after `heading` in the output of `openssl pkey -text`.
fn hex_after(text: &str, heading: &str) -> String {
    let (_, rest) = text.split_once(heading).unwrap();
    rest.lines()
        .skip(1)
        .take_while(|line| line.starts_with("    "))
        .flat_map(|line| line.chars().filter(char::is_ascii_hexdigit))
        .collect()
}

/// Directories of trusted and signing keys, as `key new` makes them.
struct Directories {
    _root: TempDir,
    trusted: PathBuf,
    signing: PathBuf,
}

fn directories() -> Directories {
    let root = TempDir::new().unwrap();
    let trusted = root.path().join("trusted");
    let signing = root.path().join("signing");
    for (directory, mode) in [(&trusted, 0o755), (&signing, 0o700)] {
        fs::create_dir(directory).unwrap();
        fs::set_permissions(directory, Permissions::from_mode(mode)).unwrap();
    }
    for purpose in KeyPurpose::ALL {
        let directory = trusted.join(purpose.as_str());
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    }
    Directories { _root: root, trusted, signing }
}

fn claims() -> Claims {
    Claims {
        purpose: Purpose::Profile(ProfileKind::UserLocked),
        nonce: Nonce::new(Batch([1; 4]), [2; 12]),
        issued_at: UnixSeconds::new(1_800_000_000),
        lifetime: Lifetime::from_seconds(3_600).unwrap(),
        uses: UseLimit::ONCE,
        user: UserName::new("alice").unwrap(),
        network: None,
    }
}

#[test]
fn openssl_reads_a_private_key() {
    let dir = TempDir::new().unwrap();
    write(&dir.path().join("key.pem"), &encode_private(&key(1), None), 0o600);
    let text = openssl(dir.path(), "pkey -in key.pem -noout -text");
    assert!(text.starts_with("ED25519 Private-Key:"), "{text}");
    assert_eq!(hex_after(&text, "priv:"), hex(&[1; 32]));
    assert_eq!(hex_after(&text, "pub:"), hex(&key(1).verifying_key().to_bytes()));
}

#[test]
fn openssl_reads_an_encrypted_private_key() {
    let dir = TempDir::new().unwrap();
    write(&dir.path().join("key.pem"), &encode_private(&key(1), Some(&encryption())), 0o600);
    let text = openssl(dir.path(), "pkey -in key.pem -passin env:PASSPHRASE -noout -text");
    assert_eq!(hex_after(&text, "priv:"), hex(&[1; 32]));
}

#[test]
fn openssl_reads_a_public_key() {
    let dir = TempDir::new().unwrap();
    write(&dir.path().join("key.pem"), &encode_public(key(1).verifying_key()), 0o644);
    let text = openssl(dir.path(), "pkey -pubin -in key.pem -noout -text");
    assert_eq!(hex_after(&text, "pub:"), hex(&key(1).verifying_key().to_bytes()));
}

#[test]
fn writes_the_same_bytes_as_openssl() {
    let dir = TempDir::new().unwrap();
    openssl(dir.path(), "genpkey -algorithm ed25519 -out key.pem");
    openssl(dir.path(), "pkey -in key.pem -pubout -out public.pem");
    let private = read(dir.path(), "key.pem");
    let key = decode_private(&private, None).unwrap();
    assert_eq!(*encode_private(&key, None), private);
    assert_eq!(encode_public(key.verifying_key()), read(dir.path(), "public.pem"));
}

/// An operator may prefer the random source of OpenSSL.
#[test]
fn a_key_made_by_openssl_mints_a_token_that_verifies() {
    let at = directories();
    openssl(&at.signing, "genpkey -algorithm ed25519 -out profile-mine.pem");
    openssl(&at.signing, "pkey -in profile-mine.pem -pubout -out ../trusted/profile/mine.pem");
    fs::set_permissions(at.signing.join("profile-mine.pem"), Permissions::from_mode(0o600))
        .unwrap();
    let keys = SigningKeys::load(&at.signing, None).unwrap();
    let stored = keys.choose(KeyPurpose::Profile, None).unwrap();
    let token = sign(&claims(), &stored.key).unwrap();
    let verified = verify(token.as_str(), &Keyring::load(&at.trusted).unwrap()).unwrap();
    assert_eq!(verified.claims(), &claims());
}

#[test]
fn reads_keys_encrypted_by_openssl() {
    let dir = TempDir::new().unwrap();
    openssl(dir.path(), "genpkey -algorithm ed25519 -out plain.pem");
    let plain = decode_private(&read(dir.path(), "plain.pem"), None).unwrap();
    for scheme in [
        "-v2 aes256",
        "-v2 aes128 -v2prf hmacWithSHA512",
        "-v2 aes256 -iter 600000",
        "-scrypt",
        "-v2 aes256 -scrypt -scrypt_N 1024 -scrypt_r 8 -scrypt_p 2",
    ] {
        let encrypt = format!("pkcs8 -topk8 {scheme} -passout env:PASSPHRASE");
        openssl(dir.path(), &format!("{encrypt} -in plain.pem -out encrypted.pem"));
        let text = read(dir.path(), "encrypted.pem");
        let key = decode_private(&text, Some(PASSPHRASE)).unwrap();
        assert_eq!(key.dangerous_seed(), plain.dangerous_seed(), "{scheme}");
        let refused = |passphrase| decode_private(&text, passphrase).unwrap_err();
        assert_eq!(refused(None), KeyFileError::PassphraseNeeded, "{scheme}");
        assert_eq!(refused(Some("other")), KeyFileError::WrongPassphrase, "{scheme}");
    }
}

#[test]
fn refuses_outdated_encryption_by_name() {
    let dir = TempDir::new().unwrap();
    openssl(dir.path(), "genpkey -algorithm ed25519 -out plain.pem");
    for (scheme, name) in [
        ("-v2 aes256 -v2prf hmacWithSHA1", "the algorithm 1.2.840.113549.2.7"),
        ("-v1 PBE-SHA1-3DES", "an old or unknown scheme"),
        ("-v2 des3", "an old or unknown scheme"),
    ] {
        let encrypt = format!("pkcs8 -topk8 {scheme} -passout env:PASSPHRASE");
        openssl(dir.path(), &format!("{encrypt} -in plain.pem -out encrypted.pem"));
        let refused = decode_private(&read(dir.path(), "encrypted.pem"), Some(PASSPHRASE));
        assert_eq!(refused.unwrap_err(), KeyFileError::Encryption(name.to_owned()), "{scheme}");
    }
}

#[test]
fn refuses_keys_of_other_algorithms_by_name() {
    let dir = TempDir::new().unwrap();
    for (algorithm, name) in [
        ("RSA -pkeyopt rsa_keygen_bits:2048", "RSA"),
        ("EC -pkeyopt ec_paramgen_curve:P-256", "ECDSA"),
        ("ED448", "Ed448"),
        ("X25519", "X25519"),
    ] {
        openssl(dir.path(), &format!("genpkey -algorithm {algorithm} -out key.pem"));
        openssl(dir.path(), "pkey -in key.pem -pubout -out public.pem");
        let expected = KeyFileError::Algorithm(name.to_owned());
        let private = decode_private(&read(dir.path(), "key.pem"), None).unwrap_err();
        assert_eq!(private, expected);
        assert_eq!(decode_public(&read(dir.path(), "public.pem")), Err(expected));
        assert_eq!(
            private.to_string(),
            format!("it contains a key for {name}, but tokens are signed with Ed25519 only")
        );
    }
}

#[test]
fn refuses_a_private_key_that_others_can_access() {
    let at = directories();
    let path = at.signing.join("profile-a.pem");
    for mode in [0o640, 0o604, 0o620, 0o602, 0o644, 0o666] {
        write(&path, &encode_private(&key(1), None), mode);
        let refused = SigningKeys::load(&at.signing, None).unwrap_err();
        assert!(matches!(refused, KeyringError::Exposed { .. }), "{mode:o}");
        assert!(refused.to_string().ends_with(&format!(": chmod 600 {}", path.display())));
    }
    for mode in [0o600, 0o400] {
        write(&path, &encode_private(&key(1), None), mode);
        assert_eq!(SigningKeys::load(&at.signing, None).unwrap().iter().count(), 1, "{mode:o}");
    }
}

#[test]
fn refuses_a_directory_or_public_key_that_others_can_write_to() {
    let at = directories();
    let file = at.trusted.join("profile/a.pem");
    write(&file, &encode_public(key(1).verifying_key()), 0o644);
    assert_eq!(Keyring::load(&at.trusted).unwrap().len(), 1);
    for path in [&at.trusted, &at.trusted.join("profile"), &at.trusted.join("admin"), &file] {
        let good = fs::metadata(path).unwrap().permissions();
        for bit in [0o020, 0o002] {
            fs::set_permissions(path, Permissions::from_mode(good.mode() | bit)).unwrap();
            let refused = Keyring::load(&at.trusted).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("group or others can write to {0}: chmod go-w {0}", path.display())
            );
        }
        fs::set_permissions(path, good).unwrap();
    }
    fs::set_permissions(&at.signing, Permissions::from_mode(0o770)).unwrap();
    assert!(matches!(SigningKeys::load(&at.signing, None), Err(KeyringError::Writable { .. })));
}

#[test]
fn refuses_a_directory_with_one_bad_file_and_names_it() {
    let at = directories();
    let directory = at.trusted.join("profile");
    write(&directory.join("good.pem"), &encode_public(key(1).verifying_key()), 0o644);
    let bad = directory.join("bad.pem");
    let too_large = "x".repeat(FILE_LEN_MAX + 1);
    let private = encode_private(&key(2), None);
    for (text, reason) in [
        ("", "is not a usable key file"),
        ("not PEM", "is not a usable key file"),
        (&private, "is not a usable key file"),
        (&too_large, "is larger than a key file can be, 16384 bytes"),
    ] {
        write(&bad, text, 0o644);
        let refused = Keyring::load(&at.trusted).unwrap_err().to_string();
        assert_eq!(refused, format!("{} {reason}", bad.display()));
    }
    fs::remove_file(&bad).unwrap();
    fs::create_dir(&bad).unwrap();
    let refused = Keyring::load(&at.trusted).unwrap_err().to_string();
    assert_eq!(refused, format!("{} is not a regular file", bad.display()));
    fs::remove_dir(&bad).unwrap();
    std::os::unix::fs::symlink("nowhere", &bad).unwrap();
    assert!(
        matches!(Keyring::load(&at.trusted), Err(KeyringError::Io { path, .. }) if path == bad)
    );
}

#[test]
fn refuses_a_key_without_a_purpose() {
    let at = directories();
    write(&at.trusted.join("stray.pem"), &encode_public(key(1).verifying_key()), 0o644);
    assert!(matches!(Keyring::load(&at.trusted), Err(KeyringError::NoPurpose { .. })));
    for name in ["mine.pem", "profile.pem", "profiles-1.pem", "Admin-1.pem"] {
        let path = at.signing.join(name);
        write(&path, &encode_private(&key(1), None), 0o600);
        let refused = SigningKeys::load(&at.signing, None);
        assert!(matches!(refused, Err(KeyringError::NoPurpose { .. })), "{name}");
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn ignores_other_file_names() {
    let at = directories();
    for directory in [&at.trusted, &at.trusted.join("admin"), &at.signing] {
        for name in [".hidden.pem", "README.md", "key.pem~", "key.pem.bak", "pem"] {
            write(&directory.join(name), "anything", 0o666);
        }
    }
    assert!(Keyring::load(&at.trusted).unwrap().is_empty());
    assert_eq!(SigningKeys::load(&at.signing, None).unwrap().iter().count(), 0);
    fs::remove_dir_all(at.trusted.join("admin")).unwrap();
    assert!(Keyring::load(&at.trusted).unwrap().is_empty());
    fs::remove_dir_all(&at.trusted).unwrap();
    assert!(matches!(Keyring::load(&at.trusted), Err(KeyringError::Io { .. })));
}

#[test]
fn refuses_one_key_for_two_purposes() {
    let at = directories();
    let public = encode_public(key(1).verifying_key());
    let (first, second) = (at.trusted.join("profile/a.pem"), at.trusted.join("admin/b.pem"));
    write(&first, &public, 0o644);
    write(&second, &public, 0o644);
    let refused = Keyring::load(&at.trusted).unwrap_err().to_string();
    let names = format!("{} and {} contain", first.display(), second.display());
    assert!(refused.starts_with(&names), "{refused}");
    for name in ["profile-a.pem", "admin-b.pem"] {
        write(&at.signing.join(name), &encode_private(&key(1), None), 0o600);
    }
    let refused = SigningKeys::load(&at.signing, None);
    assert!(matches!(refused, Err(KeyringError::Duplicate { .. })));
}

#[test]
fn chooses_the_newest_key_unless_an_id_is_given() {
    let at = directories();
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let age = |name: &str, seconds| {
        let file = fs::File::options().write(true).open(at.signing.join(name)).unwrap();
        file.set_modified(start + Duration::from_secs(seconds)).unwrap();
    };
    for (seed, name) in [(1, "profile-a.pem"), (2, "profile-b.pem"), (3, "admin-c.pem")] {
        write(&at.signing.join(name), &encode_private(&key(seed), None), 0o600);
    }
    age("profile-a.pem", 1);
    age("profile-b.pem", 0);
    let id = |seed: u8| key(seed).verifying_key().id();
    let keys = SigningKeys::load(&at.signing, None).unwrap();
    let chosen = |purpose, id: Option<KeyId>| {
        keys.choose(purpose, id).map(|stored| stored.key.verifying_key().id())
    };
    assert_eq!(chosen(KeyPurpose::Profile, None).unwrap(), id(1));
    assert_eq!(chosen(KeyPurpose::Profile, Some(id(2))).unwrap(), id(2));
    assert_eq!(chosen(KeyPurpose::Admin, None).unwrap(), id(3));
    // A key with a given id still signs for its own purpose only.
    let refused = chosen(KeyPurpose::Profile, Some(id(3))).unwrap_err().to_string();
    assert!(refused.ends_with("no profile signing key with the id b62e867f"), "{refused}");
    age("profile-b.pem", 1);
    let keys = SigningKeys::load(&at.signing, None).unwrap();
    let tie = keys.choose(KeyPurpose::Profile, None);
    assert!(matches!(tie, Err(KeyringError::Ambiguous { .. })));
    assert!(keys.choose(KeyPurpose::Profile, Some(id(1))).is_ok());
}

#[test]
fn needs_a_passphrase_only_for_encrypted_keys_of_the_purpose() {
    let at = directories();
    write(&at.signing.join("profile-a.pem"), &encode_private(&key(1), None), 0o600);
    let encrypted = encode_private(&key(2), Some(&encryption()));
    write(&at.signing.join("admin-b.pem"), &encrypted, 0o600);
    assert!(SigningKeys::load_for(&at.signing, &[KeyPurpose::Profile], None).is_ok());
    let refused = SigningKeys::load(&at.signing, None);
    assert!(matches!(
        refused,
        Err(KeyringError::File { source: KeyFileError::PassphraseNeeded, .. })
    ));
    assert_eq!(SigningKeys::load(&at.signing, Some(PASSPHRASE)).unwrap().iter().count(), 2);
}

#[test]
fn writes_a_new_key_once_and_trusts_it() {
    let root = TempDir::new().unwrap();
    let (trusted, signing) = (root.path().join("keys/trusted"), root.path().join("keys/signing"));
    let new = |purpose, seed| write_new(&trusted, &signing, purpose, &key(seed), None);
    let pair = new(KeyPurpose::Profile, 1).unwrap();
    let id = key(1).verifying_key().id();
    assert_eq!(pair.private, signing.join(format!("profile-{id}.pem")));
    assert_eq!(pair.public, trusted.join(format!("profile/{id}.pem")));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&pair.private), mode(&signing)), (0o600, 0o700));
    assert!(matches!(new(KeyPurpose::Profile, 1), Err(KeyringError::Exists { .. })));
    assert!(matches!(new(KeyPurpose::Admin, 1), Err(KeyringError::Duplicate { .. })));
    new(KeyPurpose::Admin, 2).unwrap();
    let ring = Keyring::load(&trusted).unwrap();
    assert_eq!((ring.len(), ring.has(KeyPurpose::Admin)), (2, true));
    assert_eq!(SigningKeys::load(&signing, None).unwrap().iter().count(), 2);
    // The refused call left no file.
    assert!(!signing.join(format!("admin-{id}.pem")).exists());
}

#[test]
fn a_retired_key_does_not_sign_but_its_tokens_still_verify() {
    let at = directories();
    let id = key(1).verifying_key().id();
    let encryption = encryption();
    let new = |purpose, seed, encryption| {
        write_new(&at.trusted, &at.signing, purpose, &key(seed), encryption).unwrap()
    };
    new(KeyPurpose::Profile, 1, Some(&encryption));
    let token = sign(&claims(), &key(1)).unwrap();
    // It is found by its name, without the passphrase.
    let retired = retire(&at.signing, id, None).unwrap();
    assert_eq!(retired, at.signing.join(format!("retired/profile-{id}.pem")));
    assert!(decode_private(&fs::read_to_string(retired).unwrap(), Some(PASSPHRASE)).is_ok());
    assert_eq!(SigningKeys::load(&at.signing, None).unwrap().iter().count(), 0);
    let ring = Keyring::load(&at.trusted).unwrap();
    assert!(verify(token.as_str(), &ring).is_ok());
    assert!(matches!(retire(&at.signing, id, None), Err(KeyringError::NoPrivateKey { .. })));
    // Without the public half, the key is not trusted.
    fs::remove_file(at.trusted.join(format!("profile/{id}.pem"))).unwrap();
    let ring = Keyring::load(&at.trusted).unwrap();
    assert_eq!(verify(token.as_str(), &ring), Err(VerifyError::UnknownKey(id)));
}

#[test]
fn retires_a_key_with_another_name_by_its_id() {
    let at = directories();
    write(&at.signing.join("admin-mine.pem"), &encode_private(&key(4), None), 0o600);
    let id = key(4).verifying_key().id();
    assert_eq!(retire(&at.signing, id, None).unwrap(), at.signing.join("retired/admin-mine.pem"));
    write(&at.signing.join("admin-mine.pem"), &encode_private(&key(4), None), 0o600);
    assert!(matches!(retire(&at.signing, id, None), Err(KeyringError::Exists { .. })));
    assert!(at.signing.join("admin-mine.pem").exists());
}
