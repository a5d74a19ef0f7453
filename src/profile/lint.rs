//! What clients would reject, before a use is spent on it.
//!
//! The rules come from the sources of both engines. Where one engine refuses
//! a profile, it is refused here: the link cannot know which client opens it.
//! The lint reads text only; certificates are judged in `certificate.rs`.

use std::collections::HashSet;

use super::directive::{self, Class};
use super::document::{Directive, Document, Fault, Item, ItemKind, META_PREFIX};
use super::file::PROFILE_LEN_MAX;
use super::finding::{Finding, Findings, Rule};
use super::kind;
use super::pem::{self, Pem};
use super::render::TLS_KEYS;
use crate::token::{ProfileKind, UserName};

/// The most bytes in a line: OpenVPN 2 stops at the 255th, measured with
/// 2.6.14. Comments count.
const LINE_LEN_MAX: usize = 254;

/// The most bytes in a line inside a block: OpenVPN 3 stops at 512 with the
/// line feed, OpenVPN 2 reads any length.
const BLOCK_LINE_LEN_MAX: usize = 511;

/// The most bytes in the name of a directive, block or metadata key.
///
/// Source: openvpn3, `openvpn/client/cliconstants.hpp`, `MAX_DIRECTIVE_SIZE`.
const NAME_LEN_MAX: usize = 64;

/// What a text is held to be.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// Something that profiles are rendered from: it may lack certificates,
    /// keys and whatever else a kind needs.
    Template,
    /// A finished profile.
    Profile {
        /// The kind it must be of.
        kind: ProfileKind,
        /// The only user it may name.
        user: &'a UserName,
    },
}

/// Returns the rules that `text` breaks as a `subject`, in the order of their
/// lines and then those about the text as a whole.
#[must_use]
pub fn lint(text: &str, subject: Subject<'_>) -> Findings {
    lint_document(text, &Document::parse(text), subject)
}

/// Does the same for a text that was parsed before.
pub(super) fn lint_document(text: &str, document: &Document<'_>, subject: Subject<'_>) -> Findings {
    let mut lint = Lint { findings: Vec::new(), excused: excused(document) };
    lint.characters(text);
    lint.items(document);
    lint.blocks(document);
    if let Subject::Profile { kind, user } = subject {
        lint.kind(document, kind, user);
    }
    // The sort is stable: on one line, what was found first stays first.
    lint.findings.sort_by_key(|finding| finding.line);
    if text.len() > PROFILE_LEN_MAX {
        lint.report(None, "", Rule::ProfileTooLong);
    }
    lint.wholeness(document);
    if let Subject::Profile { kind, .. } = subject {
        lint.completeness(document, kind);
    }
    Findings(lint.findings)
}

