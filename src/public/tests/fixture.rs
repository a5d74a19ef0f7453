//! A public door on a port of its own, and a client that sends exactly the bytes that it is given.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::activity::Activity;
use crate::cache::CacheSizes;
use crate::clock::ManualClock;
use crate::keyring::Keyring;
use crate::ledger::RequestId;
use crate::ledger::volatile::VolatileLedger;
use crate::metrics::Metrics;
use crate::profile::{Fingerprint, Profile, ProfileError, ProfileSource};
use crate::public::{
    PublicDoor, PublicLimits, Rate, RedemptionLog, RequestIds, TrustedProxies, run,
};
use crate::redeem::Redeemer;
use crate::token::url::REST_PATH;
use crate::token::{
    AdminRole, Batch, Claims, KeyPurpose, Lifetime, Nonce, ProfileKind, Purpose, SigningKey, Token,
    TrustedKey, UnixSeconds, UseLimit, UserName, sign,
};

pub(super) const NOW: UnixSeconds = UnixSeconds::new(1_800_000_000);

/// Differs from the `Host` that the tests send.
pub(super) const PUBLIC_URL: &str = "https://vpn.example.com:8443";

/// Must never be logged.
pub(super) const SECRET_LINE: &str = "canary-private-key";

/// The state behind the door, and keys to mint tokens.
pub(super) struct Fixture {
    pub(super) clock: Arc<ManualClock>,
    pub(super) ledger: Arc<VolatileLedger>,
    pub(super) redeemer: Arc<Redeemer>,
    pub(super) activity: Arc<Activity>,
    pub(super) metrics: Arc<Metrics>,
    profile_key: SigningKey,
    admin_key: SigningKey,
    minted: AtomicU64,
    gate: Arc<Gate>,
}

/// Blocks the loading of profiles while it is shut, and reports each load.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) shut: Mutex<()>,
    loads: Mutex<Option<mpsc::Sender<()>>>,
}

/// Profiles for all users except `absent`.
#[derive(Debug)]
struct Profiles(Arc<Gate>);

impl ProfileSource for Profiles {
    fn users(&self) -> Result<Vec<UserName>, ProfileError> {
        Ok(Vec::new())
    }

    fn load(
        &self,
        user: &UserName,
        kind: ProfileKind,
        _: UnixSeconds,
    ) -> Result<Profile, ProfileError> {
        if let Some(loads) = &*self.0.loads.lock().unwrap() {
            loads.send(()).unwrap();
        }
        drop(self.0.shut.lock().unwrap());
        if user.as_str() == "absent" {
            return Err(ProfileError::NotFound { user: user.clone(), kind });
        }
        Ok(Profile::new(Zeroizing::new(profile_of(user.as_str())), None))
    }

    fn fingerprint(&self, _: &UserName, _: ProfileKind) -> Fingerprint {
        Fingerprint::default()
    }
}

pub(super) fn profile_of(user: &str) -> String {
    format!("client\n# {user}\n{SECRET_LINE}\n")
}

/// Request ids that count up.
#[derive(Debug, Default)]
struct CountedIds(AtomicU64);

impl RequestIds for CountedIds {
    fn next(&self) -> io::Result<RequestId> {
        Ok(RequestId(u128::from(self.0.fetch_add(1, Ordering::SeqCst)).to_be_bytes()))
    }
}

