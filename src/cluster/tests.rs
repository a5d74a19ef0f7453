//! The cluster door and its callers over real sockets: who is admitted, and what a rejected caller
//! learns.

use std::collections::BTreeSet;
use std::future::{Future, ready};
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;

use super::connection::{CallFailure, PeerConnection};
use super::connection_limit::SLOTS_MAX;
use super::door::MESSAGE_PATH;
use super::welcome::JOIN_PATH;
use super::*;
use crate::ledger::raft::{Identity, PeerAddress, Transport, TransportError};
use crate::ledger::{MemberList, Membership, MembershipError, MembershipFuture, NodeId};
use crate::token::UnixSeconds;

const LEDGER: [u8; 16] = [7; 16];
/// The name in the certificate of node 1.
const NODE_1: &str = "0000000000000001.07070707070707070707070707070707.cluster.jeton";
const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);

fn now() -> UnixSeconds {
    use crate::clock::{Clock as _, SystemClock};
    SystemClock.now()
}

/// Answers with the sender and the message; waits or fails if the message says so.
#[derive(Default)]
struct Echo {
    go: Notify,
    received: Mutex<Vec<Vec<u8>>>,
}

impl Receive for Echo {
    fn receive<'a>(
        &'a self,
        from: NodeId,
        message: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Vec<u8>> + Send + 'a>> {
        Box::pin(async move {
            self.received.lock().unwrap().push(message.to_owned());
            match message {
                b"wait" => self.go.notified().await,
                b"fail" => return Vec::new(),
                _ => {}
            }
            [&from.0.to_be_bytes(), message].concat()
        })
    }
}

/// A membership that adds every node, or refuses all.
#[derive(Debug, Default)]
struct Members {
    added: Mutex<Vec<(NodeId, String)>>,
    refuses: Mutex<Option<MembershipError>>,
}

impl Membership for Members {
    fn members(&self) -> Pin<Box<dyn Future<Output = MemberList> + Send + '_>> {
        Box::pin(ready(self.members_known_here()))
    }

    fn members_known_here(&self) -> MemberList {
        MemberList { members: Vec::new(), is_by_leader: true }
    }

    fn is_clock_off(&self) -> bool {
        false
    }

    fn peer_errors(&self) -> Vec<String> {
        Vec::new()
    }

    fn spends_forwarded(&self) -> u64 {
        0
    }

    fn add_learner(&self, node_id: NodeId, address: String) -> MembershipFuture<'_, ()> {
        let refused = self.refuses.lock().unwrap().clone();
        if refused.is_none() {
            self.added.lock().unwrap().push((node_id, address));
        }
        Box::pin(ready(refused.map_or(Ok(()), Err)))
    }

    fn set_address(&self, _: NodeId, _: String) -> MembershipFuture<'_, ()> {
        unimplemented!()
    }

    fn promote(&self, _: BTreeSet<NodeId>) -> MembershipFuture<'_, ()> {
        unimplemented!()
    }

    fn demote(&self, _: BTreeSet<NodeId>) -> MembershipFuture<'_, ()> {
        unimplemented!()
    }

    fn replace(&self, _: NodeId, _: NodeId) -> MembershipFuture<'_, ()> {
        unimplemented!()
    }

    fn remove(&self, _: BTreeSet<NodeId>) -> MembershipFuture<'_, ()> {
        unimplemented!()
    }

    fn transfer_leader(&self, _: Option<NodeId>) -> MembershipFuture<'_, ()> {
        unimplemented!()
    }
}

/// Node 1 with its door open.
struct TestNode {
    address: NodeAddress,
    authority: Arc<Authority>,
    echo: Arc<Echo>,
    members: Arc<Members>,
    invites: Arc<Invites>,
}

