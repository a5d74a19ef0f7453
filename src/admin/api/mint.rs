//! `POST /api/v1/tokens`: mints a token on this node, if it was given a signing
//! key on purpose.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Body;
use super::fields::{Fields, ProfileType, whole_number};
use super::openapi::{MintErrors, words};
use super::records::Record;
use super::{AdminDoor, AdminError, RequestFault};
use crate::admin::door::Changeable;
use crate::ledger::{LedgerError, Note};
use crate::mint::{Minted, Minter, Order};
use crate::qr::QrDrawing;
use crate::random;
use crate::redeem::{Attempt, Intent, Refusal};
use crate::token::{AdminRole, IpNetwork, Lifetime, NewUserName, ProfileKind, UseLimit};

/// An hour, as links live unless told otherwise.
const LIFETIME_S: u32 = 60 * 60;

/// A token that is wanted.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    /// Whose profile it is to give.
    user: NewUserName,
    /// What kind of profile; `user-locked` if nothing is said.
    profile_type: Option<ProfileKind>,
    /// For how many seconds; an hour if nothing is said.
    #[schema(minimum = 1, maximum = 31_622_400)]
    lifetime: Option<u32>,
    /// How often, or `"unlimited"`; once if nothing is said.
    #[schema(schema_with = words::uses, required = false)]
    uses: UseLimit,
    /// From where it may be used; from everywhere if nothing is said.
    network: Option<IpNetwork>,
    /// What lists show beside it.
    note: Option<Note>,
}

/// A token, and the links that carry it. They are shown this once.
#[derive(Serialize, ToSchema)]
pub(super) struct MintedToken {
    #[serde(flatten)]
    said: Record,
    /// The token itself. Whoever has it has the profile.
    token: String,
    /// What OpenVPN Connect imports.
    import_url: String,
    /// What clients and scripts fetch.
    download_url: String,
    /// The page for people.
    share_url: String,
    /// What the QR code holds.
    scan_url: String,
    /// The QR code, a whole SVG document.
    qr_svg: String,
}

/// By how much issue times differ at least.
const A_SECOND: Duration = Duration::from_secs(1);

/// Mint a token
///
/// It is in the ledger before the answer comes. A token that would give no
/// profile is not minted. Role: operator.
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
    body: Body,
) -> Result<HttpResponse, AdminError> {
    let operator = door.enter(&request, AdminRole::Operator)?;
    let wish = NewToken::read(Fields::of_body(&request, &body)?)?;
    let minter = door.minter.load_full().ok_or(AdminError::NoSigningKey)?;
    let (order, note) = wish.order()?;
    let minted = mint_alive(&door, &minter, order).await?;
    let qr_svg = QrDrawing::of(&minted.links.scan).map(|drawing| drawing.svg());
    let qr_svg = qr_svg.map_err(RequestFault::NoQrCode)?;
    let (kind, user) = (minted.kind, &minted.claims.user);
    let what = format!("minted {kind} token {} for {user}", minted.claims.nonce);
    let (record, beside) = (minted.record(), note.clone());
    let keep = |it: Changeable| async move { it.ledger.record(record, beside).await };
    door.change(operator, what, keep).await?;
    let answer = MintedToken::of(minted, note, qr_svg);
    Ok(HttpResponse::build(StatusCode::CREATED).json(answer))
}

/// Mints a token that a click would get the profile for: permission, profile
/// and key are looked at as a click looks at them.
async fn mint_alive(door: &AdminDoor, minter: &Minter, order: Order) -> Result<Minted, AdminError> {
    let mut minted = minter.mint_one(&order, door.now(), random::fill)?;
    let mut refused = refusal(door, &minted).await;
    if let Some(Refusal::Revoked) = refused {
        // The user's tokens may have been revoked in this very second, with all
        // that are issued until its end. It is waited out: a token from the next
        // one would outlive a second revocation in this one.
        tokio::time::sleep(A_SECOND).await;
        minted = minter.mint_one(&order, door.now(), random::fill)?;
        refused = refusal(door, &minted).await;
    }
    refused.map_or(Ok(minted), |refusal| Err(AdminError::of_refusal(refusal)))
}

async fn refusal(door: &AdminDoor, minted: &Minted) -> Option<Refusal> {
    let anywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let client = minted.claims.network.map_or(anywhere, |network| network.address());
    let attempt = Attempt { token: minted.token.as_str(), client, intent: Intent::Look };
    door.redeemer.redeem(attempt).await.err().map(|refused| refused.refusal)
}

impl AdminError {
    /// Says why a token that is wanted would give no profile.
    fn of_refusal(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unverified(_) | Refusal::NotAProfileToken => Self::UntrustedSigningKey,
            Refusal::AutologinDenied => Self::NeedAutologin,
            Refusal::NoProfile(error) => Self::NoProfile(error),
            Refusal::ProfileUnreadable(error) => Self::Profiles(error),
            Refusal::LedgerUnavailable(error) | Refusal::OutcomeUnknown(error) => {
                Self::Ledger(error)
            }
            Refusal::LedgerOverloaded => Self::Ledger(LedgerError::Overloaded),
            Refusal::NotYet(_)
            | Refusal::Expired(_)
            | Refusal::OutsideNetwork(_)
            | Refusal::Revoked
            | Refusal::BeforeLedger
            | Refusal::UsedUp
            | Refusal::Contradiction => Self::Dead(refusal),
        }
    }
}

impl NewToken {
    fn read(mut fields: Fields) -> Result<Self, AdminError> {
        let wish = Self {
            user: fields.required("user")?,
            profile_type: fields.optional("profile_type")?.map(|ProfileType(kind)| kind),
            lifetime: fields.number("lifetime", 1..=Lifetime::MAX.seconds())?,
            uses: uses(&mut fields)?,
            network: fields.optional("network")?,
            note: fields.optional("note")?,
        };
        fields.finish()?;
        Ok(wish)
    }

    fn order(self) -> Result<(Order, Note), AdminError> {
        let lifetime = Lifetime::from_seconds(self.lifetime.unwrap_or(LIFETIME_S))
            .map_err(RequestFault::Lifetime)?;
        let order = Order {
            user: self.user,
            kind: self.profile_type.unwrap_or_default(),
            lifetime,
            uses: self.uses,
            network: self.network,
        };
        Ok((order, self.note.unwrap_or_default()))
    }
}

fn uses(fields: &mut Fields) -> Result<UseLimit, AdminError> {
    let given = match fields.take("uses") {
        None | Some(Value::Null) => return Ok(UseLimit::ONCE),
        Some(Value::String(text)) if text == "unlimited" => return Ok(UseLimit::Unlimited),
        Some(value) => whole_number(&value).and_then(NonZeroU32::new),
    };
    given.map(UseLimit::Limited).ok_or_else(|| {
        let what = format!("must be a whole number from 1 to {}, or \"unlimited\"", u32::MAX);
        fields.wrong("uses", what)
    })
}

impl MintedToken {
    fn of(minted: Minted, note: Note, qr_svg: String) -> Self {
        let Minted { kind, claims, token, links } = minted;
        Self {
            said: Record::of(token.id(), kind, &claims, note),
            token: token.as_str().to_owned(),
            import_url: links.import,
            download_url: links.download,
            share_url: links.share,
            scan_url: links.scan,
            qr_svg,
        }
    }
}
