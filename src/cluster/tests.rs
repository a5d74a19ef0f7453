//! The door and the ways to it, over real sockets: who gets in, and what a
//! caller learns when it does not.

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

use super::connection::{CallFailure, Connection};
use super::connection_limit::GUESTS_MAX;
use super::door::MESSAGES;
use super::welcome::PATH;
use super::*;
use crate::ledger::raft::{Identity, PeerAddress, Transport, TransportError};
use crate::ledger::{MemberList, Membership, MembershipError, MembershipFuture, NodeId};
use crate::token::UnixSeconds;

const LEDGER: [u8; 16] = [7; 16];
const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);

fn now() -> UnixSeconds {
    use crate::clock::{Clock as _, SystemClock};
    SystemClock.now()
}

/// Says who sent what; waits where the message says so.
#[derive(Default)]
struct Echo {
    go: Notify,
    heard: Mutex<Vec<Vec<u8>>>,
}

impl Receive for Echo {
    fn receive<'a>(
        &'a self,
        from: NodeId,
        message: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Vec<u8>> + Send + 'a>> {
        Box::pin(async move {
            self.heard.lock().unwrap().push(message.to_owned());
            match message {
                b"wait" => self.go.notified().await,
                b"fail" => return Vec::new(),
                _ => {}
            }
            [&from.0.to_be_bytes(), message].concat()
        })
    }
}

/// Members that take everybody, or say why not.
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
struct Open {
    address: NodeAddress,
    authority: Arc<Authority>,
    echo: Arc<Echo>,
    members: Arc<Members>,
    invites: Arc<Invites>,
}

