//! A fake admin API for tests: it gives fixed responses, one for each connection, and keeps the
//! requests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use super::AdminClient;
use crate::api::tokens::TokenInfo;
use crate::token::SigningKey;

/// A node's response to a request for its users.
pub(crate) const USERS: &str = r#"{"users":[{"user":"alice","autologin":true,"profile":true},
                                            {"user":"bob","autologin":false,"profile":true},
                                            {"user":"gone","autologin":true,"profile":false}]}"#;

/// Two tokens, the first with a note.
pub(crate) fn tokens() -> Vec<TokenInfo> {
    serde_json::from_str(
        r#"[{"id":"AQEBAQICAgICAgICAgICAg","key_id":"3f2a9c01","batch":"01010101",
             "user":"alice","profile_type":"user-locked","uses":3,"used":1,"uses_left":2,
             "state":"in-use","note":"her phone",
             "issued_at":"2026-11-23T12:00:00Z","expires_at":"2026-11-23T13:00:00Z"},
            {"id":"AQEBAQMDAwMDAwMDAwMDAw","key_id":"3f2a9c01","batch":"01010101",
             "user":"bob","profile_type":"autologin","uses":null,"used":0,"uses_left":null,
             "state":"unused","note":"",
             "issued_at":"2026-11-23T12:00:00Z","expires_at":"2026-11-23T13:00:00Z"}]"#,
    )
    .unwrap()
}

/// Returns a client of the node at `address`.
pub(crate) fn client_of(address: SocketAddr) -> AdminClient {
    AdminClient::new(address, SigningKey::from_seed(&[9; 32]))
}

pub(crate) struct FakeNode {
    address: SocketAddr,
    thread: JoinHandle<Vec<SentRequest>>,
}

/// A request that the node received.
pub(crate) struct SentRequest {
    head: Vec<String>,
    body: String,
}

impl FakeNode {
    /// Starts a node that gives these responses, each a status and a body, and then stops.
    pub(crate) fn answering<'a>(responses: impl IntoIterator<Item = (u16, &'a str)>) -> Self {
        let responses: Vec<_> =
            responses.into_iter().map(|(status, body)| (status, body.to_owned())).collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let serve = |(status, body): &(u16, String)| {
                answer(&listener.accept().unwrap().0, *status, body)
            };
            responses.iter().map(serve).collect()
        });
        Self { address, thread }
    }

    /// Returns an address without a listener.
    pub(crate) fn unused_address() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    pub(crate) fn client(&self) -> AdminClient {
        client_of(self.address)
    }

    /// Waits until all responses were sent and returns the requests.
    pub(crate) fn requests(self) -> Vec<SentRequest> {
        self.thread.join().unwrap()
    }
}

impl SentRequest {
    pub(crate) fn line(&self) -> &str {
        &self.head[0]
    }

    pub(crate) fn bearer(&self) -> &str {
        let found = self.head.iter().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("authorization").then_some(value)?.strip_prefix("Bearer ")
        });
        found.unwrap()
    }

    pub(crate) fn body(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn answer(mut stream: &TcpStream, status: u16, body: &str) -> SentRequest {
    let mut reader = BufReader::new(stream);
    let head: Vec<String> =
        (&mut reader).lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    let sent = read_body(&mut reader, &head);
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    SentRequest { head, body: sent }
}

fn read_body(reader: &mut BufReader<&TcpStream>, head: &[String]) -> String {
    let head = head.join("\n").to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}
