//! What the names of directives mean to the clients that read a profile.
//!
//! Sources: OpenVPN 2.6 and 2.7, `options.c`, `add_option`; openvpn3, `openvpn/client/cliopt.hpp`,
//! the tables above `handle_unused_options`.

/// How clients treat a directive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// At least OpenVPN 2 and the core of OpenVPN Connect accept it.
    Client,
    /// OpenVPN 3 accepts it only from the server.
    PushOnly,
    /// OpenVPN 2 no longer supports it.
    Removed,
    /// It starts a program or loads a library on the user's device.
    Script,
    /// It belongs in the configuration of a server.
    ServerOnly,
    /// It is a command-line operation.
    Standalone,
    /// No known client supports it.
    Unknown,
    /// OpenVPN 3 rejects it without `setenv opt` or `ignore-unknown-option`.
    Unsupported,
}

/// The names of each class, sorted.
#[rustfmt::skip]
const NAMES: [(Class, &[&str]); 7] = [
    (Class::Client, &[
        "allow-compression", "allow-password-save", "allow-pull-fqdn", "allow-recursive-routing",
        "auth", "auth-nocache", "auth-retry", "auth-user-pass", "bind", "block-ipv6",
        "block-outside-dns", "ca", "cert", "cipher", "client", "comp-lzo", "compat-mode",
        "compress", "config", "connect-retry", "connect-retry-max", "connect-timeout", "crl-verify",
        "data-ciphers", "data-ciphers-fallback", "dev", "dev-type", "dhcp-option",
        "dhcp-pre-release", "disable-dco", "disable-occ", "dns", "ecdh-curve", "engine",
        "explicit-exit-notify", "extra-certs", "fast-io", "float", "group", "hand-window",
        "http-proxy", "http-proxy-option", "http-proxy-override", "http-proxy-user-pass",
        "ifconfig-noexec", "ifconfig-nowarn", "ignore-unknown-option", "inactive", "ip-win32",
        "keepalive", "key", "key-direction", "link-mtu", "local", "lport",
        "machine-readable-output", "mark", "max-routes", "mlock", "mode", "mssfix", "mtu-disc",
        "mtu-test", "mute", "mute-replay-warnings", "ncp-ciphers", "nice", "nobind", "ns-cert-type",
        "opt-verify", "passtos", "peer-fingerprint", "persist-key", "persist-local-ip",
        "persist-remote-ip", "persist-tun", "port", "preresolve", "prng", "proto", "proto-force",
        "providers", "pull", "pull-filter", "push-peer-info", "rcvbuf", "redirect-gateway",
        "redirect-private", "register-dns", "remap-usr1", "remote", "remote-cert-eku",
        "remote-cert-ku", "remote-cert-tls", "remote-random", "remote-random-hostname",
        "reneg-bytes", "reneg-pkts", "reneg-sec", "replay-persist", "replay-window", "resolv-retry",
        "route", "route-delay", "route-ipv6", "route-method", "route-metric", "route-noexec",
        "route-nopull", "server-poll-timeout", "setenv", "setenv-safe", "shaper", "show-net-up",
        "sndbuf", "socket-flags", "static-challenge", "suppress-timestamps", "tap-sleep",
        "tcp-nodelay", "tcp-queue-limit", "tls-auth", "tls-cert-profile", "tls-cipher",
        "tls-ciphersuites", "tls-client", "tls-crypt", "tls-crypt-v2", "tls-exit", "tls-groups",
        "tls-timeout", "tls-version-max", "tls-version-min", "tmp-dir", "tran-window", "tun-ipv6",
        "tun-mtu", "tun-mtu-extra", "tun-mtu-max", "txqueuelen", "udp-mtu", "user", "verb",
        "verify-x509-name", "windows-driver", "x509-track",
    ]),
    (Class::PushOnly, &[
        "auth-token", "auth-token-user", "echo", "ifconfig", "ifconfig-ipv6", "key-derivation",
        "parameter", "peer-id", "ping", "ping-exit", "ping-restart", "protocol-flags",
        "route-gateway", "topology",
    ]),
    (Class::Removed, &[
        "client-cert-not-required", "compat-names", "key-method", "keysize", "mtu-dynamic",
        "ncp-disable", "no-iv", "no-name-remapping", "no-replay", "secret", "tls-remote",
    ]),
    (Class::Script, &[
        "dns-updown", "down", "down-pre", "ipchange", "iproute", "learn-address",
        "pkcs11-providers", "plugin", "route-pre-down", "route-up", "script-security",
        "tls-export-cert", "tls-verify", "up", "up-delay", "up-restart",
    ]),
    (Class::ServerOnly, &[
        "auth-gen-token", "auth-gen-token-secret", "auth-user-pass-optional",
        "auth-user-pass-verify", "bcast-buffers", "ccd-exclusive", "client-config-dir",
        "client-connect", "client-crresponse", "client-disconnect", "client-to-client",
        "connect-freq", "connect-freq-initial", "dh", "disable", "duplicate-cn", "hash-size",
        "ifconfig-ipv6-pool", "ifconfig-ipv6-push", "ifconfig-pool", "ifconfig-pool-persist",
        "ifconfig-push", "ifconfig-push-constraint", "iroute", "iroute-ipv6", "max-clients",
        "max-routes-per-client", "override-username", "port-share", "push", "push-continuation",
        "push-remove", "push-reset", "server", "server-bridge", "server-ipv6", "stale-routes-check",
        "tls-crypt-v2-max-age", "tls-crypt-v2-verify", "username-as-common-name",
        "verify-client-cert", "vlan-accept", "vlan-pvid", "vlan-tagging",
    ]),
    (Class::Standalone, &[
        "allow-nonadmin", "dhcp-release", "dhcp-renew", "genkey", "help", "mktun", "rdns-internal",
        "rmtun", "service", "show-adapters", "show-ciphers", "show-curves", "show-digests",
        "show-engines", "show-gateway", "show-groups", "show-net", "show-pkcs11-ids", "show-tls",
        "show-valid-subnets", "test-crypto", "version",
    ]),
    (Class::Unsupported, &[
        "allow-deprecated-insecure-static-crypto", "askpass", "bind-dev", "capath", "cd", "chroot",
        "client-nat", "comp-noadapt", "cryptoapicert", "daemon", "dev-node", "dhcp-internal",
        "errors-to-stderr", "force-tls-key-material-export", "fragment", "gremlin",
        "http-proxy-retry", "http-proxy-timeout", "ip-remote-hint", "keying-material-exporter",
        "lladdr", "log", "log-append", "management", "management-client", "management-client-auth",
        "management-client-group", "management-client-user", "management-external-cert",
        "management-external-key", "management-forget-disconnect", "management-hold",
        "management-log-cache", "management-query-passwords", "management-query-proxy",
        "management-query-remote", "management-signal", "management-up-down", "max-packet-size",
        "memstats", "msg-channel", "multihome", "pause-exit", "ping-timer-rem",
        "pkcs11-cert-private", "pkcs11-id", "pkcs11-id-management", "pkcs11-pin-cache",
        "pkcs11-private-mode", "pkcs11-protected-authentication", "pkcs12", "route-ipv6-gateway",
        "route-table", "rport", "session-timeout", "setcon", "single-session", "socks-proxy",
        "socks-proxy-retry", "status", "status-version", "syslog", "tls-server", "verify-hash",
        "win-sys", "writepid", "x509-username-field",
    ]),
];

