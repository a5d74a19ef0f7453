//! Renders a template or profile as a profile of one kind.

use zeroize::Zeroizing;

use super::document::{Item, ItemKind, OvpnDocument};
use super::kind;
use crate::token::{ProfileKind, UserName};

/// The blocks of which clients use only one.
pub(super) const TLS_KEYS: [&str; 3] = ["tls-auth", "tls-crypt", "tls-crypt-v2"];

/// A block to append to a template.
pub(super) struct Material<'a> {
    /// Its tag.
    pub(super) name: &'static str,
    /// Its content, with or without the last line feed.
    pub(super) body: &'a str,
}

/// Writes the profile of `kind` for `user`: the header of the kind, then `base` without items that
/// the kind forbids, then those of `materials` that `base` lacks.
///
/// `<cert>` and `<key>` in `materials` replace those of `base`, because they are the user's own
/// pair.
pub(super) fn render(
    kind: ProfileKind,
    user: &UserName,
    host: Option<&str>,
    base: &OvpnDocument<'_>,
    materials: &[Material<'_>],
) -> Zeroizing<String> {
    let header = kind::header(kind, user, host);
    let kept = || base.items.iter().filter(|item| is_kept(kind, item, materials));
    let added = || materials.iter().filter(|material| is_added(kind, base, material));

    // Reserved up front, because a reallocation would leave an unwiped copy of the private key.
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
    debug_assert!(text.len() <= len, "the text was reallocated");
    text
}

fn is_kept(kind: ProfileKind, item: &Item<'_>, materials: &[Material<'_>]) -> bool {
    let replaced = matches!(item.kind, ItemKind::Block { name: name @ ("cert" | "key"), .. }
        if materials.iter().any(|material| material.name == name));
    !replaced && !kind::is_rewritten(item) && !kind::forbids(kind, item)
}

fn is_added(kind: ProfileKind, base: &OvpnDocument<'_>, material: &Material<'_>) -> bool {
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
        // Clients use direction 1 of the key, and servers direction 0.
        if self.name == "tls-auth" && !has_direction {
            push_line(text, Self::DIRECTION);
        }
        let block = ["<", self.name, ">\n", self.body.trim_end_matches('\n'), "\n</", self.name];
        text.extend(block);
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
        let document = OvpnDocument::parse(base);
        render(kind, &user, Some("h"), &document, materials).to_string()
    }

    fn materials() -> [Material<'static>; 4] {
        [("ca", "CA\n"), ("cert", "CERT"), ("key", "KEY\n"), ("tls-auth", "TLS\n")]
            .map(|(name, body)| Material { name, body })
    }

    #[test]
    fn rendering_keeps_the_template_and_appends_missing_blocks() {
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
    fn the_users_certificate_and_key_replace_those_of_the_template() {
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
    fn rendering_is_idempotent() {
        for kind in ProfileKind::ALL {
            let once = rendered(kind, TEMPLATE, &materials());
            assert_eq!(rendered(kind, &once, &[]), once, "{kind}");
            assert_eq!(rendered(kind, &once, &materials()[..1]), once, "{kind}");
        }
    }
}
