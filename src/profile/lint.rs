//! Finds what clients would reject in a profile, before a use is spent on it.
//!
//! The rules come from the source code of both engines. What one engine rejects is rejected here,
//! because it is not known which client will open the link. Only the text is checked;
//! `certificate.rs` validates certificates.

use std::collections::HashSet;
use std::path::Path;

use zeroize::Zeroizing;

use super::directive::{self, Class};
use super::document::{Directive, Item, ItemKind, META_PREFIX, OvpnDocument, SyntaxFault};
use super::file::PROFILE_LEN_MAX;
use super::finding::{Finding, Findings, Rule};
use super::pem::{self, Pem};
use super::render::TLS_KEYS;
use super::{Profile, ProfileError, kind};
use crate::token::{ProfileKind, UnixSeconds, UserName};

/// The most bytes in a line, comments included: OpenVPN 2 stops at the 255th (measured with
/// 2.6.14).
const LINE_LEN_MAX: usize = 254;

/// The most bytes in a line inside a block: OpenVPN 3 stops at 512 with the line feed, and OpenVPN
/// 2 reads any length.
const BLOCK_LINE_LEN_MAX: usize = 511;

/// The most bytes in the name of a directive, block or metadata key.
///
/// Source: openvpn3, `openvpn/client/cliconstants.hpp`, `MAX_DIRECTIVE_SIZE`.
const NAME_LEN_MAX: usize = 64;

/// What a text is supposed to be.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A template for profiles, which may lack certificates, keys and whatever else a kind
    /// requires.
    Template,
    /// A finished profile.
    Profile {
        /// The kind it must be of.
        kind: ProfileKind,
        /// The only user it may name.
        user: &'a UserName,
    },
}

/// Returns the rules that `text` breaks as a `subject`: first those about lines, in order, and then
/// those about the whole text.
#[must_use]
pub fn lint(text: &str, subject: Subject<'_>) -> Findings {
    lint_document(text, &OvpnDocument::parse(text), subject)
}

/// Lints a text as [`lint()`] does. `document` is the parsed `text`.
pub(super) fn lint_document(
    text: &str,
    document: &OvpnDocument<'_>,
    subject: Subject<'_>,
) -> Findings {
    let mut lint = Lint { findings: Vec::new(), ignorable: ignorable(document) };
    lint.characters(text);
    lint.items(document);
    lint.blocks(document);
    if let Subject::Profile { kind, user } = subject {
        lint.kind(document, kind, user);
    }
    // The sort is stable: findings of one line keep their order.
    lint.findings.sort_by_key(|finding| finding.line);
    if text.len() > PROFILE_LEN_MAX {
        lint.report(None, "", Rule::ProfileTooLong);
    }
    lint.required(document);
    if let Subject::Profile { kind, .. } = subject {
        lint.required_by_kind(document, kind);
    }
    Findings(lint.findings)
}

/// Lints the final text of a profile and returns it as a [`Profile`].
///
/// # Errors
///
/// [`ProfileError::Rejected`] with `path`, the file that it comes from.
pub(super) fn linted_profile(
    text: Zeroizing<String>,
    user: &UserName,
    kind: ProfileKind,
    path: &Path,
    not_after: Option<UnixSeconds>,
) -> Result<Profile, ProfileError> {
    lint(&text, Subject::Profile { kind, user })
        .deny_fatal()
        .map_err(|findings| ProfileError::rejected(user, kind, path, findings))?;
    Ok(Profile::new(text, not_after))
}

