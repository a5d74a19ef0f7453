//! The response that is a profile: a file to save, or only its headers for `HEAD`.

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

/// Every ASCII character except those of `attr-char`. Source: RFC 8187, section 3.2.1.
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

/// Returns the response with the profile.
pub(super) fn profile(delivery: Delivery) -> HttpResponse {
    profile_head(&delivery).body(Bytes::from_owner(ProfileBytes(delivery.profile)))
}

/// Returns the response of [`profile`] without the profile, with the uses that are left and the
/// expiry.
pub(super) fn head(delivery: &Delivery) -> HttpResponse {
    profile_head(delivery)
        .insert_header((USES_LEFT, uses_left(delivery)))
        .insert_header((EXPIRES, delivery.token.claims().expires_at().to_string()))
        .body(OmittedBody(delivery.profile.text().len()))
}

/// Returns how many uses are left, or `unlimited`.
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

/// Names the file `USER.ovpn` twice: in ASCII for simple clients, then as RFC 8187 has it, because
/// OpenVPN GUI uses the last name that it understands.
fn content_disposition(user: &UserName) -> String {
    let ascii: String = user.as_str().chars().map(plain_or_underscore).collect();
    let whole = utf8_percent_encode(user.as_str(), ESCAPED);
    format!("attachment; filename=\"{ascii}.ovpn\"; filename*=utf-8''{whole}.ovpn")
}

/// Keeps the characters that every file system and every parser of a quoted string accepts.
fn plain_or_underscore(c: char) -> char {
    if c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '-' | '_' | '@' | '+') {
        c
    } else {
        '_'
    }
}

/// Owns the bytes that are sent, so that no second copy of the profile remains when it is wiped.
struct ProfileBytes(Profile);

impl AsRef<[u8]> for ProfileBytes {
    fn as_ref(&self) -> &[u8] {
        self.0.text().as_bytes()
    }
}

/// The body that `HEAD` leaves out. Only its length is known.
struct OmittedBody(usize);

impl MessageBody for OmittedBody {
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
    fn names_the_file_after_the_user_in_two_spellings() {
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
    fn every_user_name_makes_a_valid_header() {
        for user in ["\u{674e}\u{96f7}", "'", "a'b*\"c", "\u{a0}", "\u{202e}x", ".."] {
            let Ok(user) = UserName::new(user) else { continue };
            let value = content_disposition(&user);
            assert!(HeaderValue::from_str(&value).is_ok(), "{value}");
            assert_eq!(value.matches('"').count(), 2, "{value}");
            assert_eq!(value.matches('\'').count(), 2, "{value}");
        }
    }
}
