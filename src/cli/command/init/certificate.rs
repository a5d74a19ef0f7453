//! A self-signed certificate to begin with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
    date_time_ymd,
};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::token::UnixSeconds;

/// How long it is valid, in seconds: a year.
const LIFETIME: u64 = 365 * 24 * 60 * 60;

/// How long before now it becomes valid, in seconds, for clients whose clocks
/// are behind.
const BACKDATED: u64 = 60 * 60;

/// Makes a certificate for `host`, or for all names of this machine if `host` is
/// one of them, and its private key; both PEM.
pub(in crate::cli) fn self_signed(
    host: &str,
    now: UnixSeconds,
) -> Result<(String, Zeroizing<String>), Failure> {
    let made = || -> Result<_, rcgen::Error> {
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
    made().map_err(|error| refuse(&error))
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

/// Makes a certificate valid while `from <= now < until`.
pub(super) fn set_validity(params: &mut CertificateParams, from: UnixSeconds, until: UnixSeconds) {
    let moment = |at: UnixSeconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(at.get());
    params.not_before = moment(from);
    params.not_after = moment(until);
}

/// Says that there is no certificate.
pub(super) fn refuse(error: &rcgen::Error) -> Failure {
    Failure::new(error, "nothing was made; is the host in --public-url a usual name?")
}
