//! The files that all pages load: style sheet, module and logo.

use std::sync::OnceLock;

use actix_web::http::header::{self, ETag, EntityTag, Header as _, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// A file that is compiled into the program.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    content: &'static str,
    etag: OnceLock<EntityTag>,
}

static ASSETS: [Asset; 3] = [
    Asset::new(
        "/assets/jeton.css",
        "text/css; charset=utf-8",
        concat!(
            include_str!("../../../templates/palette.css"),
            include_str!("../../../templates/admin/admin.css")
        ),
    ),
    Asset::new(
        "/assets/jeton.js",
        "text/javascript; charset=utf-8",
        include_str!("../../../templates/admin/jeton.js"),
    ),
    Asset::new(
        "/assets/mark.svg",
        "image/svg+xml",
        include_str!("../../../templates/admin/mark.svg"),
    ),
];

pub(super) fn configure(app: &mut web::ServiceConfig) {
    for asset in &ASSETS {
        let serve = move |request: HttpRequest| async move { asset.respond(&request) };
        app.route(asset.path, web::get().to(serve));
    }
}

impl Asset {
    const fn new(path: &'static str, content_type: &'static str, content: &'static str) -> Self {
        Self { path, content_type, content, etag: OnceLock::new() }
    }

    /// Responds with the file, or with 304 if the browser's copy is current.
    fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let etag = self.etag.get_or_init(|| {
            EntityTag::new_strong(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.content)))
        });
        let is_current = match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => true,
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(etag)),
            Err(_) => false,
        };
        let mut response =
            if is_current { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header(ETag(etag.clone()))
            .insert_header((header::CACHE_CONTROL, "no-cache"));
        if is_current {
            return response.finish();
        }
        response.insert_header((header::CONTENT_TYPE, self.content_type)).body(self.content)
    }
}
