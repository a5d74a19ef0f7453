//! The files that all pages load: style sheet, module and logo.

use std::sync::LazyLock;

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
    etag: LazyLock<EntityTag>,
}

static STYLE: Asset = Asset {
    path: "/assets/jeton.css",
    content_type: "text/css; charset=utf-8",
    content: STYLE_TEXT,
    etag: LazyLock::new(|| etag(STYLE_TEXT)),
};

static MODULE: Asset = Asset {
    path: "/assets/jeton.js",
    content_type: "text/javascript; charset=utf-8",
    content: MODULE_TEXT,
    etag: LazyLock::new(|| etag(MODULE_TEXT)),
};

static MARK: Asset = Asset {
    path: "/assets/mark.svg",
    content_type: "image/svg+xml",
    content: MARK_TEXT,
    etag: LazyLock::new(|| etag(MARK_TEXT)),
};

const STYLE_TEXT: &str = concat!(
    include_str!("../../../templates/palette.css"),
    include_str!("../../../templates/admin/admin.css")
);
const MODULE_TEXT: &str = include_str!("../../../templates/admin/jeton.js");
const MARK_TEXT: &str = include_str!("../../../templates/admin/mark.svg");

pub(super) fn configure(app: &mut web::ServiceConfig) {
    for asset in [&STYLE, &MODULE, &MARK] {
        let serve = move |request: HttpRequest| async move { asset.respond(&request) };
        app.route(asset.path, web::get().to(serve));
    }
}

impl Asset {
    /// Responds with the file, or with 304 if the browser's copy is current.
    fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let is_current = match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => true,
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.etag)),
            Err(_) => false,
        };
        let mut response =
            if is_current { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header(ETag(self.etag.clone()))
            .insert_header((header::CACHE_CONTROL, "no-cache"));
        if is_current {
            return response.finish();
        }
        response.insert_header((header::CONTENT_TYPE, self.content_type)).body(self.content)
    }
}

fn etag(content: &str) -> EntityTag {
    EntityTag::new_strong(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(content)))
}