/// Returns how clients treat the directive `name`.
pub(super) fn class(name: &str) -> Class {
    let listed = NAMES.iter().find(|(_, names)| names.binary_search(&name).is_ok());
    listed.map_or(Class::Unknown, |(class, _)| *class)
}

/// Returns which argument of the directive `name` is a file name, counted from 0. A user has only
/// the profile and no other file.
pub(super) fn file_argument(name: &str) -> Option<usize> {
    match name {
        "auth-user-pass"
        | "ca"
        | "cert"
        | "config"
        | "crl-verify"
        | "extra-certs"
        | "http-proxy-user-pass"
        | "key"
        | "replay-persist"
        | "tls-auth"
        | "tls-crypt"
        | "tls-crypt-v2" => Some(0),
        // `http-proxy HOST PORT FILE`, where FILE may be the keyword `auto`.
        "http-proxy" => Some(2),
        _ => None,
    }
}

/// Returns `true` if clients accept a block of this name.
pub(super) fn is_block(name: &str) -> bool {
    is_connection(name)
        || matches!(
            name,
            "auth-user-pass"
                | "ca"
                | "cert"
                | "crl-verify"
                | "extra-certs"
                | "http-proxy-user-pass"
                | "key"
                | "peer-fingerprint"
                | "tls-auth"
                | "tls-crypt"
                | "tls-crypt-v2"
        )
}

/// Returns `true` if the block contains directives for one `remote`. Only such a block may be
/// repeated.
pub(super) fn is_connection(name: &str) -> bool {
    name == "connection"
}

/// The directives that OpenVPN 2 accepts inside `<connection>`.
///
/// Source: OpenVPN 2.6, `options.c`, `OPT_P_CONNECTION`.
#[rustfmt::skip]
const FOR_CONNECTION: [&str; 24] = [
    "bind", "connect-retry", "connect-retry-max", "connect-timeout", "explicit-exit-notify",
    "float", "http-proxy", "http-proxy-option", "key-direction", "link-mtu", "local", "lport",
    "mssfix", "mtu-disc", "nobind", "port", "proto", "remote", "rport", "server-poll-timeout",
    "socks-proxy", "tun-mtu", "tun-mtu-extra", "tun-mtu-max",
];

/// Returns `true` if OpenVPN 2 accepts the directive inside `<connection>`.
pub(super) fn is_for_connection(name: &str) -> bool {
    FOR_CONNECTION.contains(&name)
}

/// Returns `true` for the keys of metadata. As a directive, OpenVPN 3 would obey such a name and
/// OpenVPN 2 would stop.
///
/// Source: openvpn3, `openvpn/client/cliopthelper.hpp`.
pub(super) fn is_meta_key(name: &str) -> bool {
    matches!(
        name,
        "AUTOLOGIN" | "EXTERNAL_PKI" | "FRIENDLY_NAME" | "HOST_LIST" | "PROFILE" | "USERNAME"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_directives_of_the_popular_templates_are_for_clients() {
        let names = "client proto explicit-exit-notify remote dev resolv-retry nobind persist-key \
                     persist-tun remote-cert-tls verify-x509-name auth auth-nocache cipher \
                     ignore-unknown-option data-ciphers ncp-ciphers tls-client tls-version-min \
                     tls-cipher tls-ciphersuites verb tun-mtu";
        for name in names.split(' ') {
            assert_eq!(class(name), Class::Client, "{name}");
        }
    }

    #[test]
    fn the_names_are_sorted_and_unique() {
        assert!(NAMES.iter().all(|(_, names)| names.is_sorted()));
        let names: Vec<_> = NAMES.iter().flat_map(|(_, names)| *names).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }

    #[test]
    fn recognizes_directives_that_start_programs() {
        for name in ["up", "down", "plugin", "tls-verify", "route-up", "script-security"] {
            assert_eq!(class(name), Class::Script, "{name}");
        }
        assert_eq!(class("nobnid"), Class::Unknown);
    }
}
