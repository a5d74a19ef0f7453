//! The metrics.

use std::collections::BTreeSet;

use super::*;

/// Returns the names of all metrics in a text. The parts of a histogram have one name.
fn metric_names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    let names = words.filter(|word| word.starts_with("jeton_"));
    let parts = ["_bucket", "_sum", "_count"];
    names
        .map(|name| parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name))
        .collect()
}

#[actix_web::test]
async fn metrics_are_open_documented_and_free_of_personal_data() {
    let world = world();
    world.permit("alice", true).await;
    let app = test::init_service(App::new().configure(|app| configure(app, &world.door))).await;
    let response = test::call_service(&app, test::TestRequest::get().uri("/metrics").to_request());
    let response = response.await;
    let content_type = response.headers().get("content-type").unwrap();
    assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let body = test::read_body(response).await;
    let text = std::str::from_utf8(&body).unwrap();
    for (line, is_there) in [
        ("jeton_certificate_expiry_timestamp_seconds 4102444800\n", true),
        ("jeton_trusted_keys{purpose=\"admin\"} 1\n", true),
        ("jeton_verify_cache_misses_total 1\n", true),
        ("alice", false),
        ("root", false),
        ("127.0.0.1", false),
    ] {
        assert_eq!(text.contains(line), is_there, "{line}{text}");
    }

    // A line `# TYPE` names a counter without its `_total`.
    let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let samples = samples.join("\n");
    let documented = metric_names(include_str!("../../../docs/metrics.md"));
    assert_eq!(documented, metric_names(&samples));
    let in_dashboard = metric_names(include_str!("../../../docs/grafana.json"));
    assert_eq!(in_dashboard.difference(&documented).count(), 0, "{in_dashboard:?}");
    assert!(in_dashboard.len() > 8, "{in_dashboard:?}");
}
