//! The addresses of the pages, and links between them.

use crate::percent;
use crate::token::url::SIGN_IN_PATH;

/// A page that the header of each page links to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
}

pub(super) const USERS: Section = Section { name: "Users", path: "/users" };
pub(super) const TOKENS: Section = Section { name: "Tokens", path: "/tokens" };
pub(super) const ACTIVITY: Section = Section { name: "Activity", path: "/activity" };
pub(super) const NODES: Section = Section { name: "Nodes", path: "/nodes" };

/// All sections, in the order of the header. A sign-in leads to one of them.
pub(super) const SECTIONS: [Section; 4] = [USERS, TOKENS, ACTIVITY, NODES];

/// The section that a sign-in leads to if no other was requested.
pub(super) const FIRST: Section = USERS;

/// The path of the sign-in form.
pub(super) const SIGN_IN: &str = SIGN_IN_PATH;

/// Writes `path?key=value&...`, without the keys whose value is empty.
pub(super) fn link(path: &str, query: &[(&str, &str)]) -> String {
    let mut link = path.to_owned();
    let mut separator = '?';
    for (key, value) in query.iter().filter(|(_key, value)| !value.is_empty()) {
        link.push(separator);
        link.push_str(key);
        link.push('=');
        link.push_str(&percent::encode(value));
        separator = '&';
    }
    link
}

/// Returns `address`, a path and query from a request, if it is that of a section, so that a
/// sign-in cannot lead to another site.
pub(super) fn own_address(address: &str) -> Option<&str> {
    let is_text = address.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\#".contains(&byte));
    let path = address.split('?').next().unwrap_or_default();
    (is_text && section_at(path).is_some()).then_some(address)
}

/// Returns the section with this path.
pub(super) fn section_at(path: &str) -> Option<Section> {
    SECTIONS.into_iter().find(|section| section.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_values_and_leaves_out_empty_ones() {
        assert_eq!(
            link("/tokens", &[("user", "a&b=c d\u{e9}"), ("state", ""), ("x", "1")]),
            "/tokens?user=a%26b%3Dc%20d%C3%A9&x=1"
        );
        assert_eq!(link("/tokens", &[("user", "")]), "/tokens");
    }

    #[test]
    fn accepts_only_addresses_of_sections() {
        for good in ["/users", "/tokens?user=a%20b&state=all", "/nodes"] {
            assert_eq!(own_address(good), Some(good));
        }
        for bad in [
            "",
            "/",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/users",
            "/users/../x",
            "/users\r\nSet-Cookie: x",
            "/sign-in",
            "/users#signed-in",
            "users",
            "javascript:alert(1)",
        ] {
            assert_eq!(own_address(bad), None, "{bad}");
        }
    }
}