impl Fixture {
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let ledger = Arc::new(VolatileLedger::new(NOW.minus(1_000), Arc::clone(&clock) as _));
        let [profile_key, admin_key] = [[1; 32], [2; 32]].map(|seed| SigningKey::from_seed(&seed));
        let trusted = [(KeyPurpose::Profile, &profile_key), (KeyPurpose::Admin, &admin_key)]
            .map(|(purpose, key)| ("k".into(), TrustedKey { purpose, key: *key.verifying_key() }));
        let gate = Arc::<Gate>::default();
        let redeemer = Redeemer::new(
            Keyring::new(trusted).unwrap(),
            Box::new(Profiles(Arc::clone(&gate))),
            Arc::clone(&ledger) as _,
            Arc::clone(&clock) as _,
            CacheSizes::default(),
        );
        let redeemer = Arc::new(redeemer);
        let minted = AtomicU64::new(0);
        let activity = Arc::default();
        let metrics = Arc::new(Metrics::default());
        Self { clock, ledger, redeemer, activity, metrics, profile_key, admin_key, minted, gate }
    }

    /// Returns a fixture and its open door.
    pub(super) fn opened() -> (Self, Server) {
        let fixture = Self::new();
        let server = fixture.open();
        (fixture, server)
    }

    /// Returns a fixture, its open door, and a token with `uses`.
    pub(super) fn with_token(uses: u32) -> (Self, Server, Token) {
        let (fixture, server) = Self::opened();
        let token = fixture.mint(uses);
        (fixture, server, token)
    }

    /// Returns the gate, and a receiver of a message for each load.
    pub(super) fn gate(&self) -> (Arc<Gate>, mpsc::Receiver<()>) {
        let (sender, loads) = mpsc::channel();
        *self.gate.loads.lock().unwrap() = Some(sender);
        (Arc::clone(&self.gate), loads)
    }

    /// Returns new claims of a token for `alice` with `uses`.
    pub(super) fn claims(&self, uses: u32) -> Claims {
        let number = self.minted.fetch_add(1, Ordering::SeqCst);
        let mut random = [0; 12];
        random[..8].copy_from_slice(&number.to_be_bytes());
        Claims {
            purpose: Purpose::Profile(ProfileKind::UserLocked),
            nonce: Nonce::new(Batch([0xfb, 0xff, 0xfe, 0xaa]), random),
            issued_at: NOW,
            lifetime: Lifetime::from_seconds(3_600).unwrap(),
            uses: NonZeroU32::new(uses).map_or(UseLimit::Unlimited, UseLimit::Limited),
            user: UserName::new("alice").unwrap(),
            network: None,
        }
    }

    pub(super) fn sign(&self, claims: &Claims) -> Token {
        sign(claims, &self.profile_key).unwrap()
    }

    /// Mints a token for `alice`; 0 uses mean unlimited.
    pub(super) fn mint(&self, uses: u32) -> Token {
        self.sign(&self.claims(uses))
    }

    pub(super) fn mint_admin(&self) -> Token {
        let claims = Claims { purpose: Purpose::Admin(AdminRole::Admin), ..self.claims(1) };
        sign(&claims, &self.admin_key).unwrap()
    }

    /// Returns how often a token was used.
    pub(super) fn used(&self, token: &Token) -> u32 {
        self.ledger.token(token.id()).map_or(0, |token| token.used)
    }

    pub(super) fn door(&self, limits: &PublicLimits, proxies: TrustedProxies) -> Arc<PublicDoor> {
        Arc::new(PublicDoor::new(
            Arc::clone(&self.redeemer),
            Arc::clone(&self.ledger) as _,
            PUBLIC_URL.parse().unwrap(),
            proxies,
            limits,
            Box::new(CountedIds::default()),
            RedemptionLog {
                activity: Arc::clone(&self.activity),
                metrics: Arc::clone(&self.metrics),
            },
        ))
    }

    pub(super) fn open(&self) -> Server {
        self.open_with(limits(), None, TrustedProxies::default())
    }

    pub(super) fn open_limited(&self, limits: PublicLimits) -> Server {
        self.open_with(limits, None, TrustedProxies::default())
    }

    pub(super) fn open_tls(&self, tls: ServerConfig) -> Server {
        self.open_with(limits(), Some(tls), TrustedProxies::default())
    }

    pub(super) fn open_with(
        &self,
        limits: PublicLimits,
        tls: Option<ServerConfig>,
        proxies: TrustedProxies,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let door = self.door(&limits, proxies);
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let shutdown = async move { drop(stopped.await) };
            let workers = NonZeroUsize::new(2);
            let server = run(listener, tls, door, limits, workers, shutdown);
            tokio::runtime::Runtime::new().unwrap().block_on(server)
        });
        Server { address, stop: Some(stop), thread: Some(thread) }
    }
}

/// Limits that no test reaches by accident.
pub(super) fn limits() -> PublicLimits {
    let many = NonZeroU32::new(1_000_000).unwrap();
    PublicLimits { rate: Rate { burst: many, per_second: many }, ..PublicLimits::default() }
}

/// A server that stops when it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends `bytes` and reads until the server closes the connection.
    pub(super) fn send(&self, bytes: impl AsRef<[u8]>) -> Response {
        let mut stream = self.connect();
        stream.write_all(bytes.as_ref()).unwrap();
        read_response(&mut stream)
    }

    /// Requests `target` with further header lines.
    pub(super) fn ask(&self, method: &str, target: &str, headers: &[&str]) -> Response {
        self.send(request(method, target, headers))
    }

    pub(super) fn get(&self, target: &str) -> Response {
        self.ask("GET", target, &[])
    }

    pub(super) fn head(&self, target: &str) -> Response {
        self.ask("HEAD", target, &[])
    }

    /// Waits until the server has stopped.
    pub(super) fn join(mut self) -> io::Result<()> {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Returns the head of a request after which the server closes the connection.
pub(super) fn request(method: &str, target: &str, headers: &[&str]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: vpn.test\r\nConnection: close\r\n");
    for line in headers {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// A response.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    /// Names in lower case, in the order in which they arrived.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Response {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Checks that `HEAD` returns this if `GET` returns `get`.
    pub(super) fn assert_head_of(&self, get: &Self) {
        let (status, headers, _) = get.without_date();
        assert_eq!(self.without_date(), (status, headers, ""));
    }

    /// Returns everything but the time of day.
    pub(super) fn without_date(&self) -> (u16, Vec<(String, String)>, &str) {
        let mut headers = self.headers.clone();
        headers.retain(|(name, _)| name != "date");
        headers.sort();
        (self.status, headers, &self.body)
    }
}

pub(super) fn read_response(stream: &mut impl Read) -> Response {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Response { status, headers, body: body.to_owned() }
}

/// Returns the link to the profile of a token.
pub(super) fn link(token: &Token) -> String {
    format!("{REST_PATH}?token={}", token.as_str())
}

/// Waits for the ledger.
pub(super) fn wait_for<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
