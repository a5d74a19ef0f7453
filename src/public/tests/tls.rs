//! TLS, also while the certificate is replaced.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use tempfile::TempDir;

use super::fixture::{Fixture, read_response, request};
use crate::metrics::Readings;
use crate::tls::{ReloadingCertificate, TlsError};
use crate::token::UnixSeconds;

/// A self-signed certificate for `vpn.test`.
struct Made {
    certificate: rcgen::Certificate,
    key: rcgen::KeyPair,
}

/// Makes a certificate that expires `days` after 1 January 2030.
fn make(days: u8) -> Made {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["vpn.test".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2030, 1, 1 + days);
    Made { certificate: params.self_signed(&key).unwrap(), key }
}

impl Made {
    fn write(&self, directory: &Path) {
        write(&directory.join("chain.pem"), &self.certificate.pem(), 0o644);
        write(&directory.join("key.pem"), &self.key.serialize_pem(), 0o600);
    }
}

/// Replaces a file by renaming, as certificates are replaced.
fn write(path: &Path, text: &str, mode: u32) {
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&new).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    fs::rename(&new, path).unwrap();
}

/// Writes a certificate to a new directory and loads it.
fn loaded(made: &Made) -> (TempDir, Arc<ReloadingCertificate>) {
    let directory = TempDir::new().unwrap();
    made.write(directory.path());
    let [chain, key] = ["chain.pem", "key.pem"].map(|name| directory.path().join(name));
    (directory, Arc::new(ReloadingCertificate::load(chain, key).unwrap()))
}

fn client(trusted: &[&Made]) -> Arc<ClientConfig> {
    client_of(trusted, rustls::ALL_VERSIONS)
}

fn client_of(
    trusted: &[&Made],
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for made in trusted {
        roots.add(made.certificate.der().clone()).unwrap();
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
    Arc::new(builder.unwrap().with_root_certificates(roots).with_no_client_auth())
}

type Connection = StreamOwned<ClientConnection, TcpStream>;

fn handshake(config: &Arc<ClientConfig>, stream: TcpStream) -> std::io::Result<Connection> {
    let name = "vpn.test".try_into().unwrap();
    let mut client = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = stream;
    while client.is_handshaking() {
        client.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(client, stream))
}

fn certificate_of(connection: &Connection) -> CertificateDer<'static> {
    connection.conn.peer_certificates().unwrap()[0].clone().into_owned()
}

#[test]
fn replacing_the_certificate_fails_no_handshake() {
    let made: Vec<Made> = (0..6).map(make).collect();
    let (directory, certificate) = loaded(&made[0]);
    let server = Fixture::new().open_tls(certificate.server_config().unwrap());
    let config = client(&made.iter().collect::<Vec<_>>());

    let (stop, handshakes) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let mut connection = handshake(&config, server.connect()).unwrap();
                    connection.write_all(&request("GET", "/healthz", &[])).unwrap();
                    assert_eq!(read_response(&mut connection).status, 200);
                    handshakes.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for next in &made[1..] {
            let before = handshakes.load(Ordering::SeqCst);
            next.write(directory.path());
            certificate.reload().unwrap();
            let begun = Instant::now();
            while handshakes.load(Ordering::SeqCst) < before + 10 {
                assert!(begun.elapsed() < Duration::from_secs(20), "no handshakes");
                thread::sleep(Duration::from_millis(5));
            }
        }
        stop.store(true, Ordering::SeqCst);
    });
    let fresh = client(&[&made[5]]);
    let connection = handshake(&fresh, server.connect()).unwrap();
    assert_eq!(certificate_of(&connection), *made[5].certificate.der());
    assert_eq!(connection.conn.alpn_protocol(), None);
}

#[test]
fn offers_only_http_1() {
    let made = make(0);
    let tls = loaded(&made).1.server_config().unwrap();
    assert_eq!(tls.max_early_data_size, 0);
    let server = Fixture::new().open_tls(tls);
    let mut config = (*client(&[&made])).clone();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let connection = handshake(&Arc::new(config.clone()), server.connect()).unwrap();
    assert_eq!(connection.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    config.alpn_protocols = vec![b"h2".to_vec()];
    assert!(handshake(&Arc::new(config), server.connect()).is_err());
}

#[test]
fn keeps_the_old_pair_when_the_new_one_is_bad() {
    let (old, new) = (make(0), make(1));
    let (directory, certificate) = loaded(&old);
    let until_2030 = UnixSeconds::new(1_893_456_000);
    assert_eq!(certificate.not_after(), until_2030);
    let chain = directory.path().join("chain.pem");
    let key = directory.path().join("key.pem");
    let reload = || certificate.reload().unwrap_err();

    write(&chain, &new.certificate.pem(), 0o644);
    assert!(matches!(reload(), TlsError::Pair { .. }));
    write(&chain, "no certificate", 0o644);
    assert!(matches!(reload(), TlsError::NoCertificate { .. }));
    fs::remove_file(&chain).unwrap();
    assert!(matches!(reload(), TlsError::Io { .. }));
    write(&chain, &new.certificate.pem(), 0o644);
    write(&key, &new.certificate.pem(), 0o600);
    assert!(matches!(reload(), TlsError::NoKey { .. }));
    for mode in [0o640, 0o604, 0o620, 0o602] {
        write(&key, &new.key.serialize_pem(), 0o600);
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(reload(), TlsError::KeyMode { mode: m, .. } if m == mode));
    }
    assert_eq!(certificate.not_after(), until_2030);

    new.write(directory.path());
    certificate.reload().unwrap();
    assert_eq!(certificate.not_after(), until_2030.plus(86_400));
}

#[test]
fn the_watcher_waits_for_both_files_of_a_new_pair() {
    let (directory, certificate) = loaded(&make(0));
    let before = certificate.not_after();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.spawn(Arc::clone(&certificate).watch());
    let new = make(2);
    write(&directory.path().join("chain.pem"), &new.certificate.pem(), 0o644);
    thread::sleep(Duration::from_millis(1_500));
    assert_eq!(certificate.not_after(), before);
    write(&directory.path().join("key.pem"), &new.key.serialize_pem(), 0o600);
    let begun = Instant::now();
    while certificate.not_after() == before {
        assert!(begun.elapsed() < Duration::from_secs(60), "never reloaded");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(certificate.not_after(), before.plus(2 * 86_400));
}

#[test]
fn counts_only_completed_handshakes_by_version() {
    let made = make(0);
    let fixture = Fixture::new();
    let server = fixture.open_tls(loaded(&made).1.server_config().unwrap());
    for (version, handshakes) in [(&TLS12, 2), (&TLS13, 1)] {
        let config = client_of(&[&made], &[version]);
        for _ in 0..handshakes {
            let mut connection = handshake(&config, server.connect()).unwrap();
            connection.write_all(&request("GET", "/healthz", &[])).unwrap();
            assert_eq!(read_response(&mut connection).status, 200);
        }
    }
    handshake(&client(&[]), server.connect()).unwrap_err();
    drop(server);
    let text = fixture.metrics.show(&Readings::default()).unwrap();
    for line in ["{version=\"1.2\"} 2\n", "{version=\"1.3\"} 1\n"] {
        assert!(text.contains(line), "{line}{text}");
    }
}
