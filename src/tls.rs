//! The certificate of a listener: read from disk, checked, replaced without a
//! restart.
//!
//! TLS 1.2 and 1.3 by rustls with aws-lc-rs, whose key exchange prefers the
//! post-quantum hybrid: a profile holds keys that live for years. There is no
//! 0-RTT, because a replayed `GET` would spend a use, no key log, and no
//! application protocol but HTTP/1.1.

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

/// How often [`ReloadingCertificate::watch`] looks at the files.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// A certificate chain and its key, which can be replaced while connections
/// are served. Each handshake takes the pair that is current when it begins.
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

/// What the watcher saw last.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Watched {
    files: [Option<FileStamp>; 2],
    /// The pair in these files was refused. It may have been read while half
    /// of it was written, so it is tried again.
    refused: bool,
}

/// What tells that a file was replaced or rewritten.
#[derive(Clone, Copy, Eq, PartialEq)]
struct FileStamp {
    inode: u64,
    len: u64,
    changed: (i64, i64),
}

/// Why a certificate or its key is refused. Nothing of the key is in it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key file is open to others than its owner.
    #[error("{path} is a private key with mode {mode:03o}, which lets others in")]
    KeyMode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds no certificate.
    #[error("{path} holds no certificate in PEM")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The file holds no private key.
    #[error("{path} holds no private key in PEM without a passphrase")]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The first certificate of the chain cannot be read.
    #[error("the first certificate in {path} cannot be read")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: x509_cert::der::Error,
    },
    /// The key is of no use, or is not that of the certificate.
    #[error("the key in {key} does not go with the certificate in {chain}")]
    Pair {
        /// The file of the certificate.
        chain: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
    /// The provider cannot do what is asked of it.
    #[error("cannot set up TLS")]
    Setup(#[source] rustls::Error),
}

impl ReloadingCertificate {
    /// Reads a chain, the server's certificate first, and its key, both PEM.
    ///
    /// # Errors
    ///
    /// [`TlsError`] if either cannot be read, if the key file can be read or
    /// written by its group or by others, or if the two do not belong together.
    pub fn load(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let (chain_path, key_path) = (chain.into(), key.into());
        let provider = Arc::new(aws_lc_rs::default_provider());
        // Looked at before they are read: what changes meanwhile is seen later.
        let files = [FileStamp::of(&chain_path), FileStamp::of(&key_path)];
        let current = ArcSwap::from_pointee(Pair::read(&chain_path, &key_path, &provider)?);
        let watched = Mutex::new(Watched { files, refused: false });
        Ok(Self { chain_path, key_path, provider, current, watched })
    }

    /// Reads both files again. The old pair stays if the new one is refused.
    ///
    /// # Errors
    ///
    /// As [`ReloadingCertificate::load`].
    pub fn reload(&self) -> Result<(), TlsError> {
        let pair = Pair::read(&self.chain_path, &self.key_path, &self.provider)?;
        self.current.store(Arc::new(pair));
        Ok(())
    }

    /// Returns the first moment at which the current certificate is no longer
    /// valid.
    #[must_use]
    pub fn not_after(&self) -> UnixSeconds {
        self.current.load().not_after
    }

    /// Makes the configuration of a listener that shows the current certificate.
    ///
    /// # Errors
    ///
    /// [`TlsError::Setup`] if the provider lacks what TLS 1.2 or 1.3 needs.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&VERSIONS)
            .map_err(TlsError::Setup)?;
        let resolver: Arc<Self> = Arc::clone(self);
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Looks at the files each second and reloads them when they change, until
    /// the future is dropped.
    ///
    /// They are looked at and not subscribed to, because a subscription is lost
    /// when a file is renamed over or a folder's symlink is swapped, which is
    /// how certificates are replaced.
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
                Err(error) => tracing::error!(target: "jeton::tls", %error, "the watcher failed"),
            }
        }
    }

    /// Writes down how a reload went.
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
                    "new certificate refused, the old one stays"
                );
            }
        }
    }

    /// Reloads if a file changed or the last attempt failed; `None` if there is
    /// nothing new to say.
    fn reload_if_changed(&self) -> Option<Result<(), TlsError>> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let files = [FileStamp::of(&self.chain_path), FileStamp::of(&self.key_path)];
        let changed = watched.files != files;
        if !changed && !watched.refused {
            return None;
        }
        let result = self.reload();
        *watched = Watched { files, refused: result.is_err() };
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

impl FileStamp {
    /// Looks at a file; `None` if that cannot be done, which is a look as well.
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        // The time of change: that of modification can be set back.
        let changed = (file.ctime(), file.ctime_nsec());
        Some(Self { inode: file.ino(), len: file.len(), changed })
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = fs::read(path).map_err(|source| io_error(path, source))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    chain
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| TlsError::NoCertificate { path: path.to_owned() })
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
    refuse_open_key(path, &file.metadata().map_err(error)?)?;
    let mut pem = Zeroizing::new(Vec::new());
    file.read_to_end(&mut pem).map_err(error)?;
    // What the parser says may quote the file.
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::NoKey { path: path.to_owned() })
}

/// Refuses a key that its group or anybody else may read or write.
fn refuse_open_key(path: &Path, file: &Metadata) -> Result<(), TlsError> {
    let mode = file.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TlsError::KeyMode { path: path.to_owned(), mode });
    }
    Ok(())
}

fn io_error(path: &Path, source: io::Error) -> TlsError {
    TlsError::Io { path: path.to_owned(), source }
}