impl TestNode {
    fn new() -> Self {
        let authority = Arc::new(Authority::make(LEDGER, now()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let (echo, members) = (Arc::new(Echo::default()), Arc::new(Members::default()));
        let invites = Arc::new(Invites::default());
        let door = Arc::new(ClusterDoor {
            identity: Identity {
                ledger_id: LEDGER,
                node_id: NodeId(1),
                born_at: UnixSeconds::new(5),
            },
            receiver: Arc::clone(&echo) as _,
            membership: Arc::clone(&members) as _,
            invites: Arc::clone(&invites),
            authority: Arc::clone(&authority),
            public_url: "https://vpn.example.com".to_owned(),
            trusted: Box::new(|| {
                vec![TrustedKeyFile { purpose: "admin".to_owned(), pem: "P".to_owned() }]
            }),
        });
        let tls = certificate(&authority, 1).server_config().unwrap();
        tokio::spawn(async move {
            run(listener, tls, door, std::future::pending()).await.unwrap();
        });
        Self { address, authority, echo, members, invites }
    }

    fn to(&self, node: u64) -> PeerAddress {
        PeerAddress { node_id: NodeId(node), address: self.address.to_string() }
    }

    fn invite(&self, secret: u8) -> JoinLine {
        let secret = Secret::new([secret; 32]);
        self.invites.open(&secret).unwrap();
        let (address, fingerprint) = (self.address.clone(), self.authority.fingerprint());
        JoinLine { address, fingerprint, secret }
    }
}

/// A caller without a certificate.
#[derive(Debug)]
struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

fn certificate(authority: &Arc<Authority>, id: u64) -> Arc<NodeCertificate> {
    Arc::new(NodeCertificate::issue(Arc::clone(authority), NodeId(id), now()).unwrap())
}

fn network(authority: &Arc<Authority>, id: u64) -> PeerNetwork {
    PeerNetwork::new(&certificate(authority, id)).unwrap()
}

fn own_address() -> NodeAddress {
    "127.0.0.1:9".parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_gets_the_authenticated_sender_of_a_message() {
    let node = TestNode::new();
    let two = network(&node.authority, 2);
    for message in [b"hello".to_vec(), vec![9; 1 << 20]] {
        let answer = two.call(&node.to(1), message.clone(), PATIENCE).await.unwrap();
        assert_eq!(answer, [&2_u64.to_be_bytes()[..], &message].concat());
    }
    let three = network(&node.authority, 3);
    let answer = three.call(&node.to(1), b"x".to_vec(), PATIENCE).await.unwrap();
    assert_eq!(answer, [&3_u64.to_be_bytes()[..], b"x"].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_does_not_wait_for_a_snapshot() {
    let node = TestNode::new();
    let two = Arc::new(network(&node.authority, 2));
    let (slow, to) = (Arc::clone(&two), node.to(1));
    let slow = tokio::spawn(async move { slow.call(&to, b"wait".to_vec(), PATIENCE).await });
    while node.echo.received.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    two.call(&node.to(1), b"beat".to_vec(), PATIENCE).await.unwrap();
    assert!(!slow.is_finished());
    node.echo.go.notify_one();
    slow.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_callers_and_nodes_of_other_clusters() {
    let node = TestNode::new();
    let not_delivered = |answer: Result<Vec<u8>, _>| match answer {
        Err(TransportError::NotDelivered(why)) => why,
        other => panic!("{other:?}"),
    };
    // Another authority, even one for the same ledger.
    let other = Arc::new(Authority::make(LEDGER, now()).unwrap());
    let why = network(&other, 2).call(&node.to(1), b"x".to_vec(), PATIENCE).await;
    assert!(not_delivered(why).contains("under different authorities"));
    // The right authority, but another node.
    let why = network(&node.authority, 2).call(&node.to(4), b"x".to_vec(), PATIENCE).await;
    assert!(not_delivered(why).contains("another node has that address"));
    // A caller that trusts this authority and has a certificate of another one.
    let (own, foreign) = (certificate(&node.authority, 2), certificate(&other, 2));
    let trusting = own.client_config().unwrap();
    for (client, path, status) in [
        (None, MESSAGE_PATH, Some(403)),
        (None, "/", Some(404)),
        (None, JOIN_PATH, Some(400)),
        (Some(foreign), MESSAGE_PATH, None),
        (Some(own), MESSAGE_PATH, Some(200)),
    ] {
        let mut tls: ClientConfig = trusting.clone();
        tls.client_auth_cert_resolver = match client {
            Some(client) => client,
            None => Arc::new(NoCertificate),
        };
        let address = node.address.as_str();
        let opened = PeerConnection::open(address, NODE_1.to_owned(), Arc::new(tls)).await;
        // In TLS 1.3 the caller learns of a rejection only when it reads.
        let answer = match opened {
            Ok(mut connection) => connection.post(path, b"y".to_vec(), 1_000).await,
            Err(error) => Err(CallFailure::Unknown(error.to_string())),
        };
        assert_eq!(answer.ok().map(|answer| answer.status.as_u16()), status, "{path}");
    }
    assert_eq!(*node.echo.received.lock().unwrap(), [b"y"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_may_have_been_received_is_not_reported_as_undelivered() {
    let node = TestNode::new();
    let two = network(&node.authority, 2);
    two.call(&node.to(1), b"x".to_vec(), PATIENCE).await.unwrap();
    let unknown = |answer| matches!(answer, Err(TransportError::Unknown(_)));
    assert!(unknown(two.call(&node.to(1), b"wait".to_vec(), SECOND).await));
    assert!(unknown(two.call(&node.to(1), b"fail".to_vec(), PATIENCE).await));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let closed = PeerAddress { node_id: NodeId(1), address: closed };
    let answer = two.call(&closed, b"x".to_vec(), PATIENCE).await;
    assert!(matches!(answer, Err(TransportError::NotDelivered(_))), "{answer:?}");
    // A listener that sends nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent =
        PeerAddress { node_id: NodeId(1), address: silent.local_addr().unwrap().to_string() };
    let begun = std::time::Instant::now();
    let answer = two.call(&silent, b"x".to_vec(), SECOND / 5).await;
    assert!(matches!(answer, Err(TransportError::NotDelivered(_))), "{answer:?}");
    assert!(begun.elapsed() < PATIENCE);
}

/// Starts a proxy to a node that accepts one connection and forwards it once `start` is notified.
async fn proxy_to(node: &TestNode, start: Arc<Notify>) -> PeerAddress {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, target) = (listener.local_addr().unwrap(), node.address.to_string());
    tokio::spawn(async move {
        let (mut caller, _) = listener.accept().await.unwrap();
        drop(listener);
        start.notified().await;
        let mut target = TcpStream::connect(target).await.unwrap();
        tokio::io::copy_bidirectional(&mut caller, &mut target).await.unwrap();
    });
    PeerAddress { node_id: NodeId(1), address: address.to_string() }
}

/// Sends messages until one is answered. A slow answer is waited for.
async fn wait_for_answer(network: &PeerNetwork, to: &PeerAddress) {
    let begun = std::time::Instant::now();
    while network.call(to, b"x".to_vec(), PATIENCE / 2).await.is_err() {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_opened_too_late_is_kept_for_the_next_message() {
    let node = TestNode::new();
    let two = network(&node.authority, 2);
    let start = Arc::new(Notify::new());
    let to = proxy_to(&node, Arc::clone(&start)).await;
    let answer = two.call(&to, b"late".to_vec(), SECOND / 5).await;
    assert!(matches!(answer, Err(TransportError::NotDelivered(_))), "{answer:?}");
    start.notify_one();
    wait_for_answer(&two, &to).await;
    assert_eq!(
        *node.echo.received.lock().unwrap(),
        [b"x"],
        "the undelivered message is not sent later"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_keeps_its_connection_for_the_next_message() {
    let node = TestNode::new();
    let two = network(&node.authority, 2);
    let start = Arc::new(Notify::new());
    start.notify_one();
    let to = proxy_to(&node, start).await;
    wait_for_answer(&two, &to).await;
    let answer = two.call(&to, b"wait".to_vec(), SECOND).await;
    assert!(matches!(answer, Err(TransportError::Unknown(_))), "{answer:?}");
    node.echo.go.notify_one();
    wait_for_answer(&two, &to).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_node_is_admitted_once() {
    let node = TestNode::new();
    let line = node.invite(1);
    let welcome = join(&line, NodeId(0xabc), &own_address(), "1.2.3").await.unwrap();
    assert_eq!(*node.members.added.lock().unwrap(), [(NodeId(0xabc), "127.0.0.1:9".to_owned())]);
    let authority = Authority::from_pem(LEDGER, &welcome.ca, &welcome.ca_key).unwrap();
    assert_eq!(authority.fingerprint(), line.fingerprint);
    assert_eq!((welcome.born_at, welcome.trusted.len()), (5, 1));
    let refused = join(&line, NodeId(0xabd), &own_address(), "1.2.3").await.unwrap_err();
    assert!(matches!(&refused, JoinError::Refused { hint, .. } if hint.contains("invite")));
    assert_eq!(node.members.added.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_stays_valid_if_the_membership_cannot_change() {
    let node = TestNode::new();
    let line = node.invite(1);
    *node.members.refuses.lock().unwrap() = Some(MembershipError::InProgress);
    let refused = join(&line, NodeId(2), &own_address(), "1.2.3").await.unwrap_err();
    assert!(matches!(refused, JoinError::Refused { .. }), "{refused:?}");
    *node.members.refuses.lock().unwrap() = None;
    join(&line, NodeId(2), &own_address(), "1.2.3").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_sent_only_to_the_authority_of_the_join_line() {
    let node = TestNode::new();
    let mut line = node.invite(1);
    let fingerprint = line.fingerprint;
    line.fingerprint = Authority::make(LEDGER, now()).unwrap().fingerprint();
    let refused = join(&line, NodeId(2), &own_address(), "1.2.3").await.unwrap_err();
    assert!(matches!(refused, JoinError::OtherCluster(_)), "{refused:?}");
    line.fingerprint = fingerprint;
    line.secret = Secret::new([9; 32]);
    let refused = join(&line, NodeId(2), &own_address(), "1.2.3").await.unwrap_err();
    assert!(matches!(refused, JoinError::Refused { .. }), "{refused:?}");
    assert!(node.members.added.lock().unwrap().is_empty());
}

/// Returns `true` if the other end has closed the connection.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0; 64];
    match tokio::time::timeout(Duration::from_millis(1), stream.read(&mut byte)).await {
        Ok(read) => !read.is_ok_and(|len| len > 0),
        Err(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_unauthenticated_connections_keep_out_neither_nodes_nor_invited_ones() {
    let node = TestNode::new();
    // A node has connected from this subnet; otherwise its rate would be exceeded.
    network(&node.authority, 2).call(&node.to(1), b"x".to_vec(), PATIENCE).await.unwrap();
    let mut client = certificate(&node.authority, 3).client_config().unwrap();
    client.client_auth_cert_resolver = Arc::new(NoCertificate);
    let client = TlsConnector::from(Arc::new(client));
    // Half of them complete the handshake, and none sends a request.
    let (mut without_tls, mut with_tls) = (Vec::new(), Vec::new());
    for number in 0..3 * SLOTS_MAX {
        let stream = TcpStream::connect(node.address.as_str()).await.unwrap();
        if number % 2 == 0 {
            without_tls.push(stream);
        } else {
            let name = NODE_1.try_into().unwrap();
            with_tls.push(client.connect(name, stream).await.unwrap());
        }
        if number % 64 == 0 {
            let begun = std::time::Instant::now();
            let two = network(&node.authority, 2);
            two.call(&node.to(1), b"x".to_vec(), PATIENCE).await.unwrap();
            // Idle connections last three seconds or more.
            assert!(
                begun.elapsed() < 2 * SECOND,
                "a node waits behind unauthenticated connections"
            );
        }
    }
    join(&node.invite(1), NodeId(0xabc), &own_address(), "1.2.3").await.unwrap();
    let mut left = 0;
    let with_tls = with_tls.iter_mut().map(|stream| stream.get_mut().0);
    let mut sockets: Vec<_> = with_tls.chain(&mut without_tls).collect();
    for stream in &mut sockets {
        left += usize::from(!is_closed(stream).await);
    }
    assert!((1..=SLOTS_MAX).contains(&left), "{left} unauthenticated connections are open");
    // The others are closed as well, after their time limits.
    let begun = std::time::Instant::now();
    while left > 0 {
        assert!(begun.elapsed() < PATIENCE, "{left} unauthenticated connections are still open");
        tokio::time::sleep(Duration::from_millis(50)).await;
        left = 0;
        for stream in &mut sockets {
            left += usize::from(!is_closed(stream).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_over_the_rate_are_closed_before_the_handshake() {
    let node = TestNode::new();
    let begun = std::time::Instant::now();
    let mut streams = Vec::new();
    for _ in 0..SLOTS_MAX {
        streams.push(TcpStream::connect(node.address.as_str()).await.unwrap());
    }
    // Admitted connections stay open for three seconds, the others are closed at once.
    loop {
        for stream in streams.iter_mut().rev() {
            if is_closed(stream).await {
                return;
            }
        }
        assert!(begun.elapsed() < 2 * SECOND, "no connection is rejected");
    }
}
