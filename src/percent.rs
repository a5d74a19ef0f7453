//! Percent-encoding (RFC 3986, section 2.1), written for any text and read exactly:
//! what is no escape, or no UTF-8, is refused and not mended, because a mended name
//! is another name.

use std::fmt::Write as _;

/// Encodes `text` for one segment of a path, or one value of a query: all but what
/// RFC 3986, section 2.3 calls unreserved.
pub(crate) fn encode(text: &str) -> String {
    encode_except(text, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
    })
}

/// Encodes all bytes of `text` but the ASCII characters that are `plain`.
pub(crate) fn encode_except(text: &str, plain: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii() && plain(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// What a `+` stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Plus {
    /// Itself, as in a path.
    Plus,
    /// A space, as in the query that a form or a script makes.
    Space,
}

/// Decodes `text`; `None` if it is badly encoded.
pub(crate) fn decode(text: &str, plus: Plus) -> Option<String> {
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
    fn what_is_reserved_is_escaped_byte_by_byte() {
        assert_eq!(encode("aZ09-._~"), "aZ09-._~");
        assert_eq!(encode("a&b=c d\u{e9}/%"), "a%26b%3Dc%20d%C3%A9%2F%25");
        assert_eq!(encode_except("a+b c", |byte| byte == b'+'), "%61+%62%20%63");
    }

    #[test]
    fn what_is_encoded_is_decoded_to_the_same() {
        for text in ["", "alice", "a b?#%\u{fc}@example.com", "+%2B+", "\u{0}\r\n"] {
            for plus in [Plus::Plus, Plus::Space] {
                assert_eq!(decode(&encode(text), plus).as_deref(), Some(text));
            }
        }
    }

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
