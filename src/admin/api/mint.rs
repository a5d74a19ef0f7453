//! `POST /api/v1/tokens`: mints a token, if this node has a signing key.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::body::RequestBody;
use super::error_responses::MintErrors;
use super::fields::{Fields, integer};
use crate::admin::door::{AdminDoor, Changeable};
use crate::admin::error::AdminError;
use crate::admin::request_fault::RequestFault;
use crate::api::tokens::{MintedToken, NewToken, RecordedToken};
use crate::ledger::{LedgerError, Note};
use crate::mint::{Minted, Minter, Order};
use crate::qr::QrDrawing;
use crate::random;
use crate::redeem::{Attempt, Intent, Refusal};
use crate::token::{AdminRole, Lifetime, ProfileKind, UseLimit};

/// The default lifetime, an hour.
const LIFETIME_S: u32 = 60 * 60;

/// The resolution of issue times.
const A_SECOND: Duration = Duration::from_secs(1);

/// Mint a token
///
/// The token is in the ledger before the response is sent. A token that would give no profile is
/// not minted. Role: operator.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    operation_id = "mint_token",
    request_body = NewToken,
    responses((status = 201, description = "The token", body = MintedToken), MintErrors),
)]
pub(super) async fn mint(
    request: HttpRequest,
    door: Data<AdminDoor>,
    body: RequestBody,
) -> Result<HttpResponse, AdminError> {
    let operator = door.enter(&request, AdminRole::Operator)?;
    let new = Fields::of_body(&request, &body)?.read(NewToken::read)?;
    let minter = door.minter.load_full().ok_or(AdminError::NoSigningKey)?;
    let (order, note) = new.order();
    let minted = mint_usable(&door, &minter, order).await?;
    let qr_svg = QrDrawing::of(&minted.links.scan).map(|drawing| drawing.svg());
    let qr_svg = qr_svg.map_err(RequestFault::NoQrCode)?;
    let (kind, user) = (minted.kind, &minted.claims.user);
    let what = format!("minted {kind} token {} for {user}", minted.claims.nonce);
    let (record, kept_note) = (minted.record(), note.clone());
    let record = |node: Changeable| async move { node.ledger.record(record, kept_note).await };
    door.change(operator, what, record).await?;
    let response = MintedToken::of(minted, note, qr_svg);
    Ok(HttpResponse::build(StatusCode::CREATED).json(response))
}

/// Mints a token, and returns it if a download with it would deliver the profile now.
async fn mint_usable(
    door: &AdminDoor,
    minter: &Minter,
    order: Order,
) -> Result<Minted, AdminError> {
    let mut minted = minter.mint_one(&order, door.now(), random::fill)?;
    let mut refused = refusal(door, &minted).await;
    if let Some(Refusal::Revoked) = refused {
        // The user's tokens may have been revoked within this second, which includes all that are
        // issued until its end. A token of the next second would outlive a second revocation in
        // this one, so wait until the second is over.
        tokio::time::sleep(A_SECOND).await;
        minted = minter.mint_one(&order, door.now(), random::fill)?;
        refused = refusal(door, &minted).await;
    }
    refused.map_or(Ok(minted), |refusal| Err(unusable(refusal)))
}

async fn refusal(door: &AdminDoor, minted: &Minted) -> Option<Refusal> {
    let anywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let client = minted.claims.network.map_or(anywhere, |network| network.address());
    let attempt = Attempt { token: minted.token.as_str(), client, intent: Intent::Look };
    door.redeemer.redeem(attempt).await.err().map(|refused| refused.refusal)
}

/// Returns why a new token would give no profile.
fn unusable(refusal: Refusal) -> AdminError {
    match refusal {
        Refusal::Unverified(_) | Refusal::NotAProfileToken => AdminError::UntrustedSigningKey,
        Refusal::AutologinDenied => AdminError::NeedAutologin,
        Refusal::NoProfile(error) => AdminError::NoProfile(error),
        Refusal::ProfileUnreadable(error) => AdminError::Profiles(error),
        Refusal::LedgerUnavailable(error) | Refusal::OutcomeUnknown(error) => {
            AdminError::Ledger(error)
        }
        Refusal::LedgerOverloaded => AdminError::Ledger(LedgerError::Overloaded),
        Refusal::NotYet(_)
        | Refusal::Expired(_)
        | Refusal::OutsideNetwork(_)
        | Refusal::Revoked
        | Refusal::BeforeLedger
        | Refusal::UsedUp
        | Refusal::ClaimsMismatch => AdminError::Dead(refusal),
    }
}

impl NewToken {
    fn read(fields: &mut Fields) -> Result<Self, AdminError> {
        Ok(Self {
            user: fields.required("user")?,
            profile_type: fields.one_of("profile_type", &ProfileKind::ALL, ProfileKind::as_str)?,
            lifetime: lifetime(fields)?,
            uses: uses(fields)?,
            network: fields.optional("network")?,
            note: fields.optional("note")?,
        })
    }

    fn order(self) -> (Order, Note) {
        let Self { user, profile_type, lifetime, uses, network, note } = self;
        let kind = profile_type.unwrap_or_default();
        (Order { user, kind, lifetime, uses, network }, note.unwrap_or_default())
    }
}

fn lifetime(fields: &mut Fields) -> Result<Lifetime, AdminError> {
    let seconds = fields.number("lifetime", 1..=Lifetime::MAX.seconds())?.unwrap_or(LIFETIME_S);
    Lifetime::from_seconds(seconds).map_err(|error| fields.wrong("lifetime", error.to_string()))
}

fn uses(fields: &mut Fields) -> Result<UseLimit, AdminError> {
    let given = match fields.take("uses") {
        None | Some(Value::Null) => return Ok(UseLimit::ONCE),
        Some(Value::String(text)) if text == "unlimited" => return Ok(UseLimit::Unlimited),
        Some(value) => integer(&value).and_then(NonZeroU32::new),
    };
    given.map(UseLimit::Limited).ok_or_else(|| {
        let what = format!("must be an integer from 1 to {}, or \"unlimited\"", u32::MAX);
        fields.wrong("uses", what)
    })
}

impl MintedToken {
    fn of(minted: Minted, note: Note, qr_svg: String) -> Self {
        let Minted { kind, claims, token, links } = minted;
        Self {
            recorded: RecordedToken::of(token.id(), kind, &claims, note),
            token: token.as_str().to_owned(),
            import_url: links.import,
            download_url: links.download,
            share_url: links.share,
            scan_url: links.scan,
            qr_svg,
        }
    }
}
