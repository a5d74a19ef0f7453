//! The certificate of a listener, reloaded without a restart.
//!
//! TLS 1.2 and 1.3 by rustls with aws-lc-rs, which prefers the post-quantum hybrid key exchange:
//! profiles contain keys that are valid for years. There is no 0-RTT, because a replayed `GET`
//! would spend a use, no key log, and no application protocol but HTTP/1.1.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use thiserror::Error;
use x509_cert::der::Decode as _;
use zeroize::Zeroizing;

use crate::token::UnixSeconds;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// How often [`ReloadingCertificate::watch`] checks the files.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// A certificate chain and its key, which can be replaced while connections are served. Each
/// handshake uses the pair that is current when it begins.
pub struct ReloadingCertificate {
    chain_path: PathBuf,
    key_path: PathBuf,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<Pair>,
    watched: Mutex<Watched>,
}

/// A chain and its key, checked to belong together.
struct Pair {
    certified: Arc<CertifiedKey>,
    not_after: UnixSeconds,
}

/// What the watcher found last.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Watched {
    files: [Option<FileVersion>; 2],
    /// The pair in these files was rejected. It may have been read while only half of it was
    /// written, so it is tried again.
    rejected: bool,
}

/// Changes when a file is replaced or rewritten.
#[derive(Clone, Copy, Eq, PartialEq)]
struct FileVersion {
    inode: u64,
    len: u64,
    changed: (i64, i64),
}

/// Why a certificate or its key is rejected. Contains no part of the key.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Users other than the owner have access to the key file.
    #[error("{path} is a private key with mode {mode:03o}, which gives other users access")]
    KeyMode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file contains no certificate.
    #[error("{path} contains no PEM certificate")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The file contains no unencrypted private key.
    #[error("{path} contains no PEM private key without a passphrase")]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The first certificate of the chain cannot be parsed.
    #[error("the first certificate in {path} cannot be parsed")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        source: x509_cert::der::Error,
    },
    /// The key cannot be used, or does not match the certificate.
    #[error("the key in {key} does not match the certificate in {chain}")]
    Pair {
        /// The file of the certificate.
        chain: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// The error of rustls.
        source: rustls::Error,
    },
    /// The provider lacks something that TLS needs.
    #[error("cannot set up TLS")]
    Setup(#[source] rustls::Error),
}

impl ReloadingCertificate {
    /// Reads a chain, the server's certificate first, and its key, both PEM.
    ///
    /// # Errors
    ///
    /// Returns [`TlsError`] if either cannot be read, if group or others can read or write the key
    /// file, or if the two do not match.
    pub fn load(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let (chain_path, key_path) = (chain.into(), key.into());
        let provider = Arc::new(aws_lc_rs::default_provider());
        // Before the files are read, so that a change meanwhile is noticed later.
        let files = [FileVersion::of(&chain_path), FileVersion::of(&key_path)];
        let current = ArcSwap::from_pointee(Pair::read(&chain_path, &key_path, &provider)?);
        let watched = Mutex::new(Watched { files, rejected: false });
        Ok(Self { chain_path, key_path, provider, current, watched })
    }

    /// Reads both files again. Keeps the old pair if the new one is rejected.
    ///
    /// # Errors
    ///
    /// As [`ReloadingCertificate::load`].
    pub fn reload(&self) -> Result<(), TlsError> {
        let pair = Pair::read(&self.chain_path, &self.key_path, &self.provider)?;
        self.current.store(Arc::new(pair));
        Ok(())
    }

    /// Returns when the current certificate expires.
    #[must_use]
    pub fn not_after(&self) -> UnixSeconds {
        self.current.load().not_after
    }

