//! What is logged, and what never is.

use std::io;
use std::sync::{Arc, Mutex};

use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, rt};
use tracing_subscriber::fmt::MakeWriter;

use super::fixture::{Fixture, SECRET_LINE, limits, link};
use crate::activity::EventLine;
use crate::ledger::LedgerError;
use crate::metrics::Readings;
use crate::public::{TrustedProxies, configure};
use crate::token::url::REST_PATH as R;

/// Collects log lines.
#[derive(Clone, Default)]
struct LogBuffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for LogBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogBuffer {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl LogBuffer {
    fn lines(&self, target: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(target)).map(str::to_owned).collect()
    }
}

/// Sends requests at the most verbose level and returns the log.
fn log_of(fixture: &Fixture, requests: &[(Method, String)]) -> LogBuffer {
    let log = LogBuffer::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    rt::System::new().block_on(async {
        let door = fixture.door(&limits(), TrustedProxies::default());
        let app = init_service(App::new().configure(|app| configure(app, &door))).await;
        for (method, uri) in requests {
            let request = TestRequest::with_uri(uri).method(method.clone());
            let request = request.peer_addr("192.0.2.1:5".parse().unwrap()).to_request();
            read_body(call_service(&app, request).await).await;
        }
    });
    log
}

#[test]
fn each_decision_is_one_line_with_its_token_and_client() {
    let fixture = Fixture::new();
    let token = fixture.mint(1);
    let link = link(&token);
    let path = format!("{R}/{}", token.as_str());
    let requests = [(Method::HEAD, path), (Method::GET, link.clone()), (Method::GET, link)];
    let log = log_of(&fixture, &requests);
    let id = token.id().to_string();
    let lines = log.lines("jeton::redemption");
    let expected = [
        (" INFO", vec!["outcome=\"shown\"", "uses_left=\"1\""]),
        (" INFO", vec!["outcome=\"delivered\"", "uses_left=\"0\"", "user=alice"]),
        (" WARN", vec!["outcome=\"refused\"", "reason=\"used-up\"", "user=alice"]),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (number, (line, (level, parts))) in lines.iter().zip(expected).enumerate() {
        let request_id = format!("request_id=\"{number:032x}\"");
        for part in [level, &id, "client=192.0.2.1", "kind=user-locked", &request_id] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(parts.iter().all(|part| line.contains(part)), "{parts:?}: {line}");
    }
}

#[test]
fn viewing_the_share_page_logs_shown_and_its_button_delivered() {
    let fixture = Fixture::new();
    let token = fixture.mint(1);
    let page = format!("/t/{}", token.as_str());
    let requests = [Method::GET, Method::HEAD, Method::POST, Method::POST];
    let log = log_of(&fixture, &requests.map(|method| (method, page.clone())));
    let lines = log.lines("jeton::redemption");
    let expected = ["\"shown\"", "\"shown\"", "\"delivered\"", "\"refused\" reason=\"used-up\""];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, outcome) in lines.iter().zip(expected) {
        assert!(line.contains(&format!("outcome={outcome}")), "{outcome}: {line}");
    }
    let lines = log.lines("jeton::request");
    assert!(lines.iter().all(|line| line.contains("route=\"/t/{token:.*}\"")), "{lines:#?}");
}

#[test]
fn operators_see_downloads_and_not_views() {
    let fixture = Fixture::new();
    let token = fixture.mint(1);
    let page = format!("/t/{}", token.as_str());
    let bad = format!("{R}?token=x");
    let requests = [
        (Method::HEAD, link(&token)),
        (Method::GET, page.clone()),
        (Method::POST, page.clone()),
        (Method::POST, page),
        (Method::GET, bad),
    ];
    log_of(&fixture, &requests);
    let events = fixture.activity.recent(9, |_| true);
    let lines: Vec<_> =
        events.iter().map(|event| serde_json::to_value(EventLine::of(event)).unwrap()).collect();
    let client = |line: &serde_json::Value| line["client"] == "192.0.2.1";
    assert!(lines.len() == 3 && lines.iter().all(client), "{lines:#?}");
    let is = |event: &str, reason: Option<&str>| {
        let found = lines.iter().filter(|line| line["event"] == event);
        found.filter(|line| line["reason"].as_str() == reason).count() == 1
    };
    assert!(is("delivered", None), "{lines:#?}");
    assert!(is("refused", Some("used-up")), "{lines:#?}");
    assert!(is("refused", Some("unverified")), "{lines:#?}");
    let numbers = fixture.metrics.show(&Readings::default()).unwrap();
    for line in [
        "redemptions_total{profile_type=\"user-locked\"} 1",
        "refusals_total{reason=\"used-up\"} 1",
        "refusals_total{reason=\"unverified\"} 1",
        "refusals_total{reason=\"revoked\"} 0",
    ] {
        assert!(numbers.contains(line), "{line}\n{numbers}");
    }
}

#[test]
fn each_request_is_one_line_without_its_path() {
    let fixture = Fixture::new();
    let requests =
        ["/rest/GetProfileViaToken?token=x", "/rest/GetProfileViaToken/x", "/x", "/healthz"]
            .map(|uri| (Method::GET, uri.to_owned()));
    let lines = log_of(&fixture, &requests).lines("jeton::request");
    assert_eq!(lines.len(), 3, "{lines:#?}");
    for (line, route) in lines.iter().zip([
        "route=\"/rest/GetProfileViaToken\"",
        "route=\"/rest/GetProfileViaToken/{token:.*}\"",
        "route=\"none\"",
    ]) {
        assert!(line.contains(route) && line.contains("method=\"GET\" status=404"), "{line}");
        assert!(line.contains("micros=") && line.contains("request_id="), "{line}");
    }
}

#[test]
fn no_token_and_no_profile_is_logged() {
    let fixture = Fixture::new();
    let token = fixture.mint(2);
    let text = token.as_str();
    let mut requests = Vec::new();
    for method in [Method::GET, Method::HEAD, Method::POST] {
        for uri in [
            format!("{R}?token={text}"),
            format!("{R}/{text}?null"),
            format!("{R}/{text}/x"),
            format!("{R}?token={text}&token={text}"),
            format!("{R}?token={text}A"),
            format!("/t/{text}"),
            format!("/{text}"),
        ] {
            requests.push((method.clone(), uri));
        }
    }
    let mut logs = vec![log_of(&fixture, &requests)];
    *fixture.ledger.fault.lock().unwrap() = Some(LedgerError::Overloaded);
    logs.push(log_of(&fixture, &requests));
    for log in logs {
        let all = log.lines("");
        assert!(!all.is_empty());
        // Parts of the middle, so that a truncated or decorated copy is found too.
        for secret in [&text[8..40], &text[text.len() - 40..text.len() - 8], SECRET_LINE] {
            let found: Vec<_> = all.iter().filter(|line| line.contains(secret)).collect();
            assert!(found.is_empty(), "{found:#?}");
        }
    }
}
