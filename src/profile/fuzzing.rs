//! Properties that hold for any bytes, for the fuzz targets and their seeds.

use super::document::OvpnDocument;
use super::file::{self, PROFILE_LEN_MAX};
use super::index::Index;
use super::kind;
use super::lint::{self, Subject};
use super::render::{Material, render};
use crate::token::{ProfileKind, UserName};

/// PEM blocks without real content. The lint looks only at labels.
const MATERIALS: [(&str, &str); 4] = [
    ("ca", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
    ("cert", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
    ("key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"),
    ("tls-auth", "-----BEGIN OpenVPN Static key V1-----\n00\n-----END OpenVPN Static key V1-----"),
];

/// The most bytes that rendering adds to a template.
const ADDED_LEN_MAX: usize = 2_048;

/// Checks that a template without fatal findings renders to profiles without fatal findings and
/// without lines that their kind forbids, and that rendering is idempotent.
pub fn profile_template(data: &[u8]) {
    let Some(text) = file::normalize(data) else { return };
    let base = OvpnDocument::parse(&text);
    let clean = !lint::lint_document(&text, &base, Subject::Template).is_fatal();
    let user = UserName::new("alice").unwrap_or_else(|_| unreachable!("it is a user name"));
    let host = base.first_remote();
    for kind in ProfileKind::ALL {
        let materials = MATERIALS.map(|(name, body)| Material { name, body });
        let profile = render(kind, &user, host.as_deref(), &base, &materials);
        let document = OvpnDocument::parse(&profile);
        if !clean || text.len() + ADDED_LEN_MAX > PROFILE_LEN_MAX {
            continue;
        }
        let findings =
            lint::lint_document(&profile, &document, Subject::Profile { kind, user: &user });
        assert!(!findings.is_fatal(), "a clean template rendered as {kind}: {findings}");
        assert!(!document.items.iter().any(|item| kind::forbids(kind, item)), "{kind}");
        let again = render(kind, &user, host.as_deref(), &document, &[]);
        assert!(again == profile, "rendering as {kind} is not idempotent");
    }
}

/// Checks that any text can be linted, and that no finding shows more than a word.
pub fn lint(data: &[u8]) {
    let Some(text) = file::normalize(data) else { return };
    let user = UserName::new("alice").unwrap_or_else(|_| unreachable!("it is a user name"));
    let _ = lint::lint(&text, Subject::Template);
    for kind in ProfileKind::ALL {
        for finding in lint::lint(&text, Subject::Profile { kind, user: &user }).0 {
            assert!(finding.name.len() <= 64, "{}", finding.rule.advice());
        }
    }
}

/// Checks that parsing an index never panics, and that an index that does not end with a complete
/// line is rejected.
pub fn index(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if Index::parse(text).is_ok() {
        assert!(text.is_empty() || text.ends_with('\n'), "a truncated index was accepted");
        let truncated = text.trim_end_matches('\n');
        assert!(
            truncated.is_empty() || Index::parse(truncated).is_err(),
            "a truncated index was accepted"
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns mostly lines that the rules are about.
    fn line() -> impl Strategy<Value = String> {
        let known = prop::sample::select(vec![
            "client",
            "remote h 1",
            "remote a/b 1",
            "auth-user-pass",
            "setenv opt auth-user-pass",
            "<auth-user-pass>\nx\ny\n</auth-user-pass>",
            "setenv CLIENT_CERT 0",
            "setenv opt setenv CLIENT_CERT 1",
            "setenv USERNAME bob",
            "static-challenge x 1",
            "key-direction 0",
            "# OVPN_ACCESS_SERVER_USERNAME=bob",
            "# OVPN_ACCESS_SERVER_AUTOLOGIN=1",
            "# OVPN_ACCESS_SERVER_PROFILE=x",
            "# OVPN_ACCESS_SERVER_EXTERNAL_PKI=1",
            "# OVPN_ACCESS_SERVER_HOST_LIST_START\n# h\n# OVPN_ACCESS_SERVER_HOST_LIST_STOP",
            "# OVPN_ACCESS_SERVER_X_START",
            "<connection>\nremote h 2\n</connection>",
            "<ca>",
            "</ca>",
            "<key>",
            "</key>",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "<cert>\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n</cert>",
            "<key>\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n</key>",
            "\"verb\" '3'",
            "verb \"3",
            "up x",
            "",
        ]);
        prop_oneof![9 => known.prop_map(str::to_owned), 1 => any::<String>()]
    }

    proptest! {
        #[test]
        fn the_template_properties_hold(lines in prop::collection::vec(line(), 0..12)) {
            profile_template(lines.join("\n").as_bytes());
            profile_template(format!("client\nremote h 1\n{}", lines.join("\n")).as_bytes());
            lint(lines.join("\n").as_bytes());
        }

        #[test]
        fn the_template_properties_hold_for_few_added_lines(lines in prop::collection::vec(line(), 0..3)) {
            profile_template(format!("client\nremote h 1\n{}", lines.join("\n")).as_bytes());
        }

        #[test]
        fn the_index_properties_hold(lines in prop::collection::vec(
            "([VRE]\t290225122213Z\t(261123122213Z)?\t[0-9A-F]{0,4}\tu\t/CN=[a-c]\n)|.{0,9}",
            0..4,
        )) {
            index(lines.concat().as_bytes());
        }

        #[test]
        fn the_properties_hold_for_any_bytes(data in prop::collection::vec(any::<u8>(), 0..200)) {
            profile_template(&data);
            lint(&data);
            index(&data);
        }
    }
}
