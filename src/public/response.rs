//! The responses that carry no profile.
//!
//! A refusal is Access Server's XML under `/rest/`. Elsewhere it is a page for browsers and one
//! line of text for other clients.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::door::PublicDoor;
use super::notice::Notice;
use super::page;
use super::refusal::Denial;

/// Returns the response to a request that is refused.
pub(super) fn refusal(request: &HttpRequest, door: &PublicDoor, denial: &Denial) -> HttpResponse {
    let row = denial.row();
    let mut head = HttpResponse::build(row.status);
    if let Some(seconds) = row.retry_after_s {
        head.insert_header((header::RETRY_AFTER, seconds));
    }
    if row.text.is_empty() {
        return head.finish();
    }
    if Form::of(request) == Form::Html {
        return page::notice(head, request, &Notice::of(denial, door.now()));
    }
    one_line(head, request, row.status, &row.text)
}

/// The response for a route that does not exist.
pub(super) async fn no_such_page(request: HttpRequest) -> HttpResponse {
    one_line(HttpResponse::NotFound(), &request, StatusCode::NOT_FOUND, "there is no such page")
}

/// The response for another method than `GET` and `HEAD`.
pub(super) async fn only_get_and_head(request: HttpRequest) -> HttpResponse {
    not_allowed(&request, "GET, HEAD")
}

/// Returns the response for a method that the route does not support.
pub(super) fn not_allowed(request: &HttpRequest, allowed: &'static str) -> HttpResponse {
    let mut head = HttpResponse::MethodNotAllowed();
    head.insert_header((header::ALLOW, allowed));
    one_line(head, request, StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed here")
}

/// Returns the response to a `GET` or `HEAD` with a body. It closes the connection.
pub(super) fn unwanted_body(request: &HttpRequest) -> HttpResponse {
    let mut head = HttpResponse::BadRequest();
    head.force_close();
    one_line(head, request, StatusCode::BAD_REQUEST, "this request must not have a body")
}

/// Returns the response to a request that got no request id.
pub(super) fn unavailable(request: &HttpRequest) -> HttpResponse {
    let mut head = HttpResponse::ServiceUnavailable();
    head.insert_header((header::RETRY_AFTER, 5));
    let line = "try again shortly; nothing was used up";
    one_line(head, request, StatusCode::SERVICE_UNAVAILABLE, line)
}

/// Returns one line in the form that the client reads.
fn one_line(
    mut head: HttpResponseBuilder,
    request: &HttpRequest,
    status: StatusCode,
    line: &str,
) -> HttpResponse {
    let reason = status.canonical_reason().unwrap_or("Error");
    let (content_type, body) = match Form::of(request) {
        Form::Html => return page::notice(head, request, &Notice::plain(reason, line)),
        Form::Xml => ("text/xml", xml(reason, line)),
        Form::Text => ("text/plain; charset=utf-8", format!("{line}\n")),
    };
    head.insert_header((header::CONTENT_TYPE, content_type)).body(body)
}

/// The form of a refusal that a client reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Html,
    Text,
    Xml,
}

impl Form {
    fn of(request: &HttpRequest) -> Self {
        if request.uri().path().starts_with("/rest/") {
            return Self::Xml;
        }
        let accept = request.headers().get(header::ACCEPT);
        if accept.is_some_and(accepts_html) { Self::Html } else { Self::Text }
    }
}

/// Returns `true` if an `Accept` header names `text/html`, as browsers do. `*/*` does not count.
fn accepts_html(accept: &HeaderValue) -> bool {
    let ranges = accept.to_str().unwrap_or_default().split(',');
    ranges
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case("text/html"))
}

/// Returns an error of Access Server's REST interface. openvpn3-linux looks for `Error`, `Type` and
/// `Message`.
fn xml(reason: &str, line: &str) -> String {
    let (reason, line) = (escape(reason), escape(line));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Error>\n  \
           <Type>{reason}</Type>\n  \
           <Synopsis>REST method failed</Synopsis>\n  \
           <Message>{line}</Message>\n\
         </Error>"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn browsers_read_pages_and_programs_read_text_or_xml() {
        let form = |uri: &str, accept: &'static str| {
            let request = TestRequest::with_uri(uri).insert_header((header::ACCEPT, accept));
            Form::of(&request.to_http_request())
        };
        assert_eq!(form("/t/x", "text/html,application/xhtml+xml,*/*;q=0.8"), Form::Html);
        assert_eq!(form("/t/x", "application/xml;q=0.9, Text/HTML;q=0.5"), Form::Html);
        assert_eq!(form("/t/x", "*/*"), Form::Text);
        assert_eq!(form("/t/x", "text/htmlx"), Form::Text);
        assert_eq!(form("/rest/x", "text/html"), Form::Xml);
    }

    #[test]
    fn text_is_escaped_in_xml() {
        assert!(xml("A", "<b>&").contains("<Message>&lt;b&gt;&amp;</Message>"));
    }
}
