//! Connections: bodies, slow clients, health and the end of the server.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::house::{House, limits, profile_of};
use crate::keyring::Keyring;
use crate::public::{PublicLimits, TrustedProxies};
use crate::token::url::REST_PATH as R;

#[test]
fn a_get_with_a_body_is_refused_and_ends_the_connection() {
    let house = House::new();
    let server = house.open();
    let token = house.mint(1);
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
            let answer = server.send(format!("{head}{body}{smuggled}"));
            assert_eq!((answer.status, house.used(&token)), (400, 0), "{method} {body}");
            assert_eq!(answer.header("connection"), Some("close"), "{method} {body}");
        }
    }
    let link = format!("{R}?token={}", token.as_str());
    assert_eq!(server.ask("GET", &link, &["Content-Length: 0"]).status, 200);
}

#[test]
fn a_head_that_comes_slowly_is_cut_off() {
    let house = House::new();
    let head_time = Duration::from_millis(400);
    let limits = PublicLimits { head_time, ..limits() };
    let server = house.open_with(limits, None, TrustedProxies::default());
    let token = house.mint(1);
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
        let mut answer = Vec::new();
        // A reset is as good an end as any.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{answer:?}");
    }
    // A reader gives up after 20 seconds.
    assert!(begun.elapsed() < Duration::from_secs(15));
    assert_eq!(house.used(&token), 0);
}

/// It asks again and again and reads no answer, until no more bytes fit into
/// the buffers on the way.
#[test]
fn a_client_that_reads_nothing_is_cut_off() {
    let house = House::new();
    let limits = PublicLimits { unread_time: Duration::from_secs(1), ..limits() };
    let server = house.open_with(limits, None, TrustedProxies::default());
    // Only what connects once the server runs has its limits.
    assert_eq!(server.get("/healthz").status, 200);
    let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // With less to fill, its window closes altogether.
    deaf.set_recv_buffer_size(4_096).unwrap();
    deaf.connect(&server.address.into()).unwrap();
    let mut deaf = TcpStream::from(deaf);
    deaf.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    let questions = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    let end = loop {
        if let Err(error) = deaf.write_all(questions.as_bytes()) {
            break error.kind();
        }
    };
    assert!(matches!(end, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{end:?}");
}

#[test]
fn health_says_yes_or_why_not_and_nothing_else() {
    let house = House::new();
    let server = house.open();
    let asked = |path: &str| {
        let answer = server.get(path);
        (answer.status, answer.body)
    };
    assert_eq!(asked("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(asked("/readyz"), (200, "ok\n".to_owned()));
    assert_eq!(server.head("/readyz").status, 200);
    assert_eq!(server.ask("POST", "/readyz", &[]).status, 405);
    house.redeemer.replace_keys(Keyring::new([]).unwrap());
    assert_eq!(asked("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(asked("/readyz"), (503, "not ready: no key for profiles is trusted\n".to_owned()));
}

#[test]
fn a_server_that_stops_finishes_its_downloads_and_takes_no_new_ones() {
    let house = House::new();
    let gate = house.gate();
    let (waiting, waits) = mpsc::channel();
    *gate.waiting.lock().unwrap() = Some(waiting);
    let mut server = house.open();
    let address = server.address;
    let token = house.mint(1);
    let link = format!("{R}?token={}", token.as_str());
    let shut = gate.shut.lock().unwrap();

    let stop = server.stop.take().unwrap();
    thread::scope(|scope| {
        let download = scope.spawn(|| server.get(&link));
        waits.recv_timeout(Duration::from_secs(10)).unwrap();
        stop.send(()).unwrap();
        let begun = Instant::now();
        while TcpStream::connect(address).is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(10), "still open");
            thread::sleep(Duration::from_millis(10));
        }
        drop(shut);
        let answer = download.join().unwrap();
        assert_eq!((answer.status, answer.body), (200, profile_of("alice")));
    });
    assert_eq!(house.used(&token), 1);
    server.join().unwrap();
}

/// A client that leaves costs a use at most; nobody gets a profile for it.
#[test]
fn a_client_that_leaves_does_not_stop_its_redemption_halfway() {
    let house = House::new();
    let gate = house.gate();
    let (waiting, waits) = mpsc::channel();
    *gate.waiting.lock().unwrap() = Some(waiting);
    let server = house.open();
    let token = house.mint(1);
    let shut = gate.shut.lock().unwrap();
    let mut stream = server.connect();
    let head = format!("GET {R}?token={} HTTP/1.1\r\nHost: x\r\n\r\n", token.as_str());
    stream.write_all(head.as_bytes()).unwrap();
    waits.recv_timeout(Duration::from_secs(10)).unwrap();
    drop(stream);
    drop(shut);
    let begun = Instant::now();
    while house.used(&token) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "the redemption never ended");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(server.get(&format!("{R}?token={}", token.as_str())).status, 410);
}
