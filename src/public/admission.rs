//! The way from a request to a redemption: the door's own reasons to refuse
//! come first, and each decision is written down once.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName};

use super::client_address::UnknownClient;
use super::door::PublicDoor;
use super::redemption_log::Asker;
use super::refusal::Denial;
use crate::ledger::RequestId;
use crate::redeem::{Delivery, Intent};

/// Where browsers say that they only prepare for a click.
const PURPOSES: [HeaderName; 2] =
    [HeaderName::from_static("sec-purpose"), HeaderName::from_static("purpose")];

/// Redeems `token`, which a route found in its request, or found missing.
pub(super) async fn redeem(
    request: &HttpRequest,
    door: &PublicDoor,
    request_id: RequestId,
    intent: Intent,
    token: Result<&str, Denial>,
) -> Result<Delivery, Denial> {
    let client = door.client(request);
    let asker = Asker { client: client.ok(), request_id, intent };
    let admitted = admit(request, door, client, intent);
    match admitted.and_then(|client| Ok((token?, client))) {
        Ok((token, client)) => door.redeem(token, client, asker).await,
        Err(denial) => {
            door.log.refused(&denial, asker, door.now());
            Err(denial)
        }
    }
}

/// Returns who asks, if he may ask now.
fn admit(
    request: &HttpRequest,
    door: &PublicDoor,
    client: Result<IpAddr, UnknownClient>,
    intent: Intent,
) -> Result<IpAddr, Denial> {
    let client = client.map_err(|UnknownClient| Denial::UnknownClient)?;
    door.admit(client).map_err(Denial::TooManyRequests)?;
    if intent != Intent::Look && is_prefetch(request.headers()) {
        return Err(Denial::Prefetch);
    }
    Ok(client)
}

fn is_prefetch(headers: &HeaderMap) -> bool {
    PURPOSES
        .iter()
        .flat_map(|name| headers.get_all(name))
        .any(|purpose| purpose.as_bytes().to_ascii_lowercase().windows(8).any(|w| w == b"prefetch"))
}
