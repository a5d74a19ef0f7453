//! What is written down, and what never is.

use std::io;
use std::sync::{Arc, Mutex};

use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, rt};
use tracing_subscriber::fmt::MakeWriter;

use super::house::{House, SECRET_LINE, limits};
use crate::activity::EventLine;
use crate::ledger::LedgerError;
use crate::metrics::Readings;
use crate::public::{TrustedProxies, configure};
use crate::token::url::REST_PATH as R;

/// Everything that was written.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Paper {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Paper {
    fn lines(&self, target: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(target)).map(str::to_owned).collect()
    }
}

/// Sends requests with everything logged and returns the paper.
fn written(house: &House, requests: &[(Method, String)]) -> Paper {
    let paper = Paper::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(paper.clone())
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    rt::System::new().block_on(async {
        let door = house.door(&limits(), TrustedProxies::default());
        let app = init_service(App::new().configure(|app| configure(app, &door))).await;
        for (method, uri) in requests {
            let request = TestRequest::with_uri(uri).method(method.clone());
            let request = request.peer_addr("192.0.2.1:5".parse().unwrap()).to_request();
            read_body(call_service(&app, request).await).await;
        }
    });
    paper
}

#[test]
fn each_decision_is_one_line_that_says_who_and_what() {
    let house = House::new();
    let token = house.mint(1);
    let link = format!("{R}?token={}", token.as_str());
    let path = format!("{R}/{}", token.as_str());
    let asked = [(Method::HEAD, path), (Method::GET, link.clone()), (Method::GET, link)];
    let paper = written(&house, &asked);
    let id = token.id().to_string();
    let lines = paper.lines("jeton::redemption");
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
fn a_look_at_the_share_page_is_shown_and_its_button_delivers() {
    let house = House::new();
    let token = house.mint(1);
    let page = format!("/t/{}", token.as_str());
    let asked = [Method::GET, Method::HEAD, Method::POST, Method::POST];
    let paper = written(&house, &asked.map(|method| (method, page.clone())));
    let lines = paper.lines("jeton::redemption");
    let expected = ["\"shown\"", "\"shown\"", "\"delivered\"", "\"refused\" reason=\"used-up\""];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, outcome) in lines.iter().zip(expected) {
        assert!(line.contains(&format!("outcome={outcome}")), "{outcome}: {line}");
    }
    let lines = paper.lines("jeton::request");
    assert!(lines.iter().all(|line| line.contains("route=\"/t/{token:.*}\"")), "{lines:#?}");
}

#[test]
fn operators_see_what_was_wanted_and_not_what_was_looked_at() {
    let house = House::new();
    let token = house.mint(1);
    let page = format!("/t/{}", token.as_str());
    let bad = format!("{R}?token=x");
    let asked = [
        (Method::HEAD, format!("{R}?token={}", token.as_str())),
        (Method::GET, page.clone()),
        (Method::POST, page.clone()),
        (Method::POST, page),
        (Method::GET, bad),
    ];
    written(&house, &asked);
    let events = house.activity.recent(9, |_| true);
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
    let numbers = house.metrics.show(&Readings::default()).unwrap();
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
    let house = House::new();
    let asked =
        ["/rest/GetProfileViaToken?token=x", "/rest/GetProfileViaToken/x", "/x", "/healthz"]
            .map(|uri| (Method::GET, uri.to_owned()));
    let lines = written(&house, &asked).lines("jeton::request");
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
fn no_token_and_no_profile_is_ever_written() {
    let house = House::new();
    let token = house.mint(2);
    let text = token.as_str();
    let mut asked = Vec::new();
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
            asked.push((method.clone(), uri));
        }
    }
    let mut papers = vec![written(&house, &asked)];
    *house.ledger.fault.lock().unwrap() = Some(LedgerError::Overloaded);
    papers.push(written(&house, &asked));
    for paper in papers {
        let all = paper.lines("");
        assert!(!all.is_empty());
        // The middle of the text, so that a cut or decorated copy is found too.
        for secret in [&text[8..40], &text[text.len() - 40..text.len() - 8], SECRET_LINE] {
            let found: Vec<_> = all.iter().filter(|line| line.contains(secret)).collect();
            assert!(found.is_empty(), "{found:#?}");
        }
    }
}
