//! The OpenVPN files of the demo: the server configuration, the client template, and the key they
//! share.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::staging::Staging;
use crate::failure::Failure;
use crate::random;

/// Writes `server.conf`, `client-template.txt` and `tls-crypt.key` into `dir`, beside the directory
/// `pki`.
pub(super) fn write(staging: &Staging, dir: &str) -> Result<(), Failure> {
    staging.write(&format!("{dir}/server.conf"), 0o644, SERVER)?;
    staging.write(&format!("{dir}/client-template.txt"), 0o644, CLIENT)?;
    staging.write(&format!("{dir}/tls-crypt.key"), 0o600, &static_key()?)
}

/// Creates an OpenVPN static key, version 1: 2048 random bits, as 16 lines of hex.
fn static_key() -> Result<Zeroizing<String>, Failure> {
    let bits: Zeroizing<[u8; 256]> = Zeroizing::new(random::bytes()?);
    let mut text = Zeroizing::new(String::with_capacity(1024));
    text.push_str("#\n# 2048 bit OpenVPN static key\n#\n");
    text.push_str("-----BEGIN OpenVPN Static key V1-----\n");
    for line in bits.chunks(16) {
        for byte in line {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    text.push_str("-----END OpenVPN Static key V1-----\n");
    Ok(text)
}

const SERVER: &str = "\
# The server for the demo's profiles, on this machine only.
# To start it in this directory: sudo openvpn --config server.conf
local 127.0.0.1
port 1194
proto udp4
dev tun
topology subnet
server 10.8.0.0 255.255.255.0
ca pki/ca.crt
cert pki/issued/server.crt
key pki/private/server.key
crl-verify pki/crl.pem
dh none
tls-crypt tls-crypt.key
tls-version-min 1.2
verify-client-cert require
remote-cert-tls client
keepalive 10 60
persist-key
persist-tun
verb 3
";

const CLIENT: &str = "\
client
dev tun
proto udp
remote 127.0.0.1 1194
nobind
persist-key
persist-tun
resolv-retry infinite
remote-cert-tls server
verify-x509-name server name
tls-version-min 1.2
verb 3
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_static_key_has_sixteen_lines_of_sixteen_bytes() {
        let key = static_key().unwrap();
        let lines: Vec<_> = key.lines().filter(|line| !line.starts_with(['#', '-'])).collect();
        assert_eq!(lines.len(), 16);
        let is_hex = |line: &str| line.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(lines.iter().all(|line| line.len() == 32 && is_hex(line)));
    }
}
