//! Links within this door, with whatever a user's name or a note may hold.

use crate::percent;

/// The pages that a sign-in may lead to.
const PAGES: [&str; 4] = ["/users", "/tokens", "/activity", "/nodes"];

/// Writes `path?key=value&...`, leaving out what has no value.
pub(super) fn link(path: &str, query: &[(&str, &str)]) -> String {
    let mut link = path.to_owned();
    let mut mark = '?';
    for (key, value) in query.iter().filter(|(_key, value)| !value.is_empty()) {
        link.push(mark);
        link.push_str(key);
        link.push('=');
        link.push_str(&percent::encode(value));
        mark = '&';
    }
    link
}

/// Takes a path that came with a request only if it is one of our pages, so
/// that a sign-in leads to no other site.
pub(super) fn page(path: &str) -> Option<&str> {
    let is_text = path.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\#".contains(&byte));
    let before_query = path.split('?').next().unwrap_or_default();
    (is_text && PAGES.contains(&before_query)).then_some(path)
}

/// Finds the page that has this path.
pub(super) fn page_at(path: &str) -> Option<&'static str> {
    PAGES.into_iter().find(|page| *page == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_in_their_place() {
        assert_eq!(
            link("/tokens", &[("user", "a&b=c d\u{e9}"), ("state", ""), ("x", "1")]),
            "/tokens?user=a%26b%3Dc%20d%C3%A9&x=1"
        );
        assert_eq!(link("/tokens", &[("user", "")]), "/tokens");
    }

    #[test]
    fn a_sign_in_leads_to_our_pages_only() {
        for good in ["/users", "/tokens?user=a%20b&state=all", "/nodes"] {
            assert_eq!(page(good), Some(good));
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
            assert_eq!(page(bad), None, "{bad}");
        }
    }
}
