//! The answer that is a profile: a file to save, or what `HEAD` tells of it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{self, HeaderName};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::profile::Profile;
use crate::redeem::Delivery;
use crate::token::UserName;

/// OpenVPN GUI compares the whole value with this, so it has no parameters.
const PROFILE_TYPE: &str = "application/x-openvpn-profile";

/// Every ASCII character but those of `attr-char`. Source: RFC 8187, section 3.2.1.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

const USES_LEFT: HeaderName = HeaderName::from_static("jeton-uses-left");
const EXPIRES: HeaderName = HeaderName::from_static("jeton-expires");

/// Answers with the profile.
pub(super) fn profile(delivery: Delivery) -> HttpResponse {
    profile_head(&delivery).body(Bytes::from_owner(ProfileBytes(delivery.profile)))
}

/// Answers as [`profile`] would, without the profile, and tells how the token
/// stands.
pub(super) fn standing(delivery: &Delivery) -> HttpResponse {
    profile_head(delivery)
        .insert_header((USES_LEFT, uses_left(delivery)))
        .insert_header((EXPIRES, delivery.token.claims().expires_at().to_string()))
        .body(Unsent(delivery.profile.text().len()))
}

/// Writes how many uses are left.
pub(super) fn uses_left(delivery: &Delivery) -> String {
    delivery.uses_left.map_or_else(|| "unlimited".to_owned(), |left| left.to_string())
}

fn profile_head(delivery: &Delivery) -> HttpResponseBuilder {
    let disposition = content_disposition(&delivery.token.claims().user);
    let mut head = HttpResponse::Ok();
    head.insert_header((header::CONTENT_TYPE, PROFILE_TYPE))
        .insert_header((header::CONTENT_DISPOSITION, disposition));
    head
}

/// Names the file `USER.ovpn` twice: in ASCII for whoever reads nothing else,
/// and last by RFC 8187, because OpenVPN GUI keeps the last it understands.
fn content_disposition(user: &UserName) -> String {
    let ascii: String = user.as_str().chars().map(plain).collect();
    let whole = utf8_percent_encode(user.as_str(), ESCAPED);
    format!("attachment; filename=\"{ascii}.ovpn\"; filename*=utf-8''{whole}.ovpn")
}

/// Keeps what every file system and every reader of a quoted string takes.
fn plain(c: char) -> char {
    if c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '-' | '_' | '@' | '+') {
        c
    } else {
        '_'
    }
}

/// A profile as the owner of the bytes that are sent, so that no second copy
/// is left behind when it is wiped.
struct ProfileBytes(Profile);

impl AsRef<[u8]> for ProfileBytes {
    fn as_ref(&self) -> &[u8] {
        self.0.text().as_bytes()
    }
}

/// A body of a known length that is not there: what `HEAD` tells of.
struct Unsent(usize);

impl MessageBody for Unsent {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.try_into().unwrap_or(u64::MAX))
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn disposition(user: &str) -> String {
        content_disposition(&UserName::new(user).unwrap())
    }

    #[test]
    fn a_file_is_named_after_its_user_in_two_spellings() {
        assert_eq!(
            disposition("alice"),
            "attachment; filename=\"alice.ovpn\"; filename*=utf-8''alice.ovpn"
        );
        assert_eq!(
            disposition("J\u{fc}r\"gen; x=%41"),
            "attachment; filename=\"J_r_gen_ x__41.ovpn\"; \
             filename*=utf-8''J%C3%BCr%22gen%3B%20x%3D%2541.ovpn"
        );
        assert_eq!(
            disposition("alice@example.com"),
            "attachment; filename=\"alice@example.com.ovpn\"; \
             filename*=utf-8''alice%40example.com.ovpn"
        );
    }

    #[test]
    fn escapes_all_but_attr_chars() {
        let is_plain =
            |c: &char| utf8_percent_encode(&c.to_string(), ESCAPED).to_string().len() == 1;
        let plain: String = ('\0'..='\x7f').filter(is_plain).collect();
        assert_eq!(
            plain,
            "!#$&+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~"
        );
    }

    #[test]
    fn every_user_name_makes_a_header() {
        for user in ["\u{674e}\u{96f7}", "'", "a'b*\"c", "\u{a0}", "\u{202e}x", ".."] {
            let Ok(user) = UserName::new(user) else { continue };
            let value = content_disposition(&user);
            assert!(HeaderValue::from_str(&value).is_ok(), "{value}");
            assert_eq!(value.matches('"').count(), 2, "{value}");
            assert_eq!(value.matches('\'').count(), 2, "{value}");
        }
    }
}
