//! Connections: bodies, slow clients, health checks and shutdown.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::fixture::{Fixture, limits, link, profile_of};
use crate::keyring::Keyring;
use crate::public::PublicLimits;
use crate::token::url::REST_PATH as R;

#[test]
fn rejects_a_get_with_a_body_and_closes_the_connection() {
    let (fixture, server, token) = Fixture::with_token(1);
    for body in [
        "Content-Length: 5\r\n\r\nhello",
        "Content-Length: 5\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
        "Content-Length: -1\r\n\r\n",
    ] {
        for method in ["GET", "HEAD"] {
            let head = format!("{method} {R}?token={} HTTP/1.1\r\nHost: x\r\n", token.as_str());
            let smuggled = format!("GET {R}/{} HTTP/1.1\r\nHost: x\r\n\r\n", token.as_str());
            let response = server.send(format!("{head}{body}{smuggled}"));
            assert_eq!((response.status, fixture.used(&token)), (400, 0), "{method} {body}");
            assert_eq!(response.header("connection"), Some("close"), "{method} {body}");
        }
    }
    let link = link(&token);
    assert_eq!(server.ask("GET", &link, &["Content-Length: 0"]).status, 200);
}

#[test]
fn disconnects_a_client_that_sends_its_head_slowly() {
    let fixture = Fixture::new();
    let head_time = Duration::from_millis(400);
    let limits = PublicLimits { head_time, ..limits() };
    let server = fixture.open_limited(limits);
    let token = fixture.mint(1);
    let begun = Instant::now();
    let mut silent = server.connect();
    let mut partial = server.connect();
    partial.write_all(b"GET /rest/GetPro").unwrap();
    let mut trickle = server.connect();
    let line = format!("GET {R}?token={} HTTP/1.1\r\nHost: x\r\n\r\n", token.as_str());
    for byte in line.as_bytes() {
        thread::sleep(Duration::from_millis(20));
        if trickle.write_all(&[*byte]).is_err() {
            break;
        }
    }
    for stream in [&mut silent, &mut partial, &mut trickle] {
        let mut response = Vec::new();
        // The connection may be reset.
        let _ = stream.read_to_end(&mut response);
        assert!(response.is_empty() || response.starts_with(b"HTTP/1.1 408"), "{response:?}");
    }
    // `read_to_end` times out after 20 seconds.
    assert!(begun.elapsed() < Duration::from_secs(15));
    assert_eq!(fixture.used(&token), 0);
}

/// The client sends requests and reads no responses, until all buffers between the two are full.
#[test]
fn disconnects_a_client_that_reads_nothing() {
    let fixture = Fixture::new();
    let limits = PublicLimits { unread_time: Duration::from_secs(1), ..limits() };
    let server = fixture.open_limited(limits);
    // Only connections made after the server has started have its limits.
    assert_eq!(server.get("/healthz").status, 200);
    let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // A small buffer fills up, and the window closes.
    client.set_recv_buffer_size(4_096).unwrap();
    client.connect(&server.address.into()).unwrap();
    let mut client = TcpStream::from(client);
    client.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    let requests = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    let end = loop {
        if let Err(error) = client.write_all(requests.as_bytes()) {
            break error.kind();
        }
    };
    assert!(matches!(end, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{end:?}");
}

#[test]
fn health_checks_return_ok_or_one_reason() {
    let (fixture, server) = Fixture::opened();
    let get = |path: &str| {
        let response = server.get(path);
        (response.status, response.body)
    };
    assert_eq!(get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get("/readyz"), (200, "ok\n".to_owned()));
    assert_eq!(server.head("/readyz").status, 200);
    assert_eq!(server.ask("POST", "/readyz", &[]).status, 405);
    fixture.redeemer.replace_keys(Keyring::new([]).unwrap());
    assert_eq!(get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get("/readyz"), (503, "not ready: no key for profiles is trusted\n".to_owned()));
}

#[test]
fn shutdown_finishes_downloads_and_accepts_no_new_ones() {
    let fixture = Fixture::new();
    let (gate, loads) = fixture.gate();
    let mut server = fixture.open();
    let address = server.address;
    let token = fixture.mint(1);
    let link = link(&token);
    let shut = gate.shut.lock().unwrap();

    let stop = server.stop.take().unwrap();
    thread::scope(|scope| {
        let download = scope.spawn(|| server.get(&link));
        loads.recv_timeout(Duration::from_secs(10)).unwrap();
        stop.send(()).unwrap();
        let begun = Instant::now();
        while TcpStream::connect(address).is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(10), "still open");
            thread::sleep(Duration::from_millis(10));
        }
        drop(shut);
        let response = download.join().unwrap();
        assert_eq!((response.status, response.body), (200, profile_of("alice")));
    });
    assert_eq!(fixture.used(&token), 1);
    server.join().unwrap();
}

/// A client that disconnects can burn a use; it never gains a profile.
#[test]
fn a_redemption_completes_after_its_client_disconnects() {
    let fixture = Fixture::new();
    let (gate, loads) = fixture.gate();
    let server = fixture.open();
    let token = fixture.mint(1);
    let shut = gate.shut.lock().unwrap();
    let mut stream = server.connect();
    let head = format!("GET {R}?token={} HTTP/1.1\r\nHost: x\r\n\r\n", token.as_str());
    stream.write_all(head.as_bytes()).unwrap();
    loads.recv_timeout(Duration::from_secs(10)).unwrap();
    drop(stream);
    drop(shut);
    let begun = Instant::now();
    while fixture.used(&token) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "the redemption never completed");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(server.get(&link(&token)).status, 410);
}