/// Returns the names that the text itself lets clients ignore.
fn excused(document: &Document<'_>) -> HashSet<String> {
    document
        .directives()
        .filter(|(_, directive)| directive.name() == "ignore-unknown-option")
        .flat_map(|(_, directive)| directive.args().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

struct Lint {
    findings: Vec<Finding>,
    excused: HashSet<String>,
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

    fn items(&mut self, document: &Document<'_>) {
        for item in &document.items {
            match &item.kind {
                ItemKind::Block { name, body } => self.block(item.line, name, body),
                ItemKind::Directive(directive) => self.directive(item.line, directive),
                ItemKind::Fault(fault) => self.report(item.line, "", fault_rule(*fault)),
                ItemKind::Meta { key, value } => self.meta(item.line, key, *value),
                ItemKind::Plain => {}
            }
            // Of a block, this is the opening tag.
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
            // OpenVPN 2 cuts a long line into pieces and would know a closing
            // tag at the start of any.
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
        if !holds_its_pem(name, body) {
            self.report(at, name, Rule::NoPem);
        }
    }

    fn connection(&mut self, at: usize, body: &str) {
        let document = Document::parse_from(body, at + 1);
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
        if names_a_file(directive) {
            self.report(at, name, Rule::FileReference);
        }
        if directive.is_setenv("GENERIC_CONFIG") {
            self.report(at, name, Rule::GenericConfig);
        }
    }

    fn class_rule(&self, directive: &Directive) -> Option<Rule> {
        let name = directive.name();
        let excused = directive.optional || self.excused.contains(name);
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
            Class::Unknown => (!excused).then_some(Rule::UnknownDirective),
            Class::Unsupported => (!excused).then_some(Rule::Unsupported),
        }
    }

    fn meta(&mut self, at: usize, key: &str, value: Option<&str>) {
        if key.len() > NAME_LEN_MAX {
            self.report(at, "", Rule::NameTooLong);
        }
        if key == "GENERIC_CONFIG" {
            self.report(at, key, Rule::GenericConfig);
        }
        // OpenVPN 3 keeps metadata and directives in one list: a key in small
        // letters would act as the directive of that name.
        let capital = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let named = !key.is_empty() && key.bytes().all(capital);
        let shaped = match (value, key.strip_suffix("_START")) {
            (Some(_), None) => true,
            (None, Some(tag)) => !directive::is_meta_key(tag) || tag == "HOST_LIST",
            (None, None) | (Some(_), Some(_)) => false,
        };
        if !(named && shaped) {
            self.report(at, "", Rule::MetaMalformed);
        }
    }

    /// Rules about blocks among each other.
    fn blocks(&mut self, document: &Document<'_>) {
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

    /// Rules about what a profile of `kind` must not have.
    fn kind(&mut self, document: &Document<'_>, kind: ProfileKind, user: &UserName) {
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

    /// Rules about what every profile and template must have.
    fn wholeness(&mut self, document: &Document<'_>) {
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

    /// Rules about what a profile of `kind` must have besides.
    fn completeness(&mut self, document: &Document<'_>, kind: ProfileKind) {
        let has_block = |name: &str| document.block(name).is_some();
        let mut directives = document.directives().map(|(_, directive)| directive);
        if !has_block("ca") && !has_fingerprint(document) {
            self.report(None, "", Rule::NoCa);
        }
        if kind::has_certificate(kind) && !(has_block("cert") && has_block("key")) {
            self.report(None, "", Rule::NoCertificate);
        }
        if !kind::has_certificate(kind) && !directives.any(|d| d.is_setenv("CLIENT_CERT")) {
            self.report(None, "", Rule::NoClientCertZero);
        }
        let mut directives = document.directives().map(|(_, directive)| directive);
        if kind::asks_password(kind) && !directives.any(|d| d.name() == "auth-user-pass") {
            self.report(None, "", Rule::NoAuthUserPass);
        }
        if kind == ProfileKind::UserLocked && !names_user(document) {
            self.report(None, "", Rule::NoUsername);
        }
    }
}

const fn fault_rule(fault: Fault) -> Rule {
    match fault {
        Fault::Quoting => Rule::Quoting,
        Fault::Tag => Rule::Tag,
        Fault::UnclosedBlock => Rule::UnclosedBlock,
        Fault::UnclosedMeta => Rule::UnclosedMeta,
    }
}

fn names_a_file(directive: &Directive) -> bool {
    let named = directive::file_argument(directive.name()).and_then(|index| directive.arg(index));
    match (directive.name(), named) {
        (_, None) => false,
        ("http-proxy", Some(word)) => !matches!(word, "auto" | "auto-nct" | "none"),
        (_, Some(_)) => true,
    }
}

fn has_fingerprint(document: &Document<'_>) -> bool {
    document.block("peer-fingerprint").is_some()
        || document.directives().any(|(_, d)| d.name() == "peer-fingerprint")
}

fn names_user(document: &Document<'_>) -> bool {
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

/// Whether a block has the PEM that clients look for in it, and none that they
/// could take instead: the certificate that was judged must be the one used.
fn holds_its_pem(name: &str, body: &str) -> bool {
    let found = pem::blocks(body);
    let all = |label: &str| !found.is_empty() && found.iter().all(|pem| pem.label == label);
    let fits = match name {
        "ca" | "cert" | "extra-certs" => all("CERTIFICATE"),
        "key" => found.iter().filter(|pem| pem.is_private_key()).count() == 1,
        "tls-auth" | "tls-crypt" => all("OpenVPN Static key V1"),
        "tls-crypt-v2" => all("OpenVPN tls-crypt-v2 client key"),
        _ => return true,
    };
    fits && body.matches("-----BEGIN ").count() == found.len()
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
    fn the_templates_of_the_two_popular_installers_are_clean() {
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
    fn each_rule_names_its_line() {
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
    fn what_clients_are_told_to_ignore_is_excused_but_programs_are_not() {
        assert_eq!(rules(&format!("{CLEAN}setenv opt socks-proxy h 1\nsetenv opt nobnid\n")), []);
        assert_eq!(rules(&format!("ignore-unknown-option nobnid\n{CLEAN}nobnid 1\n")), []);
        let text = format!("ignore-unknown-option up\n{CLEAN}up x\n");
        assert_eq!(rules(&text), [(Some(6), Rule::Script)]);
    }

    #[test]
    fn lines_have_254_bytes_and_in_blocks_511() {
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
    fn nothing_hides_in_a_block() {
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
    fn no_other_pem_stands_beside_the_one_that_is_judged() {
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
    fn a_block_stands_once_and_tls_keys_exclude_each_other() {
        let twice = block("ca", "CERTIFICATE").repeat(2);
        assert_eq!(rules(&format!("{CLEAN}{twice}")), [(Some(10), Rule::RepeatedBlock)]);
        let label = "OpenVPN Static key V1";
        let both = block("tls-auth", label) + &block("tls-crypt", label);
        assert_eq!(rules(&format!("{CLEAN}{both}")), [(Some(10), Rule::TwoTlsKeys)]);
        let connection = "<connection>\nremote h 1\n</connection>\n".repeat(2);
        assert_eq!(rules(&format!("{CLEAN}{connection}")), []);
    }

    #[test]
    fn a_text_that_is_no_client_profile_says_what_is_missing() {
        let whole = [Rule::NoClient, Rule::NoRemote, Rule::NoServerCheck].map(|rule| (None, rule));
        assert_eq!(rules(""), whole);
    }

    #[test]
    fn an_autologin_profile_asks_for_nothing() {
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
    fn a_user_locked_profile_asks_and_names_its_user_only() {
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
    fn a_server_locked_profile_belongs_to_nobody() {
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
