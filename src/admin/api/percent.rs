//! Percent-encoding (RFC 3986, section 2.1), read exactly: what is no escape, or
//! no UTF-8, is refused and not mended, because a mended name is another name.

/// What a `+` stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Plus {
    /// Itself, as in a path.
    Plus,
    /// A space, as in the query that a form or a script makes.
    Space,
}

/// Decodes `text`; `None` if it is badly encoded.
pub(super) fn decode(text: &str, plus: Plus) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'+' if plus == Plus::Space => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_is_decoded_once() {
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
    fn what_is_badly_encoded_is_not_mended() {
        for text in ["%", "%4", "%4g", "%+1", "%FF", "%C3", "%C3%28"] {
            assert_eq!(decode(text, Plus::Plus), None, "{text}");
        }
    }
}
