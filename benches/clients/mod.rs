//! The load of the benchmarks: concurrent clients of a ledger.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jeton::clock::{Clock as _, SystemClock};
use jeton::ledger::{Ledger, RequestId, Spend};
use jeton::token::{KeyId, Nonce, ProfileKind, TokenId, UserName};

/// Runs `clients` tasks for `time`. Each spends one use of a new token at a time and waits for its
/// grant. Returns the number of grants.
pub(crate) async fn spend_for<L: Ledger + ?Sized + 'static>(
    time: Duration,
    ledger: &Arc<L>,
    clients: u32,
) -> u32 {
    let end = Instant::now() + time;
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let ledger = Arc::clone(ledger);
            tokio::spawn(async move {
                let mut granted = 0;
                while Instant::now() < end {
                    let _grant = ledger.spend(spend()).await.unwrap().unwrap();
                    granted += 1;
                }
                granted
            })
        })
        .collect();
    let mut granted = 0;
    for task in tasks {
        granted += task.await.unwrap();
    }
    granted
}

fn spend() -> Spend {
    let now = SystemClock.now();
    Spend {
        token: TokenId { key_id: KeyId([1; 4]), nonce: Nonce(random()) },
        max: NonZeroU32::MIN,
        kind: ProfileKind::UserLocked,
        user: UserName::new("alice").unwrap(),
        issued_at: now,
        expires_at: now.plus(3_600),
        request_id: RequestId(random()),
    }
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}