/// Returns the names in `ignore-unknown-option`.
fn ignorable(document: &OvpnDocument<'_>) -> HashSet<String> {
    document
        .directives()
        .filter(|(_, directive)| directive.name() == "ignore-unknown-option")
        .flat_map(|(_, directive)| directive.args().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

struct Lint {
    findings: Vec<Finding>,
    ignorable: HashSet<String>,
}

impl Lint {
    fn report(&mut self, line: impl Into<Option<usize>>, name: &str, rule: Rule) {
        self.findings.push(Finding::new(line.into(), name, rule));
    }

    fn characters(&mut self, text: &str) {
        for (index, line) in text.split('\n').enumerate() {
            if line.chars().any(|c| c.is_control() && c != '\t') {
                self.report(index + 1, "", Rule::ControlCharacter);
            }
        }
    }

    fn items(&mut self, document: &OvpnDocument<'_>) {
        for item in &document.items {
            match &item.kind {
                ItemKind::Block { name, body } => self.block(item.line, name, body),
                ItemKind::Directive(directive) => self.directive(item.line, directive),
                ItemKind::Fault(fault) => self.report(item.line, "", fault_rule(*fault)),
                ItemKind::Meta { key, value } => self.meta(item.line, key, *value),
                ItemKind::Plain => {}
            }
            // For a block, this is the opening tag.
            let first = item.text.lines().next().unwrap_or("");
            if first.len() > LINE_LEN_MAX {
                self.report(item.line, "", Rule::LineTooLong);
            }
        }
    }

    fn block(&mut self, at: usize, name: &str, body: &str) {
        if !directive::is_block(name) {
            self.report(at, name, Rule::UnknownBlock);
        }
        if directive::is_connection(name) {
            return self.connection(at, body);
        }
        for (line, text) in (at + 1..).zip(body.lines()) {
            // OpenVPN 2 splits long lines and accepts a closing tag at the start of any piece.
            if text.contains("</") || text.trim_start().starts_with('<') {
                self.report(line, name, Rule::NestedBlock);
            }
            if text.starts_with(META_PREFIX) {
                self.report(line, name, Rule::MetaInBlock);
            }
            if text.len() > BLOCK_LINE_LEN_MAX {
                self.report(line, name, Rule::LineTooLong);
            }
        }
        if !has_expected_pem(name, body) {
            self.report(at, name, Rule::NoPem);
        }
    }

    fn connection(&mut self, at: usize, body: &str) {
        let document = OvpnDocument::parse_from(body, at + 1);
        for item in &document.items {
            match &item.kind {
                ItemKind::Block { name, .. } => self.report(item.line, name, Rule::NestedBlock),
                ItemKind::Directive(directive)
                    if !directive::is_for_connection(directive.name()) =>
                {
                    self.report(item.line, directive.name(), Rule::NotForConnection);
                }
                ItemKind::Meta { key, .. } => self.report(item.line, key, Rule::MetaInBlock),
                ItemKind::Directive(_) | ItemKind::Fault(_) | ItemKind::Plain => {}
            }
        }
        self.items(&document);
    }

    fn directive(&mut self, at: usize, directive: &Directive) {
        let name = directive.name();
        if name.len() > NAME_LEN_MAX {
            self.report(at, "", Rule::NameTooLong);
        }
        if directive.dashed {
            self.report(at, name, Rule::Dashes);
        }
        if let Some(rule) = self.class_rule(directive) {
            self.report(at, name, rule);
        }
        if references_a_file(directive) {
            self.report(at, name, Rule::FileReference);
        }
        if directive.is_setenv("GENERIC_CONFIG") {
            self.report(at, name, Rule::GenericConfig);
        }
    }

    fn class_rule(&self, directive: &Directive) -> Option<Rule> {
        let name = directive.name();
        let ignorable = directive.optional || self.ignorable.contains(name);
        match directive::class(name) {
            Class::Client => match name {
                "mode" if directive.arg(0) != Some("p2p") => Some(Rule::ServerOnly),
                "dev" | "dev-type"
                    if directive.arg(0).is_some_and(|dev| dev.starts_with("tap")) =>
                {
                    Some(Rule::Tap)
                }
                _ => None,
            },
            Class::PushOnly => Some(Rule::PushOnly),
            Class::Removed => Some(Rule::Removed),
            Class::Script => Some(Rule::Script),
            Class::ServerOnly => Some(Rule::ServerOnly),
            Class::Standalone => Some(Rule::Standalone),
            Class::Unknown if directive::is_meta_key(name) => Some(Rule::MetaAsDirective),
            Class::Unknown => (!ignorable).then_some(Rule::UnknownDirective),
            Class::Unsupported => (!ignorable).then_some(Rule::Unsupported),
        }
    }

    fn meta(&mut self, at: usize, key: &str, value: Option<&str>) {
        if key.len() > NAME_LEN_MAX {
            self.report(at, "", Rule::NameTooLong);
        }
        if key == "GENERIC_CONFIG" {
            self.report(at, key, Rule::GenericConfig);
        }
        // OpenVPN 3 keeps metadata and directives in one list, so a lowercase key would act as the
        // directive of that name.
        let uppercase = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let has_valid_key = !key.is_empty() && key.bytes().all(uppercase);
        let has_valid_form = match (value, key.strip_suffix("_START")) {
            (Some(_), None) => true,
            (None, Some(tag)) => !directive::is_meta_key(tag) || tag == "HOST_LIST",
            (None, None) | (Some(_), Some(_)) => false,
        };
        if !(has_valid_key && has_valid_form) {
            self.report(at, "", Rule::MetaMalformed);
        }
    }

    /// Checks the blocks against each other.
    fn blocks(&mut self, document: &OvpnDocument<'_>) {
        let mut seen = HashSet::new();
        let mut tls_keys = 0;
        for (line, name, _) in document.blocks() {
            if !seen.insert(name) && !directive::is_connection(name) {
                self.report(line, name, Rule::RepeatedBlock);
            } else if TLS_KEYS.contains(&name) {
                tls_keys += 1;
                if tls_keys == 2 {
                    self.report(line, name, Rule::TwoTlsKeys);
                }
            }
        }
    }

    /// Checks what a profile of `kind` must not have.
    fn kind(&mut self, document: &OvpnDocument<'_>, kind: ProfileKind, user: &UserName) {
        for item in &document.items {
            let (name, named_user) = match &item.kind {
                ItemKind::Block { name, .. } => (*name, None),
                ItemKind::Directive(d) if d.is_setenv("USERNAME") => (d.name(), d.arg(1)),
                ItemKind::Directive(d) => (d.name(), None),
                ItemKind::Meta { key: key @ "USERNAME", value } => (*key, *value),
                ItemKind::Meta { key, .. } => (*key, None),
                ItemKind::Fault(_) | ItemKind::Plain => continue,
            };
            if kind::forbids(kind, item) {
                self.report(item.line, name, Rule::KindForbids);
            } else if named_user.is_some_and(|named| named != user.as_str()) {
                self.report(item.line, name, Rule::OtherUser);
            } else if kind == ProfileKind::Autologin && is_encrypted_key(item) {
                self.report(item.line, name, Rule::EncryptedKey);
            }
        }
    }

    /// Checks what every profile and template must have.
    fn required(&mut self, document: &OvpnDocument<'_>) {
        let has = |name: &str| document.directives().any(|(_, d)| d.name() == name);
        let is_client = has("client") || (has("tls-client") && has("pull"));
        if !is_client {
            self.report(None, "", Rule::NoClient);
        }
        if document.first_remote().is_none() {
            self.report(None, "", Rule::NoRemote);
        }
        let checks = ["remote-cert-tls", "remote-cert-eku", "ns-cert-type", "verify-x509-name"];
        if !checks.iter().any(|check| has(check)) && !has_fingerprint(document) {
            self.report(None, "", Rule::NoServerCheck);
        }
    }

    /// Checks what a profile of `kind` must have in addition.
    fn required_by_kind(&mut self, document: &OvpnDocument<'_>, kind: ProfileKind) {
        let has_block = |name: &str| document.block(name).is_some();
        let has = |test: fn(&Directive) -> bool| document.directives().any(|(_, d)| test(d));
        if !has_block("ca") && !has_fingerprint(document) {
            self.report(None, "", Rule::NoCa);
        }
        if kind::has_certificate(kind) && !(has_block("cert") && has_block("key")) {
            self.report(None, "", Rule::NoCertificate);
        }
        if !kind::has_certificate(kind) && !has(|d| d.is_setenv("CLIENT_CERT")) {
            self.report(None, "", Rule::NoClientCertZero);
        }
        if kind::asks_password(kind) && !has(|d| d.name() == "auth-user-pass") {
            self.report(None, "", Rule::NoAuthUserPass);
        }
        if kind == ProfileKind::UserLocked && !names_user(document) {
            self.report(None, "", Rule::NoUsername);
        }
    }
}

const fn fault_rule(fault: SyntaxFault) -> Rule {
    match fault {
        SyntaxFault::Quoting => Rule::Quoting,
        SyntaxFault::Tag => Rule::Tag,
        SyntaxFault::UnclosedBlock => Rule::UnclosedBlock,
        SyntaxFault::UnclosedMeta => Rule::UnclosedMeta,
    }
}

fn references_a_file(directive: &Directive) -> bool {
    let file = directive::file_argument(directive.name()).and_then(|index| directive.arg(index));
    match (directive.name(), file) {
        (_, None) => false,
        ("http-proxy", Some(word)) => !matches!(word, "auto" | "auto-nct" | "none"),
        (_, Some(_)) => true,
    }
}

fn has_fingerprint(document: &OvpnDocument<'_>) -> bool {
    document.block("peer-fingerprint").is_some()
        || document.directives().any(|(_, d)| d.name() == "peer-fingerprint")
}

fn names_user(document: &OvpnDocument<'_>) -> bool {
    document.items.iter().any(|item| match &item.kind {
        ItemKind::Directive(directive) => directive.is_setenv("USERNAME"),
        ItemKind::Meta { key, .. } => *key == "USERNAME",
        ItemKind::Block { .. } | ItemKind::Fault(_) | ItemKind::Plain => false,
    })
}

fn is_encrypted_key(item: &Item<'_>) -> bool {
    let ItemKind::Block { name: "key", body } = item.kind else { return false };
    pem::blocks(body).iter().any(Pem::is_encrypted)
}

/// Returns `true` if a block contains the PEM that clients expect in it, and no other PEM: clients
/// must use the certificate that was validated.
fn has_expected_pem(name: &str, body: &str) -> bool {
    let found = pem::blocks(body);
    let all = |label: &str| !found.is_empty() && found.iter().all(|pem| pem.label == label);
    let has_expected = match name {
        "ca" | "cert" | "extra-certs" => all("CERTIFICATE"),
        "key" => found.iter().filter(|pem| pem.is_private_key()).count() == 1,
        "tls-auth" | "tls-crypt" => all("OpenVPN Static key V1"),
        "tls-crypt-v2" => all("OpenVPN tls-crypt-v2 client key"),
        _ => return true,
    };
    has_expected && body.matches("-----BEGIN ").count() == found.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: &str = "client\nremote h 1194\ndev tun\nremote-cert-tls server\n";

    fn rules(text: &str) -> Vec<(Option<usize>, Rule)> {
        let findings = lint(text, Subject::Template);
        findings.0.into_iter().map(|finding| (finding.line, finding.rule)).collect()
    }

    fn rules_as(kind: ProfileKind, text: &str) -> Vec<Rule> {
        let user = UserName::new("alice").unwrap();
        let findings = lint(text, Subject::Profile { kind, user: &user });
        findings.0.into_iter().map(|finding| finding.rule).collect()
    }

    fn pem(label: &str) -> String {
        format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n")
    }

    fn block(name: &str, label: &str) -> String {
        format!("<{name}>\n{}</{name}>\n", pem(label))
    }

    fn identity() -> String {
        CLEAN.to_owned()
            + &block("ca", "CERTIFICATE")
            + &block("cert", "CERTIFICATE")
            + &block("key", "PRIVATE KEY")
    }

    #[test]
    fn accepts_the_templates_of_the_two_popular_installers() {
        let angristan = "client\nproto udp\nexplicit-exit-notify\nremote 192.0.2.1 1194\ndev tun\n\
             resolv-retry infinite\nnobind\npersist-key\npersist-tun\nremote-cert-tls server\n\
             verify-x509-name server_x name\nauth SHA256\nauth-nocache\ncipher AES-128-GCM\n\
             ignore-unknown-option data-ciphers\ndata-ciphers AES-128-GCM\n\
             ncp-ciphers AES-128-GCM\ntls-client\ntls-version-min 1.2\n\
             tls-cipher TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256\n\
             tls-ciphersuites TLS_AES_256_GCM_SHA384\nignore-unknown-option block-outside-dns\n\
             setenv opt block-outside-dns # Prevent Windows 10 DNS leak\nverb 3\n";
        let nyr = "client\ndev tun\nproto udp\nremote 192.0.2.1 1194\nresolv-retry infinite\n\
             nobind\npersist-key\npersist-tun\nremote-cert-tls server\nauth SHA512\n\
             ignore-unknown-option block-outside-dns\nverb 3\n";
        for template in [angristan, nyr] {
            assert_eq!(rules(template), []);
        }
    }

    #[test]
    fn reports_each_broken_rule_with_its_line() {
        for (line, rule) in [
            ("up /etc/x", Rule::Script),
            ("setenv opt plugin x", Rule::Script),
            ("server 10.0.0.0 255.0.0.0", Rule::ServerOnly),
            ("mode server", Rule::ServerOnly),
            ("topology subnet", Rule::PushOnly),
            ("socks-proxy h 1", Rule::Unsupported),
            ("log /tmp/x", Rule::Unsupported),
            ("secret x", Rule::Removed),
            ("client-cert-not-required", Rule::Removed),
            ("genkey", Rule::Standalone),
            ("setenv GENERIC_CONFIG 1", Rule::GenericConfig),
            ("ca ca.crt", Rule::FileReference),
            ("tls-auth ta.key 1", Rule::FileReference),
            ("auth-user-pass pass.txt", Rule::FileReference),
            ("config more.conf", Rule::FileReference),
            ("http-proxy h 1 pass.txt basic", Rule::FileReference),
            ("--verb 3", Rule::Dashes),
            ("USERNAME bob", Rule::MetaAsDirective),
            ("setenv opt AUTOLOGIN 1", Rule::MetaAsDirective),
            ("nobnid", Rule::UnknownDirective),
            ("dev tap0", Rule::Tap),
            ("verb 3\u{0}", Rule::ControlCharacter),
            ("verb 3\r", Rule::ControlCharacter),
            ("verb \"3", Rule::Quoting),
            ("</ca>", Rule::Tag),
            ("<pkcs12>\n</pkcs12>", Rule::UnknownBlock),
            ("<ca>\n", Rule::UnclosedBlock),
            ("# OVPN_ACCESS_SERVER_auth-user-pass=x", Rule::MetaMalformed),
            (
                "# OVPN_ACCESS_SERVER_USERNAME_START\n# OVPN_ACCESS_SERVER_USERNAME_STOP",
                Rule::MetaMalformed,
            ),
            ("# OVPN_ACCESS_SERVER_X_START", Rule::UnclosedMeta),
            ("<ca>\nx\n</ca>", Rule::NoPem),
        ] {
            let found = rules(&format!("{CLEAN}{line}\n"));
            assert!(found.contains(&(Some(5), rule)), "{line}: {found:?}");
        }
    }

    #[test]
    fn unknown_options_can_be_ignored_but_scripts_cannot() {
        assert_eq!(rules(&format!("{CLEAN}setenv opt socks-proxy h 1\nsetenv opt nobnid\n")), []);
        assert_eq!(rules(&format!("ignore-unknown-option nobnid\n{CLEAN}nobnid 1\n")), []);
        let text = format!("ignore-unknown-option up\n{CLEAN}up x\n");
        assert_eq!(rules(&text), [(Some(6), Rule::Script)]);
    }

    #[test]
    fn enforces_the_limits_of_lines_and_of_the_profile() {
        let line = |len: usize| format!("{CLEAN}#{}\n", "x".repeat(len - 1));
        assert_eq!(rules(&line(254)), []);
        assert_eq!(rules(&line(255)), [(Some(5), Rule::LineTooLong)]);
        let text =
            |len: usize| format!("{CLEAN}<ca>\n{}\n{}</ca>\n", "x".repeat(len), pem("CERTIFICATE"));
        assert_eq!(rules(&text(511)), []);
        assert_eq!(rules(&text(512)), [(Some(6), Rule::LineTooLong)]);
        let fill = "#\n".repeat((PROFILE_LEN_MAX - CLEAN.len()) / 2);
        let even = format!("{CLEAN}{fill}");
        assert_eq!(rules(&even), []);
        assert_eq!(rules(&(even + "##\n")), [(None, Rule::ProfileTooLong)]);
    }

    #[test]
    fn rejects_metadata_and_tags_and_scripts_inside_blocks() {
        for (body, rule) in [
            ("# OVPN_ACCESS_SERVER_AUTOLOGIN=1", Rule::MetaInBlock),
            (" </ca>", Rule::NestedBlock),
            ("</ca>up x", Rule::NestedBlock),
            ("<key>", Rule::NestedBlock),
        ] {
            let text = format!("{CLEAN}<ca>\n{}{body}\n</ca>\n", pem("CERTIFICATE"));
            assert_eq!(rules(&text), [(Some(9), rule)], "{body}");
        }
        let text = format!("{CLEAN}<connection>\nremote h 2\nup x\n</connection>\n");
        assert_eq!(rules(&text), [(Some(7), Rule::NotForConnection), (Some(7), Rule::Script)]);
    }

    #[test]
    fn rejects_other_pem_beside_the_certificate() {
        let (good, end) = (pem("CERTIFICATE"), "-----END CERTIFICATE-----");
        for other in
            [pem("TRUSTED CERTIFICATE"), format!("-----BEGIN CERTIFICATE-----\n!\n{end}\n")]
        {
            let text = format!("{CLEAN}<cert>\n{other}{good}</cert>\n");
            assert_eq!(rules(&text), [(Some(5), Rule::NoPem)], "{other}");
        }
        assert_eq!(rules(&format!("{CLEAN}<cert>\n{good}{good}</cert>\n")), []);
    }

    #[test]
    fn rejects_repeated_blocks_and_a_second_tls_key() {
        let twice = block("ca", "CERTIFICATE").repeat(2);
        assert_eq!(rules(&format!("{CLEAN}{twice}")), [(Some(10), Rule::RepeatedBlock)]);
        let label = "OpenVPN Static key V1";
        let both = block("tls-auth", label) + &block("tls-crypt", label);
        assert_eq!(rules(&format!("{CLEAN}{both}")), [(Some(10), Rule::TwoTlsKeys)]);
        let connection = "<connection>\nremote h 1\n</connection>\n".repeat(2);
        assert_eq!(rules(&format!("{CLEAN}{connection}")), []);
    }

    #[test]
    fn reports_everything_that_an_empty_profile_lacks() {
        let expected =
            [Rule::NoClient, Rule::NoRemote, Rule::NoServerCheck].map(|rule| (None, rule));
        assert_eq!(rules(""), expected);
    }

    #[test]
    fn an_autologin_profile_must_not_ask_for_credentials() {
        let kind = ProfileKind::Autologin;
        let profile = identity();
        assert_eq!(rules_as(kind, &profile), []);
        for line in [
            "auth-user-pass",
            "setenv opt auth-user-pass",
            "static-challenge x 1",
            "<auth-user-pass>\nx\ny\n</auth-user-pass>",
            "setenv CLIENT_CERT 0",
        ] {
            assert_eq!(
                rules_as(kind, &format!("{profile}{line}\n")),
                [Rule::KindForbids],
                "{line}"
            );
        }
        let locked = profile.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert_eq!(rules_as(kind, &locked), [Rule::EncryptedKey]);
        assert_eq!(rules_as(kind, CLEAN), [Rule::NoCa, Rule::NoCertificate]);
    }

    #[test]
    fn a_user_locked_profile_asks_for_a_password_and_names_only_its_user() {
        let kind = ProfileKind::UserLocked;
        let profile = identity() + "auth-user-pass\n# OVPN_ACCESS_SERVER_USERNAME=alice\n";
        assert_eq!(rules_as(kind, &profile), []);
        assert_eq!(rules_as(kind, &profile.replace("=alice", "=bob")), [Rule::OtherUser]);
        assert_eq!(rules_as(kind, &(profile.clone() + "setenv USERNAME x\n")), [Rule::OtherUser]);
        let autologin = profile.clone() + "# OVPN_ACCESS_SERVER_AUTOLOGIN=1\n";
        assert_eq!(rules_as(kind, &autologin), [Rule::KindForbids]);
        assert_eq!(rules_as(kind, &identity()), [Rule::NoAuthUserPass, Rule::NoUsername]);
        let locked = profile.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert_eq!(rules_as(kind, &locked), []);
    }

    #[test]
    fn a_server_locked_profile_names_no_user_and_contains_no_certificate() {
        let kind = ProfileKind::ServerLocked;
        let profile = CLEAN.to_owned()
            + &block("ca", "CERTIFICATE")
            + "auth-user-pass\nsetenv CLIENT_CERT 0\n";
        assert_eq!(rules_as(kind, &profile), []);
        for part in [
            "# OVPN_ACCESS_SERVER_USERNAME=alice\n".to_owned(),
            "# OVPN_ACCESS_SERVER_AUTOLOGIN=1\n".to_owned(),
            "setenv CLIENT_CERT 1\n".to_owned(),
            block("cert", "CERTIFICATE"),
            block("key", "PRIVATE KEY"),
        ] {
            assert_eq!(rules_as(kind, &(profile.clone() + &part)), [Rule::KindForbids], "{part}");
        }
        assert_eq!(
            rules_as(kind, CLEAN),
            [Rule::NoCa, Rule::NoClientCertZero, Rule::NoAuthUserPass]
        );
    }
}
