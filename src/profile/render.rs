//! Rendering: a template or profile in, a profile of one kind out.

use zeroize::Zeroizing;

use super::document::{Document, Item, ItemKind};
use super::kind;
use crate::token::{ProfileKind, UserName};

/// The blocks of which clients take one.
pub(super) const TLS_KEYS: [&str; 3] = ["tls-auth", "tls-crypt", "tls-crypt-v2"];

/// A block to put behind a template.
pub(super) struct Material<'a> {
    /// Its tag.
    pub(super) name: &'static str,
    /// Its lines, with or without the last line feed.
    pub(super) body: &'a str,
}

/// Writes the profile of `kind` for `user`: the kind's own lines, then `base`
/// without what the kind forbids, then those of `materials` that `base` has
/// not.
///
/// `<cert>` and `<key>` of the materials win over those of `base`, because
/// they are a pair and the user's own.
pub(super) fn render(
    kind: ProfileKind,
    user: &UserName,
    host: Option<&str>,
    base: &Document<'_>,
    materials: &[Material<'_>],
) -> Zeroizing<String> {
    let header = kind::header(kind, user, host);
    let kept = || base.items.iter().filter(|item| is_kept(kind, item, materials));
    let added = || materials.iter().filter(|material| is_added(kind, base, material));

    // Counted first: a text that grows while it is written leaves copies of
    // private keys behind.
    let len = header.iter().map(|line| line.len() + 1).sum::<usize>()
        + kept().map(|item| item.text.len() + 1).sum::<usize>()
        + added().map(Material::len_max).sum::<usize>();
    let mut text = Zeroizing::new(String::with_capacity(len));
    for line in &header {
        push_line(&mut text, line);
    }
    for item in kept() {
        push_line(&mut text, item.text);
    }
    let has_direction = base.directives().any(|(_, d)| d.name() == "key-direction");
    for material in added() {
        material.push(&mut text, has_direction);
    }
    debug_assert!(text.len() <= len, "the text grew while it was written");
    text
}

fn is_kept(kind: ProfileKind, item: &Item<'_>, materials: &[Material<'_>]) -> bool {
    let replaced = matches!(item.kind, ItemKind::Block { name: name @ ("cert" | "key"), .. }
        if materials.iter().any(|material| material.name == name));
    !replaced && !kind::is_rewritten(item) && !kind::forbids(kind, item)
}

fn is_added(kind: ProfileKind, base: &Document<'_>, material: &Material<'_>) -> bool {
    match material.name {
        "cert" | "key" => kind::has_certificate(kind),
        name if TLS_KEYS.contains(&name) => TLS_KEYS.iter().all(|name| base.block(name).is_none()),
        name => base.block(name).is_none(),
    }
}

impl Material<'_> {
    const DIRECTION: &'static str = "key-direction 1";

    fn len_max(&self) -> usize {
        Self::DIRECTION.len() + 2 * self.name.len() + self.body.len() + "\n<>\n\n</>\n".len()
    }

    fn push(&self, text: &mut String, has_direction: bool) {
        // Clients send with half 1 of the key and servers with half 0.
        if self.name == "tls-auth" && !has_direction {
            push_line(text, Self::DIRECTION);
        }
        let closing = ["<", self.name, ">\n", self.body.trim_end_matches('\n'), "\n</", self.name];
        text.extend(closing);
        text.push_str(">\n");
    }
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "client\nremote h 1\nauth-user-pass\n# hello\nverb 3\n";

    fn rendered(kind: ProfileKind, base: &str, materials: &[Material<'_>]) -> String {
        let user = UserName::new("alice").unwrap();
        let document = Document::parse(base);
        render(kind, &user, Some("h"), &document, materials).to_string()
    }

    fn materials() -> [Material<'static>; 4] {
        [("ca", "CA\n"), ("cert", "CERT"), ("key", "KEY\n"), ("tls-auth", "TLS\n")]
            .map(|(name, body)| Material { name, body })
    }

    #[test]
    fn a_template_keeps_its_lines_and_gets_what_it_lacks() {
        assert_eq!(
            rendered(ProfileKind::Autologin, TEMPLATE, &materials()),
            "# OVPN_ACCESS_SERVER_USERNAME=alice\n# OVPN_ACCESS_SERVER_PROFILE=alice@h/AUTOLOGIN\n\
             # OVPN_ACCESS_SERVER_AUTOLOGIN=1\nclient\nremote h 1\n# hello\nverb 3\n\
             <ca>\nCA\n</ca>\n<cert>\nCERT\n</cert>\n<key>\nKEY\n</key>\n\
             key-direction 1\n<tls-auth>\nTLS\n</tls-auth>\n"
        );
    }

    #[test]
    fn a_server_locked_profile_has_no_certificate_and_no_key() {
        let base = format!("{TEMPLATE}<cert>\nX\n</cert>\n<key>\nX\n</key>\n");
        assert_eq!(
            rendered(ProfileKind::ServerLocked, &base, &materials()[..1]),
            "# OVPN_ACCESS_SERVER_PROFILE=h\nauth-user-pass\nsetenv CLIENT_CERT 0\n\
             client\nremote h 1\n# hello\nverb 3\n<ca>\nCA\n</ca>\n"
        );
    }

    #[test]
    fn the_users_own_pair_replaces_one_in_the_template() {
        let base = format!("{TEMPLATE}<cert>\nX\n</cert>\n<key>\nX\n</key>\n");
        let text = rendered(ProfileKind::UserLocked, &base, &materials());
        assert!(!text.contains('X') && text.matches("<key>").count() == 1, "{text}");
    }

    #[test]
    fn blocks_of_the_template_are_not_repeated() {
        let base = "client\nkey-direction 0\n<tls-crypt>\nT\n</tls-crypt>\n<ca>\nMINE\n</ca>\n";
        let text = rendered(ProfileKind::UserLocked, base, &materials());
        assert!(!text.contains("<tls-auth>") && !text.contains("key-direction 1"), "{text}");
        assert!(text.contains("MINE") && text.matches("<ca>").count() == 1, "{text}");
    }

    #[test]
    fn rendering_a_rendered_profile_changes_nothing() {
        for kind in ProfileKind::ALL {
            let once = rendered(kind, TEMPLATE, &materials());
            assert_eq!(rendered(kind, &once, &[]), once, "{kind}");
            assert_eq!(rendered(kind, &once, &materials()[..1]), once, "{kind}");
        }
    }
}
