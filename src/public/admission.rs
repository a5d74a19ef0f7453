//! From a request to a redemption: the door's own reasons to refuse come first, and each decision
//! is logged once.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName};

use super::client_address::UnknownClient;
use super::door::PublicDoor;
use super::redemption_log::RequestContext;
use super::refusal::Denial;
use crate::ledger::RequestId;
use crate::redeem::{Delivery, Intent};

/// The headers by which browsers mark a request that only prepares for a click.
const PURPOSES: [HeaderName; 2] =
    [HeaderName::from_static("sec-purpose"), HeaderName::from_static("purpose")];

/// Redeems the token that a route found in its request. A missing token is refused here as well.
pub(super) async fn redeem(
    request: &HttpRequest,
    door: &PublicDoor,
    request_id: RequestId,
    intent: Intent,
    token: Result<&str, Denial>,
) -> Result<Delivery, Denial> {
    let client = door.client(request);
    let context = RequestContext { client: client.ok(), request_id, intent };
    let admitted = admit(request, door, client, intent);
    match admitted.and_then(|client| Ok((token?, client))) {
        Ok((token, client)) => door.redeem(token, client, context).await,
        Err(denial) => {
            door.log.refused(&denial, context, door.now());
            Err(denial)
        }
    }
}

/// Returns the client's address if its request may be redeemed now.
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
