//! Invalid requests are rejected with the name of the field, and only after admission.

use actix_web::http::header;

use super::*;

#[actix_web::test]
async fn the_message_names_the_invalid_field() {
    let world = minting_world();
    let request = |name: &str, value: Value| {
        let mut request = json!({ "user": "alice" });
        request[name] = value;
        request
    };
    for (name, value) in [
        ("user", json!("")),
        ("user", json!(7)),
        ("user", Value::Null),
        ("user", json!("a/b")),
        ("profile_type", json!("userlogin")),
        ("profile_type", json!("Autologin")),
        ("lifetime", json!(0)),
        ("lifetime", json!(31_622_401)),
        ("lifetime", json!(1.5)),
        ("lifetime", json!("60")),
        ("uses", json!(0)),
        ("uses", json!(-1)),
        ("uses", json!(1.5)),
        ("uses", json!(4_294_967_296_u64)),
        ("uses", json!(1e300)),
        ("uses", json!("1")),
        ("uses", json!("Unlimited")),
        ("network", json!("192.0.2.1/24")),
        ("network", json!("x")),
        ("note", json!("x".repeat(201))),
        ("note", json!("a\nb")),
        ("kind", json!("autologin")),
        ("token", json!("secret")),
    ] {
        let request = request(name, value);
        let (status, answer) =
            world.post("/api/v1/tokens", &admin(AdminRole::Operator), request.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{request}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("`{name}`")), "{request}: {message}");
        assert!(!message.contains("secret"), "{message}");
    }
    for query in [
        "user=",
        "user=a%00",
        "user=%FF",
        "user=a&user=a",
        "profile_type=x",
        "state=dead",
        "batch=0",
        "limit=0",
        "limit=1001",
        "limit=%2B1",
        "limit=",
        "after=x",
        "page=2",
        "User=a",
    ] {
        let (status, answer) =
            world.get(&format!("/api/v1/tokens?{query}"), &admin(AdminRole::Viewer)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}: {answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        let name = query.split_once('=').unwrap().0;
        assert!(message.contains(name) || message.contains("badly encoded"), "{query}: {message}");
    }
    for uri in ["/api/v1/session", "/api/v1/status", "/api/v1/users"] {
        let (status, _) = world.get(&format!("{uri}?x=1"), &admin(AdminRole::Viewer)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{uri}");
    }
    let (_, list) = world.get("/api/v1/tokens?state=all", &admin(AdminRole::Viewer)).await;
    assert_eq!(list["total"], 0, "nothing was minted");
}

struct Sent {
    content_type: Option<&'static str>,
    body: Vec<u8>,
    bearer: String,
}

async fn send(sent: Sent) -> (StatusCode, Value) {
    let world = minting_world();
    let app = test::init_service(App::new().configure(|app| configure(app, &world.door))).await;
    let mut request = test::TestRequest::post()
        .uri("/api/v1/tokens")
        .peer_addr("127.0.0.1:9".parse().unwrap())
        .insert_header(("Authorization", format!("Bearer {}", sent.bearer)))
        .set_payload(sent.body);
    if let Some(content_type) = sent.content_type {
        request = request.insert_header((header::CONTENT_TYPE, content_type));
    }
    let response = test::call_service(&app, request.to_request()).await;
    let status = response.status();
    (status, test::read_body_json(response).await)
}

#[actix_web::test]
async fn a_body_is_one_json_object_of_at_most_16_kib() {
    let json = Some("application/json");
    let large = format!("{{\"user\":\"{}\"}}", "a".repeat(16 * 1024));
    for (content_type, body, expected) in [
        (json, "", StatusCode::BAD_REQUEST),
        (json, "[]", StatusCode::BAD_REQUEST),
        (json, "null", StatusCode::BAD_REQUEST),
        (json, "{\"user\":\"alice\"} x", StatusCode::BAD_REQUEST),
        (json, "{\"user\":\"alice\",\"user\":\"bob\"}", StatusCode::BAD_REQUEST),
        (json, large.as_str(), StatusCode::PAYLOAD_TOO_LARGE),
        (None, "{\"user\":\"alice\"}", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (Some("text/plain"), "{\"user\":\"alice\"}", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (Some("application/json; charset=utf-8"), "{\"user\":\"alice\"}", StatusCode::CREATED),
    ] {
        let sent = Sent {
            content_type,
            body: body.as_bytes().to_vec(),
            bearer: admin(AdminRole::Operator),
        };
        let (status, answer) = send(sent).await;
        let shown = &body[..body.len().min(40)];
        assert_eq!(status, expected, "{shown}: {answer}");
    }
}

#[actix_web::test]
async fn the_body_is_not_judged_before_admission() {
    for bearer in [String::new(), admin(AdminRole::Viewer)] {
        let sent = Sent { content_type: None, body: b"{".to_vec(), bearer };
        let (status, _) = send(sent).await;
        assert!(matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN), "{status}");
    }
}

/// A repaired name would be another name.
#[actix_web::test]
async fn a_user_in_the_path_is_decoded_exactly() {
    let world = world();
    for (path, expected) in [
        ("%2541", Some("%41")),
        ("a+b", Some("a+b")),
        ("J%C3%BCrgen", Some("J\u{fc}rgen")),
        ("%61lice", Some("alice")),
        ("a%FF", None),
        ("a%2Fb", None),
        ("%2e%2e", None),
        ("a%0A", None),
    ] {
        let (status, answer) = world.permit(path, true).await;
        match expected {
            Some(user) => assert_eq!(answer["user"], user, "{path}"),
            None => assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {answer}"),
        }
    }
}

#[actix_web::test]
async fn unknown_paths_and_methods_are_answered_in_json() {
    let world = world();
    let app = test::init_service(App::new().configure(|app| configure(app, &world.door))).await;
    for (method, uri, status, allow) in [
        (Method::GET, "/api/v1/", StatusCode::NOT_FOUND, None),
        (Method::GET, "/api/v1/tokens/7", StatusCode::NOT_FOUND, None),
        (Method::GET, "/nothing", StatusCode::NOT_FOUND, None),
        (Method::DELETE, "/api/v1/tokens", StatusCode::METHOD_NOT_ALLOWED, Some("GET, HEAD, POST")),
        (Method::GET, "/api/v1/inspect", StatusCode::METHOD_NOT_ALLOWED, Some("POST")),
        (Method::POST, "/healthz", StatusCode::METHOD_NOT_ALLOWED, Some("GET, HEAD")),
    ] {
        let request = test::TestRequest::with_uri(uri).method(method).to_request();
        let response = test::call_service(&app, request).await;
        assert_eq!(response.status(), status, "{uri}");
        let found = response.headers().get(header::ALLOW).map(|allow| allow.to_str().unwrap());
        assert_eq!(found, allow, "{uri}");
        let answer: Value = test::read_body_json(response).await;
        assert!(answer["error"]["hint"].is_string(), "{uri}: {answer}");
    }
}

#[actix_web::test]
async fn health_checks_need_no_token() {
    let world = world();
    let app = test::init_service(App::new().configure(|app| configure(app, &world.door))).await;
    for uri in ["/healthz", "/readyz"] {
        let request = test::TestRequest::with_uri(uri).to_request();
        let response = test::call_service(&app, request).await;
        assert_eq!(response.status(), StatusCode::OK, "{uri}");
        assert_eq!(test::read_body(response).await, "ok\n");
    }
}
