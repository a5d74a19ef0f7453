//! Creates the initial, self-signed certificate.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
    date_time_ymd,
};
use zeroize::Zeroizing;

use super::staging::Staging;
use crate::failure::Failure;
use crate::token::UnixSeconds;
use crate::token::url::PublicUrl;

/// The validity in seconds: one year.
const LIFETIME: u64 = 365 * 24 * 60 * 60;

/// The certificate is valid from one hour ago, for clients whose clocks are behind. In seconds.
const BACKDATED: u64 = 60 * 60;

/// Creates a certificate for the host of `url`, and writes it and its private key into `tls`.
pub(in crate::cli) fn write(
    staging: &Staging,
    url: &PublicUrl,
    now: UnixSeconds,
) -> Result<(), Failure> {
    let (certificate, key) = self_signed(url.host(), now)?;
    staging.write("tls/cert.pem", 0o644, &certificate)?;
    staging.write("tls/key.pem", 0o600, &key)
}

/// Returns a certificate for `host`, or for `localhost` and both loopback addresses if `host` is
/// one of them, and its private key; both PEM.
fn self_signed(host: &str, now: UnixSeconds) -> Result<(String, Zeroizing<String>), Failure> {
    let create = || -> Result<_, rcgen::Error> {
        let mut params = CertificateParams::default();
        set_validity(&mut params, now.minus(BACKDATED), now.plus(LIFETIME));
        params.subject_alt_names = names(host)?;
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, "jeton, self-signed");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        Ok((params.self_signed(&key)?.pem(), Zeroizing::new(key.serialize_pem())))
    };
    create().map_err(|error| {
        Failure::new(
            &error,
            "nothing was created; check that the host in --public-url is a valid name",
        )
    })
}

fn names(host: &str) -> Result<Vec<SanType>, rcgen::Error> {
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return Ok(vec![
            SanType::DnsName("localhost".try_into()?),
            SanType::IpAddress(Ipv4Addr::LOCALHOST.into()),
            SanType::IpAddress(Ipv6Addr::LOCALHOST.into()),
        ]);
    }
    Ok(vec![match address {
        Some(address) => SanType::IpAddress(address),
        None => SanType::DnsName(host.try_into()?),
    }])
}

/// Sets the validity to `from <= now < until`.
pub(super) fn set_validity(params: &mut CertificateParams, from: UnixSeconds, until: UnixSeconds) {
    let date_time = |at: UnixSeconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(at.get());
    params.not_before = date_time(from);
    params.not_after = date_time(until);
}
