//! Checks a certificate and its private key.

use std::path::Path;

use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::token::UnixSeconds;

/// Returns the faults of the certificate in `cert` and its key in `key`: one cannot be read, they
/// do not match, or the certificate is not valid now.
pub(super) fn faults(cert: &Path, key: &Path, now: UnixSeconds) -> Vec<String> {
    let mut faults = Vec::new();
    let chain = chain(cert).map_err(|fault| faults.push(fault)).ok();
    let private = private_key(key).map_err(|fault| faults.push(fault)).ok();
    if let Some(chain) = &chain {
        faults.extend(chain.first().and_then(|first| time_fault(cert, first, now)));
    }
    if let (Some(chain), Some(private)) = (chain, private) {
        let provider = aws_lc_rs::default_provider();
        if let Err(error) = CertifiedKey::from_der(chain, private, &provider) {
            let (cert, key) = (cert.display(), key.display());
            faults.push(format!(
                "`public.tls_key`: {key} does not match {cert}, or TLS cannot use it: {error}"
            ));
        }
    }
    faults
}

/// Returns a fault if the certificate in `cert` is not for `host`. [`faults`] reports a certificate
/// that cannot be read.
pub(super) fn name_fault(cert: &Path, host: &str) -> Option<String> {
    let chain = chain(cert).ok()?;
    let certificate = ParsedCertificate::try_from(chain.first()?).ok()?;
    let name = ServerName::try_from(host).ok()?;
    verify_server_name(&certificate, &name).err()?;
    Some(format!(
        "`public.tls_cert`: {} is not for {host}, the host of `public_url`",
        cert.display()
    ))
}

fn chain(cert: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let path = cert.display();
    let chain: Result<Vec<_>, pem::Error> =
        CertificateDer::pem_file_iter(cert).and_then(Iterator::collect);
    match chain {
        Ok(chain) if chain.is_empty() => {
            Err(format!("`public.tls_cert`: {path} has no certificate"))
        }
        Ok(chain) => Ok(chain),
        Err(error) => Err(format!("`public.tls_cert`: cannot read {path}: {error}")),
    }
}

fn private_key(key: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let path = key.display();
    PrivateKeyDer::from_pem_file(key)
        .map_err(|error| format!("`public.tls_key`: cannot read {path}: {error}"))
}

fn time_fault(path: &Path, certificate: &CertificateDer<'_>, now: UnixSeconds) -> Option<String> {
    let path = path.display();
    let Ok(certificate) = Certificate::from_der(certificate) else {
        return Some(format!("`public.tls_cert`: {path} is not an X.509 certificate"));
    };
    let validity = certificate.tbs_certificate().validity();
    let [from, until] = [validity.not_before, validity.not_after]
        .map(|time| UnixSeconds::new(time.to_unix_duration().as_secs()));
    if now < from {
        return Some(format!("`public.tls_cert`: {path} is not valid before {from}"));
    }
    (now >= until).then(|| format!("`public.tls_cert`: {path} expired at {until}"))
}