    /// Returns the configuration of a listener that presents the current certificate.
    ///
    /// # Errors
    ///
    /// [`TlsError::Setup`] if the provider lacks what TLS 1.2 or 1.3 needs.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&VERSIONS)
            .map_err(TlsError::Setup)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Checks the files each second and reloads them when they change, until the future is dropped.
    ///
    /// It polls, because a file watch is lost when a file is renamed over or a directory's symlink
    /// is swapped, which is how certificates are replaced.
    pub async fn watch(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(WATCH_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let certificate = Arc::clone(&self);
            let reloaded = tokio::task::spawn_blocking(move || certificate.reload_if_changed());
            match reloaded.await {
                Ok(None) => {}
                Ok(Some(result)) => self.report(&result),
                Err(error) => {
                    tracing::error!(target: "jeton::tls", %error, "the certificate watcher failed");
                }
            }
        }
    }

    /// Logs the result of a reload.
    fn report(&self, result: &Result<(), TlsError>) {
        let chain = self.chain_path.display();
        match result {
            Ok(()) => {
                let not_after = self.not_after();
                tracing::info!(target: "jeton::tls", %chain, %not_after, "certificate reloaded");
            }
            Err(error) => {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::error!(
                    target: "jeton::tls", %chain, %error, cause,
                    "new certificate rejected, the old one stays in use"
                );
            }
        }
    }

    /// Reloads if a file changed or the last attempt failed. Returns `None` if there is nothing new
    /// to report.
    fn reload_if_changed(&self) -> Option<Result<(), TlsError>> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let files = [FileVersion::of(&self.chain_path), FileVersion::of(&self.key_path)];
        let changed = watched.files != files;
        if !changed && !watched.rejected {
            return None;
        }
        let result = self.reload();
        *watched = Watched { files, rejected: result.is_err() };
        (changed || result.is_ok()).then_some(result)
    }
}

impl ResolvesServerCert for ReloadingCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().certified))
    }
}

impl fmt::Debug for ReloadingCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReloadingCertificate")
            .field("chain_path", &self.chain_path)
            .field("key_path", &self.key_path)
            .field("not_after", &self.not_after())
            .finish_non_exhaustive()
    }
}

impl Pair {
    fn read(chain: &Path, key: &Path, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let certificates = read_chain(chain)?;
        let not_after = not_after(chain, &certificates)?;
        let certified = CertifiedKey::from_der(certificates, read_key(key)?, provider);
        let certified = certified.map_err(|source| TlsError::Pair {
            chain: chain.to_owned(),
            key: key.to_owned(),
            source,
        })?;
        Ok(Self { certified: Arc::new(certified), not_after })
    }
}

impl FileVersion {
    /// Returns the version of a file, or `None` if it cannot be read.
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        // ctime, because mtime can be set back.
        let changed = (file.ctime(), file.ctime_nsec());
        Some(Self { inode: file.ino(), len: file.len(), changed })
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = fs::read(path).map_err(|source| io_error(path, source))?;
    let chain: Result<_, _> = CertificateDer::pem_slice_iter(&pem).collect();
    chain.map_err(|_| TlsError::NoCertificate { path: path.to_owned() })
}

fn not_after(path: &Path, chain: &[CertificateDer<'_>]) -> Result<UnixSeconds, TlsError> {
    let leaf = chain.first().ok_or_else(|| TlsError::NoCertificate { path: path.to_owned() })?;
    let leaf = x509_cert::Certificate::from_der(leaf)
        .map_err(|source| TlsError::Certificate { path: path.to_owned(), source })?;
    let not_after = leaf.tbs_certificate().validity().not_after;
    Ok(UnixSeconds::new(not_after.to_unix_duration().as_secs()))
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let error = |source| io_error(path, source);
    let mut file = File::open(path).map_err(error)?;
    reject_shared_key(path, &file.metadata().map_err(error)?)?;
    let mut pem = Zeroizing::new(Vec::new());
    file.read_to_end(&mut pem).map_err(error)?;
    // The parser's error may quote the file.
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::NoKey { path: path.to_owned() })
}

/// Rejects a key that group or others may read or write.
fn reject_shared_key(path: &Path, file: &Metadata) -> Result<(), TlsError> {
    let mode = file.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TlsError::KeyMode { path: path.to_owned(), mode });
    }
    Ok(())
}

fn io_error(path: &Path, source: io::Error) -> TlsError {
    TlsError::Io { path: path.to_owned(), source }
}