impl Open {
    fn new() -> Self {
        let authority = Arc::new(Authority::make(LEDGER, now()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let certificate = NodeCertificate::issue(Arc::clone(&authority), NodeId(1), now()).unwrap();
        let (echo, members) = (Arc::new(Echo::default()), Arc::new(Members::default()));
        let invites = Arc::new(Invites::default());
        let door = Arc::new(ClusterDoor {
            identity: Identity {
                ledger_id: LEDGER,
                node_id: NodeId(1),
                born_at: UnixSeconds::new(5),
            },
            receiver: Arc::clone(&echo) as _,
            cluster: Arc::clone(&members) as _,
            invites: Arc::clone(&invites),
            authority: Arc::clone(&authority),
            public_url: "https://vpn.example.com".to_owned(),
            trusted: Box::new(|| {
                vec![TrustedKeyFile { purpose: "admin".to_owned(), pem: "P".to_owned() }]
            }),
        });
        let tls = Arc::new(certificate).server_config().unwrap();
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

/// A caller that shows nothing.
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

fn network(authority: &Arc<Authority>, node: u64) -> PeerNetwork {
    let node_id = NodeId(node);
    let certificate = NodeCertificate::issue(Arc::clone(authority), node_id, now()).unwrap();
    PeerNetwork::new(&Arc::new(certificate)).unwrap()
}

fn own() -> NodeAddress {
    "127.0.0.1:9".parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_told_which_node_a_message_proved_to_come_from() {
    let open = Open::new();
    let two = network(&open.authority, 2);
    for message in [b"hello".to_vec(), vec![9; 1 << 20]] {
        let answer = two.call(&open.to(1), message.clone(), PATIENCE).await.unwrap();
        assert_eq!(answer, [&2_u64.to_be_bytes()[..], &message].concat());
    }
    let three = network(&open.authority, 3);
    let answer = three.call(&open.to(1), b"x".to_vec(), PATIENCE).await.unwrap();
    assert_eq!(answer, [&3_u64.to_be_bytes()[..], b"x"].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_does_not_wait_for_a_snapshot() {
    let open = Open::new();
    let two = Arc::new(network(&open.authority, 2));
    let (slow, to) = (Arc::clone(&two), open.to(1));
    let slow = tokio::spawn(async move { slow.call(&to, b"wait".to_vec(), PATIENCE).await });
    while open.echo.heard.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    two.call(&open.to(1), b"beat".to_vec(), PATIENCE).await.unwrap();
    assert!(!slow.is_finished());
    open.echo.go.notify_one();
    slow.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_of_this_cluster_is_not_heard() {
    let open = Open::new();
    let not_delivered = |answer: Result<Vec<u8>, _>| match answer {
        Err(TransportError::NotDelivered(why)) => why,
        other => panic!("{other:?}"),
    };
    // Another authority, even one for the same ledger.
    let other = Arc::new(Authority::make(LEDGER, now()).unwrap());
    let why = network(&other, 2).call(&open.to(1), b"x".to_vec(), PATIENCE).await;
    assert!(not_delivered(why).contains("under different authorities"));
    // The right authority, but the node that is meant is another one.
    let why = network(&open.authority, 2).call(&open.to(4), b"x".to_vec(), PATIENCE).await;
    assert!(not_delivered(why).contains("another node has that address"));
    // One who believes this authority and has a certificate of another.
    let certificate =
        NodeCertificate::issue(Arc::clone(&open.authority), NodeId(2), now()).unwrap();
    let certificate = Arc::new(certificate);
    let stranger = Arc::new(NodeCertificate::issue(other, NodeId(2), now()).unwrap());
    let trusting = certificate.client_config().unwrap();
    let name = "0000000000000001.07070707070707070707070707070707.cluster.jeton";
    for (client, path, heard) in [
        (None, MESSAGES, Some(403)),
        (None, "/", Some(404)),
        (None, PATH, Some(400)),
        (Some(stranger), MESSAGES, None),
        (Some(certificate), MESSAGES, Some(200)),
    ] {
        let mut tls: ClientConfig = trusting.clone();
        tls.client_auth_cert_resolver = match client {
            Some(client) => client,
            None => Arc::new(NoCertificate),
        };
        let opened = Connection::open(open.address.as_str(), name.to_owned(), Arc::new(tls)).await;
        // In TLS 1.3 the caller learns that it is refused when it reads.
        let answer = match opened {
            Ok(mut connection) => connection.post(path, b"y".to_vec(), 1_000).await,
            Err(error) => Err(CallFailure::Unknown(error.to_string())),
        };
        assert_eq!(answer.ok().map(|answer| answer.status.as_u16()), heard, "{path}");
    }
    assert_eq!(*open.echo.heard.lock().unwrap(), [b"y"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_understood_is_not_said_to_be_undelivered() {
    let open = Open::new();
    let two = network(&open.authority, 2);
    two.call(&open.to(1), b"x".to_vec(), PATIENCE).await.unwrap();
    let unknown = |answer| matches!(answer, Err(TransportError::Unknown(_)));
    assert!(unknown(two.call(&open.to(1), b"wait".to_vec(), SECOND).await));
    assert!(unknown(two.call(&open.to(1), b"fail".to_vec(), PATIENCE).await));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let nobody = PeerAddress { node_id: NodeId(1), address: nobody };
    let answer = two.call(&nobody, b"x".to_vec(), PATIENCE).await;
    assert!(matches!(answer, Err(TransportError::NotDelivered(_))), "{answer:?}");
    // One who takes connections and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = PeerAddress { node_id: NodeId(1), address: mute.local_addr().unwrap().to_string() };
    let begun = std::time::Instant::now();
    let answer = two.call(&mute, b"x".to_vec(), SECOND / 5).await;
    assert!(matches!(answer, Err(TransportError::NotDelivered(_))), "{answer:?}");
    assert!(begun.elapsed() < PATIENCE);
}

/// Listens in a node's place, takes one connection, and passes on what comes over it
/// once it may.
async fn one_way_to(open: &Open, may: Arc<Notify>) -> PeerAddress {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, behind) = (listener.local_addr().unwrap(), open.address.to_string());
    tokio::spawn(async move {
        let (mut caller, _) = listener.accept().await.unwrap();
        drop(listener);
        may.notified().await;
        let mut node = TcpStream::connect(behind).await.unwrap();
        tokio::io::copy_bidirectional(&mut caller, &mut node).await.unwrap();
    });
    PeerAddress { node_id: NodeId(1), address: address.to_string() }
}

/// Asks until an answer comes. Who is slow to answer is not asked twice.
async fn answered(network: &PeerNetwork, to: &PeerAddress) {
    let begun = std::time::Instant::now();
    while network.call(to, b"x".to_vec(), PATIENCE / 2).await.is_err() {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_opened_too_late_is_for_the_next_message() {
    let open = Open::new();
    let two = network(&open.authority, 2);
    let may = Arc::new(Notify::new());
    let to = one_way_to(&open, Arc::clone(&may)).await;
    let answer = two.call(&to, b"late".to_vec(), SECOND / 5).await;
    assert!(matches!(answer, Err(TransportError::NotDelivered(_))), "{answer:?}");
    may.notify_one();
    answered(&two, &to).await;
    assert_eq!(*open.echo.heard.lock().unwrap(), [b"x"], "what was not delivered never is");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_leaves_its_connection_to_the_next_message() {
    let open = Open::new();
    let two = network(&open.authority, 2);
    let may = Arc::new(Notify::new());
    may.notify_one();
    let to = one_way_to(&open, may).await;
    answered(&two, &to).await;
    let answer = two.call(&to, b"wait".to_vec(), SECOND).await;
    assert!(matches!(answer, Err(TransportError::Unknown(_))), "{answer:?}");
    open.echo.go.notify_one();
    answered(&two, &to).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_node_is_let_in_once() {
    let open = Open::new();
    let line = open.invite(1);
    let welcome = join(&line, NodeId(0xabc), &own(), "1.2.3").await.unwrap();
    assert_eq!(*open.members.added.lock().unwrap(), [(NodeId(0xabc), "127.0.0.1:9".to_owned())]);
    let authority = Authority::from_pem(LEDGER, &welcome.ca, &welcome.ca_key).unwrap();
    assert_eq!(authority.fingerprint(), line.fingerprint);
    assert_eq!((welcome.born_at, welcome.trusted.len()), (5, 1));
    let refused = join(&line, NodeId(0xabd), &own(), "1.2.3").await.unwrap_err();
    assert!(matches!(&refused, JoinError::Refused { hint, .. } if hint.contains("invite")));
    assert_eq!(open.members.added.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_stays_good_if_the_members_cannot_agree() {
    let open = Open::new();
    let line = open.invite(1);
    *open.members.refuses.lock().unwrap() = Some(MembershipError::InProgress);
    let refused = join(&line, NodeId(2), &own(), "1.2.3").await.unwrap_err();
    assert!(matches!(refused, JoinError::Refused { .. }), "{refused:?}");
    *open.members.refuses.lock().unwrap() = None;
    join(&line, NodeId(2), &own(), "1.2.3").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_told_only_to_the_cluster_that_was_meant() {
    let open = Open::new();
    let mut line = open.invite(1);
    let meant = line.fingerprint;
    line.fingerprint = Authority::make(LEDGER, now()).unwrap().fingerprint();
    let refused = join(&line, NodeId(2), &own(), "1.2.3").await.unwrap_err();
    assert!(matches!(refused, JoinError::OtherCluster(_)), "{refused:?}");
    line.fingerprint = meant;
    line.secret = Secret::new([9; 32]);
    let refused = join(&line, NodeId(2), &own(), "1.2.3").await.unwrap_err();
    assert!(matches!(refused, JoinError::Refused { .. }), "{refused:?}");
    assert!(open.members.added.lock().unwrap().is_empty());
}

/// Tells whether the other end has closed a connection.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0; 64];
    match tokio::time::timeout(Duration::from_millis(1), stream.read(&mut byte)).await {
        Ok(read) => !read.is_ok_and(|len| len > 0),
        Err(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_that_stay_keep_neither_members_nor_the_invited_out() {
    let open = Open::new();
    // A node has come from here before; else so many would be turned away.
    network(&open.authority, 2).call(&open.to(1), b"x".to_vec(), PATIENCE).await.unwrap();
    let certificate =
        NodeCertificate::issue(Arc::clone(&open.authority), NodeId(3), now()).unwrap();
    let mut stranger = Arc::new(certificate).client_config().unwrap();
    stranger.client_auth_cert_resolver = Arc::new(NoCertificate);
    let stranger = TlsConnector::from(Arc::new(stranger));
    let name = "0000000000000001.07070707070707070707070707070707.cluster.jeton";
    // Some shake hands and say no more, some do not even do that.
    let (mut mute, mut shaken) = (Vec::new(), Vec::new());
    for number in 0..3 * GUESTS_MAX {
        let stream = TcpStream::connect(open.address.as_str()).await.unwrap();
        if number % 2 == 0 {
            mute.push(stream);
        } else {
            let name = name.to_owned().try_into().unwrap();
            shaken.push(stranger.connect(name, stream).await.unwrap());
        }
        if number % 64 == 0 {
            let begun = std::time::Instant::now();
            let two = network(&open.authority, 2);
            two.call(&open.to(1), b"x".to_vec(), PATIENCE).await.unwrap();
            // They may stay for three seconds and more.
            assert!(begun.elapsed() < 2 * SECOND, "a member waits behind strangers");
        }
    }
    join(&open.invite(1), NodeId(0xabc), &own(), "1.2.3").await.unwrap();
    let mut left = 0;
    let shaken = shaken.iter_mut().map(|stream| stream.get_mut().0);
    let mut sockets: Vec<_> = shaken.chain(&mut mute).collect();
    for stream in &mut sockets {
        left += usize::from(!is_closed(stream).await);
    }
    assert!((1..=GUESTS_MAX).contains(&left), "{left} strangers are inside");
    // They may not stay for long either.
    let begun = std::time::Instant::now();
    while left > 0 {
        assert!(begun.elapsed() < PATIENCE, "{left} strangers are still inside");
        tokio::time::sleep(Duration::from_millis(50)).await;
        left = 0;
        for stream in &mut sockets {
            left += usize::from(!is_closed(stream).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_comes_too_often_costs_no_handshakes() {
    let open = Open::new();
    let begun = std::time::Instant::now();
    let mut streams = Vec::new();
    for _ in 0..GUESTS_MAX {
        streams.push(TcpStream::connect(open.address.as_str()).await.unwrap());
    }
    // Who was let in may stay for three seconds, who was turned away is gone at once.
    loop {
        for stream in streams.iter_mut().rev() {
            if is_closed(stream).await {
                return;
            }
        }
        assert!(begun.elapsed() < 2 * SECOND, "nobody is turned away");
    }
}
