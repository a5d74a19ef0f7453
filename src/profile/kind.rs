//! The three kinds of profile: the lines that each requires and forbids, and the lines by which
//! clients recognize it.
//!
//! ```text
//!                         user-locked   autologin     server-locked
//! <cert> and <key>        own           own           none
//! auth-user-pass          yes           no            yes
//! setenv CLIENT_CERT 0    no            no            yes
//! metadata USERNAME       U             U             none
//! metadata PROFILE        U@HOST        U@HOST/AUTOLOGIN   HOST
//! metadata AUTOLOGIN      no            1             no
//! ```
//!
//! OpenVPN 3 reads the metadata; for OpenVPN 2, it is a comment. If a profile has neither a
//! certificate nor `setenv CLIENT_CERT 0`, OpenVPN 3 looks for the certificate in the device's
//! store. Clients reject `setenv GENERIC_CONFIG` and `client-cert-not-required`, which Access
//! Server writes.

use super::document::{Directive, Item, ItemKind, META_PREFIX};
use crate::token::{ProfileKind, UserName};

/// The line that makes a client ask for a user name and password.
const AUTH_USER_PASS: &str = "auth-user-pass";

/// The line that makes OpenVPN 3 connect without a certificate.
const CLIENT_CERT_ZERO: &str = "setenv CLIENT_CERT 0";

/// The most bytes that the name of a profile may have. Its metadata line then stays below the 254
/// bytes that OpenVPN 2 reads.
const NAME_LEN_MAX: usize = 200;

/// Returns `true` if a profile of `kind` contains the user's certificate and key.
pub(super) const fn has_certificate(kind: ProfileKind) -> bool {
    match kind {
        ProfileKind::Autologin | ProfileKind::UserLocked => true,
        ProfileKind::ServerLocked => false,
    }
}

/// Returns `true` if a profile of `kind` makes the client ask for a password.
pub(super) const fn asks_password(kind: ProfileKind) -> bool {
    match kind {
        ProfileKind::ServerLocked | ProfileKind::UserLocked => true,
        ProfileKind::Autologin => false,
    }
}

/// Returns the first lines of a rendered profile of `kind`.
pub(super) fn header(kind: ProfileKind, user: &UserName, host: Option<&str>) -> Vec<String> {
    let mut lines = Vec::new();
    if has_certificate(kind) {
        lines.push(format!("{META_PREFIX}USERNAME={user}"));
    }
    if let Some(name) = profile_name(kind, user, host) {
        lines.push(format!("{META_PREFIX}PROFILE={name}"));
    }
    if kind == ProfileKind::Autologin {
        lines.push(format!("{META_PREFIX}AUTOLOGIN=1"));
    }
    if asks_password(kind) {
        lines.push(AUTH_USER_PASS.to_owned());
    }
    if !has_certificate(kind) {
        lines.push(CLIENT_CERT_ZERO.to_owned());
    }
    lines
}

/// Returns the name of the profile. Clients show the part before the first `/`.
fn profile_name(kind: ProfileKind, user: &UserName, host: Option<&str>) -> Option<String> {
    let fits = |name: &String| name.len() <= NAME_LEN_MAX;
    let host = host.filter(|host| is_displayable(host));
    let at_host = || match host.map(|host| format!("{user}@{host}")).filter(fits) {
        Some(name) => name,
        None => user.to_string(),
    };
    match kind {
        ProfileKind::UserLocked => Some(at_host()),
        ProfileKind::Autologin => Some(at_host() + "/AUTOLOGIN"),
        ProfileKind::ServerLocked => host.map(str::to_owned).filter(fits),
    }
}

fn is_displayable(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
}

