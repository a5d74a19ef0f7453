//! The pages for people, from the templates in `templates/`.
//!
//! Each page contains its style, which the policy allows by its hash. It has no script and loads
//! nothing. Everything in a template but the style is escaped.

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use super::door::PublicDoor;
use super::notice::Notice;
use crate::humanize::{KindWords, Moment};
use crate::qr::QrDrawing;

/// The style of all pages.
const STYLE: &str =
    concat!(include_str!("../../templates/palette.css"), include_str!("../../templates/jeton.css"));

const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");

/// Allows a page its style and a form that is sent to this door.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'"
    )
});

/// The page of a valid link.
#[derive(Template)]
#[template(path = "share.html")]
pub(super) struct SharePage<'a> {
    pub(super) site: &'a str,
    pub(super) user: &'a str,
    pub(super) kind: KindWords,
    /// Uses left; `None` if unlimited.
    pub(super) uses_left: Option<u32>,
    pub(super) expires: Moment,
    /// The network that the link is bound to.
    pub(super) network: Option<String>,
    /// The link from which OpenVPN Connect imports the profile.
    pub(super) import: &'a str,
    /// The path to which the download form is sent.
    pub(super) action: &'a str,
    pub(super) qr: Option<QrDrawing>,
}

/// The page of a request that is refused.
#[derive(Template)]
#[template(path = "notice.html")]
struct NoticePage<'a> {
    site: &'a str,
    notice: &'a Notice,
}

/// Returns the page of a valid link.
pub(super) fn share(page: &SharePage<'_>) -> HttpResponse {
    render(HttpResponse::Ok(), page)
}

/// Returns a page with a notice. `head` has its status.
pub(super) fn notice(
    head: HttpResponseBuilder,
    request: &HttpRequest,
    notice: &Notice,
) -> HttpResponse {
    let door = request.app_data::<web::Data<PublicDoor>>();
    let site = door.map_or("", |door| door.public_url().host());
    render(head, &NoticePage { site, notice })
}

fn render(mut head: HttpResponseBuilder, page: &impl Template) -> HttpResponse {
    match page.render() {
        Ok(html) => head
            .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
            .insert_header((header::CONTENT_SECURITY_POLICY, POLICY.as_str()))
            .insert_header((X_ROBOTS_TAG, "noindex"))
            .body(html),
        Err(error) => {
            tracing::error!(target: "jeton::request", %error, "a page cannot be rendered");
            head.status(StatusCode::INTERNAL_SERVER_ERROR).finish()
        }
    }
}
