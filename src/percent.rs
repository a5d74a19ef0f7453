//! Percent-encoding (RFC 3986, section 2.1). Decoding is strict: malformed escapes and invalid
//! UTF-8 are rejected, because a repaired name would be another name.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Every ASCII character but the unreserved ones. Source: RFC 3986, section 2.3.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes `text` for a path segment or a query value.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// The meaning of a `+`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Plus {
    /// A plus sign, as in a path.
    Plus,
    /// A space, as in a form's query.
    Space,
}

/// Decodes `text`. Returns `None` if an escape is malformed or the result is not UTF-8.
pub(crate) fn decode(text: &str, plus: Plus) -> Option<String> {
    // `percent_decode_str` keeps malformed escapes as they are.
    let mut after_signs = text.split('%').skip(1);
    if !after_signs.all(|rest| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2) {
        return None;
    }
    let text = match plus {
        Plus::Plus => Cow::Borrowed(text),
        Plus::Space => Cow::Owned(text.replace('+', " ")),
    };
    percent_decode_str(&text).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_all_but_unreserved_characters() {
        let plain: String = ('\0'..='\x7f').filter(|c| encode(&c.to_string()).len() == 1).collect();
        assert_eq!(plain, "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~");
        assert_eq!(encode("a&b=c d\u{e9}/%"), "a%26b%3Dc%20d%C3%A9%2F%25");
    }

    #[test]
    fn decodes_what_was_encoded() {
        for text in ["", "alice", "a b?#%\u{fc}@example.com", "+%2B+", "\u{0}\r\n"] {
            for plus in [Plus::Plus, Plus::Space] {
                assert_eq!(decode(&encode(text), plus).as_deref(), Some(text));
            }
        }
    }

    #[test]
    fn decodes_each_escape_once() {
        for (text, expected) in [
            ("alice", "alice"),
            ("b%40example.com", "b@example.com"),
            ("%2541", "%41"),
            ("a+b%2Bc", "a+b+c"),
            ("J%C3%BCrgen", "J\u{fc}rgen"),
        ] {
            assert_eq!(decode(text, Plus::Plus).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(decode("a+b%2Bc", Plus::Space).as_deref(), Some("a b+c"));
    }

    #[test]
    fn refuses_malformed_escapes() {
        for text in ["%", "%4", "%4g", "%+1", "%%41", "a%4%31", "%FF", "%C3", "%C3%28"] {
            assert_eq!(decode(text, Plus::Plus), None, "{text}");
        }
    }
}