/// Returns `true` if rendering writes this item itself and must therefore remove it from its input.
pub(super) fn is_rewritten(item: &Item<'_>) -> bool {
    match &item.kind {
        ItemKind::Block { name, .. } => *name == AUTH_USER_PASS,
        ItemKind::Directive(directive) => {
            directive.name() == AUTH_USER_PASS
                || directive.is_setenv("CLIENT_CERT")
                || directive.is_setenv("USERNAME")
        }
        ItemKind::Meta { key, .. } => matches!(*key, "AUTOLOGIN" | "PROFILE" | "USERNAME"),
        ItemKind::Fault(_) | ItemKind::Plain => false,
    }
}

/// Returns `true` if a profile of `kind` must not contain this item.
pub(super) fn forbids(kind: ProfileKind, item: &Item<'_>) -> bool {
    match &item.kind {
        ItemKind::Block { name, .. } => match *name {
            // OpenVPN 3 would use a stored password without asking, and anyone with the file could
            // read it.
            AUTH_USER_PASS => true,
            name => !has_certificate(kind) && is_identity(name),
        },
        ItemKind::Directive(directive) => forbids_directive(kind, directive),
        ItemKind::Meta { key, .. } => match *key {
            "AUTOLOGIN" => kind != ProfileKind::Autologin,
            "USERNAME" => !has_certificate(kind),
            "EXTERNAL_PKI" => true,
            _ => false,
        },
        ItemKind::Fault(_) | ItemKind::Plain => false,
    }
}

fn forbids_directive(kind: ProfileKind, directive: &Directive) -> bool {
    match directive.name() {
        AUTH_USER_PASS | "static-challenge" => !asks_password(kind),
        "setenv" => match directive.arg(0) {
            Some("CLIENT_CERT") => has_certificate(kind) || directive.arg(1) != Some("0"),
            Some("USERNAME") => !has_certificate(kind),
            _ => false,
        },
        name => !has_certificate(kind) && is_identity(name),
    }
}

/// Returns `true` if it is one of a client's credentials.
fn is_identity(name: &str) -> bool {
    matches!(name, "cert" | "extra-certs" | "key")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserName {
        UserName::new(name).unwrap()
    }

    #[test]
    fn the_headers_are_those_of_access_server() {
        let lines = |kind| header(kind, &user("alice"), Some("vpn.example.com")).join("\n");
        assert_eq!(
            lines(ProfileKind::Autologin),
            "# OVPN_ACCESS_SERVER_USERNAME=alice\n\
             # OVPN_ACCESS_SERVER_PROFILE=alice@vpn.example.com/AUTOLOGIN\n\
             # OVPN_ACCESS_SERVER_AUTOLOGIN=1"
        );
        assert_eq!(
            lines(ProfileKind::UserLocked),
            "# OVPN_ACCESS_SERVER_USERNAME=alice\n\
             # OVPN_ACCESS_SERVER_PROFILE=alice@vpn.example.com\n\
             auth-user-pass"
        );
        assert_eq!(
            lines(ProfileKind::ServerLocked),
            "# OVPN_ACCESS_SERVER_PROFILE=vpn.example.com\nauth-user-pass\nsetenv CLIENT_CERT 0"
        );
    }

    #[test]
    fn a_name_too_long_for_its_line_omits_the_host() {
        let long = user(&"u".repeat(UserName::LEN_MAX));
        let host = "h".repeat(100);
        for kind in ProfileKind::ALL {
            for line in header(kind, &long, Some(&host)) {
                assert!(line.len() <= 254, "{line}");
            }
        }
        assert!(
            header(ProfileKind::UserLocked, &long, Some(&host))
                .contains(&format!("{META_PREFIX}PROFILE={long}"))
        );
    }

    #[test]
    fn a_host_that_would_truncate_the_name_is_left_out() {
        let name = |host| profile_name(ProfileKind::UserLocked, &user("alice"), Some(host));
        for host in ["a/b", "a b", "", "a\n# OVPN_ACCESS_SERVER_AUTOLOGIN=1"] {
            assert_eq!(name(host), Some("alice".to_owned()), "{host}");
        }
        assert_eq!(name("2001:db8::1"), Some("alice@2001:db8::1".to_owned()));
    }
}
